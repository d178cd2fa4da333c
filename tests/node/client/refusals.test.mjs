// What a server refuses: a publish, tried again, or given up and kept where it can be looked at; a subscription; a connection.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { GUARDED } from './harness/guarded.mjs';
import { startLink } from './harness/link.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, needs } from './harness/place.mjs';
import { startScripted } from './harness/scripted.mjs';

const FOR_NOW = [0x83, 0x97];
/** Before it is taken. */
const TIMES_REFUSED = 2;
const FOR_GOOD = [0x80, 0x87, 0x90, 0x91, 0x99];
/** The packet that refuses. */
const ANSWERS = { 1: 'puback', 2: 'pubrec' };

for (const [qos, cmd] of Object.entries(ANSWERS)) {
  // Fails if such a refusal loses the message, or settles it, or is answered by sending it again before the time that was told.
  test(`QoS ${qos}: what is refused for now stays and is tried again when that was said`, needs(90_000, {}), async (t) => {
    const { server, tab } = await connected(t);
    const texts = FOR_NOW.map(hex);
    const sent = Object.fromEntries(texts.map((text) => [text, []]));
    const held = [];
    server.answers.publish = (packet, connection, usual) => {
      const text = String(packet.payload);
      if (sent[text].push(performance.now()) > TIMES_REFUSED) held.push(usual);
      else connection.send({ cmd, messageId: packet.messageId, reasonCode: Number(text) });
    };
    const kept = async () => (await tab.call('outbox')).map(({ text }) => text).sort();
    const deferred = () => window.app.reports.filter(({ kind }) => kind === 'deferred');
    await tab.call('publishAll', texts.map((text) => ({ topic: `kept/${text}`, text, qos: Number(qos) })));
    await tab.eventually('refused', deferred, (told) => told.length > 0);
    assert.deepEqual(await kept(), texts);
    await eventually('sent once more', () => held.length, (count) => count === texts.length);
    assert.deepEqual(await kept(), texts);
    for (const answer of held) answer();
    await tab.eventually('all acknowledged', () => window.app.published.map(({ acked }) => acked), (all) => all.every((acked) => acked === 'ok'));

    const told = await tab.page.evaluate(deferred);
    for (const text of texts) {
      const pauses = told.filter(({ reasonCode }) => reasonCode === Number(text)).map(({ retryInMs }) => retryInMs);
      assert.deepEqual([pauses.length, sent[text].length], [TIMES_REFUSED, TIMES_REFUSED + 1], text);
      pauses.forEach((pauseMs, at) => {
        const tookMs = sent[text][at + 1] - sent[text][at];
        assert.ok(tookMs >= pauseMs - 1, `${text}: sent again after ${tookMs} ms, and ${pauseMs} ms were told`);
      });
    }
    assert.deepEqual(await tab.call('outbox'), []);
    assert.deepEqual(await tab.call('deadLetters'), []);
  });

  // Fails if the refusal is not told, if the message is tried again by itself, or if it is lost instead of kept.
  test(`QoS ${qos}: what is refused for good rejects and becomes a dead letter`, needs(90_000, {}), async (t) => {
    const { server, tab } = await connected(t);
    server.answers.publish = (packet, connection) => {
      connection.send({ cmd, messageId: packet.messageId, reasonCode: Number(String(packet.payload)) });
    };
    await tab.call('publishAll', FOR_GOOD.map((code) => ({ topic: `bad/${hex(code)}`, text: hex(code), qos: Number(qos), key: `key ${code}` })));
    const outcomes = await tab.eventually(
      'all refused',
      () => window.app.published.map(({ acked, reasonCode }) => [acked, reasonCode]),
      (all) => all.every(([acked]) => acked),
    );
    assert.deepEqual(outcomes, FOR_GOOD.map((code) => ['refused', code]));
    assert.deepEqual(await tab.call('outbox'), []);

    // They are still there after a reload, and nothing is sent again by itself.
    await tab.page.reload();
    await tab.call('connect', server.url, { identity: 'ana' });
    await tab.state('online');
    const letters = await tab.call('deadLetters');
    assert.deepEqual(letters.map(({ text, key, reasonCode }) => ({ text, key, reasonCode })), FOR_GOOD.map((code) => ({
      text: hex(code), key: `key ${code}`, reasonCode: code,
    })));
    assert.equal(server.received('publish').length, FOR_GOOD.length);

    // One is tried again by hand, another thrown away.
    delete server.answers.publish;
    assert.equal(await tab.call('retry', letters[0].seq), 1);
    assert.equal(await tab.call('discard', letters[1].seq), 1);
    await eventually('sent again', () => server.received('publish').length, (count) => count === FOR_GOOD.length + 1);
    await tab.eventually('an empty outbox', () => window.app.outbox(), (rows) => rows.length === 0);
    assert.deepEqual((await tab.call('deadLetters')).map(({ text }) => text), FOR_GOOD.slice(2).map(hex));
  });
}

const BAD_CREDENTIALS = 0x86;
const NOT_AUTHORIZED = 0x87;
/** 3.1.1 has one code for it. */
const FAILURE = 0x80;

for (const { name, start, programs, guardsFilters } of GUARDED) for (const version of ['5.0', '3.1.1']) {
  // Fails if credentials are kept instead of asked for, if the client goes on knocking, or takes one refusal for the end of the connection.
  test(`${name}, ${version}: a password, a subscription and a publish are refused`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const window = await openWindow(t, await startPages(t));
    const tab = await window.tab('a');
    const answer = (passwords) => tab.page.evaluate((given) => (window.app.answers = given), passwords.map((password) => ({ username: 'ana', password })));
    await answer(['bad']);
    await tab.call('connect', link.url, { identity: 'ana', version, asks: true });
    const { reasonCode } = await tab.state('needs-auth');
    assert.ok([BAD_CREDENTIALS, NOT_AUTHORIZED].includes(reasonCode), hex(reasonCode));
    const allow = async () => {
      await answer(['good']);
      await tab.call('renewCredentials');
      await tab.state('online');
    };
    await allow();
    for (const filter of ['shut/#', 'open/#']) await tab.call('subscribe', filter, { qos: 1 });
    const granted = () => ['shut/#', 'open/#'].map((filter) => window.app.subscriptions[filter].granted);
    assert.deepEqual(await tab.eventually('granted or not', granted, (all) => all.every((one) => one !== undefined)), [guardsFilters ? 'refused' : 1, 1]);
    const subacks = link.trace.filter(({ packet }) => packet.cmd === 'suback').flatMap(({ packet }) => packet.granted);
    assert.deepEqual(subacks.sort(), [1, !guardsFilters ? 1 : version === '5.0' ? NOT_AUTHORIZED : FAILURE]);
    await tab.call('publish', 'open/1', 'in', { qos: 1 });
    await tab.eventually('its own message', () => window.app.seen(), (texts) => texts.includes('in'));

    await answer(['bad']);
    link.drop();
    await tab.state('needs-auth');
    assert.deepEqual([await tab.page.evaluate(() => window.app.asked), link.opened], [3, 3]);
    await allow();
    // At the end, for Mosquitto 2.0.11 acknowledges it, and then ends the connection.
    await tab.call('publish', 'shut/1', 'out', { qos: 1 });
    const outcome = () => window.app.published.slice(-1).flatMap(({ acked, reasonCode }) => [acked, reasonCode]);
    // 3.1.1 has no words for it: such a publish is acknowledged, and goes to nobody.
    const expected = version === '5.0' ? ['refused', NOT_AUTHORIZED] : ['ok', undefined];
    assert.deepEqual(await tab.eventually('its outcome', outcome, ([acked]) => acked), expected);
    assert.deepEqual((await tab.call('deadLetters')).map(({ topic }) => topic), version === '5.0' ? ['shut/1'] : []);
  });
}

// Fails if a refusal of 3.1.1 is taken for another one: what may heal is not tried again, or what never will is.
test('3.1.1: a server that is not available is tried again, one that takes neither version nor client id is not', needs(90_000, {}), async (t) => {
  const { server, tab } = await connected(t, { version: '3.1.1' });
  const refused = [];
  const states = () => window.app.states.slice(1);
  for (const [returnCode, reasonCode] of [[3, 0x88], [1, 0x84], [2, 0x85]]) {
    server.answers.connect = (_, connection) => connection.refuse(returnCode);
    server.drop();
    const isIt = (all) => all.some((state) => state.reasonCode === reasonCode);
    const all = await tab.eventually(`refused with ${returnCode}`, states, isIt);
    const { state, retryInMs } = all.find((one) => one.reasonCode === reasonCode);
    refused.push([state, retryInMs === null]);
    server.answers.connect = (_, connection) => connection.accept(true);
    if (retryInMs === null) await tab.page.evaluate(() => window.app.client.reconnectNow());
    await tab.state('online');
  }
  assert.deepEqual(refused, [['offline', false], ['offline', true], ['offline', true]]);
});

async function connected(t, options = {}) {
  const server = await startScripted(t);
  // A session that the server keeps.
  server.answers.connect = (_, connection) => connection.accept(server.connections.length > 1);
  const pages = await startPages(t);
  const window = await openWindow(t, pages);
  const tab = await window.tab('a');
  await tab.call('connect', server.url, { identity: 'ana', ...options });
  await tab.state('online');
  return { server, tab };
}

function hex(code) {
  return `0x${code.toString(16)}`;
}
