// Subscriptions: filters, retained and live messages, groups, handlers, refusals.

import assert from 'node:assert/strict';
import { code, inboxOf, offline, online, take, text, TOO_LONG, until } from './support.mjs';

export const SUBSCRIPTIONS = {
  async 'filters that are none'(world) {
    const client = await online(world);
    for (const filter of ['', 'a/#/b', 'a+', '$share/a', '$share//a', '$share/+/a', 'a\0', TOO_LONG]) {
      const subscription = client.subscribe(filter);
      await assert.rejects(subscription.granted, code('topic-filter'), filter.slice(0, 20));
      assert.ok(code('topic-filter')(await subscription.ended));
    }
  },

  async 'a subscription that the broker refuses ends with its words'(world) {
    const said = { reasonString: 'ask for it' };
    world.refuseSubscriptions('shut/#', 0x87, said);
    const client = await online(world);
    const both = [client.subscribe('shut/#', { qos: 1 }), client.subscribe('shut/#')];
    const why = (error) => code('refused')(error) && error.reasonCode === 0x87 && error.reason === 'Not authorized' && error.reasonString === said.reasonString;
    for (const subscription of both) {
      await assert.rejects(subscription.granted, why);
      await assert.rejects(subscription.snapshot, why);
      await assert.rejects(subscription.next(), why);
      assert.ok(why(await subscription.ended));
    }
    assert.equal(await client.subscribe('open/#', { qos: 1 }).granted, 1);
    world.refuseSubscriptions('shut/#', undefined);
    assert.equal(await client.subscribe('shut/#', { qos: 1 }).granted, 1);
    assert.equal(client.state.state, 'online');
  },

  async 'a subscription that was granted can be refused when its client comes back'(world) {
    const client = await online(world);
    const subscription = client.subscribe('a', { qos: 1 });
    await subscription.snapshot;
    world.refuseSubscriptions('a', 0x87);
    world.crash();
    assert.ok(code('refused')(await subscription.ended));
  },

  async 'retained values, then the snapshot, then what is live; again after each connect'(world) {
    await world.publish('a/1', 'one', { retain: true });
    await world.publish('a/2', 'two', { retain: true });
    const client = await online(world);
    const heard = [];
    const subscription = client.subscribe('a/{n}', { qos: 1 });
    subscription.onMessage((message) => void heard.push([message.params.n, text(message), message.retain, message.fromCache, message.qos]));
    subscription.onSnapshot(({ inferred }) => void heard.push(`snapshot ${inferred}`));
    await subscription.snapshot;
    await world.publish('a/3', 'live', { qos: 1 });
    await world.publish('a/1', 'new', { qos: 1, retain: true });
    await until('live ones', () => heard.length === 5);
    assert.deepEqual([...heard.slice(0, 2).sort(), ...heard.slice(2)], [
      ['1', 'one', true, false, 1], ['2', 'two', true, false, 1], 'snapshot false', ['3', 'live', false, false, 1], ['1', 'new', true, false, 1],
    ]);
    heard.length = 0;
    await offline(world, client);
    await world.publish('a/3', 'waited', { qos: 1 });
    await world.publish('a/2', '', { qos: 1, retain: true });
    world.goOnline();
    await until('the second snapshot', () => heard.includes('snapshot false'));
    assert.deepEqual(heard, [['3', 'waited', false, false, 1], ['2', '', true, false, 1], ['1', 'new', true, false, 1], 'snapshot false']);
  },

  async 'retain handling, no local, retain as published'(world) {
    await world.publish('a', 'kept', { retain: true });
    const client = await online(world);
    const none = client.subscribe('a', { qos: 1, retainHandling: 2, retainAsPublished: false, noLocal: true });
    assert.deepEqual(await none.snapshot, { inferred: false });
    await client.publish('a', 'own', { qos: 1 }).acked;
    await world.publish('a', 'live', { qos: 1, retain: true });
    assert.deepEqual((await take(none, 1)).map((message) => [text(message), message.retain]), [['live', false]]);
  },

  async 'subscriptions to one filter share it: who asks for more has the retained values sent to all'(world) {
    await world.publish('a', 'kept', { retain: true });
    const client = await online(world);
    const heard = [];
    const listen = async (name, options) => {
      const subscription = client.subscribe('a', options);
      subscription.onMessage((message) => void heard.push(`${name}: ${text(message)}${message.fromCache ? ' from the cache' : ''}`));
      subscription.onSnapshot(() => void heard.push(`${name}: snapshot`));
      await subscription.snapshot;
      return subscription;
    };
    const said = () => heard.splice(0).sort();
    const one = await listen('one', { qos: 1 });
    assert.deepEqual(said(), ['one: kept', 'one: snapshot']);
    const two = await listen('two', { qos: 1 });
    assert.deepEqual(said(), ['two: kept', 'two: kept from the cache', 'two: snapshot']);
    const three = await listen('three', { qos: 2, cache: false });
    await until('all snapshots', () => heard.filter((line) => line.endsWith('snapshot')).length === 3);
    assert.deepEqual(said(), ['one: kept', 'one: snapshot', 'three: kept', 'three: snapshot', 'two: kept', 'two: snapshot']);
    assert.deepEqual(await Promise.all([one, two, three].map(({ granted }) => granted)), [1, 1, 2]);
    await world.publish('a', 'live', { qos: 2 });
    await until('all', () => heard.length === 3);
    assert.deepEqual(said(), ['one: live', 'three: live', 'two: live']);
    one.unsubscribe();
    await world.publish('a', 'still', { qos: 1 });
    await until('both', () => heard.length === 2);
    assert.deepEqual(said(), ['three: still', 'two: still']);
  },

  async 'without a cache each subscription asks anew, for all of them'(world) {
    await world.publish('a', 'kept', { retain: true });
    const client = await online(world);
    const heard = [];
    for (const name of ['one', 'two']) {
      const subscription = client.subscribe('a', { cache: false });
      subscription.onMessage((message) => void heard.push(`${name}: ${text(message)}`));
      await subscription.snapshot;
    }
    await until('all', () => heard.length === 3);
    assert.deepEqual(heard.sort(), ['one: kept', 'one: kept', 'two: kept']);
  },

  async 'the members of a group share, and have no retained values'(world) {
    await world.publish('a/0', 'kept', { retain: true });
    const clients = [await online(world, { identity: 'one' }), await online(world, { identity: 'other' })];
    const members = clients.map((client) => client.subscribe('$share/g/a/{n}', { qos: 1 }));
    for (const member of members) assert.deepEqual(await member.snapshot, { inferred: false });
    for (const n of [1, 2, 3, 4]) await world.publish(`a/${n}`, `${n}`, { qos: 1 });
    for (const member of members) assert.equal((await take(member, 2)).length, 2);
  },

  async 'handlers that throw, and a message that none is done with'(world) {
    const client = await online(world);
    const subscription = client.subscribe('a', { qos: 1 });
    const done = [];
    subscription.onMessage((message) => (text(message) === '1' ? new Promise((resolve) => done.push(resolve)) : undefined));
    await subscription.granted;
    for (const value of ['1', '2']) await world.publish('a', value, { qos: 1 });
    await until('both', () => done.length === 1);
    subscription.unsubscribe();
    await subscription.ended;
    const again = client.subscribe('a', { qos: 1 });
    await again.snapshot;
    await world.publish('a', '3', { qos: 1 });
    // What an ended subscription still had counts as handled.
    assert.deepEqual((await take(again, 1)).map(text), ['3']);
  },

  // Fails if what the server will not send again goes with a loop that has not seen it.
  async 'what a loop that breaks off was not given is for the next subscription'(world) {
    const client = await online(world);
    const broken = client.subscribe('a', { qos: 2 });
    await broken.granted;
    for (const value of ['1', '2', '3', '4']) await world.publish('a', value, { qos: 2 });
    await until('all in the inbox', async () => inboxOf(await client.inspect()) === 4);
    const given = [];
    const run = async () => {
      for await (const message of broken) {
        given.push(text(message));
        if (given.length === 2) throw new Error('of the body');
      }
    };
    await assert.rejects(run(), { message: 'of the body' });
    const next = client.subscribe('a', { qos: 2 });
    const rest = await take(next, 2);
    assert.deepEqual([given, rest.map((message) => [text(message), message.redelivered])], [['1', '2'], [['3', false], ['4', false]]]);
    // A handler has had what waits for the loop.
    const both = client.subscribe('b', { qos: 1 });
    both[Symbol.asyncIterator]();
    const handled = [];
    both.onMessage((message) => void handled.push(text(message)));
    await both.granted;
    await world.publish('b', '5', { qos: 1 });
    await until('handled', () => handled.length === 1);
    both.unsubscribe();
    next.unsubscribe();
    await until('an empty inbox', async () => inboxOf(await client.inspect()) === 0);
  },

  // Fails if what came on an earlier connection counts for the one that stands.
  async 'a list of users is ready when all has come, on each connection'(world) {
    await world.publish('presence/ana', JSON.stringify({ status: 'online' }), { retain: true });
    const client = await online(world);
    const people = client.presence('presence/{client}');
    people.subscribe(() => {});
    await until('all', () => people.ready);
    assert.equal(people.list().length, 1);
    const seen = [];
    client.on('state', ({ state }) => seen.push([state, people.ready]));
    await offline(world, client);
    await world.publish('presence/ana', '', { retain: true });
    world.goOnline();
    await until('all again', () => people.ready);
    assert.deepEqual(people.list(), []);
    assert.deepEqual([seen.filter(([, ready]) => ready), seen.at(-1)], [[], ['online', false]]);
  },

  async 'slow consumers end, but for QoS 1'(world) {
    const client = await online(world);
    const slow = client.subscribe('a', { bufferedMessagesMax: 2 });
    const kept = client.subscribe('b', { bufferedMessagesMax: 2, qos: 1 });
    await Promise.all([slow.granted, kept.granted]);
    for (const value of ['1', '2', '3']) {
      await world.publish('a', value);
      await world.publish('b', value, { qos: 1 });
    }
    assert.ok(code('slow-consumer')(await slow.ended));
    assert.deepEqual((await take(slow, 2)).map(text), ['1', '2']);
    await assert.rejects(slow.next(), code('slow-consumer'));
    assert.deepEqual((await take(kept, 3)).map(text), ['1', '2', '3']);
  },
};
