// Signing in: refused in words, let in with the place kept, renewed, asked again over the page, and left without a trace.

import assert from 'node:assert/strict';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, fits, go, heading, show } from './pages.mjs';
import { account, signIn } from './accounts.mjs';

const [base, password, other] = process.argv.slice(2);
const root = await account(base, 'root', password);
await root.publish('presence/kiel', '{"status":"online","meta":{"site":"Kiel"}}');
await root.publish('config/lamp', '{"on":true}');

const opened = await open({ viewport: { width: 1280, height: 900 } });
const { context, page } = opened;
const form = page.getByTestId('sign-in');
const state = () => page.getByTestId('connection').getAttribute('data-state');
const isOnline = () => eventually('online', state, (seen) => seen === 'online');
const tokens = [];
const auths = { sent: 0, received: 0 };
page.on('response', async (answer) => {
  if (/\/api\/v1\/login/.test(answer.url()) && answer.request().method() === 'POST' && answer.ok()) tokens.push((await answer.json()).token);
});
page.on('websocket', (socket) => {
  const isAuth = ({ payload }) => typeof payload !== 'string' && payload[0] === 0xf0;
  socket.on('framesent', (frame) => { if (isAuth(frame)) auths.sent += 1; });
  socket.on('framereceived', (frame) => { if (isAuth(frame)) auths.received += 1; });
});
/** Everything that the browser keeps for the broker, as one text; the shell of the page is in no way of anybody. */
const kept = async () => {
  const stored = await page.evaluate(async () => JSON.stringify({
    local: { ...localStorage }, session: { ...sessionStorage }, cookie: document.cookie, databases: await indexedDB.databases(),
  }));
  return stored + JSON.stringify(await context.cookies());
};
const nothingIsKept = async (what) => {
  assert.equal(await kept(), '{"local":{},"session":{},"cookie":"","databases":[]}[]', what);
};

await show(opened, async () => {
  // Asked before anything is shown, and told in words what was wrong.
  const place = `${base}/sessions?client=nobody%2Fhere&topic=a`;
  await page.goto(place);
  await form.waitFor();
  assert.equal(await page.getByRole('navigation').count(), 0);
  await accessible(page, 'signing in');
  await fits(page, 'signing in');
  await picture(page, 'sign-in');
  await signIn(page, 'ann', 'a wrong one');
  await page.getByRole('alert').filter({ hasText: 'no such user with this password' }).waitFor();
  await accessible(page, 'a wrong password');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'sign-in-password');
  await page.route('**/api/v1/login', (route) => route.abort());
  await signIn(page, 'ann', password);
  await page.getByRole('alert').filter({ hasText: 'did not answer' }).waitFor();
  await page.unroute('**/api/v1/login');

  // By keyboard alone, with a token that is said to count for three seconds; and back at the place of the link.
  await page.route('**/api/v1/login', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), expires_in_s: 3 } });
  });
  await page.getByLabel('User').focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('ann');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Control+A');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await heading(page, 'nobody/here').waitFor();
  await page.getByText('No such session').waitFor();
  assert.equal(page.url(), place);
  await isOnline();

  // Renewed in time, for the API and on the connection that stands.
  await eventually('two tokens', async () => tokens.length, (seen) => seen >= 2);
  await eventually('AUTH both ways', async () => ({ ...auths }), ({ sent, received }) => sent >= 1 && received >= 1);
  assert.notEqual(tokens[0], '');
  await isOnline();

  // Live by MQTT and by the API, and nothing of it is kept.
  await go(page, 'Presence');
  await page.locator('[data-topic="presence/kiel"]').waitFor();
  await go(page, 'Overview');
  await page.getByTestId('health').filter({ hasText: 'Working' }).waitFor();
  await root.publish('presence/eckernförde', '{"status":"online"}');
  await page.getByText('2 of 2 online').waitFor();
  const html = await page.content();
  for (const token of tokens) assert.ok(!html.includes(token), 'a token is in the page');
  await nothingIsKept('signed in');

  // The password is another one: asked again, over the page as it stands.
  await go(page, 'Publish');
  await page.getByLabel('Payload', { exact: true }).fill('half a thought');
  await page.unroute('**/api/v1/login');
  await root.setUser('ann', { password: other });
  const again = page.getByRole('dialog', { name: 'Sign in again' });
  await again.waitFor();
  await accessible(page, 'signing in again');
  await picture(page, 'sign-in-again');
  await page.keyboard.press('Escape');
  assert.ok(await again.isVisible(), 'it stays');
  assert.equal(await again.getByLabel('User').inputValue(), 'ann');
  await again.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await again.getByRole('alert').filter({ hasText: 'no such user' }).waitFor();
  await again.getByLabel('Password').fill(other);
  await page.keyboard.press('Enter');
  await again.waitFor({ state: 'hidden' });
  await isOnline();
  assert.equal(await page.getByLabel('Payload', { exact: true }).inputValue(), 'half a thought');

  // Left: nothing of the user is there, in the page, at its address or in the browser.
  await page.getByTestId('account').click();
  await picture(page, 'signed-in');
  await accessible(page, 'the account');
  // The menu goes with Escape, back to its button, and when something else is pressed.
  const signOut = page.getByRole('button', { name: 'Sign out' });
  await page.keyboard.press('Escape');
  await signOut.waitFor({ state: 'hidden' });
  await page.keyboard.press('Enter');
  await signOut.waitFor();
  await heading(page, 'Publish').click();
  await signOut.waitFor({ state: 'hidden' });
  await page.getByTestId('account').click();
  await signOut.click();
  await form.filter({ hasText: 'You have signed out' }).waitFor();
  assert.equal(new URL(page.url()).pathname, '/');
  const left = await page.content();
  for (const secret of [...tokens, other, 'kiel', 'ann']) assert.ok(!left.includes(secret), secret);
  await nothingIsKept('signed out');
  await page.goBack().catch(() => undefined);
  await form.waitFor();

  // Whoever comes next sees nothing of the one before; and a page that is loaded anew asks anew.
  await signIn(page, 'bob', password);
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  await go(page, 'Publish');
  assert.equal(await page.getByLabel('Payload', { exact: true }).inputValue(), '');
  await page.reload();
  await form.waitFor();

  // An address of no page is none for who has signed in there either.
  await page.goto(`${base}/no/such/page`);
  await signIn(page, 'bob', password);
  await heading(page, 'Not found').waitFor();
  await page.reload();
  await form.waitFor();

  // Too many that fail.
  for (let n = 0; n < 25; n++) {
    await fetch(`${base}/api/v1/login`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ user: 'ann', password: 'x' }),
    });
  }
  await signIn(page, 'ann', other);
  await page.getByRole('alert').filter({ hasText: 'try again in a minute' }).waitFor();
}, (fault) => /40[14]|429|ERR_FAILED|Unauthorized/.test(fault));
