// The leader's side of the last-known values: retained messages under filters that are cached are kept by topic; after a snapshot, what the
// server did not send any more goes, and the tabs are told. Writes gather and are relaxed: what they lose, the next snapshot brings again.

import { runAsLeader } from './journal.js';
import { bytesOf, isFull, readAll, type RetainedRow, type Store } from './store/store.js';
import { matches } from './topic.js';
import type { Limits } from '../settings.js';
import type { Incoming } from './wire.js';

const WRITE_AFTER_MS = 100;

export interface Cache {
  note(message: Incoming): void;
  /** Retained values of the filter are on their way. */
  begin(filter: string): void;
  /** All have come: those under the filter that have not are gone. */
  complete(filter: string): Promise<void>;
  /** Resolves when all that was noted can be read by any tab. */
  flush(): Promise<void>;
  /** The storage is full: all of it goes. */
  clear(): Promise<void>;
  readonly count: number;
  /** A limit has removed values: the server has more than is here. */
  readonly partial: boolean;
}

export function openCache(store: Store, epoch: number, limits: Limits, caches: (filter: string) => boolean, cached: () => string[], swept: (topic: string) => void, failed: (why: unknown) => void): Cache {
  /** Topic → bytes; the one not seen for longest first. */
  const sizes = new Map<string, number>();
  /** Filter → topics that have come since its snapshot began. */
  const seen = new Map<string, Set<string>>();
  let bytes = 0;
  let partial = false;
  let writes = new Map<string, RetainedRow | undefined>();
  let flushing: Promise<void> = Promise.resolve();

  const size = (topic: string, now: number | undefined): void => {
    bytes += (now ?? 0) - (sizes.get(topic) ?? 0);
    sizes.delete(topic);
    if (now !== undefined) sizes.set(topic, now);
  };
  const write = (topic: string, row: RetainedRow | undefined): void => {
    size(topic, row && bytesOf(row));
    if (writes.size === 0) setTimeout(() => void flush(), WRITE_AFTER_MS);
    writes.set(topic, row);
  };
  const clear = (): Promise<void> => {
    sizes.clear();
    writes.clear();
    bytes = 0;
    partial = true;
    return runAsLeader(store, epoch, ['retained'], 'relaxed', (tx) => tx.clear('retained'));
  };
  const flush = (): Promise<void> => {
    if (writes.size === 0) return flushing;
    const batch = writes;
    writes = new Map();
    return (flushing = runAsLeader(store, epoch, ['retained'], 'relaxed', (tx) => {
      for (const [topic, row] of batch) {
        if (row) tx.put('retained', row);
        else tx.remove('retained', topic);
      }
    }).catch((why: unknown) => (isFull(why) ? clear().catch(failed) : failed(why))));
  };

  // Topics and sizes, not values. Nothing but a sweep waits for it, least of all the first values of a page.
  const restored = readAll(store, 'retained').then((rows) => {
    const newer = [...sizes];
    for (const row of rows.sort((a, b) => a.storedAt - b.storedAt)) if (!writes.has(row.topic)) size(row.topic, bytesOf(row));
    for (const [topic, now] of newer) size(topic, now);
  }).catch(failed);

  return {
    note: ({ topic, payload, qos, retain, properties, filters }) => {
      if (!retain) return;
      for (const [filter, topics] of seen) if (filters.length > 0 ? filters.includes(filter) : matches(filter, topic)) topics.add(topic);
      if (!(filters.length > 0 ? filters.some(caches) : cached().some((filter) => matches(filter, topic)))) return;
      if (payload.length === 0) {
        if (sizes.has(topic)) write(topic, undefined);
        return;
      }
      write(topic, { topic, payload, qos, properties, storedAt: Date.now() });
      while (sizes.size > limits.cacheTopicsMax || bytes > limits.cacheBytesMax) {
        partial = true;
        write(sizes.keys().next().value!, undefined);
      }
    },
    begin: (filter) => {
      // Others may have ended before all had come.
      for (const [one] of seen.set(filter, new Set())) if (!caches(one)) seen.delete(one);
    },
    complete: async (filter) => {
      const topics = seen.get(filter);
      if (!topics) return;
      await restored;
      // What has come meanwhile is seen, too; and the snapshot may have begun anew.
      if (seen.get(filter) !== topics) return;
      seen.delete(filter);
      for (const topic of [...sizes.keys()]) {
        if (topics.has(topic) || !matches(filter, topic)) continue;
        write(topic, undefined);
        swept(topic);
      }
    },
    flush,
    clear,
    get count() {
      return sizes.size;
    },
    get partial() {
      return partial;
    },
  };
}
