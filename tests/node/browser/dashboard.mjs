// Opens the dashboard and does what it is told, a line at a time:
//   painted <cards> <values>     that many are there, on their pages
//   page <title>                 goes there by the navigation
//   exactly <file>               what is there is what the JSON file says: { cards: { topic: status }, values: { topic: JSON } }
//   card <topic> <status>        the card of that topic shows the status
//   connection <state> [ms]      the page says how it is connected, within so much time
//   health <state>               the overview says how the broker is
//   known <count>                the overview knows of so many that are or were present
//   shown <test id>              it is there and visible
//   accessible                   axe-core finds nothing on it as it is now
//   screenshot <scheme> <file>   light or dark
// Answers `done`; ends with an error when something does not come about.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { eventually, open } from './chromium.mjs';
import { accessible } from './pages.mjs';

// Tall, so that a list which renders only what is visible renders all of it.
const TALL = { width: 1280, height: 6000 };
const PICTURE = { width: 1440, height: 900 };

const [url] = process.argv.slice(2);
const { browser, page, faults } = await open({ viewport: TALL, deviceScaleFactor: 1 });
const byTestId = (id) => page.locator(`[data-testid="${id}"]`);
const go = async (title) => {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title }).click();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
};

const orders = {
  async painted(cards, values) {
    for (const [title, id, count] of [['Config', 'config-entry', values], ['Presence', 'presence-card', cards]]) {
      await go(title);
      await eventually(`${count} of ${id}`, () => byTestId(id).count(), (seen) => seen === Number(count));
    }
  },
  async exactly(file) {
    const wanted = JSON.parse(readFileSync(file, 'utf8'));
    const bare = (text) => text.replace(/\s/g, '');
    const shown = (id, of) => page.evaluate(([id, of]) => {
      return [...document.querySelectorAll(`[data-testid="${id}"]`)].map((e) => [e.dataset.topic, of === 'status' ? e.dataset.status : e.innerText]);
    }, [id, of]);
    const all = (seen, of, matches) => seen.length === Object.keys(of).length
      && seen.every(([topic, text]) => topic in of && matches(text, of[topic]));
    await go('Config');
    await eventually('every value as published', () => shown('config-entry'), (seen) => {
      return all(seen, wanted.values, (text, value) => bare(text).includes(bare(value)));
    });
    await go('Presence');
    await eventually('every card as published', () => shown('presence-card', 'status'), (seen) => {
      return all(seen, wanted.cards, (status, published) => status === published);
    });
  },
  async card(topic, status) {
    const card = page.locator(`[data-testid="presence-card"][data-topic="${topic}"]`);
    const shown = async () => ({ status: await card.getAttribute('data-status'), text: await card.innerText() });
    await eventually(`${topic} ${status}`, shown, (seen) => {
      return seen.status === status && new RegExp(`\\b${status}\\b`, 'i').test(seen.text);
    });
  },
  async page(title) {
    await go(title);
  },
  async shown(id) {
    await byTestId(id).first().waitFor({ state: 'visible' });
  },
  async connection(state, withinMs) {
    const shown = () => byTestId('connection').getAttribute('data-state');
    await eventually(`connection ${state}`, shown, (seen) => seen === state, withinMs && Number(withinMs));
  },
  async health(state) {
    const shown = () => byTestId('health').getAttribute('data-state');
    await eventually(`health ${state}`, shown, (seen) => seen === state);
  },
  async known(count) {
    const shown = () => page.locator('.digest-count').allInnerTexts();
    await eventually(`${count} known`, shown, (seen) => seen.some((text) => text.endsWith(`of ${count} online`)));
  },
  async accessible() {
    await accessible(page, page.url());
    await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'no-preference' });
  },
  async screenshot(scheme, file) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize(PICTURE);
    // What changes with the size has been drawn, and what is asked for now and then is there.
    await page.waitForTimeout(2_500);
    await page.screenshot({ path: file });
    await page.setViewportSize(TALL);
    await page.emulateMedia({ colorScheme: 'light' });
  },
};

try {
  await page.goto(url);
  console.log('open');
  for await (const line of createInterface({ input: process.stdin })) {
    const [order, ...words] = line.trim().split(' ');
    await orders[order](...words);
    console.log('done');
  }
  const violations = faults.filter((fault) => /Content Security Policy|page error/.test(fault));
  if (violations.length > 0) throw new Error('the page is not clean');
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  // An open stdin would keep a script alive that has failed.
  process.stdin.destroy();
  await browser.close();
}
