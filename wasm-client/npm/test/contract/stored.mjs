// What the next client of an identity finds.

import assert from 'node:assert/strict';
import { became, code, inboxOf, offline, online, take, text, until } from './support.mjs';

export const STORED = {
  async 'what is stored goes on with the next client'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    const client = await online(world, options);
    await client.subscribe('a', { qos: 1 }).snapshot;
    world.refuse('shut', 0x87);
    await assert.rejects(client.publish('shut', 'x', { qos: 1, key: 'dead' }).acked, code('refused'));
    await offline(world, client);
    await client.publish('b', 1, { qos: 1, key: 'k', retain: true }).stored;
    const [row] = await client.outbox.list();
    await client.close();
    await world.publish('a', 'meanwhile', { qos: 1 });
    const next = world.connect(options);
    assert.deepEqual(await next.outbox.list(), [row]);
    assert.deepEqual((await next.outbox.deadLetters.list()).map(({ topic, key, reasonCode }) => [topic, key, reasonCode]), [['shut', 'dead', 0x87]]);
    // It takes the place of what the last one has stored.
    const newer = next.publish('b', 2, { qos: 1, retain: true });
    await newer.stored;
    const rows = await next.outbox.list();
    assert.deepEqual([rows.length, rows[0].seq > row.seq], [1, true]);
    const loop = next.subscribe('a', { qos: 1 });
    world.goOnline();
    await newer.acked;
    assert.equal(next.state.session, 'resumed');
    assert.deepEqual((await take(loop, 1)).map((message) => [text(message), message.redelivered]), [['meanwhile', false]]);
    await until('the last one', () => world.published().some(({ topic }) => topic === 'b'));
    assert.deepEqual(world.published().map(({ topic, text: value }) => [topic, value]), [['a', 'meanwhile'], ['b', '2']]);
  },

  async 'last-known values come first, and go when the server has them no longer'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    await world.publish('a/1', 'one', { retain: true });
    await world.publish('a/2', 'two', { retain: true });
    const client = await online(world, options);
    await client.subscribe('a/+').snapshot;
    await client.close();
    world.goOffline();
    await world.publish('a/1', '', { retain: true });
    const next = world.connect(options);
    const heard = [];
    const subscription = next.subscribe('a/{n}');
    subscription.onMessage((message) => void heard.push([message.topic, text(message), message.fromCache, message.retain]));
    await until('what is kept', () => heard.length === 2);
    assert.deepEqual(heard.splice(0).sort(), [['a/1', 'one', true, true], ['a/2', 'two', true, true]]);
    world.goOnline();
    await subscription.snapshot;
    assert.deepEqual(heard, [['a/2', 'two', false, true], ['a/1', '', false, true]]);
  },

  async 'last-known values are bounded, and the server is asked for the others'(world) {
    for (const n of [1, 2, 3]) await world.publish(`a/${n}`, 'x', { retain: true });
    for (const [identity, limits] of [['few', { cacheTopicsMax: 2 }], ['small', { cacheBytesMax: 150 }]]) {
      const options = { identity, storage: 'durable', limits };
      const client = await online(world, options);
      await client.subscribe('a/+').snapshot;
      const topics = new Set();
      const again = client.subscribe('a/+');
      again.onMessage(({ topic }) => void topics.add(topic));
      await again.snapshot;
      assert.deepEqual([...topics].sort(), ['a/1', 'a/2', 'a/3']);
      await client.close();
      world.goOffline();
      const next = world.connect(options);
      const kept = [];
      next.subscribe('a/+').onMessage((message) => void kept.push(message.fromCache));
      await until('what is kept', () => kept.length === 2);
      await became(next, 'offline');
      await next.close();
      assert.deepEqual(kept, [true, true]);
      world.goOnline();
    }
  },

  async 'what no handler was done with comes again in the next client'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    const client = await online(world, options);
    const subscription = client.subscribe('a', { qos: 2 });
    const ids = [];
    subscription.onMessage((message) => {
      ids.push(message.id);
      return text(message) === 'done' ? undefined : new Promise(() => {});
    });
    await subscription.granted;
    for (const value of ['done', 'not done']) await world.publish('a', value, { qos: 2 });
    await until('both', () => ids.length === 2);
    await client.close();
    const next = await online(world, options);
    const messages = await take(next.subscribe('a', { qos: 2 }), 1);
    assert.deepEqual(messages.map((message) => [text(message), message.redelivered, message.id]), [['not done', true, ids[1]]]);
  },

  async 'what the loop of a client that was closed had not taken comes to the next one'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    const client = await online(world, options);
    const loop = client.subscribe('a', { qos: 1 });
    await loop.granted;
    for (const value of ['1', '2']) await world.publish('a', value, { qos: 1 });
    const [first] = await take(loop, 1);
    await client.publish('a', '3', { qos: 1 }).acked;
    await client.close();
    // An app that tidies up says nothing with it.
    loop.unsubscribe();
    const next = await online(world, options);
    assert.deepEqual((await take(next.subscribe('a', { qos: 1 }), 3)).map(text), ['1', '2', '3']);
    assert.equal(text(first), '1');
  },

  async 'what a client ends without a connection is ended by the next one'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    const client = await online(world, options);
    const filters = ['a', 'b'].map((filter) => client.subscribe(filter, { qos: 1 }));
    await Promise.all(filters.map(({ granted }) => granted));
    await offline(world, client);
    filters[0].unsubscribe();
    await client.publish('c', 'x', { qos: 1 }).stored;
    await client.close();
    world.goOnline();
    const next = await online(world, options);
    const loop = next.subscribe('b', { qos: 1 });
    await loop.granted;
    await world.publish('a', 'for nobody', { qos: 1 });
    await world.publish('b', 'wanted', { qos: 1 });
    assert.deepEqual((await take(loop, 1)).map(text), ['wanted']);
    assert.ok(inboxOf(await next.inspect()) <= 1, 'the one that the loop has');
  },

  async 'forget() leaves nothing to the next client'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    await world.publish('a', 'kept', { retain: true });
    const client = await online(world, options);
    await client.subscribe('a').snapshot;
    world.refuse('shut', 0x87);
    await assert.rejects(client.publish('shut', 'x', { qos: 1 }).acked, code('refused'));
    await client.forget();
    world.goOffline();
    const next = world.connect(options);
    assert.deepEqual([await next.outbox.list(), await next.outbox.deadLetters.list()], [[], []]);
    const heard = [];
    next.subscribe('a').onMessage((message) => void heard.push(message.fromCache));
    world.goOnline();
    await until('the value', () => heard.length > 0);
    assert.deepEqual([heard, next.state.session], [[false], 'fresh']);
  },

  async 'another client id is another session'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    const client = await online(world, { ...options, clientId: 'one' });
    await client.close();
    const other = await online(world, { ...options, clientId: 'two' });
    assert.equal(other.state.session, 'fresh');
    await other.close();
    // The first one is of a client that nothing is known of any more.
    assert.equal((await online(world, { ...options, clientId: 'one' })).state.session, 'evicted');
  },

  async 'a client in memory leaves what is stored alone'(world) {
    world.goOffline();
    const client = world.connect({ identity: 'ana', storage: 'durable' });
    await client.publish('a', 'x', { qos: 1 }).stored;
    await client.close();
    const other = world.connect({ identity: 'ana', storage: 'memory' });
    assert.deepEqual(await other.outbox.list(), []);
    await other.close();
    assert.equal((await world.connect({ identity: 'ana', storage: 'durable' }).outbox.list()).length, 1);
  },
};
