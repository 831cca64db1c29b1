// What the Node tests of the microscope's page share: its scripts as functions, the program, checks
// that count.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const {execFileSync} = require('child_process');

const root = path.join(__dirname, '..', '..', '..');
const folder = path.join(root, 'examples', 'microscope', 'page');

/// The page's scripts that need no page, as one object of their functions.
function pageCode(
  names = [
    'numbers',
    'trace',
    'ops',
    'ops_products',
    'ops_recurrent',
    'replay',
    'attention',
    'layout',
    'reasons',
  ],
) {
  const text = names
    .map((name) => fs.readFileSync(path.join(folder, `${name}.js`), 'utf8'))
    .join('\n');
  const all = [...text.matchAll(/^(?:function\*? (\w+)|const (\w+) =)/gm)].map(
    (found) => found[1] ?? found[2],
  );
  return new Function(`'use strict';\n${text}\nreturn {${all.join(', ')}};`)();
}

/// A folder that is gone when the test ends.
function scratch() {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'heed-page-'));
  process.on('exit', () => fs.rmSync(made, {recursive: true, force: true}));
  return made;
}

let failures = 0,
  checks = 0;
function check(ok, text) {
  checks++;
  if (ok) return;
  failures++;
  console.log(`FAILED: ${text}`);
}
function near(got, want, tolerance, text) {
  check(Math.abs(got - want) <= tolerance, `${text}: expected ${want}, got ${got}`);
}
/// Ends the program: 1 where a check failed, or where nothing was checked.
function finish() {
  console.log(`${checks} checks, ${failures} failed`);
  process.exitCode = failures || !checks ? 1 : 0;
}

/// Runs `microscope` and returns what it printed.
const runner =
  (program, cwd) =>
  (...args) =>
    execFileSync(program, args, {cwd, encoding: 'utf8', maxBuffer: 1 << 28});

module.exports = {pageCode, scratch, check, near, finish, runner, root, folder, fs, path};
