// How long a page whose broker cannot be reached takes to show 1,000 values that it was given an earlier time: from the start of its
// script to the frame that has the first of them. The browser is the one that took the values; the page is opened anew each time. It fails
// when that is above its line.
//   node first-paint.mjs <http:// of a broker> <folder of the package> [openings]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPage, expectLine, inBrowser, median } from './measured-page.mjs';
import { serve } from './site.mjs';

const [broker, folder, openings = '20'] = process.argv.slice(2);
const VALUES = 1000;
const MS_MAX = 100;
const root = mkdtempSync(join(tmpdir(), 'ebbtide-paint-'));

/** `shown`: how many values the page has; `painted`: ms, once there is a frame. */
const BOARD = `const started = performance.now();
  globalThis.shown = 0;
  const list = document.body.appendChild(document.createElement('ul'));
  // The first task behind a frame's callbacks comes when it is painted.
  const afterNextFrame = (callback) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = callback;
    requestAnimationFrame(() => port2.postMessage(undefined));
  };
  const client = connect('/mqtt', { identity: 'board' });
  const subscription = client.subscribe('paint/{name}');
  subscription.onMessage((message) => {
    if (shown++ === 0) afterNextFrame(() => (globalThis.painted = performance.now() - started));
    // What fits on the screen.
    if (shown <= 50) list.appendChild(document.createElement('li')).textContent = message.params.name + ' ' + message.text();
  });
  globalThis.snapshot = subscription.snapshot;`;
const SETTER = `const client = connect('/mqtt', { identity: 'setter' });
  const set = (at) => client.publish('paint/' + at, 'value ' + at, { qos: 1, retain: true }).acked;
  globalThis.snapshot = Promise.all(Array.from({ length: ${VALUES} }, (_, at) => set(at)));`;
const page = (script) => `import { connect } from './ebbtide/index.js';\n${script}`;

try {
  const site = async (name, script) => serve(await buildPage(root, name, page(script), folder), broker);
  const [setter, board] = [await site('setter', SETTER), await site('board', BOARD)];
  await inBrowser(async (_, context) => {
    const open = async ({ url }, ready) => {
      const tab = await context.newPage();
      await tab.goto(url);
      await tab.waitForFunction(ready, VALUES, { polling: 50 });
      return tab;
    };
    for (const site of [setter, board]) await (await open(site, () => globalThis.snapshot?.then(() => true))).close();
    board.link.up = false;
    const times = [];
    for (let opening = 0; opening < Number(openings); opening++) {
      const tab = await open(board, (values) => globalThis.painted !== undefined && globalThis.shown === values);
      times.push(await tab.evaluate(() => globalThis.painted));
      await tab.close();
    }
    const [low, middle, high] = [Math.min(...times), median(times), Math.max(...times)];
    console.log('| openings | median, ms | from | to | line to stay under |');
    console.log('|---:|---:|---:|---:|---:|');
    console.log(`| ${times.length} | ${middle.toFixed(0)} | ${low.toFixed(0)} | ${high.toFixed(0)} | ${MS_MAX} |`);
    expectLine(middle < MS_MAX, `the first values after ${middle.toFixed(0)} ms, and ${MS_MAX} are the line`);
  });
  setter.close();
  board.close();
} finally {
  rmSync(root, { recursive: true, force: true });
}
