// Pane 6, edit and replay: numbers of leaves, attributes of ops and mask cells are changed here;
// the page's evaluator runs everything again. And the badge that says how well it agrees with the
// recorded numbers.

// ---- parity ----

/// Compares every op with the file, a little at a time, and keeps the outcome in T.parity.
function startParity(T, done) {
  const run = parity(T);
  const work = () => {
    const end = performance.now() + 25;
    let next;
    do {
      next = run.next();
      if (next.value) T.parity = next.value;
    } while (!next.done && performance.now() < end);
    if (!next.done) return setTimeout(work, 0);
    T.parity ??= {ops: 0, most: 0, bad: [], lacking: new Set()};
    T.parity.done = true;
    done();
  };
  setTimeout(work, 0);
}

function badge(T) {
  const p = T.parity;
  if (!p?.done) return h('span', {class: 'badge', id: 'badge'}, t('badge_busy'));
  const lacking = [...p.lacking];
  return h(
    'span',
    {
      class: `badge ${p.bad.length ? 'bad' : 'good'}`,
      id: 'badge',
      title: [
        t('badge_title'),
        ...p.bad.slice(0, 5),
        lacking.length ? t('badge_lacking', lacking.join(', ')) : '',
      ]
        .filter(Boolean)
        .join('\n'),
    },
    `${p.bad.length ? '✗' : '✓'} ${t('badge', p.ops, p.most === 0 ? '0' : p.most.toExponential(1))}`,
    lacking.length ? ` · ${t('badge_without', lacking.length)}` : '',
  );
}

// ---- editing ----

/// The reason why this trace cannot be replayed, or null.
function whyNoReplay(T) {
  const op = T.ops.findIndex((_, i) => !evaluates(T, i));
  return op < 0 ? null : t('needs_rerun', T.ops[op].op);
}

const editsNow = () => (app.edits[app.which] ??= {values: {}, attrs: {}, marks: {}});

function applyEdits() {
  const T = trace(),
    edits = editsNow();
  const some = Object.keys(edits.values).length || Object.keys(edits.attrs).length;
  app.replays[app.which] = some ? replay(T, edits) : null;
  go({});
  if (some) say(t('replayed', num(lossOf(T)), num(lossOf(shown()))));
}

function setNumber(id, index, v) {
  const T = trace(),
    edits = editsNow();
  const data = (edits.values[id] ??= Float64Array.from(T.value(id)));
  data[index] = v;
  const marks = (edits.marks[id] ??= new Set());
  if (Object.is(v, T.value(id)[index])) marks.delete(index);
  else marks.add(index);
  if (!marks.size) (delete edits.values[id], delete edits.marks[id]);
  applyEdits();
}

function setAttribute(op, name, v) {
  const edits = editsNow();
  (edits.attrs[op] ??= {})[name] = v;
  if (JSON.stringify(v) === JSON.stringify(trace().attrs(op)[name])) delete edits.attrs[op][name];
  if (!Object.keys(edits.attrs[op]).length) delete edits.attrs[op];
  applyEdits();
}

/// Forgets all edits of the trace shown.
function resetEdits() {
  app.edits[app.which] = undefined;
  app.replays[app.which] = null;
  go({});
}

/// Quoted for a POSIX shell.
const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`;

/// How a command names a tensor: by its name, where that finds it.
const commandName = (T, id) =>
  findTensor(T, T.tensors[id].name) === id ? T.tensors[id].name : `#${id}`;

/// The command that makes the library do what was edited here; null where an edit has no --set.
function rerunCommand() {
  const T = trace(),
    edits = editsNow(),
    sets = [];
  for (const [id, marks] of Object.entries(edits.marks))
    for (const i of marks)
      sets.push(
        `--set ${quoted(`${commandName(T, Number(id))}${indexText(i, T.tensors[id].shape)}=${edits.values[id][i]}`)}`,
      );
  return sets.length ? `microscope rerun t.json ${sets.join(' ')} -o u.json` : null;
}

/// Leaves whose numbers can be changed: parameters, inputs, constants, and ids (a token of the same
/// sentence).
const editable = (T) =>
  T.tensors
    .map((x, id) => id)
    .filter((id) => {
      const x = T.tensors[id];
      return (
        x.producer === null &&
        x.detached_from === undefined &&
        T.value(id) &&
        sizeOf(x.shape) > 0 &&
        (x.role !== 'saved' || x.dtype === 'i64') &&
        (x.role !== 'saved' ||
          T.ops.some((o) => o.op === 'embedding' && o.saved.some((y) => y.tensor === id)))
      );
    });

function numberInput(id, i, V) {
  const v = V.value(id)[i],
    marked = editsNow().marks[id]?.has(i),
    whole = V.tensors[id].dtype === 'i64';
  return h('input', {
    type: 'text',
    inputmode: 'decimal',
    value: String(v),
    class: marked ? 'edited' : '',
    size: 9,
    'data-key': `edit${id}:${i}`,
    'aria-label': `${tensorName(V, id)}${indexText(i, V.tensors[id].shape)}`,
    onchange: (e) => {
      const text = e.target.value.trim().replace(/−/g, '-'),
        asked = Number(text);
      const fits =
        text !== '' &&
        Number.isFinite(asked) &&
        (!whole || (Number.isInteger(asked) && asked >= 0 && asked < rowsOfTable(id)));
      e.target.setAttribute('aria-invalid', String(!fits));
      if (fits) setNumber(id, i, asked);
      else say(t('not_a_number', text));
    },
  });
}

/// How many rows the table has that these ids look up.
const rowsOfTable = (id) =>
  Math.min(
    ...trace()
      .ops.filter((o) => o.op === 'embedding' && o.saved.some((y) => y.tensor === id))
      .map((o) => trace().tensors[o.in[0]].shape[0]),
  );

function attributeInputs(V) {
  const T = trace(),
    rows = [],
    weights = weightsOf(alignments(T)),
    before = new Set([...weights].map((id) => (id < 0 ? -1 : scoresOf(T, id))));
  T.ops.forEach((o, op) => {
    for (const name of ['factor', 'label_smoothing', 'low', 'high', 'eps'])
      if (typeof T.attrs(op)[name] === 'number')
        rows.push(
          h(
            'li',
            {},
            h(
              'label',
              {},
              h('span', {dir: 'ltr'}, `${opText(T, op)} · ${name} `),
              h('input', {
                type: 'text',
                inputmode: 'decimal',
                size: 12,
                value: String(V.attrs(op)[name]),
                'data-key': `attr${op}${name}`,
                class: editsNow().attrs[op]?.[name] !== undefined ? 'edited' : '',
                onchange: (e) =>
                  Number.isFinite(Number(e.target.value)) &&
                  e.target.value.trim() !== '' &&
                  setAttribute(op, name, Number(e.target.value)),
              }),
            ),
          ),
        );
    const small = sizeOf(V.tensors[o.out[0]].shape) <= 64;
    const scores =
      o.op === 'softmax' ? weights.has(o.out[0]) : o.op === 'masked_fill' && before.has(o.in[0]);
    if (scores && small) {
      const mask = V.attrs(op).mask ?? new Array(sizeOf(T.tensors[o.in[0]].shape)).fill(1);
      rows.push(
        h(
          'li',
          {},
          h('span', {dir: 'ltr'}, `${opText(T, op)} · mask `),
          mask.map((keep, i) =>
            h(
              'label',
              {class: 'keep'},
              h('input', {
                type: 'checkbox',
                checked: keep !== 0,
                'data-key': `mask${op}:${i}`,
                'aria-label': `${t('kept')} ${i}`,
                onchange: (e) =>
                  setAttribute(
                    op,
                    'mask',
                    Array.from(mask, (k, j) => (j === i ? Number(e.target.checked) : k)),
                  ),
              }),
              String(i),
            ),
          ),
        ),
      );
    }
  });
  return rows.slice(0, 60);
}

const EDITED = {rows: 16, cols: 8}; // numbers that can be edited at once

const editPane = {
  id: 'edit',
  draw() {
    const T = trace(),
      V = shown(),
      lacking = whyNoReplay(T);
    if (lacking)
      return [h('p', {class: 'warning'}, lacking), h('p', {class: 'soft'}, t('rerun_advice'))];
    const all = editable(T);
    if (!all.length) return h('p', {class: 'soft'}, t('nothing_here'));
    const id = all.includes(app.options.editTensor) ? app.options.editTensor : all[0],
      x = T.tensors[id],
      [rows, cols] = asMatrix(x.shape);
    const command = rerunCommand(),
      attributes = attributeInputs(V);
    const cell = app.tensor === id ? Math.min(app.cell, rows * cols - 1) : 0,
      row0 = Math.floor(Math.floor(cell / cols) / EDITED.rows) * EDITED.rows,
      col0 = Math.floor((cell % cols) / EDITED.cols) * EDITED.cols,
      row1 = Math.min(rows, row0 + EDITED.rows),
      col1 = Math.min(cols, col0 + EDITED.cols);
    return [
      h('p', {class: 'soft'}, t('edit_text')),
      choice(
        t('tensor'),
        all.map((i) => [
          i,
          `${tensorName(T, i)} [${T.tensors[i].shape.join(', ')}]${T.tensors[i].dtype === 'i64' ? ` ${t('tokens')}` : ''}`,
        ]),
        id,
        (v) => {
          app.options.editTensor = Number(v);
          look({tensor: Number(v)});
        },
        {'data-key': 'edittensor'},
      ),
      h(
        'div',
        {class: 'scroll', 'data-scroll': 'edit'},
        h(
          'table',
          {class: 'numbers inputs'},
          Array.from({length: row1 - row0}, (_, r) =>
            h(
              'tr',
              {},
              rows > 1 && h('th', {scope: 'row'}, String(row0 + r)),
              Array.from({length: col1 - col0}, (__, c) =>
                h('td', {}, numberInput(id, (row0 + r) * cols + col0 + c, V)),
              ),
            ),
          ),
        ),
      ),
      (row1 - row0) * (col1 - col0) < rows * cols &&
        h(
          'p',
          {class: 'soft'},
          t('window', row0, row1 - 1, rows, col0, col1 - 1, cols),
          ' ',
          t('other_place'),
        ),
      attributes.length
        ? h(
            'details',
            {open: true},
            h('summary', {}, t('attributes')),
            h('ul', {class: 'plain'}, attributes),
          )
        : null,
      V.edited && [
        h('h3', {}, t('effect')),
        h(
          'p',
          {class: 'big'},
          `${tensorName(T, T.seed)}: ${num(lossOf(T))} → ${num(lossOf(V))} (${signed(lossOf(V) - lossOf(T), app.digits)})`,
          h('span', {class: 'mark'}, ` ${t('recomputed')}`),
        ),
        button(t('reset'), resetEdits, {'data-key': 'reset'}),
        ' ',
        command &&
          button(
            t('copy_command'),
            () => {
              navigator.clipboard?.writeText(command).catch(() => {});
              say(t('copied'));
            },
            {'data-key': 'copy'},
          ),
        command ? h('pre', {class: 'command'}, command) : h('p', {class: 'soft'}, t('no_command')),
      ],
    ];
  },
  table() {
    const T = trace(),
      V = shown();
    return {
      columns: [
        t('tensor'),
        t('place'),
        t('recorded'),
        t('now'),
        t('grad_recorded'),
        t('grad_now'),
      ],
      rows: T.tensors
        .flatMap((x, id) =>
          x.role === 'saved' || !T.value(id) || sizeOf(x.shape) > 256
            ? []
            : Array.from(T.value(id), (v, i) => ({
                pick: {tensor: id, cell: i},
                cells: [
                  tensorName(T, id),
                  indexText(i, x.shape),
                  num(v),
                  num(V.value(id)[i]),
                  T.grad(id) ? signed(T.grad(id)[i], app.digits) : '∅',
                  V.grad(id) ? signed(V.grad(id)[i], app.digits) : '∅',
                ],
              })),
        )
        .slice(0, 5000),
    };
  },
};
