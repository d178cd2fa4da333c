// What a bug report and a status bar are made of: `inspect()`, events and the log, in the tab that holds the connection and in one that does not.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { BROKERS } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, needs } from './harness/place.mjs';
import { startScripted } from './harness/scripted.mjs';

/** Of what `inspect()` gives, what a follower has from the leader. */
const OF_LEADER = ({ clientId, tabs, inFlight, machine: { sent, released, subscriptions } }) => ({ clientId, tabs, inFlight, sent, released, subscriptions });
const QUOTA_EXCEEDED = 0x97;
const NOT_AUTHORIZED = 0x87;

for (const { name, start, programs } of BROKERS) {
  // Fails if a tab tells of another session than the one there is, if what waits or is under way is counted wrong, if a follower knows nothing of it, or
  // if events say something else.
  test(`${name}: each tab says how it stands: online, with something under way, offline with an outbox, back, and as the next leader`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const { leader, follower } = await twoTabs(await openWindow(t, await startPages(t)), link.url);
    const tabs = [leader, follower];
    /** Once both say so; what the leader tells goes out twice a second. */
    const both = async (what, outbox, figures) => {
      const said = [];
      for (const tab of tabs) {
        said.push(await tab.eventually(what, () => window.app.inspect(), ({ outbox: count, leader: seen }) => {
          return count === outbox && seen?.machine && Object.entries(figures).every(([figure, value]) => ({ ...seen, ...seen.machine })[figure] === value);
        }));
        await tab.eventually(`${what}, in the status bar`, () => window.bar, ({ waiting }) => waiting === outbox);
      }
      return said;
    };
    for (const tab of tabs) await tab.call('subscribe', `in/${tab.name}`, { qos: 1 });
    const online = await both('online', 0, { tabs: 2, subscriptions: 2 });
    const { clientId } = link.trace.find(({ packet }) => packet.cmd === 'connect').packet;
    for (const [at, said] of online.entries()) {
      const { url, identity, state, subscriptions, leading, errors, storage } = said;
      assert.deepEqual({ url, identity, state: state.state, session: state.session, subscriptions, leading, errors, kind: storage.kind }, {
        url: link.url, identity: 'ana', state: 'online', session: 'fresh', subscriptions: [`in/${tabs[at].name}`], leading: at === 0, errors: [], kind: 'indexeddb',
      });
      assert.equal(storage.memoryOnly, undefined);
      assert.deepEqual(OF_LEADER(said.leader), { clientId, tabs: 2, inFlight: 0, sent: 0, released: 0, subscriptions: 2 });
      assert.equal(said.leader.connack.sessionPresent, false);
      const pasted = await tabs[at].page.evaluate(async () => JSON.stringify(await window.app.inspect(), undefined, 2));
      assert.ok(pasted.includes(`"clientId": "${clientId}"`), pasted);
    }
    assert.equal(online[0].epoch, online[1].epoch);
    assert.notEqual(online[0].tab, online[1].tab);

    // The broker has received the first, and what it says of that and of the second does not come.
    const gate = link.gate({ up: false, cmd: 'pubcomp' });
    await leader.call('publishAll', [{ topic: 'out/1', text: 'released', qos: 2 }]);
    await gate.reached;
    await follower.call('publishAll', [{ topic: 'out/2', text: 'sent', qos: 1 }]);
    await both('under way', 2, { inFlight: 2, sent: 1, released: 1 });
    for (const tab of tabs) assert.deepEqual((await tab.call('outbox')).map(({ text, stage }) => [text, stage]), [['released', 'released'], ['sent', 'sent']]);

    link.cut();
    gate.open();
    for (const tab of tabs) await tab.state('offline');
    for (const tab of tabs) await tab.call('publishAll', [{ topic: 'out/3', text: 'waits', qos: 1 }]);
    for (const { state, leader: seen, errors } of await both('offline', 4, { inFlight: 2 })) {
      assert.notEqual(state.state, 'online');
      assert.notEqual(seen.state.state, 'online');
      assert.match(errors.at(-1), /^\d{4}-\d\d-\d\dT[\d:.]+Z offline: ./, 'why the connection ended');
    }
    for (const tab of tabs) assert.match((await tab.page.evaluate(() => window.bar.seen)).at(-1), /^(offline: .+, again in \d+ ms|connecting)$/);

    link.restore();
    for (const tab of tabs) {
      await tab.page.evaluate(() => window.app.client.reconnectNow());
      await tab.state('online');
    }
    for (const { state, errors } of await both('back', 0, { inFlight: 0, sent: 0, released: 0 })) {
      assert.deepEqual([state.state, state.session], ['online', 'resumed']);
      assert.match(errors.at(-1), / offline: ./, 'it is remembered');
    }

    await leader.close();
    const next = await follower.eventually('the next leader', () => window.app.inspect(), ({ leading, leader: seen }) => leading && seen?.state.state === 'online');
    assert.deepEqual([next.leader.clientId, next.leader.tabs, next.epoch > online[1].epoch, next.state.session], [clientId, 1, true, 'resumed']);
    const bar = await follower.page.evaluate(() => window.bar);
    assert.deepEqual([bar.leads, bar.seen.at(-1)], [true, 'online: resumed']);
  });
}

// Fails if a refusal is nowhere to be found afterwards, or only in the tab with the connection; or if many of one kind push out the others.
test('what was refused stays among the last errors of each tab', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  let refuses = true;
  server.answers.publish = ({ messageId }, connection, usual) => {
    if (refuses) connection.send({ cmd: 'puback', messageId, reasonCode: QUOTA_EXCEEDED, properties: { reasonString: 'come back later' } });
    else usual();
    refuses = false;
  };
  const { leader, follower } = await twoTabs(await openWindow(t, await startPages(t)), server.url);
  await follower.call('publish', 'out/1', 'x', { qos: 1 });
  await follower.eventually('sent once more', () => window.app.published[0].acked, (acked) => acked === 'ok');
  server.answers.connect = (_, connection) => connection.refuse(NOT_AUTHORIZED);
  server.refusing = true;
  server.drop();
  const attempts = () => {
    window.app.client.reconnectNow();
    return window.app.states.filter(({ state }) => state === 'offline').length;
  };
  await leader.eventually('many attempts that end the same way', attempts, (count) => count > 25);
  server.refusing = false;
  await leader.page.evaluate(() => window.app.client.reconnectNow());
  for (const tab of [leader, follower]) {
    await tab.state('needs-auth');
    const { state, errors } = await tab.call('inspect');
    assert.deepEqual([state.reasonCode, state.reason], [NOT_AUTHORIZED, 'Not authorized']);
    const texts = errors.map((error) => error.replace(/^\S+ /, ''));
    assert.equal(texts[0], 'deferred: Quota exceeded: come back later');
    assert.equal(texts.at(-1), 'needs-auth: Not authorized');
    assert.equal(new Set(texts).size, texts.length, 'each once, as it was last');
  }
});

// Fails if the log tells payloads or credentials, says nothing of what the tab without the connection does, or cannot be turned off.
test('the log of each tab, to the console or to a function, says what happens, and like inspect() no secret', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  const secret = 'swordfish';
  const options = { credentials: { username: 'ana', password: secret } };
  const printed = [];
  const { leader, follower } = await twoTabs(await openWindow(t, await startPages(t)), server.url, async (tab) => {
    if (tab.name === 'leader') {
      tab.page.on('console', (message) => printed.push(`${message.type()} ${message.text()}`));
      return tab.call('connect', server.url, { ...options, log: true });
    }
    return tab.page.evaluate(([url, given]) => {
      window.lines = [];
      window.app.connect(url, given);
      window.app.client.log((line) => window.lines.push(line));
    }, [server.url, options]);
  });
  const logs = { leader: async () => printed.map((line) => line.replace(/^debug /, '')), follower: () => follower.page.evaluate(() => window.lines) };
  for (const tab of [leader, follower]) {
    await tab.call('subscribe', `in/${tab.name}`, { qos: 1 });
    await tab.eventually('granted', () => Object.values(window.app.subscriptions)[0].granted, (qos) => qos === 1);
    await tab.call('publish', `out/${tab.name}`, secret, { qos: 1 });
    server.connections[0].send({ cmd: 'publish', topic: `in/${tab.name}`, payload: secret, qos: 1, messageId: tab === leader ? 1 : 2 });
    const isThere = (lines) => (line) => lines.some((one) => one.includes(line));
    const expected = [
      'state {"state":"online"', `subscribe in/${tab.name}, QoS 1`, `publish out/${tab.name}, QoS 1, ${secret.length} bytes`,
      `published out/${tab.name}: 0`, `message in/${tab.name}, QoS 1, ${secret.length} bytes`,
    ];
    await eventually(`the log of the ${tab.name}`, logs[tab.name], (lines) => expected.every(isThere(lines)));
  }
  assert.ok(printed.every((line) => line.startsWith('debug ')), 'nothing but the log is printed');
  for (const tab of [leader, follower]) await tab.page.evaluate(() => window.app.client.log(undefined));
  const before = [(await logs.leader()).length, (await logs.follower()).length];
  for (const tab of [leader, follower]) {
    await tab.call('publish', `out/${tab.name}`, 'unheard', { qos: 1 });
    await tab.eventually('acked', () => window.app.published[1].acked, (acked) => acked === 'ok');
  }
  assert.deepEqual([(await logs.leader()).length, (await logs.follower()).length], before);
  const all = [...(await logs.leader()), ...(await logs.follower())];
  for (const tab of [leader, follower]) all.push(JSON.stringify(await tab.call('inspect')));
  assert.deepEqual(all.filter((line) => line.includes(secret)), []);
});

/** Two tabs of one identity that are online, each with a status bar that is made of events alone (`window.bar`). */
async function twoTabs(window, url, connect = (tab) => tab.call('connect', url, { identity: 'ana' })) {
  const tabs = {};
  for (const name of ['leader', 'follower']) {
    const tab = await window.tab(name);
    await connect(tab);
    await tab.page.evaluate(() => {
      const { client } = window.app;
      const bar = (window.bar = { seen: [], waiting: 0, leads: window.app.leading() });
      const show = (now) => {
        const text = { online: `online: ${now.session}`, offline: `offline: ${now.reason}, again in ${Math.round(now.retryInMs)} ms` };
        bar.seen.push(text[now.state] ?? now.state);
      };
      show(client.state);
      client.on('state', show);
      client.on('outbox', ({ count }) => (bar.waiting = count));
      client.on('leader', ({ leading }) => (bar.leads = leading));
    });
    await tab.state('online');
    tabs[name] = tab;
  }
  assert.deepEqual([await tabs.leader.call('leading'), await tabs.follower.call('leading')], [true, false]);
  return tabs;
}
