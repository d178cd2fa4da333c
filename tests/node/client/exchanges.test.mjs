// QoS 2 with the page reloaded or the browser killed at each packet of the exchange, in both directions: exactly once up to
// the inbox, and from there again only as what it is.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow, startOnProfile } from './harness/browser.mjs';
import { BROKERS } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { mailbox, outsider } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { folder, needs } from './harness/place.mjs';

/** The packet that never arrives. */
const OUTGOING = [{ up: true, cmd: 'publish' }, { up: false, cmd: 'pubrec' }, { up: true, cmd: 'pubrel' }, { up: false, cmd: 'pubcomp' }];
const INCOMING = OUTGOING.map(({ up, cmd }) => ({ up: !up, cmd }));

/** A client that ends in the middle and comes back, by a reload or by a kill. */
const ENDS = {
  async reload(t, pages) {
    const window = await openWindow(t, pages);
    const tab = await window.tab('a');
    return { tab, again: async () => void (await tab.page.reload()) };
  },
  async kill(t, pages) {
    const profile = await folder(t);
    let window = await startOnProfile(t, pages, profile);
    const client = { tab: await window.tab('a') };
    client.again = async () => {
      await window.kill();
      window = await startOnProfile(t, pages, profile);
      client.tab = await window.tab('a');
    };
    return client;
  },
};

/** How the page ends is nothing to the broker, and the version nothing to the page's end. */
const CASES = [['reload', '5.0'], ['kill', '5.0'], ['reload', '3.1.1']].flatMap(([end, version]) => {
  return BROKERS.filter(({ name }) => end === 'reload' || name === 'Ebbtide').map((broker) => ({ ...broker, end, version }));
});

for (const { name: broker, start, programs, end, version } of CASES) {
  const name = version === '5.0' ? broker : `${broker}, ${version}`;
  const open = ENDS[end];
  // Fails if a stage is stored after the packet that depends on it has left, or an exchange begins anew.
  test(`${name}: a publish of QoS 2 arrives once, whatever packet a ${end} loses`, needs(90_000, programs), async (t) => {
    const { broker, link, pages } = await surroundings(t, start);
    const box = await mailbox(broker, 'out/#');
    const client = await open(t, pages);
    const connect = () => client.tab.call('connect', link.url, { identity: 'ana', version });
    await connect();
    await client.tab.state('online');
    for (const { up, cmd } of OUTGOING) {
      const gate = link.gate({ up, cmd });
      await client.tab.call('publish', `out/${cmd}`, 'once', { qos: 2 });
      await gate.reached;
      await client.again();
      link.drop();
      gate.open();
      await connect();
      await client.tab.state('online');
      await client.tab.eventually('an empty outbox', () => window.app.outbox(), (rows) => rows.length === 0);
    }
    const messages = await box.collect('all stages', (all) => all.length >= OUTGOING.length);
    assert.deepEqual(messages.map(({ topic }) => topic), OUTGOING.map(({ cmd }) => `out/${cmd}`));
  });

  // Fails if a message is acknowledged before it is in the inbox, or its packet id is not stored with it.
  test(`${name}: a message of QoS 2 enters the inbox once, whatever packet a ${end} loses`, needs(90_000, programs), async (t) => {
    const { broker, link, pages } = await surroundings(t, start);
    const sender = await outsider(t, broker);
    const client = await open(t, pages);
    const watch = async () => {
      await client.tab.call('connect', link.url, { identity: 'ana', version });
      await client.tab.call('subscribe', 'in/#', { qos: 2, note: true });
      await client.tab.state('online');
    };
    await watch();
    await client.tab.eventually('granted', () => window.app.subscriptions['in/#'].granted, (qos) => qos === 2);
    for (const { up, cmd } of INCOMING) {
      const gate = link.gate({ up, cmd });
      await sender.publishAsync(`in/${cmd}`, 'once', { qos: 2 });
      await gate.reached;
      await client.again();
      link.drop();
      gate.open();
      await watch();
      await pages.noted(cmd, (notes) => notes.some(({ topic }) => topic === `in/${cmd}`));
      // Whatever else this exchange brings comes before what is sent now.
      await sender.publishAsync(`in/after-${cmd}`, 'once', { qos: 2 });
      await pages.noted(`after ${cmd}`, (notes) => notes.some(({ topic }) => topic === `in/after-${cmd}`));
    }
    assertOneInboxEntryEach(pages.notes, ({ topic }) => topic);
  });

  // Fails if the inbox row goes before the handler has returned, or comes back under another id, or unmarked.
  test(`${name}: a message that its handler had not finished at a ${end} is handed over again, marked`, needs(90_000, programs), async (t) => {
    const { broker, link, pages } = await surroundings(t, start);
    const sender = await outsider(t, broker);
    const client = await open(t, pages);
    const watch = async () => {
      await client.tab.call('connect', link.url, { identity: 'ana', version });
      await client.tab.call('subscribe', 'in/#', { qos: 2, note: true });
    };
    await watch();
    await client.tab.eventually('granted', () => window.app.subscriptions['in/#'].granted, (qos) => qos === 2);
    pages.hold(({ text }) => text === 'second');
    for (const text of ['first', 'second', 'third']) await sender.publishAsync('in/work', text, { qos: 2 });
    await pages.noted('the second begun', (notes) => notes.some(({ text }) => text === 'second'));
    await client.again();
    pages.release();
    await watch();
    await pages.noted('the third', (notes) => notes.some(({ text }) => text === 'third'));
    const second = pages.notes.filter(({ text }) => text === 'second');
    assert.deepEqual(second.map(({ redelivered }) => redelivered), [false, true]);
    assertOneInboxEntryEach(pages.notes, ({ text }) => text);
  });
}

async function surroundings(t, start) {
  const broker = await start(t);
  return { broker, link: await startLink(t, broker), pages: await startPages(t) };
}

/** What was noted of one message has one id, and is marked from the second time on. */
function assertOneInboxEntryEach(notes, nameOf) {
  const ids = new Map();
  for (const note of notes) {
    const name = nameOf(note);
    if (ids.has(name)) assert.deepEqual([note.id, note.redelivered], [ids.get(name), true], `${name} again`);
    ids.set(name, note.id);
  }
  assert.equal(new Set(ids.values()).size, ids.size, 'an id belongs to one message');
}
