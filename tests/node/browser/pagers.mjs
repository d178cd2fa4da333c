// The pages of a long answer: what is said of a page is of the one that is shown, also when something is pressed twice, or
// when a page has been emptied by others.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open } from './chromium.mjs';
import { show } from './pages.mjs';

const SESSIONS = 120;
const WAITING = 60;
const IN_FLIGHT = 10;

const [base, broker] = process.argv.slice(2);
const opened = await open({ viewport: { width: 1440, height: 900 } });
const { page } = opened;
const name = (n) => `client-${String(n).padStart(3, '0')}`;
const api = (method, path) => fetch(`${base}/api/v1/sessions/${path}`, { method, headers: { 'content-type': 'application/json' } });

async function leaveBehind(clientId, topics = []) {
  const client = await mqtt.connectAsync(broker, {
    clientId, clean: false, protocolVersion: 5, reconnectPeriod: 0,
    properties: { sessionExpiryInterval: 3600, receiveMaximum: IN_FLIGHT },
  });
  client.handleMessage = () => undefined;
  for (const topic of topics) await client.subscribeAsync(topic, { qos: 1 });
  return client;
}

// Pressed twice before the first has been answered.
async function twice(questions, button) {
  let held = [];
  await page.route(questions, (route) => held?.push(route) ?? route.continue());
  await button.click();
  await eventually('asked', () => held.length, (seen) => seen > 0);
  await button.click();
  const answered = held.map((route) => route.continue());
  held = undefined;
  await Promise.all(answered);
}

async function sessions() {
  await page.goto(`${base}/sessions?sort=client_id&q=client-`);
  const pager = page.getByRole('navigation', { name: 'Pages of sessions' });
  const next = pager.getByRole('button', { name: 'Next' });
  const range = () => pager.getByRole('status').innerText();
  const first = () => page.locator('tr[data-client]').first().getAttribute('data-client');
  const shows = (expected, client) => eventually(expected, async () => [await range(), await first()].join(), (seen) => seen === `${expected},${client}`);
  await shows('1–50 of 120', name(0));
  await twice(/sessions\?.*cursor=/, next);
  await shows('51–100 of 120', name(50));
  await next.click();
  await shows('101–120 of 120', name(100));
  assert.ok(await next.isDisabled());
  // All of the last page end.
  for (let n = 100; n < SESSIONS; n++) assert.equal((await api('DELETE', name(n))).status, 200);
  await shows('51–100 of 100', name(50));
  await pager.getByRole('button', { name: 'Previous' }).click();
  await shows('1–50 of 100', name(0));
  assert.ok(await pager.getByRole('button', { name: 'Previous' }).isDisabled());
}

async function queue() {
  const reader = await leaveBehind(name(0), ['to/reader']);
  const gateway = await mqtt.connectAsync(broker, { clientId: 'gateway', protocolVersion: 4 });
  await Promise.all(Array.from({ length: WAITING }, (_, n) => gateway.publishAsync('to/reader', String(n), { qos: 1 })));
  await gateway.endAsync();
  await page.goto(`${base}/sessions?client=${name(0)}&offset=50`);
  const part = page.getByTestId('queue');
  await part.getByText('51–60 of 60').waitFor();
  const previous = part.getByRole('button', { name: 'Previous' });
  await twice(/\/queue\?/, previous);
  await part.getByText('26–50 of 60').waitFor();
  await part.getByRole('button', { name: 'Next' }).click();
  await part.getByText('51–60 of 60').waitFor();
  assert.equal((await api('DELETE', `${name(0)}/queue`)).status, 200);
  await part.getByText('1–10 of 10').waitFor();
  assert.equal(await part.locator('tbody tr').count(), IN_FLIGHT);
  assert.ok(await previous.isDisabled());
  await reader.endAsync(true);
}

await show(opened, async () => {
  for (let n = 0; n < SESSIONS; n++) await (await leaveBehind(name(n))).endAsync();
  await sessions();
  await queue();
});
