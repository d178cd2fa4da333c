// Pages that come and go, as far as an engine sees them, in what `profile.mjs` has of a browser.

import assert from 'node:assert/strict';
import { openEngine } from '../engine/index.js';
import { databaseName, openStore } from '../engine/store/open.js';
import { readAll } from '../engine/store/store.js';
import { matches } from '../engine/topic.js';

export { fakeLocks, newProfile } from './profile.mjs';

const LIMITS = {
  outboxMessagesMax: 10_000, outboxBytesMax: 64 << 20, inboxMessagesMax: 10_000, inboxBytesMax: 64 << 20, cacheTopicsMax: 10_000,
  cacheBytesMax: 32 << 20, deadLettersMax: 1_000, heldMessagesMax: 1_000,
};

export function settings({ limits, ...given } = {}) {
  return {
    identity: 'ana', clientId: undefined, credentials: undefined, authenticationMethod: undefined, onAuthenticate: undefined, userProperties: undefined,
    will: undefined, keepAliveS: 30, sessionExpiryS: 86_400, version: 5, receiveMaximum: 1_000, connectTimeoutS: 5, backoffMaxS: 60, storage: 'durable',
    workerUrl: undefined, ...given, limits: { ...LIMITS, ...limits },
  };
}

const engines = [];

/** An engine of this server, with its reports and states; `closeAll` closes it. `load`: how it comes by its machine. */
export function open(server, given, load = server.load) {
  const engine = openEngine('ws://broker/', settings(given), load);
  engines.push(engine);
  engine.reports = [];
  engine.states = [];
  engine.onReport((report) => engine.reports.push(report));
  engine.onState((state) => engine.states.push(state));
  return engine;
}

/** At the end of a test. */
export async function closeAll() {
  for (const engine of engines.splice(0)) await engine.close();
}

/** Events of the page, for all engines that are opened from now on; a test that calls it deletes `addEventListener` at its end. */
export const page = () => {
  const events = new EventTarget();
  globalThis.addEventListener = events.addEventListener.bind(events);
  return (name) => events.dispatchEvent(new Event(name));
};

export const online = (engine) => eventually('online', () => engine.state.state === 'online');

export const leads = async (engine) => (await engine.inspect()).leading;
/** The first leads, the second follows. */
export const pair = async (server) => {
  const leader = open(server);
  await online(leader);
  const follower = open(server);
  await online(follower);
  assert.deepEqual([await leads(leader), await leads(follower)], [true, false]);
  return [leader, follower];
};

export const text = (value) => new TextEncoder().encode(value);
export const read = (payload) => new TextDecoder().decode(payload);

export function draft(topic, given = {}) {
  const { payload = 'x', qos = 1, retain = false, ...rest } = given;
  return { topic, payload: text(payload), qos, retain, coalesce: retain, resend: false, keepOffline: false, ...rest };
}

/** Publishes, and gives promises for the stages. */
export function publish(engine, topic, given) {
  let stored, settled;
  const stages = { stored: new Promise((resolve) => (stored = resolve)), settled: new Promise((resolve) => (settled = resolve)) };
  const { cancel } = engine.publish(draft(topic, given), stored, settled);
  return { ...stages, cancel };
}

/** The last-known values under a filter, as they lie in the store. */
export async function cached(filter) {
  const { store } = await openStore(databaseName('ws://broker/', 'ana'), 'durable', () => {});
  const rows = await readAll(store, 'retained');
  store.close();
  return rows.filter(({ topic }) => matches(filter, topic));
}

/** Subscribes, and notes all that happens. `auto` false: nothing is done until `done` of a message is called. */
export function listen(engine, filter, { auto = true, ...given } = {}) {
  const heard = { messages: [], granted: [], said: [], failed: [], snapshots: [] };
  const { end } = engine.subscribe(filter, { qos: 1, noLocal: false, retainAsPublished: true, retainHandling: 0, cache: true, ...given }, {
    message: (delivery, done) => {
      // What a `Message` makes of it.
      heard.messages.push({ ...delivery, fromCache: delivery.fromCache === true, text: read(delivery.payload), done });
      if (auto) done();
    },
    granted: (qos, said) => {
      heard.granted.push(qos);
      heard.said.push(said);
    },
    failed: (error) => heard.failed.push(error),
    snapshot: (inferred) => heard.snapshots.push(inferred),
  });
  return Object.assign(heard, { end });
}

/** Not the one that a test sets. */
const now = Date.now.bind(Date);

export async function eventually(what, holds, limitMs = 5000) {
  const end = now() + limitMs;
  while (!(await holds())) {
    if (now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
