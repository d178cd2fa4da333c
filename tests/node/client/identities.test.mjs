// Whose data it is: identities on one profile, logging out, and what the broker is told when the last tab goes.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { BROKERS } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { mailbox, outsider, sessionPresent } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, needs } from './harness/place.mjs';

for (const { name, start, programs } of BROKERS) {
  // Fails if the client id, the outbox, the inbox or the cache is shared between identities.
  test(`${name}: an identity neither sees nor sends what belongs to another`, needs(90_000, programs), async (t) => {
    const { broker, link, pages, window } = await surroundings(t, start);
    const sender = await outsider(t, broker);
    await sender.publishAsync('state/lamp', 'on', { qos: 1, retain: true });
    const box = await mailbox(broker, 'sent/#');

    const ana = await signIn(window, link, 'ana');
    await ana.call('subscribe', 'state/#', { qos: 1 });
    await ana.eventually('the lamp', () => window.app.messages.map(({ text }) => text), (texts) => texts.includes('on'));
    // One that Ana's page never finishes with: it stays in her inbox.
    await ana.call('subscribe', 'work/#', { qos: 1, note: true });
    await ana.eventually('granted', () => window.app.subscriptions['work/#'].granted, (qos) => qos === 1);
    pages.hold(({ topic }) => topic === 'work/ana');
    await sender.publishAsync('work/ana', 'for Ana', { qos: 1 });
    await pages.noted('her message', (notes) => notes.length > 0);
    link.cut();
    await ana.state('offline');
    await ana.call('publishAll', [{ topic: 'sent/1', text: 'by Ana', qos: 1 }]);
    await ana.close();
    pages.release();

    const ben = await signIn(window, link, 'ben', 'offline');
    assert.deepEqual(await ben.call('outbox'), []);
    await ben.call('subscribe', 'state/#', { qos: 1 });
    await ben.call('subscribe', 'work/#', { qos: 1 });
    await ben.call('publishAll', [{ topic: 'sent/1', text: 'by Ben', qos: 1 }]);
    link.restore();
    await ben.eventually('his own', () => window.app.outbox(), (rows) => rows.length === 0);
    const [first] = await ben.eventually('the lamp', () => window.app.messages, (messages) => messages.length > 0);
    assert.deepEqual([first.topic, first.text, first.fromCache], ['state/lamp', 'on', false]);
    assert.deepEqual((await box.collect('one', (all) => all.length > 0)).map(({ text }) => text), ['by Ben']);
    assert.ok(!(await ben.call('seen')).includes('for Ana'));

    const anaAgain = await signIn(window, link, 'ana', 'online');
    await anaAgain.call('subscribe', 'work/#', { qos: 1 });
    await anaAgain.eventually('her inbox', () => window.app.seen(), (texts) => texts.includes('for Ana'));
    const texts = await box.collect('hers', (all) => all.length > 0);
    assert.deepEqual(texts.map(({ text }) => text), ['by Ana']);
    if (broker.sessions) assert.equal((await broker.sessions()).filter(({ connected }) => connected).length, 3, 'the sender, Ana, Ben');
  });
}

for (const { name, start, programs } of BROKERS) {
  // Fails if a row, a key or a lock of the identity stays, if the session stays at the broker, or if another identity loses data.
  test(`${name}: forget() leaves nothing behind, here and at the broker`, needs(90_000, programs), async (t) => {
    const { broker, link, window } = await surroundings(t, start);
    const stored = async (tab) => (await tab.call('stored')).filter((name) => name.includes('ana'));

    const ana = await signIn(window, link, 'ana', 'online');
    await ana.call('subscribe', 'state/#', { qos: 1 });
    const second = await signIn(window, link, 'ana', 'online');
    const ben = await signIn(window, link, 'ben', 'online');
    const before = await broker.sessions?.();
    assert.notDeepEqual(await stored(ana), []);
    // One is still in her outbox: it never reaches the broker.
    link.answers.publish = () => ({ cmd: 'pingresp' });
    await ana.call('publishAll', [{ topic: 'sent/1', text: 'by Ana', qos: 1 }]);
    await eventually('it is under way', () => ana.call('outbox'), ([only]) => only?.stage === 'sent');

    await ana.call('forget');
    await ana.state('closed');
    await second.state('closed');
    assert.deepEqual(await stored(ana), []);
    await eventually('her connection gone', () => link.open, (open) => open === 1);
    const [{ packet: { clientId } }] = link.trace.filter(({ packet }) => packet.cmd === 'connect');
    if (before) await eventually('her session gone', () => broker.sessions(), (all) => all.length === before.length - 1);
    assert.equal(await sessionPresent(broker, clientId, '5.0'), false);
    await ben.state('online');
    assert.notDeepEqual((await ben.call('stored')).filter((name) => name.includes('ben')), []);

    const again = await signIn(window, link, 'ana', 'online');
    assert.equal((await again.state('online')).session, 'fresh');
    assert.deepEqual(await again.call('outbox'), []);
  });
}

for (const { name, start, programs } of BROKERS) {
  for (const version of ['5.0', '3.1.1']) {
    // Fails if it gives up because nobody leads yet, or if the session stays that a CONNECT without its answer has begun.
    test(`${name}, ${version}: forget() right after connect() ends the session, too`, needs(90_000, programs), async (t) => {
      const { broker, link, window } = await surroundings(t, start);
      const before = await signIn(window, link, 'ana', 'online', { version });
      await before.close();
      const tab = await window.tab('ana');
      const forget = () => tab.page.evaluate(([url, version]) => {
        window.app.connect(url, { identity: 'ana', version });
        return window.app.forget();
      }, [link.url, version]);
      await forget();
      assert.deepEqual((await tab.call('stored')).filter((name) => name.includes('ana')), []);

      // Nobody knows it any more: the session that this begins is as new to the page as to the broker.
      const held = link.gate({ up: false, cmd: 'connack' });
      await tab.call('connect', link.url, { identity: 'ana', version });
      await held.reached;
      const forgotten = tab.call('forget');
      await tab.eventually('the page waits', () => window.app.client.inspect().then(({ leader }) => leader?.clientId), Boolean);
      held.open();
      await forgotten;
      // Whether CONNECT has left by then or not.
      await forget();
      const clientIds = link.trace.filter(({ packet }) => packet.cmd === 'connect').map(({ packet }) => packet.clientId);
      const different = new Set(clientIds);
      assert.ok(different.size >= 2);
      for (const clientId of different) assert.equal(await sessionPresent(broker, clientId, version), false, clientId);
    });

    // Fails if it takes a session for none because the answer to its CONNECT was lost: in this page, or in one before it.
    test(`${name}, ${version}: forget() ends a session that began without an answer, or says that it stays`, needs(90_000, programs), async (t) => {
      const { broker, link, window } = await surroundings(t, start);
      const begin = async () => {
        const held = link.gate({ up: false, cmd: 'connack' });
        const tab = await window.tab('ana');
        await tab.call('connect', link.url, { identity: 'ana', version });
        await held.reached;
        link.cut();
        await tab.state('offline');
        return tab;
      };
      const latest = () => link.trace.findLast(({ packet }) => packet.cmd === 'connect').packet.clientId;
      const reload = async (tab) => {
        await tab.close();
        return signIn(window, link, 'ana', 'offline', { version });
      };
      for (const again of [(tab) => tab, reload]) {
        const tab = await again(await begin());
        const forgotten = tab.call('forget');
        link.restore();
        await forgotten;
        assert.deepEqual((await tab.call('stored')).filter((name) => name.includes('ana')), []);
        assert.equal(await sessionPresent(broker, latest(), version), false, again.name);
        await tab.close();
      }
      // None has left: there is nothing to be waited for.
      link.cut();
      await (await signIn(window, link, 'ana', 'offline', { version })).call('forget');
      link.restore();
      const tab = await begin();
      await assert.rejects(tab.call('forget'), /the server did not answer, and may keep the session/);
      assert.deepEqual((await tab.call('stored')).filter((name) => name.includes('ana')), []);
      assert.equal(await sessionPresent(broker, latest(), version), true);
    });

    // Fails if a page takes the session that the CONNECT of the page before it has begun for one whose data are lost.
    test(`${name}, ${version}: a session that began without an answer is fresh to the next page, too`, needs(90_000, programs), async (t) => {
      const { link, window } = await surroundings(t, start);
      const held = link.gate({ up: false, cmd: 'connack' });
      const first = await window.tab('ana');
      await first.call('connect', link.url, { identity: 'ana', version });
      await held.reached;
      await first.close();
      held.open();
      const second = await signIn(window, link, 'ana', 'online', { version });
      assert.ok(link.trace.some(({ packet }) => packet.cmd === 'connack' && packet.sessionPresent), 'the broker has it');
      assert.equal((await second.state('online')).session, 'fresh');
      assert.deepEqual((await second.page.evaluate(() => window.app.reports)).filter(({ kind }) => kind === 'evicted'), []);
    });

    // Fails if it takes a session for none because all that was stored of it is gone: in this page, or in one before it.
    test(`${name}, ${version}: forget() ends the session of a storage that was evicted`, needs(90_000, programs), async (t) => {
      const { broker, link, window } = await surroundings(t, start);
      const before = await signIn(window, link, 'ana', 'online', { version });
      await before.close();
      await eventually('its connection gone', () => link.open, (open) => open === 0);
      await window.evictDatabases(await window.tab('other', 'elsewhere.html'));
      link.cut();
      await (await signIn(window, link, 'ana', 'offline', { version })).close();
      const tab = await signIn(window, link, 'ana', 'offline', { version });
      const forgotten = tab.call('forget');
      link.restore();
      await forgotten;
      const different = new Set(link.trace.filter(({ packet }) => packet.cmd === 'connect').map(({ packet }) => packet.clientId));
      assert.equal(different.size, 1);
      assert.equal(await sessionPresent(broker, ...different, version), false);
    });

    // Fails if the session is left to expire, where it does, or to stay for ever; or if the will is published.
    test(`${name}, ${version}: forget() ends the session at the broker`, needs(90_000, programs), async (t) => {
      const { broker, link, window } = await surroundings(t, start);
      const witness = await outsider(t, broker);
      await witness.subscribeAsync('will/#', { qos: 1 });
      const ana = await signIn(window, link, 'ana', 'online', { version, will: { topic: 'will/ana', payload: 'gone', qos: 1 } });
      await ana.call('forget');
      await eventually('its connection gone', () => link.open, (open) => open === 0);
      const { clientId } = link.trace.find(({ packet }) => packet.cmd === 'connect').packet;
      assert.equal(await sessionPresent(broker, clientId, version), false);
      assert.deepEqual(witness.received.map(({ text }) => text), []);
    });

    // Fails if only the tab that holds the connection can turn the presence entry offline: it would be online for ever.
    test(`${name}, ${version}: forget() in another tab turns the presence entry offline`, needs(90_000, programs), async (t) => {
      const { broker, link, window } = await surroundings(t, start);
      const witness = await outsider(t, broker);
      await witness.subscribeAsync('presence/#', { qos: 1 });
      const statuses = () => witness.received.map(({ text }) => JSON.parse(text).status);
      const options = { version, presence: { topic: 'presence/{client}', offlineDelayS: 1 } };
      await signIn(window, link, 'ana', 'online', options);
      const second = await signIn(window, link, 'ana', 'online', options);
      await eventually('there', statuses, (all) => all.at(-1) === 'online');
      await second.call('forget');
      await eventually('gone', statuses, (all) => all.at(-1) === 'offline');
      await eventually('its connection gone', () => link.open, (open) => open === 0);
      const { clientId } = link.trace.find(({ packet }) => packet.cmd === 'connect').packet;
      assert.equal(await sessionPresent(broker, clientId, version), false);
    });
  }
}

for (const { name, start, programs } of BROKERS) {
  for (const version of ['5.0', '3.1.1']) {
    // Fails if a tab that closes says goodbye for good, if `close()` does not, or if one tab of several ends the connection.
    test(`${name}, ${version}: the will fires with the last tab, and not after close()`, needs(90_000, programs), async (t) => {
      const { broker, link, window } = await surroundings(t, start);
      const witness = await outsider(t, broker);
      await witness.subscribeAsync('will/#', { qos: 1 });
      const wills = () => witness.received.filter(({ text }) => text === 'gone');
      // A will without a delay, as all are in 3.1.1, fires with each connection that ends, and so when the next tab takes over.
      const will = { topic: 'will/ana', payload: 'gone', qos: 1, ...(version === '5.0' && { delayIntervalS: 5 }) };
      const options = { version, will };
      const marked = async (text) => {
        await eventually('no connection', () => link.open, (open) => open === 0);
        await witness.publishAsync('will/marker', text, { qos: 1 });
        await eventually('the marker', () => witness.received.some((message) => message.text === text));
      };

      const first = await signIn(window, link, 'ana', 'online', options);
      const second = await signIn(window, link, 'ana', 'online', options);
      await first.close();
      await second.call('publishAll', [{ topic: 'will/alive', text: 'alive', qos: 1 }]);
      await eventually('the second tab works', () => witness.received.some(({ text }) => text === 'alive'));
      assert.equal(link.open, 1);
      const before = wills().length;
      assert.equal(before, version === '5.0' ? 0 : 1, 'wills before the last tab');
      await second.close();
      await eventually('the will', () => wills().length, (count) => count === before + 1);
      await marked('after the tabs');

      const third = await signIn(window, link, 'ana', 'online', options);
      await third.call('close');
      await marked('after close()');
      assert.equal(wills().length, before + 1);
    });
  }
}

async function surroundings(t, start) {
  const broker = await start(t);
  const link = await startLink(t, broker);
  const pages = await startPages(t);
  return { broker, link, pages, window: await openWindow(t, pages) };
}

async function signIn(window, link, identity, state = 'online', options = {}) {
  const tab = await window.tab(identity);
  await tab.call('connect', link.url, { identity, ...options });
  await tab.state(state);
  return tab;
}
