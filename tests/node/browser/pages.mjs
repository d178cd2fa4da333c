// What the tests of the dashboard's pages share: to go to one, to see that it is fit for everybody, and to end.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';
import { eventually } from './chromium.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const heading = (page, name) => page.getByRole('heading', { level: 1, name });

export async function go(page, title) {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title }).click();
  await heading(page, title).waitFor();
}

// axe-core finds nothing, in light and in dark. By the debugger: the policy of the page lets no foreign script in.
export async function accessible(page, what) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const said = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((n) => `  ${n.html}\n  ${n.failureSummary}`).join('\n')}`);
    assert.deepEqual(said, [], `${what}, ${colorScheme}`);
  }
}

// Nothing reaches beyond the page at its sides, from the narrowest to the widest screen.
export async function fits(page, what) {
  const before = page.viewportSize();
  for (const width of [360, 768, 1440, 2560]) {
    await page.setViewportSize({ width, height: 800 });
    const beyond = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await eventually(`${what} fits into ${width} pixels`, beyond, (seen) => seen <= 0, 5_000);
  }
  await page.setViewportSize(before);
}

// Runs what is to be shown, and ends; says what the page logged when it fails.
export async function show({ browser, faults }, whatIsShown, expected = () => false) {
  let code = 0;
  try {
    await whatIsShown();
    assert.deepEqual(faults.filter((fault) => !expected(fault)), []);
  } catch (error) {
    console.error(error);
    console.error(faults.join('\n'));
    code = 1;
  }
  await browser.close();
  // Clients that are still connected would keep it alive.
  process.exit(code);
}
