// The offline demo: what is sent without a network, by a tab that is killed then, arrives once; what was not done comes again.

import assert from 'node:assert/strict';
import { eventually, open } from './chromium.mjs';

const [base] = process.argv.slice(2);
const { browser, page, faults } = await open();

const pane = (name) => page.locator('.pane').filter({ has: page.getByRole('heading', { name }) });
const button = (name, text) => pane(name).getByRole('button', { name: text, exact: true });
const state = (name, expected) =>
  eventually(`${name} ${expected}`, () => pane(name).locator('.state').getAttribute('data-state'), (seen) => seen === expected);
const count = (name, where, expected) =>
  eventually(`${name} ${where} ${expected}`, () => pane(name).locator(where).textContent(), (seen) => seen === String(expected));
const lamp = (name, expected) =>
  eventually(`${name} lamp ${expected}`, () => pane(name).locator('.value').textContent(), (seen) => seen === expected);

/** In the page: how many messages the inboxes of this origin hold. */
async function inboxes() {
  const settled = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  let kept = 0;
  for (const { name } of await indexedDB.databases()) {
    const database = await settled(indexedDB.open(name));
    if (database.objectStoreNames.contains('inbox')) {
      const rows = await settled(database.transaction('inbox').objectStore('inbox').getAll());
      kept += rows.reduce((sum, { list }) => sum + list.length, 0);
    }
    database.close();
  }
  return kept;
}

try {
  await page.goto(`${base}/docs/offline.html`);
  await state('Ana', 'online');
  await state('Ben', 'online');
  await button('Ben', 'Lamp').click();
  await lamp('Ana', 'on');

  await pane('Ana').getByRole('switch').click();
  await state('Ana', 'offline');
  await button('Ana', 'Send ten').click();
  await pane('Ana').getByLabel('Note').fill('the last one');
  await button('Ana', 'Send').click();
  await count('Ana', '.waiting', 11);
  await button('Ana', 'Kill the tab').click();
  await state('Ana', 'killed');

  await button('Ana', 'Open it again').click();
  await count('Ana', '.waiting', 11);
  await lamp('Ana', 'on, from earlier');
  await count('Ben', '.arrived', 0);
  await pane('Ana').getByRole('switch').click();
  await state('Ana', 'online');
  await count('Ben', '.arrived', 11);
  await count('Ana', '.waiting', 0);
  assert.equal(await page.locator('.steps .taken').count(), 5);
  const notes = await pane('Ben').locator('.inbox li').allTextContents();
  assert.deepEqual(notes, [...Array.from({ length: 10 }, (_, n) => `Ana: note ${n + 1} Done`), 'Ana: the last one Done']);

  await button('Ben', 'Done').first().click();
  await count('Ben', '.done', 1);
  // What is done leaves the store a moment later; killed before, the tab would get it again, marked.
  await eventually('messages in the store', () => page.evaluate(inboxes), (kept) => kept === 10);
  await button('Ben', 'Kill the tab').click();
  await button('Ben', 'Open it again').click();
  await count('Ben', '.arrived', 10);
  assert.equal(await pane('Ben').locator('.inbox .badge').count(), 10);
  // The one that was done is not among them.
  assert.match(await pane('Ben').locator('.inbox li').first().textContent(), /note 2/);

  await page.getByRole('button', { name: 'Start over' }).click();
  await count('Ben', '.arrived', 0);
  await state('Ana', 'online');
  // A socket that is refused is written to the console by the browser itself.
  assert.deepEqual(faults.filter((fault) => !/WebSocket connection to .*unplugged/.test(fault)), []);
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  await browser.close();
}
