// Pane 8, lessons: the text of a lesson, where a trace is about one; and predict-then-reveal, which
// any trace has.

/// A lesson's words in the language shown, where the trace carries one (run.lesson).
function lessonOf(T) {
  const {lesson} = T.json.run;
  if (!lesson || typeof lesson !== 'object') return null;
  const words = (field) => String(lesson[`${field}_${app.lang}`] ?? lesson[`${field}_en`] ?? '');
  const paragraphs = (field) => words(field).split(/\n+/).filter(Boolean);
  return {title: words('question'), text: paragraphs('text'), look: paragraphs('look')};
}

/// The contribution of the next backward event that can be asked for, or null.
function question(V) {
  for (let step = app.step; step < V.events.length; step++) {
    const e = V.events[step];
    if (e.kind !== 'bwd') continue;
    const c = V.sent[e.op].find((i) => V.contribution(i)?.length);
    if (c !== undefined) return {step: step + 1, op: e.op, c, tensor: V.contribs[c].tensor};
  }
  return null;
}

/// What was asked and answered last, while its event is the one shown.
const answered = () => (app.options.asked?.step === app.step ? app.options.asked : null);

function forget() {
  for (const name of ['asked', 'askCell']) delete app.options[name];
  go({});
}

/// Within a hundredth, or a thousandth of 1.
const nearly = (v, truth) => Math.abs(v - truth) <= 1e-3 + 0.01 * Math.abs(truth);

function predict(V) {
  const q = answered() ?? question(V);
  if (!q)
    return [
      h('p', {class: 'soft'}, t('predict_end')),
      button(t('again'), () => go({step: V.seedStep}), {'data-key': 'again'}),
    ];
  const data = V.contribution(q.c),
    {shape} = V.tensors[q.tensor],
    largest = data.reduce((best, v, k) => (Math.abs(v) > Math.abs(data[best]) ? k : best), 0),
    i = Math.min(app.options.askCell ?? largest, data.length - 1),
    name = tensorName(V, q.tensor) + indexText(i, shape);
  const answer = (e) => {
    e.preventDefault();
    const text = e.target.elements.guess.value.trim().replace(/−/g, '-'),
      guess = Number(text);
    if (text === '' || Number.isNaN(guess)) return;
    app.options.asked = {...q, guess};
    app.options.askCell = i;
    go({step: q.step, op: q.op, follow: true});
    say(nearly(guess, data[i]) ? t('right') : t('wrong', num(data[i])));
  };
  const guess = {
    name: 'guess',
    size: 12,
    inputmode: 'decimal',
    autocomplete: 'off',
    'data-key': 'guess',
  };
  const places = Array.from({length: Math.min(64, data.length)}, (_, k) => [
    k,
    indexText(k, shape),
  ]);
  const place = (v) => {
    forget();
    app.options.askCell = Number(v);
    go({});
  };
  return [
    h('p', {}, t('predict_text', opText(V, q.op), name)),
    h(
      'form',
      {onsubmit: answer},
      h('label', {}, `${t('contribution_to', name)} `, h('input', guess)),
      ' ',
      h('button', {type: 'submit'}, t('answer')),
    ),
    data.length > 1 && choice(t('place'), places, i, place, {'data-key': 'askcell'}),
    q.guess !== undefined && verdict(q.guess, data[i]),
  ];
}

function verdict(guess, truth) {
  const right = nearly(guess, truth),
    number = signed(truth, app.digits);
  return [
    h(
      'p',
      {class: `check ${right ? 'pass' : 'fail'}`},
      right ? `✓ ${t('right')} ${number}` : `✗ ${t('wrong', number)}`,
    ),
    button(t('next_question'), forget, {'data-key': 'nextq'}),
  ];
}

const lessonsPane = {
  id: 'lessons',
  draw() {
    const lesson = lessonOf(trace());
    const paragraphs = (list) => list.map((p) => h('p', {}, p));
    return [
      lesson && [
        h('h3', {}, lesson.title),
        paragraphs(lesson.text),
        lesson.look.length > 0 && [h('h4', {}, t('look_here')), paragraphs(lesson.look)],
      ],
      h('h3', {}, t('predict')),
      predict(shown()),
    ];
  },
  table() {
    const V = shown(),
      q = answered() ?? question(V),
      cells = q && [opText(V, q.op), tensorName(V, q.tensor)];
    return {columns: [t('op'), t('tensor')], rows: q ? [{pick: {op: q.op}, cells}] : []};
  },
};
