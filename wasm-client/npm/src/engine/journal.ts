// The machine's journal: what it hands over between two tickets goes into one transaction, and what waits on a ticket happens only after
// that. Tickets that queue up behind a running transaction share the next one; their order never changes. Nothing is written by a leader
// whose epoch is over.

import { withUsage } from './store/outbox.js';
import type { Store, Table, Tx, Usage } from './store/store.js';

/** Why a transaction was aborted: another tab leads by now. */
export const STALE = 'another tab leads';

/** Runs what only the leader may write. Rejects with `STALE` when it is none any more. */
export function runAsLeader(store: Store, epoch: number, tables: Table[], mode: 'strict' | 'relaxed', work: (tx: Tx) => void): Promise<void> {
  return store.run(['session', ...tables], mode, (tx) => {
    tx.get('session', 'epoch', (now) => {
      if (now !== epoch) tx.abort(STALE);
    });
    work(tx);
  });
}

export interface Journal {
  /** Part of the transaction that is being gathered. What it asks of the store must be asked at once, but for reads that only it needs. */
  write(entry: (tx: Tx, usage: Usage) => void): void;
  /** When that transaction is durable: `before` the machine hears of it, or after. */
  then(action: () => void, before?: boolean): void;
  commit(ticket: number): void;
  /** Nothing goes on after it. */
  stop(): void;
  readonly waiting: number;
}

interface Batch {
  ticket: number;
  entries: ((tx: Tx, usage: Usage) => void)[];
  before: (() => void)[];
  after: (() => void)[];
}

const batch = (): Batch => ({ ticket: 0, entries: [], before: [], after: [] });

export function openJournal(store: Store, epoch: number, committed: (ticket: number) => void, usageIs: (usage: Usage) => void, failed: (why: unknown) => void): Journal {
  let gathered = batch();
  let queue: Batch[] = [];
  let running = false;
  let stopped = false;

  const pump = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (queue.length > 0 && !stopped) {
      const batches = queue;
      queue = [];
      let after: Usage | undefined;
      try {
        if (batches.some((one) => one.entries.length > 0)) {
          await runAsLeader(store, epoch, ['outbox', 'flight', 'dead', 'inbox', 'inbound', 'subs'], 'strict', (tx) =>
            withUsage(tx, (usage, end) => {
              for (const one of batches) for (const entry of one.entries) entry(tx, usage);
              // Answers come in the order of the questions: by now the entries have theirs.
              tx.has('session', 'epoch', () => {
                after = usage;
                end();
              });
            }));
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
      if (after && !stopped) usageIs(after);
    }
    running = false;
  };

  return {
    write: (entry) => void gathered.entries.push(entry),
    then: (action, before) => void (before ? gathered.before : gathered.after).push(action),
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
