// Pane 5, compare: two traces op by op. Ops are matched by scope and name, the n-th with the n-th;
// the first whose numbers differ is the first divergence.

function matched(A, B) {
  if (A.matched?.with === B) return A.matched.rows;
  const keys = (T) => {
    const seen = new Map();
    return T.ops.map((o, op) => {
      const base = `${T.paths[o.scope]}|${T.tensors[o.out[0]].name || o.op}`,
        n = seen.get(base) ?? 0;
      seen.set(base, n + 1);
      return `${base}|${n}`;
    });
  };
  const inB = new Map(keys(B).map((key, op) => [key, op]));
  const rows = keys(A).map((key, a) => ({a, b: inB.get(key) ?? -1}));
  const found = new Set(rows.map((r) => r.b));
  B.ops.forEach((_, b) => found.has(b) || rows.push({a: -1, b}));
  for (const row of rows) Object.assign(row, gaps(A, B, row));
  A.matched = {with: B, rows};
  return rows;
}

/// Largest difference of the first output's value and gradient; null where they cannot be compared.
function gaps(A, B, {a, b}) {
  if (a < 0 || b < 0) return {value: null, grad: null};
  const x = A.ops[a].out[0],
    y = B.ops[b].out[0];
  const gap = (u, v) => (u && v && u.length === v.length ? distance(u, v, 0).most : null);
  return {value: gap(A.value(x), B.value(y)), grad: gap(A.grad(x), B.grad(y))};
}

const comparePane = {
  id: 'compare',
  available: () => app.traces.length > 1 || Boolean(app.replays[app.which]),
  pair() {
    if (app.traces.length > 1)
      return app.which === 0
        ? [shown(), app.replays[1] ?? app.traces[1]]
        : [app.replays[0] ?? app.traces[0], shown()];
    return [trace(), shown()]; // the recorded run and the edited one
  },
  draw() {
    const [A, B] = this.pair(),
      rows = matched(A, B);
    const first = rows.find((r) => r.value === null || r.value > 0);
    const name = (T, op) => (op < 0 ? '–' : opText(T, op));
    const single = app.traces.length < 2;
    const show1 = (which, op) => () => look({which: single ? app.which : which, op});
    const titles = single
      ? [t('recorded'), t('edited')]
      : app.traces.map((T, i) => T.json.meta.title ?? (mechanismOf(T) || `${t('trace')} ${i + 1}`));
    const bar = (v, top) =>
      h(
        'td',
        {
          class: v === null ? 'none' : v > 0 ? 'pos' : 'zero',
          style: v > 0 && top > 0 ? `--v:${Math.min(1, v / top).toFixed(3)}` : null,
        },
        v === null ? '∅' : v === 0 ? '=' : v.toExponential(2),
      );
    const top = (f) => Math.max(...rows.map((r) => (Number.isFinite(r[f]) ? r[f] : 0)));
    const [topValue, topGrad] = [top('value'), top('grad')];
    return [
      h(
        'p',
        {},
        titles.map((title, i) => [
          h('strong', {}, 'AB'[i]),
          ` ${title} · ${t('loss')} ${num(lossOf([A, B][i]))}  `,
        ]),
      ),
      h(
        'p',
        {},
        first
          ? [
              `${t('first_divergence')}: `,
              button(
                name(A, first.a) === '–' ? name(B, first.b) : name(A, first.a),
                first.a < 0 ? show1(1, first.b) : show1(0, first.a),
                {class: 'link', 'data-key': 'first'},
              ),
            ]
          : t('no_divergence'),
      ),
      h(
        'div',
        {class: 'scroll tall', 'data-scroll': 'compare'},
        h(
          'table',
          {class: 'list numbers'},
          h(
            'tr',
            {},
            h('th', {}, 'A'),
            h('th', {}, 'B'),
            h('th', {}, `max |Δ ${t('value')}|`),
            h('th', {}, 'max |Δ dL|'),
          ),
          rows
            .slice(0, 400)
            .map((r) =>
              h(
                'tr',
                {class: r === first ? 'first' : ''},
                h(
                  'td',
                  {class: 'text', dir: 'ltr'},
                  r.a < 0
                    ? '–'
                    : button(name(A, r.a), show1(0, r.a), {class: 'link', 'data-key': `ca${r.a}`}),
                ),
                h(
                  'td',
                  {class: 'text', dir: 'ltr'},
                  r.b < 0
                    ? '–'
                    : button(name(B, r.b), show1(1, r.b), {class: 'link', 'data-key': `cb${r.b}`}),
                ),
                bar(r.value, topValue),
                bar(r.grad, topGrad),
              ),
            ),
        ),
      ),
      rows.length > 400 && h('p', {class: 'soft'}, t('first_rows', 400, rows.length)),
    ];
  },
  table() {
    const [A, B] = this.pair();
    return {
      columns: ['A', 'B', `max |Δ ${t('value')}|`, 'max |Δ dL|'],
      rows: matched(A, B).map((r) => ({
        cells: [
          r.a < 0 ? '–' : opText(A, r.a),
          r.b < 0 ? '–' : opText(B, r.b),
          r.value ?? '∅',
          r.grad ?? '∅',
        ],
      })),
    };
  },
};
