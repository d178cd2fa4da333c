// What several tabs are given of the inbox: each shows a message once, and what one was in the middle of when it went is for another.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { closeAll, eventually, leads, listen, newProfile, online, open, pair } from './browser.mjs';
import { Server } from './machine.mjs';

afterEach(async () => {
  await closeAll();
});

test('a message is shown once in each tab, whoever leads', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  const inLeader = listen(leader, 'a/#', { auto: false });
  const inFollower = listen(follower, 'a/#', { auto: false });
  await eventually('granted', () => inLeader.granted.length + inFollower.granted.length === 2);
  server.deliver('a/1', 'one');
  server.deliver('a/2', 'two');
  await eventually('everywhere', () => inLeader.messages.length === 2 && inFollower.messages.length === 2);
  // The follower is done with the first; the leader's tab with none.
  inFollower.messages[0].done();
  await leader.close();
  await eventually('leads', () => leads(follower));
  await online(follower);
  server.deliver('a/3', 'three');
  await eventually('third', () => inFollower.messages.length >= 3);
  assert.deepEqual(inFollower.messages.map((one) => one.text), ['one', 'two', 'three']);
  inFollower.messages.slice(1).forEach((one) => one.done());
  // The first was done here before its other tab went in the middle of it, so it is for the next one.
  const third = listen(open(server), 'a/#');
  await eventually('inbox empty', async () => (await follower.inspect()).leader.inbox === 0);
  assert.deepEqual(third.messages.map((one) => [one.text, one.redelivered]), [['one', true]]);
  assert.equal(inFollower.messages.length, 3);
});

// Fails if a message is taken for handled because a tab that only shows it has shown it.
test('what one tab was in the middle of when it went is for the next tab, though another has shown it', async (t) => {
  for (const goes of ['leader', 'follower']) {
    newProfile();
    const server = new Server();
    const tabs = await pair(server);
    const [going, staying] = goes === 'leader' ? tabs : tabs.reverse();
    const before = listen(going, 'a/#', { auto: false });
    const other = listen(staying, 'a/#');
    const slow = listen(staying, 'a/slow', { auto: false });
    await eventually('granted', () => before.granted.length + other.granted.length + slow.granted.length === 3);
    const topics = goes === 'leader' ? ['a/1'] : ['a/1', 'a/slow'];
    for (const topic of topics) server.deliver(topic, topic);
    await eventually('everywhere', () => before.messages.length === topics.length && other.messages.length === topics.length);
    await going.close();
    await eventually('alone', async () => (await leads(staying)) && (await staying.inspect()).leader?.tabs === 1);
    await online(staying);
    // It comes behind what the tab is asked for by a new leader.
    server.deliver('a/2', '');
    await eventually('the next', () => other.messages.at(-1).topic === 'a/2');
    // It has come to an end in the tab that stays, but not in the other one.
    for (const { done } of slow.messages) done();
    const after = open(server);
    const again = listen(after, 'a/#');
    await eventually('again', () => again.messages.length === topics.length);
    const told = (heard) => heard.messages.map(({ topic, id, redelivered }) => [topic, id, redelivered]);
    assert.deepEqual(told(again), told(before).map(([topic, id]) => [topic, id, true]));
    assert.equal(other.messages.length, topics.length + 1);
    await eventually('inbox empty', async () => (await staying.inspect()).leader.inbox === 0);
    // Without another tab, what one has shown goes after a while; and nobody has missed it.
    const last = listen(after, 'b', { auto: false });
    const shown = listen(staying, 'b');
    await eventually('granted', () => last.granted.length + shown.granted.length === 2);
    server.deliver('b', 'x');
    await eventually('everywhere', () => last.messages.length === 1 && shown.messages.length === 1);
    await after.close();
    await eventually('one tab', async () => (await staying.inspect()).leader.tabs === 1);
    assert.equal((await staying.inspect()).leader.inbox, 1);
    const now = performance.now();
    const clock = t.mock.method(performance, 'now', () => now + 31_000);
    await eventually('inbox empty', async () => (await staying.inspect()).leader.inbox === 0);
    clock.mock.restore();
    assert.deepEqual(staying.reports.filter(({ kind }) => kind === 'unclaimed'), []);
    await closeAll();
  }
});

// Fails if it is taken for handled when another tab has shown it, before or after.
test('what a loop was not given when it ended is for the next one of its tab, whatever another tab does with it', async (t) => {
  for (const ends of ['leader', 'follower']) {
    newProfile();
    const server = new Server();
    const tabs = await pair(server);
    const inbox = async () => (await tabs[0].inspect()).leader.inbox;
    const [ending, staying] = ends === 'leader' ? tabs : tabs.toReversed();
    const shows = listen(staying, 'a', { auto: false });
    const loop = async () => {
      const heard = listen(ending, 'a', { auto: false });
      await eventually('granted', () => heard.granted.length === 1 && shows.granted.length === 1);
      return heard;
    };
    const end = async (before) => {
      server.deliver('a', 'x');
      await eventually('in both', () => before.messages.length === 1 && shows.messages.length === 1);
      // The leader hears first of its own tab.
      shows.messages.pop().done();
      before.messages[0].done(false);
      before.end();
    };
    await end(await loop());
    const after = await loop();
    await eventually('given', () => after.messages.length === 1);
    const { text, redelivered, done } = after.messages.pop();
    assert.deepEqual([text, redelivered], ['x', false]);
    done();
    await eventually('inbox empty', async () => (await inbox()) === 0);
    await end(after);
    // What is still on its way to the leader has its 30 s, too.
    let now = performance.now();
    const clock = t.mock.method(performance, 'now', () => (now += 31_000));
    await eventually('inbox empty', async () => (await inbox()) === 0);
    clock.mock.restore();
    assert.deepEqual(tabs.flatMap(({ reports }) => reports.filter(({ kind }) => kind === 'unclaimed')), []);
    assert.deepEqual(shows.messages, []);
    await closeAll();
  }
});

// Fails if a job that the server gives to one member of the group is done once in each tab.
test('of what comes for a group each tab gets a part; what one was in the middle of when it went, another', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  const heard = [leader, follower].map((tab) => listen(tab, '$share/g/a/+', { auto: false }));
  for (const one of heard) await eventually('granted', () => one.granted.length === 1);
  const count = () => heard[0].messages.length + heard[1].messages.length;
  for (const qos of [1, 0]) {
    for (const n of [1, 2, 3, 4]) server.deliver(`a/${n}`, `${qos}`, { qos });
    await eventually('all', () => count() >= 4);
    assert.deepEqual(heard.map(({ messages }) => messages.length), [2, 2]);
    if (qos === 1) {
      await follower.close();
      await eventually('those of the other tab', () => heard[0].messages.length === 4);
      assert.deepEqual(heard[0].messages.map(({ topic, redelivered }) => [topic, redelivered]), [['a/1', false], ['a/3', false], ['a/2', true], ['a/4', true]]);
      for (const { done } of heard[0].messages) done();
      await eventually('inbox empty', async () => (await leader.inspect()).leader.inbox === 0);
      heard[0].messages.length = 0;
      heard[1] = listen(open(server), '$share/g/a/+');
      await eventually('granted', () => heard[1].granted.length === 1);
    }
  }
});

test('what is done is not shown again by the next leader that still finds it in the store', async () => {
  const { locks } = newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  const inLeader = listen(leader, 'a/#');
  const inFollower = listen(follower, 'a/#');
  await eventually('granted', () => inLeader.granted.length + inFollower.granted.length === 2);
  server.deliver('a/1', 'one');
  await eventually('everywhere', () => inLeader.messages.length === 1 && inFollower.messages.length === 1);
  // A beat, which says what is gone from the inbox; then the leader's end, before it has written that.
  server.cut();
  await eventually('told', () => follower.state.state === 'offline');
  const { name } = (await locks.query()).held.find((held) => held.name.endsWith(':leader'));
  void locks.request(name, { steal: true }, () => {});
  await eventually('leads', () => leads(follower));
  await online(follower);
  server.deliver('a/2', 'two');
  await eventually('the next', () => inFollower.messages.length > 1);
  assert.deepEqual(inFollower.messages.map((one) => one.text), ['one', 'two']);
});

// Fails if only a new leader marks what it hands over again.
test('what a follower was in the middle of when it went is handed over again, marked', async () => {
  newProfile();
  const server = new Server();
  const [leader, follower] = await pair(server);
  const before = listen(follower, 'a/#', { auto: false });
  await eventually('granted', () => before.granted.length === 1);
  server.deliver('a/1', 'one');
  await eventually('in the middle', () => before.messages.length === 1);
  await follower.close();
  await eventually('one tab', async () => (await leader.inspect()).leader.tabs === 1);
  const after = listen(open(server), 'a/#');
  await eventually('again', () => after.messages.length === 1);
  const [{ id }] = before.messages;
  assert.deepEqual(after.messages.map((one) => [one.id, one.redelivered]), [[id, true]]);
  assert.equal(await leads(leader), true);
  await eventually('inbox empty', async () => (await leader.inspect()).leader.inbox === 0);
});
