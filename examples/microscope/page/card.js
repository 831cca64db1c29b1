// The node card: everything there is to know of one op, or of one tensor, at the step shown.

function drawCard() {
  const V = shown();
  const body =
    app.tensor >= 0 ? tensorCard(V, app.tensor) : app.op >= 0 ? opCard(V, app.op) : startCard(V);
  redraw(byId('card'), body);
}

const section = (title, ...children) => h('section', {}, h('h3', {}, title), children);

function startCard(V) {
  return [
    h('h2', {}, t('start')),
    h('p', {}, t('start_text', V.ops.length)),
    h('p', {class: 'soft'}, t('keys_text')),
    section(t('source'), h('p', {}, sourceText(V))),
  ];
}

// ---- an op ----

function opCard(V, op) {
  const o = V.ops[op],
    T = trace(),
    event = app.step ? T.events[app.step - 1] : null;
  const now = event && event.op === op ? event.kind : null;
  return [
    h(
      'div',
      {class: 'cardhead'},
      h(
        'h2',
        {},
        h('span', {class: `phase ${now ?? ''}`}, now ? t(`event_${now}`) : t('op')),
        ' ',
        o.op,
      ),
      h('p', {class: 'line', dir: 'ltr'}, opText(V, op)),
      h(
        'p',
        {class: 'soft'},
        `#${op}`,
        V.paths[o.scope] ? ` · ${V.paths[o.scope]}` : '',
        ' · ',
        button(
          t('at_forward', T.forwardStep[op]),
          () => go({step: T.forwardStep[op], op, follow: true}),
          {class: 'link', 'data-key': 'atf'},
        ),
        ' · ',
        T.backwardStep[op] === null
          ? t('no_backward')
          : button(
              t('at_backward', T.backwardStep[op]),
              () => go({step: T.backwardStep[op], op, follow: true}),
              {class: 'link', 'data-key': 'atb'},
            ),
      ),
      attrsText(V, op),
    ),
    section(t('formula'), formulaList(V, op)),
    section(t('with_numbers'), numbersList(V, op)),
    section(
      t('outputs'),
      o.out.map((id) => tensorBlock(V, id, {key: 'o'})),
    ),
    section(
      t('inputs'),
      [...new Set(o.in)].map((id) =>
        id === null ? h('p', {class: 'soft'}, t('left_out')) : tensorBlock(V, id, {key: 'i'}),
      ),
    ),
    savedList(V, op),
    section(t('sends'), sendsList(V, op)),
    section(t('jacobian'), jacobianView(V, op)),
    diagsList(V, o.out),
    checksList(V, o.out),
  ];
}

function attrsText(V, op) {
  const parts = Object.entries(V.attrs(op))
    .filter(([name]) => name !== 'mask')
    .map(([name, v]) => `${name} = ${typeof v === 'number' ? num(v) : JSON.stringify(v)}`);
  return parts.length ? h('p', {class: 'soft'}, parts.join(' · ')) : null;
}

function formulaList(V, op) {
  const o = V.ops[op],
    f = V.json.formulas[o.formula];
  if (!f) return h('p', {class: 'soft'}, '–');
  const back = f.vjp_txt.map((text, i) =>
    h('li', {}, h('span', {class: 'tag back'}, t('backward_to', f.inputs[i])), ' ', formula(text)),
  );
  return [
    h(
      'ul',
      {class: 'formulas'},
      h('li', {}, h('span', {class: 'tag fwd'}, t('forward')), ' ', formula(f.fwd_txt)),
      back,
    ),
    TEXTS[app.lang][`doc_${o.op}`] ? h('p', {class: 'soft'}, t(`doc_${o.op}`)) : null,
  ];
}

function numbersList(V, op) {
  const o = V.ops[op];
  if (!hasValue(V, o.out[0], app.step))
    return h('p', {class: 'soft'}, t('value_later', V.forwardStep[op]));
  const size = sizeOf(V.tensors[o.out[0]].shape),
    i = Math.min(app.cell, size - 1);
  const lines = [];
  const forward = i >= 0 && forwardText(V, op, 0, i);
  if (forward) lines.push(h('p', {class: 'calc', dir: 'ltr'}, forward));
  if (V.backwardStep[op] !== null && V.backwardStep[op] <= app.step) {
    for (const c of V.sent[op].slice(0, 4)) {
      const {slot, tensor} = V.contribs[c];
      const j = Math.min(app.cell, sizeOf(V.tensors[tensor].shape) - 1);
      const back = j >= 0 && backwardText(V, op, slot, j);
      if (back)
        lines.push(
          h(
            'p',
            {class: 'calc back', dir: 'ltr'},
            h('span', {class: 'soft'}, back.rule),
            h('br'),
            '= ',
            back.text,
          ),
        );
    }
  }
  return lines.length
    ? [
        lines,
        h('p', {class: 'soft'}, t('pick_cell'), h('span', {class: 'mark'}, ` ${t('recomputed')}`)),
      ]
    : h('p', {class: 'soft'}, t('no_text', o.op));
}

function savedList(V, op) {
  const o = V.ops[op],
    others = o.saved.filter((x) => !o.in.includes(x.tensor) && !o.out.includes(x.tensor));
  if (!o.saved.length) return null;
  const same = o.saved
    .filter((x) => !others.includes(x))
    .map((x) => `${x.name} = ${tensorName(V, x.tensor)}`);
  return section(
    t('saved'),
    same.length ? h('p', {class: 'soft'}, same.join(' · ')) : null,
    others.map((x) => [
      h('p', {class: 'soft'}, x.name),
      tensorBlock(V, x.tensor, {pick: false, key: `s${x.name}`}),
    ]),
  );
}

/// What this op's backward sends, contribution by contribution.
function sendsList(V, op) {
  const o = V.ops[op];
  if (o.bwd === null) return h('p', {class: 'none'}, '∅ ', t('no_backward'));
  if (V.backwardStep[op] > app.step)
    return h('p', {class: 'soft'}, t('sends_later', V.backwardStep[op]));
  const f = V.json.formulas[o.formula];
  return V.sent[op].map((c) => {
    const {slot, tensor} = V.contribs[c],
      data = V.contribution(c),
      x = V.tensors[tensor];
    if (!data) return h('p', {class: 'soft'}, t('sampled'));
    const input = f?.inputs[Math.min(slot, f.inputs.length - 1)] ?? slot;
    return h(
      'div',
      {class: 'tensor'},
      h(
        'h4',
        {},
        t('to', input),
        ' ',
        button(tensorName(V, tensor), () => look({tensor}), {
          class: 'link name',
          'data-key': `send${c}`,
        }),
      ),
      numbersTable({
        data,
        shape: x.shape,
        mask: maskOf(V, tensor),
        name: t('to', tensorName(V, tensor)),
        key: `c${c}`,
        sign: true,
        onpick: (i) => go({cell: i}),
      }),
      h('p', {class: 'soft'}, statsText(data)),
    );
  });
}

/// "dL/d... : L = 0.913453 (seed 1)".
function sourceText(V) {
  const id = V.seed,
    seed = V.seedValue(),
    value = V.value(id);
  return seed.length === 1
    ? `${tensorName(V, id)} = ${value ? num(value[0]) : '…'}`
    : `${tensorName(V, id)} · ${t('cotangent')} [${Array.from(seed.slice(0, 6), num).join(', ')}${seed.length > 6 ? ', …' : ''}]`;
}
