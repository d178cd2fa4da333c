// More than a page can take at once: it stays responsive, and what it holds is bounded.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { startEbbtide } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { outsider } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, needs } from './harness/place.mjs';

const FLOOD = 50_000;
const RUNS = 5;
/** A task of the page's main thread that uses more processor time than this is felt. */
const LONG_TASK_MS = 50;
/** In the median run. */
const LONG_TASKS_MAX = 3;
const RECEIVE_MAXIMUM = 20;
const INBOX_MAX = 50;

// Fails if a burst is worked off in one go, so that the page cannot paint or be clicked meanwhile.
test('50,000 messages at once: few long tasks, none lost', needs(120_000), async (t) => {
  const { broker, tab, window } = await opened(t);
  const sender = await outsider(t, broker);
  await tab.call('count', 'flood/#', { qos: 0 });
  await tab.eventually('granted', () => window.app.subscriptions['flood/#'].granted, (qos) => qos === 0);
  const longTasks = [];
  for (let run = 1; run <= RUNS; run++) {
    const stop = await window.traceTasks(tab);
    for (let sent = 0; sent < FLOOD / RUNS; sent++) sender.publish('flood/1', `message ${sent}`, { qos: 0 });
    await tab.eventually('all of them', () => window.app.counted, (count) => count === run * (FLOOD / RUNS));
    const tasks = await stop();
    longTasks.push(tasks.filter((ms) => ms > LONG_TASK_MS).length);
  }
  const median = longTasks.sort((a, b) => a - b)[(RUNS - 1) / 2];
  t.diagnostic(`long tasks in ${RUNS} runs of ${FLOOD / RUNS}: ${longTasks.join(', ')}`);
  assert.ok(median <= LONG_TASKS_MAX, `long tasks: ${longTasks.join(', ')}`);
});

// Fails if messages are acknowledged before there is room for them: what the page holds would have no bound.
test('handlers that do not finish hold the server back, and get everything once they go on', needs(), async (t) => {
  const { broker, link, pages, tab } = await opened(t, { receiveMaximum: RECEIVE_MAXIMUM, limits: { inboxMessagesMax: INBOX_MAX } });
  const sender = await outsider(t, broker);
  await tab.call('subscribe', 'flood/#', { qos: 1, note: true });
  await tab.eventually('granted', () => window.app.subscriptions['flood/#'].granted, (qos) => qos === 1);
  pages.hold(() => true);
  const total = 5 * INBOX_MAX;
  const texts = Array.from({ length: total }, (_, at) => String(at));
  await Promise.all(texts.map((text) => sender.publishAsync('flood/1', text, { qos: 1 })));

  // The server has sent all that it may, and a round trip later no more has come.
  const unacknowledged = () => link.count(false, 'publish') - link.count(true, 'puback');
  const aRoundTrip = async () => {
    const pings = link.count(false, 'pingresp');
    await tab.page.evaluate(() => window.dispatchEvent(new Event('online')));
    await eventually('a round trip', () => link.count(false, 'pingresp'), (count) => count > pings);
  };
  let came;
  do {
    await eventually('a full window', unacknowledged, (count) => count >= RECEIVE_MAXIMUM);
    came = link.count(false, 'publish');
    await aRoundTrip();
  } while (link.count(false, 'publish') > came);
  assert.equal(unacknowledged(), RECEIVE_MAXIMUM);
  assert.ok(came >= INBOX_MAX && came <= INBOX_MAX + RECEIVE_MAXIMUM, `${came} messages came`);
  await tab.state('online');

  pages.release();
  await pages.noted('all', (notes) => notes.length >= total, 30_000);
  assert.deepEqual(pages.notes.map(({ text }) => text), texts);
});

async function opened(t, options = {}) {
  const broker = await startEbbtide(t);
  const link = await startLink(t, broker);
  const pages = await startPages(t);
  const window = await openWindow(t, pages);
  const tab = await window.tab('a');
  await tab.call('connect', link.url, { identity: 'ana', ...options });
  await tab.state('online');
  return { broker, link, pages, window, tab };
}
