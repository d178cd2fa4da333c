// Logging out and in again: the client of the one who comes back is not the one that is on its way out.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { clientFor } from '../clients.js';
import { openEngine } from '../engine/index.js';
import { eventually, newProfile } from './browser.mjs';
import { Server } from './machine.mjs';

const URL = 'ws://broker/mqtt';
let clients;
let server;

function connect(options = {}) {
  return clientFor(clients, URL, { identity: 'ana', ...options }, (settings, after) => openEngine(URL, settings, server.load, after));
}

function begin() {
  newProfile();
  clients = new Map();
  server = new Server();
  const client = connect();
  return eventually('online', () => client.state.state === 'online').then(() => client);
}

afterEach(async () => {
  for (const { client } of clients.values()) await client.close();
});

// Fails if the client that is there is given, or the next one opens the store before that is gone.
test('who comes back during forget() has another client, and what it publishes stays', async () => {
  const before = await begin();
  const forgotten = before.forget();
  const client = connect();
  assert.notEqual(client, before);
  assert.equal(connect(), client);
  const { stored, acked } = client.publish('a', 'x', { qos: 1 });
  await stored;
  assert.equal(before.state.state, 'closed');
  await forgotten;
  await acked;
  assert.deepEqual([client.state.state, client.state.session, server.connects], ['online', 'fresh', 2]);
});

// The state is told before the store is gone.
test('who comes back the moment it is closed waits for the end of it', async () => {
  const before = await begin();
  let client;
  before.on('state', ({ state }) => state === 'closed' && (client = connect()));
  await before.forget();
  await client.publish('a', 'x', { qos: 1 }).acked;
  assert.deepEqual([client.state.state, client.state.session], ['online', 'fresh']);
});

test('the one after the next waits, too, and forget() that could not tell the server keeps nobody', async () => {
  const before = await begin();
  server.up = false;
  server.cut();
  await eventually('offline', () => before.state.state === 'offline');
  const forgotten = before.forget();
  await connect().close();
  server.up = true;
  const client = connect();
  const { acked } = client.publish('a', 'x', { qos: 1 });
  await forgotten.catch(() => {});
  await acked;
  assert.equal(client.state.state, 'online');
});
