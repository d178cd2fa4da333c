// What any tab does with the outbox and the dead letters, each in one transaction: the limits hold across tabs, `usage` stays true, and a
// row whose bytes have left is never taken away here.

import type { Draft } from '../../engine.js';
import type { Limits } from '../../settings.js';
import { bytesOf, type OutboxRow, type Store, type Tables, type Tx, type Usage } from './store.js';

const EMPTY: Usage = { count: 0, bytes: 0 };

/** How full the outbox is, and what of that sum the leader keeps. */
export function readUsage(tx: Tx, then: (usage: Usage, ended: Usage) => void): void {
  let sum = EMPTY;
  tx.get('session', 'usage', (found) => void (sum = (found as Usage | undefined) ?? EMPTY));
  tx.get('session', 'ended', (found) => {
    const ended = (found as Usage | undefined) ?? EMPTY;
    then({ count: sum.count - ended.count, bytes: sum.bytes - ended.bytes }, ended);
  });
}

/** Calls `change` with how full the outbox is, and stores what it leaves behind. The end of `change` may come in later callbacks. */
export function withUsage(tx: Tx, change: (usage: Usage, end: () => void) => void): void {
  readUsage(tx, (usage, ended) => change(usage, () => tx.put('session', { count: usage.count + ended.count, bytes: usage.bytes + ended.bytes }, 'usage')));
}

function forget(tx: Tx, usage: Usage, row: OutboxRow): void {
  usage.count--;
  usage.bytes -= bytesOf(row);
  tx.remove('outbox', row.seq!);
}

/** What became of a draft: its row; undefined: a limit of the outbox is reached. */
export interface Added {
  seq: number | undefined;
  /** Rows of any tab whose place it took, and what these had taken. */
  superseded: number[];
}

/**
 * Appends drafts, in order. One that coalesces takes the place of an unsent one to the same topic. `mine`: publishes that this tab settles by
 * itself; those of others are noted in the row.
 */
export async function append(store: Store, drafts: Draft[], limits: Limits, mine: (seq: number) => boolean): Promise<{ added: Added[]; usage: Usage }> {
  const added: Added[] = [];
  let after = EMPTY;
  await store.run(['outbox', 'flight', 'session'], 'strict', (tx) => withUsage(tx, (usage, end) => {
    const fresh = new Set<number>();
    const insert = (place: number, old: OutboxRow[]): void => {
      const { coalesce, keepOffline, ...fields } = drafts[place]!;
      const row: OutboxRow = { ...fields, createdAt: Date.now() };
      // An index holds what has the property, and undefined is no key.
      if (row.deadline === undefined) delete row.deadline;
      if (coalesce) row.merge = row.topic;
      const superseded = old.flatMap((one) => [one.seq!, ...(one.also ?? [])]);
      const others = superseded.filter((seq) => !mine(seq) && !fresh.has(seq));
      if (others.length > 0) row.also = others;
      const count = usage.count + 1 - old.length;
      const bytes = old.reduce((sum, one) => sum - bytesOf(one), usage.bytes + bytesOf(row));
      const one: Added = (added[place] = { seq: undefined, superseded: [] });
      if (count > limits.outboxMessagesMax || bytes > limits.outboxBytesMax) return;
      for (const { seq } of old) tx.remove('outbox', seq!);
      Object.assign(usage, { count, bytes });
      one.superseded = superseded;
      tx.add('outbox', row, (seq) => void fresh.add((one.seq = seq)));
    };
    const from = (start: number): void => {
      for (let place = start; place < drafts.length; place++) {
        const { coalesce, topic } = drafts[place]!;
        if (!coalesce) {
          insert(place, []);
          continue;
        }
        return tx.all('outbox', (rows) => unsent(tx, rows, (old) => {
          insert(place, old);
          from(place + 1);
        }), { index: 'merge', from: topic, to: topic });
      }
      after = usage;
      end();
    };
    from(0);
  }), true);
  return { added, usage: after };
}

/** Asks for all at once, and gives the answers in the order of the questions. */
function each<T, R>(items: T[], ask: (item: T, answer: (found: R) => void) => void, then: (answers: R[]) => void): void {
  const answers: R[] = [];
  if (items.length === 0) then(answers);
  for (const item of items) ask(item, (found) => void (answers.push(found) === items.length && then(answers)));
}

/** Those whose bytes have not left. */
function unsent(tx: Tx, rows: OutboxRow[], then: (rows: OutboxRow[]) => void): void {
  each<OutboxRow, boolean>(rows, (row, answer) => tx.has('flight', row.seq!, answer), (sent) => then(rows.filter((_, place) => !sent[place])));
}

/** Takes away unsent rows: those named, or those whose deadline has passed. Gives them, and how many rows are left. */
export async function takeUnsent(store: Store, which: number[] | { dueAt: number }): Promise<[OutboxRow[], left: number]> {
  let taken: OutboxRow[] = [];
  let left = 0;
  await store.run(['outbox', 'flight', 'session'], 'strict', (tx) => withUsage(tx, (usage, end) => {
    const take = (rows: OutboxRow[]): void => unsent(tx, rows, (old) => {
      taken = old;
      for (const row of old) forget(tx, usage, row);
      left = usage.count;
      end();
    });
    if (Array.isArray(which)) rowsOf(tx, 'outbox', which, take);
    else tx.all('outbox', take, { index: 'deadline', to: which.dueAt });
  }), true);
  return [taken, left];
}

function rowsOf<T extends 'outbox' | 'dead'>(tx: Tx, table: T, seqs: number[], then: (rows: Tables[T][]) => void): void {
  each<number, Tables[T] | undefined>(seqs, (seq, answer) => tx.get(table, seq, answer), (rows) => then(rows.flatMap((row) => row ?? [])));
}

/** Back into the outbox, at its end; a deadline that has passed is void. */
export async function retryDead(store: Store, seqs: number[]): Promise<number> {
  let count = 0;
  await store.run(['dead', 'outbox', 'session'], 'strict', (tx) => withUsage(tx, (usage, end) => rowsOf(tx, 'dead', seqs, (rows) => {
    for (const { reasonCode, rejectedAt, seq, also, deadline, ...row } of rows) {
      tx.remove('dead', seq!);
      tx.add('outbox', deadline !== undefined && deadline > Date.now() ? { ...row, deadline } : row, () => {});
      usage.count++;
      usage.bytes += bytesOf(row);
      count++;
    }
    end();
  })), true);
  return count;
}

export async function discardDead(store: Store, seqs: number[]): Promise<number> {
  let count = 0;
  await store.run(['dead'], 'strict', (tx) => rowsOf(tx, 'dead', seqs, (rows) => {
    for (const row of rows) tx.remove('dead', row.seq!);
    count = rows.length;
  }), true);
  return count;
}
