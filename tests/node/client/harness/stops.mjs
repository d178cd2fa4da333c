// A leader whose whole process is stopped (SIGSTOP) at an arbitrary moment of its traffic, and goes on later: who leads meanwhile, how soon,
// and whether everything goes on where it was.

import assert from 'node:assert/strict';
import { startOnProfile } from './browser.mjs';
import { outsider } from './mailbox.mjs';
import { assertSameList, eventually, folder } from './place.mjs';
import { everyoneHas, fiveTabs, leaderOf, pause, startFeed } from './tabs.mjs';

/** From the stop until another has the connection. */
export const FOLLOWED_WITHIN_MS = 3_000;
/** So long it stays stopped if nobody follows: it has begun to ask for a transaction, and only it can end that. */
const STOPPED_MS = 5_000;
/** Then it goes on, the transaction ends, and the tab that has waited for it leads. */
const RELEASED_WITHIN_MS = 5_000;
/** What comes: by turns at least once and exactly once. */
const LEVELS = [1, 2];
const numbersTo = (count) => Array.from({ length: count }, (_, at) => at);

/** Five tabs to which messages come all the time, and somebody who hears what they publish. */
export async function underTraffic(t, start) {
  // A browser of its own: a tab's process is found by how busy it is, so nothing else may be.
  const open = async (t, pages) => startOnProfile(t, pages, await folder(t));
  const { broker, link, tabs } = await fiveTabs(t, start, { open });
  for (const tab of tabs) await tab.processId();
  const sink = await outsider(t, broker);
  await sink.subscribeAsync('up/#', { qos: 2 });
  const feed = await startFeed(t, broker, LEVELS);
  await everyoneHas(tabs, 20, feed);
  return new Traffic(link, tabs, feed, sink);
}

class Traffic {
  #link;
  #tabs;
  #feed;
  #sink;
  #times = 0;

  constructor(link, tabs, feed, sink) {
    this.#link = link;
    this.#tabs = tabs;
    this.#feed = feed;
    this.#sink = sink;
  }

  /**
   * Stops the leader once, lets it go on, and gives after how many milliseconds another had the connection; undefined: not before it went on.
   * `pauseMs`: the leader publishes with such pauses; undefined: it publishes nothing.
   */
  async stopLeader(pauseMs) {
    const [link, tabs] = [this.#link, this.#tabs];
    const leader = await leaderOf(tabs);
    await leader.state('online');
    const arrived = pauseMs === undefined ? () => {} : await this.#publishFrom(leader, pauseMs);
    await pause(Math.random() * 100);
    const opened = link.opened;
    const isFollowed = () => link.opened > opened && link.open === 1;
    const at = performance.now();
    await leader.suspend();
    const tookMs = await eventually('another connection', isFollowed, Boolean, STOPPED_MS).then(() => performance.now() - at, () => undefined);
    if (tookMs !== undefined) await everyoneHas(tabs.filter((tab) => tab !== leader), this.#feed.sent + 10, this.#feed);
    leader.resume();
    await eventually('another connection, once it goes on', isFollowed, Boolean, RELEASED_WITHIN_MS);
    const next = await leaderOf(tabs);
    assert.notEqual(next.name, leader.name, 'the woken tab follows');
    const connections = link.opened;
    await arrived();
    await everyoneHas(tabs, this.#feed.sent + 10, this.#feed);
    const last = await leaderOf(tabs);
    assert.deepEqual([last.name, link.opened, link.open], [next.name, connections, 1], `${leader.name}, which was woken, changes nothing`);
    return tookMs;
  }

  /** Publishes from the leader until the returned function is called: it waits for all of it, and looks at it. */
  async #publishFrom(leader, pauseMs) {
    const topic = `up/${this.#times++}`;
    const qos = LEVELS[this.#times % LEVELS.length];
    await leader.page.evaluate((given) => window.app.publishOn(...given), [topic, { qos }, pauseMs]);
    await leader.eventually('some publishes', () => window.app.publishedOn, (count) => count > 3);
    return async () => {
      const count = await leader.page.evaluate(() => window.app.publishNoMore());
      const numbers = () => this.#sink.received.filter((message) => message.topic === topic).map(({ text }) => Number(text));
      await eventually(`${topic}: the last`, numbers, (all) => all.includes(count - 1));
      assertSameList(qos === 2 ? numbers() : [...new Set(numbers())], numbersTo(count), `${topic}: each that was stored, in order`);
    };
  }

  /** Ends what comes, and looks at all that each tab was given. */
  async end() {
    await this.#feed.stop();
    await everyoneHas(this.#tabs, this.#feed.sent, this.#feed);
    for (const tab of this.#tabs) {
      const messages = await tab.page.evaluate(() => window.app.messages.map(({ text, qos, dup }) => ({ number: Number(text), qos, dup })));
      for (const [turn, qos] of LEVELS.entries()) {
        const came = messages.filter((message) => message.qos === qos);
        const owed = numbersTo(this.#feed.sent).filter((number) => number % LEVELS.length === turn);
        // What the broker sends once more, because it was not acknowledged before the stop, it says so of.
        const once = qos === 2 ? came : came.filter(({ number, dup }, at) => !dup || came.findIndex((other) => other.number === number) === at);
        assertSameList(once.map(({ number }) => number), owed, `${tab.name}, QoS ${qos}: each once, in order`);
      }
    }
  }
}
