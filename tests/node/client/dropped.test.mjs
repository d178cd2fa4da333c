// What the broker had no room for while a session was away.

import assert from 'node:assert/strict';
import test from 'node:test';
import { startEbbtide } from './harness/broker.mjs';
import { connected } from './harness/connected.mjs';
import { outsider } from './harness/mailbox.mjs';
import { eventually, needs } from './harness/place.mjs';

// Fails if what the broker says at CONNACK is not understood, or the number is another one than that of the messages that are missing.
test('what a full queue dropped is told when the session is back', needs(), async (t) => {
  const { broker, link, tab } = await connected(t, (test) => startEbbtide(test, ['--queue-messages-per-session-max', '2']));
  await tab.call('subscribe', 'work/#', { qos: 1 });
  await tab.eventually('granted', () => window.app.subscriptions['work/#'].granted, (qos) => qos === 1);
  const sender = await outsider(t, broker);
  link.cut();
  await tab.state('offline');
  await eventually('it is away', () => broker.sessions(), (sessions) => sessions.filter((one) => one.connected).length === 1);
  for (let number = 1; number <= 5; number++) await sender.publishAsync(`work/${number}`, String(number), { qos: 1 });
  link.restore();
  await tab.page.evaluate(() => window.app.client.reconnectNow());
  await tab.eventually('what was kept', () => window.app.seen(), (texts) => texts.length === 2);
  assert.deepEqual(await tab.call('seen'), ['4', '5']);
  const dropped = await tab.page.evaluate(() => window.app.reports.filter(({ kind }) => kind === 'dropped').map(({ count }) => count));
  assert.deepEqual(dropped, [3]);
});
