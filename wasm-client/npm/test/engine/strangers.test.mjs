// Tabs that are none of this session, and yet there: of other identities, and of newer or older versions of this package.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { databaseName } from '../engine/store/open.js';
import { closeAll, eventually, listen, newProfile, online, open, publish } from './browser.mjs';
import { Server } from './machine.mjs';

afterEach(async () => {
  await closeAll();
});

test('a tab of an identity whose name begins with that of another is none of its tabs', async () => {
  newProfile();
  const server = new Server();
  await online(open(server, { identity: 'ana:x' }));
  const leader = open(server, { identity: 'ana' });
  const heard = listen(leader, 'a/#');
  await eventually('granted', () => heard.granted.length === 1);
  server.deliver('a/1', 'x');
  await eventually('heard', () => heard.messages.length === 1);
  await eventually('gone from the inbox', async () => (await leader.inspect()).leader.inbox === 0);
});

test('what belongs to the URL and what to the identity is told apart', () => {
  assert.notEqual(databaseName('wss://broker/mqtt', 'a:b'), databaseName('wss://broker/mqtt:a', 'b'));
});

test('identities do not see each other', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const ana = open(server, { identity: 'ana' });
  const bob = open(server, { identity: 'bob' });
  await publish(ana, 'a').stored;
  assert.equal((await ana.outbox()).length, 1);
  assert.equal((await bob.outbox()).length, 0);
  server.up = true;
  bob.reconnectNow();
  await online(bob);
  assert.equal(server.published.length, 0);
});

test('a newer version of the page takes the database: reload-needed', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  const heard = listen(engine, 'a/#');
  await online(engine);
  const [{ name }] = await indexedDB.databases();
  await new Promise((resolve, reject) => Object.assign(indexedDB.open(name, 99), { onsuccess: (event) => resolve(event.target.result.close()), onerror: reject }));
  await eventually('reported', () => engine.reports.some((one) => one.kind === 'reload-needed'));
  assert.deepEqual([engine.state.state, engine.state.error.code, heard.failed[0].code], ['closed', 'storage', 'storage']);
  assert.equal((await publish(engine, 'a').settled).error.code, 'storage');
  await assert.rejects(engine.outbox(), { code: 'storage' });
});

test('a newer version of the package in another tab: reload-needed, once, and what it says is not for this one; an older one is not heard', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  await online(engine);
  const other = new BroadcastChannel(`ebbtide:${databaseName('ws://broker/', 'ana')}`);
  const needed = () => engine.reports.filter((one) => one.kind === 'reload-needed').length;
  const say = (v, talk) => other.postMessage({ v, from: 'other', talk });
  say(0, { t: 'do', what: 'reconnect' });
  await publish(engine, 'a').settled;
  assert.equal(needed(), 0);
  for (const talk of [{ t: 'forget', deadline: 0, how: {} }, { t: 'beat' }]) say(99, talk);
  await eventually('reported', () => needed() === 1);
  await publish(engine, 'b').settled;
  assert.deepEqual([needed(), engine.state.state], [1, 'online']);
  other.close();
});
