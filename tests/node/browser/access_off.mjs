// Where nobody is asked who they are, the access page says so and tells how to change that.

import { open, picture } from './chromium.mjs';
import { accessible, fits, go, show } from './pages.mjs';

const [base] = process.argv.slice(2);
const opened = await open({ viewport: { width: 1280, height: 900 } });
const { page } = opened;

await show(opened, async () => {
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
