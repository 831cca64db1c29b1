// The edges of the graph: wide where much gradient passes, coloured by the sign of its sum.

/// pos, neg, or zero where the sum is nothing but rounding.
const signOf = (sum, size) => (Math.abs(sum) <= 1e-14 * size ? 'zero' : sum > 0 ? 'pos' : 'neg');

/// Everything the drawing says of an edge: has the forward value passed, what came back.
function edgeLook(V, e) {
  const forward = e.tensors.some((id) => hasValue(V, id, app.step));
  let sum = 0,
    size = 0,
    any = false;
  for (const c of e.contribs) {
    if (V.backwardStep[V.contribs[c].op] > app.step) continue;
    const data = V.contribution(c);
    if (!data) continue;
    any = true;
    sum += total(data);
    size = Math.hypot(size, norm(data));
  }
  return {forward, any, sum, size};
}

const widthOf = (size, top) =>
  size > 0 && top > 0 ? 1.5 + 6.5 * Math.max(0, 1 + Math.log10(size / top) / 4) : 1;

function edgePath(a, b, e, height) {
  if (e.bends) {
    // through its places between the boxes
    const stops = [
      [a.x + BOX.w, a.y + height / 2],
      ...e.bends.flatMap((p) => [
        [p.x, p.y + 7],
        [p.x + BOX.w, p.y + 7],
      ]),
      [b.x, b.y + height / 2],
    ];
    return stops
      .map(([x, y], i) =>
        i === 0
          ? `M${x},${y}`
          : i % 2
            ? `C${stops[i - 1][0] + 25},${stops[i - 1][1]} ${x - 25},${y} ${x},${y}`
            : `L${x},${y}`,
      )
      .join(' ');
  }
  const x1 = a.x + BOX.w,
    y1 = a.y + height / 2,
    x2 = b.x,
    y2 = b.y + height / 2;
  if (e.back) {
    const low = Math.max(a.y, b.y) + height + 14;
    return `M${x1},${y1} C${x1 + 40},${low} ${x2 - 40},${low} ${x2},${y2}`;
  }
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
}

/// The edges as parts of the drawing.
function edgeParts(V, graph) {
  const looks = graph.edges.map((e) => edgeLook(V, e));
  const top = Math.max(...looks.map((l) => (l.any && Number.isFinite(l.size) ? l.size : 0)), 0);
  const event = app.step ? trace().events[app.step - 1] : null;
  return graph.edges.map((e, i) => {
    const l = looks[i],
      sign = l.any ? signOf(l.sum, l.size) : '',
      active = event?.kind === 'bwd' && e.contribs.some((c) => V.contribs[c].op === event.op),
      width = l.any ? widthOf(l.size, top).toFixed(2) : '1.25',
      text = edgeText(V, e, l);
    const state = e.cut ? 'cut' : e.live ? '' : 'constant';
    const kind = `edge ${sign} ${l.forward ? 'passed' : ''} ${state} ${active ? 'active' : ''}`;
    const signs = active || graph.edges.length < 40;
    const glyph = e.cut
      ? `∅ ${e.cut}`
      : !signs
        ? ''
        : sign === 'pos'
          ? '+'
          : sign === 'neg'
            ? '−'
            : '';
    return {
      edge: true,
      key: e.key,
      sign: `${kind}${width}${text}${glyph}`,
      draw: () => edgeSvg(graph, e, kind, width, text, glyph),
    };
  });
}

function edgeText(V, e, {any, size, sum}) {
  const what = e.tensors.map((id) => tensorName(V, id)).join(', ');
  if (e.cut) return `${what}: ∅ ${t('grad_cut')} (${e.cut})`;
  if (!e.live) return `${what}: ${t('grad_no_grad')}`;
  return any ? `dL/d${what}: ‖·‖ ${num(size)}, ${t('sum')} ${signed(sum, app.digits)}` : what;
}

function edgeSvg(graph, e, kind, width, text, glyph) {
  const from = graph.boxes.get(e.from),
    to = graph.boxes.get(e.to),
    next = e.bends ? {x: e.bends[0].x, y: e.bends[0].y + 7 - graph.h / 2} : to;
  const x = (from.x + BOX.w + next.x) / 2,
    y = (from.y + next.y + graph.h) / 2 - 5;
  return s(
    'g',
    {class: kind},
    s('title', {}, text),
    s('path', {d: edgePath(from, to, e, graph.h), 'stroke-width': width}),
    glyph && s('text', {class: 'glyph', x, y, 'text-anchor': 'middle'}, glyph),
  );
}
