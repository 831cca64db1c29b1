// The bar: what was run, where in it we are, the way to any step, search, language.

function stepText(T, step) {
  if (step === 0) return t('step_start');
  const e = T.events[step - 1];
  if (e.kind === 'seed') return t('step_seed', step, T.events.length, tensorName(T, T.seed));
  const sends =
    e.kind === 'bwd' ? T.sent[e.op].map((c) => tensorName(T, T.contribs[c].tensor)).join(', ') : '';
  return t(
    e.kind === 'fwd' ? 'step_fwd' : 'step_bwd',
    step,
    T.events.length,
    opText(T, e.op),
    sends || '∅',
  );
}

function drawBar() {
  const T = trace(),
    V = shown();
  redraw(byId('facts'), titleRow(T, V));
  redraw(byId('moves'), movesGroup(T));
  drawSlider(T);
  byId('where').textContent = `${app.step} / ${T.events.length}`;
  if (searchKey !== `${app.lang}|${app.which}`) redraw(byId('searchplace'), searchBox(T));
  searchKey = `${app.lang}|${app.which}`;
  const source = h('span', {class: 'soft'}, `${t('source')}: ${sourceText(V)}`);
  redraw(byId('now'), h('span', {}, stepText(T, app.step), ' ', source), crumbs(V));
}

let searchKey = ''; // what the search was drawn for: while somebody types it stays as it is

const mechanismOf = ({json: {run}}) =>
  run.case?.mechanism ?? run.mechanism?.name ?? run.pair?.mech ?? '';

function titleRow(T, V) {
  const {meta, run} = T.json,
    seed = meta.seed ?? run.pair?.seed;
  const facts = [
    mechanismOf(T),
    meta.dtype,
    seed === undefined ? '' : `${t('random_seed')} ${seed}`,
    t('ops', T.ops.length),
  ];
  return [
    h(
      'div',
      {class: 'row title'},
      h('h1', {}, meta.title || t('microscope')),
      h('span', {class: 'soft facts'}, facts.filter(Boolean).join(' · ')),
      app.traces.length > 1 && whichTrace(),
      h('span', {class: 'spacer'}),
      badge(T),
      V.edited && h('span', {class: 'badge edited'}, t('edited_badge')),
      digitsChoice(),
      languageChoice(),
    ),
    pairLine(run),
  ];
}

function whichTrace() {
  const show = (i) =>
    go({
      which: i,
      op: -1,
      tensor: -1,
      follow: true,
      step: Math.min(app.step, app.traces[i].events.length),
    });
  return h(
    'span',
    {class: 'which'},
    app.traces.map((x, i) =>
      button('AB'[i], () => show(i), {
        'aria-pressed': String(i === app.which),
        title: x.json.meta.title ?? '',
        'data-key': `which${i}`,
      }),
    ),
  );
}

function digitsChoice() {
  const options = [
    [3, '3'],
    [6, '6'],
    [12, '12'],
    ['full', t('full')],
  ];
  const pick = (v) => go({digits: v === 'full' ? v : Number(v)});
  return choice(t('digits'), options, app.digits, pick, {'data-key': 'digits'});
}

function languageChoice() {
  const options = [
    ['en', 'English'],
    ['zh', '中文'],
  ];
  return choice('', options, app.lang, (lang) => go({lang}), {
    'aria-label': t('language'),
    'data-key': 'lang',
    id: 'lang',
  });
}

/// The sentences of the run, source → target.
function pairLine(run) {
  const source = run.src ?? run.pair?.src,
    target = run.tgt ?? run.pair?.tgt,
    words = (x) => h('bdi', {}, Array.isArray(x) ? x.join(' ') : String(x ?? ''));
  return (
    (source || target) &&
    h('p', {class: 'pairline'}, words(source), target ? ' → ' : '', words(target))
  );
}

function movesGroup(T) {
  const n = T.events.length;
  const move = (glyph, step, name, key) =>
    button(glyph, () => stepTo(step), {
      class: 'move',
      'aria-label': t(name),
      title: `${t(name)}${key ? ` (${key})` : ''}`,
      'data-key': name,
      disabled: step < 0 || step > n || step === app.step,
    });
  return h(
    'div',
    {class: 'moves', role: 'group', 'aria-label': t('steps')},
    move('|◀', 0, 'to_start'),
    move('◀', app.step - 1, 'back', '['),
    move('▶', app.step + 1, 'next', ']'),
    move('▶|', n, 'to_end'),
  );
}

/// The slider is never replaced, only set: somebody may be holding it.
function drawSlider(T) {
  const slider = byId('slider'),
    n = T.events.length;
  slider.max = n;
  slider.value = app.step;
  slider.style.setProperty('--split', `${((100 * T.seedStep) / n).toFixed(2)}%`);
  slider.setAttribute('aria-label', t('slider'));
  slider.setAttribute('aria-valuetext', stepText(T, app.step));
  slider.oninput = () => stepTo(Number(slider.value));
}

function crumbs(V) {
  const scope =
    app.tensor >= 0 ? V.tensors[app.tensor].scope : app.op >= 0 ? V.ops[app.op].scope : 0;
  if (!V.paths[scope]) return null;
  const chain = [];
  for (let at = scope; at > 0; at = V.scopes[at].parent) chain.unshift(at);
  const fold = app.folds[app.which];
  return h(
    'nav',
    {class: 'crumbs', 'aria-label': t('scope')},
    chain.map((id) => [
      button(
        `${V.paths[id].split('/').at(-1)} ${fold?.has(id) ? '▸' : '▾'}`,
        () => {
          layoutNow(V);
          toggleFold(id);
        },
        {class: 'link', title: t('fold'), 'data-key': `crumb${id}`},
      ),
      ' / ',
    ]),
  );
}
