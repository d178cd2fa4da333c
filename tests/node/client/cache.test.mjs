// Last-known values where the protocol does not say which live messages are retained (MQTT 3.1.1), and what is retained where a tab wants it late,
// or without last-known values. See cache.timed.test.mjs, too.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { BROKERS } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { outsider } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { needs } from './harness/place.mjs';

const VALUES = 30;
/** What makes a broker send a few of them at a time. */
const FEW_AT_A_TIME = { Mosquitto: ['max_inflight_messages 5'] };

/** Of each snapshot so far: whether its end was inferred, not told by the broker. */
const inferred = (tab, filter) => tab.page.evaluate((name) => window.app.subscriptions[name].inferred, filter);

for (const { name, start, programs } of BROKERS) {
  // Fails if what a later tab is shown as live is what was kept before it changed, if the cache waits for the network, if what was deleted meanwhile
  // stays, or if the end of the retained values is taken for told: in 3.1.1 nobody can tell it.
  test(`${name}, 3.1.1: retained values for a second tab, without the broker, and put right`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const window = await openWindow(t, await startPages(t));
    const sender = await outsider(t, broker);
    const set = (at, text) => sender.publishAsync(`state/${at}`, text, { qos: 1, retain: true });
    const open = async (name) => {
      const tab = await window.tab(name);
      await tab.call('connect', link.url, { identity: 'ana', version: '3.1.1' });
      // QoS 0: nothing of it comes again from the inbox.
      await tab.call('subscribe', 'state/#', { qos: 0 });
      return tab;
    };
    const snapshot = (tab) => tab.eventually('the snapshot', () => window.app.subscriptions['state/#'].snapshots, (count) => count === 1);
    /** Topic → the last that a tab was shown. */
    const shown = async (tab) => Object.fromEntries((await tab.page.evaluate(() => window.app.messages)).map((message) => [message.topic, message]));
    const values = async (tab) => Object.values(await shown(tab)).map(({ topic, text, fromCache }) => [topic, text, fromCache]).sort();

    for (const at of [1, 2, 3]) await set(at, 'old');
    const first = await open('a');
    await snapshot(first);
    assert.deepEqual(await values(first), [['state/1', 'old', false], ['state/2', 'old', false], ['state/3', 'old', false]]);
    assert.equal((await shown(first))['state/2'].retain, true);
    assert.deepEqual(await inferred(first, 'state/#'), [true]);
    await set(2, 'changed');
    await first.eventually('the change', () => window.app.seen(), (texts) => texts.at(-1) === 'changed');
    assert.equal((await shown(first))['state/2'].retain, undefined, 'it may be an event');

    const second = await open('b');
    await snapshot(second);
    assert.deepEqual(await values(second), [['state/1', 'old', false], ['state/2', 'changed', false], ['state/3', 'old', false]]);
    await first.close();
    await second.state('online');
    await second.close();

    link.cut();
    const third = await open('c');
    const all = await third.eventually('what was kept', () => window.app.messages, (messages) => messages.length === 3);
    assert.deepEqual(await values(third), [['state/1', 'old', true], ['state/2', 'changed', true], ['state/3', 'old', true]]);
    for (const { storedAt, retain } of all) assert.ok(Math.abs(Date.now() - storedAt) < 60_000 && retain);
    await set(1, 'new');
    await set(3, '');
    link.restore();
    await snapshot(third);
    assert.deepEqual(await values(third), [['state/1', 'new', false], ['state/2', 'changed', false], ['state/3', '', false]]);
  });

  const count = (tab, filter, expected) => tab.eventually(`snapshot ${expected} of ${filter}`, () => window.app.subscriptions, (all) => all[filter].snapshots === expected);

  // Fails if a tab that wants a filter of an earlier page late is shown what that page kept as live.
  test(`${name}: what changed while no tab wanted its filter is shown as it is now`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const window = await openWindow(t, await startPages(t));
    const sender = await outsider(t, broker);
    const set = (at, text) => sender.publishAsync(`state/${at}`, text, { qos: 1, retain: true });
    const open = async (name, filter) => {
      const tab = await window.tab(name);
      await tab.call('connect', link.url, { identity: 'ana' });
      await tab.call('subscribe', filter);
      await count(tab, filter, 1);
      return tab;
    };
    for (const at of [1, 2]) await set(at, 'old');
    const first = await open('a', 'state/#');
    await first.close();
    await set(1, 'new');
    await set(2, '');
    const second = await open('b', 'other');
    await second.call('subscribe', 'state/#');
    await count(second, 'state/#', 1);
    const messages = await second.page.evaluate(() => window.app.messages);
    const live = messages.filter(({ fromCache }) => !fromCache).map(({ topic, text }) => `${topic} ${text}`);
    assert.deepEqual([...new Set(live)].sort(), ['state/1 new', 'state/2 ']);
  });

  // Fails if a pause in which the broker waits for acknowledgements is taken for the end of what is retained: on this link each is longer than any
  // quiet that could be waited for.
  test(`${name}: retained values that come a few at a time, over a slow link and behind a backlog, are never taken for gone`, needs(90_000, programs), async (t) => {
    const broker = await start(t, FEW_AT_A_TIME[name]);
    const link = await startLink(t, broker);
    const window = await openWindow(t, await startPages(t));
    const sender = await outsider(t, broker);
    const publish = (topic, retain) => Promise.all(Array.from({ length: VALUES }, (_, at) => sender.publishAsync(`${topic}/${at}`, `${topic} ${at}`, { qos: 1, retain })));
    await publish('state', true);
    link.delayMs = 60;
    const tab = await window.tab('a');
    await tab.call('connect', link.url, { identity: 'ana', version: '3.1.1' });
    await tab.call('subscribe', 'feed/#', { qos: 1 });
    await tab.call('subscribe', 'state/#', { qos: 1 });
    await count(tab, 'state/#', 1);
    const of = async (what) => (await tab.page.evaluate(() => window.app.messages)).filter(({ topic }) => topic.startsWith(what));
    assert.equal((await of('state')).length, VALUES, 'all of them before the end');
    link.cut();
    await tab.state('offline');
    await publish('feed', false);
    link.restore();
    await count(tab, 'state/#', 2);
    assert.equal((await of('feed')).length, VALUES, 'the backlog stands before them');
    assert.deepEqual((await of('state')).filter(({ text }) => text === ''), [], 'none is taken for gone');
  });

  // Fails if a subscription that keeps nothing is not asked for again when the session is resumed, if what does not come again counts as gone, if
  // one for which nothing comes is not told so, or if what is only inferred looks like what the broker said.
  test(`${name}: each subscription has its snapshot at each connect, also one that keeps nothing`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const window = await openWindow(t, await startPages(t));
    const sender = await outsider(t, broker);
    const set = (text) => sender.publishAsync('state/1', text, { qos: 1, retain: true });
    await set('old');
    const tab = await window.tab('a');
    await tab.call('connect', link.url, { identity: 'ana' });
    const filters = { 'state/+': { cache: false }, 'state/#': { retainHandling: 1 }, 'state/1': { retainHandling: 2 }, '$share/g/state/1': {} };
    for (const [filter, options] of Object.entries(filters)) await tab.call('subscribe', filter, options);
    for (const filter of Object.keys(filters)) await count(tab, filter, 1);
    link.cut();
    await tab.state('offline');
    await set('new');
    link.restore();
    for (const filter of Object.keys(filters)) await count(tab, filter, 2);
    const texts = await tab.page.evaluate(() => window.app.seen());
    assert.deepEqual([texts.at(-1), texts.includes('')], ['new', false]);
    for (const [filter, { retainHandling }] of Object.entries(filters)) {
      // Where none are sent, nobody has to say that all have come.
      const isTold = broker.announces || retainHandling === 2 || filter.startsWith('$share/');
      assert.deepEqual(await inferred(tab, filter), [!isTold, !isTold], filter);
    }
    if (!broker.announces) assert.ok(link.count(true, 'pingreq') >= 2, 'asked for a sign that what came before it was all');
  });
}
