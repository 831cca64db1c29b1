// The boxes of the graph: what stands in them at the step shown.

/// The boxes as parts of the drawing.
function boxParts(V, graph) {
  const boxes = [...graph.boxes.values()].sort((a, b) => a.rank - b.rank || a.y - b.y),
    current = currentBox(graph);
  return boxes.map((box) => {
    const words = boxLook(V, box),
      here = box.key === current,
      stop = here || (!current && box === boxes[0]);
    const id = box.kind === 'leaf' ? box.tensor : V.ops[box.ops[0]].out[0];
    return {
      key: box.key,
      sign: [
        words.class,
        words.title,
        words.sub,
        here,
        stop,
        gradAt(V, id, app.step).arrived.length,
      ].join('|'),
      draw: () => boxSvg(V, graph, box, words, here, stop),
    };
  });
}

function boxSvg(V, graph, box, words, here, stop) {
  const {h: height} = graph,
    middle = {x: BOX.w / 2, 'text-anchor': 'middle'};
  return s(
    'g',
    {
      class: `box ${box.kind} ${words.class}${here ? ' current' : ''}`,
      transform: `translate(${box.x.toFixed(1)} ${box.y.toFixed(1)})`,
      tabindex: stop ? 0 : -1,
      role: 'button',
      'data-key': box.key,
      'aria-label': `${words.title}, ${words.sub}`,
      onclick: () => pickBox(box),
      onkeydown: (e) => boxKeys(e, graph, box),
    },
    s('title', {}, `${words.title} — ${words.sub}`),
    s('rect', {width: BOX.w, height, rx: box.kind === 'leaf' ? 20 : 5}),
    box.kind === 'scope' &&
      s('rect', {class: 'inner', x: 3, y: 3, width: BOX.w - 6, height: height - 6, rx: 3}),
    s('text', {class: 'name', y: 19, ...middle}, clipName(words.title, 16)),
    s('text', {class: 'sub', y: 36, ...middle}, clip(words.sub, 21)),
    height === BOX.tall && box.kind !== 'scope' && pictures(V, box),
    endOf(V, box, height),
  );
}

const LEVELS = 4; // strengths of colour in a picture: few, so that it is few paths

/// Value (left) and gradient (right) of a box as small tinted squares.
function pictures(V, box) {
  const id = box.kind === 'leaf' ? box.tensor : V.ops[box.ops[0]].out[0],
    {shape, dtype} = V.tensors[id],
    [rows, cols] = asMatrix(shape);
  if (rows * cols > 64 || cols > 16 || rows > 8 || dtype === 'i64') return null;
  const g = gradAt(V, id, app.step).data;
  return s(
    'g',
    {'aria-hidden': 'true'},
    hasValue(V, id, app.step) && picture(V.value(id), rows, cols, g ? BOX.w / 4 + 2 : BOX.w / 2),
    picture(g, rows, cols, 0.75 * BOX.w - 2),
  );
}

function picture(data, rows, cols, middle) {
  if (!data) return null;
  const size = Math.min(10, 54 / cols, 36 / rows),
    top = maxAbs(data.filter(Number.isFinite)),
    paths = new Map();
  data.forEach((v, i) => {
    const level = top > 0 && Number.isFinite(v) ? Math.round((LEVELS * v) / top) : 0;
    const x = middle - (size * cols) / 2 + (i % cols) * size,
      y = 61 - (size * rows) / 2 + Math.floor(i / cols) * size;
    const square = `M${x.toFixed(1)},${y.toFixed(1)}h${(size - 1).toFixed(1)}v${(size - 1).toFixed(1)}h${(1 - size).toFixed(1)}z`;
    paths.set(level, (paths.get(level) ?? '') + square);
  });
  return [...paths].map(([level, d]) =>
    s('path', {
      class: `dots ${level > 0 ? 'pos' : level < 0 ? 'neg' : ''}`,
      style: `--v:${Math.abs(level) / LEVELS}`,
      d,
    }),
  );
}

const clip = (text, n) => (text.length > n ? `${text.slice(0, n - 1)}…` : text);
/// The end of a path or a dotted name says more than its beginning.
const clipName = (text, n) =>
  text.length > n && /[./]/.test(text) ? `…${text.slice(1 - n)}` : clip(text, n);

function boxLook(V, box) {
  const done = (op) => V.forwardStep[op] <= app.step,
    back = (op) => V.backwardStep[op] !== null && V.backwardStep[op] <= app.step;
  if (box.kind === 'scope') {
    const count = box.ops.filter(done).length,
      n = box.ops.length,
      returned = box.ops.filter(back).length;
    return {
      title: V.paths[box.scope],
      sub: `▸ ${t('ops', n)}`,
      class: returned ? 'back' : count === n ? 'done' : count ? 'begun' : 'future',
    };
  }
  const id = box.kind === 'leaf' ? box.tensor : V.ops[box.ops[0]].out[0],
    x = V.tensors[id];
  const g = gradAt(V, id, app.step);
  const sign = g.data ? signOf(total(g.data), norm(g.data)) : '';
  const state = g.data ? `back ${sign}` : hasValue(V, id, app.step) ? 'done' : 'future';
  const gradient = g.data ? `‖d‖ ${shortNumber(norm(g.data))}` : null;
  if (box.kind === 'leaf')
    return {
      title: tensorName(V, id),
      sub: gradient ?? (x.grad_state === 'no_grad' ? '∅' : t(`role_${x.role}`)),
      class: state,
    };
  return {
    title: x.name ? `${x.name} = ${V.ops[box.ops[0]].op}` : V.ops[box.ops[0]].op,
    sub: gradient ?? (state === 'future' ? `[${x.shape.join(', ')}]` : oneValue(V, id)),
    class: state,
  };
}
const shortNumber = (v) =>
  v === 0 ? '0' : v >= 0.001 && v < 1e4 ? v.toPrecision(3) : v.toExponential(1).replace('-', '−');
const oneValue = (V, id) => {
  const data = V.value(id);
  return data && data.length <= 3
    ? Array.from(data, (v) => (Number.isFinite(v) ? v.toFixed(2).replace('-', '−') : show(v))).join(
        ' ',
      )
    : `[${V.tensors[id].shape.join(', ')}]`;
};

/// Where a value goes on without a gradient (a choice, a detach): a dashed end with the reason.
function endOf(V, box, height) {
  const ends = box.ops.flatMap((op) => V.ops[op].out).find((id) => V.tensors[id].ends);
  if (ends === undefined) return null;
  const how = V.tensors[ends].ends;
  return s(
    'g',
    {class: 'edge cut'},
    s('title', {}, `${tensorName(V, ends)}: ∅ ${t('grad_cut')} (${how})`),
    s('path', {d: `M${BOX.w},${height - 8} h${BOX.dx - 12}`, 'stroke-width': 1.6}),
    s('text', {class: 'glyph', x: BOX.w + 3, y: height + 7}, `∅ ${how}`),
  );
}
