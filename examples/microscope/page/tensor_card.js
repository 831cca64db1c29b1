// The card of a tensor: its numbers, every contribution to its gradient, and why it is what it is.

function tensorCard(V, id) {
  const x = V.tensors[id],
    g = gradAt(V, id, app.step),
    i = Math.min(app.cell, sizeOf(x.shape) - 1);
  const line = (op) =>
    h(
      'li',
      {},
      button(opText(V, op), () => look({op}), {class: 'link', 'data-key': `use${op}`, dir: 'ltr'}),
    );
  const reason = i >= 0 && why(V, id, i);
  return [
    h(
      'div',
      {class: 'cardhead'},
      h('h2', {}, h('span', {class: 'phase'}, t('tensor')), ' ', tensorName(V, id)),
      h(
        'p',
        {class: 'soft'},
        `#${id} · ${t(`role_${x.role}`)} · [${x.shape.join(', ')}] ${x.dtype}`,
        V.paths[x.scope] ? ` · ${V.paths[x.scope]}` : '',
      ),
      (x.role === 'param' || x.role === 'input') &&
        sizeOf(x.shape) > 0 &&
        button(
          t('edit_this'),
          () => {
            app.options.editTensor = id;
            go({pane: 'edit'});
          },
          {'data-key': 'edit'},
        ),
    ),
    tensorBlock(V, id, {key: 'x'}),
    V.value(id) &&
      hasValue(V, id, app.step) &&
      h('p', {class: 'soft'}, `${t('value')}: ${statsText(V.value(id))}`),
    g.data && h('p', {class: 'soft'}, `dL/d${tensorName(V, id)}: ${statsText(g.data)}`),
    section(t('ledger'), ledger(V, id, g, i)),
    section(
      t('why'),
      h(
        'p',
        {},
        i >= 0 ? `${tensorName(V, id)}${indexText(i, x.shape)}: ` : '',
        reason ? t(...reason.text.map((v) => (typeof v === 'number' ? num(v) : v))) : t('why_ask'),
      ),
    ),
    section(
      t('made_by'),
      h(
        'ul',
        {class: 'plain'},
        x.producer === null ? h('li', {class: 'soft'}, t('a_leaf')) : line(x.producer),
      ),
    ),
    section(
      t('read_by'),
      h(
        'ul',
        {class: 'plain'},
        V.users[id].length ? V.users[id].slice(0, 40).map(line) : h('li', {class: 'soft'}, '–'),
      ),
    ),
    diagsList(V, [id]),
    checksList(V, [id]),
  ];
}

/// Every contribution to a gradient, by name, with its number at the chosen place; and that they
/// add up.
function ledger(V, id, g, i) {
  const x = V.tensors[id];
  if (x.grad_state !== 'done') return h('p', {}, missing(V, id, x.grad_state));
  const at = indexText(i, x.shape);
  const rows = [];
  let sum = 0;
  if (id === V.seed) {
    const seed = V.seedValue(),
      here = app.step >= V.seedStep;
    if (here) sum += seed[i];
    rows.push([t('seed'), here ? seed : null]);
  }
  for (const c of V.arrivals[id]) {
    const op = V.contribs[c].op,
      here = g.arrived.includes(c),
      data = V.contribution(c);
    if (here && data) sum += data[i];
    rows.push([
      button(opText(V, op), () => look({op}), {class: 'link', dir: 'ltr', 'data-key': `led${c}`}),
      here ? data : null,
      V.backwardStep[op],
    ]);
  }
  return h(
    'div',
    {class: 'scroll', 'data-scroll': 'ledger'},
    h(
      'table',
      {class: 'list'},
      h(
        'tr',
        {},
        h('th', {}, t('from')),
        h('th', {}, at || t('value')),
        h('th', {}, t('sum')),
        h('th', {}, '‖·‖'),
      ),
      rows.map(([name, data, step]) =>
        h(
          'tr',
          {class: data ? '' : 'later'},
          h('th', {scope: 'row'}, name),
          data
            ? [
                h('td', {}, signed(data[i], app.digits)),
                h('td', {}, signed(total(data), app.digits)),
                h('td', {}, num(norm(data))),
              ]
            : h(
                'td',
                {colspan: 3, class: 'soft'},
                step ? t('comes_at', step) : t('comes_at', V.seedStep),
              ),
        ),
      ),
      h(
        'tr',
        {class: 'total'},
        h('th', {scope: 'row'}, `= dL/d${tensorName(V, id)}`),
        h('td', {}, g.data ? signed(sum, app.digits) : '∅'),
        h('td', {}, g.data ? signed(total(g.data), app.digits) : ''),
        h('td', {}, g.data ? num(norm(g.data)) : ''),
      ),
    ),
  );
}

function checksList(V, ids) {
  const rows = (V.json.checks ?? []).filter((c) => ids.includes(c.tensor));
  if (!rows.length) return null;
  const n = (v) => num(Number(v));
  return section(
    t('check'),
    V.edited && h('p', {class: 'mark'}, t('check_unedited')),
    h(
      'ul',
      {class: 'plain'},
      rows.map((c) =>
        h(
          'li',
          {class: `check ${c.status}`},
          h('strong', {}, `${{pass: '✓', fail: '✗'}[c.status] ?? '~'} ${t(`check_${c.status}`)}`),
          ` ${tensorName(V, c.tensor)} · ${c.method} · ε ${n(c.eps)} · max|Δ| ${Number(c.max_abs).toExponential(1)}`,
          c.worst
            ? h(
                'span',
                {class: 'soft'},
                ` · ${t('worst', c.worst.idx, n(c.worst.ana), n(c.worst.num))}`,
              )
            : null,
        ),
      ),
    ),
  );
}

/// What stands out in the numbers of these tensors, as the library found it.
function diagsList(V, ids) {
  const rows = (V.json.diags ?? []).filter((d) => ids.includes(d.tensor));
  if (!rows.length) return null;
  return section(
    t('diagnosis'),
    V.edited && h('p', {class: 'mark'}, t('check_unedited')),
    h(
      'ul',
      {class: 'plain'},
      rows
        .slice(0, 50)
        .map((d) =>
          h(
            'li',
            {class: 'warning'},
            `⚠ ${tensorName(V, d.tensor)}${d.row === undefined ? '' : ` ${t('row')} ${d.row}`}: `,
            t(`diag_${d.kind}`, num(Number(d.value)), num(Number(d.limit))),
          ),
        ),
    ),
  );
}
