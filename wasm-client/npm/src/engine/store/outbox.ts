// What any tab does with the outbox and the dead letters, each in one transaction: the limits hold across tabs, the sum of what is there stays
// true, and a row whose bytes have left is never taken away here.

import type { Draft } from '../../engine.js';
import type { Limits } from '../../settings.js';
import { bytesOf, type OutboxRow, type Store, type Sum, type Tables, type Tx } from './store.js';

const NONE: Sum = { count: 0, bytes: 0 };

/** Below are the marks of epochs, above those numbers under which sums lie: their versions. */
const VERSIONS_FROM = 1e9;
/** Each change of the sum is a transaction of its own: a tab would have to miss that many while it trusts what it knows. */
const VERSIONS_KEPT = 10_000;
const TRUSTED_MS = 5_000;
/** Of reading apart from writing; then both go into one transaction. */
const TRIES = 3;
/** Why a transaction was aborted: the sum is not what it was, or was learnt too long ago. */
const CHANGED = {};

/** What has gone into the outbox, but for what was taken away unsent. */
interface Total extends Sum {
  version: number;
}

/** What a tab knows: the total, and how much of that the leader has settled. */
interface Known {
  total: Total;
  ended: Sum;
  /** Before it was asked for, as `performance.now()`. */
  at: number;
}

/** Kept only while no other tab seems to publish. */
const learnt = new WeakMap<Store, Known>();

export function readSum(tx: Tx, then: (total: Total) => void): void {
  tx.last('session', VERSIONS_FROM, (sum, version = 2 * VERSIONS_FROM) => then({ ...((sum as Sum | undefined) ?? NONE), version }));
}

export function readUsage(tx: Tx, then: (total: Total, ended: Sum) => void): void {
  let total: Total;
  readSum(tx, (sum) => void (total = sum));
  tx.get('session', 'ended', (ended) => then(total, (ended as Sum | undefined) ?? NONE));
}

/** Next to the version that it was read under: aborts if another has taken that place. */
export function writeSum(tx: Tx, { count, bytes, version }: Total): void {
  tx.claim('session', version + 1, { count, bytes }, CHANGED);
  if (version % 1000 === 0) tx.remove('session', VERSIONS_FROM, version - VERSIONS_KEPT);
}

/** Calls `change` with what is there, and stores what it leaves behind. The end of `change` may come in later callbacks. */
function withUsage(tx: Tx, change: (total: Total, ended: Sum, end: () => void) => void): void {
  readUsage(tx, (total, ended) => change(total, ended, () => writeSum(tx, total)));
}

/** What became of a draft: its row; undefined: a limit of the outbox is reached. */
export interface Added {
  row: OutboxRow | undefined;
  /** Rows of any tab whose place it took, and what these had taken. */
  replaced: number[];
}

/**
 * Appends drafts, in order. One that coalesces takes the place of an unsent one to the same topic. `mine`: publishes that this tab settles by
 * itself; those of others are noted in the row.
 *
 * Those that find nobody whose place they could take are asked for all at once: what is there was read before, or left by this tab's last
 * one, and the version tells whether that still holds.
 */
export async function append(store: Store, drafts: Draft[], limits: Limits, mine: (seq: number) => boolean): Promise<{ added: Added[]; left: number }> {
  const topics = drafts.flatMap(({ coalesce, topic }) => (coalesce ? topic : []));
  for (let tries = 0; ; tries++) {
    let known = learnt.get(store);
    learnt.delete(store);
    const recalled = known !== undefined && topics.length === 0 && performance.now() - known.at < TRUSTED_MS / 2;
    if (!recalled) known = tries < TRIES ? await look(store, topics) : undefined;
    try {
      const { added, after } = await write(store, drafts, limits, mine, known, recalled);
      if (tries === 0) learnt.set(store, after);
      return { added, left: after.total.count - after.ended.count };
    } catch (why) {
      if (why !== CHANGED) throw why;
    }
  }
}

/** undefined: one of them may have to take the place of another. */
function look(store: Store, topics: string[]): Promise<Known | undefined> {
  const at = performance.now();
  let alone = new Set(topics).size === topics.length;
  return new Promise((resolve, reject) => {
    store.run(['outbox', 'session'], 'read', (tx) => {
      for (const topic of topics) tx.all('outbox', (rows) => void (alone &&= rows.length === 0), { index: 'merge', from: topic, to: topic, count: 1 });
      readUsage(tx, (total, ended) => resolve(alone ? { total, ended, at } : undefined));
    }).catch(reject);
  });
}

async function write(store: Store, drafts: Draft[], limits: Limits, mine: (seq: number) => boolean, known: Known | undefined, recalled: boolean): Promise<{ added: Added[]; after: Known }> {
  const added: Added[] = [];
  const after = { at: performance.now() } as Known;
  const work = (tx: Tx, total: Total, ended: Sum, end: () => void): void => {
    const fresh = new Set<number>();
    const insert = (place: number, old: OutboxRow[]): void => {
      const { coalesce, keepOffline, ...fields } = drafts[place]!;
      const row: OutboxRow = { ...fields, createdAt: Date.now() };
      // An index holds what has the property, and undefined is no key.
      if (row.deadline === undefined) delete row.deadline;
      if (coalesce) row.merge = row.topic;
      const replaced = old.flatMap((one) => [one.seq!, ...(one.also ?? [])]);
      const others = replaced.filter((seq) => !mine(seq) && !fresh.has(seq));
      if (others.length > 0) row.also = others;
      const count = total.count + 1 - old.length;
      const bytes = old.reduce((sum, one) => sum - bytesOf(one), total.bytes + bytesOf(row));
      const one: Added = (added[place] = { row: undefined, replaced: [] });
      if (count - ended.count > limits.outboxMessagesMax || bytes - ended.bytes > limits.outboxBytesMax) return;
      for (const { seq } of old) tx.remove('outbox', seq!);
      Object.assign(total, { count, bytes });
      one.replaced = replaced;
      one.row = row;
      tx.add('outbox', row, (seq) => void fresh.add((row.seq = seq)));
    };
    const from = (start: number): void => {
      for (let place = start; place < drafts.length; place++) {
        const { coalesce, topic } = drafts[place]!;
        if (!coalesce || known) {
          insert(place, []);
          continue;
        }
        return tx.all('outbox', (rows) => unsent(tx, rows, (old) => {
          insert(place, old);
          from(place + 1);
        }), { index: 'merge', from: topic, to: topic });
      }
      end();
      after.total = { ...total, version: total.version + 1 };
    };
    from(0);
  };
  await store.run(['outbox', 'flight', 'session'], 'strict', (tx) => {
    // How much is left in the end, to be told.
    tx.get('session', 'ended', (ended) => void (after.ended = (ended as Sum | undefined) ?? NONE));
    if (!known) return withUsage(tx, work.bind(undefined, tx));
    work(tx, known.total, known.ended, () => writeSum(tx, known.total));
    // A tab that stands still from here on has its turn already: nobody changes the sum before it. What the leader has settled since is not
    // in what is recalled, and may make room.
    if (performance.now() - known.at > TRUSTED_MS || (recalled && added.some(({ row }) => !row))) tx.abort(CHANGED);
  }, !known);
  return { added, after };
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

/** Takes away unsent rows: those named, or those whose deadline has passed. Gives them, and how many rows are left. `reasonCode`: they become dead letters. */
export async function takeUnsent(store: Store, which: number[] | { dueAt: number }, reasonCode?: number): Promise<[OutboxRow[], left: number]> {
  let taken: OutboxRow[] = [];
  let left = 0;
  await store.run(['outbox', 'flight', 'session', 'dead'], 'strict', (tx) => withUsage(tx, (total, ended, end) => {
    const take = (rows: OutboxRow[]): void => unsent(tx, rows, (old) => {
      taken = old;
      for (const row of old) {
        total.count--;
        total.bytes -= bytesOf(row);
        tx.remove('outbox', row.seq!);
        if (reasonCode) tx.put('dead', { ...row, reasonCode, rejectedAt: Date.now() });
      }
      left = total.count - ended.count;
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
  await store.run(['dead', 'outbox', 'session'], 'strict', (tx) => withUsage(tx, (total, _, end) => rowsOf(tx, 'dead', seqs, (rows) => {
    for (const { reasonCode, rejectedAt, said, seq, also, deadline, ...row } of rows) {
      tx.remove('dead', seq!);
      tx.add('outbox', deadline !== undefined && deadline > Date.now() ? { ...row, deadline } : row, () => {});
      total.count++;
      total.bytes += bytesOf(row);
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
