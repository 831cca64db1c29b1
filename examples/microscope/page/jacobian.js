// The local Jacobian of an op in the node card: whole while it is small, else the row of the number
// that was clicked. Each row is the op's own backward for a gradient of 1 at one output.

const MOST_JACOBIAN = 64;

function jacobianView(V, op) {
  const o = V.ops[op];
  if (!evaluates(V, op)) return h('p', {class: 'soft'}, t('needs_rerun', o.op));
  const slots = [...o.in.keys()].filter(
    (i) => o.in[i] !== null && V.tensors[o.in[i]].grad_state !== 'no_grad',
  );
  if (!slots.length) return h('p', {class: 'soft'}, '–');
  const picked = ((app.options.jacobian ??= {})[op] ??= {slot: slots[0], out: 0});
  const pick = (field) => (v) => {
    picked[field] = Number(v);
    go({});
  };
  const choices = [
    o.out.length > 1 &&
      choice(
        '∂',
        o.out.map((id, k) => [k, tensorName(V, id)]),
        picked.out,
        pick('out'),
        {'data-key': 'jout'},
      ),
    slots.length > 1 &&
      choice(
        t('by_input'),
        slots.map((i) => [i, tensorName(V, o.in[i])]),
        picked.slot,
        pick('slot'),
        {'data-key': 'jslot'},
      ),
  ];
  const x = o.in[picked.slot],
    y = o.out[picked.out],
    large = [x, y].some((id) => sizeOf(V.tensors[id].shape) > MOST_JACOBIAN);
  return [
    choices,
    large ? jacobianRowView(V, op, picked, x, y) : wholeJacobian(V, op, picked, x, y),
    h('p', {class: 'soft'}, t('jacobian_note')),
  ];
}

function jacobianTitle(V, x, y) {
  const [rows, cols] = [y, x].map((id) => sizeOf(V.tensors[id].shape));
  return `∂${tensorName(V, y)}/∂${tensorName(V, x)} [${rows} × ${cols}]`;
}

function jacobianRowView(V, op, {slot, out}, x, y) {
  const {shape} = V.tensors[y],
    i = Math.min(app.cell, sizeOf(shape) - 1),
    name = jacobianTitle(V, x, y),
    data = jacobianRow(V, op, out, slot, i);
  return [
    h('p', {class: 'soft'}, `${name} · ${t('one_row', tensorName(V, y) + indexText(i, shape))}`),
    numbersTable({data, shape: V.tensors[x].shape, name, key: 'jac', sign: true}),
  ];
}

function wholeJacobian(V, op, {slot, out}, x, y) {
  const [rows, cols] = [y, x].map((id) => sizeOf(V.tensors[id].shape)),
    name = jacobianTitle(V, x, y),
    data = jacobianOf(V, op, out, slot, rows, cols);
  const labels = (id) =>
    Array.from({length: sizeOf(V.tensors[id].shape)}, (_, i) =>
      unravel(i, V.tensors[id].shape).join(','),
    );
  return [
    h(
      'p',
      {class: 'soft'},
      [name, structure(data, rows, cols), `‖J‖ ${num(norm(data))}`].filter(Boolean).join(' · '),
    ),
    numbersTable({
      data,
      shape: [rows, cols],
      name,
      key: 'jac',
      sign: true,
      rowLabels: labels(y),
      colLabels: labels(x),
    }),
  ];
}

/// Row-major; kept, as it stays the same from step to step.
function jacobianOf(V, op, out, slot, rows, cols) {
  const known = Object.hasOwn(V, 'jacobians') ? V.jacobians : (V.jacobians = new Map()),
    key = `${op} ${out} ${slot}`;
  if (known.has(key)) return known.get(key);
  const all = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) all.set(jacobianRow(V, op, out, slot, i), i * cols);
  known.set(key, all);
  return all;
}

/// What a square matrix is, in a word; '' for an ordinary one.
function structure(all, rows, cols) {
  if (rows !== cols || rows < 2) return '';
  const every = (f) => all.every((v, k) => f(v, Math.floor(k / cols), k % cols));
  if (every((v, i, j) => v === (i === j ? 1 : 0))) return t('identity');
  if (every((v, i, j) => i === j || v === 0)) return t('diagonal');
  return every((v, i, j) => Math.abs(v - all[j * cols + i]) <= 1e-12) ? t('symmetric') : '';
}
