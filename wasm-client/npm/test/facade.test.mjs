// The TypeScript around the wasm: what it checks, what it holds back, and how loops and publishes end.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { fake } from './ebbtide_wasm.js';
import { connect, EbbtideError } from './index.js';

const ADDRESS = 'ws://127.0.0.1:9/mqtt';
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));
const utf8 = (text) => new TextEncoder().encode(text);
const code = (expected) => (error) => error instanceof EbbtideError && error.code === expected;
const publishedTexts = (connection) => connection.published.map(({ payload }) => new TextDecoder().decode(payload));

let warnings;
let unhandled;
const onUnhandled = (reason) => unhandled.push(reason);

beforeEach(() => {
  fake.connections.length = 0;
  fake.refuse = undefined;
  unhandled = [];
  process.on('unhandledRejection', onUnhandled);
  warnings = mock.method(console, 'warn', () => {}).mock;
});

afterEach(async () => {
  await settled();
  process.off('unhandledRejection', onUnhandled);
  mock.restoreAll();
  delete globalThis.location;
  assert.deepEqual(unhandled, []);
});

async function started(options) {
  const client = connect(ADDRESS, options);
  await settled();
  return { client, connection: fake.connections.at(-1) };
}

async function subscribed(filter, options) {
  const { client, connection } = await started();
  const loop = client.subscribe(filter, options);
  return { client, loop, wasm: connection.subscriptions[0] };
}

// First, for the wasm is loaded once only.
test('what keeps it from loading is in the state, and in every later call', async () => {
  fake.load = () => Promise.reject(new Error('blocked by the policy'));
  const client = connect(ADDRESS);
  const states = [];
  client.on('state', (state) => states.push(state));
  const before = client.publish('a', 'x');
  const loop = client.subscribe('a');
  await settled();
  fake.load = () => Promise.resolve();

  assert.equal(states.length, 1);
  const { state, error } = client.state;
  assert.equal(state, 'closed');
  assert.ok(code('load-failed')(error));
  assert.match(error.message, /blocked by the policy/);
  const same = (thrown) => thrown === error;
  await assert.rejects(before.acked, same);
  await assert.rejects(loop.next(), same);
  await assert.rejects(client.publish('a', 'x', { qos: 1 }).acked, same);
  await assert.rejects(client.subscribe('a').next(), same);
});

test('options that do not go together close it with that error', async () => {
  fake.refuse = ['client-id-missing', 'needs a client id', undefined];
  const { client } = await started({ version: '3.1.1', cleanStart: false });
  assert.ok(code('client-id-missing')(client.state.error));
});

test('bad options are thrown at once and say what is allowed', () => {
  const cases = [
    [{ clientID: 'x' }, /'clientID'; did you mean 'clientId'\?/],
    [{ keepalive: 5 }, /did you mean 'keepAliveS'/],
    [{ sessionExpiryInterval: 5 }, /did you mean 'sessionExpiryS'/],
    [{ zzzzzzzz: 1 }, /no option 'zzzzzzzz'\. There are clientId, /],
    [{ toString: 1 }, /no option 'toString'/],
    [{ version: '5' }, /'version' must be "3\.1\.1" or "5\.0"/],
    [{ keepAliveS: 65_536 }, /from 0 to 65535/],
    [{ keepAliveS: 1.5 }, /whole number/],
    [{ sessionExpiryS: 4_294_967_296 }, /from 0 to 4294967295/],
    [{ sessionExpiryS: -1 }, /from 0/],
    [{ clientId: 7 }, /must be a string/],
    [null, /must be an object/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => connect(ADDRESS, options), (error) => code('bad-options')(error) && message.test(error.message));
  }
  assert.throws(() => connect(ADDRESS, { password: 12345 }), (error) => !error.message.includes('12345'));
  assert.equal(fake.connections.length, 0);
});

test('the limits themselves are good options', async () => {
  const { connection } = await started({ keepAliveS: 65_535, sessionExpiryS: 4_294_967_295, version: '3.1.1', clientId: undefined });
  assert.deepEqual(connection.given.slice(4, 8), [65_535, 4_294_967_295, true, 4]);
});

test('a bad QoS or option of publish and subscribe is thrown at once', async () => {
  const { client, connection } = await started();
  assert.throws(() => client.publish('a', 'x', { qos: 3 }), code('bad-options'));
  assert.throws(() => client.publish('a', 'x', { retained: true }), /did you mean 'retain'/);
  assert.throws(() => client.subscribe('a', { qos: '1' }), code('bad-options'));
  assert.throws(() => client.subscribe('a', { bufferedMessagesMax: 0 }), code('bad-options'));
  assert.deepEqual([connection.published, connection.subscriptions], [[], []]);
});

test('addresses are relative to the page', async () => {
  const resolved = async (page, address) => {
    globalThis.location = page && new URL(page);
    connect(address);
    await settled();
    return fake.connections.at(-1).given[0];
  };
  assert.equal(await resolved('https://a.example/x/y#z', '/mqtt'), 'wss://a.example/mqtt');
  assert.equal(await resolved('http://a.example:81/x/', 'mqtt'), 'ws://a.example:81/x/mqtt');
  assert.equal(await resolved(undefined, 'https://b.example/mqtt#z'), 'wss://b.example/mqtt');
  globalThis.location = undefined;
  assert.throws(() => connect('/mqtt'), code('url'));
  assert.throws(() => connect('mqtt://b.example'), code('url'));
});

test('QoS 0 waits for the first connection, in order, and not for the second', async () => {
  const client = connect(ADDRESS);
  const first = client.publish('a', 'one');
  await settled();
  const [connection] = fake.connections;
  client.publish('a', 'two');
  assert.deepEqual(connection.published, []);
  connection.goOnline();
  assert.deepEqual(publishedTexts(connection), ['one', 'two']);
  connection.published[0].onAcked();
  await first.acked;
  connection.goOffline('gone');
  await assert.rejects(client.publish('a', 'three').acked, code('offline'));
});

test('QoS 0 fails when the first attempt does, and is never held without bound', async () => {
  const { client, connection } = await started();
  const held = Array.from({ length: 1000 }, () => client.publish('a', 'x').acked);
  await assert.rejects(client.publish('a', 'x').acked, code('queue-full'));
  connection.goOffline('cannot be reached');
  for (const acked of held) await assert.rejects(acked, code('offline'));
});

test('a failed publish that nobody looks at is warned of once', async () => {
  const { client, connection } = await started();
  client.publish('a/b', new Map());
  client.publish('c', 'x', { qos: 1 });
  const taken = client.publish('d', 'x', { qos: 1 }).acked;
  for (const { onFailed } of connection.published) onFailed('refused', 'the server refused it', 135);
  await assert.rejects(taken, (error) => code('refused')(error) && error.reasonCode === 135);
  await settled();
  const said = warnings.calls.map(({ arguments: [text] }) => text);
  assert.equal(said.length, 2);
  assert.match(said[0], /a\/b.*\(payload\)/);
  assert.match(said[1], /c: the server refused it \(refused\)/);
});

test('payloads: the right bytes, copied while they wait, and nothing that JSON would lose', async () => {
  const client = connect(ADDRESS);
  const bytes = utf8('-kept-');
  client.publish('a', new DataView(bytes.buffer, 1, 4), { qos: 1 });
  bytes.fill(0);
  await settled();
  const [connection] = fake.connections;
  client.publish('a', new Uint16Array([0x6161, 0x6262, 0x6363]).subarray(1, 2), { qos: 1 });
  client.publish('a', utf8('buffer').buffer, { qos: 1 });
  client.publish('a', { at: new Date(0) }, { qos: 1 });
  client.publish('a', '', { qos: 1 });
  assert.deepEqual(publishedTexts(connection), ['kept', 'bb', 'buffer', '{"at":"1970-01-01T00:00:00.000Z"}', '']);
  const cyclic = {};
  cyclic.self = cyclic;
  for (const value of [new Blob(['x']), new Map(), new Set(), new SharedArrayBuffer(1), undefined, 1n, cyclic, () => {}]) {
    await assert.rejects(client.publish('a', value, { qos: 1 }).acked, code('payload'));
  }
});

test('named levels, and a cleared value', async () => {
  const { loop, wasm } = await subscribed('presence/{agent}/+/{place}');
  assert.equal(wasm.filter, 'presence/+/+/+');
  wasm.onMessage('presence/ana/x/home', utf8('{"on":true}'), 1, true, false);
  wasm.onMessage('presence/ben/x/', utf8(''), 1, false, false);
  wasm.onMessage('presence/eve/x/y', utf8('{'), 1, false, false);
  const [ana, ben, eve] = [(await loop.next()).value, (await loop.next()).value, (await loop.next()).value];
  assert.deepEqual(ana.params, { agent: 'ana', place: 'home' });
  assert.deepEqual([ana.json(), ana.isEmpty], [{ on: true }, false]);
  assert.deepEqual(ben.params, { agent: 'ben', place: '' });
  assert.deepEqual([ben.json(), ben.isEmpty], [undefined, true]);
  assert.throws(() => eve.json(), code('payload'));
});

test('a loop that is too slow gets what was buffered, then the error, then the end', async () => {
  const { loop, wasm } = await subscribed('a', { bufferedMessagesMax: 2 });
  for (const text of ['1', '2', '3']) wasm.onMessage('a', utf8(text), 0, false, false);
  assert.ok(wasm.freed);
  assert.equal((await loop.next()).value.text(), '1');
  assert.equal((await loop.next()).value.text(), '2');
  await assert.rejects(loop.next(), code('slow-consumer'));
  assert.equal((await loop.next()).done, true);
});

test('leaving the loop unsubscribes, and no error comes afterwards', async () => {
  const { loop, wasm } = await subscribed('a', { bufferedMessagesMax: 1 });
  wasm.onMessage('a', utf8('1'), 0, false, false);
  for await (const message of loop) {
    assert.equal(message.text(), '1');
    wasm.onMessage('a', utf8('2'), 0, false, false);
    wasm.onMessage('a', utf8('3'), 0, false, false);
    break;
  }
  assert.ok(wasm.freed);
  assert.deepEqual(await loop.next(), { done: true, value: undefined });
});

test('close() ends loops, and what is held or comes later fails with closed', async () => {
  const { client, connection } = await started();
  const loop = client.subscribe('a');
  const waits = loop.next();
  const held = client.publish('a', 'x').acked;
  client.close();
  assert.equal((await waits).done, true);
  await assert.rejects(held, code('closed'));
  await settled();
  assert.deepEqual(client.state, { state: 'closed' });
  assert.ok(connection.freed);
  await assert.rejects(client.publish('a', 'x', { qos: 1 }).acked, code('closed'));
});

test('close() before the wasm is there', async () => {
  const client = connect(ADDRESS);
  const acked = client.publish('a', 'x').acked;
  client.close();
  await assert.rejects(acked, code('closed'));
  assert.deepEqual(client.state, { state: 'closed' });
  await settled();
  assert.equal(fake.connections.length, 0);
});
