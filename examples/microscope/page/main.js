// The page begins here: read the traces, go where the fragment says, listen to the keyboard.

function t(key, ...values) {
  const text = TEXTS[app.lang]?.[key] ?? TEXTS.en[key] ?? key;
  return text.replace(/\{(\d)\}/g, (_, i) => String(values[i] ?? ''));
}

/// Words within formulas, in the language shown.
function prose(text) {
  if (app.lang !== 'zh') return text;
  return FORMULA_WORDS.reduce((out, [from, to]) => out.replaceAll(from, to), text);
}

function drawAll() {
  const {title} = trace().json.meta;
  document.documentElement.lang = app.lang === 'zh' ? 'zh-Hans' : 'en';
  document.title = `${title || t('microscope')} · heed`;
  document.querySelector('.skip').textContent = t('skip');
  drawBar();
  drawWork();
  drawCard();
}

function keys(e) {
  const typing =
    /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) &&
    e.target.type !== 'range' &&
    e.target.type !== 'checkbox';
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === 'Escape') return escape();
  if (typing) return;
  if (e.key === '/') {
    e.preventDefault();
    byId('search').focus();
  } else if (e.key === '[') stepTo(app.step - 1);
  else if (e.key === ']') stepTo(app.step + 1);
}

/// Up: from a number to its tensor, from a tensor to the op, from an op to its scope, then to where
/// time is.
function escape() {
  const T = trace(),
    {tensor, op} = app;
  if (tensor >= 0)
    return T.tensors[tensor].producer !== null
      ? look({op: T.tensors[tensor].producer})
      : go({tensor: -1, follow: true, op: app.step ? T.events[app.step - 1].op : -1});
  if (op < 0) return;
  const fold = app.folds[app.which] ?? new Set();
  let at = T.ops[op].scope;
  while (at > 0 && fold.has(at)) at = T.scopes[at].parent;
  if (at > 0) toggleFold(at);
  else go({op: -1, follow: true});
}

function start() {
  const begun = performance.now();
  app.traces = [...document.querySelectorAll('script[type="application/json"]')].map((e) =>
    openTrace(JSON.parse(e.textContent)),
  );
  if (navigator.language?.startsWith('zh')) app.lang = 'zh';
  if (app.traces[0].json.meta.lang && TEXTS[app.traces[0].json.meta.lang])
    app.lang = app.traces[0].json.meta.lang;
  document.addEventListener('keydown', keys);
  addEventListener('hashchange', () => location.hash !== writing && go(recall(location.hash)));
  const patch = recall(location.hash);
  if (patch.step === undefined) patch.step = 0;
  if (patch.op === undefined && patch.tensor === undefined && patch.step > 0)
    app.op = trace().events[Math.min(patch.step, trace().events.length) - 1].op;
  go(patch, {quiet: true});
  app.opened = performance.now() - begun;
  for (const T of app.traces) startParity(T, () => T === trace() && drawBar());
}
start();
