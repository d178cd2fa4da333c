// The topics page: the tree and its keys, deep links, history, numbers, export, and a recursive delete that is taken back.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { api } from './api.mjs';
import { eventually, open, picture } from './chromium.mjs';
import { accessible, fits } from './pages.mjs';

const [base] = process.argv.slice(2);
const broker = api(base);
const { browser, page, faults } = await open({ viewport: { width: 1440, height: 900 } });

const row = (topic) => page.locator(`[role="treeitem"][data-topic="${topic}"]`);
const detail = page.getByTestId('topic-detail');
const count = () => page.getByTestId('topic-count').innerText();
const shows = (what, look, expected) => eventually(what, look, (seen) => seen === expected);

async function keys() {
  await page.goto(`${base}/topics`);
  await shows('topics', count, '514');
  assert.equal(await row('site/lamp').count(), 0, 'a large tree is closed');
  await page.getByRole('tree', { name: 'Topics' }).focus();
  // bulk, sensors, site
  for (const key of ['End', 'ArrowRight', 'ArrowRight', 'Enter']) await page.keyboard.press(key);
  await detail.waitFor();
  assert.match(page.url(), /topic=site%2Flamp/);
  await eventually('it is selected', () => row('site/lamp').getAttribute('aria-selected'), (seen) => seen === 'true');
  assert.match(await detail.innerText(), /Retained/);
  for (const key of ['ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key);
  assert.equal(await row('site/lamp').count(), 0, 'closed again');
}

async function historyAndDiff() {
  await page.goto(`${base}/topics?filter=site%2F%23&topic=site%2Flamp`);
  await shows('topics', count, '3');
  await broker.publish([{ topic: 'site/lamp', payload: '{"on":false,"level":80}' }]);
  const versions = detail.locator('.version');
  await shows('versions', () => versions.count(), 2);
  await versions.first().getByRole('button').first().click();
  const lines = await versions.first().locator('.diff-line').allInnerTexts();
  const bare = lines.map((line) => line.replace(/\s/g, ''));
  assert.ok(bare.includes('−"on":true,') && bare.includes('+"on":false,'), bare.join('\n'));
}

async function properties() {
  const text = await detail.innerText();
  for (const expected of ['application/json', 'author', 'ana']) assert.ok(!text.includes(expected));
  await broker.publish([{
    topic: 'site/lamp', payload: '{"on":true,"level":81}', qos: 2,
    properties: { content_type: 'application/json', user_properties: [{ name: 'author', value: 'ana' }] },
  }]);
  await eventually('properties and QoS', () => detail.innerText(), (seen) => {
    return seen.includes('application/json') && seen.includes('author') && /QoS\s+2/.test(seen);
  });
}

async function numbers() {
  await page.goto(`${base}/topics?filter=sensors%2F%23&topic=sensors%2F1`);
  await shows('topics', count, '10');
  await broker.publish([{ topic: 'sensors/1', payload: '20' }, { topic: 'sensors/1', payload: '22.5' }]);
  const line = page.getByTestId('spark').locator('path');
  await line.waitFor();
  const before = await line.getAttribute('d');
  await broker.publish([{ topic: 'sensors/1', payload: '19', retain: false }]);
  await eventually('the line moves', () => line.getAttribute('d'), (seen) => seen !== before);
  await eventually('numbers in words', () => page.getByTestId('spark').innerText(), (seen) => {
    const text = seen.replace(/\s+/g, ' ');
    return text.includes('Latest 19') && text.includes('Least 19') && text.includes('Greatest 22.5');
  });
}

async function exports() {
  const waiting = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export as JSON Lines' }).click();
  const file = await (await waiting).path();
  const lines = (await readFile(file, 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(lines.length, 10);
  assert.equal(lines.find(({ topic }) => topic === 'sensors/1').payload, '19');
}

async function deleteAndUndo() {
  await page.goto(`${base}/topics?topic=bulk`);
  await shows('topics', count, '514');
  await detail.getByRole('button', { name: 'Delete retained below' }).click();
  const dialog = page.getByRole('dialog');
  await eventually('the preview', () => dialog.innerText(), (seen) => {
    return seen.includes('500 retained messages') && seen.includes('bulk/0') && seen.includes('and 400 more');
  });
  await accessible(page, 'the preview');
  await fits(page, 'the preview');
  assert.equal(await broker.countRetained('bulk/#'), 500, 'a preview deletes nothing');
  await page.keyboard.press('Escape');
  await shows('no dialog', () => dialog.count(), 0);

  await detail.getByRole('button', { name: 'Delete retained below' }).click();
  await dialog.getByRole('button', { name: 'Delete 500 retained messages' }).click();
  await shows('topics', count, '14');
  assert.equal(await broker.countRetained('bulk/#'), 0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await shows('topics', count, '514');
  assert.equal(await broker.countRetained('bulk/#'), 500);
  const back = await broker.retained('bulk/7');
  assert.equal(back.payload, '{"n":7}');
  assert.equal(back.properties.content_type, 'application/json');
}

// What is cleared is what the broker keeps, not what the page has seen last; with more properties than the page keeps.
async function clearAndUndo() {
  const properties = { content_type: 'text/plain', user_properties: Array.from({ length: 70 }, (_, n) => ({ name: `n${n}`, value: 'x'.repeat(2_000) })) };
  await broker.publish([{ topic: 'site/fan', payload: 'on', properties }]);
  await page.goto(`${base}/topics?filter=site%2F%23&topic=site%2Ffan`);
  await eventually('the fan', () => detail.innerText(), (seen) => seen.includes('6 more user properties'));
  await broker.publish([{ topic: 'site/fan', payload: 'blink', retain: false }]);
  await eventually('an event', () => detail.innerText(), (seen) => seen.includes('blink'));
  await detail.getByRole('button', { name: 'Clear' }).click();
  await page.locator('.toast').filter({ hasText: 'Cleared site/fan' }).waitFor();
  assert.equal(await broker.retained('site/fan'), undefined);
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.locator('.toast').filter({ hasText: 'site/fan is as it was' }).waitFor();
  const back = await broker.retained('site/fan');
  assert.equal(back.payload, 'on');
  assert.deepEqual(back.properties.user_properties, properties.user_properties);
  assert.equal(back.properties.content_type, 'text/plain');
  await broker.publish([{ topic: 'site/fan', payload: '' }]);
}

// An event is not what the broker keeps, and has nothing of it: no time, no QoS, no end, and no way to the whole of it.
async function anEventAfterIt() {
  await broker.publish([{ topic: 'site/fan', payload: 'on', qos: 1, properties: { message_expiry_interval: 3600 } }]);
  await page.goto(`${base}/topics?filter=site%2F%23&topic=site%2Ffan`);
  const said = () => page.getByTestId('topic-standing').innerText();
  await eventually('what is kept', said, (seen) => /Kept\s+Retained/.test(seen) && /QoS\s+1/.test(seen) && /Published/.test(seen) && /Expires/.test(seen));
  const mark = row('site/fan').locator('.mark-retained');
  await eventually('its mark', () => mark.getAttribute('title'), (seen) => seen === 'Retained');
  const asked = [];
  page.on('request', (request) => { if (/api\/v1\/retained/.test(request.url())) asked.push(request.url()); });
  await broker.publish([{ topic: 'site/fan', payload: 'x'.repeat(70_000), retain: false }]);
  await eventually('an event', said, (seen) => /Kept\s+Not this one: another message is retained/.test(seen));
  const text = await said();
  assert.ok(!/Published|Expires/.test(text) && /QoS of delivery/.test(text), text);
  await detail.getByText(/^The first /).first().waitFor();
  assert.equal(await detail.getByText('Download all of it').count(), 0);
  await eventually('its mark after the event', () => mark.getAttribute('title'), (seen) => seen === 'Another message is retained');
  await accessible(page, 'an event after what is kept');
  assert.deepEqual(asked, []);
  await broker.publish([{ topic: 'site/fan', payload: 'off' }]);
  await eventually('what is kept now', said, (seen) => /Kept\s+Retained/.test(seen) && /Published/.test(seen));
}

// The page asks about a message that is gone before the question has come: nothing retained is an answer, not a fault.
async function goneMeanwhile() {
  const question = /\/api\/v1\/retained/;
  let asked = 0;
  await page.route(question, async (route) => {
    if (asked === 0) await broker.publish([{ topic: 'site/fan', payload: '' }]);
    asked += 1;
    await route.continue();
  });
  await broker.publish([{ topic: 'site/fan', payload: 'slow' }]);
  await eventually('asked', () => asked, (seen) => seen === 1);
  await eventually('gone', () => page.getByTestId('topic-standing').innerText(), (seen) => seen.includes('was cleared'));
  await page.unroute(question);
}

// What is found follows the messages, and what is found no more goes.
async function searched() {
  await page.goto(`${base}/topics?filter=site%2F%23&q=needle`);
  await page.getByText('No match').waitFor();
  await broker.publish([{ topic: 'site/lamp/scene', payload: 'a Needle' }]);
  await row('site/lamp/scene').waitFor();
  assert.equal(await row('site/motd').count(), 0);
  // Below a search the tree is open: the way to the left leads upwards.
  await page.getByRole('tree').focus();
  const active = () => page.getByRole('tree').evaluate((tree) => document.getElementById(tree.getAttribute('aria-activedescendant'))?.dataset.topic);
  for (const [key, topic] of [['End', 'site/lamp/scene'], ['ArrowLeft', 'site/lamp'], ['ArrowLeft', 'site']]) {
    await page.keyboard.press(key);
    await eventually(key, active, (seen) => seen === topic);
  }
  await row('site').locator('.twist').click();
  await row('site/lamp/scene').waitFor();
  await broker.publish([{ topic: 'site/lamp/scene', payload: 'evening' }]);
  await page.getByText('No match').waitFor();
  await page.goto(`${base}/topics?filter=site%2F%23`);
  await row('site/lamp/scene').waitFor();
}

// The keys begin at the topic that is shown, stay with it when the tree changes, and what they act on is in the page wherever
// it has been scrolled to.
async function walked() {
  await page.goto(`${base}/topics?topic=bulk%2F250`);
  await shows('topics', count, '514');
  const tree = page.getByRole('tree');
  const active = () => tree.evaluate((element) => document.getElementById(element.getAttribute('aria-activedescendant'))?.dataset.topic ?? null);
  await eventually('the selected one', active, (seen) => seen === 'bulk/250');
  await tree.focus();
  await page.keyboard.press('ArrowDown');
  await eventually('the next one', active, (seen) => seen === 'bulk/251');
  for (const y of [0, 1_000_000]) {
    await page.evaluate((top) => scrollTo(0, top), y);
    await eventually('far from it', () => row('bulk/251').boundingBox(), (seen) => seen.width <= 1);
    await eventually('the keys are where they were', active, (seen) => seen === 'bulk/251');
    await accessible(page, 'a tree that was scrolled');
  }
  await page.keyboard.press('ArrowDown');
  await eventually('in sight again', () => row('bulk/252').boundingBox(), (seen) => seen?.width > 100 && seen.y > 0 && seen.y < 900);
  // It goes, and another topic takes its number.
  await broker.publish([{ topic: 'bulk/252', payload: '' }]);
  await shows('topics', count, '513');
  await broker.publish([{ topic: 'zoo', payload: '1' }]);
  await shows('topics', count, '514');
  await eventually('above what has gone', active, (seen) => seen === 'bulk');
  await broker.publish([{ topic: 'zoo', payload: '' }, { topic: 'bulk/252', payload: '{"n":252}' }]);
}

async function many() {
  const messages = Array.from({ length: 10_000 }, (_, n) => ({ topic: `many/${n % 100}/${n}`, payload: String(n), qos: 0 }));
  await broker.publish(messages);
  await page.goto(`${base}/topics?filter=many%2F%23&q=77`);
  await shows('topics', count, '10,000');
  // Level 77 and what is in it, and every other topic with 77 in its name, each level above them once. All of it, for what comes later comes
  // behind what was the end.
  const found = messages.map(({ topic }) => topic).filter((topic) => topic.includes('77'));
  const above = new Set(found.flatMap((topic) => ['many', topic.slice(0, topic.lastIndexOf('/'))]));
  const items = page.getByRole('tree');
  await eventually('found', () => items.getAttribute('data-items'), (seen) => Number(seen) === found.length + above.size);
  const drawn = await page.getByRole('treeitem').count();
  assert.ok(drawn > 10 && drawn < 100, `${drawn} rows are drawn`);
  await page.keyboard.press('End');
  await eventually('the end of the tree', () => page.getByRole('treeitem').last().getAttribute('data-topic'), (seen) => {
    return seen.startsWith('many/99/');
  });
}

// A plant, as somebody would see it who looks after one.
async function plant() {
  const level = (n) => (62 + 9 * Math.sin(n / 5) + (n % 3) / 2).toFixed(1);
  const tank = (n) => ({
    topic: 'plant/kiel/tank 1/level', payload: JSON.stringify({ percent: Number(level(n)), valve: n % 11 < 6 ? 'open' : 'shut' }),
    properties: { content_type: 'application/json', user_properties: [{ name: 'sensor', value: 'LT-101' }] },
  });
  await broker.publish([
    tank(0),
    ...[2, 3, 10].map((n) => ({ topic: `plant/kiel/tank ${n}/level`, payload: JSON.stringify({ percent: Number(level(n * 7)), valve: 'shut' }) })),
    ...['inlet', 'outlet'].map((name, n) => ({ topic: `plant/kiel/pumps/${name}/rpm`, payload: String(1450 - n * 30) })),
    { topic: 'plant/kiel/alarms/high level', payload: 'false' },
    { topic: 'plant/kiel/firmware/checksum', payload_base64: 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=' },
    ...['bremen', 'oslo'].flatMap((site) => ['level', 'rpm'].map((what) => ({ topic: `plant/${site}/${what}`, payload: '71.5' }))),
  ]);
  await page.goto(`${base}/topics?filter=plant%2F%23&topic=plant%2Fkiel%2Ftank+1%2Flevel`);
  await shows('topics', count, '12');
  await eventually('the tanks in their order', () => page.locator('[aria-level="3"] .topic-name').allInnerTexts(), (seen) => {
    return String(seen.filter((name) => name.startsWith('tank'))) === 'tank 1,tank 2,tank 3,tank 10';
  });
  for (let n = 1; n <= 40; n++) {
    const next = new Promise((resolve) => setTimeout(resolve, 40));
    await broker.publish([tank(n)]);
    await next;
  }
  await eventually('a line of all', () => page.getByTestId('spark').innerText(), (seen) => seen.includes('41 values'));
  await detail.locator('.version-head').first().click();
  await accessible(page, 'a topic');
  await fits(page, 'a topic');
  await detail.locator('.version-head').first().click();
  await picture(page, 'topics');
}

async function busy() {
  await page.goto(`${base}/topics?filter=busy%2F%23&topic=busy%2F7`);
  await page.getByText('Nothing here yet').waitFor();
  // A thousand a second.
  for (let tenth = 0; tenth < 30; tenth++) {
    const next = new Promise((resolve) => setTimeout(resolve, 100));
    await broker.publish(Array.from({ length: 100 }, (_, n) => ({
      topic: `busy/${n % 50}`, payload: String(tenth * 100 + n), qos: 0, retain: false,
    })));
    await next;
  }
  await eventually('the last of each', () => page.locator('[role="treeitem"] .topic-value').allInnerTexts(), (seen) => {
    return seen.length > 20 && seen.every((text, n) => text === String(2950 + n));
  });
  assert.match(await page.locator('.topics-tools').innerText(), /50 topics, 3,000 messages/);
  await eventually('the history', () => detail.innerText(), (seen) => seen.includes('Show 40 more'));
}

async function onAPhone() {
  await page.setViewportSize({ width: 360, height: 780 });
  await page.goto(`${base}/topics?filter=site%2F%23`);
  await row('site/lamp').click();
  await detail.waitFor();
  assert.ok(!(await page.getByRole('tree').isVisible()), 'one at a time');
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${width} px wide`);
  await page.getByRole('link', { name: 'All topics' }).click();
  await page.getByRole('tree').waitFor({ state: 'visible' });
}

try {
  await broker.publish([
    ...Array.from({ length: 500 }, (_, n) => ({
      topic: `bulk/${n}`, payload: JSON.stringify({ n }), properties: { content_type: 'application/json' },
    })),
    ...Array.from({ length: 10 }, (_, n) => ({ topic: `sensors/${n}`, payload: '21' })),
    { topic: 'site/lamp', payload: '{"on":true,"level":80}' },
    { topic: 'site/lamp/scene', payload: 'evening' },
    { topic: 'site/motd', payload: 'Welcome' },
    { topic: 'presence/ana', payload: '{"status":"online"}' },
  ]);
  await keys();
  await historyAndDiff();
  await properties();
  await numbers();
  await exports();
  await deleteAndUndo();
  await clearAndUndo();
  await anEventAfterIt();
  await goneMeanwhile();
  await searched();
  await walked();
  await plant();
  await busy();
  await many();
  await onAPhone();
  assert.deepEqual(faults, []);
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  await browser.close();
}
