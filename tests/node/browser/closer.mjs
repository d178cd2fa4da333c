// What a closer look at the pages finds: what is copied, the exact value under the pointer, the search of each page, and the
// places that are seldom seen, fit for everybody.

import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import { api } from './api.mjs';
import { eventually, open } from './chromium.mjs';
import { accessible, fits, go, heading, show } from './pages.mjs';

const [base, address] = process.argv.slice(2);
const broker = api(base);
const opened = await open({ viewport: { width: 1440, height: 900 }, permissions: ['clipboard-read', 'clipboard-write'] });
const { page, context } = opened;

const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
const JSON_TEXT = '{"on":true,\n "name":"ünï 🌊"}';

async function copies() {
  const copied = async (what, button, expected) => {
    await button.click();
    await eventually(`${what} is copied`, clipboard, (seen) => seen === expected);
    await button.filter({ hasText: 'Copied' }).waitFor();
  };
  await page.goto(`${base}/topics?topic=config%2Flamp`);
  const detail = page.getByTestId('topic-detail');
  await copied('the topic', detail.getByRole('button', { name: /^Cop(y|ied) the topic$/ }), 'config/lamp');
  await copied('the payload', detail.getByRole('button', { name: /^Cop(y|ied) the payload$/ }).first(), JSON_TEXT);
  await page.goto(`${base}/sessions?client=a%2Fb`);
  await copied('the client id', page.getByRole('button', { name: /^Cop(y|ied) the client id$/ }), 'a/b');
  // Refused by the browser: said so.
  await context.clearPermissions();
  await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); });
  await page.getByRole('button', { name: 'Copy the client id' }).click();
  await page.getByRole('button', { name: 'the client id' }).filter({ hasText: 'Failed' }).waitFor();
}

// What the chart says of a moment is what the broker has recorded of it.
async function pointed() {
  await go(page, 'Overview');
  await page.getByRole('button', { name: '10 minutes' }).click();
  const figure = page.locator('[data-chart="connections"]');
  const plot = figure.getByRole('slider');
  await eventually('points', () => plot.getAttribute('aria-valuemax'), (seen) => Number(seen) >= 3);
  const box = await plot.boundingBox();
  const value = () => figure.locator('.chart-value dd').first().innerText();
  // Time goes on: the right answer is the one that the broker has for the moment that is shown.
  await eventually('the exact value', async () => {
    await page.mouse.move(box.x + box.width - 1, box.y + box.height / 2);
    const [when, shown] = [await figure.locator('.chart-when').innerText(), await value()];
    const history = await (await fetch(`${base}/api/v1/stats/history?step_s=1`)).json();
    const time = (ms) => page.evaluate((at) => new Date(at).toLocaleTimeString(), ms);
    for (const point of history.points.slice(-10)) {
      if (await time(point.at_ms) === when) return { when, shown, recorded: String(point.connections) };
    }
    return { when, shown };
  }, ({ shown, recorded }) => shown === recorded);
  assert.equal(await figure.locator('.chart-pointer').count(), 1);
  await page.mouse.move(0, 0);
  await eventually('no moment any more', () => figure.locator('.chart-pointer').count(), (seen) => seen === 0);
}

async function searches() {
  const search = async (title, text) => {
    await go(page, title);
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'search', title);
    await page.keyboard.type(text);
    await page.waitForURL(`**/*q=${text}*`);
  };
  await search('Config', 'shut');
  const entries = page.getByTestId('config-entry');
  await eventually('config by value', () => entries.evaluateAll((all) => all.map(({ dataset }) => dataset.topic)), (seen) => String(seen) === 'config/door');
  await accessible(page, 'a search');
  await page.keyboard.press('Escape');
  await eventually('all config', () => entries.count(), (seen) => seen === 2);

  await search('Topics', 'door');
  const names = page.getByRole('treeitem');
  await eventually('topics by name', () => names.evaluateAll((all) => all.map(({ dataset }) => dataset.topic)), (seen) => String(seen) === 'config,config/door');
  await page.keyboard.press('Escape');

  await go(page, 'Publish');
  const live = page.getByRole('region', { name: 'What arrives' });
  await live.getByLabel('Topic filter').fill('config/#');
  await live.getByRole('button', { name: 'Subscribe' }).click();
  const arrived = live.getByTestId('live-list').locator('li.version');
  await eventually('both arrive', () => arrived.count(), (seen) => seen === 2);
  await page.getByRole('heading', { level: 1 }).click();
  await search('Publish', 'shut');
  await eventually('messages by payload', () => arrived.count(), (seen) => seen === 1);
  await page.keyboard.press('Escape');
}

async function seldomSeen() {
  await page.goto(`${base}/sessions?client=nobody`);
  await page.getByText('No such session').waitFor();
  await accessible(page, 'no such session');
  await fits(page, 'no such session');

  await page.goto(`${base}/sessions?client=a%2Fb`);
  await page.getByRole('button', { name: 'Delete session' }).click();
  await page.getByRole('dialog').waitFor();
  await accessible(page, 'a question');
  await fits(page, 'a question');
  await page.keyboard.press('Escape');

  await go(page, 'Config');
  await page.getByRole('button', { name: 'Clear door' }).click();
  await page.locator('.toast').filter({ hasText: 'Cleared config/door' }).waitFor();
  await page.locator('.toast').hover();
  await accessible(page, 'a notice');
  await fits(page, 'a notice');
  await page.getByRole('button', { name: 'Undo' }).click();

  // An address that is none: the dashboard says so to people, the broker to programs.
  await page.goto(`${base}/no/such/page`);
  await heading(page, 'Not found').waitFor();
  const marked = page.getByRole('navigation').locator('[aria-current]');
  assert.equal(await marked.count(), 0);
  await accessible(page, 'no such page');
  await page.getByRole('link', { name: 'To the overview' }).click();
  await heading(page, 'Overview').waitFor();
  assert.deepEqual(await marked.allInnerTexts(), ['Overview']);
  const json = await fetch(`${base}/no/such/page`, { headers: { accept: '*/*' } });
  assert.deepEqual([json.status, json.headers.get('content-type')], [404, 'application/problem+json']);
  const ofApi = await fetch(`${base}/api/v1/nothing`, { headers: { accept: 'text/html' } });
  assert.deepEqual([ofApi.status, ofApi.headers.get('content-type')], [404, 'application/problem+json']);
}

await show(opened, async () => {
  await mqtt.connectAsync(address, { clientId: 'a/b', protocolVersion: 5 });
  await broker.publish([{ topic: 'config/lamp', payload: JSON_TEXT }, { topic: 'config/door', payload: 'shut' }]);
  await copies();
  await pointed();
  await searches();
  await seldomSeen();
}, (fault) => fault.includes('404'));
