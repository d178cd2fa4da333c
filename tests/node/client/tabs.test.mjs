// Several tabs and one session: what a tab subscribes or publishes in the middle of something else is whole.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { BROKERS } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { mailbox, outsider } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, needs } from './harness/place.mjs';
import { fiveTabs, leaderOf } from './harness/tabs.mjs';

for (const { name, start, programs } of BROKERS) {
  // Fails if a tab is told that all retained values have come while those are missing that came before the leader knew of it, or if only the leader
  // is told whether that was inferred.
  test(`${name}: a tab that subscribes in the middle of a snapshot is shown all of it`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const window = await openWindow(t, await startPages(t));
    const sender = await outsider(t, broker);
    const topics = Array.from({ length: 40 }, (_, at) => `state/${at}`).sort();
    await Promise.all(topics.map((topic) => sender.publishAsync(topic, 'on', { qos: 1, retain: true })));
    const tabs = [];
    for (const tabName of ['a', 'b']) {
      const tab = await window.tab(tabName);
      await tab.call('connect', link.url, { identity: 'ana' });
      await tab.state('online');
      tabs.push(tab);
    }
    let came = 0;
    const gate = link.gate({ up: false, cmd: 'publish', fits: () => (came += 1) > topics.length / 2 });
    await tabs[0].call('subscribe', 'state/#', { qos: 0 });
    await gate.reached;
    await tabs[1].call('subscribe', 'state/#', { qos: 0 });
    await tabs[1].eventually('granted', () => window.app.subscriptions['state/#'].granted, (qos) => qos === 0);
    gate.open();
    for (const tab of tabs) {
      const { inferred } = await tab.eventually('the snapshot', () => window.app.subscriptions['state/#'], ({ snapshots }) => snapshots === 1);
      assert.deepEqual(inferred, [!broker.announces]);
      const live = await tab.page.evaluate(() => window.app.messages.filter(({ fromCache }) => !fromCache).map(({ topic }) => topic));
      assert.deepEqual(live.sort(), topics);
    }
  });
}

for (const { name, start, programs } of BROKERS) {
  // Fails if a follower hands its publishes to the leader only in memory, or if the leader does not look at the outbox of the dead.
  test(`${name}: what a follower published just before its crash goes out`, needs(90_000, programs), async (t) => {
    const { broker, tabs } = await fiveTabs(t, start);
    const box = await mailbox(broker, 'last/#');
    const leader = await leaderOf(tabs);
    const follower = tabs.find((tab) => tab !== leader);
    const words = Array.from({ length: 20 }, (_, at) => String(at));
    // It has no time to tell anybody.
    await follower.page.evaluate(() => (BroadcastChannel.prototype.postMessage = () => {}));
    await follower.call('publishAll', words.map((text) => ({ topic: 'last/words', text, qos: 1 })));
    await follower.crash();
    const messages = await box.collect('its last words', (all) => all.length >= words.length);
    assert.deepEqual(messages.map(({ text }) => text), words);
  });
}

for (const { name, start, programs } of BROKERS) {
  // Fails if the tab that leads by now gives up for good when the one that led before connects once more.
  test(`${name}: a leader that stands still while it connects loses the lead, and takes nobody's connection for long`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const pages = await startPages(t);
    const window = await openWindow(t, pages);
    const [old, next] = [await window.tab('old'), await window.tab('next')];
    for (const tab of [old, next]) {
      await tab.call('connect', link.url, { identity: 'ana' });
      await tab.state('online');
    }
    link.stall();
    link.drop();
    await old.state('connecting');
    pages.hold(({ still }) => still);
    await old.page.evaluate(() => {
      // In a task of its own: nothing runs in this page until the answer comes.
      setTimeout(() => {
        const request = new XMLHttpRequest();
        request.open('POST', '/note', false);
        request.send(JSON.stringify({ still: true }));
      });
    });
    await pages.noted('it stands still', (notes) => notes.some(({ still }) => still));
    // Its transport is open now, and it does not know it yet.
    link.restore();
    await next.eventually('it leads', () => window.app.leading());
    await next.state('online');
    pages.release();
    await eventually('the connection of the old one, and its end', () => link.open, (open) => open < 2);
    await next.call('publish', 'a', 'x', { qos: 1 });
    await next.eventually('acked', () => window.app.published[0].acked, (acked) => acked === 'ok');
    for (const tab of [old, next]) await tab.state('online');
    assert.deepEqual([await leaderOf([old, next]), link.open], [next, 1]);
  });
}
