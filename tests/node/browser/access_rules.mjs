// The access page: rules looked at, refused with the place, saved and taken back; and who may what by them.

import assert from 'node:assert/strict';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, fits, heading, show } from './pages.mjs';
import { account, signIn } from './accounts.mjs';

const [base, password] = process.argv.slice(2);
const opened = await open({ viewport: { width: 1280, height: 900 } });
const { page } = opened;
const told = (text) => page.locator('.toast').filter({ hasText: text }).waitFor();
const part = (name) => page.getByRole('navigation', { name: 'Parts of this page' }).getByRole('link', { name }).click();
const fit = async (what) => {
  await accessible(page, what);
  await fits(page, what);
};

await show(opened, async () => {
  // Rules: in words; not saved while they are wrong, and the place is shown; saved, in force, and taken back.
  const root = await account(base, 'root', password);
  const saved = async () => (await root.done('GET', 'rules')).rules.length;
  await page.goto(`${base}/access?part=rules`);
  await signIn(page, 'root', password);
  await heading(page, 'Access').waitFor();
  const rules = page.getByTestId('rules').locator('.rule');
  await eventually('the rules', () => rules.count(), (seen) => seen === 4);
  await fit('the rules');
  await picture(page, 'access-rules');
  const before = await rules.allInnerTexts();
  await page.getByRole('link', { name: 'Edit the rules' }).click();
  const editor = page.getByTestId('rules-editor');
  const text = editor.getByRole('textbox');
  const save = editor.getByRole('button', { name: 'Save' });
  const original = await text.inputValue();
  assert.ok(await save.isDisabled(), 'there is nothing to save');
  const wrong = async (typed, said) => {
    await text.fill(typed);
    await editor.getByText(said).waitFor();
    assert.ok(await save.isDisabled(), `${said} can be saved`);
  };
  await wrong(original.replace('[\n  {', '[\n  {{'), /line 2, column 4/);
  assert.equal(await editor.getByTestId('fault-place').locator('mark').innerText(), '{');
  await wrong(original.replace('"effect"', '"efect"'), /line 2, column \d+: unknown field `efect`/);
  await fit('a rule with a misspelt member');
  await wrong(original.replace('config/#', 'config/#/x'), /rule 2: the topic `config\/#\/x`/);
  assert.equal(await editor.locator('.rule[data-marked]').getByText('config').count(), 1);
  await fit('a wrong rule');
  await picture(page, 'access-rules-wrong');
  const added = '[\n  {"effect": "deny", "who": {"user": "ann"}, "actions": ["publish"], "topics": ["config/#"]},';
  // An answer belongs to the text that was asked about, however late it comes: what is saved is what stands in the field.
  const validation = '**/api/v1/rules/validate';
  const asked = [];
  await page.route(validation, (route) => { asked.push(route); });
  for (const [n, user] of ['early', 'late'].entries()) {
    await text.fill(original.replace('"bob"', `"${user}"`));
    await eventually('asked', () => asked.length, (seen) => seen === n + 1);
  }
  const [overtaken, last] = asked;
  const answered = page.waitForResponse(validation);
  await overtaken.continue();
  await (await answered).finished();
  // The page has had its turn with it.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
  assert.ok(await save.isDisabled(), 'other rules than those in the field can be saved');
  await last.continue();
  await eventually('it can be saved', () => save.isDisabled(), (seen) => !seen);
  await page.unroute(validation);
  await editor.getByText('late').first().waitFor();
  // A question that was lost says nothing about the rules, and is asked again.
  await page.route(validation, (route) => route.abort());
  await text.fill(original.replace('[', added));
  await editor.getByRole('alert').filter({ hasText: 'The broker has not looked at this text yet' }).waitFor();
  assert.ok(await save.isDisabled(), 'rules that nobody has looked at can be saved');
  assert.equal(await editor.getByText('Not valid').count(), 0);
  await page.unroute(validation);
  await editor.getByText('ann may not publish').waitFor();
  await eventually('it can be saved', () => save.isDisabled(), (seen) => !seen);
  await editor.getByRole('button', { name: 'Cancel' }).click();
  await editor.getByText('Your changes are not saved').waitFor();
  await editor.getByRole('button', { name: 'Go on editing' }).click();
  await save.click();
  await told('The rules are saved');
  await eventually('five rules', () => rules.count(), (seen) => seen === 5);
  assert.equal(await saved(), 4);
  await page.locator('.toast').getByRole('button', { name: 'Undo' }).click();
  await told('The rules are as they were');
  await eventually('as they were', () => rules.allInnerTexts(), (seen) => String(seen) === String(before));
  assert.equal(await saved(), 3);

  // Who may what; the question is an address.
  await part('Who may what');
  const simulator = page.getByTestId('simulator');
  const question = async (user, action, topic, answer) => {
    await simulator.getByLabel('User').fill(user);
    await simulator.getByLabel('Topic or filter').fill(topic);
    await simulator.getByRole('radio', { name: action, exact: true }).check();
    await simulator.getByRole('button', { name: 'Ask the broker' }).click();
    await simulator.getByTestId('verdict').filter({ hasText: answer }).waitFor();
  };
  await question('ann', 'publish', 'own/ann/x', 'Yes: rule 3 allows it');
  await question('ann', 'publish', 'own/bob/x', 'No: no rule allows it');
  await question('', 'subscribe', '#', 'No: no rule allows it');
  await question('root', 'subscribe', '#', 'Yes: rule 1 allows it');
  assert.equal(await simulator.locator('.rule[data-marked] .rule-number').innerText(), '1');
  await fit('who may what');
  await picture(page, 'access-who-may-what');
  await simulator.getByLabel('Topic or filter').fill('a/#/b');
  await page.keyboard.press('Enter');
  await simulator.getByText(/^topic:/).waitFor();
  await page.goto(`${base}/access?part=try&user=ann&action=retain&topic=own%2Fann%2Fx`);
  await signIn(page, 'root', password);
  await simulator.getByTestId('verdict').filter({ hasText: 'Yes: rule 3' }).waitFor();
}, (fault) => /40[0134]|ERR_FAILED/.test(fault));
