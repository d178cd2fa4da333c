// Editing a value: refused where it is not valid, warned when somebody else was faster, cleared and brought back.

import assert from 'node:assert/strict';
import { api } from './api.mjs';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, fits } from './pages.mjs';

const [base] = process.argv.slice(2);
const broker = api(base);
const { browser, page, faults } = await open({ viewport: { width: 1440, height: 900 } });
const dialog = page.getByRole('dialog');
const value = dialog.getByRole('textbox', { name: 'Value' });
const publish = dialog.getByRole('button', { name: 'Publish', exact: true });
const conflict = dialog.getByTestId('edit-conflict');
const card = (topic) => page.locator(`[data-testid="config-entry"][data-topic="${topic}"]`);
const stored = (topic, expected) =>
  eventually(`${topic} stored`, async () => (await broker.retained(topic))?.payload, (seen) => seen === expected);
const gone = (what, locator) => eventually(`no ${what}`, () => locator.count(), (seen) => seen === 0);

// Once the page has what it is about to be edited from: an own change that is still on its way would be somebody else's.
async function edit(topic, from) {
  await eventually(`${topic} shows ${from}`, () => card(topic).innerText(), (seen) => seen.replace(/\s/g, '').includes(from));
  await card(topic).getByRole('link', { name: 'Edit' }).click();
  await value.waitFor();
}

try {
  await broker.publish([
    { topic: 'config/lamp', payload: '{"on":true,"level":80}', properties: { content_type: 'application/json' } },
    { topic: 'config/door', payload: 'shut' },
  ]);
  await page.goto(`${base}/config`);
  await edit('config/lamp', '"level":80');
  assert.match(page.url(), /edit=config%2Flamp/);
  assert.ok(await publish.isDisabled(), 'there is nothing to publish');

  // Not valid: said with its place, and not to be published.
  await value.fill('{\n  "on": true,\n  "level": 8O\n}');
  await eventually('the place', () => dialog.innerText(), (seen) => /line 3, column 13/.test(seen));
  assert.equal(await dialog.getByTestId('fault-place').locator('mark').innerText(), 'O');
  assert.ok(await publish.isDisabled());
  assert.equal(await value.getAttribute('aria-invalid'), 'true');

  await accessible(page, 'a fault');
  await fits(page, 'a fault');

  // Valid: what would change is shown, and published as typed, with the properties that it had.
  await value.fill('{"on": false, "level": 80}');
  const lines = await dialog.locator('.diff-line').allInnerTexts();
  const bare = lines.map((line) => line.replace(/\s/g, ''));
  assert.ok(bare.includes('−"on":true,') && bare.includes('+"on":false,'), bare.join('\n'));
  await picture(page, 'config-edit');
  await publish.click();
  await gone('dialog', dialog);
  await stored('config/lamp', '{"on": false, "level": 80}');
  assert.equal((await broker.retained('config/lamp')).properties.content_type, 'application/json');
  await page.getByRole('button', { name: 'Undo' }).click();
  await stored('config/lamp', '{"on":true,"level":80}');

  // Somebody else is faster: mine goes over it only when that is chosen.
  await edit('config/lamp', '"on":true');
  await value.fill('{"on":true,"level":10}');
  await broker.publish([{ topic: 'config/lamp', payload: '{"on":true,"level":99}' }]);
  await conflict.waitFor();
  assert.ok(await publish.isDisabled());
  await accessible(page, 'a conflict');
  await fits(page, 'a conflict');
  const theirs = (await conflict.innerText()).replace(/\s/g, '');
  assert.ok(theirs.includes('−"level":99') && theirs.includes('+"level":10'), theirs);
  await conflict.getByRole('button', { name: 'Keep mine' }).click();
  await gone('conflict', conflict);
  await publish.click();
  await gone('dialog', dialog);
  await stored('config/lamp', '{"on":true,"level":10}');

  // The other choice takes theirs; and what is not published is not lost by a slip of the Escape key.
  await edit('config/lamp', '"level":10');
  await value.fill('{"on":true,"level":11}');
  await broker.publish([{ topic: 'config/lamp', payload: '{"on":true,"level":12}' }]);
  await conflict.getByRole('button', { name: 'Take theirs' }).click();
  assert.match(await value.inputValue(), /"level": 12/);
  await value.fill('{"on":true}');
  await page.keyboard.press('Escape');
  await dialog.getByText('Your changes are not published').waitFor();
  await dialog.getByRole('button', { name: 'Go on editing' }).click();
  assert.equal(await value.inputValue(), '{"on":true}');
  await page.keyboard.press('Escape');
  await dialog.getByRole('button', { name: 'Discard' }).click();
  await gone('dialog', dialog);
  await stored('config/lamp', '{"on":true,"level":12}');

  // Cleared while it is edited: a conflict too.
  await edit('config/door', 'shut');
  await value.fill('open');
  await broker.publish([{ topic: 'config/door', payload: '' }]);
  await dialog.getByText('Somebody else cleared this value').waitFor();
  await conflict.getByRole('button', { name: 'Keep mine' }).click();
  await publish.click();
  await gone('dialog', dialog);
  await stored('config/door', 'open');

  // Cleared and brought back, with its properties.
  await broker.publish([{ topic: 'config/door', payload: 'shut', properties: { user_properties: [{ name: 'by', value: 'ana' }] } }]);
  await eventually('the new value', () => card('config/door').innerText(), (seen) => seen.includes('shut'));
  await card('config/door').getByRole('button', { name: 'Clear' }).click();
  await stored('config/door', undefined);
  await gone('card', card('config/door'));
  await page.getByRole('button', { name: 'Undo' }).click();
  await stored('config/door', 'shut');
  assert.equal((await broker.retained('config/door')).properties.user_properties[0].value, 'ana');

  // What an earlier visit left of it has no properties; the broker brings them again, and they are published again.
  const by = async () => (await broker.retained('config/door')).properties?.user_properties[0]?.value;
  const left = () => page.evaluate(() => Object.values(localStorage).some((text) => text.includes('"config/door","shut"')));
  await eventually('left for the next visit', left, Boolean);
  await page.reload();
  await edit('config/door', 'shut');
  await value.fill('ajar');
  await publish.click();
  await gone('dialog', dialog);
  await stored('config/door', 'ajar');
  assert.equal(await by(), 'ana');
  await page.getByRole('button', { name: 'Undo' }).click();
  await stored('config/door', 'shut');
  assert.equal(await by(), 'ana');

  // More properties than the page keeps: an edit would lose some.
  await broker.publish([{ topic: 'config/door', payload: 'shut', properties: { user_properties: [{ name: 'by', value: 'x'.repeat(2_000) }] } }]);
  await page.reload();
  await card('config/door').getByRole('link', { name: 'Edit' }).click();
  await dialog.getByText('too large to be edited here').waitFor();
  await dialog.getByRole('button', { name: 'Close', exact: true }).click();
  await gone('dialog', dialog);

  // A new value, by the keyboard alone.
  await page.getByRole('link', { name: 'New value' }).focus();
  await page.keyboard.press('Enter');
  await dialog.getByLabel('Topic').waitFor();
  await dialog.getByLabel('Topic').focus();
  await page.keyboard.press('End');
  await page.keyboard.type('flag');
  for (const key of ['Tab', 'Tab']) await page.keyboard.press(key);
  await page.keyboard.type('true');
  for (const key of ['Tab', 'Tab']) await page.keyboard.press(key);
  // Past the differences, Cancel, to Publish.
  while (!(await publish.evaluate((button) => button === document.activeElement))) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await stored('config/flag', 'true');
  await gone('dialog', dialog);
  assert.deepEqual(faults, []);
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  await browser.close();
}
