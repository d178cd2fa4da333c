// What the server says beside its reason codes, from the tab that leads to the one that asked, and what the application says itself.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { databaseName, openStore } from '../engine/store/open.js';
import { readAll } from '../engine/store/store.js';
import { closeAll, eventually, listen, newProfile, online, open, publish, settings } from './browser.mjs';
import { Server } from './machine.mjs';

const SAID = { reasonString: 'ask first', userProperties: [['k', 'v']] };

/** The first leads, the second follows. */
const pair = async () => {
  newProfile();
  const server = new Server();
  server.said = SAID;
  const both = [];
  for (const _ of [1, 2]) {
    const engine = open(server);
    await online(engine);
    both.push(engine);
  }
  return [server, ...both];
};
const report = async (engine, kind) => {
  await eventually(kind, () => engine.reports.some((one) => one.kind === kind));
  return engine.reports.find((one) => one.kind === kind);
};
afterEach(async () => {
  await closeAll();
});

test('an acknowledgement and a refusal say it to the tab that published, and the dead letter keeps it', async () => {
  const [server, leader, follower] = await pair();
  for (const engine of [leader, follower]) assert.deepEqual(await publish(engine, 'a').settled, { reasonCode: 0, ...SAID });
  server.reasonCode = 0x87;
  for (const engine of [leader, follower]) {
    const { error } = await publish(engine, 'a').settled;
    assert.deepEqual([error.code, error.reasonCode, error.reasonString, error.userProperties], ['refused', 0x87, ...Object.values(SAID)]);
  }
  const letters = await follower.deadLetters();
  assert.deepEqual(letters.map(({ reasonString, userProperties }) => ({ reasonString, userProperties })), [SAID, SAID]);
  // Nothing of it is left when it is sent again.
  server.reasonCode = undefined;
  assert.equal(await follower.retry(letters.map(({ seq }) => seq)), 2);
  const { store } = await openStore(databaseName('ws://broker/', settings().identity), 'durable', () => {});
  const rows = await readAll(store, 'outbox');
  store.close();
  assert.deepEqual(rows.map((row) => 'said' in row || 'reasonCode' in row), [false, false]);
});

test('a refusal for now is reported in every tab', async () => {
  const [server, leader, follower] = await pair();
  server.reasonCode = 0x97;
  const { stored } = publish(follower, 'a');
  const seq = await stored;
  for (const engine of [leader, follower]) {
    assert.deepEqual(await report(engine, 'deferred'), {
      kind: 'deferred', seq, reasonCode: 0x97, reason: 'Quota exceeded: ask first', retryInMs: 500, ...SAID,
    });
  }
});

test('a grant says it to each tab, also to one that subscribes later; the end of a subscription to all', async () => {
  const [server, leader, follower] = await pair();
  const first = listen(leader, 'a');
  await eventually('granted', () => first.granted.length === 1);
  const second = listen(follower, 'a');
  await eventually('granted', () => second.granted.length === 1);
  assert.deepEqual([first.said, second.said], [[SAID], [SAID]]);
  first.end();
  second.end([['why', 'bored']]);
  for (const engine of [leader, follower]) {
    assert.deepEqual(await report(engine, 'unsubscribed'), { kind: 'unsubscribed', filter: 'a', reasonCode: 0x11, reason: 'No subscription existed', ...SAID });
  }
  assert.deepEqual(server.parting, [[['why', 'bored']]]);
});

test('what says no more than that it is done is not reported', async () => {
  const [server, leader] = await pair();
  server.said = undefined;
  const heard = listen(leader, 'a');
  await eventually('granted', () => heard.granted.length === 1);
  heard.end();
  await eventually('unsubscribed', () => server.unsubscribes.length === 1);
  const later = listen(leader, 'b');
  await eventually('granted', () => later.granted.length === 1);
  assert.deepEqual([heard.said, leader.reports.filter(({ kind }) => kind === 'unsubscribed')], [[undefined], []]);
});

test('the state has CONNACK in every tab', async () => {
  const [, leader, follower] = await pair();
  for (const { state } of [leader, follower]) assert.deepEqual(state.connack, { sessionPresent: false });
});

// As docs/extensions.md has it. Fails if the number is not taken out of it, or anything else is taken for one.
test('what the server has lost of the session is reported, how much and no other than a number', async () => {
  newProfile();
  const server = new Server();
  const told = (value) => (server.greeting = [['other', 'x'], ['ebbtide-dropped', value]]);
  told('{"count":3,"first":"2026-11-29T10:00:00Z","last":"2026-11-29T10:05:00Z"}');
  const engine = open(server);
  await online(engine);
  assert.deepEqual(await report(engine, 'dropped'), { kind: 'dropped', count: 3, reason: 'the server had no room for more' });
  for (const other of ['', '3', 'null', '{', '{}', '{"count":"3"}', '{"count":1.5}', '{"count":null}']) {
    told(other);
    server.cut();
    await eventually('offline', () => engine.state.state === 'offline');
    engine.reconnectNow();
    await online(engine);
  }
  assert.equal(server.connects, 9);
  assert.equal(engine.reports.filter(({ kind }) => kind === 'dropped').length, 1);
});

test('the last words of the tab with the connection go to the server', async () => {
  const [server, leader] = await pair();
  const farewell = { sessionExpiryS: 60, ...SAID };
  await leader.close(farewell);
  assert.deepEqual(server.farewell, farewell);
});
