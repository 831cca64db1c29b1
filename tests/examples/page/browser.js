// A headless Chromium, driven through the DevTools protocol over a pipe: no package is needed.
'use strict';
const {spawn} = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

/// Starts `program` and opens a tab. Null where it does not start.
async function launch(program) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'heed-chromium-'));
  const child = spawn(
    program,
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--lang=en-US',
      '--disable-background-networking',
      '--disable-component-update',
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
    ],
    {stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true},
  );
  const waiting = new Map(),
    listeners = [];
  let last = 0,
    rest = '',
    ended = false;
  const fail = () => {
    ended = true;
    for (const {reject} of waiting.values()) reject(new Error('chromium ended'));
  };
  child.on('error', fail).on('exit', fail);
  child.stdio[3].on('error', () => {});
  child.stdio[4].setEncoding('utf8').on('data', (text) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop();
    for (const part of parts) {
      const message = JSON.parse(part),
        asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (!asked) listeners.forEach((f) => f(message));
      else if (message.error) asked.reject(new Error(message.error.message));
      else asked.resolve(message.result);
    }
  });
  const send = (method, params = {}, sessionId) =>
    new Promise((resolve, reject) => {
      if (ended) return reject(new Error('chromium ended'));
      waiting.set(++last, {resolve, reject});
      child.stdio[3].write(JSON.stringify({id: last, method, params, sessionId}) + '\0');
    });
  // Its processes are a group: those that it has begun still write to the profile when it has ended.
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL'); // it never began, or has ended
    }
  };
  const close = async () => {
    const gone = new Promise((done) => (ended ? done() : child.once('exit', done)));
    end();
    await gone;
    fs.rmSync(profile, {recursive: true, force: true, maxRetries: 5, retryDelay: 100});
  };
  try {
    const started = setTimeout(end, 60000);
    const {targetId} = await send('Target.createTarget', {url: 'about:blank'});
    const {sessionId} = await send('Target.attachToTarget', {targetId, flatten: true});
    clearTimeout(started);
    return await tab((method, params) => send(method, params, sessionId), listeners, close);
  } catch {
    await close();
    return null;
  }
}

async function tab(send, listeners, close) {
  const seen = {errors: [], requests: []};
  listeners.push(({method, params}) => {
    if (method === 'Runtime.exceptionThrown')
      seen.errors.push(
        params.exceptionDetails.exception?.description ?? params.exceptionDetails.text,
      );
    if (method === 'Runtime.consoleAPICalled')
      seen.errors.push(params.args.map((a) => a.value ?? a.description).join(' '));
    if (method === 'Log.entryAdded') seen.errors.push(params.entry.text);
    if (method === 'Network.requestWillBeSent') seen.requests.push(params.request.url);
  });
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`);
  const run = async (expression) => {
    const {result, exceptionDetails} = await send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails)
      throw new Error(
        `${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`,
      );
    return result.value;
  };
  return {
    seen,
    send,
    run,
    close,
    /// Opens an address and waits until it is loaded.
    async open(url) {
      for (const to of ['about:blank', url]) {
        await send('Page.navigate', {url: to});
        await this.until(
          `location.href.split('#')[0] === ${JSON.stringify(to.split('#')[0])} && document.readyState === 'complete'`,
        );
      }
    },
    /// Waits until the expression is true; throws after `seconds`.
    async until(expression, seconds = 60) {
      const end = Date.now() + 1000 * seconds;
      while (!(await run(expression).catch(() => false))) {
        if (Date.now() > end) throw new Error(`waited in vain for ${expression}`);
        await new Promise((done) => setTimeout(done, 20));
      }
    },
    /// Presses a key as a person does.
    async press(key, modifiers = 0) {
      const codes = {
        Enter: 13,
        Tab: 9,
        Escape: 27,
        ArrowLeft: 37,
        ArrowUp: 38,
        ArrowRight: 39,
        ArrowDown: 40,
        Home: 36,
        End: 35,
      };
      const text = key.length === 1 ? key : key === 'Enter' ? '\r' : undefined;
      const event = {
        key,
        modifiers,
        windowsVirtualKeyCode: codes[key] ?? key.toUpperCase().charCodeAt(0),
      };
      await send('Input.dispatchKeyEvent', {type: text ? 'keyDown' : 'rawKeyDown', text, ...event});
      await send('Input.dispatchKeyEvent', {type: 'keyUp', ...event});
    },
    async type(text) {
      await send('Input.insertText', {text});
    },
    async size(width, height, dark = false) {
      await send('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: false,
      });
      await send('Emulation.setEmulatedMedia', {
        features: [{name: 'prefers-color-scheme', value: dark ? 'dark' : 'light'}],
      });
    },
    async picture(file) {
      const {data} = await send('Page.captureScreenshot', {format: 'png'});
      fs.writeFileSync(file, Buffer.from(data, 'base64'));
    },
  };
}

module.exports = {launch};
