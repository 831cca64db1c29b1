// The microscope's page in a headless Chromium: what a person does with it, and the promises of its
// specification (C8, C9, C12). Times are printed and not judged.
//   node browser_test.js MICROSCOPE CHROMIUM        exit code 77: there is no Chromium to run
'use strict';
const {check, finish, folder, fs, path} = require('./page_code.js');
const traces = require('./browser_traces.js');
const {launch} = require('./browser.js');

const {page, here, url, at, microscope, cases, view, trace, READY} = require('./browser_setup.js');

/// Everything a reader of the page sees.
const SCREEN = `['bar', 'work', 'card'].map((id) => byId(id).textContent).join('\\n')`;

async function opensAndSteps(tab) {
  await tab.size(1440, 900);
  await tab.open(view('dot.html', trace('dot')));
  await tab.until(READY);
  check(
    await tab.run(`byId('badge').innerText.includes('recomputed 8 ops')`),
    'the badge counts the ops',
  );
  check(
    await tab.run('trace().parity.bad.length === 0 && trace().parity.lacking.size === 0'),
    'the badge is good',
  );
  const texts = [await tab.run(SCREEN)],
    n = await tab.run('trace().events.length');
  for (let step = 0; step < n; step++) {
    await tab.press(']');
    texts.push(await tab.run(SCREEN));
  }
  check(new Set(texts).size === texts.length, 'every step shows something else');
  check(texts[n].includes(`${n} / ${n}`), 'the last step');
  for (let step = n - 1; step >= 0; step--) {
    await tab.press('[');
    const text = await tab.run(SCREEN);
    check(text === texts[step], `C9: back at step ${step} the screen is as it was`);
  }
  await tab.run('stepTo(12)');
  check((await tab.run(SCREEN)) === texts[12], 'the slider and the keys agree');
  await tab.until(`location.hash.includes('step=12&')`);
  const where = await tab.run('location.hash');
  await tab.open('about:blank');
  await tab.open(`${url('dot.html')}${where}`);
  await tab.until(READY);
  check((await tab.run(SCREEN)) === texts[12], 'the fragment brings back step and node');
  return texts;
}

/// A large graph begins below the edge of its frame or above it: the first op is scrolled to.
async function beginsWithTheFirstOp(tab) {
  microscope('trace', '--src', 'a b c d e', '--tgt', 'f g h i j', '--layers', '2', '-o', 'tall.json');
  await tab.size(1440, 500);
  await tab.open(view('tall.html', 'tall.json'));
  await tab.until(READY);
  const seen = `(() => {
    const f = document.querySelector('.graphbox').getBoundingClientRect();
    const b = drawing.parts.get(boxOf(trace(), app.folds[0], 0)).node.getBoundingClientRect();
    return b.top >= f.top && b.bottom <= f.bottom && b.left >= f.left && b.right <= f.right;
  })()`;
  check(await tab.run(seen), 'the first op is in sight');
  // The graph is moved in the next frame.
  const place = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
    () => done(document.querySelector('.graphbox').scrollLeft))))`;
  await tab.run('stepTo(trace().ops.length)');
  const before = await tab.run(place);
  await tab.run('go({op: -1})');
  check(before > 0 && (await tab.run(place)) === before, 'looking at nothing leaves the graph');
}

async function showsTheStoredNumbers(tab) {
  for (const [digits, places] of [
    ['6', 6],
    ['12', 12],
  ])
    for (const name of ['q', 'a', 'e']) {
      const stored = JSON.parse(microscope('export', 'dot.json', '--node', name, '--as', 'json'));
      await tab.run(
        `go({digits: ${digits}}); look({tensor: findTensor(trace(), '${name}'), step: trace().events.length})`,
      );
      const cells = await tab.run(
        `[...byId('card').querySelectorAll('.pair td')].map((c) => c.textContent.trim()).filter(Boolean)`,
      );
      const want = [
        ...stored.value.map((v) => page.show(v, places)),
        ...stored.grad.map((v) => page.signed(v, places)),
      ];
      check(
        JSON.stringify(cells.filter((c) => /\d/.test(c))) === JSON.stringify(want),
        `C8: ${name} with ${places} digits: ${cells} for ${want}`,
      );
    }
  await tab.run('go({digits: 6})');
}

async function editsANumber(tab) {
  await tab.run(
    `app.options.editTensor = findTensor(trace(), 'q'); go({pane: 'edit', step: trace().events.length})`,
  );
  await tab.run(
    `byId('panel').querySelectorAll('input[type=text]')[1].select(); byId('panel').querySelectorAll('input[type=text]')[1].focus()`,
  );
  await tab.type('2');
  await tab.press('Enter');
  await tab.until('Boolean(shown().edited)');
  const kase = JSON.parse(fs.readFileSync(path.join(cases, 'dot.json'), 'utf8'));
  kase.query = [1, 2];
  fs.writeFileSync(at('edited-case.json'), JSON.stringify(kase));
  microscope('trace', '--case', 'edited-case.json', '-o', 'edited.json');
  const T = page.openTrace(JSON.parse(fs.readFileSync(at('edited.json'), 'utf8')));
  for (const name of ['a', 'L', 'q', 'H', 'U'])
    for (const what of ['value', 'grad']) {
      const got = await tab.run(`Array.from(shown().${what}(findTensor(trace(), '${name}')))`);
      check(
        page.distance(got, T[what](page.findTensor(T, name)), 1e-12).within,
        `edited: ${what} of ${name}`,
      );
    }
  const text = await tab.run(`byId('panel').innerText`);
  check(text.includes("--set 'q[0,1]=2'"), 'the edit as a command');
  check(text.includes(page.show(T.value(T.seed)[0])), 'the loss after the edit');
  check(
    await tab.run(
      `byId('bar').innerText.includes('edited') && byId('panel').querySelectorAll('input.edited').length === 1`,
    ),
    'edited numbers are marked',
  );
  await tab.run(`byId('panel').querySelector('[data-key="reset"]').click()`);
  check(await tab.run('shown() === trace()'), 'undone');
}

async function speaksBothLanguages(tab) {
  await tab.run('look({op: 1})');
  const keys = await tab.run('[Object.keys(TEXTS.en), Object.keys(TEXTS.zh)]');
  check(JSON.stringify(keys[0]) === JSON.stringify(keys[1]), 'both languages have the same texts');
  const holes = await tab.run(
    `Object.keys(TEXTS.en).filter((k) => JSON.stringify(TEXTS.en[k].match(/\\{\\d\\}/g)?.sort()) !== JSON.stringify(TEXTS.zh[k].match(/\\{\\d\\}/g)?.sort()))`,
  );
  check(holes.length === 0, `the same places to fill in: ${holes}`);
  const source = fs
    .readdirSync(folder)
    .filter((f) => f.endsWith('.js'))
    .map((f) => fs.readFileSync(path.join(folder, f), 'utf8'))
    .join('\n');
  const used = [...source.matchAll(/\bt\('(\w+)'/g)].map((x) => x[1]);
  check(
    used.every((k) => keys[0].includes(k)),
    `texts that are missing: ${used.filter((k) => !keys[0].includes(k))}`,
  );
  await tab.run(
    `const select = byId('lang').querySelector('select') ?? byId('lang'); select.value = 'zh'; select.dispatchEvent(new Event('change'))`,
  );
  check(
    await tab.run(
      `document.documentElement.lang === 'zh-Hans' && byId('work').innerText.includes('对齐') && byId('card').textContent.includes('公式')`,
    ),
    'Chinese',
  );
  for (const pane of await tab.run('PANES.filter((p) => p.available?.() ?? true).map((p) => p.id)'))
    await tab.run(`go({pane: '${pane}'})`);
  await tab.run(`go({lang: 'en', pane: 'graph'})`);
}

async function worksByKeyboard(tab) {
  await tab.run(
    `go({step: 0, op: -1, tensor: -1, follow: true, pane: 'graph'}); document.activeElement.blur()`,
  );
  for (let i = 0; i < 12; i++) await tab.press(']');
  check((await tab.run('app.step')) === 12, 'the key ] steps');
  let reached = false;
  for (let i = 0; i < 40 && !reached; i++) {
    await tab.press('Tab');
    reached = await tab.run(`document.activeElement.classList.contains('box')`);
  }
  check(reached, 'Tab reaches the graph');
  check(
    (await tab.run(`byId('work').querySelectorAll('.box[tabindex="0"]').length`)) === 1,
    'one box is a tab stop',
  );
  await tab.run(`look({op: 1}); byId('work').querySelector('.box.current').focus()`);
  await tab.press('ArrowRight');
  check((await tab.run('app.op')) === 2, 'an arrow follows an edge to its reader');
  await tab.press('ArrowLeft');
  await tab.press('ArrowLeft');
  check((await tab.run('app.op')) === 0, 'and back');
  check((await tab.run(`document.activeElement.dataset.key`)) === 'op0', 'the focus goes with it');
  await tab.press('/');
  check((await tab.run(`document.activeElement.id`)) === 'search', '/ searches');
  await tab.type('softm');
  await tab.run(`byId('search').dispatchEvent(new Event('input'))`);
  await tab.press('Enter');
  check((await tab.run(`trace().ops[app.op].op`)) === 'softmax', 'Enter goes to what was found');
  await tab.press('Escape');
  check(await tab.run('app.follow'), 'Escape goes up');
  check((await tab.run(`byId('live').textContent`)).length > 0, 'the live region speaks');
  await tab.run(`byId('tab-graph').focus()`);
  await tab.press('ArrowRight');
  check((await tab.run('app.pane')) === 'alignment', 'arrows move along the tabs');
}

async function offersTablesAndFiles(tab) {
  await tab.run('go({step: trace().events.length})');
  for (const pane of await tab.run(
    'PANES.filter((p) => p.available?.() ?? true).map((p) => p.id)',
  )) {
    await tab.run(`go({pane: '${pane}', asTable: true})`);
    check(
      await tab.run(
        `byId('panel').querySelectorAll('tbody tr').length > 0 || '${pane}' === 'lessons'`,
      ),
      `${pane} as a table`,
    );
    const svg = await tab.run(`svgText(paneNow())`);
    check(
      await tab.run(
        `new DOMParser().parseFromString(${JSON.stringify(svg)}, 'image/svg+xml').querySelector('parsererror') === null`,
      ),
      `${pane} as SVG`,
    );
    check((await tab.run('csvText(paneNow().table())')).split('\r\n').length > 1, `${pane} as CSV`);
  }
  await tab.run(`go({asTable: false, pane: 'graph'}); look({op: 1})`);
  const tex = await tab.run('texText_()');
  check(tex.includes('\\begin{bmatrix}') && tex.includes('\\frac'), 'LaTeX');
  const png = await tab.run(
    `new Promise((done) => { const keep = download; globalThis.savedPng = null; const image = new Image(); image.onload = () => { const c = h('canvas', {width: 100, height: 50}); c.getContext('2d').drawImage(image, 0, 0, 100, 50); c.toBlob((b) => done(b.size)); }; image.onerror = () => done(-1); image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(svgText(paneNow())); })`,
  );
  check(png > 100, `PNG of ${png} bytes`);
}

async function seesColours(tab) {
  const luminance = `((c) => { const [r, g, b] = c.match(/[\\d.]+/g).map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; })`;
  for (const dark of [false, true]) {
    await tab.size(1440, 900, dark);
    for (const ink of ['ink', 'soft', 'posink', 'negink', 'good', 'bad', 'mark'])
      for (const paper of ['paper', 'raised']) {
        const ratio = await tab.run(
          `(() => { const e = document.body.appendChild(h('i', {style: 'color: var(--${ink}); background-color: var(--${paper})'})), s = getComputedStyle(e), l = [s.color, s.backgroundColor].map(${luminance}).sort((a, b) => b - a); e.remove(); return (l[0] + 0.05) / (l[1] + 0.05); })()`,
        );
        check(
          ratio >= 4.5,
          `WCAG AA: ${ink} on ${paper}${dark ? ', dark' : ''}: ${ratio.toFixed(2)}`,
        );
      }
  }
  await tab.size(400, 800);
  for (const pane of ['graph', 'alignment', 'flow', 'edit', 'lessons']) {
    await tab.run(`go({pane: '${pane}'})`);
    check(
      (await tab.run('document.documentElement.scrollWidth')) <= 400,
      `${pane} fits into 400 pixels`,
    );
  }
  await tab.size(1440, 900);
}

async function main() {
  const tab = await launch(process.argv[3]);
  if (!tab) {
    console.log(`${process.argv[3]} does not start here`);
    process.exit(77);
  }
  try {
    for (const test of [
      opensAndSteps,
      showsTheStoredNumbers,
      editsANumber,
      speaksBothLanguages,
      worksByKeyboard,
      offersTablesAndFiles,
      seesColours,
      beginsWithTheFirstOp,
      ...traces,
    ]) {
      console.log(test.name);
      await test(tab).catch((e) => check(false, `${test.name}: ${e.message}`));
    }
    check(
      tab.seen.errors.length === 0,
      `errors on the console: ${tab.seen.errors.slice(0, 5).join('; ')}`,
    );
    const others = tab.seen.requests.filter(
      (r) =>
        !r.startsWith(`file://${here}/`) &&
        !r.startsWith('data:image/svg+xml') &&
        r !== 'about:blank',
    );
    check(
      others.length === 0 && tab.seen.requests.length > 0,
      `C12: requests for ${others.slice(0, 5)}`,
    );
  } finally {
    await tab.close();
  }
  finish();
}
main();
