// Chromium: started on a profile and killed with all its processes; tabs that are suspended, frozen, crashed, closed without ceremony.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { SWITCHES } from '../../switches.mjs';
import { CHROMIUM, eventually, within } from './place.mjs';

const OPTIONS = {
  executablePath: CHROMIUM,
  headless: true,
  args: SWITCHES,
  // Playwright turns both off, and both are part of what is shown here.
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
};
/**
 * Chromium lets timers of a page run once a minute when it has been behind others for a minute; but for five if it was still loading when it
 * went there, which on a slow machine it may or may not have been.
 */
const THROTTLED_AFTER_A_MINUTE = '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/60';
/** What a page may log as an error: that there was no connection. */
const ALLOWED = /WebSocket connection to|net::ERR_/;

let shared;
after(async () => shared && endBrowser(await shared));

/** A window of its own in the browser of this file: no storage is shared with another. */
export async function openWindow(t, pages) {
  shared ??= chromium.launch(OPTIONS);
  const browser = await shared;
  const context = await browser.newContext();
  return new Window(t, pages, context, browser);
}

/** A browser of its own on a profile that is kept: started again on the same folder, it has what was stored. */
export async function startOnProfile(t, pages, profile) {
  const context = await chromium.launchPersistentContext(profile, OPTIONS);
  return new Window(t, pages, context, context.browser());
}

/**
 * A browser of its own whose tabs are hidden and frozen as a user's are: one that Playwright starts takes each for visible and in use, and then
 * none can be frozen.
 */
export async function openPlainWindow(t, pages) {
  const profile = await mkdtemp(join(tmpdir(), 'ebbtide-client-'));
  const args = [...OPTIONS.args, THROTTLED_AFTER_A_MINUTE, '--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'];
  const program = spawn(CHROMIUM, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(program, 'exit');
  const end = async () => {
    process.kill(-program.pid, 'SIGKILL');
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    let url;
    createInterface(program.stderr).on('line', (line) => (url ??= line.match(/DevTools listening on (\S+)/)?.[1]));
    await eventually('the address of the browser', () => url);
    const browser = await chromium.connectOverCDP(url, { noDefaults: true });
    return new Window(t, pages, browser.contexts()[0], browser);
  } finally {
    // After the window's own end.
    t.after(end);
  }
}

/** The process of a browser: it leads a group of its own, in which its children are. */
async function processOf(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.find(({ type }) => type === 'browser').id;
}

/** Asks it to end; one that a stopped or crashed page keeps from that is killed. */
async function endBrowser(browser) {
  const id = await within(5_000, 'an answer of the browser', processOf(browser)).catch(() => undefined);
  await within(10_000, 'the end of the browser', browser.close()).catch(() => id && process.kill(-id, 'SIGKILL'));
}

class Window {
  #pages;
  #context;
  #browser;
  #ended = false;
  #devtools;
  #tabs = [];
  /** Errors that nobody caught, refusals of the content security policy. */
  faults = [];

  constructor(t, pages, context, browser) {
    this.#pages = pages;
    this.#context = context;
    this.#browser = browser;
    t.after(async () => {
      await this.close();
      assert.deepEqual(this.faults, [], 'no page may throw what nobody catches');
    });
  }

  /** Opens a page of `pages`; its clients are named after the tab in the notes. */
  async tab(name, file, query) {
    const page = await this.#context.newPage();
    const tab = new Tab(name, page, this.#browser, this.faults);
    this.#tabs.push(tab);
    await page.goto(this.#pages.url(name, file, query));
    return tab;
  }

  /** Another tab comes to the front of it; the window must be one of `openPlainWindow`. */
  async hide(tab) {
    const other = await this.#context.newPage();
    await other.bringToFront();
    await tab.eventually('hidden', () => document.visibilityState, (state) => state === 'hidden');
  }

  async close() {
    if (this.#ended) return;
    this.#ended = true;
    for (const tab of this.#tabs) tab.resume();
    await within(10_000, 'the end of the window', this.#context.close()).catch(() => {});
  }

  /** SIGKILL for the whole browser. */
  async kill() {
    const id = await processOf(this.#browser);
    const ended = once(this.#context, 'close');
    this.#ended = true;
    process.kill(-id, 'SIGKILL');
    await within(20_000, 'the end of the killed browser', ended);
  }

  /**
   * From now on its processes come before whatever else this machine does, as on a user's that does nothing else: a time is the page's own then.
   * Where the system does not allow it, or has no such order, they take turns with the others.
   */
  async goFirst() {
    await writeFile(`/proc/${await processOf(this.#browser)}/autogroup`, '-20').catch(() => {});
  }

  /** Traces the tab; the function that ends it gives the processor time of each task of its main thread, ms. */
  async traceTasks(tab) {
    const processId = await tab.processId();
    await this.#browser.startTracing(tab.page, { categories: ['toplevel', '__metadata'] });
    return async () => {
      const { traceEvents } = JSON.parse(await this.#browser.stopTracing());
      // On Linux the main thread has the number of its process.
      const tasks = traceEvents.filter(({ tid, name, tdur }) => tid === processId && name.endsWith('RunTask') && tdur !== undefined);
      assert.ok(tasks.length > 0, `the trace has no tasks of process ${processId} with their processor time`);
      return tasks.map(({ tdur }) => tdur / 1_000);
    };
  }

  /** What the tab's origin may store, bytes; undefined: what the browser thinks. */
  async setQuota(tab, quotaSize) {
    // It holds for as long as the session that said it.
    this.#devtools ??= await this.#context.newCDPSession(tab.page);
    await this.#devtools.send('Storage.overrideQuotaForOrigin', { origin: this.#pages.origin, quotaSize });
  }

  /** As a browser does that needs the room. */
  async evictDatabases(tab) {
    const devtools = await this.#context.newCDPSession(tab.page);
    await devtools.send('Storage.clearDataForOrigin', { origin: this.#pages.origin, storageTypes: 'indexeddb' });
    await devtools.detach();
  }
}

class Tab {
  #browser;
  #processId;
  #devtools;
  #isSuspended = false;

  constructor(name, page, browser, faults) {
    this.name = name;
    this.page = page;
    this.#browser = browser;
    page.on('pageerror', (error) => faults.push(`${name}: ${error.stack ?? error}`));
    page.on('console', (message) => {
      if (message.type() === 'error' && !ALLOWED.test(message.text())) faults.push(`${name}: ${message.text()}`);
      if (process.env.EBBTIDE_TEST_VERBOSE) console.error(`[${name}] ${message.text()}`);
    });
  }

  /** Calls what `page/app.js` offers. */
  call(method, ...args) {
    return this.page.evaluate(([name, given]) => window.app[name](...given), [method, args]);
  }

  /** Waits until what the page's app shows is so. */
  eventually(what, look, holds, limitMs) {
    return eventually(`${this.name}: ${what}`, () => this.page.evaluate(look), holds, limitMs);
  }

  /** Waits until the last state is this one; returns it. */
  state(state, limitMs) {
    return this.eventually(state, () => window.app.states.at(-1), (last) => last?.state === state, limitMs);
  }

  /** What its JavaScript holds, without what nobody needs any more. */
  async heldBytes() {
    this.#devtools ??= await this.page.context().newCDPSession(this.page);
    await this.#devtools.send('HeapProfiler.collectGarbage');
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = await this.#devtools.send('Runtime.getHeapUsage');
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  }

  close() {
    return this.page.close();
  }

  /** SIGSTOP: no timer runs, no message is read, its locks stay. The tab must have a process of its own. */
  async suspend() {
    process.kill(await this.processId(), 'SIGSTOP');
    this.#isSuspended = true;
  }

  /** Of its renderer. */
  async processId() {
    this.#processId ??= await this.#findProcess();
    return this.#processId;
  }

  resume() {
    if (this.#isSuspended) process.kill(this.#processId, 'SIGCONT');
    this.#isSuspended = false;
  }

  /** As the browser does it to a tab in the background, between two tasks; it must be one of `openPlainWindow`. */
  freeze() {
    return this.#live('frozen');
  }

  thaw() {
    return this.#live('active');
  }

  /** Goes to another page; this one is kept in the back/forward cache. */
  async leave() {
    await this.page.evaluate(() => void (window.isSameDocument = true));
    await this.page.goto(new URL('elsewhere.html', this.page.url()).href);
  }

  /** Comes back to the page that was left, as it was: not loaded again. */
  async back() {
    const devtools = await this.page.context().newCDPSession(this.page);
    const why = [];
    devtools.on('Page.backForwardCacheNotUsed', (event) => why.push(...event.notRestoredExplanations.map(({ reason }) => reason)));
    await devtools.send('Page.enable');
    await this.page.goBack({ waitUntil: 'commit' });
    const isSame = await this.page.evaluate(() => window.isSameDocument === true);
    assert.ok(isSame, `${this.name} was loaded again instead of restored: ${why.join(', ')}`);
    await devtools.detach();
  }

  /** The renderer ends; no event of the page's lifecycle is fired. */
  async crash() {
    const crashed = once(this.page, 'crash');
    this.page.goto('chrome://crash').catch(() => {});
    await within(10_000, 'the crash', crashed);
  }

  async #live(state) {
    this.#devtools ??= await this.page.context().newCDPSession(this.page);
    await this.#devtools.send('Page.setWebLifecycleState', { state });
  }

  /** Which renderer works when this page does. */
  async #findProcess() {
    const session = await this.#browser.newBrowserCDPSession();
    const usage = async () => {
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      return new Map(processInfo.filter(({ type }) => type === 'renderer').map(({ id, cpuTime }) => [id, cpuTime]));
    };
    const before = await usage();
    const busy = () => {
      const end = performance.now() + 150;
      while (performance.now() < end);
    };
    const look = async () => {
      await this.page.evaluate(busy);
      const now = await usage();
      // One that has just started has been busy with itself.
      for (const [id, time] of now) if (!before.has(id)) before.set(id, time);
      return [...now].map(([id, time]) => ({ id, s: time - before.get(id) })).sort((a, b) => b.s - a.s);
    };
    const isClear = ([first, second]) => first.s > 0.3 && first.s > 3 * (second?.s ?? 0);
    const [{ id }] = await eventually(`the process of ${this.name}`, look, isClear);
    await session.detach();
    return id;
  }
}
