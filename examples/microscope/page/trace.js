// A heed-trace/1 file as the page reads it: numbers decoded when first asked for, who sends what to
// whom, and the state at a step. Step k is the first k events and nothing else, so a step back is
// exact. No page here: Node runs this file too.

/// What happens, in order: every op forward, the seed (dL/dL = 1), every op backward.
function eventsOf(json) {
  const events = json.ops.map((_, op) => ({kind: 'fwd', op}));
  events.push({kind: 'seed', op: json.tensors[json.seeds[0].tensor].producer ?? -1});
  const order = json.ops.map((o, op) => ({op, bwd: o.bwd})).filter((o) => o.bwd !== null);
  order.sort((a, b) => a.bwd - b.bwd);
  for (const {op} of order) events.push({kind: 'bwd', op});
  return events;
}

const lists = (n) => Array.from({length: n}, () => []);

/// The trace with its indices. `value`, `grad` and `contribution` are the only ways to numbers;
/// replay.js makes a copy of this object in which they are recomputed.
function openTrace(json) {
  const {ops, tensors, contribs} = json;
  const T = {
    json,
    ops,
    tensors,
    contribs,
    scopes: json.scopes,
    seed: json.seeds[0].tensor,
    edited: null,
  };
  T.events = eventsOf(json);
  T.arrivals = lists(tensors.length); // tensor -> its contributions, in order
  T.sent = lists(ops.length); // op -> its contributions
  contribs.forEach((c, i) => (T.arrivals[c.tensor].push(i), T.sent[c.op].push(i)));
  T.users = lists(tensors.length); // tensor -> ops that read it
  ops.forEach((o, i) => new Set(o.in).forEach((t) => t !== null && T.users[t].push(i)));
  T.forwardStep = ops.map((_, i) => i + 1); // the step after which the event has happened
  T.backwardStep = new Array(ops.length).fill(null);
  T.events.forEach((e, i) => e.kind === 'bwd' && (T.backwardStep[e.op] = i + 1));
  T.seedStep = ops.length + 1;
  const remember = (list, field) => {
    const known = new Array(list.length);
    return (i) => (known[i] === undefined ? (known[i] = decode(list[i][field])) : known[i]);
  };
  T.value = remember(tensors, 'value');
  T.grad = remember(tensors, 'grad');
  T.contribution = remember(contribs, 'value');
  T.sample = (id, field) => tensors[id][field]?.sample ?? null; // of a large one: {idx, value}
  T.seedValue = () => decode(json.seeds[0].value);
  T.attrs = (op) => ops[op].attrs ?? {};
  T.paths = scopePaths(json.scopes);
  return T;
}

function scopePaths(scopes) {
  const paths = [];
  scopes.forEach((s, i) => {
    const own = s.index === null || s.index === undefined ? s.name : `${s.name}[${s.index}]`;
    paths[i] = i === 0 || !paths[s.parent] ? own : `${paths[s.parent]}/${own}`;
  });
  return paths;
}

/// What people call a tensor: its name, or "#12".
const tensorName = (T, id) => T.tensors[id].name || `#${id}`;

/// A tensor by its name (the last of that name) or "#12"; -1 if there is none.
function findTensor(T, name) {
  for (let i = T.tensors.length - 1; i >= 0; i--)
    if (T.tensors[i].name === name || name === `#${i}`) return i;
  return -1;
}

/// The op as one line: "a = softmax(e)".
function opText(T, op) {
  const o = T.ops[op];
  const name = (t) => (t === null ? '–' : tensorName(T, t));
  return `${o.out.map(name).join(', ')} = ${o.op}(${o.in.map(name).join(', ')})`;
}

const hasValue = (T, id, step) => {
  const {producer} = T.tensors[id];
  return producer === null || T.forwardStep[producer] <= step;
};

/// The gradient of a tensor after `step` events: {state, data, arrived, expected}. `state` is done
/// (nothing more will come), partial, not_yet, or the file's reason for there being none.
function gradAt(T, id, step) {
  if (T.gradsAt?.step !== step || T.gradsAt.of !== T) T.gradsAt = {step, of: T, known: new Map()};
  const {known} = T.gradsAt;
  if (!known.has(id)) known.set(id, computeGradAt(T, id, step));
  return known.get(id);
}

function computeGradAt(T, id, step) {
  const t = T.tensors[id],
    all = T.arrivals[id];
  if (t.grad_state !== 'done') return {state: t.grad_state, data: null, arrived: [], expected: 0};
  const seeded = id === T.seed;
  const arrived = all.filter((i) => T.backwardStep[T.contribs[i].op] <= step);
  const begun = seeded ? step >= T.seedStep : arrived.length > 0;
  if (!begun) return {state: 'not_yet', data: null, arrived, expected: all.length};
  if (arrived.length === all.length)
    return {state: 'done', data: T.grad(id), arrived, expected: all.length};
  return {state: 'partial', data: sumOf(T, id, arrived), arrived, expected: all.length};
}

/// Seed and contributions added in the order in which they came, in the tensor's own precision; null
/// where only samples of them are kept.
function sumOf(T, id, arrived) {
  if (T.value(id) === null) return null;
  const round = T.tensors[id].dtype === 'f32' && !T.edited ? Math.fround : (v) => v;
  const sum =
    id === T.seed
      ? Float64Array.from(T.seedValue())
      : new Float64Array(sizeOf(T.tensors[id].shape));
  for (const i of arrived) {
    const c = T.contribution(i);
    if (c) for (let j = 0; j < sum.length; j++) sum[j] = round(sum[j] + c[j]);
  }
  return sum;
}

/// The positions of a tensor that a mask of its producer (or of a reader of its) switches off, or null.
function maskOf(V, id) {
  const {producer} = V.tensors[id];
  const by =
    producer !== null && V.attrs(producer).mask
      ? producer
      : V.users[id].find((op) => V.attrs(op).mask && V.ops[op].in[0] === id);
  return by === undefined ? null : V.attrs(by).mask;
}

/// [rows, cols] that a tensor is shown as; leading axes are joined into the rows.
function asMatrix(shape) {
  const cols = shape.length ? shape[shape.length - 1] : 1;
  return [cols ? sizeOf(shape) / cols : 0, cols];
}
