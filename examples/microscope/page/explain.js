// "Formula with numbers": one element of an op's output, and of what it sends back, written out.
// All of it is recomputed from recorded numbers; the tests hold each line to its own arithmetic.

const MOST_TERMS = 6;

const paren = (v) => (v < 0 || Object.is(v, -0) ? `(${num(v)})` : num(v));

/// "1·0.5 + (−1)·2 + … (12 terms)" of the products of two lists.
function dotText(a, b) {
  const terms = Array.from(a, (v, i) => `${paren(v)}·${paren(b[i])}`);
  if (terms.length <= MOST_TERMS) return terms.join(' + ');
  return `${terms.slice(0, MOST_TERMS - 1).join(' + ')} + … (${t('terms', terms.length)})`;
}

/// Row i of matrix `x` [.., r, c] that element `at` of y [.., m, n] reads, or its column.
function lane(x, shape, matrix, index, byRow) {
  const [r, c] = shape.slice(-2),
    base = shape.length > 2 ? matrix * r * c : 0;
  return byRow
    ? x.slice(base + index * c, base + (index + 1) * c)
    : Float64Array.from({length: r}, (_, i) => x[base + i * c + index]);
}

const EXPLAIN = {
  matmul: (V, o, i) => productText(V, o, i, false, false),
  matmul_nt: (V, o, i) => productText(V, o, i, false, true),
  matmul_tn: (V, o, i) => productText(V, o, i, true, false),
  linear(V, o, i) {
    const n = V.tensors[o.in[1]].shape[1],
      rows = V.tensors[o.out[0]].shape.at(-1),
      b = o.in[2];
    const r = Math.floor(i / rows),
      j = i % rows;
    const text = dotText(
      V.value(o.in[0]).slice(r * n, (r + 1) * n),
      V.value(o.in[1]).slice(j * n, (j + 1) * n),
    );
    return b === null || b === undefined ? text : `${text} + ${paren(V.value(b)[j])}`;
  },
  softmax(V, o, i) {
    const n = V.tensors[o.out[0]].shape.at(-1),
      at = i - (i % n),
      x = V.value(o.in[0]),
      mask = V.attrs(o.id).mask;
    const cols = Array.from({length: n}, (_, j) => at + j).filter((j) => !mask || mask[j] !== 0);
    if (!cols.includes(i)) return t('masked_zero');
    const top = Math.max(...cols.map((j) => x[j])),
      terms = cols.map((j) => `exp(${num(x[j])} − ${paren(top)})`);
    const bottom =
      terms.length <= 4
        ? terms.join(' + ')
        : `${terms.slice(0, 3).join(' + ')} + … (${t('terms', terms.length)})`;
    return `exp(${num(x[i])} − ${paren(top)}) / (${bottom})`;
  },
  select(V, o, i) {
    return moved(V, o, i);
  },
  slice(V, o, i) {
    return moved(V, o, i);
  },
  reshape(V, o, i) {
    return moved(V, o, i);
  },
  permute(V, o, i) {
    return moved(V, o, i);
  },
  neg: (V, o, i) => `−${paren(V.value(o.in[0])[i])}`,
  square: (V, o, i) => `${paren(V.value(o.in[0])[i])}²`,
  sqrt: (V, o, i) => `√${paren(V.value(o.in[0])[i])}`,
  scale: (V, o, i) => `${paren(V.attrs(o.id).factor)}·${paren(V.value(o.in[0])[i])}`,
};
for (const f of ['exp', 'tanh', 'sigmoid', 'relu', 'gelu', 'abs'])
  EXPLAIN[f] = (V, o, i) => `${f}(${num(V.value(o.in[0])[i])})`;
EXPLAIN.log = (V, o, i) => `ln(${num(V.value(o.in[0])[i])})`;
for (const [f, sign] of [
  ['add', '+'],
  ['sub', '−'],
  ['mul', '·'],
  ['div', '/'],
])
  EXPLAIN[f] = (V, o, i) => {
    const shape = V.tensors[o.out[0]].shape;
    const [a, b] = o.in.map((id) => V.value(id)[stretch(V.tensors[id].shape, shape)[i]]);
    return `${paren(a)} ${sign} ${paren(b)}`;
  };

function productText(V, o, i, ta, tb) {
  const shape = V.tensors[o.out[0]].shape,
    [rows, cols] = shape.slice(-2);
  const matrix = Math.floor(i / (rows * cols)),
    r = Math.floor(i / cols) % rows,
    c = i % cols;
  const [a, b] = o.in.map((id) => [V.value(id), V.tensors[id].shape]);
  return dotText(lane(...a, matrix, r, !ta), lane(...b, matrix, c, tb));
}

function moved(V, o, i) {
  const j = OPS[o.op]
    .vjp([unit(sizeOf(V.tensors[o.out[0]].shape), i)], ...movedOperands(V, o))[0]
    .indexOf(1);
  return j < 0 ? '' : `${tensorName(V, o.in[0])}${indexText(j, V.tensors[o.in[0]].shape)}`;
}
function movedOperands(V, o) {
  const {x, a, c} = operands(V, o.id);
  return [x, null, a, c];
}
const unit = (n, i) => {
  const u = new Float64Array(n);
  u[i] = 1;
  return u;
};

/// "a[0,1] = exp(…)/(…) = 0.331499" for element i of output k, or null where there is no text for
/// this op.
function forwardText(V, op, k, i) {
  const o = V.ops[op],
    write = EXPLAIN[o.op];
  if (!write || k !== 0 || !evaluates(V, op) || i >= V.value(o.out[0]).length) return null;
  const text = write(V, o, i);
  return (
    text &&
    `${tensorName(V, o.out[0])}${indexText(i, V.tensors[o.out[0]].shape)} = ${text} = ${num(V.value(o.out[0])[i])}`
  );
}

/// What op sends to element j of input `slot`: Σ over its outputs of incoming gradient times local
/// derivative, with numbers. Null where the outputs are too many to differentiate one by one.
function backwardText(V, op, slot, j) {
  const o = V.ops[op],
    id = o.in[slot],
    name = tensorName(V, id) + indexText(j, V.tensors[id].shape);
  if (o.bwd === null || !evaluates(V, op)) return null;
  if (o.op === 'softmax') return softmaxBackText(V, o, j, name);
  const size = sizeOf(V.tensors[o.out[0]].shape);
  if (o.out.length > 1 || size > 400) return null;
  const dy = incoming(V, op)[0],
    terms = [];
  let sum = 0;
  for (let i = 0; i < size; i++) {
    const d = jacobianRow(V, op, 0, slot, i)[j];
    if (d === 0) continue;
    sum += dy[i] * d;
    terms.push(`${paren(dy[i])}·${paren(d)}`);
  }
  const shownTerms =
    terms.length > MOST_TERMS
      ? [...terms.slice(0, MOST_TERMS - 1), `… (${t('terms', terms.length)})`]
      : terms;
  return {
    rule: `dL/d${name} ← Σ dL/d${tensorName(V, o.out[0])} · ∂${tensorName(V, o.out[0])}/∂${name}`,
    text: terms.length ? `${shownTerms.join(' + ')} = ${signed(sum, app.digits)}` : '0',
  };
}

function softmaxBackText(V, o, j, name) {
  const y = V.value(o.out[0]),
    dy = V.grad(o.out[0]),
    n = V.tensors[o.out[0]].shape.at(-1),
    at = j - (j % n);
  let mean = 0;
  for (let k = at; k < at + n; k++) if (y[k] !== 0) mean += y[k] * dy[k];
  const a = tensorName(V, o.out[0]);
  return {
    rule: `dL/d${name} ← ${a}ⱼ (dL/d${a}ⱼ − Σₖ ${a}ₖ dL/d${a}ₖ)`,
    text:
      y[j] === 0
        ? `0 (${t('weight_zero')})`
        : `${num(y[j])}·(${num(dy[j])} − ${paren(mean)}) = ${signed(y[j] * (dy[j] - mean), app.digits)}`,
  };
}
