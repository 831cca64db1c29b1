// Search: `/` goes there, Enter goes to what was found.

/// Tensors, ops, scopes and tokens whose text holds the query; at most 30.
function find(T, query) {
  const q = query.trim().toLowerCase(),
    hits = [];
  if (!q) return hits;
  if (!T.index) {
    T.index = [];
    T.tensors.forEach((x, id) =>
      T.index.push({
        text: `${tensorName(T, id)} · ${t('tensor')}${T.paths[x.scope] ? ` · ${T.paths[x.scope]}` : ''}`,
        low: `${x.name} #${id} ${T.paths[x.scope]}`.toLowerCase(),
        name: x.name.toLowerCase(),
        to: {tensor: id},
      }),
    );
    T.ops.forEach((o, op) =>
      T.index.push({
        text: `${opText(T, op)}${T.paths[o.scope] ? ` · ${T.paths[o.scope]}` : ''}`,
        low: `${o.op} ${opText(T, op)} ${T.paths[o.scope]}`.toLowerCase(),
        name: o.op,
        to: {op},
      }),
    );
    for (const map of alignments(T))
      for (const [list, row] of [
        [map.rows, true],
        [map.cols, false],
      ])
        list.forEach((word, i) => {
          const p = map.at(row ? i : 0, row ? 0 : i);
          if (p)
            T.index.push({
              text: `“${word}” · ${t(row ? 'target' : 'source_token')} ${i}`,
              low: word.toLowerCase(),
              name: word.toLowerCase(),
              to: {tensor: p.tensor, cell: p.index},
            });
        });
  }
  for (const hit of T.index) if (hit.low.includes(q)) hits.push(hit);
  return hits.sort((a, b) => (b.name === q) - (a.name === q)).slice(0, 30);
}

function searchBox(T) {
  const list = h('ul', {id: 'hits', role: 'listbox', 'aria-label': t('search')});
  const input = h('input', {
    type: 'search',
    id: 'search',
    placeholder: `${t('search')}  /`,
    value: app.options.query ?? '',
    role: 'combobox',
    'aria-expanded': 'false',
    'aria-controls': 'hits',
    'aria-label': t('search'),
    autocomplete: 'off',
    'data-key': 'search',
  });
  let active = 0,
    hits = [];
  const pick = (hit) => {
    app.options.query = '';
    look(hit.to);
    byId('card').focus({preventScroll: true});
  };
  const draw = () => {
    hits = find(T, input.value);
    active = Math.min(active, Math.max(0, hits.length - 1));
    list.replaceChildren(
      ...hits.map((hit, i) =>
        h(
          'li',
          {
            role: 'option',
            id: `hit${i}`,
            'aria-selected': String(i === active),
            onmousedown: (e) => {
              e.preventDefault();
              pick(hit);
            },
          },
          hit.text,
        ),
      ),
    );
    list.classList.toggle('open', hits.length > 0);
    input.setAttribute('aria-expanded', String(hits.length > 0));
    if (hits.length) input.setAttribute('aria-activedescendant', `hit${active}`);
    else input.removeAttribute('aria-activedescendant');
  };
  input.oninput = () => {
    app.options.query = input.value;
    active = 0;
    draw();
    say(t('hits', hits.length));
  };
  input.onblur = () => list.classList.remove('open');
  input.onkeydown = (e) => {
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault();
      active = Math.max(0, Math.min(hits.length - 1, active + (e.key === 'ArrowDown' ? 1 : -1)));
      draw();
      list.children[active]?.scrollIntoView({block: 'nearest'});
    } else if (e.key === 'Enter' && hits[active]) {
      e.preventDefault();
      pick(hits[active]);
    } else if (e.key === 'Escape') {
      e.stopPropagation();
      app.options.query = input.value = '';
      draw();
      input.blur();
    }
  };
  return h('div', {class: 'search'}, input, list);
}
