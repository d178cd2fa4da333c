// Presence as others see it: users of entries, what has changed, and whether that is so now.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { EbbtideError } from './index.js';
import { createTestBroker } from './testing/index.js';
import { MemoryEngine } from './testing/memory-engine.js';
import { guarded, names, online, watched } from './support.mjs';

guarded();

const TOPIC = 'presence/{client}';

test('entries of one user are one; the last one to go is what counts', async () => {
  const broker = createTestBroker();
  const { presence, changes } = await watched(broker, TOPIC);
  const entry = (id, status, since, more) => broker.publish(`presence/${id}`, { status, since, user: 'ana', ...more }, { retain: true });
  entry('phone', 'online', '2026-01-01T00:00:00Z', { meta: 'old' });
  entry('laptop', 'online', '2026-01-02T00:00:00Z', { meta: 'new' });
  broker.publish('presence/device', { status: 'online' }, { retain: true });
  await broker.settled();
  const [ana, device] = presence.list();
  assert.deepEqual([ana.status, ana.since.toISOString(), ana.meta, ana.entries.length], ['online', '2026-01-01T00:00:00.000Z', 'new', 2]);
  assert.deepEqual([device.user, device.since], ['device', undefined]);
  entry('phone', 'offline', '2026-01-03T00:00:00Z');
  await broker.settled();
  assert.deepEqual([presence.list()[0].status, presence.list()[0].since.toISOString()], ['online', '2026-01-02T00:00:00.000Z']);
  entry('laptop', 'offline', '2026-01-04T00:00:00Z', { reason: 'left' });
  await broker.settled();
  assert.deepEqual([presence.list()[0].status, presence.list()[0].since.toISOString()], ['offline', '2026-01-04T00:00:00.000Z']);
  broker.publish('presence/laptop', '', { retain: true });
  broker.publish('presence/phone', '', { retain: true });
  broker.publish('presence/device', '', { retain: true });
  await broker.settled();
  assert.deepEqual(changes, [
    [['ana', 'device'], [], []], [[], [], ['ana']], [[], ['ana'], []], [[], ['device'], ['ana']],
  ]);
  assert.deepEqual(presence.list(), []);
});

test('other payloads are no entries, and the list stays the same without a change', async () => {
  const broker = createTestBroker();
  const { presence, changes } = await watched(broker, TOPIC);
  for (const value of ['{', 'online', { status: 'busy' }, [1], null]) broker.publish('presence/x', value, { retain: true });
  await broker.settled();
  broker.publish('presence/%zz', { status: 'online', since: 'yesterday' }, { retain: true });
  await broker.settled();
  const list = presence.list();
  broker.publish('presence/x', 'again', { retain: true });
  await broker.settled();
  assert.equal(presence.list(), list);
  assert.deepEqual([names(list), changes.length, presence.ready], [['%zz'], 1, true]);
});

test('what is from an earlier time is not called ready', async () => {
  const broker = createTestBroker();
  const { watcher, presence } = await watched(broker, TOPIC);
  broker.publish('presence/ana', { status: 'online' }, { retain: true });
  await broker.settled();
  broker.goOffline(watcher);
  assert.deepEqual([names(presence.list()), presence.ready], [['ana'], false]);
  broker.goOnline(watcher);
  await broker.settled();
  assert.equal(presence.ready, true);
  broker.goOffline();
  const again = broker.reload(watcher).presence(TOPIC);
  again.subscribe(() => {});
  await broker.settled();
  assert.deepEqual([names(again.list()), again.ready], [['ana'], false]);
});

// Fails if what came on an earlier connection counts, or what another listener was shown.
test('nothing is called ready before all has come again, nor before somebody looks', async () => {
  const broker = createTestBroker();
  const { watcher, presence } = await watched(broker, TOPIC);
  for (const name of ['ana', 'ben']) broker.publish(`presence/${name}`, { status: 'online' }, { retain: true });
  await broker.settled();
  const seen = [];
  watcher.on('state', ({ state }) => seen.push([state, presence.ready]));
  presence.subscribe(({ left }) => seen.push([...names(left), presence.ready]));
  broker.goOffline(watcher);
  broker.publish('presence/ana', '', { retain: true });
  broker.goOnline(watcher);
  await broker.settled();
  assert.deepEqual(seen, [['offline', false], ['connecting', false], ['online', false], ['ana', true]]);
  const other = watcher.presence(TOPIC);
  assert.deepEqual([other.list(), other.ready], [[], false]);
  const stop = other.subscribe(() => {});
  assert.deepEqual([names(other.list()), other.ready], [['ben'], true]);
  stop();
  assert.equal(other.ready, false);
  // Nothing has changed, and yet it is known again.
  broker.publish('presence/ben', '', { retain: true });
  await broker.settled();
  seen.length = 0;
  broker.goOffline(watcher);
  broker.goOnline(watcher);
  await broker.settled();
  assert.deepEqual(seen.at(-1), [true]);
});

// Fails if a second listener does not ask again, or all who are there are said to have left until the answer comes.
test('who asks again after a refusal makes nobody leave who is there', async () => {
  const { broker, client } = await online();
  for (const name of ['ana', 'ben']) broker.publish(`presence/${name}`, { status: 'online' }, { retain: true });
  const presence = client.presence(TOPIC);
  const told = [];
  presence.subscribe(({ joined, left }) => told.push([names(joined), names(left), presence.ready, presence.error?.code]));
  await broker.settled();
  broker.refuseSubscriptions('presence/#', 0x87);
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  broker.refuseSubscriptions('presence/#');
  broker.goOffline();
  broker.publish('presence/ben', '', { retain: true });
  presence.subscribe(() => {});
  await broker.settled();
  broker.goOnline();
  await broker.settled();
  assert.deepEqual(told, [
    [['ana', 'ben'], [], true, undefined], [[], [], false, 'refused'], [[], [], false, undefined], [[], ['ben'], true, undefined],
  ]);
});

// Fails if a refusal is told to nobody, or what was seen before it is called ready.
test('listeners are told when it is refused, and when its right is taken away', async () => {
  const { subscribe } = MemoryEngine.prototype;
  let sink;
  mock.method(MemoryEngine.prototype, 'subscribe', function (filter, settings, given) {
    sink = given;
    return subscribe.call(this, filter, settings, given);
  });
  const { broker, client } = await online();
  const presence = client.presence(TOPIC);
  const told = [];
  presence.subscribe(({ joined, left, changed }) => told.push([joined.length + left.length + changed.length, presence.ready, presence.error?.code]));
  await broker.settled();
  const refuse = async () => {
    sink.failed(new EbbtideError('refused', 'the server refused the subscription', 0x87));
    await broker.settled();
  };
  await refuse();
  // It may look again: so says whoever looks next.
  client.presence(TOPIC).subscribe(() => {});
  await broker.settled();
  await refuse();
  assert.deepEqual(told, [[0, true, undefined], [0, false, 'refused'], [0, true, undefined], [0, false, 'refused']]);
});

// Fails if what the last listener was told is compared with a store that has begun anew.
test('whoever looks again sees who is there as at the beginning, and nobody as gone', async (context) => {
  const { broker, client } = await online();
  const presence = client.presence(TOPIC);
  broker.publish('presence/ana', { status: 'online' }, { retain: true });
  const look = async () => {
    const seen = [];
    const stop = presence.subscribe(({ joined, left, changed }) => seen.push([names(joined), names(left), names(changed)]));
    await broker.settled();
    stop();
    return seen;
  };
  const first = [[['ana'], [], []]];
  assert.deepEqual(await look(), first);
  assert.deepEqual(presence.list(), []);
  assert.deepEqual(await look(), first);
  // Longer than a store goes on without listeners.
  context.mock.timers.enable({ apis: ['setTimeout'] });
  presence.subscribe(() => {})();
  context.mock.timers.tick(1_000);
  context.mock.timers.reset();
  assert.deepEqual(await look(), first);
});

test('the id of an entry is the first named level but the user, then the user, then the last level', async () => {
  const broker = createTestBroker();
  const looker = broker.connect({ identity: 'watcher' });
  for (const device of ['phone', 'laptop']) broker.publish(`rooms/7/ana/${device}`, { status: 'online', user: 'ana' }, { retain: true });
  const ids = async (filter) => {
    const presence = looker.presence(filter);
    presence.subscribe(() => {});
    await broker.settled();
    return presence.list().flatMap(({ entries }) => entries.map(({ id }) => id)).sort();
  };
  assert.deepEqual(await ids('rooms/7/{user}/{client}'), ['laptop', 'phone']);
  assert.deepEqual(await ids('rooms/{room}/{user}/{client}'), ['7', '7']);
  assert.deepEqual(await ids('rooms/+/{user}/+'), ['ana', 'ana']);
  assert.deepEqual(await ids('rooms/#'), ['laptop', 'phone']);
});
