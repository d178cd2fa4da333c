// What Node lacks of a browser: IndexedDB, Web Locks, localStorage; and pages that come and go, as far as an engine sees them.

import assert from 'node:assert/strict';
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import { openEngine } from '../engine/index.js';

/** Web Locks, for all engines of the process: exclusive, with `steal` and `signal`. */
export function fakeLocks() {
  const held = new Map();
  const queues = new Map();
  const grant = (name) => {
    if (held.has(name)) return;
    const next = queues.get(name)?.shift();
    if (!next) return;
    const lock = { reject: next.reject };
    held.set(name, lock);
    Promise.resolve().then(() => next.callback({ name })).then(next.resolve, next.reject).finally(() => {
      if (held.get(name) !== lock) return;
      held.delete(name);
      grant(name);
    });
  };
  return {
    query: async () => ({ held: [...held.keys()].map((name) => ({ name })) }),
    request(name, given, callback = given) {
      const { steal = false, signal } = typeof given === 'function' ? {} : given;
      return new Promise((resolve, reject) => {
        const aborted = () => new DOMException('the request was aborted', 'AbortError');
        if (signal?.aborted) return reject(aborted());
        const entry = { callback, resolve, reject };
        const queue = queues.get(name) ?? [];
        queues.set(name, queue);
        if (steal) {
          held.get(name)?.reject(aborted());
          held.delete(name);
          queue.unshift(entry);
        } else queue.push(entry);
        signal?.addEventListener('abort', () => {
          const place = queue.indexOf(entry);
          if (place < 0) return;
          queue.splice(place, 1);
          reject(aborted());
        });
        queueMicrotask(() => grant(name));
      });
    },
  };
}

/** A browser profile of its own: fresh storage, fresh locks. */
export function newProfile() {
  const stored = new Map();
  globalThis.indexedDB = new IDBFactory();
  globalThis.IDBKeyRange = IDBKeyRange;
  globalThis.localStorage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, String(value)),
    removeItem: (key) => void stored.delete(key),
  };
  const locks = fakeLocks();
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { locks, onLine: true } });
  return { locks, stored };
}

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
