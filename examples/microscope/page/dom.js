// Small tools for the document: elements, focus that survives drawing again, downloads.

/// h('td', {class: 'x', onclick: f}, 'text', child): text never becomes markup.
function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}
function s(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}
function m(tag, attributes, ...children) {
  return fill(
    document.createElementNS('http://www.w3.org/1998/Math/MathML', tag),
    attributes,
    children,
  );
}
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(
    ...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false),
  );
  return element;
}

const byId = (id) => document.getElementById(id);

const scrolled = new Map(); // data-scroll -> [left, top], noted when it happens: asking costs a layout
document.addEventListener(
  'scroll',
  ({target}) =>
    target.dataset?.scroll &&
    scrolled.set(target.dataset.scroll, [target.scrollLeft, target.scrollTop]),
  true,
);

/// Replaces what is in `element`; whoever had the focus (by data-key) has it afterwards, and what
/// was scrolled stays scrolled.
function redraw(element, ...children) {
  const key = element.contains(document.activeElement) ? document.activeElement.dataset?.key : null;
  element.replaceChildren(...children.flat(Infinity).filter(Boolean));
  for (const [name, [left, top]] of scrolled) {
    const e = (left || top) && element.querySelector(`[data-scroll="${CSS.escape(name)}"]`);
    if (e) [e.scrollLeft, e.scrollTop] = [left, top];
  }
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({preventScroll: true});
}

const button = (label, onclick, more) => h('button', {type: 'button', onclick, ...more}, label);

/// A select with [value, text] options.
function choice(label, options, value, onchange, more) {
  const list = options.map(([v, text]) =>
    h('option', {value: v, selected: String(v) === String(value)}, text),
  );
  return h(
    'label',
    {class: 'choice'},
    label && `${label} `,
    h('select', {onchange: (e) => onchange(e.target.value), ...more}, list),
  );
}

/// Arrow keys move along `items`; only one of them is a tab stop.
function roving(items, active, horizontal = true) {
  items.forEach((item, i) => {
    item.tabIndex = i === active ? 0 : -1;
    item.addEventListener('keydown', (e) => {
      const by = {
        [horizontal ? 'ArrowRight' : 'ArrowDown']: 1,
        [horizontal ? 'ArrowLeft' : 'ArrowUp']: -1,
      }[e.key];
      const to =
        e.key === 'Home'
          ? 0
          : e.key === 'End'
            ? items.length - 1
            : by
              ? (i + by + items.length) % items.length
              : -1;
      if (to < 0) return;
      e.preventDefault();
      e.stopPropagation();
      items[to].focus();
      items[to].click();
    });
  });
  return items;
}

const say = (text) => (byId('live').textContent = text);

function download(name, type, content) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], {type}));
  h('a', {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
