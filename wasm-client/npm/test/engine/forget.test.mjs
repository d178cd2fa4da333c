// Logging out: what is stored here goes, and the session at the server ends, whatever the connection is doing.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { closeAll, eventually, newProfile, online, open, pair, publish } from './browser.mjs';
import { Machine, Server } from './machine.mjs';

afterEach(async () => {
  await closeAll();
});

test('forget leaves nothing behind, here and at the server, in no tab', async () => {
  const { stored } = newProfile();
  for (const which of [0, 1]) {
    const server = new Server();
    const tabs = await pair(server);
    await publish(tabs[0], 'a').settled;
    await tabs[which].forget();
    await eventually('closed', () => tabs.every((tab) => tab.state.state === 'closed'));
    assert.deepEqual((await indexedDB.databases()).map((one) => one.name), []);
    assert.equal(stored.size, 0);
    assert.equal(server.sessions.size, 0);
  }
});

// Fails if one of them is closed by what another asks for, or nobody tells it what became of the session.
test('forget in several tabs at once is the same in each', async () => {
  for (const which of [[0, 1], [1, 0], [1, 2], [0, 1, 2]]) {
    newProfile();
    const server = new Server();
    const tabs = [...(await pair(server)), open(server)];
    await online(tabs[2]);
    await Promise.all(which.map((place) => tabs[place].forget()));
    await eventually('closed', () => tabs.every((tab) => tab.state.state === 'closed'));
    assert.deepEqual((await indexedDB.databases()).map((one) => one.name), []);
    assert.equal(server.sessions.size, 0);
    for (const place of which) assert.deepEqual(tabs[place].state, { state: 'closed' });
  }
});

test('forget with the will says so, in whichever tab', async () => {
  for (const which of [0, 1]) {
    newProfile();
    const server = new Server();
    const tabs = await pair(server);
    await tabs[which].forget(true);
    assert.deepEqual(server.farewell, { sessionExpiryS: 0, withWill: true });
  }
});

test('a tab that forgets does not come to lead when the tab that led is done', async () => {
  newProfile();
  const server = new Server();
  await online(open(server));
  let made = 0;
  const follower = open(server, {}, () => {
    made++;
    return server.load();
  });
  await online(follower);
  await follower.forget();
  assert.deepEqual([made, server.connects], [0, 1]);
});

// Timers of pages that have been hidden for long run once a minute; the clock of the ticker does not.
test('forget does not wait for the timers of a hidden tab', { timeout: 20_000 }, async (t) => {
  newProfile();
  const server = new Server();
  const tabs = await pair(server);
  let answer;
  t.mock.method(Machine.prototype, 'reconnect_now', function () {
    this.awaitsPing = 1;
    answer = () => (this.awaitsPing = 0);
  });
  for (const name of ['setTimeout', 'setInterval']) {
    const real = globalThis[name];
    t.mock.method(globalThis, name, (call, delayMs, ...given) => (delayMs === 50 ? real(call, 60_000).unref() : real(call, delayMs, ...given)));
  }
  const forgotten = tabs[1].forget();
  await eventually('asked for a sign of life', () => answer);
  answer();
  await forgotten;
  assert.equal(server.sessions.size, 0);
});

test('forget asks a connection that may be dead for a sign of life first', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  await online(engine);
  server.dead = true;
  await engine.forget();
  assert.deepEqual([server.connects, server.sessions.size], [2, 0]);
});

test('forget without a connection ends the session when it can, and says when it cannot', async () => {
  newProfile();
  const server = new Server();
  const engine = open(server);
  await online(engine);
  server.up = false;
  server.cut();
  await eventually('offline', () => engine.state.state === 'offline');
  await assert.rejects(engine.forget(), { code: 'offline' });
  assert.deepEqual((await indexedDB.databases()).map((one) => one.name), []);
});

test('forget right after the start waits until it is known who leads, and ends the session', async () => {
  const { stored } = newProfile();
  const server = new Server();
  const before = open(server);
  await online(before);
  await before.close();
  assert.equal(server.sessions.size, 1);
  await open(server).forget();
  assert.equal(server.sessions.size, 0);
  assert.equal(stored.size, 0);
  // The other tab leads.
  const other = open(server);
  await online(other);
  await open(server).forget();
  await eventually('closed', () => other.state.state === 'closed');
  assert.equal(server.sessions.size, 0);
});

// Fails if it is said that the server did not answer, before anybody could ask it.
test('forget while the next leader is starting waits for it, in whichever tab', async () => {
  for (const which of [0, 1]) {
    newProfile();
    const server = new Server();
    const leader = open(server);
    await online(leader);
    let load;
    const next = open(server, {}, () => new Promise((resolve) => (load = () => resolve(server.load()))));
    const last = open(server);
    for (const tab of [next, last]) await online(tab);
    await leader.close();
    await eventually('it is starting', () => load);
    await eventually('told', () => last.state.state === 'connecting');
    const forgotten = [next, last][which].forget();
    const early = await Promise.race([forgotten.catch((why) => why), new Promise((resolve) => setTimeout(resolve, 100))]);
    assert.equal(early, undefined);
    load();
    await forgotten;
    assert.equal(server.sessions.size, 0);
    await closeAll();
  }
});

// Fails if a witness stays: the next login would be told of an eviction, and go on under the client id of who has logged out.
test('forget while the wasm does not come leaves nothing behind, also when it comes later', async () => {
  const { stored } = newProfile();
  const server = new Server();
  let load;
  const engine = open(server, {}, () => new Promise((resolve) => (load = () => resolve(server.load()))));
  await eventually('it is asked for', () => load);
  await assert.rejects(engine.forget(), { code: 'offline' });
  assert.equal(stored.size, 0);
  load();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(stored.size, 0);
  assert.deepEqual((await indexedDB.databases()).map((one) => one.name), []);
  const next = open(server);
  await online(next);
  assert.equal(next.state.session, 'fresh');
});

test('forget while the first CONNECT is on its way waits for its answer: the server has a session by then', async () => {
  newProfile();
  const server = new Server();
  let answer;
  const engine = open(server, {}, () => Promise.resolve((settings, hooks) => {
    const machine = new Machine(server, settings, hooks);
    // The server has it, and CONNACK is late.
    const { reach } = machine;
    machine.reach = () => {
      server.sessions.set(settings.clientId, true);
      answer = () => reach.call(machine, undefined);
    };
    return machine;
  }));
  await eventually('CONNECT', () => answer);
  const forgotten = engine.forget();
  await new Promise((resolve) => setTimeout(resolve, 100));
  answer();
  await forgotten;
  assert.equal(server.sessions.size, 0);
});

test('forget after a CONNECT without an answer ends the session when it can, and says when it cannot', async () => {
  for (const version of [4, 5]) {
    newProfile();
    const server = new Server();
    const begin = async () => {
      server.mute = true;
      const engine = open(server, { version });
      await eventually('offline', () => engine.state.state === 'offline');
      assert.equal(server.sessions.size, 1);
      return engine;
    };
    const engine = await begin();
    server.mute = false;
    await engine.forget();
    assert.equal(server.sessions.size, 0);
    // Another page knows it, too.
    await (await begin()).close();
    server.up = server.mute = false;
    await assert.rejects(open(server, { version }).forget(), { code: 'offline' });
    assert.deepEqual((await indexedDB.databases()).map((one) => one.name), []);
    server.up = true;
  }
});

test('forget is done at once where no CONNECT has left, or the server has let none in', async () => {
  newProfile();
  const server = new Server();
  server.up = false;
  let engine = open(server);
  await eventually('offline', () => engine.state.state === 'offline');
  await engine.forget();
  server.up = true;
  server.refusal = 0x87;
  engine = open(server);
  await eventually('refused', () => engine.state.state === 'needs-auth');
  await engine.forget();
  assert.deepEqual((await indexedDB.databases()).map((one) => one.name), []);
});

// The connection with Clean Session is made by a second machine.
test('MQTT 3.1.1: forget without room for another machine removes what is here, and says that the session stays', async () => {
  const { stored } = newProfile();
  const server = new Server();
  let made = 0;
  const engine = open(server, { version: 4 }, () => Promise.resolve((settings, hooks) => {
    if (++made > 1) throw new RangeError('out of memory');
    return new Machine(server, settings, hooks);
  }));
  await online(engine);
  await assert.rejects(engine.forget(), { code: 'offline' });
  assert.deepEqual((await indexedDB.databases()).map((one) => one.name), []);
  assert.equal(stored.size, 0);
});
