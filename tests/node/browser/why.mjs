// "Why did this client not get that message?": the answers in words, each after what it is about has happened.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open } from './chromium.mjs';
import { accessible, heading, show } from './pages.mjs';

const [base, broker] = process.argv.slice(2);
const opened = await open({ viewport: { width: 1440, height: 900 } });
const { page } = opened;
const why = page.getByTestId('why');

const kept = { clientId: 'scale', clean: false, protocolVersion: 5, properties: { sessionExpiryInterval: 3600 } };
const publisher = await mqtt.connectAsync(broker, { clientId: 'gateway', protocolVersion: 5 });
const send = (topic, properties) => publisher.publishAsync(topic, 'x', { qos: 1, properties });

async function says(topic, verdict, explanation) {
  await why.getByLabel('Topic of the message').fill(topic);
  await page.keyboard.press('Enter');
  await why.getByTestId('verdict').filter({ hasText: verdict }).waitFor();
  await why.locator('.lead').filter({ hasText: explanation }).waitFor();
}

await show(opened, async () => {
  // Taken.
  const client = await mqtt.connectAsync(broker, kept);
  await client.subscribeAsync('weights/#', { qos: 1 });
  const taken = new Promise((resolve) => client.on('message', resolve));
  await send('weights/taken');
  await taken;
  await client.endAsync();
  // Expired while it was away: found out when the client is back.
  await send('weights/short', { messageExpiryInterval: 1 });
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  const back = await mqtt.connectAsync(broker, kept);
  const known = async () => (await fetch(`${base}/api/v1/sessions/scale/why?topic=weights%2Fshort`)).json();
  await eventually('found out', known, ({ verdict }) => verdict === 'expired');
  await back.endAsync();
  // Dropped by the limit of four: the first of five.
  await send('weights/first');
  for (let n = 0; n < 4; n += 1) await send('weights/more');

  await page.goto(`${base}/sessions?client=scale`);
  await heading(page, 'scale').waitFor();
  await says('weights/taken', 'The client has it: it has acknowledged it', 'The client has acknowledged it');
  await says('weights/short', 'It had expired', 'Message Expiry Interval passed');
  await says('weights/first', 'The queue was full', 'queue_overflow says what goes then');
  await says('weights/more', 'It still waits', 'It is the next of 4.');
  await why.getByText('At position 1: waiting').waitFor();
  // The page asks again by itself meanwhile: that is no reason to take away what is being typed.
  const field = why.getByLabel('Topic of the message');
  await field.fill('half a topi');
  await (await page.waitForResponse((answer) => answer.url().includes('/why?'))).finished();
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  assert.equal(await field.inputValue(), 'half a topi');
  await accessible(page, 'an answer');
  // Of the one that had expired the client was told when it came back.
  await page.getByTestId('facts').locator('[data-lost]').filter({ hasText: '1 message' }).waitFor();
});
