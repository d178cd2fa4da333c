// A page that is frozen, or in the back/forward cache, counts as closed. When it comes back it is told of a gap exactly if tabs were given
// something meanwhile.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { closeAll, eventually, leads, listen, newProfile, online, open, page } from './browser.mjs';
import { Machine, Server } from './machine.mjs';

afterEach(async () => {
  await closeAll();
  delete globalThis.addEventListener;
});

const gaps = (engine) => engine.reports.filter(({ kind }) => kind === 'gap');
const texts = ({ messages }) => messages.map(({ text }) => text);

/** A tab that listens. */
async function visit(server) {
  const engine = open(server);
  const heard = listen(engine, 'a/#');
  await online(engine);
  await eventually('granted', () => heard.granted.length === 1);
  return { engine, heard };
}

/** A tab that goes and one that stays, both listening; `leader`: the one that goes leads. Both were given `before`. */
async function two(leader) {
  newProfile();
  const server = new Server();
  let stays = leader ? undefined : await visit(server);
  const happen = page();
  const goes = await visit(server);
  delete globalThis.addEventListener;
  stays ??= await visit(server);
  assert.equal(await leads(goes.engine), leader);
  server.deliver('a/1', 'before');
  await eventually('before', () => goes.heard.messages.length === 1 && stays.heard.messages.length === 1);
  return { server, happen, goes, stays };
}

for (const leader of [true, false]) {
  const who = leader ? 'the tab that leads' : 'a tab that follows';
  // Fails if the gap is silent, or if it is found by what the next leader knows of its own time alone.
  test(`${who} is away while a message comes and is handled: it reports a gap, and since when`, async () => {
    const { server, happen, goes, stays } = await two(leader);
    const leftAt = Date.now();
    happen('pagehide');
    await eventually('it is gone', async () => (await leads(stays.engine)) && (await stays.engine.inspect()).leader?.tabs === 1);
    await online(stays.engine);
    server.deliver('a/1', 'meanwhile');
    await eventually('meanwhile', async () => texts(stays.heard).includes('meanwhile') && (await stays.engine.inspect()).leader.inbox === 0);
    happen('pageshow');
    await eventually('the gap', () => gaps(goes.engine).length === 1);
    const [{ lost }] = gaps(goes.engine);
    assert.ok(lost.since <= leftAt && lost.since > leftAt - 2_000, 'since it was heard the last time');
    server.deliver('a/1', 'after');
    await eventually('after', () => texts(goes.heard).at(-1) === 'after');
    assert.deepEqual([texts(goes.heard), texts(stays.heard)], [['before', 'after'], ['before', 'meanwhile', 'after']]);
    assert.deepEqual([gaps(goes.engine).length, gaps(stays.engine)], [1, []]);
    assert.ok(goes.engine.states.every(({ session }) => session !== 'gap'), 'the session goes on');
  });

  // Fails if each change of leader counts as a gap, or is taken for a message.
  test(`${who} is away while nothing comes, and others lead: no gap`, async () => {
    const { server, happen, goes, stays } = await two(leader);
    happen('pagehide');
    const third = await visit(server);
    await stays.engine.close();
    await eventually('the third leads', () => leads(third.engine));
    await online(third.engine);
    happen('pageshow');
    await eventually('it is there again', async () => (await third.engine.inspect()).leader.tabs === 2);
    server.deliver('a/1', 'after');
    for (const { heard } of [goes, third]) await eventually('after', () => texts(heard).at(-1) === 'after');
    assert.deepEqual(texts(goes.heard), ['before', 'after']);
    assert.deepEqual([goes, third].flatMap(({ engine }) => gaps(engine)), []);
  });
}

// Fails if what waits here, or at the server, counts as missed.
test('a page that is alone misses nothing while it is away, and reports no gap', async () => {
  newProfile();
  const server = new Server();
  const happen = page();
  const { engine, heard } = await visit(server);
  for (const text of ['1', '2', '3']) {
    happen('pagehide');
    happen('pageshow');
    await online(engine);
    server.deliver('a/1', text);
    await eventually(text, () => texts(heard).at(-1) === text);
  }
  assert.deepEqual([texts(heard), gaps(engine)], [['1', '2', '3'], []]);
});

// Fails if only tabs that live at the same time can tell.
test('another page comes and goes while one is away: a gap if it was given something', async () => {
  for (const given of [true, false]) {
    newProfile();
    const server = new Server();
    const happen = page();
    const goes = await visit(server);
    delete globalThis.addEventListener;
    happen('pagehide');
    const visitor = await visit(server);
    if (given) {
      server.deliver('a/1', 'meanwhile');
      await eventually('meanwhile', async () => texts(visitor.heard).length === 1 && (await visitor.engine.inspect()).leader.inbox === 0);
    }
    await visitor.engine.close();
    happen('pageshow');
    await online(goes.engine);
    server.deliver('a/1', 'after');
    await eventually('after', () => texts(goes.heard).at(-1) === 'after');
    assert.deepEqual([texts(goes.heard), gaps(goes.engine).length], [['after'], given ? 1 : 0]);
    await closeAll();
  }
});

// Fails if a change of leader is taken for the return of a page.
test('a tab that lives reports no gap, whoever leads and whatever comes', async () => {
  newProfile();
  const server = new Server();
  const tabs = [];
  for (let count = 0; count < 3; count++) tabs.push(await visit(server));
  for (let number = 0; tabs.length > 1; number++) {
    server.deliver('a/1', String(number));
    // Between two beats.
    await eventually('everywhere', () => tabs.every(({ heard }) => texts(heard).at(-1) === String(number)));
    await tabs.shift().engine.close();
    await eventually('the next leads', () => leads(tabs[0].engine));
    await online(tabs[0].engine);
  }
  assert.deepEqual(gaps(tabs[0].engine), []);
});

test('a page that is looked at again asks its connection for a sign of life; one that is hidden does not', async (t) => {
  newProfile();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  globalThis.document = document;
  t.after(() => delete globalThis.document);
  const server = new Server();
  await online(open(server));
  const { mock } = t.mock.method(Machine.prototype, 'probe');
  for (const [visibilityState, probes] of [['hidden', 0], ['visible', 1]]) {
    Object.assign(document, { visibilityState }).dispatchEvent(new Event('visibilitychange'));
    assert.equal(mock.callCount(), probes, visibilityState);
  }
});

// Fails if only the tab that leads can end the wait for the next attempt: it is as a rule not the one that is looked at.
test('a tab that follows has its leader look for the network when it is looked at again', async (t) => {
  newProfile();
  const server = new Server();
  await online(open(server));
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  globalThis.document = document;
  t.after(() => delete globalThis.document);
  const follower = open(server);
  await online(follower);
  assert.equal(await leads(follower), false);
  const { mock } = t.mock.method(Machine.prototype, 'probe');
  document.dispatchEvent(new Event('visibilitychange'));
  await eventually('the leader looks', () => mock.callCount() === 1);
});
