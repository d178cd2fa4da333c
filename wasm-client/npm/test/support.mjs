// What the tests of the package share.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock } from 'node:test';
import { EbbtideError } from './index.js';
import { createTestBroker } from './testing/index.js';

/** That of Node, also while a test has another. */
const realTimeout = setTimeout;

export const utf8 = (text) => new TextEncoder().encode(text);
export const code = (expected) => (error) => error instanceof EbbtideError && error.code === expected;
export const texts = (messages) => [...messages].map((message) => message.text());

/** In every test: no rejection is unhandled. Returns what was warned of. */
export function guarded() {
  const seen = { warnings: [], unhandled: [], uncaught: [] };
  const onUnhandled = (reason) => seen.unhandled.push(reason);
  beforeEach(() => {
    seen.warnings = [];
    seen.unhandled = [];
    process.on('unhandledRejection', onUnhandled);
    mock.method(console, 'warn', (text) => void seen.warnings.push(text));
  });
  afterEach(async () => {
    await new Promise((resolve) => realTimeout(resolve, 5));
    process.off('unhandledRejection', onUnhandled);
    mock.restoreAll();
    assert.deepEqual(seen.unhandled, []);
  });
  return seen;
}

/** A broker with one client that is online. */
export async function online(options, brokerOptions) {
  const broker = createTestBroker(brokerOptions);
  const client = broker.connect(options);
  await broker.settled();
  return { broker, client };
}

/** Of users. */
export const names = (users) => users.map(({ user }) => user);

/** Who is there, seen from another browser, and what that is told. */
export async function watched(broker, topic) {
  const watcher = broker.connect({ identity: 'watcher' });
  const presence = watcher.presence(topic);
  const changes = [];
  let ready;
  presence.subscribe(({ joined, left, changed }) => {
    const all = [...joined, ...left, ...changed];
    if (all.length > 0) changes.push([names(joined), names(left), names(changed)]);
    else ready = presence.ready;
  });
  await broker.settled();
  assert.equal(ready, true);
  return { watcher, presence, changes };
}

/** The next `count` messages of a loop that goes on. */
export async function take(subscription, count) {
  const messages = [];
  while (messages.length < count) messages.push((await subscription.next()).value);
  return messages;
}

/** What the application's own code threw meanwhile: an error of the page. */
export async function uncaughtDuring(run) {
  const uncaught = [];
  const original = globalThis.setTimeout;
  globalThis.setTimeout = (call, ...rest) =>
    original(() => {
      try {
        call();
      } catch (error) {
        uncaught.push(error);
      }
    }, ...rest);
  try {
    await run();
    await new Promise((resolve) => original(resolve, 5));
  } finally {
    globalThis.setTimeout = original;
  }
  return uncaught;
}
