// Running a trace again with the page's evaluator: one op to compare it with the file, or all of
// it with numbers changed. Masks, drawn samples and chosen indices stay as recorded. No page here:
// Node runs this file too.

const EVALUATED = '(recomputed)';

/// The inputs of an op for the evaluator, from the numbers of `V` (a trace or a replay).
function operands(V, op) {
  const o = V.ops[op];
  const tensor = (id) => (id === null ? null : {shape: V.tensors[id].shape, data: V.value(id)});
  const saved = {};
  for (const s of o.saved) saved[s.name] = tensor(s.tensor);
  return {
    x: o.in.map(tensor),
    a: V.attrs(op),
    c: {out: o.out.map((id) => V.tensors[id].shape), saved},
  };
}

/// Whether the evaluator can run an op of this trace: it knows it, its attributes and its numbers.
function evaluates(V, op) {
  const o = V.ops[op];
  if (!OPS[o.op]) return false;
  const needs = {
    scale: 'factor',
    select: 'axis',
    slice: 'axis',
    concat: 'axis',
    split: 'axis',
    permute: 'order',
    sum: 'axes',
    mean: 'axes',
    max: 'axes',
    clamp: 'low',
    masked_fill: 'value',
    layer_norm: 'eps',
    cross_entropy: 'reduction',
  };
  if (needs[o.op] && V.attrs(op)[needs[o.op]] === undefined) return false;
  if ((o.op === 'softmax' || o.op === 'log_softmax') && !o.attrs) return false; // its mask is unknown
  return [...o.in, ...o.out, ...o.saved.map((s) => s.tensor)].every(
    (id) => id === null || V.value(id) !== null,
  );
}

const forwardOf = (V, op) => {
  const {x, a, c} = operands(V, op);
  return OPS[V.ops[op].op].forward(x, a, c);
};

/// Gradients of the inputs of `op` for cotangents `dy` (one array per output).
function vjpOf(V, op, dy) {
  const {x, a, c} = operands(V, op);
  const y = V.ops[op].out.map((id) => ({shape: V.tensors[id].shape, data: V.value(id)}));
  return OPS[V.ops[op].op].vjp(dy, x, y, a, c);
}

/// What arrived at the outputs of an op, zeros where nothing did.
const incoming = (V, op) =>
  V.ops[op].out.map((id) => V.grad(id) ?? new Float64Array(sizeOf(V.tensors[id].shape)));

/// Every op by itself, from the recorded inputs and incoming gradients, against the recorded
/// outputs and contributions. Call next() until done; yields after each op.
function* parity(T) {
  const narrow = T.json.meta.dtype === 'f32',
    bounds = narrow ? [1e-4, 1e-5] : [1e-12, 1e-15];
  const found = {ops: 0, most: 0, bad: [], lacking: new Set()};
  for (let op = 0; op < T.ops.length; op++) {
    if (!evaluates(T, op)) {
      found.lacking.add(T.ops[op].op);
    } else {
      const compare = (got, want, what, size) => {
        const d = distance(got, want, ...bounds, size);
        found.most = Math.max(found.most, d.most);
        if (!d.within) found.bad.push(`op ${op} (${T.ops[op].op}) ${what}: ${d.most}`);
      };
      found.ops++;
      forwardOf(T, op).forEach((y, k) => compare(y, T.value(T.ops[op].out[k]), `output ${k}`));
      if (T.ops[op].bwd !== null) {
        const dy = incoming(T, op),
          dx = vjpOf(T, op, dy);
        const y = T.ops[op].op === 'softmax' ? T.value(T.ops[op].out[0]) : []; // a (da - sum a da)
        const size = maxAbs(y.map((a, i) => a * dy[0][i]));
        for (const i of T.sent[op])
          compare(dx[T.contribs[i].slot], T.contribution(i), `to input ${T.contribs[i].slot}`, size);
      }
    }
    yield found;
  }
}

/// The trace with some numbers changed: edits.values {tensor: array}, edits.attrs {op: {name:
/// value}}, edits.blocked [contributions that are not passed on]. The result reads like a trace.
/// `from` skips the ops before it (nothing they read was changed). Throws where an op cannot be run.
function replay(T, edits, {backward = true, from = 0, seed} = {}) {
  const values = new Map(Object.entries(edits.values ?? {}).map(([id, v]) => [Number(id), v]));
  const grads = new Map(),
    sent = new Map();
  const R = Object.create(T);
  R.edited = edits;
  R.value = (id) => {
    if (values.has(id)) return values.get(id);
    const source = T.tensors[id].detached_from; // a detached value follows what it was taken from
    return source === undefined ? T.value(id) : R.value(source);
  };
  R.attrs = (op) => ({...T.attrs(op), ...edits.attrs?.[op]});
  const forced = new Set(values.keys());
  for (let op = from; op < T.ops.length; op++) {
    if (!evaluates(R, op)) throw new Error(`needs microscope rerun: ${T.ops[op].op}`);
    forwardOf(R, op).forEach(
      (y, k) => forced.has(T.ops[op].out[k]) || values.set(T.ops[op].out[k], y),
    );
  }
  R.grad = (id) => grads.get(id) ?? null;
  R.contribution = (i) => sent.get(i) ?? null;
  if (seed) ((R.seed = seed.tensor), (R.seedValue = () => seed.value));
  if (!backward) return R;
  const blocked = new Set(edits.blocked ?? []);
  const arrive = (id, g) => {
    const sum = grads.get(id);
    grads.set(id, sum ? sum.map((v, j) => v + g[j]) : Float64Array.from(g));
  };
  arrive(R.seed, R.seedValue());
  for (let op = T.ops.length - 1; op >= 0; op--) {
    if (!T.ops[op].out.some((id) => grads.has(id))) continue;
    const dx = vjpOf(R, op, incoming(R, op));
    for (const i of T.sent[op]) {
      const c = T.contribs[i];
      sent.set(i, blocked.has(i) ? new Float64Array(dx[c.slot].length) : dx[c.slot]);
      if (!blocked.has(i)) arrive(c.tensor, dx[c.slot]);
    }
  }
  return R;
}

/// Row `i` of the Jacobian of output `k` of an op by its input `slot`: the op's own backward on a
/// unit cotangent.
function jacobianRow(V, op, k, slot, i) {
  const dy = V.ops[op].out.map((id) => new Float64Array(sizeOf(V.tensors[id].shape)));
  dy[k][i] = 1;
  return vjpOf(V, op, dy)[slot];
}
