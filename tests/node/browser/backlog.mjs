// A session with a backlog of 10,000: looked into, disconnected, emptied and deleted. Each asks once, says what it did, and
// what is lost by it can be taken back until it is done.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, heading, show } from './pages.mjs';

const WAITING = 10_000;
const IN_FLIGHT = 10;
const NOTICE_MS = 10_000;

const [base, broker] = process.argv.slice(2);
const opened = await open({ viewport: { width: 1440, height: 900 } });
const { page } = opened;
const dialog = page.getByRole('dialog');
const toast = page.locator('.toast');
const told = (text) => toast.filter({ hasText: text }).waitFor();
const facts = () => page.getByTestId('facts').innerText();
const queue = page.getByTestId('queue');
const positions = () => queue.locator('tbody th').allInnerTexts();
const where = (clientId) => `${base}/sessions?client=${encodeURIComponent(clientId)}`;
const session = async (clientId) => {
  const answer = await fetch(`${base}/api/v1/sessions/${encodeURIComponent(clientId)}`);
  return answer.status === 404 ? undefined : answer.json();
};

// It takes what it is sent and acknowledges nothing.
async function slow(clientId) {
  const client = await mqtt.connectAsync(broker, {
    clientId, clean: false, protocolVersion: 5, reconnectPeriod: 0,
    properties: { sessionExpiryInterval: 3600, receiveMaximum: IN_FLIGHT },
  });
  client.handleMessage = () => undefined;
  await client.subscribeAsync(`to/${clientId}`, { qos: 1 });
  return client;
}
async function send(clientId, count) {
  const client = await mqtt.connectAsync(broker, { clientId: 'gateway', protocolVersion: 4 });
  const payload = (n) => `{"n":${n}}`;
  await Promise.all(Array.from({ length: count }, (_, n) => client.publishAsync(`to/${clientId}`, payload(n), { qos: 1 })));
  await client.endAsync();
}
// By the page's own timers: those that were due before have had their turn.
const later = (ms) => page.evaluate((ahead) => {
  globalThis.later(ahead);
  return new Promise((resolve) => setTimeout(resolve, 500));
}, ms);
async function ask(button) {
  await page.getByRole('button', { name: button, exact: true }).click();
  await dialog.waitFor();
  return (await dialog.innerText()).replace(/\s+/g, ' ');
}
async function answer(name) {
  await dialog.getByRole('button', { name, exact: true }).click();
  await dialog.waitFor({ state: 'hidden' });
}

async function peek() {
  await page.goto(where('reader'));
  await eventually('its backlog', facts, (seen) => seen.includes('9,990 messages'));
  await queue.getByText('1–25 of 10,000').waitFor();
  assert.deepEqual((await positions()).slice(0, 2), ['1', '2']);
  await queue.getByText('sent, not acknowledged').nth(IN_FLIGHT - 1).waitFor();
  for (const range of ['26–50', '51–75']) {
    await queue.getByRole('button', { name: 'Next' }).click();
    await queue.getByText(`${range} of 10,000`).waitFor();
  }
  assert.ok((await queue.locator('tbody tr').first().innerText()).includes('{"n":50}'), 'in the order of the queue');
  await queue.getByRole('button', { name: 'Previous' }).click();
  await queue.getByText('26–50 of 10,000').waitFor();
  // The last page has an address like any other.
  await page.goto(`${where('reader')}&offset=9975`);
  await queue.getByText('9,976–10,000 of 10,000').waitFor();
  assert.equal((await positions()).at(-1), '10,000');
  assert.ok((await queue.locator('tbody tr').last().innerText()).includes('{"n":9999}'));
  assert.ok(await queue.getByRole('button', { name: 'Next' }).isDisabled());
}

async function disconnect(client) {
  const gone = new Promise((resolve) => client.on('close', resolve));
  assert.match(await ask('Disconnect'), /with the 10,000 messages that wait/);
  await accessible(page, 'the question');
  await answer('Cancel');
  assert.ok((await session('reader')).connected, 'asked, and not done');
  await ask('Disconnect');
  await answer('Disconnect');
  await told('Disconnected reader');
  await gone;
  await eventually('away, with all of it', facts, (seen) => /Away/.test(seen) && seen.includes('9,990 messages'));
}

async function takeBack() {
  assert.match(await ask('Purge queue'), /the 9,990 messages that wait for reader\? What is being sent stays/);
  await picture(page, 'question');
  await answer('Drop them');
  await told('Dropping 9,990 messages');
  await accessible(page, 'a notice that waits');
  await picture(page, 'notice');
  await toast.getByRole('button', { name: 'Undo' }).click();
  await told('Nothing was dropped');
  assert.equal((await session('reader')).queue_messages, WAITING - IN_FLIGHT);

  // It waits while somebody looks at it, and is done when the time is up.
  assert.match(await ask('Delete session'), /1 subscription and 10,000 messages that wait for it are lost/);
  await answer('Delete');
  await told('Deleting the session of reader');
  await toast.hover();
  await later(3 * NOTICE_MS);
  await told('Deleting the session of reader');
  assert.equal((await session('reader')).queue_messages, WAITING - IN_FLIGHT);
  await page.mouse.move(0, 0);
  await eventually('not looked at', () => page.locator('.toast:hover').count(), (seen) => seen === 0);
  await later(NOTICE_MS / 2);
  await told(/In 5 s/);
  assert.ok(await session('reader'), 'not yet');
  await later(NOTICE_MS / 2);
  await told('Deleted the session of reader: 1 subscription and 10,000 messages that wait for it are lost.');
  await heading(page, 'Sessions').waitFor();
  assert.equal(await session('reader'), undefined);
}

// Who leaves the page has decided.
async function leave() {
  const client = await slow('other');
  await client.endAsync();
  await send('other', 20);
  await page.goto(where('other'));
  await eventually('its backlog', facts, (seen) => seen.includes('20 messages'));
  await ask('Purge queue');
  await answer('Drop them');
  await told('Dropping 20 messages');
  await page.goto(`${base}/docs/`);
  await eventually('purged', () => session('other'), (seen) => seen.queue_messages === 0);

  // And another notice does not swallow what waits.
  await page.goto(where('other'));
  await ask('Delete session');
  await answer('Delete');
  await told('Deleting the session of other');
  await toast.getByRole('button', { name: 'Do it now' }).click();
  await told('Deleted the session of other');
  assert.equal(await session('other'), undefined);
}

await show(opened, async () => {
  // Time passes when it is let pass: the page measures lengths of time with this clock alone.
  await page.addInitScript(() => {
    let nowMs = 0;
    performance.now = () => nowMs;
    globalThis.later = (ms) => { nowMs += ms; };
  });
  const reader = await slow('reader');
  await send('reader', WAITING);
  await peek();
  await disconnect(reader);
  await takeBack();
  await leave();
}, (fault) => fault.includes('404'));
