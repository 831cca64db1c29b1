// The evaluator's ops that multiply matrices, and the loss. See ops.js for the contract.

/// Matrices of a tensor [..., r, c] as rows and columns with steps; `t` swaps them, `shared` uses
/// one matrix for the whole batch.
function matrices(data, shape, t, shared) {
  const [r, c] = shape.slice(-2);
  return t
    ? {data, step: shared ? 0 : r * c, rows: c, cols: r, row: 1, col: c}
    : {data, step: shared ? 0 : r * c, rows: r, cols: c, row: c, col: 1};
}
const turned = (m) => ({...m, rows: m.cols, cols: m.rows, row: m.col, col: m.row});

/// out += a b for each of `count` matrices.
function multiply(out, a, b, count) {
  for (let p = 0; p < count; p++)
    for (let i = 0; i < a.rows; i++)
      for (let l = 0; l < a.cols; l++) {
        const v = a.data[p * a.step + i * a.row + l * a.col];
        const from = p * b.step + l * b.row,
          to = p * out.step + i * out.row;
        for (let j = 0; j < b.cols; j++) out.data[to + j * out.col] += v * b.data[from + j * b.col];
      }
}

function product(ta, tb) {
  // y = a b, with a or b transposed
  const setup = ([a, b], shape) => {
    const shared = b.shape.length === 2;
    const view = (x, t, data) => matrices(data, x.shape, t, x === b && shared);
    return {
      view,
      a: view(a, ta, a.data),
      b: view(b, tb, b.data),
      count: sizeOf(shape.slice(0, -2)),
    };
  };
  return {
    forward(x, at, c) {
      const {a, b, count} = setup(x, c.out[0]),
        y = new Float64Array(sizeOf(c.out[0]));
      multiply(matrices(y, c.out[0], false, false), a, b, count);
      return [y];
    },
    vjp([dy], x, y, at, c) {
      // da += dy b^T, db += a^T dy
      const {view, a, b, count} = setup(x, c.out[0]),
        g = matrices(dy, c.out[0], false, false);
      const da = new Float64Array(x[0].data.length),
        db = new Float64Array(x[1].data.length);
      multiply(view(x[0], ta, da), g, turned(b), count);
      multiply(view(x[1], tb, db), turned(a), g, count);
      return [da, db];
    },
  };
}
OPS.matmul = product(false, false);
OPS.matmul_nt = product(false, true);
OPS.matmul_tn = product(true, false);

OPS.linear = {
  // y = x weight^T + bias, all rows as one matrix
  flat: (x) => ({
    shape: [x.data.length / x.shape[x.shape.length - 1], x.shape[x.shape.length - 1]],
    data: x.data,
  }),
  forward([x, w, b], a, c) {
    const rowsOf = this.flat(x),
      [y] = OPS.matmul_nt.forward([rowsOf, w], a, {out: [[rowsOf.shape[0], w.shape[0]]]});
    return [b ? y.map((v, i) => v + b.data[i % b.data.length]) : y];
  },
  vjp([dy], [x, w, b], y, a) {
    const rowsOf = this.flat(x),
      c = {out: [[rowsOf.shape[0], w.shape[0]]]};
    const [dx, dw] = OPS.matmul_nt.vjp([dy], [rowsOf, w], null, a, c);
    return [dx, dw, b ? scatter(stretch(b.shape, c.out[0]), dy, b.data.length) : null];
  },
};

OPS.additive_score = {
  each([q, k, v], f) {
    // f(place in e, row of q, row of k)
    const [batch, source, width] = k.shape,
      target = q.shape.length === 2 ? 1 : q.shape[1];
    for (let b = 0; b < batch; b++)
      for (let t = 0; t < target; t++)
        for (let s = 0; s < source; s++)
          f(
            (b * target + t) * source + s,
            (b * target + t) * width,
            (b * source + s) * width,
            width,
          );
  },
  forward(x, a, c) {
    const [q, k, v] = x,
      e = new Float64Array(sizeOf(c.out[0]));
    this.each(x, (at, i, l, n) => {
      for (let j = 0; j < n; j++) e[at] += v.data[j] * Math.tanh(q.data[i + j] + k.data[l + j]);
    });
    return [e];
  },
  vjp([de], x) {
    const [q, k, v] = x,
      [dq, dk, dv] = x.map((t) => new Float64Array(t.data.length));
    this.each(x, (at, i, l, n) => {
      for (let j = 0; j < n; j++) {
        const u = Math.tanh(q.data[i + j] + k.data[l + j]),
          r = de[at] * v.data[j] * (1 - u * u);
        ((dq[i + j] += r), (dk[l + j] += r), (dv[j] += de[at] * u));
      }
    });
    return [dq, dk, dv];
  },
};

OPS.cross_entropy = {
  each(z, a, c, f) {
    // f(row, positions, target, log of the normaliser) for every counted target
    rows(z, {}, (at, cols, r) => {
      const y = c.saved.targets.data[r],
        top = largest(z, cols);
      if (y !== a.ignore) f(r, cols, at + y, top + logSum(z, cols, top), cols.length);
    });
  },
  forward([z], a, c) {
    const losses = new Float64Array(c.saved.targets.data.length),
      eps = a.label_smoothing;
    this.each(z, a, c, (r, cols, y, base, n) => {
      losses[r] =
        base - (1 - eps) * z.data[y] - eps * (cols.reduce((s, j) => s + z.data[j], 0) / n);
    });
    if (a.reduction === 'per_token') return [losses];
    return [Float64Array.of(total(losses) / (a.reduction === 'mean' ? Math.max(1, a.count) : 1))];
  },
  vjp([dy], [z], y, a, c) {
    const dz = new Float64Array(z.data.length),
      eps = a.label_smoothing;
    this.each(z, a, c, (r, cols, target, base, n) => {
      const g = dy[a.reduction === 'per_token' ? r : 0] / (a.reduction === 'mean' ? a.count : 1);
      for (const j of cols) dz[j] = (Math.exp(z.data[j] - base) - eps / n) * g;
      dz[target] -= (1 - eps) * g;
    });
    return [dz];
  },
};
