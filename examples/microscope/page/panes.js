// The panes as tabs, the table that each of them has, and what can be taken away from them: SVG,
// PNG, CSV, JSON, LaTeX.

const PANES = [graphPane, alignmentPane, flowPane, editPane, comparePane, beamPane, lessonsPane];
const paneNow = () =>
  PANES.find((p) => p.id === app.pane && (p.available?.() ?? true)) ?? graphPane;

let workKey = ''; // what the tabs and the pane were drawn for

function drawWork() {
  const pane = paneNow(),
    list = PANES.filter((p) => p.available?.() ?? true);
  const {lang, digits, asTable, which} = app;
  const key = [pane.id, lang, digits, asTable, which, ...list.map((p) => p.id)].join();
  if (key === workKey && !asTable && pane.update?.()) return afterwards(pane);
  workKey = key;
  const tabs = roving(
    list.map((p) =>
      button(t(`pane_${p.id}`), () => go({pane: p.id}), {
        role: 'tab',
        id: `tab-${p.id}`,
        'aria-selected': String(p === pane),
        'aria-controls': 'panel',
        'data-key': `tab-${p.id}`,
      }),
    ),
    list.indexOf(pane),
  );
  redraw(
    byId('work'),
    h(
      'div',
      {class: 'tabbar'},
      h('div', {role: 'tablist', 'aria-label': t('panes')}, tabs),
      h('span', {class: 'spacer'}),
      button(t('as_table'), () => go({asTable: !app.asTable}), {
        'aria-pressed': String(app.asTable),
        'data-key': 'astable',
        id: 'astable',
      }),
      exportMenu(pane),
    ),
    h(
      'div',
      {role: 'tabpanel', id: 'panel', 'aria-labelledby': `tab-${pane.id}`},
      app.asTable ? tableView(pane) : pane.draw(),
    ),
  );
  if (!asTable) afterwards(pane);
}

/// Once everything is drawn: what has to ask where things are.
const afterwards = (pane) => pane.after && requestAnimationFrame(() => pane.after());

/// Pane 9: any pane as a table.
function tableView(pane) {
  const {columns, rows} = pane.table(),
    page = (app.options[`rows:${pane.id}`] ??= {at: 0}),
    most = 200;
  page.at = Math.max(0, Math.min(page.at, Math.floor(Math.max(0, rows.length - 1) / most) * most));
  const turn = (by) => () => {
    page.at += by;
    go({});
  };
  const part = rows.slice(page.at, page.at + most);
  return h(
    'div',
    {class: 'scroll tall', 'data-scroll': 'table', tabindex: 0},
    h(
      'table',
      {class: 'list'},
      h('caption', {}, t('table_of', t(`pane_${pane.id}`))),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map((c) => h('th', {scope: 'col'}, c)),
        ),
      ),
      h(
        'tbody',
        {},
        part.map((row, r) =>
          h(
            'tr',
            {},
            row.cells.map((cell, i) =>
              h(
                i ? 'td' : 'th',
                i ? {} : {scope: 'row'},
                i === 0 && row.pick
                  ? button(String(cell), () => look(row.pick), {
                      class: 'link',
                      'data-key': `row${page.at + r}`,
                      dir: 'auto',
                    })
                  : h('bdi', {}, String(cell)),
              ),
            ),
          ),
        ),
      ),
    ),
    rows.length > most &&
      h(
        'p',
        {class: 'pager'},
        `${page.at + 1} – ${page.at + part.length} / ${rows.length} `,
        button('↑', turn(-most), {
          disabled: !page.at,
          'data-key': 'tup',
          'aria-label': t('rowsUp'),
        }),
        button('↓', turn(most), {
          disabled: page.at + most >= rows.length,
          'data-key': 'tdown',
          'aria-label': t('rowsDown'),
        }),
      ),
  );
}

// ---- taking it away ----

function exportMenu(pane) {
  const kinds = {svg: exportSvg, png: exportPng, csv: exportCsv, json: exportJson, tex: exportTex};
  return h(
    'label',
    {class: 'choice'},
    `${t('export')} `,
    h(
      'select',
      {
        id: 'export',
        'data-key': 'export',
        onchange: (e) => {
          const kind = e.target.value;
          e.target.value = '';
          kinds[kind]?.(pane);
        },
      },
      h('option', {value: ''}, '…'),
      Object.keys(kinds).map((k) =>
        h('option', {value: k}, k === 'tex' ? 'LaTeX' : k.toUpperCase()),
      ),
    ),
  );
}

const fileName = (pane, ending) => `microscope-${pane.id}-step${app.step}.${ending}`;

/// The drawing of a pane with its colours in it; a pane without one gives its table as a drawing.
function svgText(pane) {
  const svg = pane.svg?.() ?? tableSvg(pane.table());
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  const rules = [...document.styleSheets[0].cssRules]
    .map((r) => r.cssText)
    .filter((text) =>
      /^(:root|\.?(svg|edge|box|cell|matrix|graph|axis|curve|line|dot|glyph|hatchline)|g\.|text|\.edge|\.box)/.test(
        text,
      ),
    );
  svg.prepend(
    s('style', {}, `svg { font-family: sans-serif; font-size: 13px; }\n${rules.join('\n')}`),
  );
  svg.insertBefore(
    s('rect', {width: '100%', height: '100%', style: 'fill: var(--paper)'}),
    svg.children[1] ?? null,
  );
  return new XMLSerializer().serializeToString(svg);
}

function tableSvg({columns, rows}) {
  const lines = [columns, ...rows.slice(0, 200).map((r) => r.cells.map(String))],
    w = columns.map(
      (_, i) => 16 + 7.6 * Math.min(60, Math.max(...lines.map((l) => String(l[i] ?? '').length))),
    );
  const width = w.reduce((a, b) => a + b, 16),
    height = 22 * lines.length + 16;
  return s(
    'svg',
    {width, height, viewBox: `0 0 ${width} ${height}`},
    lines.map((line, r) =>
      line.map((cell, i) =>
        s(
          'text',
          {
            class: 'axis',
            x: 8 + w.slice(0, i).reduce((a, b) => a + b, 0),
            y: 22 * (r + 1),
            'font-weight': r ? 'normal' : 'bold',
          },
          clip(String(cell), 60),
        ),
      ),
    ),
  );
}

const exportSvg = (pane) => download(fileName(pane, 'svg'), 'image/svg+xml', svgText(pane));

function exportPng(pane) {
  const text = svgText(pane),
    image = new Image();
  image.onload = () => {
    const canvas = h('canvas', {
      width: Math.min(8192, image.width * 2),
      height: Math.min(8192, image.height * 2),
    });
    canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => blob && download(fileName(pane, 'png'), 'image/png', blob));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}

/// A cell of a CSV file; a text that a spreadsheet would run as a formula gets an apostrophe.
function csvCell(v) {
  let text = String(v);
  if (/^-?−?[\d.]/.test(text)) text = text.replace(/^−/, '-').replace('e−', 'e-');
  else if (/^[=+@\t\r-]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
function csvText({columns, rows}) {
  return (
    [columns, ...rows.map((r) => r.cells)].map((line) => line.map(csvCell).join(',')).join('\r\n') +
    '\r\n'
  );
}
const exportCsv = (pane) =>
  download(fileName(pane, 'csv'), 'text/csv;charset=utf-8', csvText(pane.table()));

function exportJson(pane) {
  const {columns, rows} = pane.table(),
    T = trace();
  download(
    fileName(pane, 'json'),
    'application/json',
    JSON.stringify(
      {
        title: T.json.meta.title,
        pane: pane.id,
        step: app.step,
        edited: Boolean(shown().edited),
        columns,
        rows: rows.map((r) => r.cells),
      },
      null,
      1,
    ),
  );
}

/// What is looked at, as LaTeX: the formulas of the op, its tensors and their gradients.
function texText_() {
  const V = shown(),
    lines = ['% needs amsmath'],
    ids = [];
  if (app.op >= 0 && app.tensor < 0) {
    const o = V.ops[app.op],
      f = V.json.formulas[o.formula];
    if (f) for (const tex of [f.fwd_tex, ...f.vjp_tex]) lines.push(`\\[ ${tex} \\]`);
    ids.push(...new Set([...o.in.filter((id) => id !== null), ...o.out]));
  } else if (app.tensor >= 0) ids.push(app.tensor);
  else
    ids.push(
      ...V.tensors
        .map((_, id) => id)
        .filter((id) => V.tensors[id].name && sizeOf(V.tensors[id].shape) <= 64),
    );
  for (const id of ids) {
    const name = texText(tensorName(V, id)),
      x = V.tensors[id],
      data = V.value(id),
      g = gradAt(V, id, app.step).data;
    if (data && data.length <= 4096 && hasValue(V, id, app.step))
      lines.push(`\\[ \\mathrm{${name}} = ${matrixTex(data, x.shape)} \\]`);
    if (g && g.length <= 4096)
      lines.push(
        `\\[ \\frac{\\partial L}{\\partial \\mathrm{${name}}} = ${matrixTex(g, x.shape)} \\]`,
      );
  }
  return lines.join('\n') + '\n';
}
const exportTex = (pane) => download(fileName(pane, 'tex'), 'application/x-tex', texText_());
