// What the page shows of particular traces: two to compare, a mask, hostile names, a sentence pair,
// ten thousand ops.
'use strict';
const {check, fs, path} = require('./page_code.js');
const {page, url, at, microscope, cases, view, trace, READY} = require('./browser_setup.js');
const {bigTrace} = require('./big_trace.js');

/// Times of twenty steps, in order of size: until the page is drawn.
const STEPS = (next) => `(async () => {
  const all = [];
  for (let i = 0; i < 20; i++) {
    const begun = performance.now();
    stepTo(${next});
    document.body.getBoundingClientRect();
    all.push(performance.now() - begun);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  }
  return all.sort((a, b) => a - b);
})()`;

async function comparesTwo(tab) {
  await tab.open(view('two.html', 'dot.json', trace('scaled_dot')));
  await tab.until(READY);
  await tab.run(`go({pane: 'compare'})`);
  const text = await tab.run(`byId('panel').innerText`);
  check(text.includes('First divergence: e = matmul_nt(q, H)'), 'the first divergence');
  await tab.run(`document.querySelector('[data-key="which1"]').click()`);
  check(await tab.run(`byId('bar').innerText.includes('scaled')`), 'the other trace');
  check((await tab.run(`lossOf(shown()).toFixed(9)`)) === '0.870217594', 'golden test B');
}

async function masksAreShown(tab) {
  await tab.open(view('masked.html', trace('masked')));
  await tab.run(`go({pane: 'alignment', step: trace().events.length})`);
  await tab.until(`!byId('panel').querySelector('figure:last-of-type .cell.none')`);
  check(
    (await tab.run(`byId('panel').querySelectorAll('figure').length`)) === 5,
    'a weight is never alone',
  );
  check(
    (await tab.run(`byId('panel').querySelectorAll('.cell.masked .hatch').length`)) === 5,
    'masked positions are hatched in all five',
  );
  check(
    !/importan/i.test(
      await tab.run(`['bar', 'work', 'card'].map((id) => byId(id).textContent).join()`),
    ),
    'weights are not called important',
  );
  await tab.run(`look({tensor: findTensor(trace(), 'e'), cell: 2})`);
  check((await tab.run(`byId('card').textContent`)).includes('Masked'), 'why: masked');
  await tab.run(`stepTo(3)`);
  check(
    (await tab.run(`byId('card').textContent`)).includes('∅ not yet'),
    'a gradient that is to come is no 0',
  );
}

async function isNotFooled(tab) {
  const bad = '</script><script>window.bad = 1</script><img src=x onerror="window.bad = 2">';
  const kase = JSON.parse(fs.readFileSync(path.join(cases, 'dot.json'), 'utf8'));
  kase.title = bad;
  fs.writeFileSync(at('bad-case.json'), JSON.stringify(kase));
  microscope('trace', '--case', 'bad-case.json', '-o', 'bad.json');
  fs.writeFileSync(
    at('bad.json'),
    fs.readFileSync(at('bad.json'), 'utf8').replace('"name":"e"', `"name":${JSON.stringify(bad)}`),
  );
  await tab.open(view('bad.html', 'bad.json'));
  await tab.run('stepTo(2)');
  check(await tab.run('window.bad === undefined'), 'a script in a name does not run');
  check(
    await tab.run(`byId('bar').innerText.includes('<img src=x')`),
    'it is shown as the text that it is',
  );
}

async function showsASentencePair(tab) {
  const words = [
    '--src',
    'the black cat sees a small red house',
    '--tgt',
    'le chat noir voit une petite maison rouge',
  ];
  microscope('trace', ...words, '--mech', 'additive', '-d', '32', '--seed', '7', '-o', 'pair.json');
  const address = view('pair.html', 'pair.json'),
    begun = Date.now();
  await tab.open(address);
  await tab.until(`typeof app === 'object' && app.opened > 0`);
  const opened = Date.now() - begun,
    size = fs.statSync(at('pair.html')).size;
  check(size <= 5e6, `a pair of 8 and 8 words is a page of ${size} bytes`);
  await tab.until(READY);
  check(
    await tab.run('trace().parity.bad.length === 0 && trace().parity.lacking.size === 0'),
    'every op of the pair is recomputed',
  );
  await tab.run(`go({pane: 'alignment', step: trace().events.length})`);
  await tab.until(`!byId('panel').querySelector('figure:last-of-type .cell.none')`);
  const labels = await tab.run(
    `[...byId('panel').querySelectorAll('figure:first-of-type .axis')].map((x) => x.textContent)`,
  );
  check(
    ['the', 'house', 'le', 'rouge'].every((word) => labels.includes(word)),
    `words at the edges: ${labels}`,
  );
  check(
    (await tab.run(`byId('panel').querySelectorAll('figure:first-of-type .cell').length`)) === 81,
    'a cell for each pair of words',
  );
  await tab.run(`go({pane: 'flow'})`);
  check((await tab.run(`byId('panel').innerText`)).includes('via score'), 'routes have names');
  const T = page.openTrace(JSON.parse(fs.readFileSync(at('pair.json'), 'utf8'))),
    h = page.findTensor(T, 'h');
  const flow = await tab.run(`flowOf(shown(), ${h}).open.map((row) => Array.from(row))`);
  page.lossRows(T).forEach((row, t) => {
    const want = page.rowNorms(page.backwardOfRow(T, row).grad(h), T.tensors[h].shape);
    check(page.distance(flow[t], want, 1e-12).within, `the flow of word ${t}`);
  });
  await tab.run(`go({pane: 'graph', step: 100})`);
  const times = await tab.run(STEPS(`app.step + 1`));
  console.log(
    `8 x 8 words, d = 32, ${(size / 1e6).toFixed(1)} MB: opened in ${opened} ms; a step takes ${times[10].toFixed(0)} ms (at most ${times[19].toFixed(0)})`,
  );
}

async function showsSamplesAndABeam(tab) {
  const words = ['--src', 'a b', '--tgt', 'c d', '-d', '32', '--sample', '256'];
  microscope('trace', ...words, '-o', 'sampled.json');
  const json = JSON.parse(fs.readFileSync(at('sampled.json'), 'utf8'));
  json.views.beam = [
    {id: 0, parent: null, tok: 'c', logp: -0.5, tensor: 1},
    {id: 1, parent: 0, tok: '</s>', logp: -0.75, rank: 1, score: -0.7},
    {id: 2, parent: 0, tok: '<b>d', logp: '-Infinity'},
  ];
  fs.writeFileSync(at('sampled.json'), JSON.stringify(json));
  await tab.open(view('sampled.html', 'sampled.json'));
  await tab.until(`typeof app === 'object' && app.opened > 0`);
  const large = json.tensors.findIndex((x) => x.value.sample && x.grad);
  for (const step of ['0', 'trace().seedStep', 'trace().events.length']) {
    await tab.run(`stepTo(${step}); look({tensor: ${large}})`);
    for (const pane of await tab.run(`PANES.filter((p) => !p.available || p.available()).map((p) => p.id)`))
      await tab.run(`go({pane: '${pane}'})`);
  }
  const card = await tab.run(`byId('card').innerText`);
  check(card.includes('A sample: 256 of '), 'a sample is called one');
  check(
    card.includes(await tab.run(`num(${json.tensors[large].grad_stats.l2})`)),
    'statistics are of all numbers',
  );
  await tab.run(`go({pane: 'beam'})`);
  const beam = await tab.run(`byId('panel').innerText`);
  check(beam.includes('#1') && beam.includes('<b>d') && beam.includes('−∞'), `the beam: ${beam}`);
}

async function asksForAPrediction(tab) {
  await tab.open(url('dot.html'));
  await tab.run(`go({pane: 'lessons', step: trace().seedStep + 4})`);
  const asked = await tab.run('question(shown())'),
    truth = await tab.run(`Array.from(shown().contribution(${asked.c}))`),
    largest = truth.reduce((best, v) => (Math.abs(v) > Math.abs(best) ? v : best), 0);
  for (const [guess, answer] of [
    [largest + 0.5, 'It is'],
    [largest, 'Right.'],
  ]) {
    await tab.run(
      `stepTo(${asked.step} - 1); byId('panel').querySelector('input[name=guess]').focus()`,
    );
    await tab.type(String(guess));
    await tab.press('Enter');
    await tab.until(`app.step === ${asked.step}`);
    check(
      (await tab.run(`byId('panel').innerText`)).includes(answer),
      `${guess} for ${largest}: ${answer}`,
    );
  }
}

async function showsALesson(tab) {
  microscope('lesson', 'run', 'saturate', '-o', 'lesson.json');
  const {lesson} = JSON.parse(fs.readFileSync(at('lesson.json'), 'utf8')).run;
  await tab.open(view('lesson.html', 'lesson.json'));
  await tab.until(`typeof app === 'object' && app.opened > 0`);
  for (const lang of ['en', 'zh']) {
    await tab.run(`go({pane: 'lessons', lang: '${lang}'})`);
    const text = await tab.run(`byId('panel').textContent`);
    check(text.includes(lesson[`question_${lang}`]), `the question of the lesson, ${lang}`);
    check(text.includes(lesson[`text_${lang}`].split('\n')[0]), `the text of the lesson, ${lang}`);
  }
  await tab.run(`go({lang: 'en'})`);
}

async function takesManyOps(tab) {
  fs.writeFileSync(at('big.json'), JSON.stringify(bigTrace(page, 10000)));
  const address = view('big.html', 'big.json'),
    begun = Date.now();
  await tab.open(address);
  await tab.until(`typeof app === 'object' && app.opened > 0`);
  const opened = Date.now() - begun;
  await tab.run(
    `new Promise((done) => { const all = new Set(scopeTree(trace()).map((n) => n.id)); all.clear(); all.chosen = true; app.folds[0] = all; go({step: 5000}); requestAnimationFrame(() => setTimeout(done, 0)); })`,
  );
  const boxes = await tab.run(`Number(byId('work').querySelector('.graphbox').dataset.boxes)`);
  check(boxes > 100 && boxes <= 300, `${boxes} boxes are drawn of 10,000 ops`);
  const times = await tab.run(STEPS('app.step + 1')),
    jumps = await tab.run(STEPS('(app.step + 900) % 20000'));
  const search = await tab.run(
    `(() => { find(trace(), 'x'); const t0 = performance.now(); find(trace(), 'layer[40]/cell[3]'); return performance.now() - t0; })()`,
  );
  const ms = (all) => `${all[10].toFixed(0)} ms (at most ${all[19].toFixed(0)})`;
  console.log(
    `10,000 ops, ${(fs.statSync(at('big.html')).size / 1e6).toFixed(1)} MB: opened in ${opened} ms; a step takes ${ms(times)}, a jump ${ms(jumps)}; ${boxes} boxes; search ${search.toFixed(1)} ms`,
  );
  check(await tab.run(`byId('bar').innerText.includes('/ 20001')`), 'its steps can be reached');
}

module.exports = [
  comparesTwo,
  masksAreShown,
  isNotFooled,
  showsASentencePair,
  showsSamplesAndABeam,
  asksForAPrediction,
  showsALesson,
  takesManyOps,
];
