// Feeds the machine from the outbox: in order, while online, no further ahead than it wants; and writes into the journal how far each one
// is. What has not left goes back when the connection ends. A row that was taken away meanwhile never leaves.

import type { Connection, Hooks } from '../wasm/contract.js';
import { EXPIRED, TOO_LARGE } from '../error.js';
import { explained } from '../reason.js';
import type { Journal } from './journal.js';
import { takeUnsent } from './store/outbox.js';
import { bytesOf, readAll, type Flight, type OutboxRow, type Store } from './store/store.js';
import { outcomeOf, type Outcome, type ToLeader, type ToTabs } from './wire.js';

/** More are read from the store, or those who wait for `stored` would wait for all of them. */
const GIVEN_MAX = 16;

interface Fed {
  seq: number;
  also: number[];
  bytes: number;
  /** As the journal has it, committed or not. */
  stage: 0 | 1 | 2;
  packetId: number;
}

export interface FeederContext {
  store: Store;
  journal: Journal;
  connection: Connection;
  deadLettersMax: number;
  online(): boolean;
  /** Of the outbox. */
  counted(rows: number): void;
  say(talk: ToTabs): void;
  failed(why: unknown): void;
}

type FeederHooks = Pick<Hooks, 'sent' | 'released' | 'finished' | 'withdrawn' | 'settled' | 'deferred'>;

export interface Feeder {
  hooks: FeederHooks;
  restore(row: OutboxRow, flight: Flight): void;
  /** Something may have changed: feeds what the machine wants. `rows`: these were just stored. */
  feed(rows?: OutboxRow[]): void;
  /** What is written from now on is of the next transaction. */
  cut(): void;
  takeBack(): void;
  /** The server has lost the session: what it has not answered is unsent again. */
  restarted(): void;
  /** Rows taken away by a tab. */
  gone(seqs: number[]): void;
  dueAt(wallMs: number): void;
  qos0(tab: string, talk: ToLeader & { t: 'qos0' }): void;
  tick(): void;
  readonly inFlight: number;
}

export function openFeeder({ store, journal, connection, deadLettersMax, online, counted, say, failed }: FeederContext): Feeder {
  const fed = new Map<number, Fed>();
  const handleOf = new Map<number, number>();
  const qos0 = new Map<number, [tab: string, n: number]>();
  /** Rows up to this one were fed, or are not for now. */
  let cursor = 0;
  /** Counts how often the cursor was set back. */
  let round = 0;
  let feeding = false;
  let again = false;
  /** There may be rows that have not been read. */
  let rest = true;
  let due = 0;
  /** Row → handle: what is to leave with the transaction that is being gathered. */
  let leaving: Map<number, number> | undefined;
  /** Rows that are removed at the end of that transaction. */
  let finished: number[] = [];

  const drop = (handle: number): void => {
    handleOf.delete(fed.get(handle)?.seq ?? 0);
    fed.delete(handle);
  };
  const gone = (seqs: number[]): void => {
    for (const seq of seqs) {
      const handle = handleOf.get(seq);
      if (handle !== undefined && fed.get(handle)!.stage === 0 && connection.cancel(handle)) drop(handle);
    }
  };
  const taken = ([rows, left]: [OutboxRow[], number], outcome: Outcome): void => {
    if (rows.length === 0) return;
    say({ t: 'settled', seqs: rows.flatMap((row) => [row.seq!, ...(row.also ?? [])]), outcome });
    gone(rows.map((row) => row.seq!));
    counted(left);
  };
  const keep = (handle: number, row: OutboxRow, flight: Pick<Fed, 'stage' | 'packetId'>): void => {
    fed.set(handle, { seq: row.seq!, also: row.also ?? [], bytes: bytesOf(row), ...flight });
    handleOf.set(row.seq!, handle);
  };
  /** As the machine takes it. */
  const told = ({ topic, payload, qos, retain, properties, deadline, resend }: OutboxRow) =>
    [topic, payload, qos, retain, properties, deadline && deadline - Date.now(), resend] as const;
  const feedOn = async (given: OutboxRow[] = []): Promise<void> => {
    if (feeding) return void (again = true);
    feeding = true;
    try {
      do {
        again = false;
        const wanted = online() ? connection.wanted() : 0;
        if (wanted <= 0) break;
        const ours = round;
        // Numbers have no gaps: nothing lies before these, and what lies behind them is told of. Handed over in the same task: what they
        // refer to may be the application's.
        const next = given[0]?.seq === cursor + 1 && given.length < Math.min(wanted, GIVEN_MAX);
        const rows = next ? given : await readAll(store, 'outbox', { after: cursor, count: wanted });
        given = [];
        // More may wait behind these.
        rest = rows.length === wanted;
        if (rest) again = true;
        for (const row of rows) {
          if (!online() || round !== ours) {
            again = true;
            break;
          }
          cursor = row.seq!;
          if (handleOf.has(row.seq!)) continue;
          try {
            keep(connection.publish(...told(row)), row, { stage: 0, packetId: 0 });
          } catch (thrown) {
            if (!Array.isArray(thrown)) throw thrown;
            const full = thrown[0] === 'queue-full';
            if (full && fed.size + qos0.size > 0) {
              // What is settled makes room, and then this goes on.
              cursor = row.seq! - 1;
              again = false;
              rest = true;
              break;
            }
            // It can never be sent. Nobody may be there to hear of it.
            taken(await takeUnsent(store, [row.seq!], full ? 0x95 : 0x80), full ? TOO_LARGE : outcomeOf(thrown));
          }
        }
      } while (again);
    } catch (why) {
      failed(why);
    }
    feeding = false;
  };
  const sweep = async (): Promise<void> => {
    due = Infinity;
    try {
      const now = Date.now();
      const waits = (row: OutboxRow): boolean => !fed.get(handleOf.get(row.seq!)!)?.stage;
      // What has left has its deadline at the server. Taking away waits for answers, so it is done only if there is something.
      if ((await readAll(store, 'outbox', { index: 'deadline', to: now })).some(waits)) {
        taken(await takeUnsent(store, { dueAt: now }), EXPIRED);
      }
      const [next] = await readAll(store, 'outbox', { index: 'deadline', count: 1, after: now });
      due = Math.min(due, next?.deadline ?? Infinity);
    } catch (why) {
      failed(why);
    }
  };

  const hooks: FeederHooks = {
    sent(handle, packetId) {
      const row = fed.get(handle);
      if (!row) return;
      row.stage = 1;
      row.packetId = packetId;
      const { seq } = row;
      journal.write((tx) => tx.put('flight', { stage: 1, packetId }, seq));
      if (leaving) return void leaving.set(seq, handle);
      const ours = (leaving = new Map([[seq, handle]]));
      journal.write((tx) => {
        const seqs = [...ours.keys()];
        tx.keys('outbox', (there) => there.forEach((one) => ours.delete(one as number)), { from: Math.min(...seqs), to: Math.max(...seqs) });
      });
      // Those that were taken away meanwhile. A row of `flight` without one of the outbox means nothing.
      journal.before(() => {
        for (const [gone, handle] of ours) {
          connection.cancel(handle);
          drop(handle);
          journal.write((tx) => tx.remove('flight', gone));
        }
      });
    },
    released(handle) {
      const row = fed.get(handle);
      if (!row) return;
      row.stage = 2;
      const { seq, packetId } = row;
      journal.write((tx) => tx.put('flight', { stage: 2, packetId }, seq));
    },
    finished(handle, code, reasonCode, said) {
      const one = fed.get(handle);
      if (!one) return;
      const { seq, bytes, stage } = one;
      // A handle may be gone with its page: what the server will never take is shown to somebody.
      const dead = code !== undefined && code !== 'expired' && code !== 'outcome-unknown';
      journal.write((tx, ended) => {
        const leave = (row: OutboxRow | undefined | boolean): void => {
          if (!row) return;
          ended.count++;
          ended.bytes += bytes;
          if (typeof row === 'object') tx.put('dead', { ...row, reasonCode: reasonCode ?? (code === 'packet-too-large' ? 0x95 : 0x80), rejectedAt: Date.now(), said });
        };
        if (dead) tx.get('outbox', seq, leave);
        // Nobody takes away what has left.
        else if (stage > 0) leave(true);
        else tx.has('outbox', seq, leave);
      }, dead || stage === 0);
      finished.push(seq);
      if (dead) journal.after(() => void prune());
    },
    withdrawn(handle) {
      const row = fed.get(handle);
      if (!row) return;
      row.stage = 0;
      journal.write((tx) => tx.remove('flight', row.seq));
    },
    deferred(handle, reasonCode, retryInMs, said) {
      const seq = fed.get(handle)?.seq;
      if (seq !== undefined) say({ t: 'report', report: { kind: 'deferred', seq, reasonCode, reason: explained(reasonCode, said?.reasonString), retryInMs, ...said } });
    },
    settled(handle, ...outcome) {
      const row = fed.get(handle);
      const waiting = qos0.get(handle);
      if (row) {
        drop(handle);
        say({ t: 'settled', seqs: [row.seq, ...row.also], outcome });
      } else if (waiting) {
        qos0.delete(handle);
        say({ t: 'qos0-settled', tab: waiting[0], n: waiting[1], outcome });
      }
      if (rest) void feedOn();
    },
  };

  return {
    hooks,
    restore: (row, flight) => {
      keep(connection.restore_outgoing(...told(row), flight.packetId, flight.stage), row, flight);
    },
    feed: (rows) => {
      rest = true;
      void feedOn(rows);
    },
    cut: () => {
      leaving = undefined;
      if (finished.length === 0) return;
      const runs = runsOf(finished);
      finished = [];
      journal.write((tx) => {
        for (const [from, to] of runs) {
          tx.remove('outbox', from, to);
          tx.remove('flight', from, to);
        }
      });
    },
    takeBack: () => {
      for (const [handle, { stage }] of fed) if (stage === 0 && connection.cancel(handle)) drop(handle);
      cursor = 0;
      rest = true;
      round++;
    },
    restarted: () => {
      for (const row of fed.values()) {
        if (row.stage !== 1) continue;
        row.stage = 0;
        journal.write((tx) => tx.remove('flight', row.seq));
      }
    },
    gone,
    dueAt: (wallMs) => void (due = Math.min(due, wallMs)),
    qos0: (tab, { n, topic, payload, retain, properties, deadline }) => {
      try {
        qos0.set(connection.publish(topic, payload, 0, retain, properties, deadline && deadline - Date.now(), false), [tab, n]);
      } catch (thrown) {
        say({ t: 'qos0-settled', tab, n, outcome: outcomeOf(thrown) });
      }
    },
    tick: () => {
      if (due <= Date.now()) void sweep();
    },
    get inFlight() {
      return fed.size;
    },
  };

  /** Of too many dead letters the oldest go. */
  async function prune(): Promise<void> {
    let count = 0;
    await store.run(['dead'], 'relaxed', (tx) => tx.keys('dead', (keys) => {
      count = Math.max(0, keys.length - deadLettersMax);
      for (const key of keys.slice(0, count)) tx.remove('dead', key);
    }), true).catch(failed);
    if (count > 0) say({ t: 'report', report: { kind: 'dropped', count, reason: 'too many dead letters' } });
  }
}

/** First and last of those that follow each other without a gap. */
function runsOf(seqs: number[]): [from: number, to: number][] {
  const runs: [number, number][] = [];
  for (const seq of seqs.sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && seq === last[1] + 1) last[1] = seq;
    else runs.push([seq, seq]);
  }
  return runs;
}
