// The durable session of one browser, as one tab has it: what the API above is made of.

import type { DeadLetter, Engine, Pending, Report, State } from '../engine.js';
import { EbbtideError } from '../error.js';
import type { Load } from '../load.js';
import type { EngineSettings } from '../settings.js';
import type { How } from './leader.js';
import { openPublications } from './publications.js';
import { openSinks } from './sinks.js';
import { openStation } from './station.js';
import { deleteIndexedDb } from './store/indexeddb.js';
import { databaseName, witness } from './store/open.js';
import { discardDead, retryDead } from './store/outbox.js';
import { askEntries, readAll, type Flight, type Key, type OutboxRow } from './store/store.js';
import { until } from './until.js';
import type { LeaderState, ToTabs } from './wire.js';

const ERRORS_KEPT = 20;
const FORGET_DEADLINE_MS = 5000;
const CLOSE_DEADLINE_MS = 5000;

/** `after`: another one is on its way out with all that is stored. */
export function openEngine(url: string, settings: EngineSettings, load: Load, after?: Promise<void>): Engine {
  const name = databaseName(url, settings.identity);
  let state: State = { state: 'connecting' };
  let first = true;
  let onState: ((state: State) => void) | undefined;
  let onReport: ((report: Report) => void) | undefined;
  let onLog: ((line: string) => void) | undefined;
  let forgetting = false;
  let count = 0;
  let errors: string[] = [];
  let forgotten: boolean | undefined;
  let leader: LeaderState | undefined;
  /** What had come when this tab was last given it, and when that was. */
  let came: number | undefined;
  let cameAt = 0;
  /** Under which name: when it comes back from the browser's cache it has another one, and is given nothing before a leader has heard of it. */
  let known: string | undefined;

  const log = (line: string): void => onLog?.(line);
  /** Of those that say the same the last one is kept: many attempts to connect are no reason to forget the rest. */
  const keep = (name: string, { reason, error = reason }: { reason?: unknown; error?: unknown }): void => {
    const text = ` ${name}: ${error}`;
    if (error) errors = [...errors.filter((one) => !one.endsWith(text)), new Date().toISOString() + text].slice(-ERRORS_KEPT);
  };
  const report = (what: Report): void => {
    if (what.kind === 'outbox') {
      if (what.count === count) return;
      count = what.count;
    }
    keep(what.kind, what as {});
    log(`report ${JSON.stringify({ ...what, authenticationData: undefined })}`);
    onReport?.(what);
  };
  const move = (now: State): void => {
    if (state.state === 'closed' || JSON.stringify(now) === JSON.stringify(state)) return;
    state = now;
    first &&= now.state === 'connecting';
    log(`state ${JSON.stringify(now)}`);
    keep(now.state, now as {});
    publications.moved();
    onState?.(now);
  };
  const know = (now: number): void => {
    if (known !== station.self) return;
    came = now;
    cameAt = Date.now();
  };
  const hear = (talk: ToTabs): void => {
    if ('tab' in talk && talk.tab !== station.self) return;
    // A message for this tab and others is heard here for this one.
    if (talk.t === 'messages') {
      sinks.messages(talk.list.flatMap(([message, tabs]) => (tabs.includes(station.self) ? message : [])));
      know(talk.rows);
    } else if (talk.t === 'settled') publications.settled(talk.seqs, talk.outcome);
    else if (talk.t === 'qos0-settled') publications.qos0Settled(talk.n, talk.outcome);
    else if (talk.t === 'standing') sinks.standing(talk.standing);
    else if (talk.t === 'report') report(talk.report);
    else if (talk.t === 'beat') {
      leader = talk.leader;
      if (leader) {
        sinks.low(leader.low);
        know(leader.rows);
        report({ kind: 'outbox', count: talk.outbox });
      }
    } else if (talk.t === 'met') {
      if (known !== talk.tab && came! < talk.rows) report({ kind: 'gap', reason: 'another tab had messages', lost: { since: cameAt } });
      known = talk.tab;
      know(talk.rows);
    }
    else if (talk.t === 'forgotten') forgotten ||= talk.ended;
  };
  const end = (how: How, error: EbbtideError): void => {
    publications.end(error);
    station.down(how, error);
  };

  /** It closes by itself. */
  const fall = (error: EbbtideError): void => {
    sinks.end(error);
    end('leave', error);
  };

  const station = openStation({
    url, name, settings, load, after, state: move, report, log, hear,
    led: (away) => {
      sinks.announce(away);
      publications.reconcile().catch(() => {});
    },
    hopeless: fall,
    // Whoever wants that, too, waits for the answer.
    removed: () => forgetting || fall(new EbbtideError('closed', 'this identity was removed')),
  });
  const { store, tell } = station;
  const publications = openPublications({
    store, tell, limits: settings.limits, online: () => state.state === 'online', first: () => first, report,
  }, (seqs, outcome) => station.broadcast({ t: 'settled', seqs, outcome }));
  const sinks = openSinks(store, tell);

  return {
    get state() {
      return state;
    },
    onState: (listener) => void (onState = listener),
    onReport: (listener) => void (onReport = listener),
    onLog: (listener) => void (onLog = listener),
    publish: publications.publish,
    subscribe: sinks.subscribe,
    outbox: () => store(async (now) => {
      let flights = new Map<Key, Flight>();
      // First: what leaves in between counts as waiting.
      await now.run(['flight'], 'read', (tx) => askEntries(tx, 'flight', (entries) => void (flights = new Map(entries))));
      return (await readAll(now, 'outbox')).map((row): Pending => {
        const flight = flights.get(row.seq!);
        return { ...listed(row), stage: flight ? (flight.stage === 2 ? 'released' : 'sent') : 'waiting' };
      });
    }),
    deadLetters: async () =>
      (await store((now) => readAll(now, 'dead'))).map((row): DeadLetter => ({ ...listed(row), reasonCode: row.reasonCode, rejectedAt: row.rejectedAt, ...row.said })),
    cancel: publications.cancel,
    retry: async (seqs) => {
      const count = await store((now) => retryDead(now, seqs));
      if (count > 0) tell({ t: 'nudge', dueAt: 0, gone: [], count: undefined });
      return count;
    },
    discard: (seqs) => store((now) => discardDead(now, seqs)),
    reconnectNow: () => tell({ t: 'do', what: 'reconnect' }),
    renewCredentials: () => tell({ t: 'do', what: 'renew' }),
    inspect: async () => {
      const { opened } = station;
      return {
        tab: station.self, leading: station.leading, epoch: station.epoch, outbox: count, leader: station.leader?.inspect() ?? leader, errors,
        storage: opened && {
          kind: opened.store.kind, memoryOnly: opened.memoryOnly,
          persisted: await globalThis.navigator?.storage?.persisted?.().catch(() => undefined),
        },
      };
    },
    close: async (farewell = {}) => {
      // What was published before is stored, to be sent by the next page.
      await until(() => !publications.writing, Date.now() + CLOSE_DEADLINE_MS);
      end(farewell, new EbbtideError('closed', 'the client is closed'));
    },
    forget: async (withWill) => {
      const how = { sessionExpiryS: 0, withWill };
      forgetting = true;
      // It must be there to be removed, and somebody there to tell the server.
      await store(async () => {}).catch(() => {});
      await until(() => station.epoch, Date.now() + FORGET_DEADLINE_MS);
      const deadline = Date.now() + FORGET_DEADLINE_MS;
      const durable = station.opened?.shared;
      station.broadcast({ t: 'forget', deadline, how });
      const ended = await station.endSession(deadline, how);
      if (ended === undefined) await until(() => forgotten !== undefined, deadline + 1000);
      end(how, new EbbtideError('closed', 'this identity was removed'));
      witness.write(name, undefined);
      const purged = !durable || (await deleteIndexedDb(name, FORGET_DEADLINE_MS));
      if (!purged) throw new EbbtideError('storage', 'another page holds the database');
      if (!(ended ?? forgotten)) throw new EbbtideError('offline', 'the server did not answer, and may keep the session');
    },
  };
}

function listed({ seq, key, topic, payload, qos, retain, createdAt, deadline }: OutboxRow): Omit<Pending, 'stage'> {
  return { seq: seq!, topic, payload, qos, retain, createdAt, ...(key !== undefined && { key }), ...(deadline !== undefined && { deadline }) };
}
