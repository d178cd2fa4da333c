// Networks that fail in every way: cut, silent, restarted; computers that sleep.

import assert from 'node:assert/strict';
import test from 'node:test';
import { BROKERS } from './harness/broker.mjs';
import { connected, staysConnected, wentOffline } from './harness/connected.mjs';
import { outsider } from './harness/mailbox.mjs';
import { WITHOUT_WORKERS } from './harness/pages.mjs';
import { needs } from './harness/place.mjs';

const KEEP_ALIVE_S = 2;

for (const { name, start, programs } of BROKERS) {
  // Fails if a lost connection is not noticed, is not tried again, or if the session is begun anew.
  test(`${name}: the link is cut and comes back`, needs(90_000, programs), async (t) => {
    const { broker, link, tab } = await connected(t, start);
    const sender = await outsider(t, broker);
    await watch(tab);
    link.cut();
    // Not the last one: it may have been tried again by the time that anybody looks.
    const { retryInMs } = await tab.eventually('offline', () => window.app.states.find(({ state }) => state === 'offline'));
    assert.ok(retryInMs >= 0 && retryInMs <= 1_000, `the first wait is short: ${retryInMs} ms`);
    await sender.publishAsync('feed/1', 'meanwhile', { qos: 1 });
    // More than once, so that the waits grow.
    await tab.eventually('three attempts', () => window.app.states.filter(({ state }) => state === 'offline').length, (count) => count >= 3);
    link.restore();
    const online = await tab.state('online');
    assert.equal(online.session, 'resumed');
    await tab.eventually('what came meanwhile', () => window.app.seen(), (texts) => texts.includes('meanwhile'));
  });
}

for (const { name, start, programs } of BROKERS) for (const version of ['5.0', '3.1.1']) {
  // Fails if the client takes a server that goes for the end, or loses its session over it.
  test(`${name}, ${version}: the server is restarted`, needs(90_000, programs), async (t) => {
    const { broker, link, tab } = await connected(t, start, { version });
    await watch(tab);
    await broker.kill();
    await tab.state('offline');
    await tab.call('publishAll', [{ topic: 'feed/1', text: 'while it was gone', qos: 1 }]);
    await broker.restart();
    assert.equal((await tab.state('online')).session, 'resumed');
    await tab.eventually('its own message', () => window.app.seen(), (texts) => texts.includes('while it was gone'));
    assert.equal(link.open, 1);
  });
}

for (const { name, start, programs } of BROKERS) {
  // Fails if the client waits for a close event, which never comes.
  test(`${name}: the link goes silent: offline by the keep alive, without a close event`, needs(90_000, programs), async (t) => {
    const { link, tab } = await connected(t, start, { keepAliveS: KEEP_ALIVE_S });
    link.stall();
    await wentOffline(tab, 20_000);
    assert.equal(link.open, 1, 'nothing was closed');
    link.restore();
    assert.equal((await tab.state('online')).session, 'resumed');
  });
}

for (const { name, start, programs } of BROKERS) {
  // Fails if time is counted in timers instead of read from a clock.
  test(`${name}: the computer sleeps for an hour: the connection is not believed in`, needs(90_000, programs), async (t) => {
    const { link, tab } = await connected(t, start, { keepAliveS: 30 }, { clock: true });
    // While it slept the way to the server was lost, and nobody was told.
    link.stall();
    await tab.page.clock.fastForward('01:00:00');
    await wentOffline(tab, 8_000);
    link.restore();
    await tab.state('online');
  });
}

for (const { name, start, programs } of BROKERS) {
  // Fails if nothing ticks where a policy bars the worker, or if that throws.
  test(`${name}: a policy that bars workers: the page's own timers keep the connection alive, and see that a leader is silent`, needs(90_000, programs), async (t) => {
    const { broker, link, tab, window } = await connected(t, start, { keepAliveS: KEEP_ALIVE_S }, { policy: WITHOUT_WORKERS });
    const sender = await outsider(t, broker);
    await watch(tab);
    await staysConnected(link, tab);
    await sender.publishAsync('feed/1', 'received', { qos: 1 });
    await tab.eventually('a message', () => window.app.seen(), (texts) => texts.includes('received'));
    await tab.call('publishAll', [{ topic: 'feed/1', text: 'sent', qos: 2 }]);
    await tab.eventually('its own message', () => window.app.seen(), (texts) => texts.includes('sent'));
    const other = await window.tab('b');
    await other.call('connect', link.url, { identity: 'ana', keepAliveS: KEEP_ALIVE_S });
    await other.state('online');
    // A page that is stopped in a transaction would keep the other from the database.
    await tab.eventually('the exchange is over', () => window.app.published[0].acked, (acked) => acked === 'ok');
    await other.eventually('an empty inbox', () => window.app.storedIn('inbox'), (rows) => rows === 0);
    await tab.suspend();
    await other.eventually('it leads', () => window.app.leading());
    await other.state('online');
    tab.resume();
    assert.deepEqual([...tab.page.workers(), ...other.page.workers()], []);
    // The browser writes to the console that it has barred the worker. That is the only fault.
    const faults = window.faults.splice(0);
    assert.equal(faults.length, 2, faults.join('\n'));
    for (const [at, { name }] of [tab, other].entries()) assert.match(faults[at], new RegExp(`^${name}: .*worker\\.js.*worker-src 'none'`, 's'));
  });
}

async function watch(tab) {
  await tab.call('subscribe', 'feed/#', { qos: 1 });
  await tab.eventually('granted', () => window.app.subscriptions['feed/#'].granted, (qos) => qos === 1);
}
