// Each page with the keyboard alone: reached, read, and everything on it done. No click, no focus set by the test.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { api } from './api.mjs';
import { eventually, open } from './chromium.mjs';
import { heading, show } from './pages.mjs';

const STOPS_MAX = 120;

const [base, address] = process.argv.slice(2);
const broker = api(base);
const opened = await open({ viewport: { width: 1440, height: 900 } });
const { page } = opened;
const { keyboard } = page;
const dialog = page.getByRole('dialog');
const told = (text) => page.locator('.toast').filter({ hasText: text }).waitFor();
const stored = (topic, expected) =>
  eventually(`${topic} stored`, async () => (await broker.retained(topic))?.payload, (seen) => seen === expected);
const focused = () => page.evaluate(() => {
  const { id, tagName, className, innerText, dataset } = document.activeElement;
  return { id, tagName, className: String(className), text: innerText?.trim().slice(0, 80), topic: dataset.topic };
});
const has = (locator) => locator.evaluateAll((found) => found.includes(document.activeElement));

// From stop to stop until the element has the focus.
async function to(what, locator, key = 'Tab') {
  for (let stop = 0; stop < STOPS_MAX; stop += 1) {
    if (await has(locator)) return;
    await keyboard.press(key);
  }
  throw new Error(`${what} was not reached; last at ${JSON.stringify(await focused())}`);
}
async function press(what, locator, key = 'Enter') {
  await to(what, locator);
  await keyboard.press(key);
}
async function write(what, locator, text) {
  await to(what, locator);
  await keyboard.press('Control+A');
  await keyboard.type(text);
}
// Back over the navigation, which stands before the page.
async function visit(title) {
  await to(title, page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: title }), 'Shift+Tab');
  await keyboard.press('Enter');
  await heading(page, title).waitFor();
  await eventually('the page has the focus', focused, ({ id }) => id === 'main');
}

async function overview() {
  await page.goto(base);
  await heading(page, 'Overview').waitFor();
  await eventually('points', () => page.getByRole('slider').first().getAttribute('aria-valuemax'), (seen) => Number(seen) >= 1);
  await keyboard.press('Tab');
  assert.equal((await focused()).className, 'skip-link');
  await keyboard.press('Enter');
  await eventually('past the navigation', focused, ({ id }) => id === 'main');
  await press('a span', page.getByRole('button', { name: '1 hour' }));
  await page.waitForURL(/span=|\/$/);
  const chart = page.getByRole('slider', { name: 'Connections' });
  await to('a chart', chart);
  await keyboard.press('Home');
  assert.equal(await chart.getAttribute('aria-valuenow'), '0');
  await press('its table', page.locator('[data-chart="connections"] summary'));
  await page.getByRole('table', { name: 'Connections' }).waitFor();
}

async function presence() {
  await visit('Presence');
  await keyboard.press('/');
  await keyboard.type('ana');
  const cards = page.getByTestId('presence-card');
  await eventually('found', () => cards.count(), (seen) => seen === 1);
  const more = cards.getByRole('button', { name: /about ana/ });
  await press('what has no room', more);
  await eventually('open', () => cards.getAttribute('data-open'), (seen) => seen === 'true');
  assert.match(await cards.innerText(), /the fourth/);
  await keyboard.press('Enter');
  await eventually('closed', () => cards.getAttribute('data-open'), (seen) => seen === null);
  await keyboard.press('/');
  await keyboard.press('Escape');
  await eventually('all again', () => cards.count(), (seen) => seen === 2);
  await press('a status', page.getByRole('button', { name: /^Offline/ }));
  await eventually('who is away', () => cards.count(), (seen) => seen === 1);
  await keyboard.press('Shift+Tab');
  await press('a filter', page.getByLabel('Topic filter'), 'End');
  await keyboard.type('x');
  await keyboard.press('Escape');
}

async function config() {
  await visit('Config');
  const entry = (topic) => page.locator(`[data-testid="config-entry"][data-topic="${topic}"]`);
  await press('a value', entry('config/lamp').getByRole('link', { name: 'Edit' }));
  await dialog.waitFor();
  await write('the text', dialog.getByRole('textbox', { name: 'Value' }), '{"on":false}');
  await press('Publish', dialog.getByRole('button', { name: 'Publish', exact: true }));
  await stored('config/lamp', '{"on":false}');
  await dialog.waitFor({ state: 'hidden' });
  assert.ok(await has(entry('config/lamp').getByRole('link', { name: 'Edit' })), 'the focus is where it was');
  await told('Published to config/lamp');
  await keyboard.press('Control+z');
  await stored('config/lamp', '{"on":true}');

  // What is cleared takes the focus to its neighbour, and the notice is a key away.
  await press('Clear', entry('config/door').getByRole('button', { name: 'Clear' }));
  await stored('config/door', undefined);
  await eventually('the neighbour', focused, ({ topic }) => topic === 'config/lamp');
  await told('Cleared config/door');
  await keyboard.press('F8');
  await eventually('the notice', focused, ({ text }) => text === 'Undo');
  await keyboard.press('Enter');
  await stored('config/door', 'shut');
  await eventually('back from the notice', focused, ({ topic }) => topic === 'config/lamp');
  await told('config/door is as it was');
  await keyboard.press('F8');
  await keyboard.press('Escape');
  await page.locator('.toast').waitFor({ state: 'hidden' });
}

async function topics() {
  await visit('Topics');
  await to('the tree', page.getByRole('tree'));
  const active = () => page.getByRole('tree').evaluate((tree) => document.getElementById(tree.getAttribute('aria-activedescendant'))?.dataset.topic);
  await keyboard.press('Home');
  await eventually('the first level', active, (seen) => seen === 'config');
  await keyboard.press('ArrowRight');
  await eventually('open', () => page.locator('[data-topic="config"]').getAttribute('aria-expanded'), (seen) => seen === 'true');
  await keyboard.press('ArrowRight');
  await eventually('below', active, (seen) => seen === 'config/door');
  await keyboard.press('ArrowDown');
  await keyboard.press('Enter');
  const detail = page.getByTestId('topic-detail');
  await eventually('selected', () => detail.getAttribute('data-topic'), (seen) => seen === 'config/lamp');
  const forms = detail.locator('.payload-panel').first();
  await to('a form of the payload', forms.getByRole('radio', { name: 'JSON' }));
  await keyboard.press('ArrowRight');
  await eventually('as text', () => forms.getAttribute('data-form'), (seen) => seen === 'text');
  await to('the tree again', page.getByRole('tree'), 'Shift+Tab');
  for (const key of ['ArrowLeft', 'Enter']) await keyboard.press(key);
  await press('Delete', detail.getByRole('button', { name: 'Delete retained below' }));
  await dialog.getByTestId('delete-preview').filter({ hasText: '2 retained messages' }).waitFor();
  await press('the deed', dialog.getByRole('button', { name: 'Delete 2 retained messages' }));
  await told('Deleted 2 retained messages');
  await stored('config/lamp', undefined);
  await keyboard.press('Control+z');
  await stored('config/lamp', '{"on":true}');
}

async function sessions() {
  const client = await mqtt.connectAsync(address, {
    clientId: 'scale', clean: false, protocolVersion: 5, reconnectPeriod: 0, properties: { sessionExpiryInterval: 3600 },
  });
  await client.subscribeAsync('weights/#', { qos: 1 });
  await visit('Sessions');
  await press('a session', page.getByRole('link', { name: 'scale', exact: true }));
  await heading(page, 'scale').waitFor();
  await eventually('the page has the focus', focused, ({ id }) => id === 'main');
  const ask = page.getByRole('button', { name: 'Disconnect', exact: true });
  await press('Disconnect', ask);
  await dialog.waitFor();
  await keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.ok(await has(ask), 'the focus is where it was');
  assert.ok(client.connected, 'asked, and not done');
  const gone = new Promise((resolve) => client.on('close', resolve));
  await keyboard.press('Enter');
  await press('yes', dialog.getByRole('button', { name: 'Disconnect' }));
  await gone;
  await told('Disconnected scale');
  await write('a topic', page.getByLabel('Topic of the message'), 'weather');
  await keyboard.press('Enter');
  await page.getByTestId('verdict').filter({ hasText: 'It does not subscribe' }).waitFor();
  await to('Delete', page.getByRole('button', { name: 'Delete session' }), 'Shift+Tab');
  await keyboard.press('Enter');
  await press('yes', dialog.getByRole('button', { name: 'Delete', exact: true }));
  await told('Deleting the session of scale');
  await keyboard.press('Control+z');
  await told('Nothing was deleted');
  assert.equal((await fetch(`${base}/api/v1/sessions/scale`)).status, 200);
}

async function publish() {
  await visit('Publish');
  const live = page.getByRole('region', { name: 'What arrives' });
  await write('a filter', live.getByLabel('Topic filter'), 'try/#');
  await press('Subscribe', live.getByRole('button', { name: 'Subscribe' }));
  await live.getByTestId('live-subscription').waitFor();
  const message = page.getByRole('region', { name: 'A message' });
  await to('the topic', message.getByLabel('Topic', { exact: true }), 'Shift+Tab');
  await keyboard.press('Control+A');
  await keyboard.type('try/keys');
  await write('the payload', message.getByLabel('Payload', { exact: true }), '"typed"');
  await keyboard.press('Control+Enter');
  await eventually('the answer', () => page.getByTestId('publish-answer').innerText(), (seen) => /accepted/.test(seen));
  const head = live.getByTestId('live-list').getByRole('button').first();
  await head.waitFor();
  await press('what arrived', head);
  await eventually('open', () => head.getAttribute('aria-expanded'), (seen) => seen === 'true');
}

await show(opened, async () => {
  const fields = '"first":1,"second":2,"third":3,"fourth":"the fourth"';
  await broker.publish([
    { topic: 'presence/ana', payload: `{"status":"online","meta":{${fields}}}` },
    { topic: 'presence/bo', payload: '{"status":"offline"}' },
    { topic: 'config/lamp', payload: '{"on":true}' },
    { topic: 'config/door', payload: 'shut' },
  ]);
  await overview();
  await presence();
  await config();
  await topics();
  await sessions();
  await publish();
});
