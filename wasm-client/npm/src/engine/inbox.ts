// The inbox: a message of QoS 1 or 2 is stored before the server hears that it came, then offered to the tabs that want it, and leaves when each
// of them is done or gone and one at least has shown it. A tab that lives and has not said yet what it wants is waited for. Above its limit
// nothing is acknowledged. What nobody wants is counted and removed.

import type { Journal } from './journal.js';
import { bytesOf, type InboxRow, type Store } from './store/store.js';
import { runAsLeader } from './journal.js';
import type { Limits } from '../settings.js';
import type { Incoming, ToTabs } from './wire.js';

const UNCLAIMED_MS = 30_000;
/** Removals gather for as long: a crash in between hands the messages over again, marked. */
const REMOVE_AFTER_MS = 50;

interface Entry {
  bytes: number;
  topic: string;
  filters: string[];
  /** That are not done with it. */
  tabs: Set<string>;
  shown: boolean;
  /** Since when no tab has it, wall clock, ms. */
  idleSince: number;
}

export interface InboxContext {
  store: Store;
  epoch: number;
  journal: Journal;
  limits: Limits;
  /** Tabs that want it, of those that have said so. */
  wanting(message: { topic: string; filters: string[] }): string[];
  /** Tabs that live and have not. */
  silent(): string[];
  incoming(row: InboxRow, redelivered: boolean): Incoming;
  hold(hold: boolean): void;
  deliver(message: Incoming, tabs: string[]): void;
  say(talk: ToTabs): void;
  failed(why: unknown): void;
}

export interface Inbox {
  /** Rows that an earlier leader left. */
  restore(rows: InboxRow[]): void;
  received(row: InboxRow, also: (message: Incoming) => void): void;
  done(id: number, tab: string, shown: boolean): void;
  gone(tab: string): void;
  /** A tab wants more than before. */
  reoffer(): void;
  /** A tab that was silent has said what it wants. */
  spoke(tab: string): void;
  /** `onlineSince`: wall clock, ms; undefined: not online. */
  tick(onlineSince: number | undefined): void;
  readonly low: number;
  readonly count: number;
}

export function openInbox({ store, epoch, journal, limits, wanting, silent, incoming, hold, deliver, say, failed }: InboxContext): Inbox {
  const entries = new Map<number, Entry>();
  /** From before this leader: handed over again. */
  let oldUpTo = 0;
  let next = 0;
  let bytes = 0;
  let holding = false;
  let removals: number[] = [];
  let reoffering = false;

  const measure = (): void => {
    const share = Math.max(entries.size / limits.inboxMessagesMax, bytes / limits.inboxBytesMax);
    if (holding ? share < 0.75 : share >= 1) hold((holding = !holding));
  };
  const enter = (row: InboxRow): Entry => {
    const entry: Entry = { bytes: bytesOf(row), topic: row.topic, filters: row.filters, tabs: new Set(silent()), shown: false, idleSince: Date.now() };
    entries.set(row.id!, entry);
    next = row.id! + 1;
    bytes += entry.bytes;
    return entry;
  };
  const offer = (row: InboxRow, entry: Entry): void => {
    const tabs = wanting(row);
    if (tabs.length === 0) return;
    for (const tab of tabs) entry.tabs.add(tab);
    deliver(incoming(row, row.id! <= oldUpTo), tabs);
  };
  const flush = (): void => {
    const ids = removals;
    removals = [];
    runAsLeader(store, epoch, ['inbox'], 'relaxed', (tx) => {
      for (const id of ids) tx.remove('inbox', id);
    }).catch(failed);
  };
  const remove = (id: number, entry: Entry): void => {
    entries.delete(id);
    bytes -= entry.bytes;
    if (removals.push(id) === 1) setTimeout(flush, REMOVE_AFTER_MS);
    measure();
  };
  const leave = (id: number, entry: Entry, tab: string): void => {
    if (!entry.tabs.delete(tab) || entry.tabs.size > 0) return;
    if (entry.shown) remove(id, entry);
    else {
      entry.idleSince = Date.now();
      reoffer();
    }
  };
  /** Reads rows again, those that are still there, and offers them. */
  const offerAgain = async (ids: number[], then: (row: InboxRow, entry: Entry) => void): Promise<void> => {
    if (ids.length === 0) return;
    await store.run(['inbox'], 'read', (tx) => {
      for (const id of ids) {
        tx.get('inbox', id, (row) => {
          const entry = entries.get(id);
          if (row && entry) then(row, entry);
        });
      }
    }).catch(failed);
  };
  const reoffer = (): void => {
    if (reoffering) return;
    reoffering = true;
    // Once for all that changes in one task.
    queueMicrotask(() => {
      const ids = [...entries].filter(([, entry]) => entry.tabs.size === 0 && wanting(entry).length > 0).map(([id]) => id);
      void offerAgain(ids, (row, entry) => entry.tabs.size === 0 && offer(row, entry)).then(() => void (reoffering = false));
    });
  };
  const spoke = (tab: string): void => {
    const ids = [...entries].filter(([, entry]) => entry.tabs.has(tab)).map(([id]) => id);
    void offerAgain(ids, (row, entry) => {
      if (!entry.tabs.has(tab)) return;
      if (wanting(row).includes(tab)) deliver(incoming(row, row.id! <= oldUpTo), [tab]);
      else leave(row.id!, entry, tab);
    });
  };

  return {
    restore: (rows) => {
      for (const row of rows) enter(row);
      oldUpTo = next - 1;
      measure();
    },
    received: (row, also) => {
      journal.write((tx) => tx.add('inbox', row, (id) => void (row.id = id)));
      journal.then(() => {
        offer(row, enter(row));
        also(incoming(row, false));
        measure();
      });
    },
    done: (id, tab, shown) => {
      const entry = entries.get(id);
      if (!entry) return;
      entry.shown ||= shown;
      leave(id, entry, tab);
    },
    gone: (tab) => {
      for (const [id, entry] of entries) leave(id, entry, tab);
    },
    reoffer,
    spoke,
    tick: (onlineSince) => {
      if (onlineSince === undefined) return;
      const limit = Date.now() - UNCLAIMED_MS;
      const filters = new Set<string>();
      let count = 0;
      for (const [id, entry] of entries) {
        if (entry.tabs.size > 0 || Math.max(entry.idleSince, onlineSince) > limit) continue;
        count++;
        for (const filter of entry.filters.length > 0 ? entry.filters : [entry.topic]) filters.add(filter);
        remove(id, entry);
      }
      if (count > 0) say({ t: 'report', report: { kind: 'unclaimed', count, filters: [...filters] } });
    },
    get low() {
      return entries.keys().next().value ?? next;
    },
    get count() {
      return entries.size;
    },
  };
}
