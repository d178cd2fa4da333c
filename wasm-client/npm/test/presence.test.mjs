// Presence: the own entry through connects, crashes and goodbyes.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { EbbtideError } from './index.js';
import { createTestBroker } from './testing/index.js';
import { MemoryEngine } from './testing/memory-engine.js';
import { code, guarded, online, watched } from './support.mjs';

guarded();

const TOPIC = 'presence/{client}';

test('online with the connection, offline by the will after its delay, and back', async (context) => {
  const broker = createTestBroker();
  const { presence, changes } = await watched(broker, TOPIC);
  const options = { identity: 'ana', presence: { topic: TOPIC, id: 'phone/1', meta: { place: 'Kiel' }, offlineDelayS: 5 } };
  const client = broker.connect(options);
  await broker.settled();
  const [ana] = presence.list();
  assert.deepEqual([ana.user, ana.status, ana.meta, ana.entries[0].id], ['ana', 'online', { place: 'Kiel' }, 'phone/1']);
  assert.ok(Math.abs(ana.since - Date.now()) < 5_000);
  assert.deepEqual(changes, [[['ana'], [], []]]);
  assert.deepEqual([...broker.retained.keys()], ['presence/phone%2F1']);
  assert.equal(broker.retained.get('presence/phone%2F1').properties.contentType, 'application/json');

  context.mock.timers.enable({ apis: ['setTimeout'] });
  broker.crash(client);
  context.mock.timers.tick(5_000);
  context.mock.timers.reset();
  await broker.settled();
  const [gone] = presence.list();
  assert.deepEqual([gone.status, gone.entries[0].reason, gone.meta], ['offline', 'connection lost', { place: 'Kiel' }]);
  // A will cannot say when; the expiry does.
  assert.ok(Math.abs(gone.since - Date.now()) < 5_000);
  assert.ok(broker.retained.get('presence/phone%2F1').properties.messageExpiryInterval > 604_790);

  broker.connect(options);
  await broker.settled();
  assert.equal(presence.list()[0].status, 'online');
  assert.deepEqual(changes.slice(1), [[[], ['ana'], []], [['ana'], [], []]]);
});

// SUBACK comes after CONNACK. Fails if only the connections to come are waited for.
test('who may not look at the own entry is seen on the first connection, and on the next', async () => {
  const { subscribe } = MemoryEngine.prototype;
  mock.method(MemoryEngine.prototype, 'subscribe', function (filter, settings, sink) {
    if (filter !== 'presence/1') return subscribe.call(this, filter, settings, sink);
    setTimeout(() => sink.failed(new EbbtideError('refused', 'the server refused the subscription', 0x87)));
    return { end() {} };
  });
  const { broker } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  const status = () => broker.retained.get('presence/1')?.json().status;
  assert.equal(status(), 'online');
  broker.publish('presence/1', { status: 'offline' }, { retain: true });
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  assert.equal(status(), 'online');
});

test('a short cut changes nothing, a long one the time', async (context) => {
  const broker = createTestBroker();
  const client = broker.connect({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  await broker.settled();
  const since = () => broker.retained.get('presence/1').json().since;
  const first = since();
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
  const cut = async (ms) => {
    broker.goOffline(client);
    context.mock.timers.tick(ms);
    broker.goOnline(client);
    for (let turn = 0; turn < 50; turn++) await undefined;
  };
  await cut(9_999);
  assert.deepEqual([client.state.state, since()], ['online', first]);
  await cut(10_000);
  assert.equal(Date.parse(since()) - Date.parse(first) >= 19_999, true);
});

test('a reload within the delay changes nothing but meta', async () => {
  const broker = createTestBroker();
  const options = (meta) => ({ identity: 'ana', presence: { topic: TOPIC, id: '1', meta } });
  const client = broker.connect(options('one'));
  await broker.settled();
  const { since } = broker.retained.get('presence/1').json();
  client.presence().update('two');
  await broker.settled();
  broker.crash(client);
  broker.connect(options('three'));
  await broker.settled();
  const entry = broker.retained.get('presence/1').json();
  assert.deepEqual([entry.status, entry.since, entry.meta], ['online', since, 'three']);
  assert.equal(broker.published.filter((message) => message.json().status === 'offline').length, 0);
});

test('an entry that somebody else turned offline is put right; one that was left stays', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1', meta: 'mine' } });
  const entry = () => broker.retained.get('presence/1').json();
  for (const value of [{ status: 'offline', reason: 'connection lost' }, { status: 'offline', reason: 'closed' }, '']) {
    broker.publish('presence/1', value, { retain: true });
    await broker.settled();
    assert.deepEqual([entry().status, entry().meta], ['online', 'mine']);
  }
  // Another tab has changed it, and left.
  broker.publish('presence/1', { status: 'online', since: '2026-01-01T00:00:00.000Z', meta: 'theirs' }, { retain: true });
  broker.publish('presence/1', { status: 'offline', reason: 'left' }, { retain: true });
  await broker.settled();
  assert.equal(entry().status, 'offline');
  broker.publish('presence/1', { status: 'online', since: '2026-01-01T00:00:00.000Z', meta: 'theirs' }, { retain: true });
  await broker.settled();
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  assert.deepEqual([entry().status, entry().since, entry().meta], ['online', '2026-01-01T00:00:00.000Z', 'theirs']);
  await client.close();
});

test('close() and forget() turn it offline, with the reason', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  await client.close();
  assert.deepEqual(
    (({ status, reason, user }) => [status, reason, user])(broker.retained.get('presence/1').json()),
    ['offline', 'closed', 'ana'],
  );
  assert.ok(broker.retained.get('presence/1').properties.messageExpiryInterval > 604_790);
  const again = broker.connect({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  await broker.settled();
  assert.equal(broker.retained.get('presence/1').json().status, 'online');
  await again.forget();
  assert.equal(broker.retained.get('presence/1').json().status, 'offline');
});

test('forget() leaves it to the will where this tab cannot say it', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  const { forget } = MemoryEngine.prototype;
  const asked = [];
  mock.method(MemoryEngine.prototype, 'forget', function (withWill) {
    asked.push(withWill);
    return forget.call(this);
  });
  await client.forget();
  const offline = broker.connect({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  await broker.settled();
  broker.goOffline();
  await assert.rejects(offline.forget(), code('offline'));
  broker.goOnline();
  const ben = broker.connect({ identity: 'ben' });
  await broker.settled();
  await ben.forget();
  assert.deepEqual(asked, [false, true, undefined]);
});

test('close() leaves it to the will where nobody hears it', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1', offlineDelayS: 0 } });
  const status = () => broker.retained.get('presence/1').json().status;
  const silent = mock.method(MemoryEngine.prototype, 'publish', () => ({ cancel: () => Promise.resolve(false) }));
  await client.close();
  silent.mock.restore();
  assert.equal(status(), 'offline');
  // A goodbye that is heard needs none.
  const again = broker.connect({ identity: 'ana', presence: { topic: TOPIC, id: '1', offlineDelayS: 0 } });
  await broker.settled();
  await again.close();
  assert.deepEqual(broker.published.map((message) => message.json().reason), [undefined, 'connection lost', undefined, 'closed']);
});

test('what leave() has only stored is said before the session ends', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  const presence = client.presence();
  const stays = mock.method(MemoryEngine.prototype, 'publish', (_draft, stored) => (stored(1), { cancel: () => Promise.resolve(false) }));
  await presence.leave();
  stays.mock.restore();
  assert.equal(broker.retained.get('presence/1').json().status, 'online');
  await client.forget();
  assert.deepEqual(broker.retained.get('presence/1').json().reason, 'left');
});

test('another meta, leaving, and coming back', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  const entry = () => broker.retained.get('presence/1').json();
  const presence = client.presence();
  presence.update({ busy: true });
  await broker.settled();
  assert.deepEqual([entry().status, entry().meta], ['online', { busy: true }]);
  await presence.leave();
  await broker.settled();
  assert.deepEqual([entry().status, entry().reason], ['offline', 'left']);
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  assert.equal(entry().status, 'offline');
  presence.update({ busy: false });
  await broker.settled();
  assert.deepEqual([entry().status, entry().meta], ['online', { busy: false }]);
  assert.throws(() => broker.connect({ identity: 'ben' }).presence(TOPIC).update({}), code('not-supported'));
});

// Another tab's publish waits in the same outbox. Fails if the tab that leads announces what it knows itself.
test('what another tab has said without a connection is what is announced', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1', meta: 'mine' } });
  const { outbox } = MemoryEngine.prototype;
  mock.method(MemoryEngine.prototype, 'outbox', async function () {
    const rows = await outbox.call(this);
    // The snapshot is complete before.
    for (let turn = 0; turn < 50; turn++) await undefined;
    return rows;
  });
  const entry = () => (({ status, reason, meta }) => [status, reason, meta])(broker.retained.get('presence/1').json());
  const said = async (value, meanwhile) => {
    broker.goOffline();
    client.publish('presence/1', value, { qos: 1, retain: true });
    if (meanwhile) broker.publish('presence/1', meanwhile, { retain: true });
    broker.goOnline();
    await broker.settled();
    return entry();
  };
  const since = new Date().toISOString();
  assert.deepEqual(await said({ status: 'online', since, meta: 'theirs' }), ['online', undefined, 'theirs']);
  assert.deepEqual(await said({ status: 'online', since, meta: 'new' }, { status: 'offline', reason: 'connection lost', meta: 'mine' }), ['online', undefined, 'new']);
  assert.deepEqual(await said('no entry'), ['online', undefined, 'new']);
  assert.deepEqual(await said({ status: 'offline', reason: 'left', meta: 'new' }), ['offline', 'left', 'new']);
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  assert.deepEqual(entry(), ['offline', 'left', 'new']);
});

test('what is said while the outbox is being read is newer than what is in it', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  const me = client.presence();
  const comeBack = async (say) => {
    broker.goOffline();
    me.update('older');
    const stop = client.on('state', ({ state }) => state === 'online' && void say());
    broker.goOnline();
    await broker.settled();
    stop();
    const { status, meta } = broker.retained.get('presence/1').json();
    return [status, meta];
  };
  assert.deepEqual(await comeBack(() => me.update('newest')), ['online', 'newest']);
  assert.deepEqual(await comeBack(() => me.leave()), ['offline', 'older']);
});

test('an update without a connection is published with it, by whichever tab', async () => {
  const { onReport } = MemoryEngine.prototype;
  mock.method(MemoryEngine.prototype, 'onReport', function (listener) {
    onReport.call(this, (report) => listener(report.kind === 'leader' ? { ...report, leading: false } : report));
  });
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1' } });
  assert.equal(broker.retained.size, 0, 'the tab that leads announces it');
  broker.publish('presence/1', { status: 'online', meta: 'old' }, { retain: true });
  await broker.settled();
  broker.goOffline();
  client.presence().update('newer');
  client.presence().update('newest');
  broker.goOnline();
  await broker.settled();
  assert.deepEqual(broker.published.map((message) => message.json().meta), ['old', 'newest']);
});

test('what an earlier page has left in the outbox says nothing of this one', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: TOPIC, id: '1', meta: 'one' } });
  broker.goOffline();
  await client.presence().leave();
  broker.crash(client);
  broker.goOnline();
  broker.connect({ identity: 'ana', presence: { topic: TOPIC, id: '1', meta: 'two' } });
  await broker.settled();
  const { status, meta } = broker.retained.get('presence/1').json();
  assert.deepEqual([status, meta], ['online', 'two']);
});

// Rules of a broker have `{user}` as it is. Fails if a name is encoded that needs it not, or one is written that makes another topic.
test('a name stands in the topic as it is; what a level cannot have is encoded, and read back', async () => {
  const levels = {
    'ana@x.de': 'ana@x.de', 'auth0|7': 'auth0|7', 'Jörg B.': 'Jörg B.', 'x$': 'x$', '50%40': '50%2540', 'a/b+#\0': 'a%2Fb%2B%23%00', '{x}': '%7Bx}', '$share': '%24share',
  };
  for (const [name, level] of Object.entries(levels)) {
    const topic = '{user}/at/{client}';
    const { broker, client } = await online({ identity: name, presence: { topic, id: name } });
    assert.deepEqual([...broker.retained.keys()], [`${level}/at/${level}`]);
    const presence = client.presence();
    presence.subscribe(() => {});
    await broker.settled();
    assert.deepEqual(presence.list().map(({ user, status, entries }) => [user, status, entries.map(({ id }) => id)]), [[name, 'online', [name]]]);
  }
});

test('without an id the browser keeps one; a user level is filled in', async () => {
  const kept = new Map();
  globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
  try {
    const broker = createTestBroker();
    const client = broker.connect({ identity: 'ana', presence: { topic: 'rooms/1/{user}/{client}' } });
    await broker.settled();
    const [topic] = broker.retained.keys();
    assert.match(topic, /^rooms\/1\/ana\/[a-v0-9]{16}$/);
    broker.reload(client);
    await broker.settled();
    assert.deepEqual([...broker.retained.keys()], [topic]);
    assert.equal(kept.size, 1);
    await broker.connect({ identity: 'ana', presence: { topic: 'rooms/1/{user}/{client}' } }).forget();
    assert.equal(kept.size, 0);
  } finally {
    delete globalThis.localStorage;
  }
});

// Fails if the ids are made per page: each of the two would be the other in presence topics, and get the answers to its requests.
test('two identities of one page have an id each, kept or not', async () => {
  const kept = new Map();
  for (const storage of [undefined, { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) }]) {
    globalThis.localStorage = storage;
    try {
      const broker = createTestBroker();
      const clients = ['ana', 'ben'].map((identity) => broker.connect({ identity, presence: { topic: TOPIC } }));
      await broker.settled();
      assert.deepEqual([...broker.retained.values()].map((entry) => entry.json().user), ['ana', 'ben']);
      for (const client of clients) void client.request('ask', '').catch(() => {});
      await broker.settled();
      const asked = broker.published.filter(({ topic }) => topic === 'ask').map(({ properties }) => properties.responseTopic);
      assert.deepEqual([asked.length, new Set(asked).size], [2, 2]);
    } finally {
      delete globalThis.localStorage;
    }
  }
  assert.equal(new Set(kept.values()).size, 2);
});

test('in MQTT 3.1.1 the will comes at once', async () => {
  const broker = createTestBroker();
  const client = broker.connect({ identity: 'ana', version: '3.1.1', presence: { topic: TOPIC, id: '1' } });
  await broker.settled();
  broker.crash(client);
  assert.equal(broker.retained.get('presence/1').json().status, 'offline');
});
