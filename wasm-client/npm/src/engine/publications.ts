// The publishes of this tab: written into the outbox by the tab itself, many in one transaction, and settled when the leader says how each
// ended. Each is settled exactly once, also when the leader that knew is gone.

import type { Draft, Report, Settlement } from '../engine.js';
import { EXPIRED, FULL, OFFLINE, type EbbtideError } from '../error.js';
import type { Limits } from '../settings.js';
import type { Station } from './station.js';
import { append, takeUnsent, type Added } from './store/outbox.js';
import { storageError, type OutboxRow } from './store/store.js';
import { errorOf, type Outcome, type ToLeader } from './wire.js';

interface Job {
  draft: Draft;
  /** 0: not stored yet. QoS 0: negative. */
  seq: number;
  /** A later one took its place, and settles it. */
  replaced: boolean;
  stored(seq: number): void;
  settled(outcome: Settlement): void;
}

const CANCELLED: Outcome = ['cancelled', 'it was cancelled before it was sent'];
const LOST: Outcome = ['outcome-unknown', 'the tab that sent it is gone'];

/** How long a new leader may take to tell what the old one did. */
const SETTLE_AFTER_MS = 2000;

export interface PublicationsContext {
  store: Station['store'];
  limits: Limits;
  /** `rows`: just stored. */
  tell(talk: ToLeader, rows?: OutboxRow[]): void;
  /** Of the connection, as far as this tab knows. */
  online(): boolean;
  /** No attempt to connect has come to anything yet. */
  first(): boolean;
  report(report: Report): void;
}

export interface Publications {
  publish(draft: Draft, stored: Job['stored'], settled: Job['settled']): { cancel(): Promise<boolean> };
  settled(seqs: number[], outcome: Outcome): void;
  qos0Settled(n: number, outcome: Outcome): void;
  /** Unsent rows of any tab; what they settled is told to all. */
  cancel(seqs: number[]): Promise<number>;
  /** The state has changed. */
  moved(): void;
  /** Another leader: what the old one settled may have gone unheard. */
  reconcile(): Promise<void>;
  /** Whether something has still to be stored. */
  readonly writing: boolean;
  end(error: EbbtideError): void;
}

export function openPublications({ store, limits, tell, online, first, report }: PublicationsContext, broadcast: (seqs: number[], outcome: Outcome) => void): Publications {
  /** By the row that settles them. */
  const waiting = new Map<number, Job[]>();
  const qos0 = new Map<number, Job>();
  let held: Job[] = [];
  let queue: Job[] = [];
  /** Taken from the queue, and being written. */
  let jobs: Job[] = [];
  let writing = false;
  let busy: ReturnType<typeof append> | undefined;
  /** Settled before this tab knew that it was stored. */
  const early = new Map<number, Outcome>();
  let last = 0;
  let over: EbbtideError | undefined;

  const settle = (jobs: Iterable<Job>, outcome: Outcome): void => {
    for (const job of jobs) job.settled(outcome[0] === undefined ? { reasonCode: outcome[2] ?? 0, ...outcome[3] } : { error: errorOf(outcome) });
  };
  const settled = (seqs: number[], outcome: Outcome): void => {
    for (const seq of seqs) {
      const jobs = waiting.get(seq);
      waiting.delete(seq);
      if (jobs) settle(jobs, outcome);
      else if (writing) early.set(seq, outcome);
    }
  };

  const write = async (): Promise<void> => {
    if (writing) return;
    writing = true;
    // Those of the same task go together.
    await undefined;
    while (queue.length > 0) {
      jobs = queue;
      queue = [];
      try {
        busy = store((into) => append(into, jobs.map((job) => job.draft), limits, (seq) => waiting.has(seq)));
        const { added, left } = await busy;
        added.forEach((one, place) => enter(jobs[place]!, one));
        report({ kind: 'outbox', count: left });
        const dueAt = jobs.reduce((first, { draft }) => Math.min(first, draft.deadline ?? Infinity), Infinity);
        tell({ t: 'nudge', dueAt, gone: added.flatMap((one) => one.replaced), count: left }, added.flatMap((one) => one.row ?? []));
      } catch (why) {
        const error = storageError(why);
        if (error.code === 'quota-exceeded') report({ kind: error.code, reason: error.message });
        for (const job of jobs) job.settled({ error });
      }
    }
    jobs = [];
    early.clear();
    writing = false;
  };
  const enter = (job: Job, { row, replaced }: Added): void => {
    const seq = row?.seq;
    if (seq === undefined) return settle([job], FULL);
    job.seq = seq;
    const jobs = [job];
    for (const old of replaced) {
      for (const earlier of waiting.get(old) ?? []) {
        earlier.replaced = true;
        jobs.push(earlier);
      }
      waiting.delete(old);
    }
    waiting.set(seq, jobs);
    job.stored(seq);
    const outcome = early.get(seq);
    if (outcome) settled([seq], outcome);
  };
  const cancel = async (seqs: number[]): Promise<number> => {
    const [rows, count] = await store((from) => takeUnsent(from, seqs));
    if (rows.length === 0) return 0;
    const gone = rows.flatMap((row) => [row.seq!, ...(row.also ?? [])]);
    settled(gone, CANCELLED);
    broadcast(gone, CANCELLED);
    tell({ t: 'nudge', dueAt: Infinity, gone, count });
    return rows.length;
  };
  const send = (job: Job): void => {
    qos0.set(-job.seq, job);
    const { topic, payload, retain, properties, deadline } = job.draft;
    tell({ t: 'qos0', n: -job.seq, topic, payload, retain, properties, deadline });
  };
  const take = (job: Job): void => {
    job.seq = -++last;
    if (online()) send(job);
    else if (!job.draft.keepOffline && !first()) return settle([job], OFFLINE);
    else if (held.length >= limits.heldMessagesMax) return settle([job], FULL);
    else held.push(job);
    job.stored(job.seq);
  };
  const remove = (from: Job[], job: Job): boolean => {
    const place = from.indexOf(job);
    if (place >= 0) from.splice(place, 1);
    return place >= 0;
  };

  return {
    publish: (draft, stored, settledBy) => {
      let open = true;
      const job: Job = {
        draft, seq: 0, replaced: false, stored,
        settled: (outcome) => {
          if (!open) return;
          open = false;
          settledBy(outcome);
        },
      };
      if (over) job.settled({ error: over });
      else if (draft.qos === 0) take(job);
      else {
        queue.push(job);
        void write();
      }
      return {
        cancel: async () => {
          if (!open || job.replaced) return false;
          if (remove(queue, job) || remove(held, job)) {
            settle([job], CANCELLED);
            return true;
          }
          // It is being written.
          if (job.seq === 0) await busy?.catch(() => {});
          return open && job.seq > 0 && !job.replaced && (await cancel([job.seq])) > 0;
        },
      };
    },
    settled,
    qos0Settled: (n, outcome) => {
      const job = qos0.get(n);
      if (!job) return;
      qos0.delete(n);
      if (outcome[0] === 'offline' && job.draft.keepOffline && held.length < limits.heldMessagesMax) held.push(job);
      else settle([job], outcome);
    },
    cancel,
    moved: () => {
      if (!online() && first()) return;
      const jobs = held;
      held = [];
      for (const job of jobs) {
        if (online()) send(job);
        else if (job.draft.keepOffline) held.push(job);
        else settle([job], OFFLINE);
      }
    },
    reconcile: async () => {
      for (const [n, job] of [...qos0]) {
        qos0.delete(n);
        settle([job], LOST);
      }
      const before = new Map(waiting);
      if (before.size === 0) return;
      const missing = new Map<number, Outcome>();
      const now = Date.now();
      await store((from) => from.run(['outbox', 'dead'], 'read', (tx) => {
        tx.keys('outbox', (keys) => {
          const there = new Set(keys);
          for (const [seq, [job]] of before) {
            if (there.has(seq)) continue;
            missing.set(seq, (job?.draft.deadline ?? Infinity) < now ? EXPIRED : LOST);
            tx.get('dead', seq, (row) => {
              if (row) missing.set(seq, ['refused', 'the server refused it', row.reasonCode, row.said]);
            });
          }
        });
        // Settled by the row that took its place.
        tx.all('outbox', (rows) => rows.forEach((row) => row.also?.forEach((seq) => missing.delete(seq))), { index: 'merge' });
      }, true));
      if (missing.size > 0) setTimeout(() => missing.forEach((outcome, seq) => waiting.get(seq) === before.get(seq) && settled([seq], outcome)), SETTLE_AFTER_MS);
    },
    get writing() {
      return writing;
    },
    end: (error) => {
      over = error;
      for (const job of [...[...waiting.values()].flat(), ...qos0.values(), ...held, ...jobs, ...queue]) job.settled({ error });
      waiting.clear();
      qos0.clear();
      held = [];
      queue = [];
    },
  };
}
