// Who signs out has decided: what was confirmed and still waits is done first, with what its user may do.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open } from './chromium.mjs';
import { heading, show } from './pages.mjs';
import { account, ask, signIn } from './accounts.mjs';

const [base, broker, password] = process.argv.slice(2);
const root = await account(base, 'root', password);
const opened = await open({ viewport: { width: 1280, height: 900 } });
const { page } = opened;
const form = page.getByTestId('sign-in');
const toast = page.locator('.toast');
const session = () => root.done('GET', 'sessions/display');

async function confirmed(button, answer, announced) {
  await page.goto(`${base}/sessions?client=display`);
  await signIn(page, 'root', password);
  await heading(page, 'display').waitFor();
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: answer, exact: true }).click();
  await toast.filter({ hasText: announced }).waitFor();
}
async function leave() {
  await page.getByTestId('account').click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await form.filter({ hasText: 'You have signed out' }).waitFor();
}

await show(opened, async () => {
  const client = await mqtt.connectAsync(broker, {
    clientId: 'display', protocolVersion: 5, username: 'ann', password, clean: false, properties: { sessionExpiryInterval: 600 },
  });
  await client.subscribeAsync('own/ann/#', { qos: 1 });
  await client.endAsync();
  await root.publish('own/ann/x', '1');
  assert.equal((await session()).queue_messages, 1);

  // What is taken back first is not done by leaving.
  await confirmed('Purge queue', 'Drop them', 'Dropping 1 message');
  await toast.getByRole('button', { name: 'Undo' }).click();
  await toast.filter({ hasText: 'Nothing was dropped' }).waitFor();
  await leave();
  assert.equal((await session()).queue_messages, 1);

  await confirmed('Purge queue', 'Drop them', 'Dropping 1 message');
  await leave();
  await eventually('purged', session, (seen) => seen.queue_messages === 0);

  // The answer comes when nobody is there, or somebody else: it is not for them.
  let answer;
  await page.route(/\/sessions\/display$/, (route) => {
    if (route.request().method() !== 'DELETE') return route.continue();
    answer = () => route.continue();
    return undefined;
  });
  await confirmed('Delete session', 'Delete', 'Deleting the session of display');
  await leave();
  await eventually('asked for', () => answer !== undefined, (seen) => seen);
  await signIn(page, 'bob', password);
  await heading(page, 'Overview').waitFor();
  const deleted = page.waitForResponse((response) => response.request().method() === 'DELETE');
  await answer();
  await (await deleted).finished();
  const { token } = await (await fetch(`${base}/api/v1/login`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ user: 'root', password }),
  })).json();
  assert.equal((await ask(base, token, 'GET', 'sessions/display')).status, 404);
  await page.getByTestId('health').waitFor();
  assert.equal(await toast.count(), 0);
}, (fault) => /40[14]/.test(fault));
