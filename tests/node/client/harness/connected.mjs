// One tab that is online, through a link that can fail.

import assert from 'node:assert/strict';
import { openWindow } from './browser.mjs';
import { startLink } from './link.mjs';
import { startPages } from './pages.mjs';
import { eventually } from './place.mjs';

/** One tab, online through a link. `throttled`: no timer of the page runs before a minute; `clock`: the test moves the page's time; `open`: in such a window; `policy`: the page's. */
export async function connected(t, start, options = {}, { clock = false, throttled = false, open = openWindow, policy } = {}) {
  const broker = await start(t);
  const link = await startLink(t, broker);
  const pages = await startPages(t, policy);
  const window = await open(t, pages);
  const tab = await window.tab('a', 'elsewhere.html');
  if (clock) await tab.page.clock.install();
  if (throttled) await tab.page.addInitScript(throttle);
  await tab.page.goto(pages.url('a'));
  await tab.call('connect', link.url, { identity: 'ana', ...options });
  await tab.state('online');
  return { broker, link, pages, window, tab };
}

/** Stricter than a browser is with a tab that has been hidden for five minutes. Runs in the page. */
function throttle() {
  for (const name of ['setTimeout', 'setInterval']) {
    const real = window[name].bind(window);
    window[name] = (callback, delayMs = 0, ...given) => real(callback, Math.max(delayMs, 60_000), ...given);
  }
}

/** For as little as a moment: the first wait is anything from zero to a second, and the attempt after it stalls, too. */
export function wentOffline(tab, limitMs) {
  return tab.eventually('offline', () => window.app.states.some(({ state }) => state === 'offline'), Boolean, limitMs);
}

/** For four pings, which come from the keep alive alone. */
export async function staysConnected(link, tab) {
  const before = link.count(true, 'pingreq');
  await eventually('four pings', () => link.count(true, 'pingreq'), (count) => count >= before + 4);
  assert.equal(link.opened, 1);
  assert.deepEqual(await tab.page.evaluate(() => window.app.states.map(({ state }) => state)), ['connecting', 'online']);
}
