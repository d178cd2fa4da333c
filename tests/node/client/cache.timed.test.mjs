// What was last seen is there before the network is: marked, and put right as soon as the server says how it is now.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { BROKERS } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { outsider } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { needs } from './harness/place.mjs';

const VALUES = 1_000;
/** After the visit that stores the values, as a user has it: what the browser compiled then it has. */
const OPENINGS = 15;
/** From the start of the page's script to the frame that shows the first values, in the middle of all openings. */
const PAINTED_WITHIN_MS = 100;

for (const { name, start, programs } of BROKERS) {
  // Fails if the cache waits for the network, if it is slow to open, if old values look like live ones, or if what was deleted
  // meanwhile stays.
  test(`1,000 retained values of ${name} are painted without the broker, then put right`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const pages = await startPages(t);
    const window = await openWindow(t, pages);
    const sender = await outsider(t, broker);
    const topic = (at) => `state/${at}/temperature`;
    const set = (at, text) => sender.publishAsync(topic(at), text, { qos: 1, retain: true });
    await Promise.all(Array.from({ length: VALUES }, (_, at) => set(at, `old ${at}`)));

    const board = () => window.tab('board', 'board.html', { broker: link.url });
    const all = (text) => (values) => Object.keys(values).length === VALUES && Object.values(values).every(text);
    let tab = await board();
    await tab.eventually('all values', () => window.board.texts(), all((value) => value.startsWith('live old')));
    await tab.eventually('the snapshot', () => window.board.snapshots, (count) => count === 1);
    await tab.close();

    link.cut();
    await window.goFirst();
    const paints = [];
    for (let opening = 0; opening < OPENINGS; opening++) {
      tab = await board();
      await tab.eventually('all values', () => window.board.texts(), all((value) => value.startsWith('cached old')));
      paints.push(await tab.eventually('a frame', () => window.board.paintedMs));
      assert.equal(await tab.page.evaluate(() => window.board.snapshots), 0);
      if (opening < OPENINGS - 1) await tab.close();
    }
    const sorted = paints.toSorted((a, b) => a - b).map(Math.round);
    const said = `painted after ${sorted.join(', ')} ms`;
    t.diagnostic(said);
    assert.ok(sorted[(OPENINGS - 1) / 2] <= PAINTED_WITHIN_MS, said);

    await set(0, 'new 0');
    await set(1, '');
    link.restore();
    const values = await tab.eventually('live values', () => window.board.texts(), (texts) => texts['state/0/temperature'] === 'live new 0' && !texts['state/1/temperature']);
    await tab.eventually('the snapshot', () => window.board.snapshots, (count) => count === 1);
    assert.equal(Object.keys(values).length, VALUES - 1);
    const after = await tab.page.evaluate(() => window.board.texts());
    assert.equal(after['state/2/temperature'], 'live old 2');
    await sender.publishAsync(topic(2), 'newer 2', { qos: 1, retain: true });
    await tab.eventually('a live change', () => window.board.texts()['state/2/temperature'], (text) => text === 'live newer 2');
    assert.equal(await tab.page.evaluate(() => window.board.snapshots), 1);

    // What went is gone from the cache, too.
    await tab.close();
    link.cut();
    tab = await board();
    const cached = await tab.eventually('the values', () => window.board.texts(), (texts) => Object.keys(texts).length >= VALUES - 1);
    assert.deepEqual([cached['state/0/temperature'], cached['state/1/temperature']], ['cached new 0', undefined]);
  });
}
