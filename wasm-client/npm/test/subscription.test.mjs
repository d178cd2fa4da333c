// Loops and handlers: what they get, when a message counts as handled, and how they end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestBroker } from './testing/index.js';
import { code, guarded, online, take, texts, uncaughtDuring } from './support.mjs';

guarded();

test('named levels, and a cleared value', async () => {
  const { broker, client } = await online();
  const loop = client.subscribe('presence/{agent}/+/{place}');
  assert.equal(loop.filter, 'presence/+/+/+');
  assert.equal(await loop.granted, 0);
  broker.publish('presence/ana/x/home', { on: true }, { retain: true });
  broker.publish('presence/ben/x/', '', { retain: true });
  broker.publish('presence/eve/x/y', '{');
  const [ana, ben, eve] = await take(loop, 3);
  assert.deepEqual(ana.params, { agent: 'ana', place: 'home' });
  assert.deepEqual([ana.json(), ana.isEmpty, ana.retain, ana.fromCache], [{ on: true }, false, true, false]);
  assert.deepEqual([ben.json(), ben.isEmpty, ben.params], [undefined, true, { agent: 'ben', place: '' }]);
  assert.throws(() => eve.json(), code('payload'));
  broker.publish('presence/x/x/x', new Uint8Array([0xff]));
  const [bytes] = await take(loop, 1);
  assert.throws(() => bytes.text(), code('payload'));
  assert.deepEqual(bytes.bytes(), new Uint8Array([0xff]));
});

test('the rest of the levels under one name, and of a shared subscription', async () => {
  const { broker, client } = await online();
  const rest = client.subscribe('a/{x}/{rest...}');
  const shared = client.subscribe('$share/{group}/a/{x}/#');
  assert.deepEqual([rest.filter, shared.filter], ['a/+/#', '$share/{group}/a/+/#']);
  await Promise.all([rest.granted, shared.granted]);
  broker.publish('a/1/b/c', '');
  broker.publish('a/2', '');
  assert.deepEqual((await take(rest, 2)).map(({ params }) => params), [{ x: '1', rest: 'b/c' }, { x: '2', rest: '' }]);
  assert.deepEqual((await take(shared, 2)).map(({ params }) => params), [{ x: '1' }, { x: '2' }]);
});

test('filters that are none end the loop with that', async () => {
  const { client } = await online();
  for (const filter of ['', 'a/#/b', 'a+', 'a/b#', 'a/{x...}/b', '$share/a', '$share//a', '$share/g/', '$share/+/a', 'a\0', '\udc00', 'a'.repeat(65_536)]) {
    const loop = client.subscribe(filter);
    await assert.rejects(loop.next(), code('topic-filter'), filter.slice(0, 20));
    await assert.rejects(loop.granted, code('topic-filter'));
    assert.ok(code('topic-filter')(await loop.ended));
    assert.equal((await loop.next()).done, true);
  }
  for (const filter of ['#', '/', '+/+', '$share/g/#', '$SYS/#', 'a//b']) await client.subscribe(filter).granted;
});

test('what a broker refuses to subscribe to: all that lies under the filter', async () => {
  const { broker, client } = await online();
  const refused = { reasonCode: 0x87, reasonString: 'ask for it', userProperties: [['k', 'v']] };
  for (const [shut, filters, open] of [
    ['shut/#', ['shut', 'shut/#', 'shut/+/on', '$share/g/shut/x'], ['#', '+', 'shutter', '+/x']],
    ['+/x', ['a/x', '+/x'], ['+/+', 'a/#', 'a/x/y', '$SYS/x']],
    ['a', ['a', '$share/g/a'], ['+', 'a/#', 'b']],
    ['#', ['a', '#', '+/a', '$share/g/#'], ['$SYS/#']],
  ]) {
    broker.refuseSubscriptions(shut, 0x87, { reasonString: 'ask for it', userProperties: [['k', 'v']] });
    for (const filter of filters) {
      const error = await client.subscribe(filter).ended;
      const { reasonCode, reasonString, userProperties } = error;
      assert.deepEqual([error.code, { reasonCode, reasonString, userProperties }], ['refused', refused], `${filter} under ${shut}`);
    }
    broker.refuseSubscriptions(shut);
    for (const filter of filters) {
      const granted = client.subscribe(filter);
      assert.equal(await granted.granted, 0);
      granted.unsubscribe();
    }
    broker.refuseSubscriptions(shut, 0x87);
    for (const filter of open) {
      const granted = client.subscribe(filter);
      assert.equal(await granted.granted, 0, `${filter} under ${shut}`);
      granted.unsubscribe();
    }
    broker.refuseSubscriptions(shut);
  }
});

test('retained first, then the snapshot, then live; the snapshot comes again after a reconnect', async () => {
  const { broker, client } = await online();
  broker.publish('a/1', 'one', { retain: true });
  const loop = client.subscribe('a/+');
  const snapshots = [];
  loop.onSnapshot((event) => snapshots.push(event));
  assert.deepEqual(await loop.snapshot, { inferred: false });
  broker.publish('a/2', 'two');
  assert.deepEqual((await take(loop, 2)).map((message) => [message.text(), message.retain]), [['one', true], ['two', false]]);
  broker.goOffline();
  broker.publish('a/1', 'three', { retain: true });
  broker.goOnline();
  assert.deepEqual(texts(await take(loop, 1)), ['three']);
  await broker.settled();
  assert.deepEqual(snapshots, [{ inferred: false }, { inferred: false }]);
});

test('retain handling, retain as published, no local', async () => {
  const { broker, client } = await online();
  broker.publish('a', 'kept', { retain: true });
  const none = client.subscribe('a', { retainHandling: 2, retainAsPublished: false, noLocal: true });
  await none.snapshot;
  client.publish('a', 'own');
  await broker.settled();
  broker.publish('a', 'live', { retain: true });
  const [first] = await take(none, 1);
  assert.deepEqual([first.text(), first.retain], ['live', false]);
});

test('a shared subscription has no retained and no last-known values, and that is told at once', async () => {
  const { broker, client } = await online();
  broker.publish('a/1', 'kept', { retain: true });
  await client.subscribe('a/+').snapshot;
  const shared = client.subscribe('$share/g/a/+');
  assert.deepEqual(await shared.snapshot, { inferred: false });
  broker.publish('a/1', 'live');
  assert.deepEqual(texts(await take(shared, 1)), ['live']);
});

test('last-known values come first, marked, and go when the server has them no longer', async () => {
  const { broker, client } = await online({ identity: 'ana' });
  broker.publish('a/1', 'one', { retain: true });
  broker.publish('a/2', 'two', { retain: true });
  await client.subscribe('a/+').snapshot;
  broker.goOffline();
  const again = broker.reload(client);
  const loop = again.subscribe('a/{n}');
  const uncached = again.subscribe('a/{n}', { cache: false });
  const cached = await take(loop, 2);
  assert.deepEqual(cached.map((message) => [message.text(), message.fromCache, message.params.n]), [['one', true, '1'], ['two', true, '2']]);
  assert.ok(Math.abs(cached[0].storedAt - Date.now()) < 5_000);
  broker.publish('a/1', '', { retain: true });
  broker.goOnline();
  const live = await take(loop, 2);
  assert.deepEqual(live.map((message) => [message.topic, message.isEmpty, message.fromCache]), [['a/2', false, false], ['a/1', true, false]]);
  assert.deepEqual(texts(await take(uncached, 1)), ['two']);
});

test('a loop that is too slow gets what was buffered, then the error, then the end', async () => {
  const { broker, client } = await online();
  const loop = client.subscribe('a', { bufferedMessagesMax: 2 });
  await loop.granted;
  for (const text of ['1', '2', '3']) broker.publish('a', text);
  await broker.settled();
  assert.deepEqual(texts(await take(loop, 2)), ['1', '2']);
  await assert.rejects(loop.next(), code('slow-consumer'));
  assert.equal((await loop.next()).done, true);
  assert.ok(code('slow-consumer')(await loop.ended));
});

test('handlers that never finish are bounded too; QoS 1 waits in the inbox', async () => {
  const { broker, client } = await online();
  const slow = client.subscribe('a', { bufferedMessagesMax: 2 });
  slow.onMessage(() => new Promise(() => {}));
  const kept = client.subscribe('b', { bufferedMessagesMax: 2, qos: 1 });
  await kept.granted;
  for (const text of ['1', '2', '3']) {
    broker.publish('a', text);
    broker.publish('b', text, { qos: 1 });
  }
  assert.ok(code('slow-consumer')(await slow.ended));
  assert.deepEqual(texts(await take(kept, 3)), ['1', '2', '3']);
});

test('a loop is done with a message when it asks for the next one or ends', async () => {
  const { broker, client } = await online();
  const inbox = async () => (await client.inspect()).inbox;
  const loop = client.subscribe('a', { qos: 2 });
  await loop.granted;
  for (const text of ['1', '2', '3']) broker.publish('a', text, { qos: 2 });
  await broker.settled();
  assert.equal(await inbox(), 3);
  for await (const message of loop) {
    if (message.text() === '1') assert.equal(await inbox(), 3);
    else {
      assert.equal(await inbox(), 2);
      break;
    }
  }
  // The second was handled, the third was not.
  assert.equal(await inbox(), 1);
  assert.deepEqual(await loop.next(), { done: true, value: undefined });
  const next = client.subscribe('a', { qos: 2 });
  assert.deepEqual(texts(await take(next, 1)), ['3']);
  next.unsubscribe();
  assert.equal(await inbox(), 0);
});

test('handlers are done when their promises have settled, whatever these say', async () => {
  const { broker, client } = await online();
  const subscription = client.subscribe('a', { qos: 1 });
  let finish;
  const got = [];
  subscription.onMessage((message) => {
    got.push(message.text());
    return message.text() === '1' ? new Promise((resolve) => (finish = resolve)) : Promise.reject(new Error('mine'));
  });
  await subscription.granted;
  const uncaught = await uncaughtDuring(async () => {
    for (const text of ['1', '2']) broker.publish('a', text, { qos: 1 });
    await broker.settled();
  });
  assert.deepEqual([got, uncaught.map(({ message }) => message)], [['1', '2'], ['mine']]);
  assert.equal((await client.inspect()).inbox, 1);
  finish();
  await broker.settled();
  assert.equal((await client.inspect()).inbox, 0);
});

test('what no handler was done with comes again after a crash, with the same id', async () => {
  const { broker, client } = await online({ identity: 'ana' });
  const subscription = client.subscribe('a', { qos: 2 });
  const first = [];
  subscription.onMessage((message) => {
    first.push(message.id);
    return message.text() === 'done' ? undefined : new Promise(() => {});
  });
  await subscription.granted;
  broker.publish('a', 'done', { qos: 2 });
  broker.publish('a', 'not done', { qos: 2 });
  await broker.settled();
  const again = broker.reload(client);
  broker.publish('a', 'new', { qos: 2 });
  const messages = await take(again.subscribe('a', { qos: 2 }), 2);
  assert.deepEqual(messages.map((message) => [message.text(), message.redelivered]), [['not done', true], ['new', false]]);
  assert.equal(messages[0].id, first[1]);
  assert.notEqual(messages[1].id, first[0]);
});

test('messages from before the first handler are given to it; a removed handler gets no more', async () => {
  const { broker, client } = await online();
  const subscription = client.subscribe('a');
  await subscription.granted;
  broker.publish('a', '1');
  await broker.settled();
  const got = [];
  const remove = subscription.onMessage((message) => void got.push(message.text()));
  broker.publish('a', '2');
  await broker.settled();
  remove();
  broker.publish('a', '3');
  await broker.settled();
  assert.deepEqual(got, ['1', '2']);
  subscription.unsubscribe();
});

test('what comes when the last handler was removed counts as handled, until somebody asks again', async () => {
  const { broker, client } = await online();
  const subscription = client.subscribe('a', { qos: 1, bufferedMessagesMax: 1 });
  await subscription.granted;
  const got = [];
  const handler = (message) => void got.push(message.text());
  subscription.onMessage(handler)();
  const send = async (text, qos = 1) => {
    broker.publish('a', text, { qos });
    await broker.settled();
    return (await client.inspect()).inbox;
  };
  assert.equal(await send('1'), 0);
  await send('2', 0);
  await send('3', 0);
  subscription.onMessage(handler)();
  assert.deepEqual(got, []);
  const asked = subscription.next();
  assert.equal(await send('4'), 1);
  assert.equal((await asked).value.text(), '4');
  subscription.onMessage(handler);
  assert.equal(await send('5'), 0);
  assert.deepEqual(got, ['5']);
  subscription.unsubscribe();
});

test('who has asked for one message and then has a handler waits for nothing', async () => {
  const { broker, client } = await online();
  const subscription = client.subscribe('a', { qos: 1 });
  await subscription.granted;
  broker.publish('a', '1', { qos: 1 });
  assert.equal((await subscription.next()).value.text(), '1');
  broker.publish('a', '2', { qos: 1 });
  await broker.settled();
  const got = [];
  subscription.onMessage((message) => void got.push(message.text()));
  broker.publish('a', '3', { qos: 1 });
  await broker.settled();
  assert.deepEqual([got, (await client.inspect()).inbox], [['2', '3'], 0]);
  subscription.unsubscribe();
});

test('a loop gets each message, whether a handler was there before it or comes while it runs', async () => {
  const { broker, client } = await online();
  for (const before of [true, false]) {
    const subscription = client.subscribe('a', { qos: 1 });
    await subscription.granted;
    const got = [];
    const handle = () => subscription.onMessage((message) => void got.push(`handler ${message.text()}`));
    if (before) handle();
    const loop = (async () => {
      for await (const message of subscription) {
        got.push(`loop ${message.text()}`);
        if (message.text() === '1' && !before) handle();
        await broker.settled();
        if (message.text() === '3') return;
      }
    })();
    for (const text of ['1', '2', '3']) broker.publish('a', text, { qos: 1 });
    await loop;
    const handled = before ? ['handler 1', 'handler 2', 'handler 3'] : [];
    assert.deepEqual(got.filter((one) => one.startsWith('loop')), ['loop 1', 'loop 2', 'loop 3']);
    if (before) assert.deepEqual(got.filter((one) => one.startsWith('handler')), handled);
    assert.equal((await client.inspect()).inbox, 0);
  }
});

test('bytes are the application’s own: it may change and transfer them', async () => {
  const { broker, client } = await online({ identity: 'ana' });
  const one = client.subscribe('a/+');
  const other = client.subscribe('a/#');
  await Promise.all([one.snapshot, other.snapshot]);
  one.onMessage((message) => {
    message.bytes().fill(0);
    const bytes = message.bytes();
    structuredClone(bytes, { transfer: [bytes.buffer] });
  });
  broker.publish('a/1', 'one', { retain: true });
  const [message] = await take(other, 1);
  assert.equal(message.text(), 'one');
  broker.goOffline();
  const again = broker.reload(client);
  assert.deepEqual(texts(await take(again.subscribe('a/+'), 1)), ['one']);
});

test('loops, handlers and several subscriptions get the same message', async () => {
  const { broker, client } = await online();
  const one = client.subscribe('a', { qos: 1 });
  const other = client.subscribe('+', { qos: 1 });
  await Promise.all([one.granted, other.granted]);
  const loop = one.next();
  const got = [];
  one.onMessage((message) => void got.push(message.text()));
  other.onMessage((message) => void got.push(message.text()));
  broker.publish('a', 'x', { qos: 1 });
  assert.equal((await loop).value.text(), 'x');
  await broker.settled();
  assert.deepEqual(got, ['x', 'x']);
  assert.equal((await client.inspect()).inbox, 1);
  one.unsubscribe();
  assert.equal((await client.inspect()).inbox, 0);
});

// Fails if they stay in the inbox until the page is closed.
test('what waits for the loop of a subscription that was refused is for the next one', async () => {
  const { broker, client } = await online();
  const loop = client.subscribe('a', { qos: 1 });
  await loop.granted;
  for (const text of ['1', '2']) broker.publish('a', text, { qos: 1 });
  broker.refuseSubscriptions('a', 0x87);
  await broker.settled();
  broker.goOffline();
  broker.goOnline();
  assert.ok(code('refused')(await loop.ended));
  assert.equal((await client.inspect()).inbox, 2);
  const heard = [];
  loop.unsubscribe();
  assert.deepEqual(await loop.next(), { done: true, value: undefined });
  broker.refuseSubscriptions('a');
  client.subscribe('a', { qos: 1 }).onMessage((message) => void heard.push(message.text()));
  await broker.settled();
  assert.deepEqual([heard, (await client.inspect()).inbox], [['1', '2'], 0]);
});

// Fails if they are taken for handled.
test('what waits for the loop of a slow consumer is its own, or for the next one', async () => {
  const { broker, client } = await online();
  const loop = client.subscribe('a', { qos: 1, bufferedMessagesMax: 1 });
  await loop.granted;
  for (const [text, qos] of [['1', 1], ['2', 1], ['3', 1], ['4', 0], ['5', 0]]) broker.publish('a', text, { qos });
  assert.ok(code('slow-consumer')(await loop.ended));
  const inbox = async () => (await client.inspect()).inbox;
  assert.equal(await inbox(), 3);
  assert.deepEqual(texts(await take(loop, 2)), ['1', '2']);
  assert.equal(await inbox(), 2);
  loop.unsubscribe();
  assert.equal(await inbox(), 1);
  const heard = [];
  client.subscribe('a', { qos: 1 }).onMessage((message) => void heard.push(message.text()));
  await broker.settled();
  assert.deepEqual([heard, await inbox()], [['3'], 0]);
});

test('leaving the loop unsubscribes, and no error comes afterwards', async () => {
  const { broker, client } = await online();
  const loop = client.subscribe('a', { bufferedMessagesMax: 1 });
  await loop.granted;
  broker.publish('a', '1');
  for await (const message of loop) {
    assert.equal(message.text(), '1');
    broker.publish('a', '2');
    broker.publish('a', '3');
    await broker.settled();
    break;
  }
  assert.deepEqual(await loop.next(), { done: true, value: undefined });
  assert.equal((await client.publish('a', 'x', { qos: 1 }).acked).reasonCode, 0x10);
});

test('an inbox that nobody wants is reported and removed', async (context) => {
  const { broker, client } = await online({ identity: 'ana' });
  await client.subscribe('a', { qos: 1 }).granted;
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const again = broker.reload(client);
  const reports = [];
  again.on('report', (report) => reports.push(report));
  broker.publish('a', 'x', { qos: 1 });
  for (let turn = 0; turn < 20; turn++) await undefined;
  assert.equal((await again.inspect()).inbox, 1);
  context.mock.timers.tick(30_000);
  assert.deepEqual(reports.filter(({ kind }) => kind === 'unclaimed'), [{ kind: 'unclaimed', count: 1, filters: ['a'] }]);
  assert.equal((await again.inspect()).inbox, 0);
});

// Fails if all that waits is removed at one time after a connect, however late it came.
test('each message that nobody wants has its time, as long as there is a connection', async (context) => {
  const { broker, client } = await online({ identity: 'ana' });
  await client.subscribe('a', { qos: 1 }).granted;
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const again = broker.reload(client);
  const removed = [];
  again.on('unclaimed', ({ count }) => removed.push(count));
  const turns = async () => {
    for (let turn = 0; turn < 50; turn++) await undefined;
  };
  const pass = async (ms) => {
    await turns();
    context.mock.timers.tick(ms);
    await turns();
    return [removed.splice(0), (await again.inspect()).inbox];
  };
  await pass(0);
  broker.publish('a', '1', { qos: 1 });
  assert.deepEqual(await pass(20_000), [[], 1]);
  broker.publish('a', '2', { qos: 1 });
  broker.publish('a', '3', { qos: 1 });
  assert.deepEqual(await pass(9_999), [[], 3]);
  assert.deepEqual(await pass(1), [[1], 2]);
  broker.goOffline();
  assert.deepEqual(await pass(60_000), [[], 2]);
  broker.goOnline();
  assert.deepEqual(await pass(29_999), [[], 2]);
  assert.deepEqual(await pass(1), [[2], 0]);
  broker.publish('a', '4', { qos: 1 });
  assert.deepEqual(await pass(29_999), [[], 1]);
  assert.deepEqual(await pass(1), [[1], 0]);
});

test('MQTT 3.1.1 does not know whether a live message is retained', async () => {
  const broker = createTestBroker();
  const client = broker.connect({ version: '3.1.1' });
  broker.publish('a', 'kept', { retain: true, properties: { contentType: 'x' } });
  const loop = client.subscribe('a', { retainAsPublished: false });
  await loop.snapshot;
  broker.publish('a', 'live', { retain: true });
  assert.deepEqual((await take(loop, 2)).map(({ retain, properties }) => [retain, properties]), [[true, {}], [undefined, {}]]);
});

test('what waits stays in order, whatever is taken meanwhile', async () => {
  const { broker, client } = await online();
  const loop = client.subscribe('a');
  await loop.granted;
  const got = [];
  let sent = 0;
  for (const [publish, takeNow] of [[3, 1], [2, 1], [4, 5], [1, 2], [3, 4]]) {
    for (let n = 0; n < publish; n++) broker.publish('a', sent++);
    await broker.settled();
    for (const message of await take(loop, takeNow)) got.push(message.json());
  }
  assert.deepEqual(got, Array.from({ length: 13 }, (_, n) => n));
});
