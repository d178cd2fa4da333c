// What was published offline outlives the page, the browser and the broker.

import assert from 'node:assert/strict';
import test from 'node:test';
import { startOnProfile } from './harness/browser.mjs';
import { BROKERS } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { mailbox } from './harness/mailbox.mjs';
import { startPages } from './harness/pages.mjs';
import { assertSameList, folder, needs } from './harness/place.mjs';

/** A browser that is killed twice takes its time: once with each version, and with 5.0 on each broker. */
const CASES = BROKERS.map((broker) => ({ ...broker, version: '5.0' })).concat({ ...BROKERS[1], version: '3.1.1' });
const EACH = 100;
const numbers = Array.from({ length: EACH }, (_, at) => String(at));

// Fails if a publish is not on disk when `stored` settles, if packet ids or stages are stored after the bytes have left, if the
// outbox is sent out of order, or if what was acknowledged is sent again.
for (const { end, start, programs, version } of CASES) {
  test(`${version}: 200 offline publishes survive two kills of the browser and ${end}`, needs(90_000, programs), async (t) => {
    const broker = await start(t);
    const box = await mailbox(broker, 'offline/#');
    const link = await startLink(t, broker);
    const pages = await startPages(t);
    const profile = await folder(t);
    const open = async () => {
      const window = await startOnProfile(t, pages, profile);
      const tab = await window.tab('a');
      await tab.call('connect', link.url, { identity: 'ana', version });
      return { window, tab };
    };

    link.cut();
    let { window, tab } = await open();
    await tab.state('offline');
    const drafts = numbers.flatMap((text) => [1, 2].map((qos) => ({ topic: `offline/${qos}`, text, qos })));
    await tab.call('publishAll', drafts);
    assert.equal((await tab.call('outbox')).length, 2 * EACH);
    await tab.close();
    await window.kill();
    link.restore();

    // Twice in the middle of it, with some acknowledged and some under way.
    const underWay = async (happens) => {
      let left = 30;
      const gate = link.gate({ up: false, cmd: 'pubrec', fits: () => (left -= 1) < 0 });
      ({ window, tab } = await open());
      await gate.reached;
      const mayRepeat = (await tab.call('outbox')).filter(({ stage }) => stage !== 'released').map(nameOf);
      const behind = link.trace.length;
      await happens();
      gate.open();
      return { mayRepeat, behind };
    };
    const atKill = await underWay(() => window.kill());
    const atBrokersKill = await underWay(() => broker.kill());
    await broker.restart();

    await tab.eventually('an empty outbox', () => window.app.outbox(), (rows) => rows.length === 0, 40_000);
    const messages = await box.collect('all of them', (all) => new Set(all.map(({ topic, text }) => topic + text)).size >= 2 * EACH);
    const texts = (qos) => messages.filter(({ topic }) => topic === `offline/${qos}`).map(({ text }) => text);
    assertSameList(texts(2), numbers, 'QoS 2 exactly once, in order');
    assertSameList([...new Set(texts(1))], numbers, 'QoS 1 in order');
    for (const { mayRepeat, behind } of [atKill, atBrokersKill]) {
      const sentBehind = link.trace.slice(behind).filter(({ up, packet }) => up && packet.cmd === 'publish');
      const repeated = sentBehind.map(({ packet }) => nameOf({ topic: packet.topic, text: packet.payload }));
      assertSameList(repeated.filter((message) => !mayRepeat.includes(message)), [], 'only what was not acknowledged is sent again');
    }
  });
}

function nameOf({ topic, text }) {
  return `${topic} ${text}`;
}
