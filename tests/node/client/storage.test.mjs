// Storage that is lost, full or not there, sessions that are gone, clocks that jump: said honestly, and nothing hangs.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import mqtt from 'mqtt';
import { openWindow, startOnProfile } from './harness/browser.mjs';
import { BROKERS, startEbbtide } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { mailbox, outsider, sessionPresent } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, folder, needs } from './harness/place.mjs';

const VERSIONS = ['5.0', '3.1.1'];
const EXPIRY_S = 1;
const DAY_S = 86_400;
const QUOTA_BYTES = 3_000_000;
const LARGE_BYTES = 500_000;

for (const { name, start, programs } of BROKERS) for (const version of VERSIONS) {
  // Fails if a session that the server has forgotten is taken for the old one, or if a publish of QoS 2 in the middle is sent twice.
  test(`${name}, ${version}: the session is forgotten: gap, subscribed again, the outcome in doubt is said`, needs(90_000, programs), async (t) => {
    const { broker, link, tab } = await opened(t, start, { version, sessionExpiryS: EXPIRY_S });
    const sender = await outsider(t, broker);
    const box = await mailbox(broker, 'out/#');
    await tab.call('subscribe', 'in/#', { qos: 1 });
    await tab.eventually('granted', () => window.app.subscriptions['in/#'].granted, (qos) => qos === 1);

    // Three publishes of QoS 2: of the first PUBREC has come, of the others nothing.
    const gate = link.gate({ up: false, cmd: 'pubcomp' });
    await tab.call('publish', 'out/1', 'received', { qos: 2 });
    await gate.reached;
    await tab.call('publish', 'out/1', 'in doubt', { qos: 2 });
    await tab.call('publish', 'out/1', 'again', { qos: 2, resend: true });
    await eventually('all have left', () => link.count(true, 'publish'), (count) => count === 3);
    link.cut();
    gate.open();
    await tab.state('offline');
    if (version === '5.0') await gone(broker, sender, EXPIRY_S);
    else await endSession(broker, link.trace.find(({ packet }) => packet.cmd === 'connect').packet.clientId);

    link.restore();
    await tab.page.evaluate(() => window.app.client.reconnectNow());
    assert.equal((await tab.state('online')).session, 'gap');
    const outcomes = () => window.app.published.map(({ acked }) => acked);
    assert.deepEqual(await tab.eventually('outcomes', outcomes, (all) => all.every(Boolean)), ['ok', 'outcome-unknown', 'ok']);
    await tab.eventually('a report', () => window.app.reports.map(({ kind }) => kind), (kinds) => kinds.includes('gap'));
    await eventually('subscribed again', () => link.count(true, 'subscribe'), (count) => count === 2);
    await sender.publishAsync('in/1', 'after', { qos: 1 });
    await tab.eventually('a message', () => window.app.seen(), (texts) => texts.includes('after'));
    assert.deepEqual(await tab.call('outbox'), []);
    const has = (all, text) => all.some((message) => message.text === text);
    const messages = await box.collect('two of them', (all) => has(all, 'received') && has(all, 'again'));
    assert.ok(messages.filter(({ text }) => text === 'in doubt').length <= 1, 'what is in doubt is not sent again');
    assert.equal(messages.filter(({ text }) => text === 'received').length, 1, 'what the server had is not sent again');
  });
}

for (const { name, start, programs } of BROKERS) for (const version of VERSIONS) {
  // Fails if lost storage is not noticed, or if the server's old session is gone on with as if its acknowledgements were known.
  test(`${name}, ${version}: the storage was evicted: said with what may be lost, and the session begins anew`, needs(90_000, programs), async (t) => {
    const { broker, link, window, tab } = await opened(t, start, { version });
    const sender = await outsider(t, broker);
    await tab.call('subscribe', 'in/#', { qos: 1 });
    await tab.eventually('granted', () => window.app.subscriptions['in/#'].granted, (qos) => qos === 1);
    await tab.close();
    await eventually('its connection gone', () => link.open, (open) => open === 0);
    await window.evictDatabases(await window.tab('b', 'elsewhere.html'));

    const again = await window.tab('a');
    await again.call('connect', link.url, { identity: 'ana', version });
    assert.equal((await again.state('online')).session, 'evicted');
    await again.eventually('a report', () => window.app.reports.map(({ kind }) => kind), (kinds) => kinds.includes('evicted'));
    await again.call('subscribe', 'in/#', { qos: 1 });
    await again.eventually('granted', () => window.app.subscriptions['in/#'].granted, (qos) => qos === 1);
    await sender.publishAsync('in/1', 'after', { qos: 1 });
    await again.eventually('a message', () => window.app.seen(), (texts) => texts.includes('after'));
    const connects = link.trace.filter(({ up, packet }) => up && packet.cmd === 'connect').map(({ packet }) => packet.clean);
    // In 3.1.1 what begins with Clean Session ends with its connection: one that is kept follows.
    assert.deepEqual(connects, version === '5.0' ? [false, false, true] : [false, false, true, false], 'Clean Start, as the standard demands');
  });
}

/** With a client id of the client's own, and with one of the application's. */
const CLIENTS = VERSIONS.flatMap((version) => [{ identity: `ana ${version}`, version }, { identity: `ben ${version}`, version, clientId: `phone ${version}` }]);
for (const { name, start, programs } of BROKERS) {
  // Fails if a client of which nothing is left goes on with what it cannot know, or says what it cannot know; or if it takes the session that only the
  // broker remembers for its own.
  test(`${name}: all storage goes while no page is open: fresh with a new client id, evicted with one of the application's own`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const link = await startLink(t, broker);
    const pages = await startPages(t);
    const sender = await outsider(t, broker);
    const box = await mailbox(broker, 'out/#');
    const profile = await folder(t);
    /** Starts a browser; each client with its tab, and the CONNECTs that it sends from now on. */
    const open = async () => {
      const window = await startOnProfile(t, pages, profile);
      const look = await window.tab('look', 'elsewhere.html');
      const stored = await look.page.evaluate(async () => [...await indexedDB.databases(), ...Object.keys(localStorage)].length);
      const clients = [];
      for (const options of CLIENTS) {
        const tab = await window.tab(options.identity);
        const since = link.trace.length;
        await tab.call('connect', link.url, options);
        await tab.call('subscribe', 'in/#', { qos: 1 });
        await tab.eventually('granted', () => window.app.subscriptions['in/#'].granted, (qos) => qos === 1);
        const connects = link.trace.slice(since).filter(({ up, packet }) => up && packet.cmd === 'connect').map(({ packet }) => packet);
        clients.push({ tab, connects, ...options });
      }
      return { window, stored, clients };
    };

    const before = await open();
    link.cut();
    for (const { tab } of before.clients) {
      await tab.state('offline');
      await tab.call('publishAll', [1, 2].map((qos) => ({ topic: `out/${qos}`, text: 'lost', qos })));
    }
    await before.window.close();
    for (const kind of ['IndexedDB', 'Local Storage']) await rm(join(profile, 'Default', kind), { recursive: true });
    await sender.publishAsync('in/1', 'meanwhile', { qos: 1 });

    link.restore();
    const { stored, clients } = await open();
    assert.equal(stored, 0);
    for (const { tab } of clients) {
      assert.deepEqual(await tab.call('outbox'), []);
      await tab.call('publish', 'out/1', 'after', { qos: 1 });
    }
    await sender.publishAsync('in/1', 'after', { qos: 1 });
    for (const [at, { tab, connects, version, clientId }] of clients.entries()) {
      assert.equal((await tab.state('online')).session, clientId ? 'evicted' : 'fresh');
      const told = await tab.page.evaluate(() => window.app.reports.filter(({ lost }) => lost));
      assert.deepEqual(told.map(({ kind, lost }) => [kind, lost.outbox, lost.since]), clientId ? [['evicted', undefined, undefined]] : [], 'nobody knows how much');
      await tab.eventually('a message', () => window.app.seen(), (texts) => texts.includes('after'));
      assert.deepEqual(await tab.call('seen'), ['after']);
      // In 3.1.1 what begins with Clean Session ends with its connection: one that is kept follows.
      assert.deepEqual(connects.map(({ clean }) => clean), !clientId ? [false] : version === '5.0' ? [false, true] : [false, true, false]);
      const [old] = before.clients[at].connects;
      assert.equal(connects[0].clientId === old.clientId, clientId !== undefined);
      // The old session ends when its time is over.
      if (version === '5.0') assert.equal(old.properties.sessionExpiryInterval, DAY_S);
      if (!clientId) assert.equal(await sessionPresent(broker, old.clientId, version), true);
    }
    const texts = await box.collect('all of them', (all) => all.length >= CLIENTS.length);
    assert.deepEqual(texts.map(({ text }) => text), CLIENTS.map(() => 'after'));
  });
}

for (const { name, start, programs } of BROKERS) {
  // Fails if the client takes the loss of all that is stored for a logout, and ends; or if a promise of what was lost stays open.
  test(`${name}: the storage is evicted while the page is open: said with what may be lost, and it goes on`, needs(90_000, programs), async (t) => {
    const { broker, link, window, tab } = await opened(t, start);
    const sender = await outsider(t, broker);
    await tab.call('subscribe', 'in/#', { qos: 1 });
    await tab.eventually('granted', () => window.app.subscriptions['in/#'].granted, (qos) => qos === 1);
    link.cut();
    await tab.state('offline');
    await tab.call('publishAll', [1, 2].map((qos) => ({ topic: `out/${qos}`, text: 'lost', qos })));
    await tab.eventually('both counted', () => window.app.reports.findLast(({ kind }) => kind === 'outbox').count, (count) => count === 2);
    await tab.page.evaluate(() => localStorage.clear());
    await window.evictDatabases(tab);
    await tab.eventually('a report', () => window.app.reports.map(({ kind }) => kind), (kinds) => kinds.includes('storage-lost'));
    const outcomes = () => window.app.published.map(({ acked }) => acked);
    assert.deepEqual(await tab.eventually('outcomes', outcomes, (all) => all.every(Boolean)), ['outcome-unknown', 'outcome-unknown']);
    link.restore();
    assert.equal((await tab.state('online')).session, 'evicted');
    const [{ lost }] = await tab.eventually('what is lost', () => window.app.reports.filter(({ kind }) => kind === 'evicted'), (all) => all.length === 1);
    assert.equal(lost.outbox, 2);
    // The session is new: what comes before its subscription is for nobody.
    const since = link.trace.findLastIndex(({ packet }) => packet.cmd === 'connect');
    await eventually('subscribed anew', () => link.trace.slice(since).some(({ packet }) => packet.cmd === 'suback'));
    await sender.publishAsync('in/1', 'after', { qos: 1 });
    await tab.eventually('a message', () => window.app.seen(), (texts) => texts.includes('after'));
  });
}

for (const { name, start, programs } of BROKERS) {
  // Fails if a full disk loses a publish without a word, or stops what needs no room.
  test(`${name}: the quota is exceeded: \`stored\` rejects and says so, and the client goes on when there is room`, needs(90_000, programs), async (t) => {
    const { broker, link, window, tab } = await opened(t, start, {}, { quotaBytes: QUOTA_BYTES });
    const box = await mailbox(broker, 'out/#');
    link.cut();
    await tab.state('offline');
    // Random, for what is stored is compressed.
    const large = () => randomBytes(LARGE_BYTES).toString('latin1');
    const texts = ['before', ...Array.from({ length: 2 * QUOTA_BYTES / LARGE_BYTES }, large), 'after'];
    const kept = [];
    for (const text of texts) {
      if (text === 'after') await window.setQuota(tab, undefined);
      await tab.call('publish', 'out/1', text, { qos: 1 });
      const stored = await tab.eventually('stored or not', () => window.app.published.at(-1).stored, Boolean);
      if (stored === 'ok') kept.push(text);
      else assert.equal(stored, 'quota-exceeded');
    }
    assert.ok(kept.length < texts.length - 1, 'some had no room');
    await tab.eventually('a report', () => window.app.reports.map(({ kind }) => kind), (kinds) => kinds.includes('quota-exceeded'));
    link.restore();
    await tab.state('online');
    await tab.eventually('an empty outbox', () => window.app.outbox(), (rows) => rows.length === 0);
    const messages = await box.collect('what was kept', (all) => all.length >= kept.length);
    assert.ok(messages.every(({ text }, at) => text === kept[at]) && messages.length === kept.length);
    assert.deepEqual([kept[0], kept.at(-1)], ['before', 'after']);
  });
}

// Fails if a tab of an older version keeps the database from the newer one, or goes on without a word.
test('a newer version wants the database: every tab lets go of it, says so, and is closed', needs(), async (t) => {
  const { link, window, tab } = await opened(t, startEbbtide);
  const second = await window.tab('b');
  await second.call('connect', link.url, { identity: 'ana' });
  await second.state('online');
  const newer = await window.tab('newer', 'elsewhere.html');
  // It settles when nobody holds the database any more.
  await newer.page.evaluate(async () => {
    const [{ name, version }] = await indexedDB.databases();
    const request = indexedDB.open(name, version + 1);
    await new Promise((resolve, reject) => Object.assign(request, { onsuccess: resolve, onerror: reject }));
  });
  for (const one of [tab, second]) {
    const { error } = await one.state('closed');
    assert.equal(error, 'storage');
    assert.ok((await one.page.evaluate(() => window.app.reports)).some(({ kind }) => kind === 'reload-needed'));
    assert.match((await one.call('inspect')).errors.at(-1), / closed: EbbtideError: reload this page: another tab is newer/);
  }
  await eventually('the connection gone', () => link.open, (open) => open === 0);
});

const WITHOUT = {
  'is missing': () => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }),
  'refuses to open': () => {
    IDBFactory.prototype.open = function open() {
      throw new DOMException('not in this mode', 'InvalidStateError');
    };
  },
  'never answers': () => {
    IDBFactory.prototype.open = () => new EventTarget();
  },
};
/** Memory only is the same to a server, for whatever reason; and what never answers takes its time. */
const MEMORY_ONLY = BROKERS.flatMap((broker, place) => Object.entries(WITHOUT).slice(0, place === 0 ? undefined : 1).map((without) => [broker, ...without]));
for (const [{ name, start, programs }, how, script] of MEMORY_ONLY) {
  // Fails if the client waits for storage that never comes, or keeps to itself that nothing will be kept.
  test(`${name}: IndexedDB ${how}: memory only, and said so`, needs(90_000, programs), async (t) => {
    const { broker, tab } = await opened(t, start, {}, { script });
    const sender = await outsider(t, broker);
    const box = await mailbox(broker, 'out/#');
    await tab.eventually('a report', () => window.app.reports.map(({ kind }) => kind), (kinds) => kinds.includes('memory-only'));
    await tab.call('subscribe', 'in/#', { qos: 2 });
    await tab.eventually('granted', () => window.app.subscriptions['in/#'].granted, (qos) => qos === 2);
    await tab.call('publishAll', [1, 2].map((qos) => ({ topic: `out/${qos}`, text: 'sent', qos })));
    assert.equal((await box.collect('both', (all) => all.length >= 2)).length, 2);
    await sender.publishAsync('in/1', 'received', { qos: 2 });
    await tab.eventually('a message', () => window.app.seen(), (texts) => texts.includes('received'));
  });
}

// Fails if a deadline, a keep alive or a wait takes a jump of the wall clock for time that has passed, or never ends after one.
for (const { name, start, programs } of BROKERS) for (const hours of [-24, 24]) {
  test(`${name}: the clock jumps by ${hours} hours: the client stays or comes back, and publishes arrive`, needs(90_000, programs), async (t) => {
    const { broker, link, tab } = await opened(t, start, { keepAliveS: 5 });
    const box = await mailbox(broker, 'out/#');
    await tab.page.evaluate((ms) => {
      const { now } = Date;
      Date.now = () => now.call(Date) + ms;
    }, hours * 3_600_000);
    const before = link.count(true, 'pingreq');
    await tab.call('publishAll', [1, 2].map((qos) => ({ topic: `out/${qos}`, text: 'sent', qos })));
    await tab.state('online');
    await tab.eventually('an empty outbox', () => window.app.outbox(), (rows) => rows.length === 0);
    assert.equal((await box.collect('both', (all) => all.length >= 2)).length, 2);
    await eventually('kept alive', () => link.count(true, 'pingreq'), (count) => count > before);
    link.drop();
    await tab.eventually('offline', () => window.app.states.some(({ state }) => state === 'offline'));
    assert.equal((await tab.state('online')).session, 'resumed');
  });
}

async function opened(t, start, options = {}, { script, quotaBytes } = {}) {
  const broker = await start(t);
  const link = await startLink(t, broker);
  const pages = await startPages(t);
  const window = await openWindow(t, pages);
  const tab = await window.tab('a', 'elsewhere.html');
  if (script) await tab.page.addInitScript(script);
  // Before anything is stored: for a while the browser remembers how much room there was.
  if (quotaBytes) await window.setQuota(tab, quotaBytes);
  await tab.page.goto(pages.url('a'));
  await tab.call('connect', link.url, { identity: 'ana', ...options });
  await tab.state('online');
  return { broker, link, pages, window, tab };
}

/** Waits until the sessions that nobody holds have expired. */
async function gone(broker, sender, expiryS) {
  if (broker.sessions) {
    await eventually('the session gone', () => broker.sessions(), (all) => !all.some(({ client_id: id }) => isOurs(id)));
    return;
  }
  // Mosquitto looks for expired sessions now and then; nothing tells of it but the clock.
  const end = Date.now() + expiryS * 1_000 + 6_000;
  await eventually('its expiry', async () => (await sender.publishAsync('tick', '', { qos: 1 }), Date.now() > end));
}

/** With MQTT 3.1.1 a session ends by Clean Session, and not by time. */
async function endSession(broker, clientId) {
  const client = await mqtt.connectAsync(broker.tcp, { clientId, clean: true, protocolVersion: 4 });
  await client.endAsync();
}

function isOurs(clientId) {
  return !clientId.startsWith('mailbox-') && !clientId.startsWith('mqttjs_');
}
