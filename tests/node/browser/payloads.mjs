// Whatever a payload or a topic is, it is shown as text and nothing of it is ever run.

import assert from 'node:assert/strict';
import { api } from './api.mjs';
import { eventually, open } from './chromium.mjs';

const [base] = process.argv.slice(2);
const broker = api(base);
const { browser, page, faults } = await open({ viewport: { width: 1280, height: 900 } });
const detail = page.getByTestId('topic-detail');
const panel = detail.locator('.payload-panel').first();

const HTML = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
const LINK = '[x](javascript:window.hacked=1)\n"\'><svg onload=window.hacked=1>';
const HUGE = 'x'.repeat(1024 * 1024);
const DEEP = '['.repeat(5000) + ']'.repeat(5000);
const BINARY = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
const NAMES = ['a b/ c ', '🌊/tide', '//', '/x//y', 'odd/$inside', `<b>bold</b>/${'é'.repeat(300)}`, 'x/'.repeat(100)];

async function look(topic, query = '') {
  await page.goto(`${base}/topics?topic=${encodeURIComponent(topic)}${query}`);
  await eventually(topic, () => detail.getAttribute('data-topic'), (seen) => seen === topic);
  await panel.waitFor();
}
const form = (name) => panel.getByRole('radio', { name }).click();
const isForm = (name) => eventually(`as ${name}`, () => panel.getAttribute('data-form'), (seen) => seen === name);

try {
  await broker.publish([
    { topic: 'odd/html', payload: HTML, properties: { content_type: 'text/html', user_properties: [{ name: HTML, value: HTML }] } },
    { topic: 'odd/link', payload: LINK },
    { topic: 'odd/huge', payload: HUGE },
    { topic: 'odd/deep', payload: DEEP },
    { topic: 'odd/binary', payload_base64: BINARY.toString('base64') },
    ...NAMES.map((topic) => ({ topic, payload: topic })),
    { topic: 'presence/html', payload: `{"status":"online","meta":{"note":${JSON.stringify(HTML)}}}` },
    { topic: 'config/html', payload: JSON.stringify({ [HTML]: HTML }) },
  ]);

  for (const [topic, payload] of [['odd/html', HTML], ['odd/link', LINK]]) {
    await look(topic);
    await isForm('text');
    assert.equal(await panel.locator('pre').innerText(), payload);
    await form('JSON');
    await eventually('why not', () => panel.innerText(), (seen) => seen.includes('It is not JSON: line 1, column '));
  }
  await look('odd/html');
  await eventually('its property', () => detail.locator('.pairs td').innerText(), (seen) => seen === HTML);

  await look('odd/binary');
  await isForm('hex');
  assert.match(await panel.locator('pre').innerText(), /^0000 {2}00 01 02 03 04 05 06 07/);
  await form('Text');
  await isForm('text');
  assert.ok((await panel.locator('pre').innerText()).includes('␀␁␂'));

  await look('odd/huge');
  await eventually('says its size', () => panel.innerText(), (seen) => seen.includes('The first 64.0 KiB of 1.0 MiB'));
  const whole = panel.getByRole('link', { name: 'Download all of it' });
  const answer = await fetch(base + (await whole.getAttribute('href')));
  assert.equal((await answer.json()).payload, HUGE);

  await look('odd/deep');
  await isForm('text');
  await form('JSON');
  await eventually('why not', () => panel.innerText(), (seen) => seen.includes('nesting is too deep'));

  for (const topic of NAMES) {
    await look(topic);
    await isForm('text');
    assert.equal(await panel.locator('pre').innerText(), topic);
  }
  await look('$SYS/broker/version', '&filter=%24SYS%2F%23');

  // The boards and the search show them as well.
  for (const path of ['/presence', '/config', '/topics?q=hacked']) {
    await page.goto(base + path);
    await eventually(`hacked on ${path}`, () => page.locator('main').innerText(), (seen) => /hacked|odd|html/.test(seen));
  }
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('main img, main script, main svg[onload]').count(), 0);
  assert.deepEqual(faults, []);
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  await browser.close();
}
