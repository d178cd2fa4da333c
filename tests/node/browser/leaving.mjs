// Who signs out has decided: what was confirmed and still waits is done first, with what its user may do. Nothing of one user is
// done in the name of the next, whatever is still under way.

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
const again = page.getByRole('dialog', { name: 'Sign in again' });
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
/** As if the token did not count any more. */
async function expire() {
  const question = /\/sessions\/display$/;
  await page.route(question, (route) => route.fulfill({ status: 401, json: { title: 'Unauthorized', status: 401, detail: 'It is over.' } }));
  await again.waitFor();
  await page.unroute(question);
}
/** Keeps back what is asked there until it is let go. */
async function keepBack(url) {
  let route;
  await page.route(url, (asked) => { route = asked; });
  return {
    asked: () => eventually(`asked ${url}`, async () => route !== undefined, Boolean),
    async letGo() {
      const answered = page.waitForResponse(url);
      await route.continue();
      await (await answered).finished();
      await page.unroute(url);
      // The page has had its turn with it.
      await page.waitForTimeout(300);
    },
  };
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

  // While the page waits for a password the time stands still. Another user does not do it; the same one does.
  await root.publish('own/ann/x', '2');
  const deletes = [];
  page.on('request', (request) => { if (request.method() === 'DELETE') deletes.push(request.url()); });
  await confirmed('Purge queue', 'Drop them', 'Dropping 1 message');
  await expire();
  const left = () => page.locator('.toast-left').innerText();
  const stood = await left();
  await page.waitForTimeout(2_500);
  assert.equal(await left(), stood);
  await signIn(again, 'bob', password);
  await again.waitFor({ state: 'hidden' });
  await heading(page, 'display').waitFor();
  await page.waitForTimeout(300);
  assert.deepEqual(deletes, []);
  assert.equal(await toast.count(), 0);
  assert.equal((await session()).queue_messages, 1);
  await confirmed('Purge queue', 'Drop them', 'Dropping 1 message');
  await expire();
  await signIn(again, 'root', password);
  await again.waitFor({ state: 'hidden' });
  assert.equal((await session()).queue_messages, 1);
  await toast.getByRole('button', { name: 'Do it now' }).click();
  await eventually('purged', session, (seen) => seen.queue_messages === 0);

  // Who signs out while the password is on its way stays out.
  const login = '**/api/v1/login';
  await expire();
  const signingIn = await keepBack(login);
  await signIn(again, 'root', password);
  await signingIn.asked();
  await again.getByRole('button', { name: 'Sign out' }).click();
  await form.filter({ hasText: 'You have signed out' }).waitFor();
  await signingIn.letGo();
  assert.ok(await form.isVisible(), 'signed in again');

  // The next token of one who has left is not shown in the name of the next.
  await page.route(login, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), expires_in_s: 3 } });
  });
  const renewal = await keepBack('**/api/v1/login/renew');
  await signIn(page, 'root', password);
  await renewal.asked();
  await page.unroute(login);
  await leave();
  await signIn(page, 'bob', password);
  await heading(page, 'Overview').waitFor();
  await renewal.letGo();
  const { authorization } = await (await page.waitForRequest(/\/api\/v1\/stats/)).allHeaders();
  assert.equal(JSON.parse(Buffer.from(authorization.split('.')[1], 'base64url')).sub, 'bob');

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
