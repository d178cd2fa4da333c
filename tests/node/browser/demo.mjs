// The site under /docs/ and its demo: who is on one page is shown by another, after a reload too, and is offline when the page is gone.

import assert from 'node:assert/strict';
import { eventually, open } from './chromium.mjs';

const [base] = process.argv.slice(2);
const { browser, context, page, faults } = await open();

const statusOf = (tab, name) => {
  const row = tab.locator('#agents li').filter({ hasText: name });
  return row.evaluateAll((rows) => rows.map(({ dataset }) => dataset.status));
};
const shows = (tab, name, expected) =>
  eventually(`${name} ${expected}`, () => statusOf(tab, name), (seen) => seen.length === 1 && seen[0] === expected);
const online = (tab) =>
  eventually('online', () => tab.locator('#state').getAttribute('data-state'), (seen) => seen === 'online');

try {
  // The pictures are there, each in the colours that are asked for.
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.goto(`${base}/docs/`);
    await page.locator('img').evaluateAll((all) => all.forEach((image) => { image.loading = 'eager'; }));
    const shown = () => page.locator('img').evaluateAll((all) => all.map(({ currentSrc, naturalWidth }) => ({ currentSrc, naturalWidth })));
    await eventually(`four ${colorScheme} pictures`, shown, (seen) => {
      return seen.length === 4 && seen.every(({ currentSrc, naturalWidth }) => currentSrc.endsWith(`-${colorScheme}.png`) && naturalWidth > 0);
    });
  }
  await page.getByRole('link', { name: 'Presence demo' }).first().click();
  await online(page);
  const other = await context.newPage();
  await other.goto(`${base}/docs/demo.html`);
  await online(other);

  await page.locator('#name').fill('Ana Lind/phone');
  await page.getByRole('button', { name: 'I am here' }).click();
  await shows(page, 'Ana Lind/phone', 'online');
  await shows(other, 'Ana Lind/phone', 'online');

  // Who looks again sees it still, and so does who was here.
  await other.reload();
  await shows(other, 'Ana Lind/phone', 'online');
  await page.reload();
  await online(page);
  await shows(page, 'Ana Lind/phone', 'online');
  await page.getByRole('button', { name: 'I am gone' }).click();
  await shows(other, 'Ana Lind/phone', 'offline');

  // A page that is closed says nothing: its will does.
  await page.getByRole('button', { name: 'I am here' }).click();
  await shows(other, 'Ana Lind/phone', 'online');
  await page.close();
  await shows(other, 'Ana Lind/phone', 'offline');
  assert.deepEqual(faults, []);
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  await browser.close();
}
