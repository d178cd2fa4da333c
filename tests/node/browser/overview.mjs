// The overview: what it says is so, the exact values can be had without a mouse, and every page is fit for everybody.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open } from './chromium.mjs';
import { accessible, fits, go, heading, show } from './pages.mjs';

const [base, broker] = process.argv.slice(2);
const opened = await open();
const { page } = opened;

const tile = (id) => page.locator(`[data-tile="${id}"] .tile-value`).innerText();
const shows = (id, holds) => eventually(`tile ${id}`, () => tile(id), holds);

await show(opened, async () => {
  // Of an empty broker every page says so, and says it to everybody.
  await page.goto(base);
  await heading(page, 'Overview').waitFor();
  await page.getByTestId('health').filter({ hasText: 'Working' }).waitFor();
  await accessible(page, 'an empty overview');
  for (const title of ['Presence', 'Config', 'Topics', 'Sessions', 'Publish']) {
    await go(page, title);
    await accessible(page, `${title}, empty`);
  }
  await page.goBack();
  await heading(page, 'Sessions').waitFor();

  await go(page, 'Overview');
  const client = await mqtt.connectAsync(broker, { clientId: 'ana/phone', protocolVersion: 5 });
  await page.getByTestId('events').getByText('ana/phone').waitFor();
  const retained = { qos: 1, retain: true };
  await client.publishAsync('presence/ana', '{"status":"online"}', retained);
  await client.publishAsync('presence/bo', '{"status":"offline","reason":"battery"}', retained);
  await client.publishAsync('presence/<b>cy', 'hello', retained);
  await client.publishAsync('config/lamp', '{"on":true}', retained);
  await page.getByText('1 of 3 online').waitFor();
  await page.getByText('{"on":true}').waitFor();
  await shows('connections', (seen) => Number(seen) >= 2);
  await shows('commits', (seen) => /^[\d.]+ m?s$/.test(seen));
  await shows('backlog', (seen) => seen === '0');
  // What is typed on the overview is looked for in all topics, to the last letter.
  await page.keyboard.press('/');
  await page.keyboard.type('lamp');
  await heading(page, 'Topics').waitFor();
  await page.waitForURL('**/topics?q=lamp');
  await page.goBack();
  await heading(page, 'Overview').waitFor();

  // The exact values of a moment, by keyboard; and all of them, in a table.
  await page.getByRole('button', { name: '10 minutes' }).click();
  const chart = page.getByRole('slider', { name: 'Messages per second' });
  await eventually('points', () => chart.getAttribute('aria-valuemax'), (seen) => Number(seen) >= 2);
  await chart.focus();
  await page.keyboard.press('Home');
  assert.equal(await chart.getAttribute('aria-valuenow'), '0');
  assert.match(await chart.getAttribute('aria-valuetext'), /: in [\d<.,]+, out [\d<.,]+$/);
  await page.locator('[data-chart="connections"] summary').click();
  await page.getByRole('table', { name: 'Connections' }).getByRole('row').nth(1).waitFor();
  await accessible(page, 'the overview');
  await fits(page, 'the overview');
  // The tiles fill their rows.
  for (const width of [360, 1024, 1280, 1440]) {
    await page.setViewportSize({ width, height: 800 });
    const ends = () => page.locator('.tiles').evaluate((tiles) => {
      const end = (element) => Math.round(element.getBoundingClientRect().right);
      return [end(tiles), end(tiles.lastElementChild)];
    });
    await eventually(`full rows at ${width} pixels`, ends, ([row, last]) => row === last);
  }

  for (const title of ['Presence', 'Config', 'Topics', 'Sessions', 'Publish']) {
    await go(page, title);
    if (title !== 'Topics' && title !== 'Publish') await page.locator('.card, tr[data-client]').first().waitFor();
    await accessible(page, title);
    await fits(page, title);
  }

  // By keyboard alone: past the link that skips, to a page, and back to its content.
  await page.goto(`${base}/presence`);
  await page.locator('.card').first().waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip-link');
  await page.getByRole('link', { name: 'Config' }).focus();
  await page.keyboard.press('Enter');
  await heading(page, 'Config').waitFor();
  await eventually('the page has the focus', () => page.evaluate(() => document.activeElement.id), (id) => id === 'main');
});
