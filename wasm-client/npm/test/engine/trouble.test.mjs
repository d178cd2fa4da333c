// What goes wrong around a session: full storage, credentials that do not come, pages that are put away, options that cannot work.

import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { IDBDatabase, IDBFactory, IDBObjectStore } from 'fake-indexeddb';
import { cached, closeAll, eventually, listen, newProfile, online, open, page, pair, publish, read } from './browser.mjs';
import { Machine, Server } from './machine.mjs';

afterEach(async () => {
  mock.restoreAll();
  await closeAll();
  delete globalThis.addEventListener;
});

test('no room for what comes in: nothing is acknowledged, and it is tried again', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  const heard = listen(engine, 'a/#');
  await eventually('granted', () => heard.granted.length === 1);
  const { add } = IDBObjectStore.prototype;
  mock.method(IDBObjectStore.prototype, 'add', function (...given) {
    if (this.name === 'inbox') throw new DOMException('full', 'QuotaExceededError');
    return add.apply(this, given);
  });
  server.deliver('a/1', 'x');
  await eventually('said', () => engine.reports.some((one) => one.kind === 'quota-exceeded'));
  await eventually('offline', () => engine.state.state === 'offline');
  assert.equal(engine.state.retryInMs, 5000);
  assert.deepEqual([server.acknowledged, heard.messages], [[], []]);
  mock.restoreAll();
  await eventually('online', () => engine.state.state === 'online', 8000);
  server.deliver('a/1', 'x');
  await eventually('heard', () => heard.messages.length === 1);
});

/** What throws the storage of the next engines away. */
const eviction = () => {
  const { transaction } = IDBDatabase.prototype;
  const databases = new Set();
  mock.method(IDBDatabase.prototype, 'transaction', function (...given) {
    // One that is closed throws: an engine of an earlier test may still have a timer.
    const made = transaction.apply(this, given);
    databases.add(this);
    return made;
  });
  return () => {
    globalThis.indexedDB = new IDBFactory();
    for (const database of databases) database.onclose();
  };
};

test('the storage is lost: each publish settles, as what became of it', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  const engine = open(server);
  const evict = eviction();
  const [first, second] = [publish(engine, 'a'), publish(engine, 'b')];
  const [, last] = await Promise.all([first.stored, second.stored]);
  evict();
  const third = publish(engine, 'c');
  assert.ok((await third.stored) > last);
  for (const one of [first, second]) assert.equal((await one.settled).error.code, 'outcome-unknown');
  server.up = true;
  engine.reconnectNow();
  assert.deepEqual(await third.settled, { reasonCode: 0 });
});

// Fails if numbers begin anew: what the server has of one tab is taken for what it never had of another.
test('the storage is lost: what another tab had published is not taken for what is acknowledged then', async () => {
  newProfile();
  const server = new Server();
  const evict = eviction();
  const [leader, follower] = await pair(server);
  server.up = false;
  server.cut();
  await eventually('offline', () => follower.state.state === 'offline');
  const lost = publish(follower, 'a');
  await lost.stored;
  server.up = true;
  evict();
  const begun = follower.states.length;
  await eventually('both are back', () => follower.states.slice(begun).some(({ state }) => state === 'online') && leader.state.state === 'online');
  assert.deepEqual(await publish(leader, 'b').settled, { reasonCode: 0 });
  assert.equal((await lost.settled).error?.code, 'outcome-unknown');
  assert.deepEqual(server.published.map(({ topic }) => topic), ['b']);
});

test('the storage is lost: what comes then is not taken for what a handler still has, and what was cleared meanwhile is told', async () => {
  newProfile();
  const server = new Server();
  server.retained = new Map([['a/kept', '1'], ['a/cleared', '1']]);
  const engine = open(server);
  const heard = listen(engine, 'a/#', { auto: false });
  const evict = eviction();
  await eventually('snapshot', () => heard.snapshots.length === 1);
  server.deliver('a/1', 'before');
  await eventually('heard', () => heard.messages.at(-1)?.text === 'before');
  const before = heard.messages.length;
  evict();
  server.retained.delete('a/cleared');
  await eventually('snapshot', () => heard.snapshots.length === 2);
  server.deliver('a/1', 'after');
  await eventually('heard', () => heard.messages.at(-1).text === 'after');
  assert.deepEqual(heard.messages.slice(before).map(({ topic, text }) => [topic, text]), [['a/kept', '1'], ['a/cleared', ''], ['a/1', 'after']]);
  heard.messages[before - 1].done();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal((await engine.inspect()).leader.inbox, 1);
});

test('credentials: asked before each attempt; a failure is tried again, none at all needs the user', async () => {
  newProfile();
  const server = new Server();
  const answers = [new Error('the token server is down'), { username: 'ana', password: 'secret' }, null, { username: 'ana' }];
  let asked = 0;
  const engine = open(server, {
    credentials: () => {
      const answer = answers[asked++];
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
  await eventually('offline', () => engine.state.state === 'offline');
  assert.equal(engine.state.reason, 'the token server is down');
  engine.reconnectNow();
  await online(engine);
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  engine.reconnectNow();
  await eventually('needs-auth', () => engine.state.state === 'needs-auth');
  engine.renewCredentials();
  await online(engine);
  assert.equal(asked, 4);
});

test('credentials that expire are renewed without a new connection', async () => {
  newProfile();
  const server = new Server();
  const token = (exp) => new TextEncoder().encode(`e30.${btoa(JSON.stringify({ exp })).replace(/=/g, '')}.sig`);
  let asked = 0;
  const engine = open(server, {
    authenticationMethod: 'ebbtide-jwt',
    credentials: async () => ({ authenticationData: token(Date.now() / 1000 + (asked++ === 0 ? 10 : 3600)) }),
  });
  await online(engine);
  await eventually('renewed', () => server.ends.includes('auth again'));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.deepEqual([asked, server.connects, server.ends], [2, 1, ['auth again']]);
});

test('tokens that look expired, for a clock is wrong, are not asked for without a pause; what is none is said', async () => {
  newProfile();
  const server = new Server();
  let asked = 0;
  const engine = open(server, {
    authenticationMethod: 'ebbtide-jwt',
    credentials: async () => ({ authenticationData: new Uint8Array(1), expiresAt: Date.now() - 3_600_000, ...(asked++ > 1 && { password: 5 }) }),
  });
  await online(engine);
  await eventually('renewed', () => server.ends.includes('auth again'));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(asked, 2);
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  engine.reconnectNow();
  await eventually('no password', () => /'password' must be a string/.test(engine.state.reason));
});

test('options with which no attempt can succeed close it', async () => {
  newProfile();
  const engine = open(new Server(), {}, async () => () => {
    throw ['field-too-long', 'the client id is too long', undefined];
  });
  const sent = publish(engine, 'a');
  await eventually('closed', () => engine.state.state === 'closed');
  assert.equal(engine.state.error.code, 'field-too-long');
  assert.equal((await sent.settled).error.code, 'field-too-long');
});

test('wasm that does not load is tried again; publishes are stored meanwhile', async () => {
  newProfile();
  const server = new Server();
  let loads = 0;
  const engine = open(server, {}, async () => {
    if (loads++ === 0) throw new Error('not found');
    return (settings, hooks) => new Machine(server, settings, hooks);
  });
  const sent = publish(engine, 'a');
  await sent.stored;
  await eventually('offline', () => engine.state.state === 'offline');
  assert.equal(engine.state.reason, 'not found');
  await eventually('online', () => engine.state.state === 'online', 8000);
  assert.deepEqual(await sent.settled, { reasonCode: 0 });
});

test('a page that is put away lets go of everything, and takes it up again', async () => {
  const { locks } = newProfile();
  const happen = page();
  const server = new Server();
  const engine = open(server);
  const heard = listen(engine, 'a/#');
  await eventually('granted', () => heard.granted.length === 1);
  server.reasonCode = undefined;
  const sent = publish(engine, 'b');
  await eventually('sent', () => server.published.length === 1);
  happen('pagehide');
  assert.deepEqual(server.ends, ['leave']);
  await eventually('no lock', async () => (await locks.query()).held.length === 0);
  const db = await new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('probe');
    Object.assign(request, { onsuccess: resolve, onerror: reject });
  });
  assert.ok(db);
  server.reasonCode = 0;
  happen('pageshow');
  await online(engine);
  assert.equal(engine.state.session, 'resumed');
  assert.deepEqual(await sent.settled, { reasonCode: 0 });
  server.deliver('a/1', 'again');
  await eventually('heard', () => heard.messages.length === 1);
  assert.deepEqual(engine.states.map((one) => one.state).filter((one, place, all) => one !== all[place - 1]), ['online', 'connecting', 'online']);
});

// Fails if a publish between reading and writing, or one that is read and written in one transaction, takes the closed database for an end.
test('what a tab was about to store when its page was put away is stored when it comes back', async () => {
  newProfile();
  const happen = page();
  const server = new Server();
  const engine = open(server);
  await online(engine);
  const { transaction } = IDBDatabase.prototype;
  for (const turns of [1, 2, 3, 5, 10, 20]) {
    let begun;
    const begins = new Promise((resolve) => (begun = resolve));
    const watch = mock.method(IDBDatabase.prototype, 'transaction', function (...given) {
      begun();
      return transaction.apply(this, given);
    });
    // It looks first whose place it may take.
    const sent = publish(engine, `s/${turns}`, { retain: true, coalesce: true });
    await begins;
    watch.mock.restore();
    for (let turn = 0; turn < turns; turn++) await undefined;
    if (turns > 5) await new Promise(setImmediate);
    happen('pagehide');
    happen('pageshow');
    assert.deepEqual(await sent.settled, { reasonCode: 0 });
  }
  assert.equal(server.published.length, 6);
  assert.deepEqual(await engine.outbox(), []);
});

test('a page that comes back to other tabs is shown what has changed meanwhile', async () => {
  newProfile();
  const server = new Server();
  server.retained.set('s/a', '1');
  const stays = open(server);
  await online(stays);
  const there = listen(stays, 's/+');
  await eventually('snapshot', () => there.snapshots.length === 1);
  const happen = page();
  const goes = open(server);
  const heard = listen(goes, 's/+');
  await eventually('snapshot', () => heard.snapshots.length === 1);
  assert.deepEqual(heard.messages.map(({ text, fromCache }) => [text, fromCache]), [['1', true], ['1', false]]);
  happen('freeze');
  happen('pagehide');
  await eventually('gone', async () => (await stays.inspect()).leader.tabs === 1);
  server.deliver('s/a', '2', { qos: 1, retain: true });
  await eventually('changed', () => there.messages.at(-1).text === '2');
  happen('pageshow');
  await eventually('shown', () => heard.messages.at(-1).text === '2');
  assert.deepEqual(server.subscribes, ['s/+']);
});

// What it missed is not told again by anybody: neither a live message nor the cache has it any more.
for (const [alone, how] of [[false, 'to other tabs'], [true, 'after another page has come and gone']]) {
  test(`a page that comes back ${how} is told what was cleared meanwhile, and nothing else`, async () => {
    newProfile();
    const server = new Server();
    server.retained = new Map(['s/a', 's/b', 's/c'].map((topic) => [topic, '1']));
    const visit = async () => {
      const tab = open(server);
      await online(tab);
      const heard = listen(tab, 's/+');
      await eventually('snapshot', () => heard.snapshots.length === 1);
      return [tab, heard];
    };
    let [stays, there] = alone ? [] : await visit();
    const happen = page();
    const goes = open(server);
    const heard = listen(goes, 's/+', { qos: 0 });
    const uncached = listen(goes, 's/+', { qos: 0, cache: false });
    await eventually('snapshot', () => heard.snapshots.length === 1 && uncached.snapshots.length === 1);
    server.deliver('s/c', '', { qos: 0, retain: true });
    server.retained.delete('s/c');
    await eventually('live', () => heard.messages.at(-1).text === '');
    happen('pagehide');
    delete globalThis.addEventListener;
    if (alone) [stays, there] = await visit();
    else await eventually('gone', async () => (await stays.inspect()).leader.tabs === 1);
    server.retained.delete('s/b');
    server.deliver('s/b', '', { retain: true });
    await eventually('cleared', () => there.messages.at(-1).topic === 's/b');
    await eventually('not kept', async () => (await cached('s/+')).length === 1);
    if (alone) await stays.close();
    const before = heard.messages.length;
    happen('pageshow');
    await eventually('snapshot', () => heard.snapshots.length === 2);
    assert.deepEqual(heard.messages.slice(before).map(({ topic, text, retain }) => [topic, text, retain]), [['s/a', '1', true], ['s/b', '', true]]);
    assert.deepEqual(uncached.messages.filter(({ text }) => text === '').map(({ topic }) => topic), ['s/c']);
  });
}

test('a page that comes back after its data were removed does not begin anew', async () => {
  const { stored } = newProfile();
  const happen = page();
  const server = new Server();
  const engine = open(server);
  await online(engine);
  happen('freeze');
  happen('pagehide');
  const [{ name }] = await indexedDB.databases();
  await new Promise((resolve, reject) => Object.assign(indexedDB.deleteDatabase(name), { onsuccess: resolve, onerror: reject }));
  stored.clear();
  happen('pageshow');
  await eventually('closed', () => engine.state.state === 'closed');
  assert.equal(engine.state.error.code, 'closed');
  assert.equal(server.connects, 1);
});

/** Two tabs that want `a/#`, of which one leads now and the other is silent, for what it says is held up until `speak` is called. */
async function silence(server) {
  const leader = open(server);
  await online(leader);
  const next = open(server);
  await online(next);
  const slow = open(server);
  await online(slow);
  const inNext = listen(next, 'a/#');
  const inSlow = listen(slow, 'a/#');
  await eventually('granted', () => inSlow.granted.length + inNext.granted.length === 2);
  const { tab } = await slow.inspect();
  const { postMessage } = BroadcastChannel.prototype;
  const late = [];
  mock.method(BroadcastChannel.prototype, 'postMessage', function (message) {
    if (message.from === tab) late.push(() => postMessage.call(this, message));
    else postMessage.call(this, message);
  });
  await leader.close();
  await eventually('another leads', async () => (await next.inspect()).leading && next.state.state === 'online');
  const speak = () => {
    for (const say of late.splice(0)) say();
    mock.restoreAll();
  };
  return { next, inNext, inSlow, speak };
}

test('a tab that lives and is silent still gets what came meanwhile', async () => {
  newProfile();
  const server = new Server();
  const { next, inNext, inSlow, speak } = await silence(server);
  server.deliver('a/1', 'x');
  await eventually('heard', () => inNext.messages.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal((await next.inspect()).leader.inbox, 1);
  assert.deepEqual(inSlow.messages, []);
  speak();
  // What comes while it catches up does not go before.
  for (let n = 0; n < 20; n++) {
    server.deliver('a/1', String(n));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually('heard there, too', () => inSlow.messages.length === 21);
  assert.deepEqual(inSlow.messages.map((one) => one.text), inNext.messages.map((one) => one.text));
  await eventually('done', async () => (await next.inspect()).leader.inbox === 0);
  assert.equal(inNext.messages.length, 21);
});

// What is of QoS 1 has waited for it, and what is of QoS 0 is kept.
test('a tab that was silent has the last value of a topic in the end, at whatever QoS it came', async () => {
  newProfile();
  const server = new Server();
  const { next, inNext, inSlow, speak } = await silence(server);
  server.deliver('a/1', '1', { retain: true });
  await eventually('stored', () => inNext.messages.length === 1);
  server.deliver('a/1', '2', { qos: 0, retain: true });
  await eventually('kept', async () => (await cached('a/1')).some(({ payload }) => read(payload) === '2'));
  const before = inSlow.snapshots.length;
  speak();
  await eventually('snapshot', () => inSlow.snapshots.length > before);
  await eventually('the inbox is empty', async () => (await next.inspect()).leader.inbox === 0);
  assert.deepEqual(inSlow.messages.map(({ text }) => text), ['1', '2']);
});
