// Pane 1, the graph: boxes of layout.js, what has happened to them by the step shown, and what
// flows back over their edges.

let lastLayout = null;

/// Whether parameters and constants have boxes: as chosen, else while the ops are few.
const leavesShown = (T) => app.options.leaves ?? T.ops.length <= 30;

/// The layout for what is folded and looked at; kept while neither changes.
function layoutNow(V) {
  const T = trace(),
    fold = (app.folds[app.which] ??= firstFold(T));
  const large = T.ops.length > MOST_BOXES / 2;
  const center =
    app.op >= 0
      ? app.op
      : app.tensor >= 0
        ? (T.tensors[app.tensor].producer ?? T.users[app.tensor][0] ?? 0)
        : 0;
  const leaves = leavesShown(T);
  const key = `${app.which}|${leaves}|${[...fold].join(',')}`;
  const seen =
    lastLayout &&
    lastLayout.key === key &&
    (!large || lastLayout.graph.boxes.has(boxOf(T, fold, center)));
  if (!seen || (large && edgeOfWindow(T, fold, center)))
    lastLayout = {key, graph: graphOf(T, fold, center, leaves), center};
  return lastLayout.graph;
}
const edgeOfWindow = (T, fold, center) =>
  lastLayout.graph.hidden > 0 && Math.abs(center - lastLayout.center) > MOST_BOXES * 0.15;

function toggleFold(scope) {
  const fold = app.folds[app.which];
  if (!fold.delete(scope)) fold.add(scope);
  fold.chosen = true;
  go({});
}

/// Everything that is drawn: {key, sign, draw()}; where the sign is as it was, the drawing is too.
const partsOf = (V, graph) => [...edgeParts(V, graph), ...boxParts(V, graph)];

let drawing = null; // what is on the screen: {graph, V, svg, parts: key -> {sign, node}}

function graphSvg(V, graph) {
  const parts = partsOf(V, graph).map((part) => ({...part, node: part.draw()}));
  const lines = parts.filter((part) => part.edge).map((part) => part.node),
    boxes = parts.filter((part) => !part.edge).map((part) => part.node);
  const width = Math.ceil(graph.width),
    height = Math.ceil(graph.height);
  const svg = s(
    'svg',
    {
      class: 'graph',
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: 'group',
      'aria-label': t('graph_label', graph.boxes.size),
    },
    s('g', {'aria-hidden': 'true'}, lines),
    boxes,
  );
  return {svg, parts: new Map(parts.map((part) => [part.key, part]))};
}

/// Brings the drawing on the screen up to date; false where it has to be drawn anew.
function updateGraph() {
  const V = shown(),
    graph = layoutNow(V);
  if (drawing?.graph !== graph || drawing.V !== V || !drawing.svg.isConnected) return false;
  for (const part of partsOf(V, graph)) {
    const old = drawing.parts.get(part.key);
    if (old.sign === part.sign) continue;
    const node = part.draw(),
      focused = document.activeElement === old.node;
    old.node.replaceWith(node);
    if (focused) node.focus({preventScroll: true});
    drawing.parts.set(part.key, {...part, node});
  }
  redraw(byId('beside'), besideGraph(V, graph));
  return true;
}

function currentBox(graph) {
  const fold = app.folds[app.which];
  if (app.tensor >= 0) {
    if (graph.boxes.has(`leaf${app.tensor}`)) return `leaf${app.tensor}`;
    const {producer} = trace().tensors[app.tensor];
    return producer === null ? null : boxOf(trace(), fold, producer);
  }
  return app.op >= 0 ? boxOf(trace(), fold, app.op) : null;
}

function pickBox(box) {
  if (box.kind === 'scope') toggleFold(box.scope);
  else if (box.kind === 'leaf') look({tensor: box.tensor});
  else look({op: box.ops[0]});
}

/// Arrows follow the edges: right to a reader, left to what was read, up and down between those
/// that stand beside each other. Enter opens, Escape folds the scope around.
function boxKeys(e, graph, box) {
  if (e.key === 'Enter' || e.key === ' ') {
    e.preventDefault();
    return pickBox(box);
  }
  const beside = [...graph.boxes.values()]
      .filter((b) => b.rank === box.rank)
      .sort((a, b) => a.y - b.y),
    i = beside.indexOf(box);
  const near = (list) =>
    list
      .filter((b) => b.kind !== 'bend')
      .sort((a, b) => Math.abs(a.y - box.y) - Math.abs(b.y - box.y))[0];
  const to = {
    ArrowRight: near(box.outs),
    ArrowLeft: near(box.ins),
    ArrowUp: beside[i - 1],
    ArrowDown: beside[i + 1],
  }[e.key];
  if (!to) return;
  e.preventDefault();
  e.stopPropagation();
  if (to.kind === 'scope') return byId('work').querySelector(`[data-key="${to.key}"]`)?.focus();
  pickBox(to);
  byId('work').querySelector(`[data-key="${to.key}"]`)?.focus();
}

function scopeList(V) {
  const tree = scopeTree(trace()),
    fold = app.folds[app.which];
  if (tree.length < 2) return null;
  const item = (id, depth) =>
    tree[id].count === 0
      ? []
      : [
          h(
            'li',
            {style: `--depth:${depth}`},
            button(
              `${fold.has(id) ? '▸' : '▾'} ${V.paths[id].split('/').at(-1)}`,
              () => toggleFold(id),
              {class: 'link', 'aria-expanded': String(!fold.has(id)), 'data-key': `fold${id}`},
            ),
            h('span', {class: 'soft'}, ` ${tree[id].count}`),
          ),
          ...(fold.has(id)
            ? []
            : tree[id].children.slice(0, 100).flatMap((c) => item(c, depth + 1))),
        ];
  const all = (folded) => () => {
    const next = new Set(folded ? tree.filter((n) => n.id > 0 && n.count).map((n) => n.id) : []);
    next.chosen = true;
    app.folds[app.which] = next;
    go({});
  };
  return h(
    'details',
    {
      class: 'scopes',
      open: app.options.scopesOpen,
      ontoggle: (e) => {
        if (Boolean(app.options.scopesOpen) === e.target.open) return;
        app.options.scopesOpen = e.target.open;
        go({});
      },
    },
    h('summary', {'data-key': 'scopes'}, t('scopes')),
    h(
      'p',
      {},
      button(t('fold_all'), all(true), {'data-key': 'foldall'}),
      ' ',
      button(t('unfold_all'), all(false), {'data-key': 'unfoldall'}),
    ),
    app.options.scopesOpen &&
      h('ul', {class: 'tree'}, tree[0].children.flatMap((id) => item(id, 0)).slice(0, 500)),
  );
}

function leavesBox() {
  return h(
    'label',
    {class: 'choice'},
    h('input', {
      type: 'checkbox',
      checked: leavesShown(trace()),
      'data-key': 'leaves',
      onchange: (e) => {
        app.options.leaves = e.target.checked;
        go({});
      },
    }),
    ` ${t('leaves')}`,
  );
}

/// Under a small graph there is room for a small alignment.
function besideGraph(V, graph) {
  const small = (map) => map && map.cols.length <= 6 && map.rows.length <= 4;
  if (graph.height > 420 || !small(alignments(trace())[0])) return [];
  return [alignmentFigures(V, mapsShown(V), 'beside')];
}

const graphPane = {
  id: 'graph',
  draw() {
    const V = shown(),
      graph = layoutNow(V);
    drawing = {graph, V, ...graphSvg(V, graph)};
    return [
      h('div', {class: 'graphbar'}, leavesBox(), scopeList(V)),
      h(
        'div',
        {class: 'scroll graphbox', 'data-scroll': 'graph', 'data-boxes': graph.boxes.size},
        drawing.svg,
      ),
      h(
        'p',
        {class: 'soft'},
        t('graph_legend'),
        graph.hidden ? ` ${t('not_drawn', graph.hidden)}` : '',
      ),
      h('div', {id: 'beside'}, besideGraph(V, graph)),
    ];
  },
  after() {
    // the box looked at is in sight; in a graph nobody has moved in yet, the one with the first op
    const frame = byId('work').querySelector('.graphbox');
    if (!frame) return;
    const untouched = app.step === 0 && !frame.scrollLeft && !frame.scrollTop;
    const key =
      currentBox(drawing.graph) ?? (untouched && boxOf(trace(), app.folds[app.which], 0));
    const box = key && drawing.parts.get(key)?.node;
    if (!box) return;
    const b = box.getBoundingClientRect(),
      f = frame.getBoundingClientRect();
    if (b.left < f.left + 40) frame.scrollLeft += b.left - f.left - 80;
    if (b.right > f.right - 40) frame.scrollLeft += b.right - f.right + 80;
    if (b.top < f.top) frame.scrollTop += b.top - f.top - f.height / 3;
    if (b.bottom > f.bottom) frame.scrollTop += b.bottom - f.bottom + f.height / 3;
  },
  update: updateGraph,
  svg: () => graphSvg(shown(), layoutNow(shown())).svg,
  table() {
    const V = shown(),
      graph = layoutNow(V);
    return {
      columns: [t('op'), t('from'), t('step_forward'), t('step_backward'), 'dL', t('sum')],
      rows: [...graph.boxes.values()]
        .filter((b) => b.kind === 'op')
        .sort((a, b) => a.first - b.first)
        .map((b) => {
          const op = b.ops[0],
            g = gradAt(V, V.ops[op].out[0], app.step);
          return {
            pick: {op},
            cells: [
              opText(V, op),
              V.paths[V.ops[op].scope],
              V.forwardStep[op],
              V.backwardStep[op] ?? '∅',
              g.data ? `‖·‖ ${num(norm(g.data))}` : `∅ ${t(`grad_${g.state}`)}`,
              g.data ? signed(total(g.data), app.digits) : '',
            ],
          };
        }),
    };
  },
};
