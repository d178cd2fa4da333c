// How soon a client is back when its network is.

import assert from 'node:assert/strict';
import test from 'node:test';
import { startEbbtide } from './harness/broker.mjs';
import { connected, wentOffline } from './harness/connected.mjs';
import { needs } from './harness/place.mjs';

// To a broker it is a link that is silent, then cut.
// Fails if an event that the network may be back does not end the wait, or if a dead connection is believed in until the keep alive.
test('the network comes back: the wait ends at once, and a silent connection is probed', needs(), async (t) => {
  const { link, tab } = await connected(t, startEbbtide, { keepAliveS: 600 });
  const happens = (name) => tab.page.evaluate((event) => window.dispatchEvent(new Event(event)), name);
  link.stall();
  await happens('online');
  await wentOffline(tab, 8_000);
  link.cut();
  await tab.eventually('long waits', () => window.app.states.at(-1).retryInMs, (waitMs) => waitMs > 2_000);
  link.restore();
  const before = await tab.page.evaluate(() => performance.now());
  await happens('online');
  const { atMs } = await tab.state('online');
  assert.ok(atMs - before < 2_000, `connected ${atMs - before} ms after the event`);
});
