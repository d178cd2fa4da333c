// Retained values of filters that were unwanted for a while, and where they come only sometimes or never.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Client } from '../client.js';
import { cached, closeAll, eventually, listen, newProfile, online, open, pair, settings } from './browser.mjs';
import { Server } from './machine.mjs';

const texts = (heard) => heard.messages.map((one) => one.text);
const live = (heard) => heard.messages.filter(({ fromCache }) => !fromCache).map(({ topic, text }) => [topic, text]).sort();
afterEach(async () => {
  await closeAll();
});

/** A server with two values that an earlier page wanted and has seen. */
async function wantedBefore() {
  newProfile();
  const server = new Server();
  server.retained = new Map([['s/a', 'old'], ['s/b', 'old']]);
  const before = open(server);
  const first = listen(before, 's/+');
  await eventually('snapshot', () => first.snapshots.length === 1);
  await before.close();
  return server;
}

test('what an earlier page wanted is asked for again when a tab wants it, for what came meanwhile was not kept', async () => {
  const server = await wantedBefore();
  server.retained = new Map([['s/a', 'new']]);
  const after = open(server);
  await online(after);
  await eventually('asked for', () => server.subscribes.length === 2);
  const heard = listen(after, 's/+');
  await eventually('snapshot', () => heard.snapshots.length === 1);
  assert.deepEqual([...new Set(live(heard).map(String))], ['s/a,new', 's/b,']);
});

test('the same in the middle of its snapshot: it is shown the half that came before, as it is now', async () => {
  const server = await wantedBefore();
  server.retained = new Map([['s/a', 'new'], ['s/b', 'new']]);
  server.halves = true;
  const after = open(server);
  await eventually('the first half', () => server.otherHalf);
  server.halves = false;
  const heard = listen(after, 's/+');
  await eventually('its wish is known', async () => (await after.inspect()).leader.tabs === 1);
  server.otherHalf();
  await eventually('snapshot', () => heard.snapshots.length === 1);
  assert.deepEqual([...new Set(live(heard).map(String))], ['s/a,new', 's/b,new']);
});

test('a tab that wants what only a closed one had wanted is not shown what was kept then as live', async () => {
  newProfile();
  const server = new Server();
  server.retained = new Map([['s/a', 'old']]);
  const leader = open(server);
  await online(leader);
  const follower = open(server);
  await online(follower);
  const first = listen(follower, 's/+');
  await eventually('snapshot', () => first.snapshots.length === 1);
  await follower.close();
  await eventually('one tab', async () => (await leader.inspect()).leader.tabs === 1);
  server.retained.set('s/a', 'new');
  server.deliver('s/a', 'new', { qos: 0, retain: true });
  const heard = listen(leader, 's/+');
  await eventually('snapshot', () => heard.snapshots.length === 1);
  assert.deepEqual(live(heard), [['s/a', 'new']]);
  assert.deepEqual(server.unsubscribes, []);
});

test('a tab that has shown what was kept, and is heard only when that has been cleared, is told so', async (t) => {
  newProfile();
  const server = new Server();
  server.retained = new Map([['s/a', '1'], ['s/b', '1']]);
  const [leader, follower] = await pair(server);
  const first = listen(leader, 's/+');
  await eventually('kept', async () => (await cached('s/+')).length === 2);
  const { postMessage } = BroadcastChannel.prototype;
  let say;
  const silent = t.mock.method(BroadcastChannel.prototype, 'postMessage', function (message) {
    if (message.talk.t === 'tab') say = () => postMessage.call(this, message);
    else postMessage.call(this, message);
  });
  const heard = listen(follower, 's/+');
  await eventually('shown', () => say && heard.messages.length === 2);
  server.deliver('s/b', '', { qos: 0, retain: true });
  await eventually('cleared', () => first.messages.at(-1).text === '');
  silent.mock.restore();
  say();
  await eventually('snapshot', () => heard.snapshots.length === 1);
  assert.deepEqual(live(heard), [['s/a', '1'], ['s/b', '']]);
});

test('uncached values come again after a reconnect as well', async () => {
  newProfile();
  const server = new Server();
  server.retained.set('s/a', 'old');
  const engine = open(server);
  const heard = listen(engine, 's/+', { qos: 0, cache: false });
  await eventually('snapshot', () => heard.snapshots.length === 1);
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  server.retained.set('s/a', 'new');
  engine.reconnectNow();
  await eventually('snapshot', () => heard.snapshots.length === 2);
  assert.equal(engine.state.session, 'resumed');
  assert.deepEqual(texts(heard), ['old', 'new']);
});

/** Keeps what has come from being written, until what it returns is called. */
async function holdWrites(t) {
  const [{ name }] = await indexedDB.databases();
  const database = await new Promise((resolve) => (indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result)));
  const store = database.transaction('retained', 'readwrite').objectStore('retained');
  let held = true;
  const wait = () => void (store.count().onsuccess = () => (held ? wait() : database.close()));
  wait();
  const release = () => void (held = false);
  t.after(release);
  return release;
}

/** What makes the retained values come anew, while the last of them are being written: they are no snapshot any more. */
const ANEW = {
  'the link drops and is back': async (server, engine) => {
    server.cut();
    await eventually('offline', () => engine.state.state === 'offline');
    engine.reconnectNow();
  },
  'more is wanted': async (server, engine) => void listen(engine, 's/+', { qos: 2 }),
};

for (const [what, happens] of Object.entries(ANEW)) {
  // Fails if the end of the values that came before is told as that of those which come now.
  test(`${what} while the last values are being written: the snapshot is complete when all have come again`, async (t) => {
    newProfile();
    const server = new Server();
    server.retained = new Map([['s/a', '1'], ['s/b', '1']]);
    server.halves = true;
    const engine = open(server);
    const heard = listen(engine, 's/+');
    await eventually('the first half', () => server.otherHalf);
    const release = await holdWrites(t);
    server.otherHalf();
    server.otherHalf = undefined;
    await eventually('the other half', () => heard.messages.length === 2);
    await happens(server, engine);
    await eventually('asked for again', () => server.subscribes.length === 2);
    release();
    await eventually('the first half again', () => server.otherHalf);
    assert.deepEqual(heard.snapshots, []);
    server.otherHalf();
    await eventually('snapshot', () => heard.snapshots.length === 1);
    await cached('s/+');
    assert.equal(heard.snapshots.length, 1);
  });
}

// Fails if it is told that it has all when that was so on a connection that is lost.
test('a later subscription that waits for what is being written while the link drops and is back gets the next snapshot', async (t) => {
  newProfile();
  const server = new Server();
  server.retained = new Map([['s/a', '1'], ['s/b', '1']]);
  const engine = open(server);
  const first = listen(engine, 's/+');
  await eventually('snapshot', () => first.snapshots.length === 1);
  const release = await holdWrites(t);
  server.deliver('s/a', '2', { qos: 0, retain: true });
  await eventually('live', () => first.messages.length === 3);
  const later = listen(engine, 's/+');
  // Its wish is known.
  await new Promise((resolve) => setTimeout(resolve));
  server.halves = true;
  await ANEW['the link drops and is back'](server, engine);
  await eventually('asked for again', () => server.subscribes.length === 2);
  release();
  await eventually('the first half', () => server.otherHalf);
  assert.deepEqual(later.snapshots, []);
  server.otherHalf();
  await eventually('snapshot', () => later.snapshots.length === 1 && first.snapshots.length === 2);
});

// The server sends none with the second SUBSCRIBE.
test('Retain Handling 1: values that do not come again are not taken for gone', async () => {
  newProfile();
  const server = new Server();
  server.retained.set('s/a', '1');
  const engine = open(server);
  const client = new Client(engine, 'ws://broker/', settings());
  const heard = client.subscribe('s/+', { retainHandling: 1 });
  const messages = [];
  let snapshots = 0;
  heard.onMessage((message) => messages.push(message.text()));
  heard.onSnapshot(() => snapshots++);
  await heard.snapshot;
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  engine.reconnectNow();
  await eventually('snapshot', () => snapshots === 2);
  assert.deepEqual(messages, ['1']);
});

test('Retain Handling 2: nothing comes, and each subscription is told that this is all', async () => {
  newProfile();
  const server = new Server();
  server.retained.set('s/a', '1');
  const engine = open(server);
  const options = { retainHandling: 2, cache: false };
  const first = listen(engine, 's/+', options);
  await eventually('snapshot', () => first.snapshots.length === 1);
  const second = listen(engine, 's/+', options);
  await eventually('snapshot', () => second.snapshots.length === 1);
  assert.deepEqual([...first.messages, ...second.messages], []);
  assert.deepEqual(server.subscribes, ['s/+']);
});

test('a filter that the server has refused is nobody\'s any more', async () => {
  newProfile();
  const server = new Server();
  server.refuses = ['s/+'];
  const engine = open(server);
  const first = listen(engine, 's/+');
  await eventually('refused', () => first.failed.length === 1);
  server.refuses = [];
  const second = listen(engine, 's/+');
  await eventually('granted', () => second.granted.length === 1);
  second.end();
  const [machine] = server.connections;
  await eventually('none is left', () => machine.subscriptions.size === 0);
});
