// Opens the dashboard and does what it is told, a line at a time:
//   painted <cards> <values>     that many are there
//   exactly <file>               what is there is what the JSON file says: { cards: { topic: status }, values: { topic: JSON } }
//   card <topic> <status>        the card of that topic shows the status
//   connection <state>           the page says how it is connected
//   shown <test id>              it is there and visible
//   screenshot <scheme> <file>   light or dark
// Answers `done`; ends with an error when something does not come about.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { eventually, open } from './chromium.mjs';

// Tall, so that a list which renders only what is visible renders all of it.
const TALL = { width: 1280, height: 6000 };
const PICTURE = { width: 1280, height: 800 };

const [url] = process.argv.slice(2);
const { browser, page, faults } = await open({ viewport: TALL, deviceScaleFactor: 1 });
const byTestId = (id) => page.locator(`[data-testid="${id}"]`);

const orders = {
  async painted(cards, values) {
    for (const [id, count] of [['presence-card', cards], ['config-entry', values]]) {
      await eventually(`${count} of ${id}`, () => byTestId(id).count(), (seen) => seen === Number(count));
    }
  },
  async exactly(file) {
    const wanted = JSON.parse(readFileSync(file, 'utf8'));
    const bare = (text) => text.replace(/\s/g, '');
    const shown = () => page.evaluate(() => {
      const all = (id, of) => [...document.querySelectorAll(`[data-testid="${id}"]`)].map((e) => [e.dataset.topic, of(e)]);
      return {
        cards: all('presence-card', (element) => element.dataset.status),
        values: all('config-entry', (element) => element.innerText),
      };
    });
    await eventually('every card and value as published', shown, ({ cards, values }) => {
      const isAll = cards.length === Object.keys(wanted.cards).length && values.length === Object.keys(wanted.values).length;
      return isAll
        && cards.every(([topic, status]) => wanted.cards[topic] === status)
        && values.every(([topic, text]) => topic in wanted.values && bare(text).includes(bare(wanted.values[topic])));
    });
  },
  async card(topic, status) {
    const card = page.locator(`[data-testid="presence-card"][data-topic="${topic}"]`);
    const shown = async () => ({ status: await card.getAttribute('data-status'), text: await card.innerText() });
    await eventually(`${topic} ${status}`, shown, (seen) => {
      return seen.status === status && new RegExp(`\\b${status}\\b`, 'i').test(seen.text);
    });
  },
  async shown(id) {
    await byTestId(id).first().waitFor({ state: 'visible' });
  },
  async connection(state) {
    const shown = () => byTestId('connection').getAttribute('data-state');
    await eventually(`connection ${state}`, shown, (seen) => seen === state);
  },
  async screenshot(scheme, file) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize(PICTURE);
    await page.waitForTimeout(500);
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
