// The page's own evaluator: every op forward and backward in doubles, written apart from the
// library so that the two check each other. An op that is not in OPS is not guessed at: whoever
// needs it says "needs microscope rerun". No page here: Node runs this file too.
//
//   forward(x, a, c) -> outputs        x: inputs {shape, data} or null; a: attributes
//   vjp(dy, x, y, a, c) -> gradients   dy: per output; one array per input, null where there is none
//   c: {out: shapes of the outputs, saved: the tensors the op kept, by name}

const OPS = {};

// ---- where an element comes from ----

const stridesOf = (shape) => shape.map((_, a) => sizeOf(shape.slice(a + 1)));

/// Flat positions of a tensor read with other strides.
function strided(shape, strides, offset = 0) {
  let at = Int32Array.of(offset);
  shape.forEach((n, a) => {
    const next = new Int32Array(at.length * n);
    for (let i = 0, k = 0; i < at.length; i++)
      for (let j = 0; j < n; j++) next[k++] = at[i] + j * strides[a];
    at = next;
  });
  return at;
}

/// For every element of `to` the element of `from` that it is a copy of (size 1 stretches).
function stretch(from, to) {
  const own = stridesOf(from),
    lead = to.length - from.length;
  return strided(
    to,
    to.map((_, a) => (a < lead || from[a - lead] === 1 ? 0 : own[a - lead])),
  );
}

/// One copy or view of elements: y[i] = x[map[i]], dx[map[i]] += dy[i].
function mover(map) {
  return {
    forward: ([x], a, c) => [Float64Array.from(map(x.shape, c.out[0], a), (j) => x.data[j])],
    vjp: ([dy], [x], y, a, c) => [scatter(map(x.shape, c.out[0], a), dy, x.data.length)],
  };
}

function scatter(map, dy, size) {
  const dx = new Float64Array(size);
  for (let i = 0; i < map.length; i++) dx[map[i]] += dy[i];
  return dx;
}

OPS.reshape = mover((from, to) => strided([sizeOf(to)], [1]));
OPS.permute = mover((from, to, a) =>
  strided(
    to,
    a.order.map((axis) => stridesOf(from)[axis]),
  ),
);
OPS.slice = mover((from, to, a) => strided(to, stridesOf(from), a.begin * stridesOf(from)[a.axis]));
OPS.select = mover((from, to, a) =>
  strided(
    to,
    stridesOf(from).filter((_, i) => i !== a.axis),
    a.index * stridesOf(from)[a.axis],
  ),
);

OPS.concat = {
  places(x, a, out) {
    // for every part its positions in the whole
    let begin = 0;
    return x.map((part) => {
      const at = strided(part.shape, stridesOf(out), begin * stridesOf(out)[a.axis]);
      begin += part.shape[a.axis];
      return at;
    });
  },
  forward(x, a, c) {
    const y = new Float64Array(sizeOf(c.out[0]));
    this.places(x, a, c.out[0]).forEach((at, p) => at.forEach((to, i) => (y[to] = x[p].data[i])));
    return [y];
  },
  vjp([dy], x, y, a, c) {
    return this.places(x, a, c.out[0]).map((at) => Float64Array.from(at, (from) => dy[from]));
  },
};

OPS.split = {
  places(x, a, c) {
    const own = stridesOf(x.shape);
    return c.out.map((part, p) => strided(part, own, p * part[a.axis] * own[a.axis]));
  },
  forward([x], a, c) {
    return this.places(x, a, c).map((at) => Float64Array.from(at, (from) => x.data[from]));
  },
  vjp(dy, [x], y, a, c) {
    const dx = new Float64Array(x.data.length);
    this.places(x, a, c).forEach((at, p) => at.forEach((to, i) => (dx[to] += dy[p][i])));
    return [dx];
  },
};

OPS.embedding = {
  rows: (w, ids) => Array.from(ids.data, (id) => id * w.shape[1]),
  forward([w], a, c) {
    return [
      Float64Array.from(
        this.rows(w, c.saved.ids).flatMap((at) => Array.from(w.data.subarray(at, at + w.shape[1]))),
      ),
    ];
  },
  vjp([dy], [w], y, a, c) {
    const dw = new Float64Array(w.data.length),
      e = w.shape[1];
    this.rows(w, c.saved.ids).forEach((at, i) => {
      for (let j = 0; j < e; j++) dw[at + j] += dy[i * e + j];
    });
    return [dw];
  },
};

// ---- elementwise ----

/// y = f(x), dx = d(x, y) dy; `m` is the third thing some ops look at, element by element.
function unary(f, d) {
  return {
    forward: ([x], a, c) => [x.data.map((v, i) => f(v, a, i, c))],
    vjp: ([dy], [x], [y], a, c) => [x.data.map((v, i) => d(v, y.data[i], dy[i], a, i, c))],
  };
}

function erfc(x) {
  // power series near 0, else a continued fraction (Abramowitz & Stegun 7.1.6, 7.1.14)
  if (x < 0) return 2 - erfc(-x);
  if (x < 2.5) {
    let term = x,
      sum = x;
    for (let n = 1; term > 1e-18 * sum; n++) sum += term *= (2 * x * x) / (2 * n + 1);
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  let tail = x;
  for (let n = 120; n > 0; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
}
const normalCdf = (x) => 0.5 * erfc(-x / Math.SQRT2);
const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const sigmoid = (v) => (v >= 0 ? 1 / (1 + Math.exp(-v)) : Math.exp(v) / (1 + Math.exp(v)));
const kept = (a, i) => !a.mask || a.mask[i] !== 0;

OPS.neg = unary(
  (v) => -v,
  (v, y, g) => -g,
);
OPS.exp = unary(Math.exp, (v, y, g) => y * g);
OPS.log = unary(Math.log, (v, y, g) => g / v);
OPS.sqrt = unary(Math.sqrt, (v, y, g) => g / (2 * y));
OPS.square = unary(
  (v) => v * v,
  (v, y, g) => 2 * v * g,
);
OPS.tanh = unary(Math.tanh, (v, y, g) => (1 - y * y) * g);
OPS.sigmoid = unary(sigmoid, (v, y, g) => y * (1 - y) * g);
OPS.relu = unary(
  (v) => (v < 0 ? 0 : v),
  (v, y, g) => (y > 0 ? g : 0),
);
OPS.gelu = unary(
  (v) => v * normalCdf(v),
  (v, y, g) => (normalCdf(v) + v * density(v)) * g,
);
OPS.abs = unary(Math.abs, (v, y, g) => (v > 0 ? g : v < 0 ? -g : 0));
OPS.scale = unary(
  (v, a) => a.factor * v,
  (v, y, g, a) => a.factor * g,
);
OPS.clamp = unary(
  (v, a) => (v < a.low ? a.low : v > a.high ? a.high : v),
  (v, y, g, a) => (v >= a.low && v <= a.high ? g : 0),
);
OPS.masked_fill = unary(
  (v, a, i) => (kept(a, i) ? v : Number(a.value)),
  (v, y, g, a, i) => (kept(a, i) ? g : 0),
);
OPS.dropout = unary(
  (v, a, i, c) => v * c.saved.m.data[i],
  (v, y, g, a, i, c) => c.saved.m.data[i] * g,
);

/// y = f(a, b) with both stretched to the output; the gradient of a stretched one is summed back.
function binary(f, da, db) {
  const pair = (x, c) => x.map((t) => stretch(t.shape, c.out[0]));
  return {
    forward(x, a, c) {
      const [p, q] = pair(x, c);
      return [Float64Array.from(p, (at, i) => f(x[0].data[at], x[1].data[q[i]], i, c))];
    },
    vjp([dy], x, [y], a, c) {
      const [p, q] = pair(x, c);
      const part = (d) =>
        Float64Array.from(p, (at, i) => d(x[0].data[at], x[1].data[q[i]], dy[i], y.data[i], i, c));
      return [scatter(p, part(da), x[0].data.length), scatter(q, part(db), x[1].data.length)];
    },
  };
}
const larger = (u, v) => (u > v ? 1 : u === v ? 0.5 : 0);
const chosen = (i, c) =>
  c.saved.condition.data[stretch(c.saved.condition.shape, c.out[0])[i]] !== 0;
OPS.add = binary(
  (u, v) => u + v,
  (u, v, g) => g,
  (u, v, g) => g,
);
OPS.sub = binary(
  (u, v) => u - v,
  (u, v, g) => g,
  (u, v, g) => -g,
);
OPS.mul = binary(
  (u, v) => u * v,
  (u, v, g) => v * g,
  (u, v, g) => u * g,
);
OPS.div = binary(
  (u, v) => u / v,
  (u, v, g) => g / v,
  (u, v, g, y) => -(y / v) * g,
);
OPS.maximum = binary(
  (u, v) => (u > v || Number.isNaN(u) ? u : v),
  (u, v, g) => larger(u, v) * g,
  (u, v, g) => larger(v, u) * g,
);
OPS.where = binary(
  (u, v, i, c) => (chosen(i, c) ? u : v),
  (u, v, g, y, i, c) => (chosen(i, c) ? g : 0),
  (u, v, g, y, i, c) => (chosen(i, c) ? 0 : g),
);

// ---- sums over axes ----

/// For every element of x the element of y that it goes into.
const into = (x, a) =>
  stretch(
    x.shape.map((n, i) => (a.axes.includes(i) ? 1 : n)),
    x.shape,
  );
const per = (x, c) => x.data.length / sizeOf(c.out[0]);
OPS.sum = {
  forward: ([x], a, c) => [scatter(into(x, a), x.data, sizeOf(c.out[0]))],
  vjp: ([dy], [x], y, a) => [Float64Array.from(into(x, a), (at) => dy[at])],
};
OPS.mean = {
  forward: (x, a, c) => [OPS.sum.forward(x, a, c)[0].map((v) => v * (1 / per(x[0], c)))],
  vjp: (dy, x, y, a, c) => [OPS.sum.vjp(dy, x, y, a)[0].map((v) => v * (1 / per(x[0], c)))],
};
OPS.max = {
  first(x, a, size) {
    // where the first largest of each group is
    const at = new Int32Array(size).fill(-1);
    into(x, a).forEach((to, i) => {
      if (at[to] < 0 || x.data[i] > x.data[at[to]] || Number.isNaN(x.data[i])) at[to] = i;
    });
    return at;
  },
  forward([x], a, c) {
    return [Float64Array.from(this.first(x, a, sizeOf(c.out[0])), (i) => x.data[i])];
  },
  vjp([dy], [x], y, a, c) {
    return [scatter(this.first(x, a, sizeOf(c.out[0])), dy, x.data.length)];
  },
};

// ---- rows of the last axis ----

/// f(begin of row, its kept positions) for every row of the last axis.
function rows(x, a, f) {
  const n = x.shape[x.shape.length - 1];
  for (let at = 0; n && at < x.data.length; at += n) {
    const cols = [];
    for (let j = at; j < at + n; j++) if (kept(a, j)) cols.push(j);
    f(at, cols, at / n, n);
  }
}
const largest = (x, cols) => cols.reduce((m, j) => Math.max(m, x.data[j]), -Infinity);
const logSum = (x, cols, top) => Math.log(cols.reduce((s, j) => s + Math.exp(x.data[j] - top), 0));

OPS.softmax = {
  forward([x], a) {
    const y = new Float64Array(x.data.length);
    rows(x, a, (at, cols) => {
      const top = largest(x, cols);
      let sum = 0;
      for (const j of cols) sum += y[j] = Math.exp(x.data[j] - top);
      for (const j of cols) y[j] *= 1 / sum;
    });
    return [y];
  },
  vjp([dy], [x], [y]) {
    const dx = new Float64Array(dy.length);
    rows(x, {mask: y.data}, (at, cols) => {
      // a weight of 0 gets no gradient
      const mean = cols.reduce((s, j) => s + y.data[j] * dy[j], 0);
      for (const j of cols) dx[j] = y.data[j] * (dy[j] - mean);
    });
    return [dx];
  },
};
OPS.log_softmax = {
  forward([x], a) {
    const y = new Float64Array(x.data.length).fill(-Infinity);
    rows(x, a, (at, cols) => {
      const top = largest(x, cols),
        log = logSum(x, cols, top);
      for (const j of cols) y[j] = x.data[j] - top - log;
    });
    return [y];
  },
  vjp([dy], [x], [y], a) {
    const dx = new Float64Array(dy.length);
    rows(x, a, (at, cols) => {
      const sum = cols.reduce((s, j) => s + dy[j], 0);
      for (const j of cols) dx[j] = dy[j] - Math.exp(y.data[j]) * sum;
    });
    return [dx];
  },
};
OPS.logsumexp = {
  forward([x]) {
    const y = [];
    rows(x, {}, (at, cols, r) => {
      const top = largest(x, cols);
      y[r] = top + logSum(x, cols, top);
    });
    return [Float64Array.from(y)];
  },
  vjp([dy], [x], [y]) {
    const n = x.shape[x.shape.length - 1];
    return [x.data.map((v, i) => Math.exp(v - y.data[Math.floor(i / n)]) * dy[Math.floor(i / n)])];
  },
};
OPS.unit = {
  forward([x]) {
    const y = new Float64Array(x.data.length);
    rows(x, {}, (at, cols) => {
      const l = norm(x.data.subarray(at, at + cols.length));
      for (const j of cols) y[j] = l ? x.data[j] / l : 0;
    });
    return [y];
  },
  vjp([dy], [x], [y]) {
    const dx = new Float64Array(dy.length);
    rows(x, {}, (at, cols) => {
      const l = norm(x.data.subarray(at, at + cols.length)),
        along = cols.reduce((s, j) => s + y.data[j] * dy[j], 0);
      if (l) for (const j of cols) dx[j] = (dy[j] - along * y.data[j]) / l;
    });
    return [dx];
  },
};
OPS.layer_norm = {
  normal(x, eps) {
    // normalised x, and 1 / sqrt(var + eps) per row
    const n = new Float64Array(x.data.length),
      inverse = [];
    rows(x, {}, (at, cols, r, d) => {
      const mean = total(x.data.subarray(at, at + d)) / d;
      for (const j of cols) n[j] = x.data[j] - mean;
      inverse[r] = 1 / Math.sqrt(cols.reduce((s, j) => s + n[j] * n[j], 0) / d + eps);
      for (const j of cols) n[j] *= inverse[r];
    });
    return {n, inverse};
  },
  forward([x, w, b], a) {
    const d = w.data.length;
    return [this.normal(x, a.eps).n.map((v, i) => v * w.data[i % d] + b.data[i % d])];
  },
  vjp([dy], [x, w, b], y, a) {
    const {n, inverse} = this.normal(x, a.eps),
      dx = new Float64Array(dy.length);
    rows(x, {}, (at, cols, r, d) => {
      const g = (j) => w.data[j - at] * dy[j];
      const mean = cols.reduce((s, j) => s + g(j), 0) / d,
        along = cols.reduce((s, j) => s + g(j) * n[j], 0) / d;
      for (const j of cols) dx[j] = (g(j) - mean - n[j] * along) * inverse[r];
    });
    const column = stretch(w.shape, x.shape);
    return [
      dx,
      scatter(
        column,
        dy.map((g, i) => g * n[i]),
        w.data.length,
      ),
      scatter(column, dy, b.data.length),
    ];
  },
};
