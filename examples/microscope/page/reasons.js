// Why a gradient is missing, zero, tiny or not a number: the fixed rules of `microscope why`, in its
// order, the first that holds answers. A test compares the two. No page here: what is returned is a
// rule, and the key and arguments of a text.

const CANCEL = 1e-12; // of the terms' sizes: what is left when they cancel
const SMALL = 1e-6; // of the gradients that arrive: what counts as small
const SATURATED = 1e-6; // of a derivative, or of the others' sum in a softmax row
const ROUNDING = 1e-15; // of the largest gradient of the same tensor
const MOST_TERMS_ASKED = 600;

/// {rule, text: [key, arguments...]} for number i of a tensor after all events; null where the page
/// cannot say (an op that it does not know, or too many terms).
function why(V, id, i, depth = 0) {
  const x = V.tensors[id],
    g = V.grad(id)?.[i] ?? NaN;
  const early = whyMasked(V, id, i, g) ?? whyMissing(V, id);
  if (early) return early;
  const readers = V.users[id].filter((op) => V.backwardStep[op] !== null);
  const size = readers.reduce(
    (sum, op) => sum + V.ops[op].out.reduce((n, y) => n + sizeOf(V.tensors[y].shape), 0),
    0,
  );
  if (size > MOST_TERMS_ASKED || !readers.every((op) => evaluates(V, op))) return null;
  const terms = termsOf(V, id, i, readers);
  return (
    whyIncomingZero(V, id, g, terms, depth) ??
    whyUnderflow(V, id, i, g) ??
    whySaturated(V, id, i, g, terms) ??
    whyCancel(V, id, g, terms) ??
    whyDeadWeight(V, g, terms) ??
    whyRounding(V, id, g) ??
    whyNotFinite(V, id, i, g) ?? {rule: 'ordinary', text: ['why_ordinary']}
  );
}

/// What goes into a gradient: derivative and incoming gradient of every number after the readers.
function termsOf(V, id, i, readers) {
  const terms = [];
  for (const op of readers)
    V.ops[op].in.forEach((input, slot) => {
      if (input !== id) return;
      V.ops[op].out.forEach((y, k) => {
        const dy = V.grad(y);
        for (let r = 0; dy && r < dy.length; r++)
          terms.push({
            op,
            slot,
            after: y,
            place: r,
            d: jacobianRow(V, op, k, slot, r)[i],
            incoming: dy[r],
          });
      });
    });
  for (const term of terms) term.v = term.d === 0 ? 0 : term.d * term.incoming;
  return terms;
}

function whyMasked(V, id, i, g) {
  const {producer} = V.tensors[id];
  let op = V.users[id].find((u) => V.attrs(u).mask);
  if (op === undefined && producer !== null && V.attrs(producer).mask) op = producer;
  if (op === undefined || V.attrs(op).mask[i] !== 0) return null;
  if (g !== 0 && !Number.isNaN(g) && V.ops[op].in[0] === id) return null;
  return {rule: 'masked', text: ['why_masked']};
}

function whyMissing(V, id) {
  const x = V.tensors[id];
  if (x.grad_state === 'cut') return {rule: 'cut', text: ['why_cut', x.cut ?? '?']};
  if (x.grad_state === 'done' && V.grad(id)) return null;
  if (x.grad_state === 'no_grad' && x.detached_from !== undefined)
    return {rule: 'not_reached', text: ['why_detached', tensorName(V, x.detached_from)]};
  return {
    rule: 'not_reached',
    text: x.grad_state === 'no_grad' ? ['why_no_grad'] : ['why_not_reached', tensorName(V, V.seed)],
  };
}

/// Everything that arrives is 0: followed to where something that is not 0 still arrives.
function whyIncomingZero(V, id, g, terms, depth) {
  if (g !== 0 || id === V.seed) return null;
  const first = terms.find((term) => term.d !== 0);
  if (!first || !terms.every((term) => term.d === 0 || term.incoming === 0)) return null;
  const above = depth < 64 ? why(V, first.after, first.place, depth + 1) : null;
  const source = above?.rule === 'incoming_zero' ? above.source : first;
  return {
    rule: 'incoming_zero',
    source,
    text: [
      'why_incoming_zero',
      tensorName(V, source.after) + indexText(source.place, V.tensors[source.after].shape),
    ],
  };
}

/// A score whose weight is exactly 0 though it is kept, or a value with such a weight.
function whyUnderflow(V, id, i, g) {
  if (g !== 0) return null;
  let weights = -1;
  const softmax = V.users[id].find((op) => V.ops[op].op === 'softmax');
  const context = V.users[id].find((op) => {
    const o = V.ops[op],
      from = o.in[0] === null ? null : V.tensors[o.in[0]].producer;
    return o.op === 'matmul' && o.in[1] === id && from !== null && V.ops[from].op === 'softmax';
  });
  if (softmax !== undefined) {
    weights = V.ops[softmax].out[0];
    if (V.value(weights)[i] !== 0) return null;
  } else if (context !== undefined) {
    weights = V.ops[context].in[0];
    const row = V.tensors[id].shape.at(-1),
      n = V.tensors[weights].shape.at(-1);
    for (let at = Math.floor(i / row) % n; at < V.value(weights).length; at += n)
      if (V.value(weights)[at] !== 0) return null;
  } else return null;
  return {rule: 'underflow', text: ['why_underflow', tensorName(V, weights)]};
}

function whySaturated(V, id, i, g, terms) {
  if (
    !(
      Math.abs(g) <=
      SMALL * terms.reduce((most, term) => Math.max(most, Math.abs(term.incoming)), 0)
    )
  )
    return null;
  for (const op of V.users[id]) {
    const factor = slopeOf(V, op, i);
    if (factor !== null && factor < SATURATED)
      return {rule: 'saturated', text: ['why_saturated', V.ops[op].op, factor]};
  }
  return null;
}

/// How much of a change an op that can saturate lets through at place i; null for other ops.
function slopeOf(V, op, i) {
  const o = V.ops[op],
    y = V.value(o.out[0]);
  if (o.op === 'tanh') return 1 - y[i] * y[i];
  if (o.op === 'sigmoid') return y[i] * (1 - y[i]);
  if (o.op === 'relu') return y[i] > 0 ? 1 : 0;
  if (o.op === 'additive_score') {
    const u = V.value(o.saved.find((x) => x.name === 'u')?.tensor ?? -1);
    return u ? u.reduce((most, v) => Math.max(most, 1 - v * v), 0) : null;
  }
  if (o.op !== 'softmax') return null;
  const n = V.tensors[o.out[0]].shape.at(-1),
    at = i - (i % n),
    row = y.subarray(at, at + n);
  const best = row.indexOf(Math.max(...row));
  return row.reduce((sum, v, j) => (j === best ? sum : sum + v), 0); // 1 - a without cancelling
}

function whyCancel(V, id, g, terms) {
  const size = terms.reduce((sum, term) => sum + Math.abs(term.v), 0),
    left = terms.reduce((sum, term) => sum + term.v, 0);
  const several = terms.filter((term) => term.v !== 0).length;
  if (several < 2 || !(Math.abs(left) <= CANCEL * size) || !(Math.abs(g) <= CANCEL * size))
    return null;
  const most = terms.reduce((top, term) => Math.max(top, Math.abs(term.v)), 0);
  return {
    rule: 'cancel',
    text: [shiftsSoftmax(V, id) ? 'why_shift' : 'why_cancel', most, several],
  };
}

/// Whether what is added to a tensor reaches a softmax by ops that are linear in it.
function shiftsSoftmax(V, id) {
  const linear = [
    'add',
    'sub',
    'reshape',
    'linear',
    'matmul',
    'matmul_nt',
    'matmul_tn',
    'scale',
    'slice',
    'select',
    'concat',
    'permute',
  ];
  for (let left = 16, at = id; left > 0 && at !== undefined; left--) {
    const readers = V.users[at].filter((op) => V.backwardStep[op] !== null);
    const stop = readers.find((op) => V.ops[op].op === 'softmax' || linear.includes(V.ops[op].op));
    if (stop === undefined) return false;
    if (V.ops[stop].op === 'softmax') return true;
    at = V.ops[stop].out[0];
  }
  return false;
}

/// Multiplied with weights that are all 0, as the head that W_O ignores.
function whyDeadWeight(V, g, terms) {
  if (g !== 0 || !terms.length || terms.some((term) => term.d !== 0)) return null;
  const product = terms.find(
    ({op, slot}) => /^(linear|matmul.*|mul)$/.test(V.ops[op].op) && slot < 2,
  );
  return product
    ? {
        rule: 'dead_weight',
        text: ['why_dead_weight', tensorName(V, V.ops[product.op].in[1 - product.slot])],
      }
    : null;
}

function whyRounding(V, id, g) {
  const top = maxAbs(V.grad(id));
  return g !== 0 && Math.abs(g) < ROUNDING * top
    ? {rule: 'rounding', text: ['why_rounding', top]}
    : null;
}

/// The first op, forward or else backward, that made a number that is none of numbers that are.
function whyNotFinite(V, id, i, g) {
  if (Number.isFinite(g) && !Number.isNaN(V.value(id)[i])) return null;
  const finite = (data) => !data || data.every(Number.isFinite);
  for (let op = 0; op < V.ops.length; op++) {
    const o = V.ops[op],
      purpose = o.op === 'masked_fill' || o.op === 'log_softmax';
    if (
      !purpose &&
      o.out.some((y) => !finite(V.value(y))) &&
      o.in.every((x) => x === null || finite(V.value(x)))
    )
      return {rule: 'nan_origin', text: ['why_nan_forward', op, opText(V, op)]};
  }
  for (const e of V.events)
    if (e.kind === 'bwd' && V.sent[e.op].some((c) => !finite(V.contribution(c))))
      return {rule: 'nan_origin', text: ['why_nan_backward', e.op, opText(V, e.op)]};
  return null;
}
