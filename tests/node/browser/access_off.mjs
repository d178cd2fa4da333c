// Where nobody is asked who they are, the access page says so and tells how to change that; but not before it is known.

import assert from 'node:assert/strict';
import { open, picture } from './chromium.mjs';
import { accessible, fits, go, show } from './pages.mjs';

const [base] = process.argv.slice(2);
const opened = await open({ viewport: { width: 1280, height: 900 } });
const { page } = opened;

await show(opened, async () => {
  const early = await opened.context.newPage();
  await early.routeWebSocket(/./, (socket) => socket.close());
  await early.goto(`${base}/access`);
  await early.getByText('The broker cannot be reached').waitFor();
  assert.equal(await early.getByTestId('access-off').count(), 0);
  await early.close();
  await page.goto(base);
  await go(page, 'Access');
  const off = page.getByTestId('access-off');
  await off.getByText('auth = ["password"]').waitFor();
  await accessible(page, 'access, off');
  await fits(page, 'access, off');
  await picture(page, 'access-off');
  await off.getByRole('link', { name: 'Who may do what' }).click();
  await page.getByRole('heading', { level: 1, name: 'Who may do what' }).waitFor();
});
