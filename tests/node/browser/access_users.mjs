// The access page: users and keys, made and removed, and each time tried from outside.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, fits, heading, show } from './pages.mjs';
import { ask, signIn } from './accounts.mjs';

const [base, broker, password] = process.argv.slice(2);
const SECRET = 'eves own secret';
const opened = await open({ viewport: { width: 1280, height: 900 } });
const { page } = opened;
const dialog = page.getByRole('dialog');
const row = (user) => page.locator(`tr[data-user="${user}"]`);
const told = (text) => page.locator('.toast').filter({ hasText: text }).waitFor();
const part = (name) => page.getByRole('navigation', { name: 'Parts of this page' }).getByRole('link', { name }).click();
const fit = async (what) => {
  await accessible(page, what);
  await fits(page, what);
};
const connect = (user, secret, clientId) => mqtt.connectAsync(broker, {
  clientId, protocolVersion: 5, username: user, password: secret, reconnectPeriod: 0, clean: false, properties: { sessionExpiryInterval: 600 },
});

await show(opened, async () => {
  // A user, made by keyboard: lets itself in by MQTT and here.
  await page.goto(`${base}/access`);
  await signIn(page, 'root', password);
  await heading(page, 'Access').waitFor();
  await row('ann').waitFor();
  await fit('the users');
  await picture(page, 'access-users');
  await page.getByRole('link', { name: 'Add a user' }).focus();
  await page.keyboard.press('Enter');
  await dialog.getByLabel('Name', { exact: true }).fill('root/x');
  await dialog.getByLabel('Password').fill(SECRET);
  await dialog.getByRole('button', { name: 'Add' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'name:' }).waitFor();
  await dialog.getByLabel('Name', { exact: true }).fill('eve');
  await dialog.getByLabel(/^Claims/).fill('site');
  await dialog.getByText('“site” is no claim').waitFor();
  await fit('a new user, wrong');
  await dialog.getByLabel(/^Claims/).fill('site=north\nrole=writer');
  await picture(page, 'access-new-user');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await told('Added eve');
  await dialog.waitFor({ state: 'hidden' });
  await row('eve').getByText('role=writer, site=north').waitFor();
  assert.ok(!(await page.content()).includes(SECRET), 'the password is in the page');
  const eve = await connect('eve', SECRET, 'eves-phone');

  // Changed: what is left empty stays.
  await row('eve').getByRole('link', { name: 'Change eve' }).click();
  await dialog.getByLabel('publish').check();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await told('Changed eve');
  await row('eve').getByText('read, publish').waitFor();
  await page.goto(`${base}/access?edit=ann`);
  await signIn(page, 'root', password);
  await dialog.getByRole('heading', { name: 'Change ann' }).waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });

  // Removed, after one question, with the session.
  const gone = new Promise((resolve) => eve.on('close', resolve));
  await row('eve').getByRole('button', { name: 'Remove eve' }).click();
  await dialog.getByText('its sessions are deleted').waitFor();
  await fit('the question before a user is removed');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await row('eve').count(), 1);
  await row('eve').getByRole('button', { name: 'Remove eve' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await told('Removed eve, and 1 session');
  await gone;
  await eventually('eve is gone', () => row('eve').count(), (seen) => seen === 0);
  await assert.rejects(connect('eve', SECRET, 'eves-phone'));

  // A key: shown once, of use, seen to be used, revoked.
  await part('Keys');
  await page.getByText('No keys').waitFor();
  await fit('no keys');
  await page.getByRole('link', { name: 'Make a key' }).click();
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await dialog.getByText('Say what it is for').waitFor();
  await dialog.getByLabel('What it is for').fill('backup at night');
  await fit('a new key');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  const shown = dialog.getByTestId('new-key').locator('code');
  await shown.waitFor();
  const key = await shown.innerText();
  await fit('the key');
  await dialog.getByRole('button', { name: 'I have it' }).click();
  await page.getByRole('rowheader', { name: 'backup at night' }).waitFor();
  assert.ok(!(await page.content()).includes(key), 'the key is in the page');
  await page.getByText('never').waitFor();
  assert.equal((await ask(base, key, 'GET', 'stats')).status, 200);
  await page.reload();
  await signIn(page, 'root', password);
  await page.getByRole('rowheader', { name: 'backup at night' }).waitFor();
  assert.equal(await page.getByText('never').count(), 0);
  await fit('the keys');
  await picture(page, 'access-keys');
  await page.getByRole('button', { name: 'Revoke backup at night' }).click();
  await dialog.getByRole('button', { name: 'Revoke' }).click();
  await told('Revoked the key for backup at night');
  assert.equal((await ask(base, key, 'GET', 'stats')).status, 401);
}, (fault) => /40[0134]/.test(fault));
