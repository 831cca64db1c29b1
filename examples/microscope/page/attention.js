// Which tensors are attention, and what can be said of a weight beyond its size: dL/dα, dL/de,
// α·dL/dα, and what erasing it (the others renormalised) does to the loss. No page here: Node runs
// this file too.

/// The maps of a trace: [{title, kind, layer, head, group, rows, cols, at(r, c) -> {tensor, index} |
/// null}], heads apart. From views.alignment, else from the tensors that are called a or α, or come
/// from a softmax over positions that feeds a product.
function alignments(T) {
  if (T.maps) return T.maps;
  const listed = T.json.views?.alignment ?? [];
  T.scores = new Map(listed.map((view) => [view.tensor, view.scores ?? -1]));
  const found = T.tensors.map((x, id) => id).filter((id) => looksLikeWeights(T, id));
  const views = listed.length ? listed : found.map((tensor) => ({tensor}));
  return (T.maps = joined(T, views));
}

function looksLikeWeights(T, id) {
  const x = T.tensors[id];
  if (x.producer === null || x.shape.length < 1) return false;
  if (x.name) return /(^|\.)(a|alpha|weights)$/.test(x.name);
  return (
    T.ops[x.producer].op === 'softmax' &&
    T.users[id].some((op) => T.ops[op].op === 'matmul' && T.ops[op].in[0] === id)
  );
}

/// One head of a tensor of weights [.., T, S]; of a batch the first sentence.
function oneMap(T, view, head) {
  const {shape} = T.tensors[view.tensor],
    cols = shape.at(-1),
    rows = shape.length > 1 ? shape.at(-2) : 1;
  const names = (list, count) => Array.from({length: count}, (_, i) => list?.[i] ?? String(i));
  const base = (head ?? 0) * rows * cols;
  return {
    title: tensorName(T, view.tensor),
    kind: view.kind ?? null,
    layer: view.layer ?? null,
    head,
    group: [view.kind, view.layer, tensorName(T, view.tensor)].join('|'),
    rows: names(view.rows, rows),
    cols: names(view.cols, cols),
    at: (r, c) => (c < cols && r < rows ? {tensor: view.tensor, index: base + r * cols + c} : null),
  };
}

/// Maps of one row each (the steps of a decoder) become one map.
function joined(T, views) {
  const maps = [],
    steps = new Map();
  for (const view of views) {
    const heads = T.tensors[view.tensor].shape.length === 4 ? T.tensors[view.tensor].shape[1] : 1;
    for (let head = 0; head < heads; head++) {
      const map = oneMap(T, view, heads > 1 ? head : null),
        key = `${map.group}|${map.head}`,
        whole = steps.get(key);
      if (view.t === undefined || map.rows.length !== 1) maps.push(map);
      else if (whole) {
        whole.rows.push(map.rows[0]);
        whole.parts.push(map);
      } else {
        const first = {...map, rows: [...map.rows], parts: [map]};
        first.at = (r, c) => first.parts[r]?.at(0, c) ?? null;
        steps.set(key, first);
        maps.push(first);
      }
    }
  }
  return maps;
}

/// The maps between target and source, where there are any; else all.
function crossMaps(T) {
  const cross = alignments(T).filter((map) => map.kind === 'cross');
  return cross.length ? cross : alignments(T);
}

/// Every tensor of weights of these maps.
const weightsOf = (maps) =>
  new Set(maps.flatMap((map) => map.rows.map((_, r) => map.at(r, 0)?.tensor ?? -1)));

/// The scores that weights were made from: what their softmax read, or (softmax in small ops) the
/// nearest tensor before of the same size that is called e or starts the chain. -1 if unknown.
function scoresOf(T, id) {
  alignments(T);
  if (T.scores.has(id)) return T.scores.get(id);
  const op = T.tensors[id].producer;
  if (op === null) return -1;
  if (T.ops[op].op === 'softmax') return T.ops[op].in[0];
  const size = sizeOf(T.tensors[id].shape);
  let at = id;
  for (let hops = 0; hops < 8; hops++) {
    const {producer} = T.tensors[at];
    if (
      producer === null ||
      !['div', 'exp', 'sub', 'masked_fill', 'mul', 'softmax', 'scale'].includes(T.ops[producer].op)
    )
      return at === id ? -1 : at;
    const next = T.ops[producer].in[0];
    if (next === null || sizeOf(T.tensors[next].shape) !== size) return at;
    at = next;
    if (/(^|\.)(e|scores)$/.test(T.tensors[at].name)) return at;
  }
  return at;
}

/// What is differentiated, as one number.
function lossOf(V) {
  const y = V.value(V.seed),
    seed = V.seedValue();
  return y.reduce((sum, v, i) => sum + v * seed[i], 0);
}

/// The change of the loss when weight `index` of a row is set to 0 and the others of the row are
/// scaled to the row's sum. NaN where nothing else is left.
function eraseEffect(V, id, index) {
  const a = V.value(id),
    n = V.tensors[id].shape.at(-1),
    at = index - (index % n),
    row = a.subarray(at, at + n);
  if (a[index] === 0) return 0;
  const rest = row.reduce((sum, v, j) => sum + (at + j === index ? 0 : v), 0);
  if (!(rest > 0)) return NaN;
  const erased = Float64Array.from(a);
  for (let j = at; j < at + n; j++) erased[j] = j === index ? 0 : a[j] * (total(row) / rest);
  const R = replay(
    V,
    {values: {[id]: erased}},
    {backward: false, from: V.tensors[id].producer + 1},
  );
  return lossOf(R) - lossOf(V);
}

/// Whether everything after a tensor can be run again by the page.
const canReplayFrom = (V, id) =>
  V.ops.every((o, op) => op <= (V.tensors[id].producer ?? -1) || evaluates(V, op));

// ---- where the gradient of the loss of one target word goes ----

/// The tensors of logits that make the loss, with the number of target words in each.
function lossRows(T) {
  const rows = [];
  T.ops.forEach((o, op) => {
    if (o.op !== 'cross_entropy' || o.bwd === null) return;
    const ignore = T.attrs(op).ignore,
      targets = T.value(o.saved.find((x) => x.name === 'targets')?.tensor ?? -1);
    targets?.forEach(
      (y, r) =>
        y !== ignore &&
        rows.push({op, tensor: o.in[0], row: r, target: y, width: T.tensors[o.in[0]].shape.at(-1)}),
    );
  });
  return rows;
}

/// The contributions that leave attention backwards: of every op that reads weights.
function attentionEdges(T) {
  const ops = new Set([...weightsOf(crossMaps(T))].flatMap((id) => T.users[id] ?? []));
  return [...ops].flatMap((op) => T.sent[op]);
}

/// dL_t/dh: the backward pass of one target word's share of the loss alone.
function backwardOfRow(V, row, blocked = []) {
  const seed = new Float64Array(sizeOf(V.tensors[row.tensor].shape));
  const sent = V.contribution(V.sent[row.op].find((c) => V.contribs[c].tensor === row.tensor));
  const from = row.row * row.width;
  seed.set(sent.subarray(from, from + row.width), from);
  return replay(V, {blocked}, {from: V.ops.length, seed: {tensor: row.tensor, value: seed}});
}

/// Norms of the rows of the last axis.
function rowNorms(data, shape) {
  const [rows, cols] = asMatrix(shape);
  return Float64Array.from({length: rows}, (_, r) => norm(data.subarray(r * cols, (r + 1) * cols)));
}

/// What a contribution to keys or values is a part of: the value (what is averaged), the score
/// (who is attended to), the recurrence, the start of the decoder, or something else.
function routeOf(T, c) {
  const {op, slot} = T.contribs[c],
    o = T.ops[op],
    weights = weightsOf(alignments(T));
  if (/^matmul/.test(o.op) && slot === 1 && weights.has(o.in[0])) return 'value';
  if (/_sequence$/.test(o.op)) return 'recurrence';
  const scores = new Set([...weights].map((id) => (id < 0 ? -1 : scoresOf(T, id))));
  let front = o.out.slice();
  for (let hops = 0; hops < 12 && front.length; hops++) {
    if (front.some((id) => scores.has(id))) return 'score';
    if (front.some((id) => /(^|\.)(s0|h0|c0)$/.test(T.tensors[id].name))) return 'start';
    front = [
      ...new Set(
        front
          .flatMap((id) => T.users[id])
          .flatMap((u) => (/_sequence$/.test(T.ops[u].op) ? [] : T.ops[u].out)),
      ),
    ].slice(0, 50);
  }
  return 'other';
}
