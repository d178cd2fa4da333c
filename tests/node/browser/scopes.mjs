// What a user may not do is there, cannot be used, and says why; what it may do works.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, fits, go, heading, show } from './pages.mjs';
import { account, signIn } from './accounts.mjs';

const [base, broker, password] = process.argv.slice(2);
const root = await account(base, 'root', password);
await root.publish('config/lamp', '{"on":true}');
await root.publish('config/lamp/more', '1');
const client = await mqtt.connectAsync(broker, {
  clientId: 'display', protocolVersion: 5, username: 'ann', password, clean: false, properties: { sessionExpiryInterval: 600 },
});
await client.subscribeAsync('#', { qos: 1 });
// By the fourth rule it is not for ann.
await root.publish('config/secret', 'x');

const opened = await open({ viewport: { width: 1280, height: 900 } });
const { page } = opened;
const why = (scope) => page.getByTestId('needs').filter({ hasText: `“${scope}”` }).first();
const button = (name) => page.getByRole('button', { name }).first();
const isDisabled = async (name) => {
  await button(name).waitFor();
  assert.ok(await button(name).isDisabled(), `${name} can be used`);
};
const as = async (user, place) => {
  await page.goto(`${base}${place}`);
  await signIn(page, user, password);
};

await show(opened, async () => {
  // One who looks.
  await as('ann', '/config');
  await page.locator('[data-topic="config/lamp"]').waitFor();
  await why('publish').waitFor();
  await isDisabled('New value');
  await isDisabled('Edit lamp');
  await isDisabled('Clear lamp');
  await accessible(page, 'config, read-only');
  await fits(page, 'config, read-only');
  await picture(page, 'read-only-config');
  await go(page, 'Topics');
  await page.getByRole('treeitem', { name: 'config' }).click();
  await why('publish').waitFor();
  await isDisabled(/^Delete retained below/);
  await go(page, 'Publish');
  await why('publish').waitFor();
  await isDisabled('Publish');
  await go(page, 'Sessions');
  await page.getByRole('link', { name: 'display' }).click();
  await heading(page, 'display').waitFor();
  await why('admin').waitFor();
  for (const name of ['Disconnect', 'Purge queue', 'Delete session']) await isDisabled(name);
  await page.getByLabel('Topic of the message').fill('config/secret');
  await page.keyboard.press('Enter');
  await page.getByTestId('verdict').filter({ hasText: 'A rule does not let the client have it' }).waitFor();
  await page.getByTestId('why').getByText('Rule 4 decides').waitFor();
  await accessible(page, 'a session, read-only');
  await go(page, 'Access');
  await page.getByText('Only administrators see this').waitFor();
  await accessible(page, 'access, read-only');
  await page.getByRole('link', { name: 'Rules' }).click();
  await page.getByTestId('rules').waitFor();
  await isDisabled('Edit the rules');
  await accessible(page, 'rules, read-only');
  // A link to where it may not go leads to where it may look.
  await page.goto(`${base}/access?part=rules&edit=1`);
  await signIn(page, 'ann', password);
  await page.getByTestId('rules').waitFor();
  assert.equal(await page.getByTestId('rules-editor').count(), 0);

  // One who publishes.
  await as('bob', '/config?edit=config%2Flamp');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Value' }).fill('{"on":false}');
  await dialog.getByRole('button', { name: 'Publish', exact: true }).click();
  await dialog.waitFor({ state: 'hidden' });
  const stored = async () => (await root.done('GET', 'retained/config%2Flamp')).payload;
  await eventually('stored', stored, (seen) => seen === '{"on":false}');
  await go(page, 'Sessions');
  await page.getByRole('link', { name: 'display' }).click();
  await isDisabled('Delete session');

  // One whom no rule lets look is told so, and where rules are.
  await as('eve', '/presence');
  await page.getByText('No rule allows this filter').waitFor();
  await go(page, 'Overview');
  const refused = page.getByText('The broker refused the filter of this board.');
  await eventually('two boards', () => refused.count(), (seen) => seen === 2);
  await go(page, 'Presence');
  await page.getByRole('link', { name: 'Look at the rules' }).click();
  await page.getByTestId('rules').waitFor();
  await client.endAsync();
}, (fault) => /40[1349]/.test(fault));
