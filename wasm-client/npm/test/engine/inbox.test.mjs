// What comes in, in one tab: stored before it is acknowledged, handed over until a handler is done, and the cache of last-known values.

import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { openCache } from '../engine/cache.js';
import { openMemory } from '../engine/store/memory.js';
import { parseFilter } from '../filter.js';
import { Subscription } from '../subscription.js';
import { cached, closeAll, eventually, listen, newProfile, online, open, publish, read } from './browser.mjs';
import { Machine, Server } from './machine.mjs';

const granted = (heard) => eventually('granted', () => heard.granted.length > 0);
const texts = (heard) => heard.messages.map((one) => one.text);
afterEach(async () => {
  mock.reset();
  await closeAll();
});

test('a message is handed over again after a reload until it is done, with the same id', async () => {
  newProfile();
  const server = new Server();
  const before = open(server);
  const unfinished = listen(before, 'a/#', { auto: false });
  await granted(unfinished);
  server.deliver('a/1', 'one');
  server.deliver('a/2', 'two', { qos: 2 });
  await eventually('two messages', () => unfinished.messages.length === 2);
  assert.deepEqual(server.acknowledged, ['a/1', 'a/2']);
  assert.deepEqual(unfinished.messages.map((one) => one.redelivered), [false, false]);
  const ids = unfinished.messages.map((one) => one.id);
  unfinished.messages[0].done();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await before.close();

  const after = open(server);
  const heard = listen(after, 'a/#');
  await eventually('again', () => heard.messages.length > 0);
  await granted(heard);
  assert.deepEqual(heard.messages.map((one) => [one.text, one.id, one.redelivered]), [['two', ids[1], true]]);
  server.deliver('a/3', 'three');
  await eventually('live', () => heard.messages.length === 2);
  assert.ok(heard.messages[1].id > ids[1]);
  await eventually('inbox empty', async () => (await after.inspect()).leader.inbox === 0);
});

test('what is done at the end of a page is not handed over again', async () => {
  newProfile();
  const server = new Server();
  const before = open(server);
  const heard = listen(before, 'a/#');
  await granted(heard);
  server.deliver('a/1', 'one');
  await eventually('here', () => heard.messages.length === 1);
  await before.close();

  const after = open(server);
  const again = listen(after, 'a/#');
  await granted(again);
  assert.deepEqual([again.messages, (await after.inspect()).leader.inbox], [[], 0]);
});

test('a message of QoS 0 comes behind those of its topic that are being stored, and before no other', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  const heard = listen(engine, '#');
  await granted(heard);
  server.deliver('a', '1', { retain: true });
  server.deliver('a', '2', { qos: 0, retain: true });
  server.deliver('b', '3', { qos: 0 });
  server.deliver('a', '4', { qos: 2, retain: true });
  server.deliver('a', '5', { qos: 0, retain: true });
  await eventually('all', () => heard.messages.length === 5);
  assert.deepEqual(texts(heard), ['3', '1', '2', '4', '5']);
  await eventually('cached', async () => (await cached('a')).some(({ payload }) => read(payload) === '5'));
  server.deliver('a', '6', { qos: 0 });
  await eventually('the next', () => texts(heard).at(-1) === '6');
});

test('the packet id of a QoS 2 message is kept with it', async () => {
  newProfile();
  const server = new Server();
  const before = open(server);
  await granted(listen(before, 'a'));
  server.deliver('a', 'x', { qos: 2 });
  await eventually('acknowledged', () => server.acknowledged.length === 1);
  await before.close();
  let restored;
  class Watched extends Machine {
    restore_incoming(packetId) {
      restored = packetId;
    }
  }
  const after = open(server, {}, async () => (given, hooks) => new Watched(server, given, hooks));
  await eventually('restored', () => restored === 77);
});

test('a tab that wants it later still gets it; what nobody wants is reported after 30 s', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  const heard = listen(engine, 'a/#');
  await granted(heard);
  heard.end();
  listen(engine, 'other');
  // Sent before the server knew.
  const [connection] = server.connections;
  const deliver = (topic) => {
    connection.hooks.received(0, topic, new Uint8Array([120]), 1, false, false, [], undefined);
    connection.commit(() => {});
  };
  deliver('b/1');
  deliver('c/1');
  await eventually('stored', async () => (await engine.inspect()).leader.inbox === 2);
  const late = listen(engine, 'b/+');
  await eventually('late', () => late.messages.length === 1);
  const now = performance.now();
  mock.method(performance, 'now', () => now + 31_000);
  await eventually('unclaimed', () => engine.reports.some((one) => one.kind === 'unclaimed'));
  assert.deepEqual(engine.reports.find((one) => one.kind === 'unclaimed'), { kind: 'unclaimed', count: 1, filters: ['c/1'] });
  await eventually('removed', async () => (await engine.inspect()).leader.inbox === 0);
});

test('above its limit nothing is acknowledged until there is room', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server, { limits: { inboxMessagesMax: 4 } });
  const heard = listen(engine, 'a', { auto: false });
  await granted(heard);
  for (let n = 0; n < 6; n++) server.deliver('a', String(n));
  await eventually('all here', () => heard.messages.length === 6);
  const acknowledged = server.acknowledged.length;
  assert.ok(acknowledged <= 4, `${acknowledged} acknowledged`);
  for (const one of heard.messages) one.done();
  await eventually('all acknowledged', () => server.acknowledged.length === 6);
});

test('a subscription that ends lets go of what it had', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  const heard = listen(engine, 'a', { auto: false });
  await granted(heard);
  server.deliver('a', 'x');
  await eventually('here', () => heard.messages.length === 1);
  heard.end();
  await eventually('inbox empty', async () => (await engine.inspect()).leader.inbox === 0);
  await eventually('unsubscribed', () => server.unsubscribes.includes('a'));
});

test('cached values first, then what is live; what is gone goes', async () => {
  newProfile();
  const server = new Server();
  server.retained = new Map([['s/a', '1'], ['s/b', '2'], ['s/c', '3']]);
  const before = open(server);
  const first = listen(before, 's/+');
  await eventually('snapshot', () => first.snapshots.length === 1);
  assert.deepEqual(first.messages.map((one) => [one.text, one.fromCache, one.retain]), [['1', false, true], ['2', false, true], ['3', false, true]]);
  await before.close();

  server.up = false;
  server.retained = new Map([['s/a', '1'], ['s/b', 'new']]);
  const after = open(server);
  const heard = listen(after, 's/+');
  const exact = listen(after, 's/c');
  const uncached = listen(after, 's/a', { cache: false });
  await eventually('cached', () => heard.messages.length === 3 && exact.messages.length === 1);
  assert.deepEqual(heard.messages.map((one) => [one.topic, one.text, one.fromCache]), [['s/a', '1', true], ['s/b', '2', true], ['s/c', '3', true]]);
  assert.equal(typeof heard.messages[0].storedAt, 'number');
  assert.deepEqual(uncached.messages, []);
  server.up = true;
  after.reconnectNow();
  await eventually('snapshot', () => heard.snapshots.length === 1 && exact.snapshots.length === 1);
  assert.deepEqual(heard.messages.slice(3).map((one) => [one.topic, one.text, one.fromCache]).sort(),
    [['s/a', '1', false], ['s/b', 'new', false], ['s/c', '', false]]);
  assert.deepEqual(texts(exact), ['3', '']);
  assert.deepEqual((await cached('s/#')).map((one) => one.topic), ['s/a', 's/b']);
  assert.equal(heard.snapshots.length, 1);
});

test('what comes while a sweep waits for the store is not swept', async () => {
  const store = openMemory();
  let read;
  const held = new Promise((resolve) => (read = resolve));
  const slow = { ...store, run: (...given) => held.then(() => store.run(...given)) };
  const swept = [];
  const cache = openCache(slow, 0, { cacheTopicsMax: 10, cacheBytesMax: 1_000 }, () => true, () => ['s/+'], (topic) => swept.push(topic), () => {});
  cache.begin('s/+');
  const completed = cache.complete('s/+');
  cache.note({ topic: 's/a', payload: Uint8Array.of(1), qos: 0, retain: true, filters: ['s/+'] });
  read();
  await completed;
  assert.deepEqual([swept, cache.count], [[], 1]);
});

// Fails if each filter that a page has left early costs memory, and time for each message, until the page is closed.
test('a filter that ends before all retained values have come is not remembered', () => {
  const wanted = new Set();
  const cache = openCache(openMemory(), 0, { cacheTopicsMax: 10, cacheBytesMax: 1_000 }, (filter) => wanted.has(filter), () => [], () => {}, () => {});
  for (const filter of ['s/1', 's/2', 's/3']) {
    wanted.clear();
    wanted.add(filter);
    cache.begin(filter);
  }
  const asked = [];
  const filters = Object.assign(['other'], { includes: (filter) => void asked.push(filter) });
  cache.note({ topic: 'other', payload: Uint8Array.of(1), qos: 0, retain: true, filters });
  assert.deepEqual(asked, ['s/3']);
});

test('cached values come in pages: all of them, each once, in order', async () => {
  newProfile();
  const server = new Server();
  const topics = Array.from({ length: 2300 }, (_, at) => `s/${String(at).padStart(4, '0')}`);
  server.retained = new Map(topics.map((topic) => [topic, 'old']));
  const before = open(server);
  const first = listen(before, 's/+');
  await eventually('snapshot', () => first.snapshots.length === 1);
  await before.close();

  server.up = false;
  const after = open(server);
  const heard = listen(after, 's/+');
  await eventually('all', () => heard.messages.length >= topics.length);
  assert.deepEqual(heard.messages.map((one) => one.topic), topics);
  assert.deepEqual((await cached('s/#')).map((one) => one.topic), topics);
  assert.deepEqual((await cached('s/0100')).map((one) => one.topic), ['s/0100']);
  await after.close();
});

test('a later subscription to the same filter begins with what is known, without asking the server', async () => {
  newProfile();
  const server = new Server();
  server.retained.set('s/a', '1');
  const engine = open(server);
  const first = listen(engine, 's/+');
  await eventually('snapshot', () => first.snapshots.length === 1);
  const second = listen(engine, 's/+');
  await eventually('snapshot', () => second.snapshots.length === 1);
  const stale = (heard) => heard.messages.map(({ text, fromCache }) => [text, fromCache]);
  assert.deepEqual(stale(second), [['1', true], ['1', false]]);
  assert.deepEqual(second.granted, [1]);
  assert.deepEqual(server.subscribes, ['s/+']);
  const third = listen(engine, 's/+', { cache: false });
  await eventually('snapshot', () => third.snapshots.length === 1);
  assert.deepEqual(texts(third), ['1']);
  assert.deepEqual(server.unsubscribes, []);
});

test('a later subscription is shown all that the server has, though the cache is too small for it', async () => {
  newProfile();
  const server = new Server();
  const topics = ['s/1', 's/2', 's/3', 's/4'];
  for (const topic of topics) server.retained.set(topic, 'x');
  const engine = open(server, { limits: { cacheTopicsMax: 2 } });
  const first = listen(engine, 's/+');
  await eventually('snapshot', () => first.snapshots.length === 1);
  const second = listen(engine, 's/+');
  await eventually('snapshot', () => second.snapshots.length === 1);
  assert.deepEqual(second.messages.filter(({ fromCache }) => !fromCache).map(({ topic }) => topic), topics);
});

// Live messages that do not say whether they are retained are not kept, so what is kept may be older than what came.
for (const [how, given, options] of [['MQTT 3.1.1', { version: 4 }, {}], ['without Retain As Published', {}, { retainAsPublished: false }]]) {
  test(`${how}: a later subscription is shown what the server has now, not what was kept`, async () => {
    newProfile();
    const server = new Server();
    server.retained.set('s/a', 'old');
    const engine = open(server, given);
    const first = listen(engine, 's/+', options);
    await eventually('snapshot', () => first.snapshots.length === 1);
    server.retained.set('s/a', 'new');
    server.deliver('s/a', 'new');
    await eventually('the change', () => texts(first).at(-1) === 'new');
    const second = listen(engine, 's/+', options);
    await eventually('snapshot', () => second.snapshots.length === 1);
    assert.deepEqual(second.messages.map(({ text, fromCache }) => [text, fromCache]), [['old', true], ['new', false]]);
  });
}

// As an effect of React in strict mode does: subscribed, ended and subscribed again in one task.
test('a subscription that takes the place of another at once is granted, and begins with what is retained', async () => {
  newProfile();
  const server = new Server();
  server.retained.set('s/a', '1');
  const engine = open(server);
  const first = listen(engine, 's/+');
  await eventually('snapshot', () => first.snapshots.length === 1);
  first.end();
  const second = listen(engine, 's/+');
  await eventually('snapshot', () => second.snapshots.length === 1);
  assert.deepEqual([second.granted, texts(second)], [[1], ['1', '1']]);
  assert.deepEqual(server.unsubscribes, []);
});

// Fails if they stay in the inbox, and count against its limit, for as long as the page lives; or go without a word.
test('what waited for the loop of a subscription that was refused is reported when nobody else comes for it', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  const settings = { qos: 1, noLocal: false, retainAsPublished: true, retainHandling: 0, cache: true };
  const loop = new Subscription(parseFilter('a/#'), 10, (sink) => engine.subscribe('a/#', settings, sink));
  await loop.snapshot;
  for (const text of ['1', '2']) server.deliver('a/1', text);
  const inbox = async () => (await engine.inspect()).leader.inbox;
  await eventually('both', async () => (await inbox()) === 2);
  server.refuses = ['a/#'];
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  engine.reconnectNow();
  assert.equal((await loop.ended).code, 'refused');
  loop.unsubscribe();
  await online(engine);
  assert.equal(await inbox(), 2);
  const now = performance.now();
  mock.method(performance, 'now', () => now + 31_000);
  await eventually('unclaimed', () => engine.reports.some(({ kind }) => kind === 'unclaimed'));
  assert.deepEqual(engine.reports.find(({ kind }) => kind === 'unclaimed'), { kind: 'unclaimed', count: 2, filters: ['a/#'] });
  assert.equal(await inbox(), 0);
});

// Fails if they are taken for handled.
test('what waits for the loop of a slow consumer is its own, or for the next one', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  const settings = { qos: 1, noLocal: false, retainAsPublished: true, retainHandling: 0, cache: true };
  const loop = new Subscription(parseFilter('a'), 1, (sink) => engine.subscribe('a', settings, sink));
  await loop.snapshot;
  for (const text of ['1', '2', '3']) server.deliver('a', text);
  const inbox = async () => (await engine.inspect()).leader.inbox;
  await eventually('all', async () => (await inbox()) === 3);
  for (const text of ['4', '5']) server.deliver('a', text, { qos: 0 });
  assert.equal((await loop.ended).code, 'slow-consumer');
  for (const text of ['1', '2']) assert.equal((await loop.next()).value.text(), text);
  loop.unsubscribe();
  const heard = listen(engine, 'a');
  await eventually('the last', () => heard.messages.length > 0);
  await eventually('inbox empty', async () => (await inbox()) === 0);
  assert.deepEqual(heard.messages.map(({ text, redelivered }) => [text, redelivered]), [['3', false]]);
});

// Fails if the message stays in the inbox until the page is closed.
test('a subscription that is ended by the handler of another one lets go of the message that both were to have', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  const settings = { qos: 1, noLocal: false, retainAsPublished: true, retainHandling: 0, cache: true };
  const subscribe = (filter) => new Subscription(parseFilter(filter), 1, (sink) => engine.subscribe(filter, settings, sink));
  const [one, other] = ['a', '+'].map(subscribe);
  await Promise.all([one.snapshot, other.snapshot]);
  let shown = 0;
  one.onMessage(() => {
    shown++;
    other.unsubscribe();
  });
  server.deliver('a', 'x');
  await eventually('shown', () => shown === 1);
  await eventually('inbox empty', async () => (await engine.inspect()).leader.inbox === 0);
});

test('MQTT 3.1.1: whether a live message was retained cannot be known', async () => {
  newProfile();
  const server = new Server();
  server.retained.set('a', 'kept');
  const engine = open(server, { version: 4 });
  const heard = listen(engine, 'a');
  await eventually('snapshot', () => heard.snapshots.length === 1);
  server.deliver('a', 'live');
  await eventually('live', () => heard.messages.length === 2);
  assert.deepEqual(heard.messages.map((one) => one.retain), [true, undefined]);
});

test('evicted: the witness outlives the store, and the session goes on under its client id', async () => {
  newProfile();
  const server = new Server();
  const before = open(server);
  await online(before);
  const { clientId } = (await before.inspect()).leader;
  await before.close();
  // The browser throws the databases away.
  const { IDBFactory } = await import('fake-indexeddb');
  globalThis.indexedDB = new IDBFactory();
  const after = open(server);
  await online(after);
  assert.equal(after.state.session, 'evicted');
  assert.equal((await after.inspect()).leader.clientId, clientId);
  await eventually('reported', () => after.reports.some((one) => one.kind === 'evicted'));
  const report = after.reports.find((one) => one.kind === 'evicted');
  assert.equal(report.lost.outbox, 0);
  assert.equal(typeof report.lost.since, 'number');
});

test('evicted: it is known until the server has answered, whichever page hears it; and forget() counts on its session', async () => {
  const { stored } = newProfile();
  const server = new Server();
  const before = open(server);
  await online(before);
  server.up = false;
  server.cut();
  await publish(before, 'a').stored;
  await eventually('witnessed', () => [...stored.values()].some((witness) => JSON.parse(witness).count === 1));
  await before.close();
  const { IDBFactory } = await import('fake-indexeddb');
  const evict = () => (globalThis.indexedDB = new IDBFactory());
  evict();
  for (const mute of [false, true]) {
    Object.assign(server, { up: mute, mute });
    const meanwhile = open(server);
    await eventually('offline', () => meanwhile.state.state === 'offline');
    await meanwhile.close();
  }
  server.mute = false;
  const after = open(server);
  await online(after);
  assert.equal(after.state.session, 'evicted');
  await eventually('reported', () => after.reports.some((one) => one.kind === 'evicted'));
  assert.equal(after.reports.find((one) => one.kind === 'evicted').lost.outbox, 1);
  await after.close();
  assert.equal(server.sessions.size, 1);
  const told = open(server);
  await online(told);
  assert.equal(told.state.session, 'resumed');
  await told.close();
  evict();
  server.up = false;
  await assert.rejects(open(server).forget(), { code: 'offline' });
});
