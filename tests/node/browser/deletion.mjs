// Deleting what is retained: what stays is said to stay, and no way back is promised where there is none.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { open } from './chromium.mjs';
import { accessible, fits, go, show } from './pages.mjs';
import { account, signIn } from './accounts.mjs';

const [base, broker, password] = process.argv.slice(2);
const root = await account(base, 'root', password);
const opened = await open({ viewport: { width: 1280, height: 900 } });
const { page } = opened;
const detail = page.getByTestId('topic-detail');
const dialog = page.getByRole('dialog');
const toast = page.locator('.toast');

const as = async (user, topic) => {
  await page.goto(`${base}/topics?topic=${encodeURIComponent(topic)}`);
  await signIn(page, user, password);
  await detail.waitFor();
};
const announced = async (answer, said) => {
  await detail.getByRole('button', { name: 'Clear' }).click();
  await toast.filter({ hasText: 'Clearing other/x.' }).waitFor();
  await answer.click();
  await toast.filter({ hasText: said }).waitFor();
};
const clear = async (said) => {
  await detail.getByRole('button', { name: 'Clear' }).click();
  await toast.filter({ hasText: said }).waitFor();
  assert.equal(await toast.getByRole('button', { name: 'Undo' }).count(), 0);
};
const asked = async (...said) => {
  await detail.getByRole('button', { name: 'Delete retained below' }).click();
  for (const text of said) await dialog.getByText(text).waitFor();
  const all = await dialog.innerText();
  assert.ok(!/\b0 bytes|right afterwards/.test(all), all);
};
const client = (clientId) => mqtt.connectAsync(broker, { clientId, protocolVersion: 5, username: 'ann', password });

await show(opened, async () => {
  await (await client('lamp')).endAsync();
  const display = await client('display');
  for (const topic of ['own/pam/a', 'own/pam/b', 'other/x']) await root.publish(topic, '1');

  // What the broker sets itself: of clients that are gone it can be deleted, and nobody can bring it back.
  await as('bob', 'presence/display');
  await clear('presence/display was not cleared: the broker keeps it itself');
  await as('bob', 'other/x');
  await clear('other/x was not cleared: the broker keeps it itself, or rules do not let you clear it.');
  await as('bob', 'presence');
  await asked(/\d retained messages?, .* in all, would be deleted/, /stays?: the broker keeps (it|them) itself/, 'This cannot be taken back.');
  await accessible(page, 'presence to be deleted');
  await dialog.getByTestId('delete-now').click();
  await toast.filter({ hasText: /Deleted .* cannot be brought back from here/ }).waitFor();
  assert.equal(await toast.getByRole('button', { name: 'Undo' }).count(), 0);

  // Who may not read is told how many, and nothing else that would not be so.
  await as('pam', 'other/x');
  await announced(page.getByRole('button', { name: 'Undo' }), 'Nothing was cleared.');
  await announced(page.getByRole('button', { name: 'Do it now' }), 'Nothing was cleared: other/x is not retained any more, or rules do not let you clear it.');
  assert.equal((await root.done('GET', 'retained/other%2Fx')).payload, '1');
  await as('pam', 'other');
  await asked('Nothing is retained there that rules let you delete.');
  await as('pam', 'own/pam');
  await asked('2 retained messages would be deleted.', 'takes the scope “read”', 'This cannot be taken back.');
  await accessible(page, 'a number of messages to be deleted');
  await fits(page, 'a number of messages to be deleted');
  await dialog.getByRole('button', { name: 'Delete 2 retained messages' }).click();
  await toast.filter({ hasText: 'Deleted 2 retained messages. They cannot be brought back from here.' }).waitFor();
  await root.publish('own/pam/large', 'x'.repeat(70_000));
  await as('pam', 'own/pam/large');
  await page.getByRole('link', { name: 'Download all of it' }).click();
  await toast.filter({ hasText: /It was not downloaded. .*read/ }).waitFor();
  await go(page, 'Overview');
  await page.getByTestId('events').getByText('“read”').waitFor();
  await display.endAsync();
}, (fault) => /40[134]/.test(fault));
