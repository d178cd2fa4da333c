// The session itself, in the one tab that leads: restores the machine from the store, keeps its journal, and stands between it and the tabs.
// It lives from one take-over of the store to the first thing that ends it; whoever made it makes another.

import type { Hooks, MakeConnection, Properties, Settings } from '../wasm/contract.js';
import { attempt } from '../attempt.js';
import type { Farewell, QoS, Report, State } from '../engine.js';
import { MEMORY_EXPIRY_S, type EngineSettings } from '../settings.js';
import { openCache } from './cache.js';
import { openDesk } from './credentials.js';
import { openFeeder } from './feeder.js';
import { endCleanly } from './goodbye.js';
import { openInbox } from './inbox.js';
import { openJournal, runAsLeader, STALE } from './journal.js';
import { witness } from './store/open.js';
import { isFull, type InboxMessage, type OutboxRow, type Store } from './store/store.js';
import { openStates } from './states.js';
import { takeOver } from './takeover.js';
import { until } from './until.js';
import { sweptOf, type Incoming, type LeaderState, type ToLeader, type ToTabs } from './wire.js';
import { openWishes } from './wishes.js';

/** How a leader stops, see `Leader.stop`. */
export type How = 'drop' | 'leave' | (Farewell & { withWill?: boolean | undefined });

export interface LeaderContext {
  url: string;
  name: string;
  settings: EngineSettings;
  store: Store;
  load(): Promise<MakeConnection>;
  /** Tabs that live, this one among them, as far as it is known. */
  tabs(): string[];
  say(talk: ToTabs): void;
  state(state: State): void;
  /** How many publishes wait. */
  outbox(count: number): void;
  log(line: string): void;
  /** It can go on no more: the store refused, the wasm did not load, another leads. */
  failed(why: unknown): void;
}

export interface Leader {
  readonly epoch: number;
  /** Waits for a connection, if there is none, to stop in a way that ends the session at the server. False: there was none in time. */
  endSession(deadline: number, how: How): Promise<boolean>;
  /** Nothing happens before. */
  start(): void;
  /** `rows`: this tab has just stored them. */
  hear(talk: ToLeader, from: string, rows?: OutboxRow[]): void;
  gone(tab: string): void;
  tick(): void;
  /** Writes the witness anew. */
  note(): void;
  /** `drop`: no bytes go out. `leave`: without an end, wills fire. Otherwise DISCONNECT with these words. */
  stop(how: How): void;
  inspect(): LeaderState;
}

export async function startLeader(context: LeaderContext, stopped: () => boolean): Promise<Leader> {
  const { url, name, settings, store, load, say, log } = context;
  const { limits, version } = settings;
  const estate = await takeOver(store, name, settings, stopped);
  // Only now: compiling it would compete with the first values that the page shows.
  const connect = await load();
  // What is written down from here on would outlast a `forget()`.
  if (stopped()) throw STALE;
  const { epoch } = estate;
  let { meta, rows: came } = estate;
  let over = false;
  let ending = false;
  let out: [Incoming, string[]][] = [];
  let count = estate.outboxCount;
  let witnessed: number;

  const counted = (rows: number): void => {
    if (rows !== count) context.outbox((count = rows));
  };
  const report = (what: Report): void => say({ t: 'report', report: what });
  const failed = (why: unknown): void => {
    if (over) return;
    stop('drop');
    context.failed(why);
  };
  const deliver = (message: Incoming, tabs: string[]): void => {
    if (out.push([message, tabs]) > 1) return;
    queueMicrotask(() => {
      const list = out;
      out = [];
      // Not before: a beat may have gone in between.
      came = inbox.rows;
      say({ t: 'messages', epoch, list, rows: came });
    });
  };
  const messageOf = (topic: string, payload: Uint8Array, qos: number, retain: boolean, dup: boolean, subscriptions: number[], properties: Properties | undefined): InboxMessage =>
    ({ n: 0, topic, payload, qos: qos as QoS, retain, dup, filters: wishes.filtersOf(subscriptions), properties });
  // Written out, and not spread: this is done for each message.
  const incoming = ({ topic, payload, qos, retain, dup, filters, properties }: InboxMessage, id: number | undefined, redelivered: boolean): Incoming =>
    ({ topic, payload, qos, retain: retain || version === 5 ? retain : undefined, dup, filters, properties, id, redelivered });
  const keep = (hasSession: boolean | undefined, sessionName?: string): void => {
    const stored = (meta = { ...meta, hasSession, sessionName });
    journal.write((tx) => tx.put('session', stored, 'meta'));
  };
  /** A full disk has room again once the cache is gone; what the machine had in hand is read from the store anew. */
  const rescue = async (why: unknown): Promise<void> => {
    if (isFull(why)) {
      report({ kind: 'quota-exceeded', reason: 'no room: cached values were removed' });
      await cache.clear().catch(() => {});
    }
    failed(why);
  };

  // Called only after `start`.
  const hooks = {} as Hooks;
  const given = {
    ...settings, ...meta, url, cleanStart: false, durable: true, asksCredentials: settings.credentials !== undefined,
    sessionExpiryS: store.kind === 'memory' && settings.storage === 'durable' ? Math.min(settings.sessionExpiryS, MEMORY_EXPIRY_S) : settings.sessionExpiryS,
    connectTimeoutMs: settings.connectTimeoutS * 1000, backoffMaxMs: settings.backoffMaxS * 1000,
  } as Settings;
  const connection = connect(given, hooks);
  const states = openStates({
    estate, enter: context.state, report,
    online: () => {
      wishes.online();
      feeder.feed();
    },
    offline: () => {
      wishes.offline();
      feeder.takeBack();
      // Once: there is no time to wait.
      if (ending) connection.reconnect_now();
      ending = false;
    },
  });
  const online = (): boolean => states.since !== undefined;
  const journal = openJournal(store, epoch, (ticket) => connection.committed(ticket), (rows) => {
    counted(rows);
    if (count > feeder.inFlight) feeder.feed();
  }, (why) => void rescue(why));
  const feeder = openFeeder({ store, journal, connection, deadLettersMax: limits.deadLettersMax, online, counted, say, failed });
  const wishes = openWishes({
    connection, say, began: (filter) => cache.begin(filter), completed: (filter) => cache.complete(filter), partial: () => cache.partial || version < 5,
    flushed: () => cache.flush().then(() => inbox.caught),
  });
  const cache = openCache(store, epoch, limits, wishes.caches, wishes.cached, (topic) => {
    const message = sweptOf(topic);
    deliver(message, wishes.wanting(message));
  }, failed);
  const inbox = openInbox({
    store, epoch, rows: came, journal, limits, ...wishes, silent: () => context.tabs().filter((tab) => !wishes.knows(tab)), incoming,
    hold: (hold) => connection.hold_acks(hold), deliver, report, failed,
  });
  const desk = openDesk(settings, connection, () => {
    connection.leave();
    states.bar();
  }, log);

  Object.assign(hooks, {
    ...feeder.hooks,
    state: (kind, session, reason, ...more) => {
      if (over) return;
      if (kind === 'closed') failed(reason || 'the connection was closed');
      else states.hook(kind, session, reason, ...more);
    },
    credentials: desk.ask,
    message: (...given) => {
      const row = messageOf(...given);
      inbox.follow(row.topic, () => {
        const message = incoming(row, undefined, false);
        const tabs = wishes.takers(row);
        if (tabs.length > 0) deliver(message, tabs);
        cache.note(message);
      });
    },
    change: wishes.change,
    auth: (kind, data, said) => {
      if (kind === 'continue') desk.challenge(data, said);
      else report({ kind: 'authenticated', ...(data && { authenticationData: data }), ...said });
    },
    connected: (given) => {
      states.connack = given;
      for (const [key, value] of given.userProperties ?? []) {
        const count = key === 'ebbtide-dropped' && attempt(() => (JSON.parse(value) as { count?: unknown }).count);
        if (Number.isInteger(count)) report({ kind: 'dropped', count: count as number, reason: 'the server had no room for more' });
      }
    },
    finished: (handle, code, ...more) => {
      if (code === 'outcome-unknown') states.unknown();
      feeder.hooks.finished(handle, code, ...more);
    },
    received: (packetId, ...given) => {
      if (packetId > 0) journal.write((tx) => tx.put('inbound', true, packetId));
      inbox.received(messageOf(...given), cache.note);
    },
    completed: (packetId) => journal.write((tx) => tx.remove('inbound', packetId)),
    unsure: (isUnsure) => estate.evicted || keep(isUnsure ? undefined : false),
    restarted: (sessionName) => {
      keep(true, sessionName);
      journal.write((tx) => {
        tx.clear('inbound');
        tx.clear('subs');
      });
      feeder.restarted();
    },
    subscribed: (identifier, filter, qos, flags) => journal.write((tx) => tx.put('subs', { filter, qos, flags }, identifier)),
    unsubscribed: (identifier) => journal.write((tx) => tx.remove('subs', identifier)),
    commit: (ticket) => {
      inbox.cut();
      feeder.cut();
      journal.commit(ticket);
    },
  } satisfies Hooks);

  const note = (): void => {
    // What was evicted is known by the witness alone, until it is told.
    if (estate.evicted) return;
    witnessed = count;
    if (store.kind === 'indexeddb') witness.write(name, { clientId: meta.clientId, count, at: Date.now() });
  };
  function stop(how: How): void {
    if (over) return;
    over = true;
    states.since = undefined;
    journal.stop();
    if (how !== 'drop') inbox.stop();
    desk.stop();
    if (how === 'leave') connection.leave();
    else if (how !== 'drop') connection.close(how);
    // Not inside of a call from it, and not before its farewell.
    setTimeout(() => connection.free(), how === 'drop' ? 0 : 1000);
  }

  for (const [row, flight] of estate.flights) {
    try {
      feeder.restore(row, flight);
    } catch (why) {
      // Then it is sent as if it never had been.
      log(`publish not restored: ${String(why)}`);
      await runAsLeader(store, epoch, ['flight'], 'strict', (tx) => tx.remove('flight', row.seq!));
    }
  }
  for (const packetId of estate.inbound) connection.restore_incoming(packetId);
  for (const [identifier, row] of estate.subscriptions) {
    connection.restore_subscription(identifier, row.filter, row.qos, row.flags);
    wishes.restore(identifier, row);
  }
  inbox.restore(estate.inbox);
  estate.inbox = [];
  note();
  context.outbox(count);
  feeder.dueAt(0);

  const inspect = (): LeaderState => ({
    epoch, low: inbox.low, rows: came, state: states.state, clientId: meta.clientId, tabs: wishes.tabs(), inbox: inbox.count, inFlight: feeder.inFlight, cached: cache.count,
    journal: journal.waiting, connack: states.connack, machine: over ? undefined : connection.inspect(),
  });
  return {
    epoch,
    endSession: async (deadline, how) => {
      const none = (): boolean => meta.hasSession === false && !estate.evicted;
      // A connection that stands is probed: one that is dead, and not yet known to be, takes a farewell as well.
      ending = true;
      if (!none()) connection.reconnect_now();
      const can = (): boolean => !over && (none() || (online() && !connection.inspect().awaitsPing));
      await until(() => over || can(), deadline);
      const could = can();
      stop(how);
      if (!could || version === 5 || !meta.hasSession) return could;
      return endCleanly(await load(), given, settings, deadline - Date.now(), log);
    },
    start: () => connection.start(),
    hear(talk, from, rows) {
      if (over) return;
      if (talk.t === 'tab') {
        const silent = !wishes.knows(from);
        if (silent) {
          // What it stored before it could be heard, nobody has told.
          feeder.dueAt(0);
          feeder.feed();
        }
        const { rows } = inbox;
        if (wishes.tab(from, talk.wishes, talk.ended) || silent) inbox.spoke(from);
        if (silent) void inbox.caught.then(() => say({ t: 'met', tab: from, rows }));
      } else if (talk.t === 'nudge') {
        if (talk.count !== undefined) counted(talk.count);
        feeder.dueAt(talk.dueAt);
        feeder.feed(rows);
        feeder.gone(talk.gone);
      } else if (talk.t === 'qos0') feeder.qos0(from, talk);
      else if (talk.t === 'done') inbox.done(talk.id, from, talk.shown);
      else {
        if (talk.what === 'wake') return connection.probe();
        if (talk.what === 'renew' && online() && desk.renew()) return;
        states.unbar();
        connection.reconnect_now();
      }
    },
    gone(tab) {
      if (over) return;
      wishes.gone(tab);
      inbox.gone(tab);
      // It may have written its last publishes without a word.
      feeder.dueAt(0);
      feeder.feed();
    },
    tick() {
      if (over) return;
      connection.tick();
      feeder.tick();
      inbox.tick(states.since);
      desk.tick(online());
      if (count !== witnessed) note();
    },
    note,
    stop,
    inspect,
  };
}
