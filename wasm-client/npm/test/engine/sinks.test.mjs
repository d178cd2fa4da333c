// What a tab remembers of the messages that it has shown.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSinks } from '../engine/sinks.js';

// Fails if all that is handled while one handler is at work is remembered.
test('a message that is held for long does not make a tab remember all that come after it', () => {
  const sinks = openSinks(() => new Promise(() => {}), () => {});
  const shown = [];
  sinks.subscribe('a', { qos: 1, retainHandling: 0, cache: false }, {
    message: ({ id }, done) => {
      shown.push(id);
      if (id > 0) done();
    },
  });
  const come = (id) => sinks.messages([{ id, topic: 'a', payload: new Uint8Array(), qos: 1, retain: false, dup: false, filters: ['a'], redelivered: false }]);
  const last = 100_010;
  for (let id = 0; id <= last; id++) come(id);
  sinks.low(0);
  shown.length = 0;
  // By another leader: the one that is held, the first one after it, and the last.
  for (const id of [0, 1, last]) come(id);
  assert.deepEqual(shown, [1]);
});
