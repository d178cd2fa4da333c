// What becomes of a publish that the server refuses: tried again, or given up and kept where it can be looked at.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, needs } from './harness/place.mjs';
import { startScripted } from './harness/scripted.mjs';

const FOR_NOW = [0x83, 0x97];
const FOR_GOOD = [0x80, 0x87, 0x90, 0x91, 0x99];
/** The packet that refuses. */
const ANSWERS = { 1: 'puback', 2: 'pubrec' };

for (const [qos, cmd] of Object.entries(ANSWERS)) {
  // Fails if such a refusal loses the message, or settles it, or is answered by sending it again at once and for ever.
  test(`QoS ${qos}: what is refused for now stays and is tried again`, needs(90_000, {}), async (t) => {
    const { server, tab } = await connected(t);
    const refuse = new Set(FOR_NOW.map(hex));
    server.answers.publish = (packet, connection, usual) => {
      const code = String(packet.payload);
      if (refuse.delete(code)) connection.send({ cmd, messageId: packet.messageId, reasonCode: Number(code) });
      else usual();
    };
    await tab.call('publishAll', FOR_NOW.map((code) => ({ topic: `kept/${hex(code)}`, text: hex(code), qos: Number(qos) })));
    await tab.eventually('all acknowledged', () => window.app.published.map(({ acked }) => acked), (all) => all.every((acked) => acked === 'ok'));
    const sent = server.received('publish');
    for (const code of FOR_NOW) assert.equal(sent.filter(({ payload }) => String(payload) === hex(code)).length, 2, hex(code));
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

async function connected(t) {
  const server = await startScripted(t);
  // A session that the server keeps.
  server.answers.connect = (_, connection) => connection.accept(server.connections.length > 1);
  const pages = await startPages(t);
  const window = await openWindow(t, pages);
  const tab = await window.tab('a');
  await tab.call('connect', server.url, { identity: 'ana' });
  await tab.state('online');
  return { server, tab };
}

function hex(code) {
  return `0x${code.toString(16)}`;
}
