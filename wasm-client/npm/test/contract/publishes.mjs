// Publishes: their stages, the outbox and its limits, dead letters, properties, requests.

import assert from 'node:assert/strict';
import { code, offline, online, take, TOO_LONG, until } from './support.mjs';

export const PUBLISHES = {
  async 'QoS 0 that cannot be taken was not stored, either'(world) {
    const client = await online(world, { limits: { heldMessagesMax: 1 } });
    await offline(world, client);
    const lost = client.publish('a', 'lost');
    const kept = client.publish('a', 'kept', { offline: 'keep' });
    const over = client.publish('a', 'over', { offline: 'keep' });
    for (const [publication, expected] of [[lost, 'offline'], [over, 'queue-full']]) {
      await assert.rejects(publication.acked, code(expected));
      await assert.rejects(publication.stored, code(expected));
    }
    await kept.stored;
    world.goOnline();
    await kept.acked;
  },

  async 'a property that is too long is no publish: a dead letter'(world) {
    const client = await online(world);
    for (const properties of [{ contentType: TOO_LONG }, { correlationData: new Uint8Array(65_536) }, { userProperties: [[TOO_LONG, 'v']] }]) {
      const sent = client.publish('a', 'x', { qos: 1, properties });
      await sent.stored;
      await assert.rejects(sent.acked, code('field-too-long'));
      await assert.rejects(client.publish('a', 'x', { properties }).acked, code('field-too-long'));
    }
    const letters = await client.outbox.deadLetters.list();
    assert.deepEqual(letters.map(({ topic, reasonCode }) => [topic, reasonCode]), [['a', 0x80], ['a', 0x80], ['a', 0x80]]);
    assert.deepEqual(await client.outbox.list(), []);
    await assert.rejects(client.publish('a', 'x', { properties: { responseTopic: TOO_LONG } }).acked, code('field-too-long'));
  },

  async 'a full outbox takes what only takes the place of another'(world) {
    const client = await online(world, { limits: { outboxMessagesMax: 2 } });
    await offline(world, client);
    const kept = [client.publish('a', 1, { qos: 1, retain: true }), client.publish('b', 1, { qos: 1 })];
    await Promise.all(kept.map(({ stored }) => stored));
    const over = client.publish('c', 1, { qos: 1, retain: true });
    await assert.rejects(over.stored, code('queue-full'));
    await assert.rejects(over.acked, code('queue-full'));
    kept.push(client.publish('a', 2, { qos: 1, retain: true }));
    await kept[2].stored;
    assert.deepEqual((await client.outbox.list()).map(({ topic }) => topic), ['b', 'a']);
    world.goOnline();
    for (const { acked } of kept) await acked;
    await until('both', () => world.published().length === 2);
    assert.deepEqual(world.published().map(({ topic, text: value }) => [topic, value]), [['b', '1'], ['a', '2']]);
  },

  async 'a dead letter goes back though its deadline has passed and the outbox is full'(world) {
    const client = await online(world, { limits: { outboxMessagesMax: 1 } });
    const { deadLetters } = client.outbox;
    world.refuse('a', 0x87);
    const deadline = Date.now() + 1_000;
    await assert.rejects(client.publish('a', 'late', { qos: 1, key: 'k', deadline }).acked, code('refused'));
    await until('the deadline', () => Date.now() > deadline);
    world.refuse('a', undefined);
    await offline(world, client);
    await client.publish('b', 'x', { qos: 1 }).stored;
    const [letter] = await deadLetters.list();
    assert.deepEqual([letter.deadline, await deadLetters.retry([letter]), await deadLetters.list()], [deadline, 1, []]);
    const rows = await client.outbox.list();
    assert.deepEqual(rows.map(({ topic, key, deadline: when }) => [topic, key, when]), [['b', undefined, undefined], ['a', 'k', undefined]]);
    assert.equal(rows[1].createdAt, letter.createdAt);
    world.goOnline();
    await until('both', () => world.published().length === 2);
    assert.deepEqual(world.published().map(({ topic, text: value, expires }) => [topic, value, expires]), [['b', 'x', false], ['a', 'late', false]]);
  },

  async 'a dead letter that is tried again coalesces as before'(world) {
    const client = await online(world);
    world.refuse('a', 0x87);
    await assert.rejects(client.publish('a', 1, { qos: 1, retain: true }).acked, code('refused'));
    world.refuse('a', undefined);
    await offline(world, client);
    const before = client.publish('a', 2, { qos: 1, retain: true });
    await before.stored;
    const { deadLetters } = client.outbox;
    assert.equal(await deadLetters.retry({ topic: 'a' }), 1);
    // It is the older value, and takes the place of none.
    assert.deepEqual((await client.outbox.list()).map(({ payload }) => String.fromCharCode(...payload)), ['2', '1']);
    const last = client.publish('a', 3, { qos: 1, retain: true });
    await last.stored;
    assert.deepEqual((await client.outbox.list()).map(({ payload }) => String.fromCharCode(...payload)), ['3']);
    world.goOnline();
    await Promise.all([before.acked, last.acked]);
  },

  async 'what fills the outbox is counted with what it takes to keep it'(world) {
    const client = await online(world, { limits: { outboxBytesMax: 300 } });
    await offline(world, client);
    await client.publish('a', 'x', { qos: 1 }).stored;
    await client.publish('b', 'x', { qos: 1 }).stored;
    await assert.rejects(client.publish('c', 'x', { qos: 1 }).stored, code('queue-full'));
  },

  async 'the stages of publishes, and the order in which they leave'(world) {
    const client = await online(world);
    await offline(world, client);
    const counts = [];
    client.on('outbox', ({ count }) => counts.push(count));
    const sent = [
      client.publish('a', 1, { qos: 1 }), client.publish('b', 2, { qos: 2, key: 'k' }), client.publish('c', 3, { qos: 1, retain: true }),
      client.publish('c', 4, { qos: 1, retain: true }), client.publish('a', 5, { qos: 1 }), client.publish('d', 6, { qos: 1 }),
    ];
    for (const { stored } of sent) await stored;
    assert.equal(counts.at(-1), 5);
    assert.deepEqual([await sent[2].cancel(), await sent[5].cancel(), await sent[5].cancel()], [false, true, false]);
    await assert.rejects(sent[5].acked, code('cancelled'));
    const rows = await client.outbox.list();
    assert.deepEqual(rows.map(({ topic, qos, key, retain, stage }) => [topic, qos, key, retain, stage]), [
      ['a', 1, undefined, false, 'waiting'], ['b', 2, 'k', false, 'waiting'], ['c', 1, undefined, true, 'waiting'], ['a', 1, undefined, false, 'waiting'],
    ]);
    world.goOnline();
    for (const { acked } of sent.slice(0, 5)) await acked;
    await until('all', () => world.published().length === 4);
    assert.deepEqual(world.published().map(({ text: value }) => value), ['1', '2', '4', '5']);
    await until('an empty outbox', () => counts.at(-1) === 0);
  },

  async 'a deadline that has passed'(world) {
    const client = await online(world);
    for (const qos of [0, 1, 2]) {
      await assert.rejects(client.publish('a', 'late', { qos, deadline: Date.now() - 1_000 }).acked, code('expired'), `QoS ${qos}`);
    }
    await client.publish('b', 'x', { qos: 1 }).acked;
    assert.deepEqual(world.published().map(({ topic }) => topic), ['b']);
  },

  async 'a deadline that passes'(world) {
    const client = await online(world);
    await offline(world, client);
    const late = client.publish('a', 'late', { qos: 1, deadline: Date.now() + 500 });
    await late.stored;
    await assert.rejects(late.acked, code('expired'));
    assert.deepEqual(await client.outbox.list(), []);
  },

  async 'requests and answers'(world) {
    const client = await online(world);
    const other = await online(world, { identity: 'other' });
    const responder = other.respond('add', (request) => request.json().reduce((sum, one) => sum + one, 0));
    await responder.granted;
    assert.equal((await client.request('add', [1, 2])).json(), 3);
    const old = await online(world, { identity: 'old', version: '3.1.1' });
    await assert.rejects(old.request('add', [1, 2]), code('not-supported'));
    await assert.rejects(client.request('sub', [1, 2], { timeoutS: 1 }), (error) => ['timeout', 'no-responder'].includes(error.code));
  },

  async 'a refusal for now stays in the outbox, and is told'(world) {
    const client = await online(world);
    const reports = [];
    client.on('deferred', ({ kind, reasonCode, reason, retryInMs }) => reports.push([kind, reasonCode, reason, typeof retryInMs]));
    world.refuse('busy', 0x97);
    const waits = client.publish('busy', 'x', { qos: 1 });
    await until('a report', () => reports.length > 0);
    assert.deepEqual(reports[0], ['deferred', 0x97, 'Quota exceeded', 'number']);
    const [{ stage }] = await client.outbox.list();
    assert.equal(await waits.cancel(), stage === 'waiting');
    world.refuse('busy', undefined);
  },

  async 'properties, both ways'(world) {
    const client = await online(world);
    const subscription = client.subscribe('a', { qos: 1 });
    await subscription.granted;
    const properties = { payloadFormatIndicator: true, contentType: 'text/plain', responseTopic: 'r', correlationData: Uint8Array.of(1), userProperties: [['k', 'v'], ['k', 'w']] };
    await client.publish('a', 'x', { qos: 1, properties: { ...properties, messageExpiryInterval: 60 } }).acked;
    await client.publish('a', 'y', { qos: 2 }).acked;
    const [{ properties: { messageExpiryInterval, ...got } }, { properties: none }] = await take(subscription, 2);
    assert.deepEqual([got, none], [properties, {}]);
    assert.ok(messageExpiryInterval > 50 && messageExpiryInterval <= 60);
  },
};
