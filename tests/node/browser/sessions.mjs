// The sessions page: the stuck one is found, looked into and dealt with.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open } from './chromium.mjs';
import { accessible, fits, go, heading, show } from './pages.mjs';

const WAITING = 10_000;
const STUCK = 'scale 7/ü';

const [base, broker] = process.argv.slice(2);
const opened = await open();
const { page } = opened;

const away = await mqtt.connectAsync(broker, {
  clientId: STUCK, clean: false, protocolVersion: 5, properties: { sessionExpiryInterval: 3600 },
});
await away.subscribeAsync('sensors/+', { qos: 1 });
await away.endAsync();
const present = await mqtt.connectAsync(broker, { clientId: 'display', protocolVersion: 5, reconnectPeriod: 0 });
await present.subscribeAsync({ 'sensors/1': { qos: 0 } });
const publisher = await mqtt.connectAsync(broker, { clientId: 'gateway', protocolVersion: 4 });
const payload = (n) => (n === 1 ? Buffer.from([0xff, 0]) : `{"n":${n},"html":"<img src=x onerror=alert(1)>"}`);
await Promise.all(Array.from({ length: WAITING }, (_, n) => publisher.publishAsync(`sensors/${n % 3}`, payload(n), { qos: 1 })));

const clients = () => page.locator('tr[data-client]').evaluateAll((rows) => rows.map((row) => row.dataset.client));
const listed = (what, expected) => eventually(what, clients, (seen) => JSON.stringify(seen) === JSON.stringify(expected));
const facts = () => page.getByTestId('facts').innerText();
const queue = page.getByTestId('queue');
const confirm = async (button, answer) => {
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: answer, exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
};
const now = () => page.locator('.toast').getByRole('button', { name: 'Do it now' }).click();
const told = (text) => page.locator('.toast').filter({ hasText: text }).waitFor();

await show(opened, async () => {
  // Found by what is wrong with it, and by its name.
  await page.goto(base);
  await go(page, 'Sessions');
  await eventually('the most stuck one first', clients, (seen) => seen[0] === STUCK);
  await page.getByRole('button', { name: 'Client' }).click();
  await eventually('by name', clients, (seen) => String(seen) === String([...seen].sort()));
  await page.getByRole('button', { name: 'Backlog' }).click();
  await eventually('by backlog again', clients, (seen) => seen[0] === STUCK);
  assert.equal(new URL(page.url()).search, '');
  await page.getByRole('button', { name: 'Away' }).click();
  await listed('who is away', [STUCK]);
  await page.getByRole('button', { name: 'All' }).click();
  await page.keyboard.press('/');
  await page.keyboard.type('DISP');
  await listed('who is called so', ['display']);
  await page.keyboard.press('Escape');
  await accessible(page, 'the sessions');
  await fits(page, 'the sessions');

  // Looked into: the address leads there.
  await page.goto(`${base}/sessions?client=${encodeURIComponent(STUCK)}`);
  await heading(page, STUCK).waitFor();
  await eventually('its backlog', facts, (seen) => seen.includes('10,000 messages'));
  await queue.getByText('1–25 of 10,000').waitFor();
  await queue.getByText('<img src=x onerror=alert(1)>').first().waitFor();
  await queue.getByText('binary').waitFor();
  await queue.getByRole('button', { name: 'Next' }).click();
  await queue.getByText('26–50 of 10,000').waitFor();
  await page.getByTestId('subscriptions').getByRole('rowheader').filter({ hasText: '+' }).waitFor();

  // Asked why.
  const why = page.getByTestId('why');
  const ask = async (topic, verdict) => {
    await why.getByLabel('Topic of the message').fill(topic);
    await page.keyboard.press('Enter');
    await why.getByTestId('verdict').filter({ hasText: verdict }).waitFor();
  };
  await ask('sensors/2', 'It still waits');
  await why.getByText('At position 3: waiting').waitFor();
  await ask('weather', 'It does not subscribe to this topic');
  await accessible(page, 'a session');
  await fits(page, 'a session');
  await page.reload();
  await why.getByTestId('verdict').filter({ hasText: 'It does not subscribe' }).waitFor();

  // Purged, but not by accident.
  await confirm('Purge queue', 'Cancel');
  assert.match(await facts(), /10,000 messages/);
  await confirm('Purge queue', 'Drop them');
  await now();
  await told('Dropped 10,000 messages');
  await eventually('nothing waits', facts, (seen) => /\b0 messages/.test(seen));
  await ask('sensors/2', 'It was purged by an operator');

  // Disconnected.
  await page.goto(`${base}/sessions?client=display`);
  await heading(page, 'display').waitFor();
  const farewell = new Promise((resolve) => present.on('disconnect', resolve));
  await confirm('Disconnect', 'Disconnect');
  await told('Disconnected display');
  assert.equal((await farewell).reasonCode, 0x98);

  // Deleted: there is no such session any more, neither in the list nor at its address.
  await page.goto(`${base}/sessions?client=${encodeURIComponent(STUCK)}`);
  await confirm('Delete session', 'Delete');
  await now();
  await told('Deleted the session');
  await heading(page, 'Sessions').waitFor();
  await eventually('it is gone', clients, (seen) => seen.includes('gateway') && !seen.includes(STUCK));
  await page.goBack();
  await page.getByText('No such session').waitFor();
}, (fault) => fault.includes('404'));
