// More than a page can take at once: it stays responsive, and what it holds is bounded.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openPublisher } from '../../bundlers/publisher.mjs';
import { openWindow } from './harness/browser.mjs';
import { BROKERS, startEbbtide } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { outsider } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { assertSameList, eventually, needs } from './harness/place.mjs';

const FLOOD = 50_000;
const FLOOD_TOPIC = 'flood/1';
const FLOOD_BYTES = 256;
const RUNS = 5;
/** A task of the page's main thread that uses more processor time than this is felt. */
const LONG_TASK_MS = 50;
/** So long that it is felt, however little of a processor is left for it. */
const FELT_MS = 300;
const RECEIVE_MAXIMUM = 20;
const INBOX_MAX = 50;
const BACKLOG = 1_000;
/** In all five times what the page may hold of them. */
const PAYLOAD_BYTES = 1_024;
const HELD_BYTES_MAX = 8 * 2 ** 20;
/** How often that is looked at, evenly over the flood. */
const LOOKS = 10;
/** What waits for a page is not to be dropped, however slow this machine is today. */
const NO_DROPS = ['--outgoing-bytes-max', String(2 ** 28)];

// Not on Mosquitto: through its WebSocket listener 50,000 messages take most of a minute, which is no flood.
for (const qos of [0, 1]) {
  // Fails if a burst is worked off in one go, so that the page cannot paint or be clicked meanwhile.
  test(`50,000 messages of QoS ${qos} at once: no long tasks, none lost`, needs(240_000), async (t) => {
    const broker = await startEbbtide(t, NO_DROPS);
    const { tab, window } = await opened(t, broker.url);
    const publisher = await openPublisher(new URL(broker.tcp).port, FLOOD_TOPIC, FLOOD_BYTES);
    t.after(() => publisher.close());
    await counts(tab, qos);
    const longTasks = async (act) => {
      const stop = await window.traceTasks(tab);
      await act();
      const tasks = await stop();
      return tasks.filter((ms) => ms > LONG_TASK_MS).length;
    };
    const felt = await longTasks(() => tab.page.evaluate((ms) => {
      for (const end = performance.now() + ms; performance.now() < end; );
    }, FELT_MS));
    assert.ok(felt > 0, 'what is long is seen');

    const found = [];
    for (let run = 1; run <= RUNS; run++) {
      found.push(await longTasks(async () => {
        await publisher.publish(FLOOD, qos);
        await tab.eventually('all of them', () => window.app.counted, (count) => count === run * FLOOD, 60_000);
      }));
    }
    const median = found.toSorted((a, b) => a - b)[(RUNS - 1) / 2];
    t.diagnostic(`long tasks in ${RUNS} floods of ${FLOOD}: ${found.join(', ')}`);
    assert.equal(median, 0, `long tasks: ${found.join(', ')}`);
  });
}

// Fails if more is unacknowledged than the page allowed, or if what is done stays: in memory or in the inbox.
test('50,000 messages of QoS 1: what the page holds is bounded by its Receive Maximum', needs(240_000), async (t) => {
  const broker = await startEbbtide(t);
  const link = await startLink(t, broker);
  const receiveMaximum = 1_000;
  const { tab } = await opened(t, link.url, { receiveMaximum });
  const publisher = await openPublisher(new URL(broker.tcp).port, FLOOD_TOPIC, PAYLOAD_BYTES);
  t.after(() => publisher.close());
  await counts(tab, 1);
  const before = await tab.heldBytes();
  const held = [];
  for (let look = 0; look < LOOKS; look++) {
    await publisher.publish(FLOOD / LOOKS, 1);
    held.push((await tab.heldBytes()) - before);
  }
  await tab.eventually('all of them', () => window.app.counted, (count) => count === FLOOD, 120_000);
  const mebibytes = held.map((bytes) => (bytes / 2 ** 20).toFixed(1));
  t.diagnostic(`held beyond the start, MiB: ${mebibytes.join(', ')}`);
  assert.ok(Math.max(...held) <= HELD_BYTES_MAX, `held beyond the start, MiB: ${mebibytes.join(', ')}`);

  let [unacknowledged, most] = [0, 0];
  for (const { up, packet } of link.trace) {
    if (!up && packet.cmd === 'publish') most = Math.max(most, ++unacknowledged);
    if (up && packet.cmd === 'puback') unacknowledged -= 1;
  }
  t.diagnostic(`unacknowledged at most: ${most}`);
  assert.ok(most > receiveMaximum / 10 && most <= receiveMaximum, `unacknowledged at most: ${most}`);
  await eventually('an empty inbox', () => tab.call('storedIn', 'inbox'), (rows) => rows === 0);
});

for (const { name, start, programs } of BROKERS) {
  // Fails if a server that sends more than the Receive Maximum, as Mosquitto does once something is acknowledged, is left each time.
  test(`${name}: a backlog of many times the Receive Maximum comes in one go, each once`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const options = { receiveMaximum: RECEIVE_MAXIMUM };
    const { tab, window } = await opened(t, link.url, options);
    await tab.call('subscribe', 'backlog/#', { qos: 1 });
    await tab.eventually('granted', () => window.app.subscriptions['backlog/#'].granted, (qos) => qos === 1);
    await tab.close();
    await eventually('its connection gone', () => link.open, (open) => open === 0);
    const sender = await outsider(t, broker);
    const texts = Array.from({ length: BACKLOG }, (_, at) => String(at));
    // Not QoS 2: of such a backlog Mosquitto 2.0.11 keeps the first two to itself now and then, whatever the client.
    await Promise.all(texts.map((text) => sender.publishAsync('backlog/1', text, { qos: 1 })));

    const again = await window.tab('a');
    await again.call('connect', link.url, { identity: 'ana', ...options });
    await again.call('subscribe', 'backlog/#', { qos: 1 });
    await again.eventually('all of them', () => window.app.messages.length, (count) => count >= BACKLOG);
    assertSameList(await again.call('seen'), texts, 'each once, in order');
    assert.equal(link.opened, 2);
  });
}

// Fails if messages are acknowledged before there is room for them: what the page holds would have no bound.
test('handlers that do not finish hold the server back, and get everything once they go on', needs(), async (t) => {
  const broker = await startEbbtide(t);
  const link = await startLink(t, broker);
  const { pages, tab } = await opened(t, link.url, { receiveMaximum: RECEIVE_MAXIMUM, limits: { inboxMessagesMax: INBOX_MAX } });
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
  // Before that a slow disk looks the same: what is not stored is not acknowledged.
  await tab.eventually('a full inbox', () => window.app.inspect().then(({ leader }) => leader.inbox), (count) => count >= INBOX_MAX);
  let came;
  do {
    await eventually('a full window', unacknowledged, (count) => count >= RECEIVE_MAXIMUM);
    came = link.count(false, 'publish');
    await aRoundTrip();
  } while (link.count(false, 'publish') > came);
  assert.equal(unacknowledged(), RECEIVE_MAXIMUM);
  assert.ok(came <= INBOX_MAX + RECEIVE_MAXIMUM, `${came} messages came`);
  await tab.state('online');

  pages.release();
  await pages.noted('all', (notes) => notes.length >= total, 30_000);
  assert.deepEqual(pages.notes.map(({ text }) => text), texts);
});

async function opened(t, url, options = {}) {
  const pages = await startPages(t);
  const window = await openWindow(t, pages);
  const tab = await window.tab('a');
  await tab.call('connect', url, { identity: 'ana', ...options });
  await tab.state('online');
  return { pages, window, tab };
}

/** It counts what comes. */
async function counts(tab, qos) {
  await tab.call('count', 'flood/#', { qos });
  await tab.eventually('granted', () => window.app.subscriptions['flood/#'].granted, (granted) => granted !== undefined);
  assert.equal(await tab.page.evaluate(() => window.app.subscriptions['flood/#'].granted), qos);
}
