// The inbox: a message of QoS 1 or 2 is stored before the server hears that it came, then offered to the tabs that want it, and leaves when each
// of them is done and one at least has shown it. What a tab had not done when it went is for another that has not had it. A tab that lives and has not said yet what it wants is waited for. Above its limit
// nothing is acknowledged. What nobody wants is counted and removed. A message of QoS 0 does not overtake those of its topic.

import type { Report } from '../engine.js';
import type { Journal } from './journal.js';
import { bytesOf, type InboxMessage, type InboxRow, type Store } from './store/store.js';
import { runAsLeader } from './journal.js';
import type { Limits } from '../settings.js';
import type { Incoming } from './wire.js';
import { isShared, type Addressed } from './wishes.js';

const UNCLAIMED_MS = 30_000;
/** Removals gather for as long: a crash in between hands the messages over again, marked. The end of the page does not, see `Inbox.stop`. */
const REMOVE_AFTER_MS = 50;

/** In one row, at most: less is written again when some of it is done. The id of a message is that of its row times this, and its place. */
const ROW_MAX = 64;

interface Entry {
  row: number;
  bytes: number;
  topic: string;
  filters: string[];
  /** Tab → in which turn it was sent it; 0: it is still to be; -1: it is done with it. */
  tabs: Map<string, number>;
  /** Begins at 1. Another turn: a tab had it, and is not done with it. */
  turn: number;
  /** A tab may have gone in the middle of it. */
  again: boolean;
  /** In which turn, the last time; 0: in none. */
  shown: number;
  /** Since when no tab has it, as `performance.now()`: the wall clock may be set. */
  idleSince: number;
}

export interface InboxContext {
  store: Store;
  epoch: number;
  rows: number;
  journal: Journal;
  limits: Limits;
  /** Tabs that want it, of those that have said so. */
  wanting(message: Addressed): string[];
  /** Those of them that are sent it. */
  takers(message: Addressed): string[];
  /** Tabs that live and have not. */
  silent(): string[];
  incoming(message: InboxMessage, id: number | undefined, redelivered: boolean): Incoming;
  hold(hold: boolean): void;
  deliver(message: Incoming, tabs: string[]): void;
  report(report: Report): void;
  failed(why: unknown): void;
}

export interface Inbox {
  /** Rows that an earlier leader left. */
  restore(rows: InboxRow[]): void;
  received(message: InboxMessage, also: (message: Incoming) => void): void;
  /** Shows a message that is not stored: behind those of its topic that are being stored, or the last value of a topic might be an earlier one. */
  follow(topic: string, show: () => void): void;
  /** What comes from now on is of the next transaction. */
  cut(): void;
  done(id: number, tab: string, shown: boolean | undefined): void;
  gone(tab: string): void;
  /** A tab has said what it wants, for the first time or more than before. */
  spoke(tab: string): void;
  /** `onlineSince`: as `performance.now()`; undefined: not online. */
  tick(onlineSince: number | undefined): void;
  /** Removes what is done, for there is no later. Rows of which something is left are left as they are. */
  stop(): void;
  /** Resolves when tabs that have spoken have what waited for them then. */
  readonly caught: Promise<unknown>;
  readonly low: number;
  /** How many rows there were, counted from any number, over all leaders. */
  readonly rows: number;
  readonly count: number;
}

export function openInbox({ store, epoch, rows: came, journal, limits, wanting, takers, silent, incoming, hold, deliver, report, failed }: InboxContext): Inbox {
  const entries = new Map<number, Entry>();
  /** Row → how many of its messages are not done. */
  const rows = new Map<number, number>();
  /** The row that is being gathered. */
  let open: InboxRow | undefined;
  /** What is to be shown once it is stored, in order. */
  let shows: ((stored: [number, Entry][]) => void)[];
  /** Topic → that of the last row with a message of it, while that is being stored. */
  const last = new Map<string, typeof shows>();
  let bytes = 0;
  let holding = false;
  /** Rows that have lost messages. */
  let touched = new Set<number>();
  /** The same, while that is being written: a new leader would find all of them. */
  const writing = new Set<Set<number>>();
  /** Tabs that are being sent what waited for them; what comes meanwhile waits, too, or it would go before. */
  const catching = new Set<string>();
  let caught: Promise<unknown> = Promise.resolve();

  const idOf = (row: InboxRow, { n }: InboxMessage): number => row.id! * ROW_MAX + n;
  const measure = (): void => {
    const share = Math.max(entries.size / limits.inboxMessagesMax, bytes / limits.inboxBytesMax);
    if (holding ? share < 0.75 : share >= 1) hold((holding = !holding));
  };
  const enter = (row: InboxRow, again: boolean): [number, Entry][] => {
    rows.set(row.id!, row.list.length);
    const entered = row.list.map((message): [number, Entry] => {
      const { topic, filters } = message;
      const tabs = new Map(isShared(message) ? [] : silent().map((tab) => [tab, 0]));
      const entry = { row: row.id!, bytes: bytesOf(message), topic, filters, tabs, turn: 1, again, shown: 0, idleSince: performance.now() };
      const id = idOf(row, message);
      entries.set(id, entry);
      bytes += entry.bytes;
      return [id, entry];
    });
    measure();
    return entered;
  };
  const write = (ids: Iterable<number>, parts: InboxRow[]): Promise<void> => runAsLeader(store, epoch, ['inbox'], 'relaxed', (tx) => {
    for (const rowId of ids) if (!rows.has(rowId)) tx.remove('inbox', rowId);
    for (const row of parts) if (rows.has(row.id!)) tx.put('inbox', { ...row, list: row.list.filter((message) => entries.has(idOf(row, message))) });
  });
  const flush = async (): Promise<void> => {
    const ids = touched;
    touched = new Set();
    writing.add(ids);
    const parts: InboxRow[] = [];
    try {
      const some = [...ids].filter((rowId) => rows.has(rowId));
      // Nobody else writes them. A transaction that waited for this answer would keep all tabs waiting if this one were stopped.
      if (some.length > 0) await store.run(['inbox'], 'read', (tx) => some.forEach((rowId) => tx.get('inbox', rowId, (row) => row && parts.push(row))));
      await write(ids, parts);
      writing.delete(ids);
    } catch (why) {
      failed(why);
    }
  };
  const remove = (id: number, { row, bytes: its }: Entry): void => {
    entries.delete(id);
    bytes -= its;
    const left = rows.get(row)! - 1;
    if (left > 0) rows.set(row, left);
    else rows.delete(row);
    if (touched.size === 0) setTimeout(flush, REMOVE_AFTER_MS);
    touched.add(row);
    measure();
  };
  /** No tab is in the middle of it, or still to be asked. */
  const isIdle = ({ tabs }: Entry): boolean => [...tabs.values()].every((turn) => turn < 0);
  const leave = (id: number, entry: Entry): void => {
    if (!isIdle(entry)) return;
    if (entry.shown === entry.turn) remove(id, entry);
    else {
      entry.idleSince = performance.now();
      wanting(entry).forEach(spoke);
    }
  };
  /** Whether the tab is to be sent it, or asked for the first time whether it wants it. */
  const waits = (entry: Entry, tab: string): boolean => entry.tabs.get(tab) === 0 || (!entry.tabs.has(tab) && isIdle(entry) && wanting(entry).includes(tab));
  const round = async (tab: string): Promise<unknown> => {
    const behind: [number, Entry][] = [...entries].filter(([, entry]) => waits(entry, tab));
    if (behind.length === 0) return catching.delete(tab);
    await store.run(['inbox'], 'read', (tx) => {
      for (const rowId of new Set(behind.map(([, { row }]) => row))) {
        tx.get('inbox', rowId, (row) => row?.list.forEach((message) => {
          const id = idOf(row, message);
          const entry = entries.get(id);
          if (!entry || !waits(entry, tab) || !wanting(entry).includes(tab)) return;
          entry.tabs.set(tab, entry.turn);
          deliver({ ...incoming(message, id, entry.again), late: true }, [tab]);
        }));
      }
    });
    for (const [id, entry] of behind) {
      if (!entries.has(id) || !waits(entry, tab)) continue;
      // It does not want it, or the store does not have it.
      if (entry.tabs.delete(tab)) leave(id, entry);
      else remove(id, entry);
    }
    void catchUp(tab);
  };
  /** Of what waits now; what comes meanwhile follows. */
  const catchUp = (tab: string): Promise<unknown> => round(tab).catch((why: unknown) => {
    catching.delete(tab);
    failed(why);
  });
  const spoke = (tab: string): void => {
    if (catching.has(tab)) return;
    catching.add(tab);
    // Once for all that changes in one task.
    caught = Promise.all([caught, Promise.resolve(tab).then(catchUp)]);
  };

  /** Rows of which something is done that may still be in the store. */
  const undone = (): number[] => [touched, ...writing].flatMap((some) => [...some]);

  return {
    restore: (found) => found.forEach((row) => enter(row, true)),
    received: (message, also) => {
      if (!open || open.list.length === ROW_MAX) {
        const row: InboxRow = (open = { list: [] });
        const ours: typeof shows = (shows = []);
        journal.write((tx) => tx.add('inbox', row, (id) => void (row.id = id)));
        let entered: [number, Entry][];
        // What fills the inbox is itself held back.
        journal.before(() => void (entered = enter(row, false)));
        journal.after(() => {
          came = row.id! - epoch;
          for (const [topic, its] of last) if (its === ours) last.delete(topic);
          for (const show of ours) show(entered);
        });
      }
      const n = (message.n = open.list.push(message) - 1);
      last.set(message.topic, shows);
      shows.push((stored) => {
        const [id, { tabs }] = stored[n]!;
        const news = incoming(message, id, false);
        deliver(news, takers(message).filter((tab) => {
          const now = catching.has(tab) ? 0 : 1;
          tabs.set(tab, now);
          return now;
        }));
        also(news);
      });
    },
    follow: (topic, show) => {
      const behind = last.get(topic);
      if (behind) behind.push(show);
      else show();
    },
    cut: () => void (open = undefined),
    done: (id, tab, shown) => {
      const entry = entries.get(id);
      if (!entry) return;
      if (shown === false) {
        // It was not given it, whoever else shows it.
        entry.turn++;
        entry.tabs.delete(tab);
      } else {
        // What it shows of an earlier turn is not for whoever went in the middle of it.
        if (shown) entry.shown = Math.max(entry.shown, entry.tabs.get(tab) || entry.turn);
        entry.tabs.set(tab, -1);
      }
      leave(id, entry);
    },
    gone: (tab) => {
      for (const [id, entry] of entries) {
        const turn = entry.tabs.get(tab)!;
        if (turn > 0) {
          entry.turn++;
          entry.again = true;
        }
        if (turn >= 0 && entry.tabs.delete(tab)) leave(id, entry);
      }
    },
    spoke,
    tick: (onlineSince) => {
      if (onlineSince === undefined) return;
      const limit = performance.now() - UNCLAIMED_MS;
      const filters = new Set<string>();
      let count = 0;
      for (const [id, entry] of entries) {
        if (!isIdle(entry) || Math.max(entry.idleSince, onlineSince) > limit) continue;
        remove(id, entry);
        // Else one has shown it.
        if (entry.tabs.size > 0) continue;
        count++;
        for (const filter of entry.filters.length > 0 ? entry.filters : [entry.topic]) filters.add(filter);
      }
      if (count > 0) report({ kind: 'unclaimed', count, filters: [...filters] });
    },
    stop: () => {
      const ids = undone();
      if (ids.length > 0) write(ids, []).catch(() => {});
    },
    get caught() {
      return caught;
    },
    get low() {
      return undone().reduce((low, rowId) => Math.min(low, rowId * ROW_MAX), entries.keys().next().value ?? (came + epoch + 1) * ROW_MAX);
    },
    get rows() {
      return came;
    },
    get count() {
      return entries.size;
    },
  };
}
