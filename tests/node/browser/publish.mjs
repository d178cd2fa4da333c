// The publish page: every property arrives as typed, what is wrong is marked, answers come in words, and messages arrive live.

import assert from 'node:assert/strict';
import { api } from './api.mjs';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, fits } from './pages.mjs';

const [base] = process.argv.slice(2);
const broker = api(base);
const { browser, page, faults } = await open({ viewport: { width: 1440, height: 900 } });
const field = (label) => page.getByLabel(label, { exact: true });
const message = page.getByRole('region', { name: 'A message' });
const live = page.getByRole('region', { name: 'What arrives' });
const send = message.getByRole('button', { name: 'Publish', exact: true });
const answer = (expected) => eventually('the answer', () => page.getByTestId('publish-answer').innerText(), (seen) => expected.test(seen));
const arrived = () => live.getByTestId('live-list').locator('li.version').count();
const shows = (what, look, expected) => eventually(what, look, (seen) => seen === expected);

try {
  await page.goto(`${base}/publish?topic=try%2Fit`);
  await shows('the topic of the link', () => field('Topic').inputValue(), 'try/it');
  await eventually('online', () => page.getByTestId('connection').getAttribute('data-state'), (seen) => seen === 'online');

  // Everything that is wrong is marked at once, and nothing is sent.
  await field('Topic').fill('try/#');
  await field('Payload').fill('{"a": }');
  await message.getByText('Properties of MQTT 5').click();
  await field('Message Expiry Interval, seconds').fill('soon');
  await send.click();
  await answer(/Not sent/);
  for (const label of ['Topic', 'Payload', 'Message Expiry Interval, seconds']) {
    assert.equal(await field(label).getAttribute('aria-invalid'), 'true', label);
  }

  await field('Topic').fill('try/it');
  await field('Payload').fill('{"a": 1.0}');
  await field('Message Expiry Interval, seconds').fill('3600');
  await field('Content Type').fill('application/json');
  await field('Response Topic').fill('try/answers');
  await field('Correlation Data, hex').fill('ff 00');
  await message.getByRole('button', { name: 'Add a user property' }).click();
  await message.getByLabel('Name of user property 1').fill('author');
  await message.getByLabel('Value of user property 1').fill('ana');
  await message.getByText('Retain: the broker keeps it').click();
  await field('Payload').focus();
  await page.keyboard.press('Control+Enter');
  await answer(/accepted: No matching subscribers \(0x10\)/);
  const kept = await broker.retained('try/it');
  assert.equal(kept.payload, '{"a": 1.0}');
  assert.equal(kept.qos, 1);
  assert.deepEqual(kept.properties, {
    message_expiry_interval: 3600, content_type: 'application/json', response_topic: 'try/answers',
    correlation_data_base64: '/wA=', user_properties: [{ name: 'author', value: 'ana' }],
  });
  await accessible(page, 'a message');
  await fits(page, 'a message');
  await picture(page, 'publish');

  // Kept for another time, also after a reload.
  await message.getByLabel('Name to save this message under').fill('on');
  await message.getByRole('button', { name: 'Save this message' }).click();
  await page.goto(`${base}/publish`);
  await page.getByTestId('saved-messages').selectOption('on');
  await shows('the saved topic', () => field('Topic').inputValue(), 'try/it');
  assert.equal(await message.getByLabel('Value of user property 1').inputValue(), 'ana');

  // What arrives: the retained message first, then live, with the QoS of its publisher.
  await live.getByLabel('Topic filter').fill('try/+');
  await live.getByRole('radio', { name: '2' }).check();
  await live.getByRole('button', { name: 'Subscribe' }).click();
  await shows('the retained one', arrived, 1);
  await broker.publish([{ topic: 'try/live', payload_base64: '/w==', qos: 2, retain: false }]);
  await shows('the live one', arrived, 2);
  const first = live.getByTestId('live-list').locator('li.version').first();
  assert.match((await first.innerText()).replace(/\s+/g, ' '), /try\/live.*QoS 2.*ff/);

  // QoS 1 to somebody who has subscribed; bytes as digits.
  await field('Topic').fill('try/hex');
  await message.getByRole('radio', { name: 'Hex' }).check();
  await field('Payload').fill('de ad');
  await send.click();
  await answer(/2 bytes to try\/hex accepted: Success \(0x00\)/);
  await shows('mine', arrived, 3);

  await first.getByRole('button').first().click();
  await accessible(page, 'what arrives');
  await first.getByRole('button').first().click();

  await live.getByRole('button', { name: 'Pause' }).click();
  await broker.publish([{ topic: 'try/late', payload: 'held', retain: false }]);
  await eventually('it waits', () => page.getByTestId('live-count').innerText(), (seen) => /4 messages, 1 wait/.test(seen));
  assert.equal(await arrived(), 3);
  await live.getByRole('button', { name: 'Go on' }).click();
  await shows('what has waited', arrived, 4);

  // Leaving the page loses nothing; the search narrows; Clear empties; End ends.
  await page.getByRole('link', { name: 'Topics', exact: true }).click();
  await page.getByRole('tree').waitFor();
  await page.getByRole('link', { name: 'Publish', exact: true }).click();
  await shows('still there', arrived, 4);
  await page.getByRole('searchbox').fill('held');
  await shows('found', arrived, 1);
  await page.getByRole('searchbox').fill('');
  await live.getByRole('button', { name: 'Clear' }).click();
  await shows('cleared', arrived, 0);
  await live.getByRole('button', { name: 'End the subscription to try/+' }).click();
  await shows('ended', () => live.getByTestId('live-subscription').count(), 0);
  assert.deepEqual(faults, []);
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  await browser.close();
}
