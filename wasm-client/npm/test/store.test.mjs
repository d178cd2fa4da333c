// Stores: last values by topic, one object until something changes, and an end when nobody looks.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { EbbtideError } from './index.js';
import { MemoryEngine } from './testing/memory-engine.js';
import { code, guarded, online } from './support.mjs';

guarded();

const content = (store) => [...store.current()].map(([topic, message]) => [topic, message.text()]).sort();

test('values, told together, in snapshots that do not change', async () => {
  const { broker, client } = await online();
  broker.publish('a/1', 'one', { retain: true });
  broker.publish('a/2', 'two', { retain: true });
  const store = client.store('a/{n}');
  assert.deepEqual(store.getSnapshot(), { messages: new Map(), ready: false, error: undefined, dropped: 0 });
  let told = 0;
  const remove = store.subscribe(() => told++);
  await broker.settled();
  assert.deepEqual([content(store), told, store.getSnapshot().ready], [[['a/1', 'one'], ['a/2', 'two']], 1, true]);
  const before = store.getSnapshot();
  assert.equal(store.getSnapshot(), before);
  broker.publish('a/1', 'three');
  broker.publish('a/2', '');
  await broker.settled();
  assert.deepEqual([content(store), told], [[['a/1', 'three']], 2]);
  assert.equal(store.current().get('a/1').params.n, '1');
  assert.equal(before.messages.get('a/1').text(), 'one');
  remove();
});

test('equal calls share a store; it ends a second after the last listener', async (context) => {
  const { broker, client } = await online();
  broker.publish('a/1', 'one', { retain: true });
  const store = client.store('a/+', { qos: 1 });
  assert.equal(client.store('a/+', { qos: 1 }), store);
  assert.notEqual(client.store('a/+'), store);
  const remove = [store.subscribe(() => {}), store.subscribe(() => {})];
  await broker.settled();
  context.mock.timers.enable({ apis: ['setTimeout'] });
  remove[0]();
  remove[0]();
  context.mock.timers.tick(1_000);
  assert.deepEqual((await client.inspect()).subscriptions, ['a/+']);
  remove[1]();
  context.mock.timers.tick(999);
  const back = store.subscribe(() => {});
  context.mock.timers.tick(1_000);
  assert.deepEqual(content(store), [['a/1', 'one']]);
  back();
  context.mock.timers.tick(1_000);
  await undefined;
  assert.deepEqual([content(store), (await client.inspect()).subscriptions], [[], []]);
  assert.notEqual(client.store('a/+', { qos: 1 }), store);
  context.mock.timers.reset();
  // The old one still works for whoever has kept it.
  const again = store.subscribe(() => {});
  await broker.settled();
  assert.deepEqual(content(store), [['a/1', 'one']]);
  again();
});

test('topics are bounded; what is left out is counted', async () => {
  const { broker, client } = await online();
  const store = client.store('a/+', { topicsMax: 2 });
  store.subscribe(() => {});
  await broker.settled();
  for (const topic of ['a/1', 'a/2', 'a/3', 'a/4', 'a/1']) broker.publish(topic, topic === 'a/1' ? 'x' : 'y');
  await broker.settled();
  assert.deepEqual([content(store), store.getSnapshot().dropped], [[['a/1', 'x'], ['a/2', 'y']], 2]);
});

test('why it ended is in the store', async () => {
  const { broker, client } = await online();
  const store = client.store('a/#/b');
  store.subscribe(() => {});
  await broker.settled();
  assert.ok(code('topic-filter')(store.getSnapshot().error));
});

// A right may be given back. Fails if whoever comes next only sees that it was once refused.
test('after a refusal the next listener asks again, and all are told', async () => {
  const { broker, client } = await online();
  const { subscribe } = MemoryEngine.prototype;
  let sink;
  mock.method(MemoryEngine.prototype, 'subscribe', function (filter, settings, given) {
    sink = given;
    return subscribe.call(this, filter, settings, given);
  });
  broker.publish('a/1', 'one', { retain: true });
  const store = client.store('a/+');
  const seen = [];
  store.subscribe(() => {
    const { messages, ready, error } = store.getSnapshot();
    seen.push([messages.size, ready, error?.code]);
  });
  await broker.settled();
  sink.failed(new EbbtideError('refused', 'the server refused the subscription', 0x87));
  await broker.settled();
  broker.publish('a/1', '', { retain: true });
  store.subscribe(() => {});
  store.subscribe(() => {});
  await broker.settled();
  assert.deepEqual(seen, [[1, true, undefined], [1, true, 'refused'], [0, true, undefined]]);
  assert.deepEqual((await client.inspect()).subscriptions, ['a/+']);
});

test('what was known before a refusal stays until all has come again', async () => {
  const { broker, client } = await online();
  for (const n of [1, 2]) broker.publish(`a/${n}`, 'x', { retain: true });
  const store = client.store('a/+', { cache: false });
  const seen = [];
  store.subscribe(() => {
    const { messages, ready, error } = store.getSnapshot();
    seen.push([messages.size, ready, error?.code]);
  });
  await broker.settled();
  broker.refuseSubscriptions('a/#', 0x87);
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  broker.refuseSubscriptions('a/#');
  broker.goOffline();
  broker.publish('a/1', '', { retain: true });
  store.subscribe(() => {});
  await broker.settled();
  broker.goOnline();
  await broker.settled();
  assert.deepEqual(seen, [[2, true, undefined], [2, true, 'refused'], [2, false, undefined], [1, true, undefined]]);
  assert.deepEqual(content(store), [['a/2', 'x']]);
});

test('a closed client is why nothing more comes', async () => {
  for (const end of ['close', 'forget']) {
    const { broker, client } = await online();
    const store = client.store('a/+');
    store.subscribe(() => {});
    await broker.settled();
    await client[end]();
    await broker.settled();
    assert.ok(code('closed')(store.getSnapshot().error));
  }
});

test('values of an earlier time are there before the network is', async () => {
  const { broker, client } = await online({ identity: 'ana' });
  broker.publish('a/1', 'one', { retain: true });
  client.store('a/+').subscribe(() => {});
  await broker.settled();
  broker.goOffline();
  const store = broker.reload(client).store('a/+');
  store.subscribe(() => {});
  await broker.settled();
  assert.deepEqual([content(store), store.getSnapshot().ready, store.current().get('a/1').fromCache], [[['a/1', 'one']], false, true]);
  broker.goOnline();
  await broker.settled();
  assert.deepEqual([store.getSnapshot().ready, store.current().get('a/1').fromCache], [true, false]);
});
