// The evaluator's recurrences over a whole sequence, as their formulas say. See ops.js for the
// contract. x [B, T, n H] is the input's share of the gates; backward walks the states that it
// computes again.

/// One recurrence: `cell(x, g, h, c)` computes a step of one sentence from the input's and the
/// recurrent share of the gates; `back(step, dh, dc)` returns {da, dg, dh, dc}: the gradients of
/// x's gates, of the recurrent gates, and of the states before, but for the product with w_hh.
function recurrence(gates, cells, cell, back) {
  const weight = cells ? 3 : 2;
  function walk(x, a) {
    const [batch, steps] = x[0].shape,
      h = x[1].shape[1],
      n = gates * h,
      w = x[weight],
      bias = x[weight + 1];
    const row = (t, b) => t.data.slice(b * h, (b + 1) * h);
    const all = [];
    for (let b = 0; b < batch; b++) {
      let state = row(x[1], b),
        memory = cells ? row(x[2], b) : null;
      const length = a.lengths?.length ? a.lengths[b] : steps;
      const times = Array.from({length}, (_, t) => (a.reverse ? length - 1 - t : t));
      const path = times.map((t) => {
        const g = new Float64Array(n).map((_, i) => {
          let sum = bias ? bias.data[i] : 0;
          for (let j = 0; j < h; j++) sum += w.data[i * h + j] * state[j];
          return sum;
        });
        const at = (b * steps + t) * n,
          step = cell(x[0].data.subarray(at, at + n), g, state, memory, h);
        Object.assign(step, {t, before: state, memory});
        [state, memory] = [step.h, step.c];
        return step;
      });
      all.push({path, state, memory});
    }
    return {all, batch, steps, h, n, w};
  }
  return {
    forward(x, a, c) {
      const {all, steps, h} = walk(x, a),
        y = c.out.map((shape) => new Float64Array(sizeOf(shape)));
      all.forEach(({path, state, memory}, b) => {
        for (const s of path) y[0].set(s.h, (b * steps + s.t) * h);
        y[1].set(state, b * h);
        if (cells) y[2].set(memory, b * h);
      });
      return y;
    },
    vjp(dy, x, y, a) {
      const {all, steps, h, n, w} = walk(x, a),
        d = x.map((t) => (t ? new Float64Array(t.data.length) : null));
      all.forEach(({path}, b) => {
        let dh = dy[1].slice(b * h, (b + 1) * h),
          dc = cells ? dy[2].slice(b * h, (b + 1) * h) : null;
        for (const s of path.slice().reverse()) {
          for (let j = 0; j < h; j++) dh[j] += dy[0][(b * steps + s.t) * h + j];
          const g = back(s, dh, dc, h);
          for (let i = 0; i < n; i++) {
            d[0][(b * steps + s.t) * n + i] += g.da[i];
            for (let j = 0; j < h; j++) {
              g.dh[j] += w.data[i * h + j] * g.dg[i];
              d[weight][i * h + j] += g.dg[i] * s.before[j];
            }
            if (d[weight + 1]) d[weight + 1][i] += g.dg[i];
          }
          [dh, dc] = [g.dh, g.dc];
        }
        d[1].set(dh, b * h);
        if (cells) d[2].set(dc, b * h);
      });
      return d;
    },
  };
}

OPS.rnn_sequence = recurrence(
  1,
  false,
  (x, g) => ({h: x.map((v, i) => Math.tanh(v + g[i]))}),
  (s, dh, dc, h) => {
    const da = dh.map((v, j) => v * (1 - s.h[j] * s.h[j]));
    return {da, dg: da, dh: new Float64Array(h), dc};
  },
);

OPS.gru_sequence = recurrence(
  3,
  false,
  (x, g, before, memory, h) => {
    const r = g.slice(0, h).map((v, j) => sigmoid(x[j] + v)),
      z = g.slice(h, 2 * h).map((v, j) => sigmoid(x[h + j] + v));
    const own = g.slice(2 * h),
      n = own.map((v, j) => Math.tanh(x[2 * h + j] + r[j] * v));
    return {r, z, n, own, h: n.map((v, j) => (1 - z[j]) * v + z[j] * before[j])};
  },
  ({r, z, n, own, before}, dh, dc, h) => {
    const da = new Float64Array(3 * h),
      dg = new Float64Array(3 * h);
    for (let j = 0; j < h; j++) {
      const dn = dh[j] * (1 - z[j]) * (1 - n[j] * n[j]);
      da[j] = dg[j] = dn * own[j] * r[j] * (1 - r[j]);
      da[h + j] = dg[h + j] = dh[j] * (before[j] - n[j]) * z[j] * (1 - z[j]);
      da[2 * h + j] = dn;
      dg[2 * h + j] = dn * r[j];
    }
    return {da, dg, dh: dh.map((v, j) => v * z[j]), dc};
  },
);

OPS.lstm_sequence = recurrence(
  4,
  true,
  (x, own, before, memory, h) => {
    const gate = (k, f) => own.slice(k * h, (k + 1) * h).map((v, j) => f(x[k * h + j] + v));
    const i = gate(0, sigmoid),
      f = gate(1, sigmoid),
      g = gate(2, Math.tanh),
      o = gate(3, sigmoid);
    const c = memory.map((v, j) => f[j] * v + i[j] * g[j]),
      tc = c.map(Math.tanh);
    return {i, f, g, o, c, tc, h: o.map((v, j) => v * tc[j])};
  },
  ({i, f, g, o, tc, memory}, dh, dc, h) => {
    const da = new Float64Array(4 * h),
      before = new Float64Array(h);
    for (let j = 0; j < h; j++) {
      const d = dc[j] + dh[j] * o[j] * (1 - tc[j] * tc[j]);
      da[j] = d * g[j] * i[j] * (1 - i[j]);
      da[h + j] = d * memory[j] * f[j] * (1 - f[j]);
      da[2 * h + j] = d * i[j] * (1 - g[j] * g[j]);
      da[3 * h + j] = dh[j] * tc[j] * o[j] * (1 - o[j]);
      before[j] = d * f[j];
    }
    return {da, dg: da, dh: new Float64Array(h), dc: before};
  },
);
