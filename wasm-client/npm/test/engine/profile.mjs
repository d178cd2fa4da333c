// What Node lacks of a browser, in which an engine stores something: IndexedDB, Web Locks, localStorage. Nothing of the package is imported.

import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';

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
