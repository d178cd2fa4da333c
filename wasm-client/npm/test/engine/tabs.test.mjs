// Several tabs of one session, as several engines in one process: one leads, others follow; whichever goes, nothing is lost or shown twice.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { IDBDatabase } from 'fake-indexeddb';
import { databaseName, openStore } from '../engine/store/open.js';
import { readAll } from '../engine/store/store.js';
import { takeOver } from '../engine/takeover.js';
import { closeAll, eventually, leads, listen, newProfile, online, open, pair, publish, read, settings } from './browser.mjs';
import { Server } from './machine.mjs';

afterEach(async () => {
  await closeAll();
});

/** As they lie in the store. */
const subscriptions = async () => {
  const { store } = await openStore(databaseName('ws://broker/', 'ana'), 'durable', () => {});
  const rows = await readAll(store, 'subs');
  store.close();
  return rows;
};

/** Each that is begun from now on, and whether its end was asked for in the same task. */
const transactions = (t) => {
  const begun = [];
  const original = IDBDatabase.prototype.transaction;
  t.mock.method(IDBDatabase.prototype, 'transaction', function (scope, ...given) {
    const transaction = original.call(this, scope, ...given);
    const one = { scope: [...scope].join(' '), mode: given[0], atOnce: false };
    begun.push(one);
    let isSame = true;
    queueMicrotask(() => (isSame = false));
    const { commit } = transaction;
    transaction.commit = () => {
      one.atOnce ||= isSame;
      commit.call(transaction);
    };
    return transaction;
  });
  return begun;
};

test('one connection for all tabs; a follower publishes and hears of the outcome', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  assert.deepEqual(await publish(follower, 'a', { qos: 2 }).settled, { reasonCode: 0 });
  assert.deepEqual(await publish(follower, 'b', { qos: 0 }).settled, { reasonCode: 0 });
  assert.equal(server.connects, 1);
  assert.equal((await follower.inspect()).leader.tabs, 2);
  assert.equal((await leader.inspect()).leader.tabs, 2);
});

// Fails if it counts as a tab of the other one, which never says what it wants: nothing would leave the inbox.
test('a QoS 0 publish that is made before the leader was heard is sent, once, and settles', async () => {
  newProfile();
  const server = new Server();
  await online(open(server));
  assert.deepEqual(await publish(open(server), 'a', { qos: 0 }).settled, { reasonCode: 0 });
  assert.equal(server.published.length, 1);
});

test('a tab that stood still while another came to lead is shown what it has missed, and nothing older comes after it', async (t) => {
  const { locks } = newProfile();
  const server = new Server();
  server.retained.set('s/1', 'old');
  const [old, next] = await pair(server);
  const heard = [listen(old, 's/+', { qos: 0 }), listen(next, 's/+', { qos: 0 })];
  for (const one of heard) await eventually('snapshot', () => one.snapshots.length === 1);
  const texts = (one) => one.messages.filter(({ fromCache }) => !fromCache).map(({ text }) => text);

  // What the old leader says is not heard any more, and later; and it hears nothing.
  const { tab, epoch } = await old.inspect();
  const { postMessage } = BroadcastChannel.prototype;
  let channel, unheard;
  const missed = new Promise((resolve) => (unheard = resolve));
  t.mock.method(BroadcastChannel.prototype, 'postMessage', async function (message) {
    if (message.from === tab) channel = this;
    else await missed;
    postMessage.call(this, message);
  });
  const { name } = (await locks.query()).held.find((held) => held.name.endsWith(':leader'));
  void locks.request(name, { steal: true }, () => {});
  await eventually('leads', () => leads(next));
  await eventually('again', () => heard[1].snapshots.length === 2);
  server.retained.set('s/1', 'new');
  for (const one of server.connections) one.receive('s/1', new TextEncoder().encode('new'), 0, true);
  await eventually('new', () => texts(heard[1]).at(-1) === 'new');

  unheard();
  await eventually('what was missed', () => texts(heard[0]).at(-1) === 'new');
  const late = { topic: 's/1', payload: new TextEncoder().encode('old'), qos: 0, retain: true, dup: false, filters: ['s/+'], redelivered: false };
  const { tab: to } = await next.inspect();
  postMessage.call(channel, { v: 1, from: tab, talk: { t: 'messages', epoch, list: [[late, [to]]] } });
  await publish(old, 'a', { qos: 0 }).settled;
  assert.equal(texts(heard[1]).at(-1), 'new');
});

test('a subscription that comes in the middle of a snapshot is shown all of it, once', async () => {
  newProfile();
  const server = new Server();
  server.halves = true;
  const topics = ['s/1', 's/2', 's/3', 's/4'];
  for (const topic of topics) server.retained.set(topic, 'x');
  const [a, b] = await pair(server);
  const first = listen(a, 's/+', { qos: 0 });
  await eventually('the first half', () => first.messages.length === 2);
  const late = [listen(a, 's/+', { qos: 0 }), listen(b, 's/+', { qos: 0 })];
  for (const one of late) await eventually('granted', () => one.granted.length === 1);
  server.otherHalf();
  for (const one of [first, ...late]) {
    await eventually('snapshot', () => one.snapshots.length === 1);
    assert.deepEqual(one.messages.filter(({ fromCache }) => !fromCache).map(({ topic }) => topic).sort(), topics);
  }
});

test('a retained write of one tab takes the place of another tab\'s, and settles both', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  server.up = false;
  server.cut();
  await eventually('offline', () => follower.state.state === 'offline');
  const first = publish(follower, 'lamp', { retain: true, payload: '1' });
  await first.stored;
  const second = publish(leader, 'lamp', { retain: true, payload: '2' });
  await second.stored;
  const third = publish(follower, 'lamp', { retain: true, payload: '3' });
  await third.stored;
  server.up = true;
  follower.reconnectNow();
  for (const one of [first, second, third]) assert.deepEqual(await one.settled, { reasonCode: 0 });
  assert.deepEqual(server.published.map((one) => read(one.payload)), ['3']);
});

test('the leader closes: the follower leads, and goes on with everything', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  const heard = listen(follower, 'a/#');
  await eventually('granted', () => heard.granted.length === 1);
  server.reasonCode = undefined;
  const sent = publish(follower, 'b', { qos: 2 });
  await eventually('sent', () => server.published.length === 1);
  await leader.close();
  // What is cut before it stands is never seen to go offline.
  await eventually('leads, and has a connection', () => leads(follower) && [...server.connections].some((one) => one.online));
  server.reasonCode = 0;
  server.cut();
  await eventually('offline', () => follower.state.state === 'offline');
  follower.reconnectNow();
  assert.deepEqual(await sent.settled, { reasonCode: 0 });
  assert.deepEqual(server.published.map((one) => one.dup), [false, true, true].slice(0, server.published.length));
  server.deliver('a/1', 'still here');
  await eventually('heard', () => heard.messages.length === 1);
});

// Fails if a tab waits longer for a leader that is silent, or if one that wakes does not know at once that it leads no more.
test('a suspended leader loses its place within 3 s, and writes nothing when it wakes', { timeout: 20_000 }, async (t) => {
  // What is judged by a clock is: no machine is too slow for it.
  t.mock.timers.enable({ apis: ['Date', 'setInterval'], now: Date.now() });
  const halfSecond = () => t.mock.timers.tick(500);
  const { locks } = newProfile();
  const server = new Server();
  const leader = open(server);
  await online(leader);
  // It keeps its lock, its channel is silent: as a process that is stopped. Its journal still works, to be the one that wakes.
  const { postMessage } = BroadcastChannel.prototype;
  const names = new Set();
  BroadcastChannel.prototype.postMessage = function (message) {
    if (names.size === 0) names.add(message.from);
    if (!names.has(message.from)) postMessage.call(this, message);
  };
  const [old] = server.connections;
  // The beat of the leader tells its name.
  halfSecond();
  assert.equal(names.size, 1);
  const request = locks.request;
  let [waits, stolen] = [false, false];
  locks.request = (name, options, callback) => {
    if (name.endsWith(':leader')) options.steal ? (stolen = true) : (waits = true);
    // The holder hears of it only once it wakes.
    return request(name, options, callback);
  };
  const from = Date.now();
  const follower = open(server);
  await eventually('a place in the queue', () => waits);
  while (!stolen && Date.now() - from < 3000) halfSecond();
  assert.ok(stolen && Date.now() - from < 3000, `${Date.now() - from} ms`);
  await eventually('leads', () => leads(follower));
  BroadcastChannel.prototype.postMessage = postMessage;
  await online(follower);
  await eventually('freed', () => old.freed);
  assert.equal(await leads(leader), false);
  await eventually('follows', () => leader.state.state === 'online');
  assert.equal((await leader.inspect()).epoch, (await follower.inspect()).epoch);
});

// Fails if it raises the epoch of the store, late: whoever leads by then could write no more.
test('a tab that loses the lead before it has taken over leaves it to the one that has', async (t) => {
  const { locks } = newProfile();
  const server = new Server();
  let goOn;
  const late = new Promise((resolve) => (goOn = resolve));
  const { query } = locks;
  t.mock.method(locks, 'query', () => late.then(query), { times: 1 });
  const slow = open(server);
  await eventually('holds the lock', () => leads(slow));
  const next = open(server);
  await eventually('a name', async () => (await next.inspect()).tab);
  const { name } = (await query()).held.find((held) => held.name.endsWith(':leader'));
  void locks.request(name, { steal: true }, () => {});
  await online(next);
  assert.deepEqual([await leads(slow), await leads(next)], [false, true]);

  goOn();
  await online(slow);
  assert.deepEqual(await publish(slow, 'a').settled, { reasonCode: 0 });
  assert.deepEqual([await leads(next), server.connects], [true, 1]);
});

test('a clock that is set does not make a tab take the lead, nor keep it from doing so', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  const { now } = Date;
  try {
    for (const jumpMs of [86_400_000, -2 * 86_400_000]) {
      const before = Date.now;
      Date.now = () => before() + jumpMs;
      await new Promise((resolve) => setTimeout(resolve, 2500));
      assert.deepEqual([await leads(leader), await leads(follower), server.connects], [true, false, 1]);
    }
    // The leader falls silent.
    const { tab } = await leader.inspect();
    const { postMessage } = BroadcastChannel.prototype;
    BroadcastChannel.prototype.postMessage = function (message) {
      if (message.from !== tab) postMessage.call(this, message);
    };
    await eventually('leads', () => leads(follower), 4000);
    BroadcastChannel.prototype.postMessage = postMessage;
  } finally {
    Date.now = now;
  }
});

test('an old leader that does not know yet is stopped by the epoch', async () => {
  newProfile();
  const server = new Server();
  const leader = open(server);
  await online(leader);
  const [connection] = server.connections;
  const name = databaseName('ws://broker/', 'ana');
  const { store } = await openStore(name, 'durable', () => {});
  await takeOver(store, name, settings(), () => false);
  server.deliver('a', 'x');
  await eventually('freed', () => connection.freed);
  let rows;
  await store.run(['inbox'], 'read', (tx) => tx.all('inbox', (found) => (rows = found)));
  assert.deepEqual(rows, []);
  assert.deepEqual(server.acknowledged, []);
  assert.deepEqual(server.ends, []);
  store.close();
  // It still had the lock: it begins anew.
  await online(leader);
});

// Fails if a tab adds to the outbox what it has read while another did.
test('tabs that publish at the same time stay below the limit of the outbox together, and count right', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const limits = { outboxMessagesMax: 30 };
  const tabs = [open(server, { limits }), open(server, { limits })];
  for (const tab of tabs) await tab.outbox();
  const stored = [];
  for (let n = 0; n < 20; n++) {
    for (const tab of tabs) {
      const sent = publish(tab, 'a', { payload: String(n) });
      stored.push(Promise.race([sent.stored, sent.settled.then(({ error }) => error.code)]));
    }
    await new Promise((resolve) => setTimeout(resolve, n % 3));
  }
  const ends = await Promise.all(stored);
  assert.equal(ends.filter((end) => end === 'queue-full').length, 10);
  const rows = await tabs[0].outbox();
  assert.deepEqual(rows.map(({ seq }) => seq), ends.filter((end) => end !== 'queue-full').sort((a, b) => a - b));
  const { store } = await openStore(databaseName('ws://broker/', 'ana'), 'durable', () => {});
  const sum = await new Promise((resolve) => store.run(['session'], 'read', (tx) => tx.last('session', 1e9, resolve)));
  store.close();
  assert.equal(sum.count, 30);
  await tabs[0].cancel(rows.slice(0, 2).map(({ seq }) => seq));
  await publish(tabs[1], 'a').stored;
  await publish(tabs[0], 'a').stored;
  assert.equal((await publish(tabs[1], 'a').settled).error.code, 'queue-full');
});

// Fails if a publish asks what is there though nobody else could have changed it: each transaction is one more moment in which a tab that is
// stopped keeps all others from the database.
test('publishes of one tab one after another are stored without reading, and sent by a leader in that tab without reading', async (t) => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  for (const tab of [follower, leader, leader, leader]) await publish(tab, 'a').settled;
  const begun = transactions(t);
  for (let n = 0; n < 5; n++) await publish(leader, 'a', { payload: String(n) }).settled;
  const reads = () => begun.filter(({ mode }) => mode === 'readonly').map(({ scope }) => scope);
  assert.deepEqual(reads(), []);
  for (let n = 0; n < 5; n++) await publish(follower, 'a', { payload: String(n) }).settled;
  assert.equal(reads().filter((scope) => scope === 'outbox session').length, 2, 'until it seems to be alone');
  await eventually('empty', async () => (await leader.inspect()).outbox === 0 && (await follower.inspect()).outbox === 0);
  assert.equal(server.published.length, 14);
});

// Fails if a deadline that is the server's concern by now keeps the tabs waiting.
test('a deadline that passes after the publish has left needs no answer', async (t) => {
  newProfile();
  const server = new Server();
  server.reasonCode = undefined;
  const leader = open(server);
  await online(leader);
  const begun = transactions(t);
  const sent = publish(leader, 'a', { deadline: Date.now() + 300 });
  await eventually('sent', () => server.published.length === 1);
  const looks = () => begun.filter(({ scope, mode }) => scope === 'outbox' && mode === 'readonly').length;
  const before = looks();
  await eventually('looked', () => looks() >= before + 2, 4000);
  assert.deepEqual(begun.filter(({ atOnce }) => !atOnce), []);
  assert.deepEqual((await leader.outbox()).map(({ stage }) => stage), ['sent']);
  const [machine] = server.connections;
  machine.answer([...machine.outgoing.values()][0], 0);
  assert.deepEqual(await sent.settled, { reasonCode: 0 });
});

// Fails if one of them waits for an answer: a leader that is stopped just then keeps all tabs from the database.
test('the transactions of a leader through which messages come and go are asked for all at once', async (t) => {
  newProfile();
  const server = new Server();
  server.retained.set('in/retained', 'last');
  const [leader, follower] = await pair(server);
  const begun = transactions(t);
  const kept = listen(leader, 'in/#', { qos: 2, auto: false });
  const heard = listen(follower, 'in/#', { qos: 2 });
  await eventually('granted', () => kept.granted.length + heard.granted.length === 2);
  for (let n = 0; n < 6; n++) {
    server.deliver('in/x', String(n), { qos: 1 + (n % 2) });
    await publish(follower, 'out/x', { payload: String(n), qos: 1 + (n % 2), retain: n > 3 }).settled;
    await eventually('come', () => kept.messages.filter(({ topic }) => topic === 'in/x').length === n + 1);
  }
  const [{ hooks }] = server.connections;
  const [connection] = server.connections;
  // Two in one row, of which one is done.
  for (const text of ['a', 'b']) hooks.received(0, 'in/y', new TextEncoder().encode(text), 1, false, false, [], undefined);
  connection.commit(() => {});
  await eventually('come', () => kept.messages.at(-1).text === 'b' && heard.messages.at(-1).text === 'b');
  kept.messages.at(-2).done();
  const used = (scope, mode) => begun.some((one) => one.scope === scope && one.mode === mode);
  await eventually('a part of a row is removed', () => used('session inbox', 'readwrite') && used('inbox', 'readonly'));
  kept.messages.forEach(({ done }) => done());
  await eventually('an empty inbox', async () => (await leader.inspect()).leader.inbox === 0);
  await eventually('cached', () => used('session retained', 'readwrite'));
  assert.deepEqual(begun.filter(({ atOnce }) => !atOnce), []);
  assert.ok(used('outbox flight session', 'readwrite'), 'what a tab publishes');
  assert.ok(used('session outbox flight dead inbox inbound subs', 'readwrite'), 'the journal');
  assert.ok(used('outbox', 'readonly'), 'what is sent');
});

// Fails if the office stays where nothing can come of it: the other tabs are offline for as long as that one is open.
test('a tab in which the wasm does not load hands the office on', { timeout: 20_000 }, async () => {
  newProfile();
  const server = new Server();
  const first = open(server);
  await online(first);
  let loads = 0;
  const broken = open(server, {}, async () => {
    loads++;
    throw new Error('not found');
  });
  await online(broken);
  const next = open(server);
  await online(next);
  await first.close();
  await eventually('offline', () => next.state.state === 'offline');
  assert.deepEqual([await leads(broken), next.state.reason], [true, 'not found']);
  await eventually('the next leads', () => leads(next), 8_000);
  await Promise.all([online(broken), online(next)]);
  assert.deepEqual(await publish(broken, 'a').settled, { reasonCode: 0 });
  assert.equal(loads, 1);
});

test('what a follower wrote just before its end goes out', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  const { postMessage } = BroadcastChannel.prototype;
  const sent = publish(follower, 'last words');
  BroadcastChannel.prototype.postMessage = function (message) {
    if (message.talk.t !== 'nudge') postMessage.call(this, message);
  };
  await sent.stored;
  await follower.close();
  BroadcastChannel.prototype.postMessage = postMessage;
  await eventually('sent', () => server.published.length === 1);
  await eventually('one tab', async () => (await leader.inspect()).leader.tabs <= 1);
  assert.deepEqual(server.unsubscribes, []);
});

test('the end of a tab unsubscribes nothing, the end of a subscription does when no tab has it', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  const one = listen(leader, 'a');
  const two = listen(follower, 'a');
  const other = listen(follower, 'b');
  await eventually('granted', () => one.granted.length + two.granted.length + other.granted.length === 3);
  one.end();
  await follower.close();
  await eventually('one tab', async () => (await leader.inspect()).leader.tabs === 1);
  assert.deepEqual(server.unsubscribes, []);
});

test('the end of a subscription that the server does not hear of is told by the next leader', async () => {
  newProfile();
  const server = new Server();
  const first = open(server);
  const one = listen(first, 'a');
  const two = listen(first, 'b');
  const three = listen(first, 'c');
  await eventually('granted', () => one.granted.length + two.granted.length + three.granted.length === 3);
  server.up = false;
  server.cut();
  await eventually('offline', () => first.state.state === 'offline');
  one.end();
  two.end();
  await eventually('stored', async () => (await subscriptions()).filter(({ flags }) => flags & 32).length === 2);
  await first.close();
  server.up = true;
  server.subscribes = [];
  const second = open(server);
  // What is wanted again meanwhile goes on.
  const again = listen(second, 'b');
  await eventually('told', () => server.unsubscribes.length > 0 && again.snapshots.length > 0);
  assert.deepEqual([server.unsubscribes, server.subscribes.sort()], [['a'], ['b', 'c']]);
  await eventually('removed', async () => (await subscriptions()).length === 2);
  assert.deepEqual((await subscriptions()).map(({ filter, flags }) => [filter, flags & 32]), [['c', 0], ['b', 0]]);
});

test('a publish that is stored before its tab can be heard goes out', { timeout: 10_000 }, async () => {
  newProfile();
  const server = new Server();
  await online(open(server));
  const { locks } = navigator;
  const request = locks.request.bind(locks);
  // Its place among the tabs takes longer than the storing.
  locks.request = async (name, ...more) => {
    if (!name.endsWith(':leader')) await new Promise((resolve) => setTimeout(resolve, 200));
    return request(name, ...more);
  };
  await publish(open(server), 'a').settled;
});
