// A publish from the call to the server and back: payloads, the stages of its handle, the outbox, what refuses it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestBroker } from './testing/index.js';
import { code, guarded, online, texts, utf8 } from './support.mjs';

const seen = guarded();

test('payloads: the right bytes, copied, and nothing that JSON would lose', async () => {
  const { broker, client } = await online();
  const bytes = utf8('-kept-');
  client.publish('a', new DataView(bytes.buffer, 1, 4), { qos: 1 });
  bytes.fill(0);
  client.publish('a', new Uint16Array([0x6161, 0x6262, 0x6363]).subarray(1, 2));
  const buffer = utf8('buffer').buffer;
  client.publish('a', buffer);
  new Uint8Array(buffer).fill(0);
  client.publish('a', { at: new Date(0) });
  client.publish('a', 'text');
  client.publish('a', '');
  client.publish('a', null);
  client.publish('a', {});
  client.publish('a', []);
  await broker.settled();
  assert.deepEqual(texts(broker.published).sort(), ['', '{"at":"1970-01-01T00:00:00.000Z"}', '{}', '[]', 'bb', 'buffer', 'kept', 'null', 'text'].sort());
  const cyclic = {};
  cyclic.self = cyclic;
  for (const value of [new Blob(['x']), new Map(), new Set(), new SharedArrayBuffer(1), undefined, 1n, cyclic, () => {}, new Error('x'), /x/, new URLSearchParams('a=b'), new Response('x'), Promise.resolve(1), NaN, Infinity, new Date('never')]) {
    const { stored, acked } = client.publish('a', value, { qos: 1 });
    await assert.rejects(acked, code('payload'));
    await assert.rejects(stored, code('payload'));
  }
});

test('what is larger than can ever be sent is not stored', async () => {
  const { broker, client } = await online();
  broker.goOffline();
  const { stored } = client.publish('a', new Uint8Array((16 << 20) + 1), { qos: 1 });
  await assert.rejects(stored, code('packet-too-large'));
  assert.deepEqual(await client.outbox.list(), []);
});

test('topics: templates are filled in, wildcards and nothing are refused', async () => {
  const { broker, client } = await online();
  await client.publish('rooms/{room}/{rest...}', 'x', { params: { room: 7, rest: 'a/b' } }).acked;
  // Without params braces are nothing special.
  await client.publish('plain/{room}', 'x').acked;
  assert.deepEqual(broker.published.map(({ topic }) => topic), ['rooms/7/a/b', 'plain/{room}']);
  for (const [topic, params] of [
    ['', undefined], ['a/+', undefined], ['a/#', undefined], ['a\0', undefined], ['a\ud800', undefined],
    ['a/{x}', {}], ['a/{x}', { x: '' }], ['a/{x}', { x: null }], ['a/{x}', { x: undefined }], [['a', 'b'], undefined], [7, undefined], ['a/{x}', { x: 'b/c' }], ['a/{x}', { x: '+' }], ['a/{x...}', { x: 'b/#' }], ['a/{toString}', {}],
  ]) {
    await assert.rejects(client.publish(topic, 'x', { params }).acked, code('topic-name'), topic);
  }
  // Now, and not when there is a connection again.
  for (const responseTopic of ['', 'a/#']) await assert.rejects(client.publish('a', 'x', { properties: { responseTopic } }).acked, code('topic-name'));
  await assert.rejects(client.publish('a'.repeat(65_536), 'x').acked, code('field-too-long'));
  assert.equal((await client.publish('a'.repeat(65_535), 'x').acked).reasonCode, 0);
});

test('stored, then acked with the reason', async () => {
  const { broker, client } = await online();
  const order = [];
  const publication = client.publish('a', 'x', { qos: 2, key: 'k' });
  publication.stored.then(() => order.push('stored'));
  const ack = await publication.acked.finally(() => order.push('acked'));
  assert.deepEqual([ack, order], [{ reasonCode: 0x10, reason: 'No matching subscribers' }, ['stored', 'acked']]);
  assert.deepEqual([publication.topic, publication.key], ['a', 'k']);
  client.subscribe('a');
  await broker.settled();
  assert.deepEqual(await client.publish('a', 'x', { qos: 1 }).acked, { reasonCode: 0, reason: 'Success' });
});

test('QoS 0 waits for the first connection, in order, and not for the second', async () => {
  const broker = createTestBroker();
  const client = broker.connect();
  const first = client.publish('a', 'one');
  const second = client.publish('a', 'two');
  await Promise.all([first.acked, second.acked]);
  assert.deepEqual(texts(broker.published), ['one', 'two']);
  broker.goOffline();
  await assert.rejects(client.publish('a', 'three').acked, code('offline'));
  const kept = client.publish('a', 'four', { offline: 'keep' });
  await kept.stored;
  const cancelled = client.publish('a', 'five', { offline: 'keep' });
  assert.equal(await cancelled.cancel(), true);
  broker.goOnline();
  await kept.acked;
  await assert.rejects(cancelled.acked, code('cancelled'));
  assert.deepEqual(texts(broker.published), ['one', 'two', 'four']);
});

test('QoS 0 fails when the first attempt does, but for what is to be kept', async () => {
  const broker = createTestBroker();
  broker.goOffline();
  const client = broker.connect();
  const lost = client.publish('a', 'lost');
  const never = client.publish('a', 'never', { offline: 'fail' });
  const kept = client.publish('a', 'kept', { offline: 'keep' });
  await Promise.all([lost, never].map(({ acked }) => assert.rejects(acked, code('offline'))));
  broker.goOnline();
  await kept.acked;
  assert.deepEqual(texts(broker.published), ['kept']);
});

test('what waits is bounded', async () => {
  const broker = createTestBroker();
  broker.goOffline();
  const client = broker.connect({ limits: { outboxMessagesMax: 2, heldMessagesMax: 1 } });
  await broker.settled();
  const kept = [client.publish('a', '1', { qos: 1 }), client.publish('a', '2', { qos: 1 }), client.publish('a', '3', { offline: 'keep' })];
  await assert.rejects(client.publish('a', 'x', { qos: 1 }).stored, code('queue-full'));
  await assert.rejects(client.publish('a', 'x', { offline: 'keep' }).acked, code('queue-full'));
  broker.goOnline();
  for (const { acked } of kept) await acked;
});

test('the outbox: in order, by key, and back again', async () => {
  const { broker, client } = await online({ identity: 'ana' });
  broker.goOffline();
  const counts = [];
  client.on('outbox', ({ count }) => counts.push(count));
  const lamp = client.publish('config/lamp', { on: true }, { qos: 1, retain: true, key: 'lamp' });
  const other = client.publish('log', 'x', { qos: 2, key: 'lamp' });
  await client.publish('log', 'y', { qos: 1 }).stored;
  const listed = await client.outbox.list();
  assert.deepEqual(listed.map(({ topic, key, stage, qos, retain }) => [topic, key, stage, qos, retain]), [
    ['config/lamp', 'lamp', 'waiting', 1, true], ['log', 'lamp', 'waiting', 2, false], ['log', undefined, 'waiting', 1, false],
  ]);
  assert.deepEqual(counts, [1, 2, 3]);
  assert.equal(await client.outbox.cancel({ topic: 'log', key: 'lamp' }), 1);
  await assert.rejects(other.acked, code('cancelled'));
  assert.equal(await client.outbox.cancel({ key: 'lamp' }), 1);
  await assert.rejects(lamp.acked, code('cancelled'));
  assert.equal(await lamp.cancel(), false);
  assert.equal(await client.outbox.cancel(await client.outbox.list()), 1);
  broker.goOnline();
  await broker.settled();
  assert.deepEqual(broker.published, []);
});

test('offline writes to a retained topic coalesce, unless they must not', async () => {
  const { broker, client } = await online();
  broker.goOffline();
  const first = client.publish('config/lamp', 1, { qos: 1, retain: true });
  client.publish('config/lamp', 2, { qos: 1, retain: true, coalesce: false });
  client.publish('config/lamp', 3, { qos: 1, retain: true });
  client.publish('event', 1, { qos: 1 });
  client.publish('event', 2, { qos: 1 });
  assert.equal(await first.cancel(), false);
  assert.equal((await client.outbox.list()).length, 4);
  broker.goOnline();
  assert.equal((await first.acked).reasonCode, 0x10);
  await broker.settled();
  assert.deepEqual(broker.published.map((message) => message.json()), [2, 3, 1, 2]);
});

test('a deadline: not sent after it, and the expiry of the message before', async () => {
  const { broker, client } = await online();
  broker.goOffline();
  const late = client.publish('a', 'late', { qos: 1, deadline: Date.now() + 20 });
  const past = client.publish('a', 'past', { qos: 1, deadline: new Date(0) });
  client.publish('a', 'in time', { qos: 1, expiresInS: 60 });
  client.publish('a', 'same', { qos: 1, properties: { messageExpiryInterval: 60, contentType: 'text/plain' } });
  await Promise.all([late, past].map(({ acked }) => assert.rejects(acked, code('expired'))));
  broker.goOnline();
  await broker.settled();
  assert.deepEqual(texts(broker.published), ['in time', 'same']);
  for (const { properties } of broker.published) assert.ok(properties.messageExpiryInterval <= 60 && properties.messageExpiryInterval > 55);
  assert.equal(broker.published[1].properties.contentType, 'text/plain');
  for (const qos of [0, 1, 2]) await assert.rejects(client.publish('a', 'past', { qos, deadline: new Date(0) }).acked, code('expired'), `QoS ${qos}`);
});

test('what is refused for good becomes a dead letter, what is refused for now stays', async () => {
  const { broker, client } = await online();
  broker.refuse('admin/#', 0x87);
  const refused = client.publish('admin/x', 'x', { qos: 1, key: 'k' });
  await assert.rejects(refused.acked, (error) => code('refused')(error) && error.reasonCode === 0x87 && error.reason === 'Not authorized');
  const [letter] = await client.outbox.deadLetters.list();
  assert.deepEqual([letter.topic, letter.key, letter.reasonCode], ['admin/x', 'k', 0x87]);
  broker.refuse('admin/#');
  assert.equal(await client.outbox.deadLetters.retry([letter]), 1);
  await broker.settled();
  assert.deepEqual([texts(broker.published), await client.outbox.deadLetters.list()], [['x'], []]);

  broker.refuse('admin/#', 0x99);
  await assert.rejects(client.publish('admin/y', 'y', { qos: 1 }).acked, code('refused'));
  assert.equal(await client.outbox.deadLetters.discard({ topic: 'admin/y' }), 1);

  const said = { reasonString: 'ask first', userProperties: [['k', 'v']] };
  broker.refuse('admin/#', 0x99, said);
  const explained = await client.publish('admin/z', 'z', { qos: 2 }).acked.catch((error) => error);
  assert.deepEqual([explained.reasonString, explained.userProperties], Object.values(said));
  const [{ reasonString, userProperties }] = await client.outbox.deadLetters.list();
  assert.deepEqual({ reasonString, userProperties }, said);

  const deferred = [];
  client.on('deferred', (report) => deferred.push(report));
  broker.refuse('busy', 0x97, said);
  const waits = client.publish('busy', 'z', { qos: 1 });
  await broker.settled();
  const [{ seq }] = await client.outbox.list();
  assert.deepEqual(deferred[0], { kind: 'deferred', seq, reasonCode: 0x97, reason: 'Quota exceeded: ask first', retryInMs: 1_000, ...said });
  broker.refuse('busy');
  await waits.acked;
});

test('a failed publish that nobody looks at is warned of once, and never unhandled', async () => {
  const { broker, client } = await online();
  broker.refuse('c', 0x87);
  client.publish('a/b', new Map());
  client.publish('c', 'x', { qos: 1 });
  const { acked } = client.publish('c', 'y', { qos: 1 });
  await assert.rejects(acked, code('refused'));
  broker.goOffline();
  await client.publish('d', 'x', { qos: 1 }).cancel();
  await broker.settled();
  assert.equal(seen.warnings.length, 2, seen.warnings.join('\n'));
  assert.match(seen.warnings[0], /a\/b.*\(payload\)/);
  assert.match(seen.warnings[1], /c: .*Not authorized.*\(refused\)/);
});

test('properties arrive under the names of the standard', async () => {
  const { broker, client } = await online();
  const loop = client.subscribe('a');
  await loop.granted;
  const properties = {
    payloadFormatIndicator: true, contentType: 'application/json', responseTopic: 'r', correlationData: utf8('c'), userProperties: [['k', 'v'], ['k', 'w']],
  };
  client.publish('a', {}, { properties });
  const { value } = await loop.next();
  assert.deepEqual(value.properties, properties);
});
