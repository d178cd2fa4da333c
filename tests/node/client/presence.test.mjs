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
