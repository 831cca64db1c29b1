// Formulas: the plain text that the ops carry -> MathML (their LaTeX stands in the trace). A small
// grammar (assignments, sums, products by juxtaposition, fractions, powers, subscripts, functions,
// sums over an index); whatever does not fit it is shown as the text that it is.

const GREEK = {eps: 'ε', sigma: 'σ', beta: 'β', alpha: 'α', tau: 'τ', Phi: 'Φ', phi: 'φ'};
const FUNCTIONS = [
  'exp',
  'ln',
  'log',
  'tanh',
  'sigmoid',
  'sum',
  'mean',
  'max',
  'min',
  'sqrt',
  'softmax',
  'logsumexp',
  'onehot',
  'erf',
  'var',
  'sign',
];
const PROSE = [
  'where',
  'kept',
  'positions',
  'else',
  'elsewhere',
  'over',
  'axes',
  'axis',
  'with',
  'other',
  'sizes',
  'of',
  'the',
  'per',
  'counted',
  'token',
  'and',
  'if',
  'its',
  'to',
  'put',
  'back',
  'row-major',
  'order',
  'repeated',
  'largest',
  'first',
  'one',
  'equal',
  'parts',
  'after',
  'along',
  'an',
  'probability',
  'index',
  'rows',
  'position',
];

function tokens(text) {
  const found =
    text.match(/\s+|\d+(\.\d+)?|\+=|-=|<=|>=|[A-Za-z]+(?:-[a-z]+)+|[A-Za-z]\w*|\S/g) ?? [];
  const out = [];
  let space = false;
  for (const t of found) {
    if (/^\s/.test(t)) {
      space = true;
      continue;
    }
    out.push({t, space});
    space = false;
  }
  return out;
}

/// A tree {kind, ...} of a formula, or null where the text is prose.
function parseFormula(text) {
  const list = tokens(text);
  if (list.filter(({t}) => PROSE.includes(t)).length > 2) return null;
  let at = 0;
  const peek = () => list[at]?.t;
  const take = (t) => (peek() === t ? (at++, true) : false);
  const expect = (t) => {
    if (!take(t)) throw new Error(`expected ${t}`);
  };
  const starts = () =>
    at < list.length && (/^[\w(\[|`]/.test(peek()) || peek() === '`') && !PROSE.includes(peek());

  function sequence(closer) {
    const items = [relation()];
    while (peek() === ',' || peek() === ';')
      items.push({kind: 'op', text: list[at++].t}, relation());
    if (closer) expect(closer);
    return items.length === 1 ? items[0] : {kind: 'row', items};
  }
  function relation() {
    const items = PROSE.includes(peek()) ? [] : [sum()];
    while (['=', '+=', '-=', '<', '>', '<=', '>='].includes(peek()))
      items.push({kind: 'op', text: list[at++].t, relation: true}, sum());
    while (PROSE.includes(peek())) {
      const words = [];
      while (PROSE.includes(peek())) words.push(list[at++].t);
      items.push({kind: 'text', text: words.join(' ')});
      if (starts() || peek() === '-') items.push(relation());
    }
    return items.length === 1 ? items[0] : {kind: 'row', items};
  }
  function sum() {
    const items = [product()];
    while (peek() === '+' || peek() === '-')
      items.push({kind: 'op', text: list[at++].t}, product());
    return items.length === 1 ? items[0] : {kind: 'row', items};
  }
  function product() {
    let left = factor();
    for (;;) {
      if (take('/')) left = {kind: 'frac', top: left, bottom: factor()};
      else if (peek() === '*' || peek() === '.')
        left = {kind: 'row', items: [left, {kind: 'op', text: list[at++].t}, factor()]};
      else if (starts()) left = {kind: 'row', items: [left, {kind: 'space'}, factor()]};
      else return left;
    }
  }
  function factor() {
    if (take('-')) return {kind: 'row', items: [{kind: 'op', text: '-', prefix: true}, factor()]};
    return power(atom());
  }
  function power(base) {
    while (take('^')) {
      const minus = take('-');
      const exponent = atom(true);
      base = {
        kind: 'sup',
        base,
        sup: minus
          ? {kind: 'row', items: [{kind: 'op', text: '-', prefix: true}, exponent]}
          : exponent,
      };
    }
    return base;
  }
  function atom(plain) {
    const t = peek();
    if (t === undefined) throw new Error('the end');
    if (take('(')) return {kind: 'fence', open: '(', close: ')', body: sequence(')')};
    if (take('[')) return {kind: 'fence', open: '[', close: ']', body: sequence(']')};
    if (take('|')) {
      const body = sum();
      expect('|');
      return {kind: 'fence', open: '|', close: '|', body};
    }
    at++;
    if (/^\d/.test(t)) return {kind: 'number', text: t};
    if (!/^\w/.test(t)) throw new Error(`unexpected ${t}`);
    const [, base, low] = t.match(/^([A-Za-z]+?)(?:_(\w+))?$/) ?? [null, t, null];
    if (plain) return {kind: 'name', text: t};
    if (FUNCTIONS.includes(base)) {
      if (base === 'sum' && low) return {kind: 'sum', under: low, body: product()};
      const f = {kind: 'function', text: base};
      if (!starts() && peek() !== '-' && peek() !== '(') return f;
      return {
        kind: 'apply',
        f,
        body: peek() === '(' ? power(atom()) : product(),
        bare: base === 'sqrt',
      };
    }
    let node = {kind: 'name', text: base};
    if (low) node = {kind: 'sub', base: node, sub: {kind: 'name', text: low}};
    if (peek() === '[' && !list[at].space) {
      at++;
      node = {kind: 'sub', base: node, sub: sequence(']')};
    }
    return node;
  }
  try {
    const tree = sequence();
    return at === list.length ? tree : null;
  } catch {
    return null;
  }
}

const OPERATOR = {'*': '⊙', '.': '·', '-': '−', '<=': '≤', '>=': '≥', '+=': '+=', '-=': '−='};

function mathNode(node) {
  switch (node.kind) {
    case 'row':
      return m('mrow', {}, node.items.map(mathNode));
    case 'op':
      return m('mo', node.prefix ? {form: 'prefix'} : {}, OPERATOR[node.text] ?? node.text);
    case 'space':
      return m('mspace', {width: '0.25em'});
    case 'number':
      return m('mn', {}, node.text);
    case 'name':
      return m(
        'mi',
        node.text.length > 1 && !GREEK[node.text] ? {mathvariant: 'normal'} : {},
        letters(node.text),
      );
    case 'text':
      return m('mtext', {}, ` ${prose(node.text)} `);
    case 'function':
      return m('mi', {mathvariant: 'normal'}, {sum: 'Σ', sigmoid: 'σ'}[node.text] ?? node.text);
    case 'sub':
      return m('msub', {}, mathNode(node.base), mathNode(node.sub));
    case 'sup':
      return m('msup', {}, mathNode(node.base), mathNode(node.sup));
    case 'frac':
      return m('mfrac', {}, mathNode(bare(node.top)), mathNode(bare(node.bottom)));
    case 'sum':
      return m(
        'mrow',
        {},
        m('munder', {}, m('mo', {}, '∑'), m('mi', {}, node.under)),
        mathNode(node.body),
      );
    case 'apply':
      return node.bare
        ? m('msqrt', {}, mathNode(bare(node.body)))
        : m('mrow', {}, mathNode(node.f), m('mspace', {width: '0.17em'}), mathNode(node.body));
    case 'fence':
      return m('mrow', {}, m('mo', {}, node.open), mathNode(node.body), m('mo', {}, node.close));
  }
  return m('mtext', {}, '?');
}
const bare = (node) => (node.kind === 'fence' && node.open === '(' ? node.body : node);
/// "dx" as "dx" with an upright d is what the library writes; Greek names become letters.
const letters = (text) => GREEK[text] ?? text;

/// A formula as an element: MathML, or the text itself.
function formula(text) {
  const tree = parseFormula(text);
  if (!tree) return h('span', {class: 'formula prose'}, prose(text));
  return h(
    'span',
    {class: 'formula'},
    m('math', {display: 'inline', displaystyle: 'true', 'aria-label': text}, mathNode(tree)),
  );
}

const TEX_TEXT = {'\\': 'backslash', '^': 'asciicircum', '~': 'asciitilde'};
const texText = (text) =>
  text.replace(/[\\{}$&#%_^~]/g, (c) => (TEX_TEXT[c] ? `\\text${TEX_TEXT[c]}{}` : `\\${c}`));

/// Numbers of a shape as a LaTeX matrix; more than two axes as one row.
function matrixTex(data, shape) {
  const cols = shape.length ? shape[shape.length - 1] : 1;
  const lines = [];
  for (let at = 0; at < data.length; at += Math.max(cols, 1))
    lines.push(
      Array.from(data.slice(at, at + cols), (v) =>
        show(v, app.digits).replace(/−/g, '-').replace('∞', '\\infty '),
      ).join(' & '),
    );
  return `\\begin{bmatrix}\n${lines.join(' \\\\\n')}\n\\end{bmatrix}`;
}
