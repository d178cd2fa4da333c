// Five tabs of one session, and the numbers that are published to them.

import assert from 'node:assert/strict';
import { openWindow } from './browser.mjs';
import { startLink } from './link.mjs';
import { outsider } from './mailbox.mjs';
import { startPages } from './pages.mjs';
import { eventually } from './place.mjs';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const FEED_PAUSE_MS = 10;

/** Five tabs of one identity, each subscribed; one WebSocket. */
export async function fiveTabs(t, start, { open = openWindow, version = '5.0' } = {}) {
  const broker = await start(t);
  const link = await startLink(t, broker);
  const pages = await startPages(t);
  const window = await open(t, pages);
  const tabs = [];
  for (const name of NAMES) {
    const tab = await window.tab(name);
    tabs.push(tab);
    await tab.call('connect', link.url, { identity: 'ana', version });
    await tab.call('subscribe', 'feed/#', { qos: 2 });
    await tab.state('online');
    await tab.eventually('granted', () => window.app.subscriptions['feed/#'].granted, (qos) => qos === 2);
  }
  assert.deepEqual([link.opened, link.open], [1, 1], 'five tabs, one connection');
  return { broker, link, pages, window, tabs };
}

/**
 * Publishes numbers, each when the one before is acknowledged, and no faster than five tabs on a busy machine take them; until it is stopped.
 * `levels`: their QoS, in turn.
 */
export async function startFeed(t, broker, levels = [2]) {
  const client = await outsider(t, broker);
  const feed = { sent: 0 };
  let running = false;
  let done;
  const run = async () => {
    while (running) {
      await client.publishAsync('feed/numbers', String(feed.sent), { qos: levels[feed.sent % levels.length] });
      feed.sent += 1;
      await pause(FEED_PAUSE_MS);
    }
  };
  feed.goOn = () => {
    if (running) return;
    running = true;
    done = run();
  };
  feed.stop = async () => {
    running = false;
    await done;
  };
  t.after(() => void (running = false));
  feed.goOn();
  return feed;
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function everyoneHas(tabs, count, feed) {
  await eventually('the feed', () => feed.sent, (sent) => sent >= count);
  const last = String(count - 1);
  const has = (tab) => eventually(`${tab.name}: number ${last}`, () => tab.call('lately', last), (seen) => seen.has);
  await Promise.all(tabs.map(has));
}

/** The tab that says it holds the connection. */
export async function leaderOf(tabs) {
  const leading = async () => {
    const said = await Promise.all(tabs.map((tab) => tab.page.evaluate(() => window.app.leading())));
    return tabs.filter((_, at) => said[at]);
  };
  const [leader] = await eventually('one leader', leading, (leaders) => leaders.length === 1, 10_000);
  return leader;
}
