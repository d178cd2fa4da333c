// The machine's journal: what it hands over between two tickets goes into one transaction, and what waits on a ticket happens only after
// that. Tickets that queue up behind a running transaction share the next one; their order never changes. Nothing is written by a leader
// whose epoch is over.

import { readSum } from './store/outbox.js';
import type { Store, Sum, Table, Tx } from './store/store.js';

/** Why a transaction was aborted: another tab leads by now. */
export const STALE = 'another tab leads';

/** Runs what only the leader may write. Rejects with `STALE` when it is none any more: the next one left a row where its epoch was over. */
export function runAsLeader(store: Store, epoch: number, tables: Table[], mode: 'strict' | 'relaxed', work: (tx: Tx) => void, dialogue = false): Promise<void> {
  return store.run(['session', ...tables], mode, (tx) => {
    tx.claim('session', epoch, 0, STALE);
    tx.remove('session', epoch);
    work(tx);
  }, dialogue);
}

export interface Journal {
  /** Part of the transaction that is being gathered. `dialogue`: what it asks may depend on one answer; others must ask for all at once. */
  write(entry: (tx: Tx, ended: Sum) => void, dialogue?: boolean): void;
  /** When that transaction is durable, before the machine hears of it: nothing has left or been acknowledged yet. */
  before(action: () => void): void;
  /** When that transaction is durable, and the machine has heard of it. */
  after(action: () => void): void;
  commit(ticket: number): void;
  /** Nothing goes on after it. */
  stop(): void;
  readonly waiting: number;
}

interface Batch {
  ticket: number;
  entries: ((tx: Tx, ended: Sum) => void)[];
  dialogue: boolean;
  before: (() => void)[];
  after: (() => void)[];
}

const batch = (): Batch => ({ ticket: 0, entries: [], dialogue: false, before: [], after: [] });

export function openJournal(store: Store, epoch: number, committed: (ticket: number) => void, counted: (rows: number) => void, failed: (why: unknown) => void): Journal {
  let gathered = batch();
  let queue: Batch[] = [];
  /** Only the leader writes it. */
  const ended: Sum = { count: 0, bytes: 0 };
  let written = 0;
  let running = false;
  let stopped = false;

  const pump = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (queue.length > 0 && !stopped) {
      const batches = queue;
      queue = [];
      let left: number | undefined;
      try {
        if (batches.some((one) => one.entries.length > 0)) {
          const dialogue = batches.some((one) => one.dialogue);
          await runAsLeader(store, epoch, ['outbox', 'flight', 'dead', 'inbox', 'inbound', 'subs'], 'strict', (tx) => {
            for (const one of batches) for (const entry of one.entries) entry(tx, ended);
            const end = (): void => {
              if (written === ended.count) return;
              const settled = (written = ended.count);
              tx.put('session', { ...ended }, 'ended');
              readSum(tx, ({ count }) => void (left = count - settled));
            };
            // Answers come in the order of the questions: by then the entries have theirs.
            if (dialogue) tx.has('session', 'epoch', end);
            else end();
          }, dialogue);
        }
      } catch (why) {
        if (!stopped) failed(why);
        stopped = true;
      }
      for (const one of batches) {
        if (stopped) break;
        for (const action of one.before) action();
        committed(one.ticket);
        for (const action of one.after) action();
      }
      if (left !== undefined && !stopped) counted(left);
    }
    running = false;
  };

  return {
    write: (entry, dialogue = false) => {
      gathered.entries.push(entry);
      gathered.dialogue ||= dialogue;
    },
    before: (action) => void gathered.before.push(action),
    after: (action) => void gathered.after.push(action),
    commit: (ticket) => {
      gathered.ticket = ticket;
      queue.push(gathered);
      gathered = batch();
      void pump();
    },
    stop: () => void (stopped = true),
    get waiting() {
      return queue.length;
    },
  };
}
