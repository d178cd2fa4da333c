// The wasm half: fetched once for all clients, and again when that has failed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFrom } from './load.js';
import { code } from './support.mjs';
import { fake } from './wasm/module.js';

// Fails if the tab that leads waits for ever, and no other tab tries.
test('a transfer that stands still is given up after 30 s, and the next attempt begins anew', async (t) => {
  let asked = 0;
  const source = (load) => {
    fake.load = () => {
      asked++;
      return load;
    };
  };
  t.mock.timers.enable({ apis: ['setTimeout'] });
  source(new Promise(() => {}));
  let failed;
  const both = [loadFrom('/ebbtide.wasm'), loadFrom('/ebbtide.wasm')].map((load) => load.catch((why) => (failed = why)));
  t.mock.timers.tick(29_999);
  await new Promise(setImmediate);
  assert.equal(failed, undefined);
  t.mock.timers.tick(1);
  await new Promise(setImmediate);
  assert.ok(code('load-failed')(failed), `${failed}`);
  await Promise.all(both);
  source(Promise.resolve());
  for (let n = 0; n < 2; n++) assert.equal(typeof (await loadFrom('/ebbtide.wasm')), 'function');
  assert.equal(asked, 2);
});
