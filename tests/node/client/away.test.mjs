// Tabs that nobody looks at: hidden for minutes, frozen, in the back/forward cache.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { BROKERS } from './harness/broker.mjs';
import { openPlainWindow, openWindow } from './harness/browser.mjs';
import { connected, staysConnected } from './harness/connected.mjs';
import { startLink } from './harness/link.mjs';
import { outsider } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { assertSameList, eventually, needs } from './harness/place.mjs';
import { pause } from './harness/tabs.mjs';

/** The brokers end a connection that is silent for half as long again. */
const KEEP_ALIVE_S = 2;
/** Chromium lets timers run once a second in a page's first minute behind others, then once a minute. */
const HIDDEN_MS = 120_000;
/** A browser that has not throttled them by then is not one that this test is about. */
const THROTTLED_BY_MS = 200_000;
/** As in no tab that is only behind others; of the second minute one half at least has passed without a timer. */
const STANDSTILL_MS = 25_000;
/** Nothing comes for so long, or the fresh timers of each message would do for the keep alive; each has to come while the tab is hidden. */
const QUIET_MS = 20_000;
const BURST = 4;

/** How a page goes away, in which it counts as closed, and comes back as it was. */
const AWAY = {
  'frozen by the browser': { open: openPlainWindow, goes: (tab) => tab.freeze(), returns: (tab) => tab.thaw() },
  'left for another page (bfcache)': { open: openWindow, goes: (tab) => tab.leave(), returns: (tab) => tab.back() },
};

// Beside each other: most of its two minutes a hidden tab has nothing to do.
suite('tabs that nobody looks at', { concurrency: true }, () => {
  for (const { name, start, programs } of BROKERS) {
    // Fails if the keep alive, or what is done with a message or a publish, depends on the timers of the page.
    test(`${name}: a tab is hidden for two minutes, its timers throttled by the browser: it stays connected and is given all that comes`, needs(300_000, programs), async (t) => {
      const { broker, link, tab, window } = await connected(t, start, { keepAliveS: KEEP_ALIVE_S }, { open: openPlainWindow });
      await watch(tab, 2);
      const sender = await outsider(t, broker);
      await tab.page.evaluate(() => {
        let [ranAtMs, longestMs] = [performance.now(), 0];
        window.standstillMs = () => (longestMs = Math.max(longestMs, performance.now() - ranAtMs));
        const run = () => {
          window.standstillMs();
          ranAtMs = performance.now();
          setTimeout(run, 10);
        };
        run();
        window.shown = 0;
        document.addEventListener('visibilitychange', () => (window.shown += document.visibilityState === 'visible'));
      });
      await window.hide(tab);

      let sent = 0;
      let quiet = 0;
      const since = performance.now();
      const hiddenMs = () => performance.now() - since;
      const standstillMs = () => tab.page.evaluate(() => window.standstillMs());
      // Longer, should the browser take its time.
      while (hiddenMs() < HIDDEN_MS || (await standstillMs()) < STANDSTILL_MS) {
        assert.ok(hiddenMs() < THROTTLED_BY_MS, `the browser has not throttled the tab's timers: ${Math.round(await standstillMs())} ms between two at the most`);
        const burst = Array.from({ length: BURST }, () => sent++);
        await Promise.all(burst.map((number) => sender.publishAsync(`feed/${number % 3}`, String(number), { qos: number % 3 })));
        await tab.eventually('what came', () => window.app.messages.length, (count) => count === sent, 10_000);
        await tab.call('publish', 'up', 'from behind', { qos: 1 + (quiet % 2) });
        await tab.eventually('acked', () => window.app.published.at(-1).acked, (acked) => acked === 'ok', 10_000);
        const pings = link.count(true, 'pingreq');
        await pause(QUIET_MS);
        quiet += 1;
        const needed = Math.floor(QUIET_MS / (1_500 * KEEP_ALIVE_S));
        assert.ok(link.count(true, 'pingreq') - pings >= needed, `${link.count(true, 'pingreq') - pings} pings in ${QUIET_MS} ms`);
      }
      assert.equal(await tab.page.evaluate(() => window.shown), 0, 'it was hidden all the time');
      t.diagnostic(`hidden for ${Math.round(hiddenMs())} ms, ${Math.round(await standstillMs())} ms between two timers, ${link.count(true, 'pingreq')} pings`);

      await tab.page.bringToFront();
      await tab.eventually('shown again', () => document.visibilityState, (state) => state === 'visible');
      await sender.publishAsync('feed/1', String(sent++), { qos: 1 });
      await tab.eventually('what comes then', () => window.app.messages.length, (count) => count === sent);
      assert.equal(link.opened, 1, 'one connection, which nobody dropped');
      assert.deepEqual(await tab.page.evaluate(() => window.app.states.map(({ state }) => state)), ['connecting', 'online']);
      const numbers = (await tab.call('seen')).map(Number);
      assertSameList(numbers.toSorted((a, b) => a - b), Array.from({ length: sent }, (_, at) => at), 'each once');
      for (const qos of [0, 1, 2]) {
        const its = numbers.filter((number) => number < sent - 1 && number % 3 === qos);
        assertSameList(its, its.toSorted((a, b) => a - b), `QoS ${qos}: in order`);
      }
    });
  }

  suite('one after the other', { concurrency: 1 }, () => {
    for (const { name, start, programs } of BROKERS) {
      // Fails if the keep alive depends on the timers of the page, which run once a minute in a hidden tab.
      test(`${name}: no timer of the page runs before a minute, as if it were hidden: it stays connected`, needs(90_000, programs), async (t) => {
        const { link, tab } = await connected(t, start, { keepAliveS: KEEP_ALIVE_S }, { throttled: true });
        await staysConnected(link, tab);
      });
    }

    for (const { name, start, programs } of BROKERS) {
      // Fails if the page keeps its connection or its locks in the back/forward cache, or does not come back from there.
      test(`${name}: back and forward: the page is restored from the cache and online again`, needs(90_000, programs), async (t) => {
        const { broker, link, tab, window } = await connected(t, start);
        const sender = await outsider(t, broker);
        await watch(tab, 1);
        for (const text of ['first', 'second']) {
          await tab.leave();
          await eventually('its connection gone', () => link.open, (open) => open === 0);
          await sender.publishAsync('feed/1', text, { qos: 1 });
          const other = await window.tab('other');
          assert.deepEqual(await other.page.evaluate(async () => (await navigator.locks.query()).held), [], 'no lock is kept');
          await other.close();
          await tab.back();
          assert.equal((await tab.state('online')).session, 'resumed');
          await tab.eventually('what came meanwhile', () => window.app.seen(), (texts) => texts.at(-1) === text);
        }
        assert.deepEqual(await tab.call('seen'), ['first', 'second']);
      });
    }

    for (const { name, start, programs } of BROKERS) for (const [fate, { open, goes, returns }] of Object.entries(AWAY)) {
      // Fails if what it was not given is not reported, or if a gap is reported that is none: because another leads, or because it was away.
      test(`${name}: a tab is ${fate}: it reports a gap if others were given something meanwhile, and else misses nothing`, needs(90_000, programs), async (t) => {
        const broker = await start(t);
        const link = await startLink(t, broker);
        const window = await open(t, await startPages(t));
        const sender = await outsider(t, broker);
        const tabs = [];
        for (const tabName of ['goes', 'stays']) {
          const tab = await window.tab(tabName);
          await tab.call('connect', link.url, { identity: 'ana' });
          await watch(tab, 2);
          tabs.push(tab);
        }
        const [leaves, stays] = tabs;
        const seen = { goes: [], stays: [] };
        const say = async (text, ...to) => {
          await sender.publishAsync('feed/1', text, { qos: 2 });
          for (const tab of to) {
            seen[tab.name].push(text);
            await tab.eventually(text, () => window.app.seen(), (texts) => texts.includes(text));
          }
        };
        const gaps = () => leaves.page.evaluate(() => window.app.reports.filter(({ kind }) => kind === 'gap').length);

        await say('before', leaves, stays);
        // First it leads, then it follows.
        for (const [turn, meanwhile] of [false, true, false].entries()) {
          const reported = await gaps();
          const known = (await leaves.call('inspect')).tab;
          await goes(leaves);
          await stays.eventually('it leads', () => window.app.leading());
          await stays.eventually('it is alone', async () => (await window.app.inspect()).leader?.tabs === 1);
          await stays.state('online');
          if (meanwhile) await say(`meanwhile ${turn}`, stays);
          await stays.eventually('an empty inbox', () => window.app.storedIn('inbox'), (rows) => rows === 0);
          await returns(leaves);
          await leaves.eventually('its new name', () => window.app.inspect(), ({ tab }) => tab !== known);
          await stays.eventually('both', async () => (await window.app.inspect()).leader?.tabs === 2);
          await say(`after ${turn}`, leaves, stays);
          assert.equal(await gaps(), reported + (meanwhile ? 1 : 0), `${turn}: gaps`);
        }
        for (const tab of tabs) assert.deepEqual(await tab.call('seen'), seen[tab.name], tab.name);
        assert.equal(await stays.page.evaluate(() => window.app.reports.filter(({ kind }) => kind === 'gap').length), 0);
        assert.deepEqual(await leaves.page.evaluate(() => window.app.states.filter(({ state, session }) => state === 'online' && session === 'gap')), [], 'the session is another matter');
      });
    }
  });
});

async function watch(tab, qos) {
  await tab.call('subscribe', 'feed/#', { qos });
  await tab.eventually('granted', () => typeof window.app.subscriptions['feed/#'].granted, (granted) => granted === 'number');
}
