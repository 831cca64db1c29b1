// The graph as boxes: which ops, leaves and folded scopes are drawn, and where. From left to
// right in the order of the data; at most MOST_BOXES, those nearest to what is looked at. No page
// here: Node runs this file too.

const MOST_BOXES = 300,
  UNFOLDED_AT_FIRST = 36;
const BOX = {w: 124, h: 46, tall: 84, dx: 50, dy: 16};
const FEW_BOXES = 60; // up to here a box has room for a picture of its numbers
const MANY_BOXES = 160; // up to here long edges go around the boxes

/// Scopes as a tree: children, ops within (own and below).
function scopeTree(T) {
  if (T.tree) return T.tree;
  const nodes = T.scopes.map((x, id) => ({id, children: [], own: [], count: 0}));
  T.scopes.forEach((x, id) => id > 0 && nodes[x.parent].children.push(id));
  T.ops.forEach((o, i) => nodes[o.scope].own.push(i));
  for (let id = nodes.length - 1; id >= 0; id--) {
    nodes[id].count += nodes[id].own.length;
    if (id > 0) nodes[T.scopes[id].parent].count += nodes[id].count;
  }
  return (T.tree = nodes);
}

/// What is folded before anybody chose: scopes are opened from the root down while the boxes stay few.
function firstFold(T) {
  const tree = scopeTree(T),
    fold = new Set(tree.filter((n) => n.id > 0 && n.count).map((n) => n.id));
  let boxes = tree[0].own.length + tree[0].children.length;
  const queue = [...tree[0].children];
  while (queue.length) {
    const id = queue.shift(),
      more = tree[id].own.length + tree[id].children.length - 1;
    if (boxes + more > UNFOLDED_AT_FIRST) continue;
    boxes += more;
    fold.delete(id);
    queue.push(...tree[id].children);
  }
  return fold;
}

/// The box that stands for an op: itself, or its outermost folded scope.
function boxOf(T, fold, op) {
  let folded = -1;
  for (let at = T.ops[op].scope; at > 0; at = T.scopes[at].parent) if (fold.has(at)) folded = at;
  return folded < 0 ? `op${op}` : `scope${folded}`;
}

/// {boxes: Map key -> {key, kind, ops | tensor, scope, rank, x, y}, edges: [{from, to, tensors,
/// contribs, cut}], hidden, h (of a box), width, height}. `leaves`: parameters and constants too.
function graphOf(T, fold, center, leaves = true) {
  const boxes = new Map(),
    keyOf = new Array(T.ops.length);
  T.ops.forEach((o, op) => {
    const key = (keyOf[op] = boxOf(T, fold, op));
    const box = boxes.get(key);
    if (box) box.ops.push(op);
    else
      boxes.set(key, {
        key,
        kind: key.startsWith('op') ? 'op' : 'scope',
        scope: key.startsWith('op') ? o.scope : Number(key.slice(5)),
        ops: [op],
        first: op,
      });
  });
  const hidden = cull(boxes, keyOf, center);
  const edges = new Map();
  T.ops.forEach((o, op) => {
    const to = keyOf[op];
    if (!boxes.has(to)) return;
    o.in.forEach((id, slot) => {
      if (id === null) return;
      const {producer, detached_from: source} = T.tensors[id];
      const from =
        producer !== null
          ? keyOf[producer]
          : source !== undefined && T.tensors[source].producer !== null
            ? keyOf[T.tensors[source].producer]
            : leafBox(T, boxes, id, op, to, leaves);
      if (from === null || from === to || !boxes.has(from)) return;
      const key = `${from} ${to}`;
      const edge = edges.get(key) ?? {
        key,
        from,
        to,
        tensors: [],
        contribs: [],
        cut: null,
        live: false,
      };
      edges.set(key, edge);
      if (!edge.tensors.includes(id)) edge.tensors.push(id);
      if (producer === null && source !== undefined)
        edge.cut = T.tensors[source].ends ?? T.tensors[source].cut ?? 'detach';
      if (T.tensors[id].grad_state === 'cut') edge.cut = T.tensors[id].cut;
      if (T.tensors[id].grad_state !== 'no_grad') edge.live = true;
      for (const c of T.sent[op]) if (T.contribs[c].slot === slot) edge.contribs.push(c);
    });
  });
  const graph = {
    boxes,
    edges: [...edges.values()],
    hidden,
    h: boxes.size <= FEW_BOXES ? BOX.tall : BOX.h,
  };
  place(graph);
  return graph;
}

/// Leaves get a box of their own; parameters and constants only where `leaves` says so.
function leafBox(T, boxes, id, op, to, leaves) {
  const key = `leaf${id}`;
  if (boxes.has(key)) return key;
  const x = T.tensors[id],
    data = x.role === 'input' || (x.role === 'param' && T.users[id].length === 0);
  if (boxes.size >= MOST_BOXES || (!leaves && !data)) return null;
  if (boxes.get(to).kind === 'scope' && !data) return null;
  boxes.set(key, {key, kind: 'leaf', tensor: id, scope: x.scope, ops: [], first: op - 0.5});
  return key;
}

/// Leaves the boxes nearest (in forward order) to `center`; returns how many it took away.
function cull(boxes, keyOf, center) {
  const room = MOST_BOXES / 2;
  if (boxes.size <= room) return 0;
  const middle = boxes.get(keyOf[Math.max(0, center)])?.first ?? 0;
  const near = [...boxes.values()].sort(
    (a, b) => Math.abs(a.first - middle) - Math.abs(b.first - middle),
  );
  for (const box of near.slice(room)) boxes.delete(box.key);
  return near.length - room;
}

/// Ranks by longest path, order within a rank by the mean place of the neighbours.
function place(graph) {
  const all = [...graph.boxes.values()].sort((a, b) => a.first - b.first);
  for (const box of all) ((box.rank = 0), (box.ins = []), (box.outs = []));
  for (const e of graph.edges) {
    const from = graph.boxes.get(e.from),
      to = graph.boxes.get(e.to);
    e.back = from.first > to.first;
    if (!e.back) (from.outs.push(to), to.ins.push(from));
  }
  for (const box of all) for (const to of box.outs) to.rank = Math.max(to.rank, box.rank + 1);
  for (const box of all.slice().reverse())
    // leaves stand next to their first reader
    if (box.kind === 'leaf' && box.outs.length)
      box.rank = Math.min(...box.outs.map((b) => b.rank)) - 1;
  const lowest = Math.min(0, ...all.map((b) => b.rank));
  for (const box of all) box.rank -= lowest;
  const columns = [];
  for (const box of [...all, ...bends(graph)]) (columns[box.rank] ??= []).push(box);
  for (let r = 0; r < columns.length; r++) (columns[r] ??= []).forEach((box, i) => (box.slot = i));
  for (let sweep = 0; sweep < 6; sweep++) {
    for (const column of sweep % 2 ? columns.slice().reverse() : columns) {
      for (const box of column) {
        const near = sweep % 2 ? box.outs : box.ins;
        box.want = near.length
          ? near.reduce((sum, b) => sum + b.slot + (b.kind === 'leaf' ? 0.25 : 0), 0) / near.length
          : box.slot;
      }
      column.sort((a, b) => a.want - b.want).forEach((box, i) => (box.slot = i));
    }
  }
  settle(graph, columns);
}

/// A place in every column that a long edge passes, so that no box stands in its way; only while
/// the boxes are few.
function bends(graph) {
  const all = [];
  if (graph.boxes.size > MANY_BOXES) return all;
  for (const e of graph.edges) {
    const from = graph.boxes.get(e.from),
      to = graph.boxes.get(e.to);
    if (e.back || to.rank - from.rank < 2) continue;
    e.bends = Array.from({length: to.rank - from.rank - 1}, (_, i) => ({
      kind: 'bend',
      rank: from.rank + 1 + i,
      ins: [],
      outs: [],
    }));
    [from, ...e.bends].forEach((box, i) => {
      const next = e.bends[i] ?? to;
      box.outs.push(next);
      next.ins.push(box);
    });
    all.push(...e.bends);
  }
  return all;
}

/// Heights: each box as near to its neighbours as the boxes above leave room for.
function settle(graph, columns) {
  const tall = (box) => (box.kind === 'bend' ? 14 : graph.h) + BOX.dy;
  for (const column of columns) {
    let y = -column.reduce((sum, box) => sum + tall(box), 0) / 2;
    for (const box of column) ((box.y = y), (y += tall(box)));
  }
  for (let sweep = 0; sweep < 4; sweep++)
    for (const column of columns) {
      const want = column.map((box) => {
        const near = [...box.ins, ...box.outs];
        const middle = (b) => b.y + (b.kind === 'bend' ? 7 : graph.h / 2);
        return near.length
          ? near.reduce((sum, b) => sum + middle(b), 0) / near.length -
              (box.kind === 'bend' ? 7 : graph.h / 2)
          : box.y;
      });
      let floor = -Infinity;
      const placed = column.map((box, i) => {
        const y = Math.max(want[i], floor);
        floor = y + tall(box);
        return y;
      });
      const shift = column.length
        ? placed.reduce((sum, y, i) => sum + want[i] - y, 0) / column.length
        : 0;
      column.forEach((box, i) => (box.y = placed[i] + shift));
    }
  let top = Infinity,
    bottom = -Infinity;
  const placed = columns.flat();
  for (const box of placed) ((top = Math.min(top, box.y)), (bottom = Math.max(bottom, box.y)));
  for (const box of placed) {
    box.x = 12 + box.rank * (BOX.w + BOX.dx);
    box.y += 14 - top;
  }
  graph.width = 24 + columns.length * (BOX.w + BOX.dx) - BOX.dx;
  graph.height = bottom - top + graph.h + 28;
}
