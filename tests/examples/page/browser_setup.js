// What the tests in the browser share: the program, a folder, pages made by it.
'use strict';
const {pageCode, scratch, runner, root, path} = require('./page_code.js');

const page = pageCode();
const here = scratch();
const microscope = runner(process.argv[2], here);
const cases = path.join(root, 'examples', 'microscope', 'cases');
const url = (name) => `file://${path.join(here, name)}`;
const at = (name) => path.join(here, name);

function view(html, ...traces) {
  microscope('view', ...traces, '-o', html);
  return url(html);
}
function trace(name, out = `${name}.json`) {
  microscope('trace', '--case', path.join(cases, `${name}.json`), '-o', out);
  return out;
}

const READY = `Boolean(byId('badge')) && !byId('badge').innerText.includes('…') && trace().parity.done`;

module.exports = {page, here, url, at, microscope, cases, view, trace, READY};
