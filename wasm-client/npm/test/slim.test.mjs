// `./slim`: the page brings the wasm, and hears of it when it has not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EbbtideError } from './index.js';
import { connect } from './slim.js';

test('without initWasm the client stays offline and says what is missing', { timeout: 20_000 }, async () => {
  const client = connect('ws://broker.example/mqtt', { identity: 'slim', storage: 'memory' });
  const told = new Promise((resolve) => {
    client.on('error', resolve);
  });
  const { reason } = await new Promise((resolve) => {
    client.on('state', (state) => state.state === 'offline' && resolve(state));
  });
  assert.match(reason, /call initWasm\(\) before connect\(\)/);
  const { error } = await told;
  assert(error instanceof EbbtideError);
  assert.equal(error.code, 'load-failed');
  await client.close();
});
