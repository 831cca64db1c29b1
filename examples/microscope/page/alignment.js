// Pane 3, alignment. A weight is never shown alone: beside it stand its gradient, the gradient of
// its score, their product, and what erasing it does.

const erased = new WeakMap(); // trace or replay -> Map "tensor:index" -> change of the loss

/// The five numbers of a cell, or null where the map has none; `state` where there is no gradient.
const MATRICES = [
  {
    id: 'a',
    label: 'α',
    sign: false,
    of: (V, p) => (hasValue(V, p.tensor, app.step) ? V.value(p.tensor)[p.index] : null),
  },
  {
    id: 'da',
    label: 'dL/dα',
    sign: true,
    of: (V, p) => gradAt(V, p.tensor, app.step).data?.[p.index] ?? null,
  },
  {
    id: 'de',
    label: 'dL/de',
    sign: true,
    of: (V, p) => {
      const e = scoresOf(trace(), p.tensor);
      return e < 0 ? null : (gradAt(V, e, app.step).data?.[p.index] ?? null);
    },
  },
  {
    id: 'ada',
    label: 'α·dL/dα',
    sign: true,
    of: (V, p) => {
      const g = MATRICES[1].of(V, p);
      return g === null ? null : g * V.value(p.tensor)[p.index];
    },
  },
  {
    id: 'erase',
    label: 'erase',
    sign: true,
    of: (V, p) =>
      app.step < V.seedStep ? null : (erased.get(V)?.get(`${p.tensor}:${p.index}`) ?? null),
  },
];

/// The maps to choose from: each head by itself, and the mean over the heads of a group (which is
/// not what the model computes).
function mapChoices() {
  const maps = alignments(trace()),
    groups = [...new Set(maps.filter((map) => map.head !== null).map((map) => map.group))];
  return [
    ...maps.map((map) => ({heads: [map]})),
    ...groups.map((group) => ({heads: maps.filter((map) => map.group === group)})),
  ];
}

function mapName({heads}) {
  const {kind, layer, title, head} = heads[0];
  const parts = [kind ? t(`kind_${kind}`) : title];
  if (layer !== null) parts.push(`${t('layer')} ${layer}`);
  if (head !== null) parts.push(heads.length > 1 ? t('mean_head') : `${t('head')} ${head}`);
  return parts.join(' · ');
}

function mapsShown(V) {
  const all = mapChoices(),
    pick = Math.min(app.options[`map${app.which}`] ?? 0, all.length - 1),
    {heads} = all[pick];
  const get = (matrix, r, c) => {
    const numbers = heads.map((map) => map.at(r, c)).map((p) => (p ? matrix.of(V, p) : null));
    if (numbers.some((v) => v === null)) return null;
    return numbers.reduce((sum, v) => sum + v, 0) / numbers.length;
  };
  return {all, pick, heads, map: heads[0], mean: heads.length > 1, get};
}

/// Computes the erase effects of a map: at once where they are few, else a few at a time, and then
/// all is drawn again.
function computeErased(V, map) {
  const known = erased.get(V) ?? new Map();
  erased.set(V, known);
  const todo = [];
  for (let r = 0; r < map.rows.length; r++)
    for (let c = 0; c < map.cols.length; c++) {
      const p = map.at(r, c);
      if (p && !known.has(`${p.tensor}:${p.index}`) && V.value(p.tensor)) todo.push(p);
    }
  if (!todo.length || known.busy) return;
  if (!canReplayFrom(V, todo[0].tensor)) {
    known.lacking = true;
    return;
  }
  const compute = ({tensor, index}) =>
    known.set(`${tensor}:${index}`, eraseEffect(V, tensor, index));
  if (todo.length * V.ops.length <= 500) return todo.forEach(compute);
  known.busy = true;
  const work = () => {
    const end = performance.now() + 30;
    while (todo.length && performance.now() < end) compute(todo.shift());
    if (todo.length) return setTimeout(work, 0);
    known.busy = false;
    if (shown() === V) go({});
  };
  setTimeout(work, 0);
}

/// One of the five matrices of a view as a drawing, and the power of ten of its numbers.
function matrixOf(V, view, matrix, keep) {
  const {map, get} = view,
    values = map.rows.map((_, r) => map.cols.map((__, c) => get(matrix, r, c))),
    most = maxAbs(values.flat().filter((v) => v !== null && Number.isFinite(v))),
    power = matrix.sign ? powerOf(most) : 0;
  const cell = (r, c) => {
    const p = map.at(r, c);
    return {
      masked: p && maskOf(V, p.tensor)?.[p.index] === 0,
      active: p && app.tensor === p.tensor && app.cell === p.index,
      pick: p && (() => pickCell(V, p)),
      key: matrix.id,
    };
  };
  const label = matrix.id === 'erase' ? t('erase') : matrix.label;
  const {rows, cols} = map;
  return {
    label,
    power,
    svg: heatmap(
      {
        label,
        rows,
        cols,
        values,
        sign: matrix.sign,
        top: matrix.sign ? most : 1,
        cell,
        keep: keep && `${keep}${matrix.id}`,
      },
      power,
    ),
  };
}

function pickCell(V, p) {
  look({
    tensor: p.tensor,
    cell: p.index,
    step: stepOfOp(trace(), trace().tensors[p.tensor].producer ?? 0, app.step > trace().ops.length),
  });
}

/// All five matrices of a view, never one alone. `keep`: see heatmap.
function alignmentFigures(V, view, keep) {
  if (app.step >= trace().seedStep) view.heads.forEach((map) => computeErased(V, map));
  const figure = (matrix) => {
    const {label, power, svg} = matrixOf(V, view, matrix, keep),
      recomputed = ['ada', 'erase'].includes(matrix.id);
    return h(
      'figure',
      {},
      h(
        'figcaption',
        {},
        label,
        powerText(power),
        recomputed && h('span', {class: 'mark'}, ` ${t('recomputed')}`),
      ),
      h('div', {class: 'scroll', 'data-scroll': keep + matrix.id}, svg),
      matrix.id === 'erase' &&
        erased.get(V)?.lacking &&
        h('p', {class: 'soft'}, t('needs_rerun', '…')),
    );
  };
  return h('div', {class: 'matrices'}, MATRICES.map(figure));
}

const alignmentPane = {
  id: 'alignment',
  available: () => alignments(trace()).length > 0,
  draw() {
    const V = shown(),
      view = mapsShown(V),
      names = view.all.map((x, i) => [i, mapName(x)]);
    const remember = (v) => {
      app.options[`map${app.which}`] = Number(v);
      go({});
    };
    return [
      names.length > 1 && choice(t('map'), names, view.pick, remember, {'data-key': 'map'}),
      view.mean && h('p', {class: 'warning'}, t('mean_warning')),
      h('p', {class: 'soft'}, t('alignment_text')),
      alignmentFigures(V, view, 'alignment'),
      h('p', {class: 'soft'}, t('scale_text')),
    ];
  },
  svg() {
    const V = shown(),
      view = mapsShown(V),
      all = MATRICES.map((matrix) => matrixOf(V, view, matrix));
    let y = 0;
    const size = (svg, name) => Number(svg.getAttribute(name));
    const width = Math.max(...all.map(({svg}) => size(svg, 'width')));
    const parts = all.map(({label, power, svg}) => {
      const g = s(
        'g',
        {transform: `translate(0 ${y + 16})`},
        s('text', {x: 4, y: 0, class: 'axis'}, label + powerText(power)),
        [...svg.childNodes],
      );
      y += size(svg, 'height') + 24;
      return g;
    });
    return s('svg', {class: 'matrix', width, height: y, viewBox: `0 0 ${width} ${y}`}, parts);
  },
  table() {
    const V = shown(),
      view = mapsShown(V),
      rows = [];
    view.map.rows.forEach((row, r) =>
      view.map.cols.forEach((col, c) => {
        const all = MATRICES.map((matrix) => view.get(matrix, r, c)),
          p = view.map.at(r, c);
        rows.push({
          pick: p && {tensor: p.tensor, cell: p.index},
          cells: [
            row,
            col,
            ...all.map((v, i) =>
              v === null ? '∅' : MATRICES[i].sign ? signed(v, app.digits) : num(v),
            ),
          ],
        });
      }),
    );
    return {
      columns: [t('target'), t('source_token'), 'α', 'dL/dα', 'dL/de', 'α·dL/dα', t('erase')],
      rows,
    };
  },
};
