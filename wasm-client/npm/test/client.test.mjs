// The client as a whole: states, reports, credentials, closing, forgetting.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientFor } from './clients.js';
import { fake } from './wasm/module.js';
import { connect } from './index.js';
import { createTestBroker } from './testing/index.js';
import { code, guarded, online, take, texts, uncaughtDuring } from './support.mjs';

guarded();

test('states, in order, until the listener is removed', async () => {
  const broker = createTestBroker();
  const client = broker.connect();
  assert.deepEqual(client.state, { state: 'connecting' });
  const states = [];
  const remove = client.on('state', (state) => states.push(state));
  await broker.settled();
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  remove();
  await client.close();
  assert.deepEqual(states, [
    { state: 'online', session: 'fresh', connack: { sessionPresent: false } },
    { state: 'offline', reason: 'the network is off', retryInMs: 1_000 },
    { state: 'connecting' },
    { state: 'online', session: 'resumed', connack: { sessionPresent: true } },
  ]);
  assert.deepEqual(client.state, { state: 'closed' });
});

test('what a listener throws is an error of the page, and the others still hear of it', async () => {
  const broker = createTestBroker();
  const client = broker.connect();
  const heard = [];
  client.on('state', () => {
    throw new Error('mine');
  });
  client.on('state', ({ state }) => heard.push(state));
  const uncaught = await uncaughtDuring(() => broker.settled());
  assert.deepEqual([heard, uncaught.map(({ message }) => message)], [['online'], ['mine']]);
});

test('a lost session is a gap, lost storage is evicted; both are reported', async () => {
  const { broker, client } = await online({ identity: 'ana', clientId: 'one' });
  const reports = [];
  client.on('gap', (report) => reports.push(report.kind));
  broker.loseSession(client);
  await broker.settled();
  assert.deepEqual([client.state.state, client.state.session, reports], ['online', 'gap', ['gap']]);
  // Another browser with the same client id, so the storage here knows nothing of the session.
  const other = broker.connect({ identity: 'ana on another browser', clientId: 'one' });
  other.on('report', ({ kind }) => kind === 'leader' || reports.push(kind));
  await broker.settled();
  assert.deepEqual([other.state.session, reports], ['evicted', ['gap', 'evicted']]);
  assert.deepEqual(client.state, { state: 'offline', reason: 'Session taken over', reasonCode: 0x8e, retryInMs: 1000 });
});

test('subscriptions and what waits go on after a gap', async () => {
  const { broker, client } = await online();
  const loop = client.subscribe('a', { qos: 1 });
  await loop.granted;
  broker.loseSession(client);
  const sent = client.publish('a', 'x', { qos: 1 });
  await sent.acked;
  assert.deepEqual(texts(await take(loop, 1)), ['x']);
});

test('credentials are asked for before each attempt; refused ones wait for others', async () => {
  let password = 'old';
  let asked = 0;
  const authenticate = (given) => given.username === 'ana' && given.password === 'right';
  const broker = createTestBroker({ authenticate });
  const client = broker.connect({
    identity: 'ana',
    credentials: async () => {
      asked++;
      return { username: 'ana', password };
    },
  });
  await broker.settled();
  assert.deepEqual(client.state, { state: 'needs-auth', reason: 'Bad User Name or Password', reasonCode: 0x86 });
  password = 'right';
  client.renewCredentials();
  await broker.settled();
  assert.equal(client.state.state, 'online');
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  assert.deepEqual([client.state.state, asked], ['online', 3]);
});

test('credentials that cannot be had fail the attempt, not the client', async () => {
  let broken = true;
  const broker = createTestBroker();
  const client = broker.connect({
    identity: 'ana',
    credentials: () => {
      if (broken) throw new Error('the token server is down');
      return {};
    },
  });
  await broker.settled();
  assert.match(client.state.reason, /token server is down/);
  broken = false;
  client.reconnectNow();
  await broker.settled();
  assert.equal(client.state.state, 'online');
});

test('a countdown to the next attempt, which comes then; each wait is longer', async (context) => {
  const { broker, client } = await online({ backoffMaxS: 3 });
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await undefined;
  };
  broker.goOffline();
  for (const retryInMs of [1_000, 2_000, 3_000, 3_000]) {
    assert.deepEqual(client.state, { state: 'offline', reason: 'the network is off', retryInMs });
    context.mock.timers.tick(retryInMs - 1);
    await turns();
    assert.equal(client.state.retryInMs, retryInMs);
    context.mock.timers.tick(1);
    assert.equal(client.state.state, 'connecting');
    await turns();
  }
  broker.goOnline();
  await turns();
  broker.goOffline();
  assert.equal(client.state.retryInMs, 1_000);
});

test('a wait that fake timers could not take back begins no attempt', async (context) => {
  const { broker, client } = await online();
  broker.goOffline();
  context.mock.timers.enable({ apis: ['setTimeout'] });
  broker.goOnline();
  for (let turn = 0; turn < 20; turn++) await undefined;
  context.mock.timers.reset();
  const states = [];
  client.on('state', ({ state }) => states.push(state));
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  assert.deepEqual([client.state.state, states], ['online', []]);
});

test('forget() publishes the will of an entry that nobody has taken offline', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: 'presence/{id}', id: 'ana' } });
  broker.goOffline();
  await broker.settled();
  const forgotten = client.forget();
  broker.goOnline();
  await forgotten.catch(() => {});
  assert.equal(broker.retained.get('presence/ana')?.json().status, 'offline');
});

test('nobody has signed in yet', async () => {
  let user = null;
  const broker = createTestBroker();
  const client = broker.connect({ identity: 'ana', credentials: () => user });
  await broker.settled();
  assert.deepEqual(client.state, { state: 'needs-auth', reason: 'no credentials' });
  user = { username: 'ana' };
  client.renewCredentials();
  await broker.settled();
  assert.equal(client.state.state, 'online');
});

test('MQTT 3.1.1 says what it can of a refusal', async () => {
  for (const [reasonCode, state, told] of [[0x8a, 'needs-auth', 0x87], [0x8c, 'needs-auth', 0x87], [0x84, 'offline', 0x84], [0x97, 'offline', 0x88]]) {
    const { client } = await online({ version: '3.1.1' }, { authenticate: () => reasonCode });
    assert.deepEqual([client.state.state, client.state.reasonCode], [state, told]);
    await client.close();
  }
});

test('static credentials, and refusals by number', async () => {
  const broker = createTestBroker({ authenticate: ({ username }) => (username === 'ana' ? true : 0x8a) });
  const ana = broker.connect({ credentials: { username: 'ana' } });
  const ben = broker.connect({ credentials: { username: 'ben' } });
  await broker.settled();
  assert.deepEqual([ana.identity, ana.state.state, ben.state.reason], ['ana', 'online', 'Banned']);
});

test('close() ends loops; what is not acknowledged rejects and is sent later', async () => {
  const { broker, client } = await online({ identity: 'ana' });
  broker.goOffline();
  const loop = client.subscribe('a');
  const waits = loop.next();
  const sent = client.publish('b', 'x', { qos: 1 });
  const held = client.publish('b', 'y', { offline: 'keep' });
  await client.close();
  await client.close();
  assert.equal((await waits).done, true);
  await assert.rejects(sent.acked, code('closed'));
  await assert.rejects(held.acked, code('closed'));
  await assert.rejects(client.publish('a', 'x', { qos: 1 }).acked, code('closed'));
  await assert.rejects(client.subscribe('a').next(), code('closed'));
  await assert.rejects(client.request('a', 'x'), code('closed'));
  broker.goOnline();
  broker.connect({ identity: 'ana' });
  await broker.settled();
  assert.deepEqual(texts(broker.published), ['x']);
});

test('the will: after a crash, not after close()', async () => {
  const { broker, client } = await online({ identity: 'ana', will: { topic: 'gone/ana', payload: 'crashed', retain: true, qos: 1 } });
  const again = broker.reload(client);
  await broker.settled();
  assert.deepEqual(texts(broker.published), ['crashed']);
  assert.equal(again.state.session, 'resumed');
  await again.close();
  assert.equal(broker.published.length, 1);
});

test('the will is delayed, and not published if the client is back', async (context) => {
  const { broker, client } = await online({ will: { topic: 'gone', delayIntervalS: 10 } });
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await undefined;
  };
  broker.goOffline();
  context.mock.timers.tick(9_999);
  broker.goOnline();
  await turns();
  context.mock.timers.tick(1);
  assert.equal(client.state.state, 'online');
  assert.equal(broker.published.length, 0);
  broker.goOffline();
  context.mock.timers.tick(10_000);
  assert.equal(broker.published.length, 1);
});

test('two identities share nothing; forget() leaves nothing', async () => {
  const { broker, client: ana } = await online({ identity: 'ana' });
  const ben = broker.connect({ identity: 'ben' });
  await ana.subscribe('a/+').snapshot;
  broker.publish('a/1', 'one', { retain: true });
  await broker.settled();
  broker.goOffline();
  await ana.publish('b', 'x', { qos: 1 }).stored;
  assert.deepEqual([(await ana.outbox.list()).length, (await ben.outbox.list()).length], [1, 0]);
  assert.deepEqual([(await ana.inspect()).cached, (await ben.inspect()).cached], [1, 0]);
  broker.goOnline();
  broker.goOffline(ana);
  await ana.publish('b', 'y', { qos: 1 }).stored;
  // Out of reach, so the session at the server has to expire.
  await assert.rejects(ana.forget(), code('offline'));
  assert.equal(ana.state.state, 'closed');
  const again = broker.connect({ identity: 'ana' });
  await broker.settled();
  const { outbox, inbox, cached } = await again.inspect();
  assert.deepEqual([outbox, inbox, cached, again.state.session], [0, 0, 0, 'fresh']);
  await again.forget();
  assert.equal(again.state.state, 'closed');
  // One that is closed has nothing in its hands any more, and says so instead of leaving it there.
  await ben.publish('b', 'z', { qos: 1 }).stored;
  await ben.close();
  await assert.rejects(ben.forget(), code('closed'));
  // Nobody looks at this one.
  void broker.connect({ identity: 'ben' }).forget();
});

// Fails if what is logged out at one broker counts at another: what is stored there would be gone.
test('two brokers share nothing', async () => {
  const [one, other] = [createTestBroker(), createTestBroker()];
  const stays = one.connect({ identity: 'ana' });
  one.goOffline();
  await stays.publish('a', 'x', { qos: 1 }).stored;
  await stays.close();
  await other.connect({ identity: 'ana' }).forget();
  assert.equal((await one.connect({ identity: 'ana' }).outbox.list()).length, 1);
});

test('the log is opt-in', async () => {
  const lines = [];
  const { client } = await online({ log: (line) => lines.push(line) });
  assert.ok(lines.some((line) => line.includes('online')));
  const subscription = client.subscribe('secret/{x}', { qos: 1 });
  client.publish('secret/a', 'payload', { qos: 1 });
  await take(subscription, 1);
  await assert.rejects(client.publish('secret/a', 'x', { qos: 1, deadline: 1 }).acked, code('expired'));
  subscription.unsubscribe();
  await subscription.ended;
  const said = lines.filter((line) => line.includes('secret/')).map((line) => line);
  assert.deepEqual(said, [
    'subscribe secret/+, QoS 1', 'publish secret/a, QoS 1, 7 bytes', 'message secret/a, QoS 1, 7 bytes', 'published secret/a: 0',
    'publish secret/a, QoS 1, 1 bytes', 'published secret/a: EbbtideError: its deadline passed before it was sent', 'unsubscribed secret/+',
  ]);
  assert.ok(lines.every((line) => !line.includes('payload')));
  // What it throws is an error of the page, and nobody else's.
  const uncaught = await uncaughtDuring(async () => {
    client.log(() => {
      throw new Error('log');
    });
    client.reconnectNow();
    await client.publish('a', 'x', { qos: 1 }).acked;
  });
  assert.deepEqual(new Set(uncaught.map(({ message }) => message)), new Set(['log']));
  client.log(undefined);
  const before = lines.length;
  await client.close();
  assert.equal(lines.length, before);
});

test('inspect() says what there is', async () => {
  const { broker, client } = await online({ identity: 'ana' });
  client.subscribe('a/{x}');
  await broker.settled();
  const { url, identity, state, subscriptions, leading } = await client.inspect();
  assert.match(url, /^ws:\/\/broker-\d+\.test\/mqtt$/);
  assert.deepEqual([identity, state.state, subscriptions, leading], ['ana', 'online', ['a/+'], true]);
});

test('a shared subscription is spread over its members', async () => {
  const { broker, client: one } = await online({ identity: '1' });
  const other = broker.connect({ identity: '2' });
  const loops = [one, other].map((client) => client.subscribe('$share/g/a/{x}'));
  await Promise.all(loops.map(({ granted }) => granted));
  for (const text of ['1', '2', '3', '4']) broker.publish(`a/${text}`, text);
  for (const loop of loops) assert.equal((await take(loop, 2)).length, 2);
});

test('a session that has expired is gone', async (context) => {
  const { broker, client } = await online({ identity: 'ana', sessionExpiryS: 10 });
  await client.subscribe('a', { qos: 1 }).granted;
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  broker.goOffline();
  broker.publish('a', 'x', { qos: 1 });
  context.mock.timers.tick(10_000);
  broker.goOnline();
  await broker.settled();
  assert.equal(client.state.session, 'gap');
});

test('what keeps the WebAssembly from loading is reported; what is stored waits', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  fake.load = () => Promise.reject(new Error('blocked by the policy'));
  const client = connect('ws://127.0.0.1:9/mqtt', { storage: 'memory' });
  const errors = [];
  client.on('error', ({ error }) => errors.push(error));
  const lost = client.publish('a', 'x');
  const { stored } = client.publish('a', 'x', { qos: 1 });
  await Promise.all([stored, assert.rejects(lost.acked, code('offline'))]);
  fake.load = () => Promise.resolve();
  assert.ok(code('load-failed')(errors[0]));
  assert.match(client.state.reason, /blocked by the policy/);
  assert.equal((await client.outbox.list()).length, 1);
  await client.close();
});

test('whatever fails and nobody looks at stays silent', async () => {
  const failing = () => Promise.reject(new Error('the storage is gone'));
  const engine = {
    state: { state: 'connecting' }, onState() {}, onReport() {}, onLog() {}, outbox: failing, deadLetters: failing, cancel: failing, retry: failing, discard: failing,
    inspect: failing, forget: failing, publish: () => ({ cancel: failing }),
  };
  const client = clientFor(new Map(), 'ws://broker.example/mqtt', {}, () => engine);
  const { deadLetters } = client.outbox;
  const calls = [
    () => client.outbox.list(), () => client.outbox.cancel({ key: 'k' }), () => client.outbox.cancel([{ seq: 1 }]), () => deadLetters.list(),
    () => deadLetters.retry({ topic: 'a' }), () => deadLetters.discard([{ seq: 1 }]), () => client.inspect(), () => client.forget(), () => client.publish('a', 'x').cancel(),
  ];
  for (const call of calls) {
    void call();
    await assert.rejects(call(), /the storage is gone/);
  }
});
