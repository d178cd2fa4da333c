// What any tab does with the outbox and the dead letters, each in one transaction: the limits hold across tabs, `usage` stays true, and a
// row whose bytes have left is never taken away here.

import type { Draft } from '../../engine.js';
import type { Limits } from '../../settings.js';
import { bytesOf, type OutboxRow, type Store, type Tables, type Tx, type Usage } from './store.js';

const EMPTY: Usage = { count: 0, bytes: 0 };

/** Below are the marks of epochs, above those of versions of `usage`, which are times, ms. */
const VERSIONS_FROM = 1e9;
/** Marks are kept for as long; a tab that has stood still for half of it since it read looks again. */
const MARKED_MS = 60_000;
/** Why a transaction was aborted: another tab has changed `usage` since it was read. */
const BUSY = 'the outbox was changed meanwhile';

/** How full the outbox is, and what of that sum the leader keeps. */
export function readUsage(tx: Tx, then: (usage: Usage, ended: Usage) => void): void {
  let sum = EMPTY;
  tx.get('session', 'usage', (found) => void (sum = (found as Usage | undefined) ?? EMPTY));
  tx.get('session', 'ended', (found) => {
    const ended = (found as Usage | undefined) ?? EMPTY;
    then({ count: sum.count - ended.count, bytes: sum.bytes - ended.bytes, version: sum.version }, ended);
  });
}

/** In place of the version that `usage` was read under: aborts if another has taken that place. */
export function writeUsage(tx: Tx, { count, bytes, version }: Usage, ended = EMPTY): void {
  if (version) {
    tx.unless('session', version, BUSY);
    tx.put('session', 0, version);
    tx.remove('session', VERSIONS_FROM, version - MARKED_MS);
  }
  tx.put('session', { count: count + ended.count, bytes: bytes + ended.bytes, version: Math.max((version ?? 2 * VERSIONS_FROM) + 1, Date.now()) }, 'usage');
}

/** Calls `change` with how full the outbox is, and stores what it leaves behind. The end of `change` may come in later callbacks. */
function withUsage(tx: Tx, change: (usage: Usage, end: () => void) => void): void {
  readUsage(tx, (usage, ended) => change(usage, () => writeUsage(tx, usage, ended)));
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
 *
 * Those that find nobody whose place they could take are asked for all at once: what is there was read before, and the version tells whether
 * that still holds.
 */
export async function append(store: Store, drafts: Draft[], limits: Limits, mine: (seq: number) => boolean): Promise<{ added: Added[]; usage: Usage }> {
  for (;;) {
    const from = Date.now();
    const topics = drafts.flatMap(({ coalesce, topic }) => (coalesce ? topic : []));
    let alone = new Set(topics).size === topics.length;
    const known = await new Promise<[Usage, Usage] | undefined>((resolve, reject) => {
      store.run(['outbox', 'session'], 'read', (tx) => {
        for (const topic of topics) tx.all('outbox', (rows) => void (alone &&= rows.length === 0), { index: 'merge', from: topic, to: topic, count: 1 });
        readUsage(tx, (...found) => resolve(alone && found[0].version ? found : undefined));
      }).catch(reject);
    });
    if (Math.abs(Date.now() - from) > MARKED_MS / 2) continue;
    try {
      return await write(store, drafts, limits, mine, known);
    } catch (why) {
      if (why !== BUSY) throw why;
    }
  }
}

async function write(store: Store, drafts: Draft[], limits: Limits, mine: (seq: number) => boolean, known: [Usage, Usage] | undefined): Promise<{ added: Added[]; usage: Usage }> {
  const added: Added[] = [];
  let after = EMPTY;
  const work = (tx: Tx, usage: Usage, end: () => void): void => {
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
        if (!coalesce || known) {
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
  };
  await store.run(['outbox', 'flight', 'session'], 'strict', (tx) => {
    if (known) work(tx, known[0], () => writeUsage(tx, ...known));
    else withUsage(tx, (usage, end) => work(tx, usage, end));
  }, !known);
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

/** Takes away unsent rows: those named, or those whose deadline has passed. Gives them, and how many rows are left. `reasonCode`: they become dead letters. */
export async function takeUnsent(store: Store, which: number[] | { dueAt: number }, reasonCode?: number): Promise<[OutboxRow[], left: number]> {
  let taken: OutboxRow[] = [];
  let left = 0;
  await store.run(['outbox', 'flight', 'session', 'dead'], 'strict', (tx) => withUsage(tx, (usage, end) => {
    const take = (rows: OutboxRow[]): void => unsent(tx, rows, (old) => {
      taken = old;
      for (const row of old) {
        forget(tx, usage, row);
        if (reasonCode) tx.put('dead', { ...row, reasonCode, rejectedAt: Date.now() });
      }
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
