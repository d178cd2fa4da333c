// The durable outbox of one tab: order, limits, coalescing, deadlines, dead letters, and what a reload finds.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { EbbtideError } from '../error.js';
import { closeAll, draft, eventually, newProfile, online, open, publish, read } from './browser.mjs';
import { Machine, Server } from './machine.mjs';

afterEach(async () => {
  await closeAll();
});

test('publishes offline survive a reload and leave in order', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const before = open(server);
  const sent = Array.from({ length: 200 }, (_, n) => publish(before, 'a', { payload: String(n), qos: 1 + (n % 2) }));
  const seqs = await Promise.all(sent.map((one) => one.stored));
  assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
  await before.close();
  assert.equal((await sent[0].settled).error.code, 'closed');

  server.up = true;
  const after = open(server);
  assert.equal((await after.outbox()).length + server.published.length >= 200, true);
  await eventually('all sent', async () => server.published.length >= 200 && (await after.outbox()).length === 0);
  assert.deepEqual(server.published.map((one) => Number(read(one.payload))), Array.from({ length: 200 }, (_, n) => n));
});

test('what was published before the client is closed is stored, and sent by the next page', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const before = open(server);
  const sent = publish(before, 'a');
  await before.close();
  assert.equal((await sent.settled).error.code, 'closed');
  assert.deepEqual((await open(server).outbox()).map(({ topic }) => topic), ['a']);
});

test('settles with the reason code of the server, and reports the count', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  assert.deepEqual(await publish(engine, 'a', { qos: 2 }).settled, { reasonCode: 0 });
  server.reasonCode = 0x10;
  assert.deepEqual(await publish(engine, 'a').settled, { reasonCode: 0x10 });
  await eventually('empty', () => engine.reports.filter((one) => one.kind === 'outbox').at(-1)?.count === 0);
});

test('acknowledgements that come together take away what they are for, and nothing in between', async () => {
  newProfile();
  const server = new Server();
  server.reasonCode = undefined;
  const engine = open(server);
  const sent = ['1', '2', '3', '4', '5', '6'].map((payload) => publish(engine, 'a', { payload }));
  await eventually('all sent', () => server.published.length === 6);
  const [machine] = server.connections;
  const done = [...machine.outgoing.values()].filter(({ payload }) => !['3', '5'].includes(read(payload))).reverse();
  machine.later(() => {
    for (const { handle } of done) {
      machine.outgoing.delete(handle);
      machine.hooks.finished(handle, undefined, 0);
    }
    machine.commit(() => machine.later(() => done.forEach(({ handle }) => machine.hooks.settled(handle, undefined, undefined, 0))));
  });
  for (const place of [0, 1, 3, 5]) assert.deepEqual(await sent[place].settled, { reasonCode: 0 });
  assert.deepEqual((await engine.outbox()).map((row) => [read(row.payload), row.stage]), [['3', 'sent'], ['5', 'sent']]);
});

test('the last of several unsent retained writes takes their place, and settles them', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const engine = open(server);
  const sent = [1, 2, 3].map((n) => publish(engine, 'lamp', { payload: String(n), retain: true }));
  const apart = publish(engine, 'lamp', { payload: 'apart', retain: true, coalesce: false });
  await apart.stored;
  const later = publish(engine, 'lamp', { payload: '4', retain: true });
  await later.stored;
  assert.deepEqual((await engine.outbox()).map((row) => read(row.payload)), ['apart', '4']);
  assert.equal(await sent[0].cancel(), false);
  server.up = true;
  engine.reconnectNow();
  for (const one of [...sent, apart, later]) assert.deepEqual(await one.settled, { reasonCode: 0 });
  assert.deepEqual(server.published.map((one) => read(one.payload)), ['apart', '4']);
});

test('a publish is cancelled before it is sent, never after', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const engine = open(server);
  const [first, second, third] = ['1', '2', '3'].map((payload) => publish(engine, 'a', { payload }));
  // While it is written.
  assert.equal(await first.cancel(), true);
  assert.equal((await first.settled).error.code, 'cancelled');
  assert.equal(await engine.cancel([await second.stored]), 1);
  assert.equal((await second.settled).error.code, 'cancelled');
  server.up = true;
  server.reasonCode = undefined;
  engine.reconnectNow();
  await eventually('sent', () => server.published.length === 1);
  assert.equal(await third.cancel(), false);
  assert.equal(await first.cancel(), false);
  assert.deepEqual((await engine.outbox()).map((row) => row.stage), ['sent']);
});

test('a row that was taken away while the machine had it never leaves', async () => {
  newProfile();
  const server = new Server();
  const held = [];
  class Slow extends Machine {
    send() {
      held.push(() => super.send());
    }
  }
  const engine = open(server, {}, async () => (given, hooks) => new Slow(server, given, hooks));
  await online(engine);
  const [gone, kept] = ['gone', 'kept'].map((topic) => publish(engine, topic));
  await eventually('fed', () => held.length > 1);
  // By a tab whose word of it has not come yet.
  const { openStore, databaseName } = await import('../engine/store/open.js');
  const { takeUnsent } = await import('../engine/store/outbox.js');
  const { store } = await openStore(databaseName('ws://broker/', 'ana'), 'durable', () => {});
  assert.equal((await takeUnsent(store, [await gone.stored]))[0].length, 1);
  for (const send of held.splice(0)) send();
  assert.deepEqual(await kept.settled, { reasonCode: 0 });
  assert.deepEqual(server.published.map((one) => one.topic), ['kept']);
  let flights;
  await store.run(['flight'], 'read', (tx) => tx.keys('flight', (keys) => (flights = keys)));
  assert.deepEqual(flights, []);
  store.close();
});

test('limits hold by count and by bytes', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const engine = open(server, { limits: { outboxMessagesMax: 2, outboxBytesMax: 2000 } });
  assert.equal((await publish(engine, 'a', { payload: 'x'.repeat(3000) }).settled).error.code, 'queue-full');
  await publish(engine, 'a').stored;
  await publish(engine, 'a').stored;
  const third = publish(engine, 'a');
  assert.equal((await third.settled).error.code, 'queue-full');
  await engine.cancel([(await engine.outbox())[0].seq]);
  const small = publish(engine, 'lamp', { retain: true, payload: 'small' });
  await small.stored;
  // What does not fit takes nobody's place; what fits does, in a full outbox, too.
  assert.equal((await publish(engine, 'lamp', { retain: true, payload: 'x'.repeat(3000) }).settled).error.code, 'queue-full');
  await publish(engine, 'lamp', { retain: true, payload: 'other' }).stored;
  assert.deepEqual((await engine.outbox()).map((row) => read(row.payload)), ['x', 'other']);
  await engine.cancel((await engine.outbox()).map((row) => row.seq));
  await publish(engine, 'a').stored;
});

// Fails if a tab trusts what it knows for longer than the marks of changes are kept: another tab's publishes would not be counted.
test('a tab that stood still between reading and writing reads again, whatever has been removed meanwhile', async (t) => {
  newProfile();
  const { openStore } = await import('../engine/store/open.js');
  const { append } = await import('../engine/store/outbox.js');
  const [mine, other] = (await Promise.all([1, 2].map(() => openStore('still', 'durable', () => {})))).map(({ store }) => store);
  const limits = { outboxMessagesMax: 6, outboxBytesMax: 1e6 };
  const add = async (store) => (await append(store, [draft('a')], limits, () => false)).left;
  const sums = () => new Promise((resolve) => mine.run(['session'], 'read', (tx) => tx.keys('session', resolve, { from: 1e9, to: Infinity })));
  assert.equal(await add(mine), 1);
  assert.equal(await add(other), 2);
  assert.equal(await add(mine), 3);
  const { run } = mine;
  let stopped = false;
  let writes = 0;
  t.mock.method(mine, 'run', async (tables, mode, ...given) => {
    if (mode !== 'strict') return run(tables, mode, ...given);
    writes++;
    if (!stopped) {
      stopped = true;
      const { now } = performance;
      t.mock.method(performance, 'now', () => now.call(performance) + 60_000);
      for (const left of [4, 5]) assert.equal(await add(other), left);
      const keys = await sums();
      await other.run(['session'], 'strict', (tx) => tx.remove('session', 1e9, keys.at(-2)));
    }
    return run(tables, mode, ...given);
  });
  assert.equal(await add(mine), 6);
  assert.equal(writes, 2, 'the first one was given up');
  const full = await append(mine, [draft('a')], limits, () => false);
  assert.deepEqual([full.left, full.added[0].row], [6, undefined]);
  mine.close();
  other.close();
});

// Fails if marks of changes are never removed, or all of them are.
test('of the sums of the outbox the last ten thousand are kept', async () => {
  newProfile();
  const { openStore } = await import('../engine/store/open.js');
  const { writeSum } = await import('../engine/store/outbox.js');
  const { store } = await openStore('sums', 'durable', () => {});
  const keys = () => new Promise((resolve) => store.run(['session'], 'read', (tx) => tx.keys('session', resolve, { from: 1e9, to: Infinity })));
  await store.run(['session'], 'strict', (tx) => {
    for (let n = 0; n <= 12_000; n++) writeSum(tx, { count: n, bytes: 0, version: 2e9 + n });
  });
  const kept = await keys();
  assert.deepEqual([kept[0], kept.at(-1)], [2e9 + 2001, 2e9 + 12_001]);
  store.close();
});

test('a deadline ends it, offline too', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const engine = open(server);
  const sent = publish(engine, 'a', { deadline: Date.now() + 200 });
  const kept = publish(engine, 'b', { deadline: Date.now() + 60_000 });
  assert.equal((await sent.settled).error.code, 'expired');
  assert.deepEqual((await engine.outbox()).map((row) => row.topic), ['b']);
  assert.equal((await kept.cancel()), true);
});

test('what is refused for good is a dead letter, to be sent again or thrown away', async () => {
  newProfile();
  const server = new Server();
  server.reasonCode = 0x87;
  const engine = open(server);
  const { error } = await publish(engine, 'a', { key: 'k' }).settled;
  assert.equal(error.code, 'refused');
  assert.equal(error.reasonCode, 0x87);
  await publish(engine, 'b').settled;
  const [a, b] = await engine.deadLetters();
  assert.deepEqual([a.topic, a.key, a.reasonCode, b.topic], ['a', 'k', 0x87, 'b']);
  assert.equal(await engine.discard([b.seq, 999]), 1);
  server.reasonCode = 0;
  assert.equal(await engine.retry([a.seq]), 1);
  await eventually('sent again', () => server.published.length === 3);
  await eventually('gone', async () => (await engine.outbox()).length === 0);
  assert.deepEqual(await engine.deadLetters(), []);
});

test('a topic that cannot be sent fails alone', async () => {
  newProfile();
  const engine = open(new Server());
  const bad = publish(engine, 'a/#');
  const good = publish(engine, 'a');
  assert.equal((await bad.settled).error.code, 'topic-name');
  assert.deepEqual(await good.settled, { reasonCode: 0 });
  // After a reload nobody would hear of it.
  assert.deepEqual((await engine.deadLetters()).map(({ topic, reasonCode }) => [topic, reasonCode]), [['a/#', 0x80]]);
});

test('what had not left goes back when the connection ends, and order stays', async () => {
  newProfile();
  const server = new Server();
  server.window = 3;
  server.reasonCode = undefined;
  const engine = open(server);
  await online(engine);
  const sent = Array.from({ length: 10 }, (_, n) => publish(engine, 'a', { payload: String(n) }));
  await eventually('window', () => server.published.length === 3);
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  server.reasonCode = 0;
  engine.reconnectNow();
  for (const one of sent) assert.deepEqual(await one.settled, { reasonCode: 0 });
  const again = server.published.slice(3);
  assert.deepEqual(again.map((one) => Number(read(one.payload))), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(again.map((one) => one.dup), [true, true, true, ...Array(7).fill(false)]);
});

test('a fresh session: what was released is settled, what was sent is unknown or sent again', async () => {
  newProfile();
  const server = new Server();
  server.holdRelease = true;
  const engine = open(server);
  await online(engine);
  const released = publish(engine, 'released', { qos: 2 });
  await eventually('released', async () => (await engine.outbox())[0]?.stage === 'released');
  server.reasonCode = undefined;
  const unknown = publish(engine, 'unknown', { qos: 2 });
  const again = publish(engine, 'again', { qos: 2, resend: true });
  const once = publish(engine, 'once', { qos: 1 });
  await eventually('sent', () => server.published.length === 4);
  server.sessions.clear();
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  server.reasonCode = 0;
  server.holdRelease = false;
  engine.reconnectNow();
  assert.deepEqual(await released.settled, { reasonCode: 0 });
  assert.equal((await unknown.settled).error.code, 'outcome-unknown');
  assert.deepEqual(await again.settled, { reasonCode: 0 });
  assert.deepEqual(await once.settled, { reasonCode: 0 });
  assert.equal(engine.state.session, 'gap');
  assert.deepEqual(server.published.slice(4).map((one) => one.topic).sort(), ['again', 'once']);
});

test('QoS 0 waits for the first attempt, then as asked', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server, { limits: { heldMessagesMax: 2 } });
  assert.deepEqual(await publish(engine, 'first', { qos: 0 }).settled, { reasonCode: 0 });
  server.up = false;
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  assert.equal((await publish(engine, 'a', { qos: 0 }).settled).error.code, 'offline');
  const kept = publish(engine, 'kept', { qos: 0, keepOffline: true });
  assert.ok((await kept.stored) < 0);
  publish(engine, 'kept', { qos: 0, keepOffline: true });
  assert.equal((await publish(engine, 'full', { qos: 0, keepOffline: true }).settled).error.code, 'queue-full');
  server.up = true;
  engine.reconnectNow();
  assert.deepEqual(await kept.settled, { reasonCode: 0 });
  assert.equal((await engine.outbox()).length, 0);
});

test('what the machine has no room for waits until there is some; what can never have it fails alone', async () => {
  newProfile();
  const server = new Server();
  server.room = 2;
  server.up = false;
  const engine = open(server);
  const sent = Array.from({ length: 7 }, (_, at) => publish(engine, `${at}`, { qos: 1 + (at % 2) }));
  await Promise.all(sent.map((one) => one.stored));
  server.up = true;
  engine.reconnectNow();
  for (const one of sent) assert.deepEqual(await one.settled, { reasonCode: 0 });
  assert.deepEqual(server.published.map(({ topic }) => topic), ['0', '1', '2', '3', '4', '5', '6']);
  server.room = 0;
  assert.equal((await publish(engine, 'large').settled).error.code, 'packet-too-large');
  assert.deepEqual((await engine.deadLetters()).map(({ topic, reasonCode }) => [topic, reasonCode]), [['large', 0x95]]);
  server.room = 1;
  assert.deepEqual(await publish(engine, 'small').settled, { reasonCode: 0 });
});

test('QoS 0 has a deadline too: while it waits, and as the expiry of the message', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  await publish(engine, 'first', { qos: 0, deadline: Date.now() + 60_000 }).settled;
  const { deadlineInMs } = server.published[0];
  assert.ok(deadlineInMs > 50_000 && deadlineInMs <= 60_000, `${deadlineInMs} ms are left`);
  server.up = false;
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  const late = publish(engine, 'late', { qos: 0, keepOffline: true, deadline: Date.now() });
  server.up = true;
  engine.reconnectNow();
  assert.equal((await late.settled).error.code, 'expired');
});

test('storage that refuses: every promise settles, and it is said', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const engine = open(server);
  await publish(engine, 'a').stored;
  const { IDBObjectStore } = await import('fake-indexeddb');
  const add = IDBObjectStore.prototype.add;
  IDBObjectStore.prototype.add = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  const refused = publish(engine, 'b');
  assert.equal((await refused.settled).error.code, 'quota-exceeded');
  IDBObjectStore.prototype.add = add;
  assert.ok(engine.reports.some((report) => report.kind === 'quota-exceeded'));
  await publish(engine, 'c').stored;
});

// Fails if the application is given what the browser throws.
test('storage that refuses what is asked of the outbox rejects with an error of this package, and the cause', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const engine = open(server);
  const sent = publish(engine, 'a');
  await sent.stored;
  const { IDBDatabase } = await import('fake-indexeddb');
  const { transaction } = IDBDatabase.prototype;
  const calls = [
    () => engine.outbox(), () => engine.cancel([1]), () => engine.deadLetters(), () => engine.retry([1]), () => engine.discard([1]), () => sent.cancel(),
  ];
  for (const [name, code] of [['QuotaExceededError', 'quota-exceeded'], ['UnknownError', 'storage']]) {
    const cause = new DOMException('why', name);
    IDBDatabase.prototype.transaction = () => {
      throw cause;
    };
    for (const call of calls) await assert.rejects(call(), (error) => error instanceof EbbtideError && error.code === code && error.cause === cause);
    IDBDatabase.prototype.transaction = transaction;
  }
  assert.equal(await sent.cancel(), true);
});

test('without IndexedDB or Web Locks it lives in memory, and says so', async () => {
  for (const missing of ['indexedDB', 'locks']) {
    newProfile();
    if (missing === 'locks') Object.defineProperty(globalThis, 'navigator', { configurable: true, value: {} });
    else delete globalThis.indexedDB;
    const server = new Server();
    const engine = open(server);
    assert.deepEqual(await publish(engine, 'a', { qos: 2 }).settled, { reasonCode: 0 });
    assert.ok(engine.reports.some((report) => report.kind === 'memory-only'));
    const inspected = await engine.inspect();
    assert.equal(inspected.storage.kind, 'memory');
    assert.equal(typeof inspected.storage.memoryOnly, 'string');
  }
});

test('the name of the session is stored with it, and told to the next machine', async () => {
  newProfile();
  const server = new Server();
  server.sessionName = '5';
  const first = open(server);
  await online(first);
  await eventually('stored', async () => (await first.inspect()).leader.journal === 0);
  await publish(first, 'a').settled;
  await first.close();
  await online(open(server));
  const [{ settings: given }] = server.connections;
  assert.deepEqual([given.hasSession, given.sessionName], [true, '5']);
});
