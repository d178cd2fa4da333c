// Five tabs and one session: whatever happens to the tab that holds the connection, another takes over, and no tab is shown a message twice or
// misses one, but for a page that was frozen or in the back/forward cache: it reports a gap.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openPlainWindow } from './harness/browser.mjs';
import { BROKERS, startEbbtide } from './harness/broker.mjs';
import { outsider } from './harness/mailbox.mjs';
import { assertSameList, eventually, needs } from './harness/place.mjs';
import { everyoneHas, fiveTabs, leaderOf, pause, startFeed } from './harness/tabs.mjs';

/** From the leader's end until another has the connection. */
const TAKEN_OVER_WITHIN_MS = 3_000;

/** How often a leader that publishes without a pause is frozen. */
const FROZEN_TIMES = 12;

/**
 * What happens to the leader; `open`: in such a window; `before`: what takes time in the test; `quiet`: nothing comes at that moment, for a page that is stopped while
 * it asks for a transaction keeps all others from the database, and one that is answered in the cache is thrown away; `back`: how it comes again, if it can;
 * `misses`: to the others it counts as closed, so what they are given meanwhile it is not, and it reports that as a gap.
 */
const FATES = {
  closed: { happens: (tab) => tab.close() },
  crashed: { happens: (tab) => tab.crash() },
  suspended: { quiet: true, before: (tab) => tab.processId(), happens: (tab) => tab.suspend(), back: (tab) => tab.resume() },
  'frozen by the browser': { open: openPlainWindow, happens: (tab) => tab.freeze(), back: (tab) => tab.thaw(), misses: true },
  'left for another page (bfcache)': {
    happens: (tab) => tab.leave(),
    back: (tab) => tab.back(),
    quiet: true,
    misses: true,
  },
};

/** What happens to a leader is nothing to the version, but that another CONNECT takes its session over. */
const CASES = BROKERS.flatMap((broker) => [...Object.keys(FATES).map((fate) => [broker, fate, '5.0']), [broker, 'closed', '3.1.1']]);
for (const [{ name, start, programs }, fate, version] of CASES) {
  const { open, before = () => {}, quiet = false, happens, back, misses = false } = FATES[fate];
  const shown = misses ? 'it reports a gap, all else is shown once' : 'nothing is lost or shown twice';
  // Fails if a lock is kept by a tab that is gone or asleep, if a woken leader writes or sends, if the inbox is not shared, or if a gap is silent.
  test(`${name}, ${version}, the leader is ${fate}: another leads within 3 s, ${shown}`, needs(90_000, programs), async (t) => {
    const { broker, link, tabs } = await fiveTabs(t, start, { open, version });
    const feed = await startFeed(t, broker);
    await everyoneHas(tabs, 20, feed);
    assert.equal(link.open, 1);

    const leader = await leaderOf(tabs);
    const others = tabs.filter((tab) => tab !== leader);
    await before(leader);
    let backFrom;
    if (quiet) {
      await feed.stop();
      await everyoneHas(tabs, feed.sent, feed);
      await eventually('the last exchange', () => link.count(true, 'pubcomp') - link.count(false, 'publish'), (left) => left === 0);
      // Not in the leader: a transaction of its own would be what it is stopped in.
      await others[0].eventually('an empty inbox', () => window.app.storedIn('inbox'), (rows) => rows === 0);
    }
    const opened = link.opened;
    const had = back && Number((await leader.call('seen')).at(-1));
    const at = Date.now();
    await happens(leader);
    feed.goOn();
    await eventually('another connection', () => link.opened > opened && link.open === 1, Boolean, 10_000);
    const next = await leaderOf(others);
    // A page that is frozen may have gone on for a moment.
    const goneBy = Date.now();
    const tookMs = goneBy - at;
    const mark = feed.sent + 20;
    await everyoneHas(others, mark, feed);

    if (back) {
      await back(leader);
      if (!misses) await everyoneHas([leader], mark, feed);
      // Only what comes from now on is it surely given.
      else await leader.eventually('the gap', () => window.app.reports.some(({ kind }) => kind === 'gap'));
      backFrom = feed.sent + 1;
      const after = feed.sent + 20;
      await everyoneHas(tabs, after, feed);
      assert.equal(await leaderOf(tabs), next, 'the woken tab follows');
    }
    await feed.stop();
    const alive = back ? tabs : others;
    for (const tab of alive) {
      await tab.eventually('the last', () => window.app.seen(), (texts) => texts.includes(String(feed.sent - 1)));
      const numbers = (await tab.call('seen')).map(Number);
      const gaps = await tab.page.evaluate(() => window.app.reports.filter(({ kind }) => kind === 'gap'));
      const first = tab === leader && misses ? numbers.findIndex((number, at) => number !== at) : 0;
      const whole = Array.from({ length: feed.sent }, (_, at) => at);
      const owed = first > 0 ? [...whole.slice(0, first), ...whole.slice(numbers[first])] : whole;
      if (first > 0) {
        assert.ok(first > had && numbers[first] <= backFrom, `missing are ${first} to ${numbers[first] - 1}, of what came while it was away, ${had + 1} to ${backFrom - 1}`);
        assert.ok(gaps[0].lost.since <= goneBy && gaps[0].lost.since > at - 2_000, `it says since when: ${gaps[0].lost.since - at} ms after it was to go`);
      }
      assert.equal(gaps.length, tab === leader && misses ? 1 : 0, `${tab.name}: gaps ${JSON.stringify(gaps)}`);
      const odd = numbers.findIndex((number, at) => number !== owed[at]);
      const around = (await tab.page.evaluate(() => window.app.messages)).slice(Math.max(0, odd - 2), odd + 3);
      assertSameList(numbers, owed, `${tab.name}: each once, in order; there ${JSON.stringify(around)}`);
    }
    assert.equal(link.open, 1);
    if (broker.sessions) assert.equal((await broker.sessions()).filter(({ connected }) => connected).length, 2, 'the tabs and the feed');
    assert.ok(tookMs <= TAKEN_OVER_WITHIN_MS, `taken over after ${tookMs} ms`);
  });
}

// Fails if the leader's transactions need its page: all others then wait for the database until the browser aborts it, a minute later.
test('a leader that stands still right after it began a transaction keeps no other from the database', needs(), async (t) => {
  const { broker, link, pages, tabs } = await fiveTabs(t, startEbbtide);
  const leader = await leaderOf(tabs);
  const others = tabs.filter((tab) => tab !== leader);
  const feed = await startFeed(t, broker);
  await everyoneHas(tabs, 20, feed);
  pages.hold(({ still }) => still);
  const opened = link.opened;
  await leader.page.evaluate(() => {
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (tables, mode, options) {
      const begun = transaction.call(this, tables, mode, options);
      if (mode !== 'readwrite' || !tables.includes('inbox')) return begun;
      IDBDatabase.prototype.transaction = transaction;
      // After the task in which it asks for all of it. Nothing runs in this page until the answer comes.
      queueMicrotask(() => {
        const request = new XMLHttpRequest();
        request.open('POST', '/note', false);
        request.send(JSON.stringify({ still: true }));
      });
      return begun;
    };
  });
  await pages.noted('it stands still', (notes) => notes.some(({ still }) => still));
  const at = Date.now();
  await eventually('another connection', () => link.opened > opened && link.open === 1, Boolean, 10_000);
  const tookMs = Date.now() - at;
  await everyoneHas(others, feed.sent + 20, feed);
  pages.release();
  await feed.stop();
  for (const tab of tabs) {
    await tab.eventually('the last', () => window.app.seen(), (texts) => texts.includes(String(feed.sent - 1)));
    assertSameList((await tab.call('seen')).map(Number), Array.from({ length: feed.sent }, (_, at) => at), `${tab.name}: each once, in order`);
  }
  assert.ok(tookMs <= TAKEN_OVER_WITHIN_MS, `taken over after ${tookMs} ms`);
});

for (const { name, start, programs } of BROKERS) {
  // Fails if a page that is frozen keeps its lock, its connection or a transaction, or if what it was about to store is refused.
  test(`${name}: a leader that publishes without a pause is frozen at any moment: another leads within 3 s, nothing is lost or sent twice`, needs(120_000, programs), async (t) => {
    const { broker, link, tabs } = await fiveTabs(t, start, { open: openPlainWindow });
    const sink = await outsider(t, broker);
    await sink.subscribeAsync('up/#', { qos: 2 });
    const feed = await startFeed(t, broker);
    await everyoneHas(tabs, 20, feed);
    for (let times = 0; times < FROZEN_TIMES; times++) {
      const leader = await leaderOf(tabs);
      await leader.state('online');
      // One that is retained may take the place of the one before: it is read first whether that has left.
      const retain = times % 2 === 1;
      const topic = `up/${times}`;
      await leader.page.evaluate(([topic, options]) => window.app.publishOn(topic, options), [topic, { qos: 2, retain }]);
      await leader.eventually('some publishes', () => window.app.publishedOn, (count) => count > 20);
      await pause(Math.random() * 100);
      const opened = link.opened;
      const at = Date.now();
      await leader.freeze();
      await eventually('another connection', () => link.opened > opened && link.open === 1, Boolean, 10_000);
      const tookMs = Date.now() - at;
      assert.ok(tookMs <= TAKEN_OVER_WITHIN_MS, `taken over after ${tookMs} ms, the ${times + 1}. time`);
      await leader.thaw();
      const count = await leader.page.evaluate(() => window.app.publishNoMore());
      const numbers = () => sink.received.filter((message) => message.topic === topic).map(({ text }) => Number(text));
      await eventually('the last', numbers, (all) => all.includes(count - 1));
      const owed = retain ? [...new Set(numbers())].sort((a, b) => a - b) : Array.from({ length: count }, (_, at) => at);
      assertSameList(numbers(), owed, `${topic}: each once, in order`);
    }
    await feed.stop();
  });
}
