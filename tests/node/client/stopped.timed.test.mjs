// The tab that leads is stopped, its whole process, at any moment of its traffic: another leads within 3 s, but for the moments that
// docs/decisions/019-a-leader-that-is-stopped.md names; and whatever the moment was, nothing is lost, shown twice or undone.
//
// `cargo xtask bench stops` stops it more often, at each pace of publishing, and prints the table of that decision.

import assert from 'node:assert/strict';
import test from 'node:test';
import { BROKERS } from './harness/broker.mjs';
import { needs } from './harness/place.mjs';
import { FOLLOWED_WITHIN_MS, underTraffic } from './harness/stops.mjs';

/** How often, if it is to be measured. */
const MEASURED = Number(process.env.EBBTIDE_BENCH_STOPS ?? 0);
const STOPS = MEASURED || 10;
/** A share that is far below what the decision says of it, so that chance does not decide. Under half of the stops are followed if a leader's transactions need its page. */
const SHARE_MIN = 0.6;

/** What the tab that is stopped does beside receiving: pauses between its publishes, ms. */
const PACES = [
  { does: 'publishes nothing' },
  { does: 'publishes, then pauses for 50 ms', pauseMs: 50, isGate: true },
  { does: 'publishes without a pause: the next one when the last is stored', pauseMs: 0 },
];

const CASES = MEASURED
  ? PACES.map((pace) => ({ ...pace, ...BROKERS[0] }))
  : BROKERS.flatMap((broker) => PACES.filter(({ isGate }) => isGate).map((pace) => ({ ...pace, ...broker })));

for (const { name, start, programs, does, pauseMs } of CASES) {
  // Fails if a leader's transactions need its page, if a woken one writes or sends, or if the inbox is not shared.
  test(`${name}: stopped ${STOPS} times while it ${does}: another leads, nothing is lost or shown twice`, needs(60_000 + STOPS * 15_000, programs), async (t) => {
    const traffic = await underTraffic(t, start);
    const took = [];
    while (took.length < STOPS) took.push(await traffic.stopLeader(pauseMs));
    await traffic.end();
    const soon = took.filter((ms) => ms <= FOLLOWED_WITHIN_MS).length;
    t.diagnostic(`| ${does} | ${soon} of ${STOPS} |`);
    t.diagnostic(`after ${took.map((ms) => (ms === undefined ? 'it went on' : `${Math.round(ms)} ms`)).join(', ')}`);
    if (!MEASURED) assert.ok(soon >= STOPS * SHARE_MIN, `${soon} of ${STOPS} stops were followed within ${FOLLOWED_WITHIN_MS} ms`);
  });
}
