// Presence where a broker has rules: the entry of a client lies where a rule with `{user}` lets it.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { startEbbtide } from './harness/broker.mjs';
import { startPages } from './harness/pages.mjs';
import { folder, needs } from './harness/place.mjs';

const NAMES = ['ana@x.de', 'auth0|7', 'Jörg B.'];

// Fails if a name is written in another way than the rule has it: the will is refused then, and the client waits for credentials.
test('a rule with {user} lets in who has other letters in the name', needs(), async (t) => {
  const config = join(await folder(t), 'ebbtide.toml');
  const users = NAMES.flatMap((name) => ['[[users]]', `name = "${name}"`, 'password = "good"']);
  await writeFile(config, [
    'auth = ["password"]', ...users,
    '[[rules]]', 'effect = "allow"', 'actions = ["publish", "retain"]', 'topics = ["presence/{user}/+", "here/{user}"]',
    '[[rules]]', 'effect = "allow"', 'actions = ["subscribe"]', 'topics = ["presence/#", "here/#"]', '',
  ].join('\n'));
  const broker = await startEbbtide(t, ['--config', config]);
  const window = await openWindow(t, await startPages(t));
  for (const topic of ['presence/{user}/{client}', 'here/{user}']) {
    for (const username of NAMES) {
      const tab = await window.tab('a');
      await tab.call('connect', broker.url, { credentials: { username, password: 'good' }, presence: { topic } });
      await tab.state('online');
      await tab.page.evaluate(() => {
        window.people = window.app.client.presence();
        window.people.subscribe(() => {});
      });
      const seen = await tab.eventually(
        'it is there', () => window.people.list().map(({ user, status }) => [user, status]), (list) => list.some(([user, status]) => user === username && status === 'online'),
      );
      assert.ok(seen.every(([user]) => NAMES.includes(user)), JSON.stringify(seen));
      await tab.call('close');
      await tab.close();
    }
  }
});

// Fails if who may not look is announced on no connection, or hears nothing of the refusal.
test('who may publish the own entry and not look at it is seen by others, and told why it sees nobody', needs(), async (t) => {
  const config = join(await folder(t), 'ebbtide.toml');
  await writeFile(config, [
    'auth = ["password"]', ...['ana', 'guard'].flatMap((name) => ['[[users]]', `name = "${name}"`, 'password = "good"']),
    '[[rules]]', 'effect = "allow"', 'actions = ["publish", "retain"]', 'topics = ["presence/{user}"]',
    '[[rules]]', 'effect = "allow"', 'who = { user = "guard" }', 'actions = ["subscribe"]', 'topics = ["presence/#"]', '',
  ].join('\n'));
  const broker = await startEbbtide(t, ['--config', config]);
  const window = await openWindow(t, await startPages(t));
  const enter = async (username) => {
    const tab = await window.tab('a');
    await tab.call('connect', broker.url, { identity: username, credentials: { username, password: 'good' }, presence: { topic: 'presence/{user}' } });
    await tab.state('online');
    await tab.page.evaluate(() => {
      window.people = window.app.client.presence('presence/+');
      window.people.subscribe(() => (window.told = [window.people.ready, window.people.error?.code, window.people.error?.reasonCode]));
    });
    return tab;
  };
  const [ana, guard] = [await enter('ana'), await enter('guard')];
  await ana.eventually('refused', () => window.told, (told) => JSON.stringify(told) === '[false,"refused",135]');
  await guard.eventually(
    'both are there', () => window.people.list().map(({ user, status }) => [user, status]), (list) => JSON.stringify(list) === '[["ana","online"],["guard","online"]]',
  );
});
