// A matrix of small numbers as a drawing: rows and columns with words, blue below 0, orange above
// it, hatched where masked, ∅ where there is none. Large and small ones share a power of ten, which
// stands in the caption.

/// The power of ten that numbers up to `most` are shown in: 0 while they read well as they are.
function powerOf(most) {
  const power = most > 0 && Number.isFinite(most) ? Math.floor(Math.log10(most)) : 0;
  return power < -1 || power > 3 ? power : 0;
}

const superscript = (n) =>
  String(n).replace(/[-\d]/g, (c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)]);
const powerText = (power) => (power ? ` ×10${superscript(power)}` : '');

/// v / 10^power with `digits` digits.
function shortCell(v, sign, power, digits) {
  if (!Number.isFinite(v)) return show(v);
  if (v === 0) return '0';
  const size = Math.abs(v) / 10 ** power,
    places = digits - (size < 0.995 ? 0 : size < 9.95 ? 1 : 2);
  const text = fixed(size, Math.max(0, places));
  return (v < 0 ? '−' : sign ? '+' : '') + text.replace(/^0\./, '.');
}

const cellSize = (cols) =>
  cols <= 4 ? {w: 54, h: 30} : cols <= 7 ? {w: 44, h: 28} : {w: 37, h: 25};

/// The drawing. map: {label, rows, cols, values: numbers or null by row, sign, top: what full colour
/// is, cell(r, c) -> {masked, active, pick, key}, keep: a name under which the drawing is kept while it
/// would be the same}. `power`: see powerOf.
function heatmap(map, power = 0) {
  const {keep, label, rows, cols, values} = map;
  if (!keep) return drawHeatmap(map, power);
  const marks = values.map((row, r) => Array.from(row, (_, c) => map.cell?.(r, c).active ?? false));
  const sign =
    JSON.stringify([app.which, app.lang, app.digits, label, rows, cols, power, marks]) +
    values.map((row) => Array.from(row, String).join()).join(';');
  const old = keptHeatmaps.get(keep);
  if (old?.sign === sign) return old.svg;
  const svg = drawHeatmap(map, power);
  keptHeatmaps.set(keep, {sign, svg});
  return svg;
}

const keptHeatmaps = new Map(); // by place on the page: what was drawn there last

function drawHeatmap(map, power) {
  const size = cellSize(map.cols.length);
  const left = Math.min(110, 16 + 8 * Math.max(1, ...map.rows.map((x) => x.length))),
    top = 16 + Math.min(42, 8 + 4 * Math.max(1, ...map.cols.map((x) => x.length)));
  const cells = map.values.map((row, r) =>
    Array.from(row, (v, c) =>
      heatCell(map, r, c, v, size, left + c * size.w, top + r * size.h, power),
    ),
  );
  const width = left + map.cols.length * size.w + 44,
    height = top + map.rows.length * size.h + 6;
  return s(
    'svg',
    {
      class: 'matrix',
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: 'group',
      'aria-label': map.label,
      onkeydown: heatKeys,
    },
    s(
      'defs',
      {},
      s(
        'pattern',
        {
          id: 'hatch',
          width: 6,
          height: 6,
          patternUnits: 'userSpaceOnUse',
          patternTransform: 'rotate(45)',
        },
        s('rect', {width: 2, height: 6, class: 'hatchline'}),
      ),
    ),
    map.cols.map((text, c) =>
      s(
        'text',
        {
          class: 'axis',
          transform: `translate(${left + (c + 0.4) * size.w} ${top - 6}) rotate(-35)`,
        },
        clip(text, 12),
      ),
    ),
    map.rows.map((text, r) =>
      s(
        'text',
        {class: 'axis', x: left - 6, y: top + r * size.h + size.h / 2 + 3, 'text-anchor': 'end'},
        clip(text, 12),
      ),
    ),
    cells,
  );
}

function heatCell(map, r, c, v, size, x, y, power) {
  const {masked, active, pick, key} = map.cell?.(r, c) ?? {},
    look = v === null ? {class: 'none'} : tint(v, map.top);
  const text = `${map.label}, ${map.rows[r]} → ${map.cols[c]}: ${v === null ? `∅ ${t('no_gradient')}` : num(v)}${masked ? `, ${t('masked')}` : ''}`;
  return s(
    'g',
    {
      class: `cell ${look.class}${masked ? ' masked' : ''}${active ? ' active' : ''}`,
      transform: `translate(${x} ${y})`,
      tabindex: !pick ? null : r || c ? -1 : 0,
      role: pick ? 'button' : 'img',
      'data-key': key ? `${key}:${r}:${c}` : null,
      'aria-label': text,
      onclick: pick,
    },
    s('title', {}, text),
    s('rect', {width: size.w - 2, height: size.h - 2, rx: 2, style: look.style}),
    masked &&
      s('rect', {class: 'hatch', width: size.w - 2, height: size.h - 2, fill: 'url(#hatch)'}),
    s(
      'text',
      {x: size.w / 2 - 1, y: size.h / 2 + 3, 'text-anchor': 'middle'},
      v === null ? '∅' : shortCell(v, map.sign, power, size.w > 40 ? 3 : 2),
    ),
  );
}

/// Arrows move among the cells of one matrix, Enter picks.
function heatKeys(e) {
  const by = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[e.key];
  const [key, r, c] = (e.target.dataset.key ?? '').split(':');
  if (e.key === 'Enter' && e.target.onclick) return e.target.onclick();
  if (!by || c === undefined) return;
  const to = e.currentTarget.querySelector(
    `[data-key="${key}:${Number(r) + by[0]}:${Number(c) + by[1]}"]`,
  );
  if (!to) return;
  e.preventDefault();
  e.stopPropagation();
  [e.target.tabIndex, to.tabIndex] = [-1, 0];
  to.focus();
}
