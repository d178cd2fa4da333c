// The page of docs/secured-app.md: who may write what over wss, and what a browser does that does not trust the certificate.
// Orders: `write`, `again` (after the broker was restarted), `untrusting`.

import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { eventually, open } from './chromium.mjs';

const [base, trusted] = process.argv.slice(2);
// As if the authority had been imported: the one certificate of this broker is taken, and no other.
const { browser, context, page: ada } = await open({}, [`--ignore-certificate-errors-spki-list=${trusted}`]);
let grace;

const text = (tab, selector) => tab.locator(selector).textContent();
const is = (tab, selector, expected) =>
  eventually(`${selector} ${expected}`, () => text(tab, selector), (seen) => seen === expected);
const shows = (tab, line) =>
  eventually(line, () => tab.locator('#people li').allTextContents(), (lines) => lines.includes(line));

const orders = {
  async write() {
    await ada.goto(`${base}/?name=ada`);
    await is(ada, '#state', 'online');
    await shows(ada, 'ops: here');
    await shows(ada, 'ada: typing');
    await ada.locator('#here').click();
    await is(ada, '#said', 'The broker has it.');
    await shows(ada, 'ada: here');
    await ada.locator('#forge').click();
    await is(ada, '#said', 'Not authorized');
    grace = await context.newPage();
    await grace.goto(`${base}/?name=grace`);
    await shows(grace, 'ada: here');
    assert.ok(!(await grace.locator('#people').textContent()).includes('grace'), 'nobody else has written it');
    await grace.locator('#forge').click();
    await is(grace, '#said', 'The broker has it.');
    await shows(ada, 'grace: here');
  },
  async again() {
    for (const tab of [ada, grace]) {
      await is(tab, '#state', 'online');
      await shows(tab, 'grace: here');
    }
    // What is written after the restart arrives without a reload.
    await grace.evaluate(() => { document.querySelector('#said').textContent = ''; });
    await grace.locator('#here').click();
    await is(grace, '#said', 'The broker has it.');
  },
  async untrusting() {
    const other = await open();
    try {
      await other.page.goto(`${base}/?name=eve`);
      await is(other.page, '#state', 'offline');
      await eventually('what the browser says', () => other.faults.join('\n'), (said) => said.includes('ERR_CERT'));
    } finally {
      await other.browser.close();
    }
  },
};

try {
  for await (const order of createInterface({ input: process.stdin })) {
    await orders[order]();
    console.log('done');
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
}
