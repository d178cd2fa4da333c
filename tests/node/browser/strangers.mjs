// Client identifiers as a stranger may choose them: shown as text wherever they appear, without turning the page around and
// without pushing anything out of its place.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, fits, go, heading, show } from './pages.mjs';

const HTML = '<img src=x onerror="window.hacked=1">';
const EMOJI = '👩‍🔧🌊 tide';
const TURNED = 'invoice\u202Egpj.exe';
const SPACES = '  two  spaces  ';
const LONG = `long-${'x'.repeat(65_535 - 5)}`;
const NAMES = [HTML, EMOJI, TURNED, SPACES, LONG, '%2e%2e', '"\'`', 'a?b#c&d=e'];

const [base, address] = process.argv.slice(2);
const opened = await open({ viewport: { width: 1440, height: 900 } });
const { page } = opened;
const events = page.getByTestId('events');
const isClean = async (where) => assert.equal(await page.evaluate(() => window.hacked), undefined, where);

await show(opened, async () => {
  // What happens before the page listens is not told again.
  const listens = page.waitForResponse((answer) => answer.url().endsWith('/api/v1/events'));
  await page.goto(base);
  await heading(page, 'Overview').waitFor();
  await listens;
  for (const clientId of NAMES) await mqtt.connectAsync(address, { clientId, protocolVersion: 5 });

  // Among the events.
  const names = () => events.locator('.client-id').allTextContents();
  await eventually('all have come', names, (seen) => seen.length >= NAMES.length);
  const seen = await names();
  for (const plain of [HTML, EMOJI, SPACES, '%2e%2e', '"\'`', 'a?b#c&d=e']) assert.ok(seen.includes(plain), plain);
  assert.ok(seen.includes('invoice\\u{202e}gpj.exe'), 'what turns text around is written out');
  assert.ok(seen.every((name) => name.length < 200), 'a long name is cut');
  await accessible(page, 'events of strangers');
  await fits(page, 'events of strangers');
  await picture(page, 'strangers');
  await isClean('the overview');

  // In the list: all of them, each with a way to it, except the one that no address has room for.
  await go(page, 'Sessions');
  const row = (clientId) => page.locator('tr[data-client]').filter({ has: page.locator(`xpath=self::*[starts-with(@data-client, ${JSON.stringify(clientId)})]`) });
  await eventually('all are listed', () => page.locator('tr[data-client]').count(), (count) => count > NAMES.length);
  await row('long-x').getByText('too long to be asked about').waitFor();
  assert.equal(await row('long-x').getByRole('link').count(), 0);
  const heights = await page.locator('tr[data-client]').evaluateAll((rows) => rows.map((one) => one.getBoundingClientRect().height));
  assert.ok(heights.every((height) => height < 160), `rows of ${heights} pixels`);
  await accessible(page, 'sessions of strangers');
  await fits(page, 'sessions of strangers');
  await isClean('the list');

  // One by one: the address leads to each, and what is done is done to it and to no other.
  for (const clientId of NAMES.filter((name) => name !== LONG)) {
    await page.goto(`${base}/sessions`);
    const shown = clientId === TURNED ? 'invoice\\u{202e}gpj.exe' : clientId;
    await page.locator('.cell-client a').filter({ hasText: shown }).click();
    await eventually('its name', () => page.getByRole('heading', { level: 1 }).textContent(), (text) => text === shown);
    await page.getByTestId('facts').getByText('Connected').waitFor();
  }
  await page.goto(`${base}/sessions?client=${encodeURIComponent(HTML)}`);
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByRole('dialog').getByText(HTML).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click();
  await page.locator('.toast').getByText(HTML).waitFor();
  await fits(page, 'a session of a stranger');
  await isClean('a session');
  await go(page, 'Overview');
  await isClean('the overview again');
  // The session that was disconnected ended with its connection.
}, (fault) => fault.includes('404'));
