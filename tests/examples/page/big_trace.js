// A valid trace of any number of ops: layers of small arithmetic in nested scopes, with the numbers
// that the page's evaluator gives it.
'use strict';

/// heed-trace/1 with `count` ops in scopes layer[i]/cell[j].
function bigTrace(page, count) {
  const scopes = [{id: 0, name: '', parent: 0, index: null}],
    tensors = [],
    ops = [];
  const add = (name, scope, role, producer, shape, value) =>
    tensors.push({
      id: tensors.length,
      name,
      scope,
      role,
      dtype: 'f64',
      shape,
      producer,
      grad_state: 'done',
      value,
      grad: [],
    }) - 1;
  const scope = (name, index, parent) => scopes.push({id: scopes.length, name, parent, index}) - 1;
  const run = (op, inputs, at, attrs = {}) => {
    const out = add('', at, 'inter', ops.length, tensors[inputs[0]].shape, []);
    ops.push({
      id: ops.length,
      op,
      scope: at,
      in: inputs,
      out: [out],
      saved: [],
      attrs,
      formula: op,
      fwd: ops.length,
      bwd: null,
      sends: inputs.map((_, i) => i),
    });
    return out;
  };
  const w = add('w', 0, 'param', null, [2, 3], [0.5, -0.25, 1, 0.75, -1, 0.125]);
  let x = add('x', 0, 'input', null, [2, 3], [1, 2, 3, -1, 0.5, 0.25]);
  for (let layer = 0; ops.length < count - 1; layer++) {
    const outer = scope('layer', layer, 0);
    for (let cell = 0; cell < 25 && ops.length < count - 1; cell++) {
      const inner = scope('cell', cell, outer),
        before = x;
      for (const [op, inputs, attrs] of [
        ['mul', (y) => [y, w]],
        ['tanh', (y) => [y]],
        ['scale', (y) => [y], {factor: 0.5}],
        ['add', (y) => [y, before]],
      ])
        if (ops.length < count - 1) x = run(op, inputs(x), inner, attrs);
    }
  }
  const loss = run('sum', [x], 0, {axes: [0, 1], keep: false});
  Object.assign(tensors[loss], {name: 'L', role: 'output', shape: []});
  const contribs = [];
  for (let op = ops.length - 1, bwd = 0; op >= 0; op--, bwd++) {
    ops[op].bwd = bwd;
    ops[op].in.forEach((tensor, slot) => contribs.push({bwd, op, slot, tensor, value: []}));
  }
  const text = (op) => ({
    inputs: ops.find((o) => o.op === op).in.map((_, i) => 'xb'[i]),
    fwd_txt: 'y = x',
    fwd_tex: 'y = x',
    vjp_txt: ops.find((o) => o.op === op).in.map(() => 'dx = 0'),
    vjp_tex: ops.find((o) => o.op === op).in.map(() => '\\mathrm{d}x = 0'),
  });
  const json = {
    schema: 'heed-trace/1',
    meta: {tool: 'test', version: '0', dtype: 'f64', title: `${count} ops`},
    run: {},
    scopes,
    tensors,
    ops,
    contribs,
    seeds: [{tensor: loss, value: [1]}],
    formulas: Object.fromEntries(
      [...new Set(ops.map((o) => o.op))].sort().map((op) => [op, text(op)]),
    ),
  };
  const T = page.openTrace(json),
    R = page.replay(T, {});
  tensors.forEach((x, id) => (x.value = Array.from(R.value(id), Number)));
  const plain = (data) => Array.from(data, (v) => (Object.is(v, -0) ? 0 : v)); // JSON has no -0
  contribs.forEach((c, i) => (c.value = plain(R.contribution(i))));
  const sums = page.openTrace(JSON.parse(JSON.stringify(json)));
  tensors.forEach((x, id) => (x.grad = plain(page.sumOf(sums, id, sums.arrivals[id]))));
  return json;
}

module.exports = {bigTrace};
