// Starts the Chromium that the tests were given, and shows what a page logs when something fails.

import { chromium } from 'playwright-core';
import { SWITCHES } from '../switches.mjs';

export async function open(contextOptions = {}, moreArgs = []) {
  const browser = await chromium.launch({
    executablePath: process.env.EBBTIDE_TEST_CHROMIUM,
    headless: true,
    args: [...SWITCHES, ...moreArgs],
  });
  const context = await browser.newContext(contextOptions);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(`page error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`);
  });
  return { browser, context, page, faults };
}

// Asks again until it holds; says what it saw last when the time is up.
export async function eventually(what, look, holds, limitMs = 30_000) {
  const end = Date.now() + limitMs;
  let seen;
  do {
    seen = await look();
    if (holds(seen)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (Date.now() < end);
  throw new Error(`${what}: last seen ${JSON.stringify(seen)}`);
}

// One figure, as a row of a table, and the line that it stays under.
export function figure(what, is, line) {
  console.error(`| ${what} | ${is} | ${line} |`);
}

// A picture in both schemes, where the tests were asked for pictures.
export async function picture(page, name) {
  const folder = process.env.EBBTIDE_TEST_SCREENSHOTS;
  if (!folder) return;
  for (const scheme of ['light', 'dark']) {
    // Nothing that is just fading, pointed at or scrolled.
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.mouse.move(0, 0);
    await page.evaluate(() => {
      for (const element of document.querySelectorAll('*')) element.scrollTop = 0;
    });
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${folder}/${name}-${scheme}.png` });
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'no-preference' });
}
