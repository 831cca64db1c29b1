// Pane 4, flow: how much of each target word's loss reaches each source state, over distance, with
// attention open and blocked; and by which routes.

const flows = new WeakMap(); // trace or replay -> {open, blocked, rows, tensor}

/// The state whose gradient is followed: what attention averages, or what was chosen.
function flowTensor(T) {
  const chosen = app.options[`flow${app.which}`];
  if (chosen !== undefined && T.tensors[chosen]) return chosen;
  const map = crossMaps(T)[0],
    p = map?.at(0, 0);
  const op =
    p && T.users[p.tensor].find((u) => /^matmul/.test(T.ops[u].op) && T.ops[u].in[0] === p.tensor);
  const id = op === undefined || !p ? -1 : T.ops[op].in[1];
  if (id >= 0 && T.tensors[id].grad_state === 'done') return id;
  return T.tensors.findIndex((x) => x.grad_state === 'done' && x.shape.length > 1);
}

/// Tensors with several rows and a gradient: what can be followed.
const followable = (T) =>
  T.tensors
    .map((x, id) => id)
    .filter(
      (id) =>
        T.tensors[id].grad_state === 'done' &&
        T.tensors[id].shape.length >= 2 &&
        asMatrix(T.tensors[id].shape)[0] > 1 &&
        (T.tensors[id].name || T.arrivals[id].length > 1),
    )
    .slice(0, 300);

/// The matrix ‖dL_t/dh_j‖, open and with the attention edges blocked, or null where the page
/// cannot run the backward pass itself.
function flowOf(V, id) {
  const known = flows.get(V);
  if (known?.id === id) return known;
  const T = trace(),
    words = lossRows(T);
  if (
    !words.length ||
    !V.ops.every((o, op) => o.bwd === null || evaluates(V, op)) ||
    words.length * T.ops.length > 60000
  )
    return null;
  const edges = attentionEdges(T),
    shape = T.tensors[id].shape,
    zero = new Float64Array(sizeOf(shape));
  const norms = (blocked) =>
    words.map((row) => rowNorms(backwardOfRow(V, row, blocked).grad(id) ?? zero, shape));
  const flow = {id, words, open: norms([]), blocked: edges.length ? norms(edges) : null};
  flows.set(V, flow);
  return flow;
}

function flowFigure(matrix, cols, rows, title) {
  const top = Math.max(...matrix.map((row) => maxAbs(row))),
    power = powerOf(top);
  return h(
    'figure',
    {},
    h('figcaption', {}, title, powerText(power)),
    h(
      'div',
      {class: 'scroll', 'data-scroll': title},
      flowSvg(matrix, cols, rows, title, `flow ${title}`),
    ),
  );
}

function flowSvg(matrix, cols, rows, label, keep) {
  const top = Math.max(...matrix.map((row) => maxAbs(row)));
  return heatmap({label, rows, cols, values: matrix, sign: false, top, keep}, powerOf(top));
}

/// Mean norm over the distance between target and source position.
function overDistance(matrix) {
  const sums = [],
    counts = [];
  matrix.forEach((row, t) =>
    row.forEach((v, j) => {
      const d = Math.abs(t - j);
      sums[d] = (sums[d] ?? 0) + v;
      counts[d] = (counts[d] ?? 0) + 1;
    }),
  );
  return sums.map((sum, d) => sum / counts[d]);
}

function curveSvg(flow) {
  const lines = [
    ['open', overDistance(flow.open)],
    ...(flow.blocked ? [['blocked', overDistance(flow.blocked)]] : []),
  ];
  const w = 420,
    height = 190,
    left = 64,
    bottom = 34,
    most = 1.25 * Math.max(...lines.flatMap(([, l]) => l)) || 1,
    n = lines[0][1].length;
  const x = (d) => left + (n > 1 ? (d / (n - 1)) * (w - left - 20) : 0),
    y = (v) => 12 + (1 - v / most) * (height - bottom - 12);
  return s(
    'svg',
    {
      class: 'curve',
      width: w,
      height,
      viewBox: `0 0 ${w} ${height}`,
      role: 'img',
      'aria-label': t('curve'),
    },
    s('path', {class: 'axisline', d: `M${left},12 V${height - bottom} H${w - 16}`}),
    [0, 0.5, 1].map((f) =>
      s(
        'text',
        {class: 'axis', x: left - 6, y: y(f * most) + 4, 'text-anchor': 'end'},
        shortNumber(f * most),
      ),
    ),
    lines[0][1].map((_, d) =>
      d % Math.ceil(n / 12)
        ? null
        : s('text', {class: 'axis', x: x(d), y: height - 16, 'text-anchor': 'middle'}, String(d)),
    ),
    s(
      'text',
      {class: 'axis', x: (w + left) / 2, y: height - 2, 'text-anchor': 'middle'},
      t('distance'),
    ),
    lines.map(([name, line]) => [
      s('path', {
        class: `line ${name}`,
        d: line.map((v, d) => `${d ? 'L' : 'M'}${x(d).toFixed(1)},${y(v).toFixed(1)}`).join(' '),
      }),
      line.map((v, d) =>
        s(
          'circle',
          {class: `dot ${name}`, cx: x(d), cy: y(v), r: 3},
          s('title', {}, `${t(name)}: ${num(v)}`),
        ),
      ),
    ]),
    lines.map(([name], i) =>
      s(
        'text',
        {class: `axis key ${name}`, x: w - 16, y: 18 + 15 * i, 'text-anchor': 'end'},
        `${name === 'open' ? '●' : '○'} ${t(name)}`,
      ),
    ),
  );
}

const routesKept = new WeakMap();

/// Contributions to the chosen tensor per row, grouped by route.
function routes(V, id) {
  const kept = routesKept.get(V);
  if (kept?.id === id) return kept.groups;
  routesKept.set(V, {id, groups: computeRoutes(V, id)});
  return routesKept.get(V).groups;
}

function computeRoutes(V, id) {
  const T = trace(),
    shape = T.tensors[id].shape,
    groups = new Map();
  for (const c of T.arrivals[id]) {
    const route = routeOf(T, c),
      data = V.contribution(c);
    if (!data) continue;
    const sum = groups.get(route);
    groups.set(route, sum ? sum.map((v, i) => v + data[i]) : Float64Array.from(data));
  }
  return [...groups].map(([route, sum]) => ({route, sum, norms: rowNorms(sum, shape)}));
}

const rowNames = (T, id) => {
  const n = asMatrix(T.tensors[id].shape)[0],
    map = crossMaps(T)[0];
  return Array.from({length: n}, (_, j) => (map?.cols.length === n ? map.cols[j] : String(j)));
};
const wordNames = (words) =>
  words.map(
    (w) => trace().json.run.tgt?.[w.row] ?? crossMaps(trace())[0]?.rows[w.row] ?? `t${w.row}`,
  );

const flowPane = {
  id: 'flow',
  available: () => flowTensor(trace()) >= 0,
  draw() {
    const V = shown(),
      T = trace(),
      id = flowTensor(T),
      flow = flowOf(V, id),
      names = rowNames(T, id);
    const groups = routes(V, id),
      g = V.grad(id),
      totals = g ? rowNorms(g, T.tensors[id].shape) : [];
    return [
      choice(
        t('followed'),
        [...new Set([id, ...followable(T)])].map((x) => [x, tensorName(T, x)]),
        id,
        (v) => {
          app.options[`flow${app.which}`] = Number(v);
          go({});
        },
        {'data-key': 'flow'},
      ),
      h('h3', {}, t('routes', tensorName(T, id))),
      h('p', {class: 'soft'}, t('routes_text')),
      h(
        'div',
        {class: 'scroll', 'data-scroll': 'routes'},
        h(
          'table',
          {class: 'list'},
          h(
            'tr',
            {},
            h('th', {}, t('position')),
            groups.map((r) => h('th', {}, t(`route_${r.route}`))),
            h('th', {}, t('total')),
          ),
          names.slice(0, 200).map((name, j) =>
            h(
              'tr',
              {},
              h('th', {scope: 'row'}, h('bdi', {}, name)),
              groups.map((r) => vectorCell(r.sum, T.tensors[id].shape, j)),
              g ? vectorCell(g, T.tensors[id].shape, j) : h('td', {}, '∅'),
            ),
          ),
        ),
      ),
      flow &&
        flow.words.length > 0 && [
          h('h3', {}, t('flow_title', tensorName(T, id))),
          h(
            'p',
            {class: 'soft'},
            t('flow_text'),
            h('span', {class: 'mark'}, ` ${t('recomputed')}`),
          ),
          h(
            'div',
            {class: 'matrices'},
            flowFigure(flow.open, names, wordNames(flow.words), t('open')),
            flow.blocked && flowFigure(flow.blocked, names, wordNames(flow.words), t('blocked')),
            flow.words.length > 1 &&
              h('figure', {}, h('figcaption', {}, t('curve')), curveSvg(flow)),
          ),
        ],
      !flow &&
        lossRows(T).length > 0 &&
        h('p', {class: 'soft'}, t('needs_rerun', t('flow_backward'))),
    ];
  },
  svg() {
    const V = shown(),
      id = flowTensor(trace()),
      flow = flowOf(V, id);
    return flow
      ? flowSvg(flow.open, rowNames(trace(), id), wordNames(flow.words), t('open'))
      : null;
  },
  table() {
    const V = shown(),
      T = trace(),
      id = flowTensor(T),
      groups = routes(V, id),
      g = V.grad(id),
      flow = flowOf(V, id);
    const names = rowNames(T, id),
      totals = g ? rowNorms(g, T.tensors[id].shape) : [];
    const words = flow ? wordNames(flow.words) : [];
    return {
      columns: [
        t('position'),
        ...groups.map((r) => `‖${t(`route_${r.route}`)}‖`),
        `‖${t('total')}‖`,
        ...words.map((w) => `‖dL/dh‖ ${w}`),
        ...(flow?.blocked ? words.map((w) => `${t('blocked')} ${w}`) : []),
      ],
      rows: names.map((name, j) => ({
        cells: [
          name,
          ...groups.map((r) => num(r.norms[j])),
          num(totals[j] ?? 0),
          ...(flow ? flow.open.map((row) => num(row[j])) : []),
          ...(flow?.blocked ? flow.blocked.map((row) => num(row[j])) : []),
        ],
      })),
    };
  },
};

/// One row of a sum: the vector itself while it is short, else its norm.
function vectorCell(data, shape, j) {
  const n = shape.at(-1),
    row = data.subarray(j * n, (j + 1) * n);
  return h(
    'td',
    {},
    n <= 4
      ? `(${Array.from(row, (v) => signed(v, app.digits)).join(', ')})`
      : `‖·‖ ${num(norm(row))}`,
  );
}
