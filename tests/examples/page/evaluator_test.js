// The page's evaluator against the library, op by op and whole (C7 of the microscope's
// specification), over every case of the examples, fused and in small ops.
//   node evaluator_test.js MICROSCOPE
'use strict';
const {pageCode, scratch, check, near, finish, runner, root, fs, path} = require('./page_code.js');

const page = pageCode();
const here = scratch();
const microscope = runner(process.argv[2], here);
const cases = path.join(root, 'examples', 'microscope', 'cases');

/// The trace of a case (an object, or the name of a file in cases/).
function traced(what, ...more) {
  const file = path.join(here, 'case.json');
  fs.writeFileSync(
    file,
    typeof what === 'string' ? fs.readFileSync(path.join(cases, what)) : JSON.stringify(what),
  );
  microscope('trace', '--case', file, '-o', 't.json', ...more);
  return page.openTrace(JSON.parse(fs.readFileSync(path.join(here, 't.json'), 'utf8')));
}

/// Every op alone, then all of them from the leaves on.
function agrees(T, name) {
  let found;
  for (found of page.parity(T)) continue;
  check(found.ops === T.ops.length, `${name}: ${[...found.lacking]} not evaluated`);
  check(found.bad.length === 0, `${name}: ${found.bad.join('; ')}`);
  const R = page.replay(T, {});
  T.tensors.forEach((x, id) => {
    if (x.role === 'saved') return;
    check(
      page.distance(R.value(id), T.value(id), 1e-12).within,
      `${name}: value of ${page.tensorName(T, id)} replayed`,
    );
    if (x.grad_state !== 'done')
      return check(R.grad(id) === null, `${name}: ${page.tensorName(T, id)} has no gradient`);
    const scale = 1e-12 * Math.max(1, page.maxAbs(T.grad(id)));
    check(
      page.distance(R.grad(id), T.grad(id), 0).most <= scale,
      `${name}: gradient of ${page.tensorName(T, id)} replayed`,
    );
  });
  return found.most;
}

// ---- the cases of the examples ----

let most = 0;
for (const file of fs
  .readdirSync(cases)
  .filter((name) => name.endsWith('.json'))
  .sort()) {
  most = Math.max(most, agrees(traced(file), file));
  most = Math.max(
    most,
    agrees(traced(file, '--decompose', 'softmax,additive_score,unit'), `${file} in small ops`),
  );
}
const simple = {
  query: [1, 0.5],
  keys: [
    [1, 0],
    [0, 1],
    [-1, 1],
  ],
  output: [
    [1, 0],
    [0, 1],
    [-1, 0.5],
  ],
  target: 1,
};
const more = {
  cosine: {...simple, mechanism: 'cosine', params: {beta: 2}},
  general: {
    ...simple,
    mechanism: 'general',
    params: {
      W: [
        [0.5, -1],
        [0.25, 2],
      ],
    },
  },
  concat: {
    ...simple,
    mechanism: 'concat',
    params: {
      W: [
        [0.5, -0.25, 0.25, 1],
        [0.75, 0.5, -0.5, 0.25],
      ],
      v: [1, -0.5],
    },
  },
  'local_p predicted': {
    ...simple,
    mechanism: 'local_p',
    params: {W_p: [[0.5, 0.25]], v_p: [-0.5], D: 2},
  },
  'all masked': {...simple, mechanism: 'dot', mask: [0, 0, 0]},
  cotangent: {
    mechanism: 'dot',
    query: simple.query,
    keys: simple.keys,
    values: [[2], [3], [-1]],
    cotangent: [0.5],
  },
};
for (const [name, what] of Object.entries(more)) most = Math.max(most, agrees(traced(what), name));

// ---- sentence pairs through whole networks: every mechanism, every recurrence ----

function traceOf(...options) {
  const words = ['--src', 'the cat sleeps', '--tgt', 'le chat dort', '-d', '4', '--seed', '3'];
  microscope('trace', ...words, ...options, '-o', 't.json');
  return page.openTrace(JSON.parse(fs.readFileSync(path.join(here, 't.json'), 'utf8')));
}
for (const options of [
  ['--mech', 'additive', '--enc', 'gru', '--ls', '0.1'],
  ['--mech', 'general', '--enc', 'lstm', '--decoder', 'luong', '--input-feeding'],
  ['--mech', 'dot', '--enc', 'rnn', '--pad', '2'],
  ['--mech', 'scaled_dot', '--mode', 'free_running'],
  ['--mech', 'concat'],
  ['--mech', 'cosine'],
  ['--mech', 'local_p', '--enc', 'lstm'],
  ['--mech', 'dot', '--hard', 'argmax'],
  ['--mech', 'dot', '--hard', 'straight_through'],
  ['--mech', 'dot', '--hard', 'gumbel', '--decoder', 'luong'],
  ['--mech', 'multi_head', '--heads', '2', '--pre-norm'],
])
  most = Math.max(most, agrees(traceOf(...options), options.join(' ')));

// ---- what every lesson is about ----

for (const {lesson} of JSON.parse(microscope('lesson', 'list', '--json')).lessons) {
  microscope('lesson', 'run', lesson, '-o', 'lesson.json');
  const T = page.openTrace(JSON.parse(fs.readFileSync(path.join(here, 'lesson.json'), 'utf8')));
  most = Math.max(most, agrees(T, `lesson ${lesson}`));
}

// ---- what each target word's loss sends adds up to the gradient (C6) ----

for (const options of [
  ['--mech', 'additive'],
  ['--mech', 'multi_head', '--heads', '2'],
]) {
  const V = traceOf(...options),
    words = page.lossRows(V);
  check(words.length === 4, 'a share of the loss for every target word');
  const parts = words.map((row) => page.backwardOfRow(V, row));
  V.tensors.forEach((x, id) => {
    if (x.grad_state !== 'done' || /^(L|L_t|z)$/.test(x.name) || x.producer === null) return;
    const sum = new Float64Array(V.grad(id).length);
    for (const part of parts) part.grad(id)?.forEach((v, i) => (sum[i] += v));
    const behind = V.users[id].every(
      (op) => parts[0].grad(V.ops[op].out[0]) || /cross|mean/.test(V.ops[op].op),
    );
    if (
      behind &&
      !V.users[id].some((op) => /cross_entropy|mean/.test(V.ops[op].op)) &&
      parts.every((part) => part.grad(id))
    )
      check(
        page.distance(sum, V.grad(id), 0).most <= 1e-12,
        `${options}: the words' shares of dL/d${page.tensorName(V, id)}`,
      );
  });
}
console.log(`largest difference ${most.toExponential(1)}`);

// ---- golden test A: values that nobody here computed ----

const T = traced('dot.json');
const a = page.findTensor(T, 'a');
for (const [j, effect] of [-0.183577300664, 0.203737528498, 0.087851314642].entries())
  near(page.eraseEffect(T, a, j), effect, 1e-11, `erase position ${j}`);
const H = page.findTensor(T, 'H');
const route = Object.fromEntries(T.arrivals[H].map((c) => [page.routeOf(T, c), T.contribution(c)]));
near(route.value[0], 0.098703181896, 1e-11, 'H via value');
near(route.score[0], 0.179296900086, 1e-11, 'H via score');
const rows = [0.247833154545, -0.181180553699, -0.066652600846];
const softmax = T.tensors[a].producer;
page.jacobianRow(T, softmax, 0, 0, 0).forEach((v, j) => near(v, rows[j], 1e-11, `J[0,${j}]`));

// ---- f32: what is left of a saturated softmax is rounding of the terms that cancel ----

for (const query of [[12, 5.75], [20.3, 10.1], [24, 11.3]]) {
  const V = traced({...simple, mechanism: 'dot', dtype: 'f32', query});
  let f32;
  for (f32 of page.parity(V)) continue;
  check(f32.ops === V.ops.length && f32.bad.length === 0, `f32, saturated: ${f32.bad.join('; ')}`);
}

// ---- the state at a step is a prefix (R3), and its sums are the file's to the bit (C2) ----

for (let id = 0; id < T.tensors.length; id++) {
  let before = -1;
  for (let step = 0; step <= T.events.length; step++) {
    const {state, data, arrived} = page.gradAt(T, id, step);
    check(arrived.length >= before, `contributions to #${id} only grow`);
    before = arrived.length;
    if (step === T.events.length && data)
      check(
        page.sumOf(T, id, arrived).every((v, i) => Object.is(v, T.grad(id)[i])),
        `sum of contributions to #${id}`,
      );
    if (step < T.seedStep)
      check(state !== 'done' && state !== 'partial', `no gradient of #${id} in the forward pass`);
  }
}

// ---- an edit does what the library does with the edited case ----

const edited = traced({...simple, mechanism: 'dot', query: [1, 2]});
const q = page.findTensor(T, 'q');
const R = page.replay(T, {values: {[q]: Float64Array.of(1, 2)}});
for (const name of ['e', 'a', 'c', 'z', 'p', 'L', 'H', 'U', 'q']) {
  const [x, y] = [page.findTensor(T, name), page.findTensor(edited, name)];
  check(page.distance(R.value(x), edited.value(y), 1e-12).within, `edited: value of ${name}`);
  check(page.distance(R.grad(x), edited.grad(y), 1e-12).within, `edited: gradient of ${name}`);
}
const masked = page.replay(T, {attrs: {[softmax]: {mask: [1, 1, 0]}}});
near(masked.value(T.seed)[0], 1.001303997966, 1e-11, 'golden test C by a mask cell');
check(masked.grad(page.findTensor(T, 'e'))[2] === 0, 'a masked score gets exactly 0');

microscope('trace', '--case', path.join(cases, 'dot.json'), '-o', 't.json');
microscope('rerun', 't.json', '--set', 'q[0,1]=2', '-o', 'u.json');
const rerun = page.openTrace(JSON.parse(fs.readFileSync(path.join(here, 'u.json'), 'utf8')));
T.tensors.forEach((x, id) => {
  check(page.distance(R.value(id), rerun.value(id), 1e-12).within, `rerun: value of #${id}`);
  if (rerun.grad(id))
    check(page.distance(R.grad(id), rerun.grad(id), 1e-12).within, `rerun: gradient of #${id}`);
});

// ---- the page says why as the library does ----

const rules = new Set();
function sameReasons(V, name, names) {
  for (const tensor of names)
    for (let id = page.findTensor(V, tensor), i = 0; i < V.value(id).length; i++) {
      const place = `${tensor}[${page.unravel(i, V.tensors[id].shape)}]`;
      const {rule} = JSON.parse(microscope('why', 't.json', place, '--json'));
      rules.add(rule);
      check(
        page.why(V, id, i)?.rule === rule,
        `${name}: why ${place}: ${page.why(V, id, i)?.rule} for ${rule}`,
      );
    }
}
sameReasons(traced('masked.json'), 'masked', ['e', 'a', 'H']);
sameReasons(traced('local_p.json'), 'local_p', ['p_t', 'w']);
const far = {...simple, mechanism: 'dot', query: [2000, 0]};
sameReasons(traced(far), 'underflow', ['e', 'q', 'H']);
sameReasons(traced({...simple, mechanism: 'dot', query: [40, 20]}), 'saturated', ['e', 'z']);
const blind = {...simple, mechanism: 'concat', params: {W: [[0.5, 0.25, 0.25, 0]], v: [1e-9]}};
sameReasons(traced(blind), 'nearly linear', ['q', 'v']);
sameReasons(
  traced({
    ...simple,
    mechanism: 'dot',
    output: [
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  }),
  'dead weights',
  ['c', 'e', 'q'],
);

const same = {
  mechanism: 'dot',
  query: [1, 0.5],
  keys: [
    [1, 2],
    [1, 2],
    [1, 2],
  ],
  values: simple.keys,
};
const loss = {output: simple.output, target: 1};
sameReasons(traced({...same, ...loss}), 'equal keys', ['q']);
sameReasons(
  traced({
    ...simple,
    mechanism: 'dot',
    query: [1e200, 0],
    keys: [
      [1e200, 0],
      [0, 1],
      [0, 0],
    ],
  }),
  'overflow',
  ['e', 'q'],
);
sameReasons(traceOf('--mech', 'dot', '--hard', 'argmax'), 'hard', ['e', 'x']);
check(rules.size >= 8, `rules met: ${[...rules]}`);
console.log(`rules met: ${[...rules].sort().join(' ')}`);

// ---- numbers as C prints them: ties go to even ----

for (const [v, digits, text] of [
  [0.0078125, 6, '0.007812'],
  [0.0234375, 6, '0.023438'],
  [-0.5, 0, '-0'],
  [2.5, 0, '2'],
  [8.5, 0, '8'],
  [0.3, 1, '0.3'],
  [1.5, 0, '2'],
  [0.1, 3, '0.100'],
  [-1.0005, 3, '-1.000'],
])
  check(page.fixed(v, digits) === text, `fixed(${v}, ${digits}) is ${page.fixed(v, digits)}`);
check(page.show(-0) === '0' || page.show(-0) === '−0', 'minus zero');
check(page.show(0.1 + 0.2, 'full') === '0.30000000000000004', 'all digits');
finish();
