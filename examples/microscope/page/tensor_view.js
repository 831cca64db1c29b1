// A tensor as a table of tinted numbers: blue below 0, orange above it, hatched where masked, ∅
// where there is no gradient.

const WINDOW = {rows: 16, cols: 12}; // numbers shown at once; the rest is reached by paging

/// How a number is drawn: class and strength of its colour against the largest one.
function tint(v, top) {
  if (!Number.isFinite(v)) return {class: 'odd', style: null};
  if (v === 0 || !(top > 0)) return {class: 'zero', style: null};
  return {class: v > 0 ? 'pos' : 'neg', style: `--v:${Math.min(1, Math.abs(v) / top).toFixed(3)}`};
}

/// A table of numbers. what: {data, shape, mask, edited (set of positions), name, key, sign,
/// onpick(index), rowLabels, colLabels}.
function numbersTable(what) {
  const {data, shape, mask, key} = what;
  const [rows, cols] = asMatrix(shape);
  if (rows * cols === 0) return h('p', {class: 'soft'}, t('empty'));
  const page = (app.options[`page:${key}`] ??= {row: 0, col: 0});
  const row0 = Math.min(page.row, Math.max(0, rows - 1)),
    col0 = Math.min(page.col, Math.max(0, cols - 1));
  const row1 = Math.min(rows, row0 + WINDOW.rows),
    col1 = Math.min(cols, col0 + WINDOW.cols);
  const top = maxAbs(data.filter(Number.isFinite));
  const active = app.cell < data.length ? app.cell : 0;
  const cell = (i) => {
    const masked = mask && mask[i] === 0,
      look = tint(data[i], top);
    return h(
      'td',
      {
        class: `${look.class}${masked ? ' masked' : ''}${i === active && what.onpick ? ' active' : ''}${what.edited?.has(i) ? ' edited' : ''}`,
        style: look.style,
        'data-cell': i,
        'data-key': `${key}:${i}`,
        tabindex: what.onpick ? (i === active ? 0 : -1) : null,
        title: masked ? t('masked') : null,
        onclick: what.onpick && (() => what.onpick(i)),
      },
      what.sign ? signed(data[i], app.digits) : num(data[i]),
    );
  };
  const body = [];
  for (let r = row0; r < row1; r++) {
    const label =
      what.rowLabels?.[r] ??
      (shape.length > 1
        ? unravel(r * cols, shape)
            .slice(0, -1)
            .join(',')
        : '');
    body.push(
      h(
        'tr',
        {},
        label !== '' && h('th', {scope: 'row'}, h('bdi', {}, label)),
        Array.from({length: col1 - col0}, (_, c) => cell(r * cols + col0 + c)),
      ),
    );
  }
  const heads =
    cols > 1 || what.colLabels
      ? h(
          'tr',
          {},
          shape.length > 1 && h('td', {class: 'corner'}),
          Array.from({length: col1 - col0}, (_, c) =>
            h('th', {scope: 'col'}, h('bdi', {}, what.colLabels?.[col0 + c] ?? String(col0 + c))),
          ),
        )
      : null;
  const table = h(
    'table',
    {
      class: 'numbers',
      onkeydown: what.onpick && ((e) => cellKeys(e, data.length, cols, what.onpick)),
    },
    h('caption', {class: 'hidden'}, what.name),
    heads,
    body,
  );
  return h(
    'div',
    {class: 'scroll', 'data-scroll': key},
    table,
    pager(key, page, rows, cols, row0, row1, col0, col1),
  );
}

function cellKeys(e, size, cols, pick) {
  const by = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cols, ArrowDown: cols}[e.key];
  const from = Number(e.target.dataset.cell);
  if (!by || Number.isNaN(from) || from + by < 0 || from + by >= size) return;
  e.preventDefault();
  e.stopPropagation();
  const table = e.currentTarget.closest('[data-scroll]').dataset.scroll;
  pick(from + by);
  document.querySelector(`[data-key="${CSS.escape(`${table}:${from + by}`)}"]`)?.focus();
}

function pager(key, page, rows, cols, row0, row1, col0, col1) {
  if (rows <= WINDOW.rows && cols <= WINDOW.cols) return null;
  const turn = (patch) => () => {
    Object.assign(page, patch);
    go({});
  };
  return h(
    'p',
    {class: 'pager'},
    t('window', row0, row1 - 1, rows, col0, col1 - 1, cols),
    ' ',
    [
      ['↑', {row: Math.max(0, row0 - WINDOW.rows)}, row0 > 0, 'rowsUp'],
      ['↓', {row: row1}, row1 < rows, 'rowsDown'],
      ['←', {col: Math.max(0, col0 - WINDOW.cols)}, col0 > 0, 'colsLeft'],
      ['→', {col: col1}, col1 < cols, 'colsRight'],
    ].map(([glyph, patch, can, name]) =>
      button(glyph, turn(patch), {
        disabled: !can,
        'aria-label': t(name),
        'data-key': `${key}${glyph}`,
      }),
    ),
  );
}

/// The sign in words of a missing gradient: "∅ not yet".
function missing(V, id, state) {
  const {cut} = V.tensors[id];
  return h(
    'span',
    {class: `none ${state}`},
    '∅ ',
    t(`grad_${state}`),
    state === 'cut' && cut ? ` (${cut})` : '',
  );
}

/// Name, shape, value and gradient of a tensor at the step shown.
function tensorBlock(V, id, {pick = true, key = ''} = {}) {
  const x = V.tensors[id],
    at = `${key}t${id}`;
  const onpick = pick ? (i) => go({cell: i}) : null;
  const edited = V.edited?.marks?.[id];
  const value = hasValue(V, id, app.step);
  const g = gradAt(V, id, app.step);
  const data = V.value(id);
  const stale =
    V.edited &&
    x.role === 'saved' &&
    x.dtype !== 'i64' &&
    x.producer === null &&
    x.detached_from === undefined;
  return h(
    'div',
    {class: 'tensor'},
    h(
      'h4',
      {},
      button(tensorName(V, id), () => look({tensor: id}), {
        class: 'link name',
        'data-key': `${at}name`,
      }),
      ' ',
      h(
        'span',
        {class: 'soft'},
        `[${x.shape.join(', ')}] ${t(`role_${x.role}`)}${x.dtype === 'i64' ? ' i64' : ''}`,
      ),
      stale && h('span', {class: 'mark'}, ` ${t('stale')}`),
    ),
    h(
      'div',
      {class: 'pair'},
      h(
        'div',
        {},
        h(
          'h5',
          {},
          t('value'),
          V.edited && !stale && h('span', {class: 'mark'}, ` ${t('recomputed')}`),
        ),
        !data
          ? sampleBlock(V, id, 'value', value)
          : value
            ? numbersTable({
                data,
                shape: x.shape,
                mask: maskOf(V, id),
                edited,
                name: `${tensorName(V, id)} ${t('value')}`,
                key: `${at}v`,
                onpick,
              })
            : h('p', {class: 'soft'}, t('value_later', V.forwardStep[x.producer])),
      ),
      x.grad_state !== 'no_grad' &&
        h(
          'div',
          {},
          h(
            'h5',
            {},
            `dL/d${tensorName(V, id)}`,
            g.state === 'partial' &&
              h('span', {class: 'mark'}, ` ${t('partial', g.arrived.length, g.expected)}`),
            V.edited && g.data && h('span', {class: 'mark'}, ` ${t('recomputed')}`),
          ),
          g.data
            ? numbersTable({
                data: g.data,
                shape: x.shape,
                mask: maskOf(V, id),
                name: `dL/d${tensorName(V, id)}`,
                key: `${at}g`,
                onpick,
                sign: true,
              })
            : V.sample(id, 'grad') && g.state !== 'not_yet'
              ? sampleBlock(V, id, 'grad', g.state === 'done')
              : h('p', {}, missing(V, id, g.state)),
        ),
    ),
  );
}

/// What a file keeps of a large tensor: statistics of all of its numbers, and some of them.
function sampleBlock(V, id, field, there) {
  const sample = V.sample(id, field),
    {shape, ...x} = V.tensors[id],
    stats = field === 'grad' ? x.grad_stats : x.stats;
  if (!sample || !there) return h('p', {class: 'soft'}, t('sampled'));
  const some = sample.idx.slice(0, 32);
  return h(
    'div',
    {},
    h('p', {class: 'soft'}, t('sample_of', sample.idx.length, sizeOf(shape))),
    h(
      'p',
      {class: 'soft'},
      `‖·‖ ${num(Number(stats.l2))} · min ${num(stats.min ?? NaN)} · max ${num(stats.max ?? NaN)} · ${t('zeros', stats.zeros)}`,
    ),
    h(
      'table',
      {class: 'list'},
      some.map((place, i) =>
        h(
          'tr',
          {},
          h('th', {scope: 'row'}, indexText(place, shape)),
          h('td', {}, num(Number(sample.value[i]))),
        ),
      ),
    ),
  );
}

/// "min … max … ‖·‖ …" of numbers.
function statsText(data) {
  let low = Infinity,
    high = -Infinity,
    zeros = 0,
    odd = 0;
  for (const v of data) {
    if (!Number.isFinite(v)) odd++;
    else ((low = Math.min(low, v)), (high = Math.max(high, v)));
    if (v === 0) zeros++;
  }
  return (
    `${t('sum')} ${num(total(data))} · ‖·‖ ${num(norm(data))} · min ${num(low)} · max ${num(high)} · ${t('zeros', zeros)}` +
    (odd ? ` · ${t('nonfinite', odd)}` : '')
  );
}
