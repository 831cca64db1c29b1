// What the page shows now: one object, changed by `go` alone, kept in the URL's fragment.

const app = {
  traces: [], // the files, as openTrace gives them
  which: 0, // the one that is looked at
  replays: [], // per file: the replay while numbers are edited, else null
  edits: [], // per file: {values: {tensor: array}, attrs: {op: {..}}}
  step: 0, // events that have happened
  op: -1, // looked at; -1: none
  tensor: -1, // looked at in place of the op
  cell: 0, // position in the tensors shown
  follow: true, // the op looked at is the one of the last event
  pane: 'graph',
  lang: 'en',
  digits: 6,
  folds: [], // per file: scopes that are folded
  asTable: false,
  options: {}, // what the panes remember
};

/// The numbers to show: the file's, or those recomputed with edits.
const shown = () => app.replays[app.which] ?? app.traces[app.which];
const trace = () => app.traces[app.which];
const num = (v) => show(v, app.digits);

/// Changes the state and draws what depends on it.
function go(patch, {quiet = false} = {}) {
  const before = {...app};
  Object.assign(app, patch);
  const T = trace();
  app.step = Math.max(0, Math.min(T.events.length, app.step));
  if (app.op >= T.ops.length) app.op = -1;
  if (app.tensor >= T.tensors.length) app.tensor = -1;
  const moved = before.step !== app.step || before.which !== app.which;
  if (moved && app.follow && patch.op === undefined && patch.tensor === undefined) {
    app.op = app.step ? T.events[app.step - 1].op : -1;
    app.tensor = -1;
    app.cell = 0;
  }
  if (before.op !== app.op || before.tensor !== app.tensor)
    if (patch.cell === undefined) app.cell = 0;
  remember();
  drawAll();
  if (!quiet && moved) say(stepText(T, app.step));
}

const stepTo = (step) => go({step, follow: true});
/// Looks at an op or a tensor without moving in time.
const look = (patch) => go({op: -1, tensor: -1, follow: false, ...patch});

/// Where an event can be seen from: the step of an op, backward if it has happened already.
const stepOfOp = (T, op, backward) =>
  backward && T.backwardStep[op] ? T.backwardStep[op] : T.forwardStep[op];

let writing = '',
  soon = 0;
function remember() {
  const parts = {step: app.step, pane: app.pane, lang: app.lang};
  if (!app.follow && app.op >= 0) parts.op = app.op;
  if (!app.follow && app.tensor >= 0) parts.tensor = app.tensor;
  if (app.cell) parts.cell = app.cell;
  if (app.which) parts.trace = app.which;
  if (app.folds[app.which]?.chosen) parts.fold = [...app.folds[app.which]].join('.');
  writing = '#' + new URLSearchParams(parts);
  clearTimeout(soon); // browsers do not like it a hundred times in a row
  soon = setTimeout(() => {
    try {
      history.replaceState(null, '', writing);
    } catch {
      // some refuse it for file:
    }
  }, 100);
}

/// The state that a fragment asks for; what it asks of files that are not there is left out.
function recall(fragment) {
  const asked = new URLSearchParams(fragment.replace(/^#/, ''));
  const whole = (name) =>
    /^\d{1,9}$/.test(asked.get(name) ?? '') ? Number(asked.get(name)) : undefined;
  const patch = {};
  if (whole('trace') < app.traces.length) patch.which = whole('trace');
  for (const name of ['step', 'cell']) if (whole(name) !== undefined) patch[name] = whole(name);
  for (const name of ['op', 'tensor'])
    if (whole(name) !== undefined) Object.assign(patch, {[name]: whole(name), follow: false});
  if (PANES.some((p) => p.id === asked.get('pane'))) patch.pane = asked.get('pane');
  if (TEXTS[asked.get('lang')]) patch.lang = asked.get('lang');
  if (asked.has('fold')) {
    const fold = new Set(
      asked
        .get('fold')
        .split('.')
        .filter((x) => /^\d+$/.test(x))
        .map(Number),
    );
    fold.chosen = true;
    app.folds[patch.which ?? app.which] = fold;
  }
  return patch;
}
