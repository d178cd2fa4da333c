// A slow network, and messages that take longer on it than either side may be silent.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { startEbbtide } from './harness/broker.mjs';
import { outsider } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { needs } from './harness/place.mjs';
import { startSlowLink } from './harness/slow.mjs';

/** The broker is patient for half as long again, the client for ten seconds more than half of it. */
const KEEP_ALIVE_S = 6;
const BYTES_PER_S = 1_000_000;
/** The system's buffers take some 4 MB of it at once: these must be gone in less than the client's ten seconds, the rest must not. */
const MESSAGE_BYTES = 16_000_000;

// Fails if what takes its time counts as silence, on either side: then the connection ends, and the message begins anew, for ever.
test('a large message gets through a slow link, up and down, on one connection', needs(180_000), async (t) => {
  const broker = await startEbbtide(t);
  const link = await startSlowLink(t, broker, BYTES_PER_S);
  const pages = await startPages(t);
  const window = await openWindow(t, pages);
  const tab = await window.tab('a');
  await tab.call('connect', link.url, { identity: 'ana', keepAliveS: KEEP_ALIVE_S });
  await tab.state('online');
  const sender = await outsider(t, broker);
  const since = performance.now();
  await tab.page.evaluate((count) => window.app.publish('up', 'x'.repeat(count), { qos: 1, retain: true }), MESSAGE_BYTES);
  await tab.eventually('it is acknowledged', () => window.app.published[0].acked, (acked) => acked === 'ok');
  t.diagnostic(`up in ${Math.round(performance.now() - since)} ms`);
  assert.ok(performance.now() - since > 14_000, 'it took longer than both are patient');
  await tab.call('count', 'down', { qos: 1 });
  await sender.publishAsync('down', 'x'.repeat(MESSAGE_BYTES), { qos: 1, retain: true });
  await tab.eventually('it has come', () => window.app.counted, (count) => count === 1);
  t.diagnostic(`up and down in ${Math.round(performance.now() - since)} ms`);
  assert.equal(link.opened, 1, 'all on one connection');
});
