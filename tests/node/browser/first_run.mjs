// An empty broker: three ways to put somebody on the board, tried one after the other.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { eventually, open, picture } from './chromium.mjs';

const [base, mqttPort] = process.argv.slice(2);
const { browser, page, faults } = await open({ viewport: { width: 1440, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'] });
const cards = () => page.getByTestId('presence-card').count();
const tried = () => page.locator('.ways [data-tried]').count();
const shows = (what, look, expected) => eventually(what, look, (seen) => seen === expected);

try {
  await page.goto(base);
  // Where everybody arrives, and on the board.
  await page.getByTestId('presence-empty').waitFor();
  await page.goto(`${base}/presence`);
  const ways = page.getByTestId('presence-empty');
  await ways.waitFor();
  await picture(page, 'first-run');

  // What is to be copied is seen whole, and by the keyboard it is copied whole.
  for (const width of [1200, 390]) {
    await page.setViewportSize({ width, height: 900 });
    const widths = await ways.locator('pre').evaluateAll((all) => all.map((code) => [code.scrollWidth, code.clientWidth]));
    assert.equal(widths.length, 2);
    for (const [needed, there] of widths) assert.ok(needed <= there, `${needed} of ${there} pixels in a window of ${width}`);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  for (const [name, way] of [['the command for a terminal', 0], ['the JavaScript', 1]]) {
    await ways.getByRole('button', { name: `Copy ${name}`, exact: true }).press('Enter');
    await ways.getByRole('button', { name: `Copied ${name}`, exact: true }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await ways.locator('code').nth(way).innerText());
  }

  await ways.getByRole('button', { name: 'Publish a sample' }).click();
  await shows('the sample', cards, 1);
  await shows('one way', tried, 1);

  // As the page has it, but for the port: it names the standard one.
  const [line, script] = await ways.locator('code').allInnerTexts();
  assert.match(line, /^mosquitto_pub -h 127\.0\.0\.1 /);
  const command = line.replace('mosquitto_pub', `"${process.env.EBBTIDE_TEST_MOSQUITTO_PUB}" -p ${mqttPort}`);
  execFileSync('sh', ['-c', command], { stdio: 'inherit' });
  await shows('who came by terminal', cards, 2);
  await shows('two ways', tried, 2);

  const other = await page.context().newPage();
  await other.goto(`${base}/docs/`);
  await other.route('**/tried.js', (route) => route.fulfill({
    contentType: 'text/javascript', body: script.replace("'ebbtide'", "'/pkg/index.js'"),
  }));
  await other.evaluate(() => import('/tried.js'));
  await shows('who came by script', cards, 3);
  await shows('no way is left to try', () => ways.count(), 0);
  assert.deepEqual(faults, []);
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  await browser.close();
}
