// The session itself, in the one tab that leads: restores the machine from the store, keeps its journal, and stands between it and the tabs.
// It lives from one take-over of the store to the first thing that ends it; whoever made it makes another.

import type { Connection, Hooks } from '../ebbtide_wasm.js';
import type { QoS, Report, SessionKind, State } from '../engine.js';
import type { EngineSettings } from '../settings.js';
import { openCache, type Cache } from './cache.js';
import { openDesk } from './credentials.js';
import { openFeeder } from './feeder.js';
import { openInbox } from './inbox.js';
import { openJournal, runAsLeader } from './journal.js';
import { witness } from './store/open.js';
import type { InboxRow, Store } from './store/store.js';
import { takeOver } from './takeover.js';
import type { Incoming, ToLeader, ToTabs } from './wire.js';
import { openWishes } from './wishes.js';

/** Without a store no page finds the session again. */
const MEMORY_EXPIRY_MAX_S = 300;

export interface LeaderContext {
  url: string;
  name: string;
  settings: EngineSettings;
  store: Store;
  /** Memory instead of the store that was asked for. */
  fallback: boolean;
  load(): Promise<typeof Connection>;
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
  readonly low: number;
  /** Nothing happens before. */
  start(): void;
  hear(talk: ToLeader, from: string): void;
  gone(tab: string): void;
  tick(): void;
  /** The network may have come back. */
  wake(): void;
  /** `drop`: no bytes go out. `leave`: without an end, wills fire. `close`: DISCONNECT 0x00. `end`: the server forgets the session. */
  stop(how: 'drop' | 'leave' | 'close' | 'end'): void;
  inspect(): object;
}

export async function startLeader(context: LeaderContext, stopped: () => boolean): Promise<Leader | undefined> {
  const { url, name, settings, store, fallback, load, say, log, failed } = context;
  const { limits, version } = settings;
  const Class = await load();
  const estate = await takeOver(store, name, settings);
  if (stopped()) return undefined;
  const { epoch, meta } = estate;
  let state: State = { state: 'connecting' };
  let onlineSince: number | undefined;
  let lastOnline: number | undefined;
  let unknown = 0;
  let over = false;
  let barred = false;
  let connack: object | undefined;
  let out: [Incoming, string[]][] = [];
  let count = estate.outboxCount;
  let witnessed = -1;

  const online = (): boolean => onlineSince !== undefined;
  const enter = (now: State): void => {
    state = now;
    context.state(now);
  };
  const counted = (rows: number): void => {
    if (rows !== count) context.outbox((count = rows));
  };
  const report = (what: Report): void => say({ t: 'report', report: what });
  const fail = (why: unknown): void => {
    if (over) return;
    stop('drop');
    failed(why);
  };
  const deliver = (message: Incoming, tabs: string[]): void => {
    if (out.push([message, tabs]) > 1) return;
    queueMicrotask(() => {
      const list = out;
      out = [];
      say({ t: 'messages', list });
    });
  };
  const incoming = (row: InboxRow, redelivered: boolean): Incoming =>
    ({ ...row, retain: row.retain || version === 5 ? row.retain : undefined, redelivered });

  const hooks: Hooks = {
    state(kind, session, reason, reasonCode, retryInMs) {
      if (over || (barred && kind === 'offline')) return;
      const why = reasonCode === undefined ? { reason } : { reason, reasonCode };
      if (kind === 'online') {
        onlineSince = Date.now();
        unknown = 0;
        const evicted = estate.evicted && session !== 'resumed' ? 'the browser had thrown the stored data away' : '';
        const now = evicted ? 'evicted' : (session as SessionKind);
        if (now === 'gap' || now === 'evicted') {
          const was = estate.evicted;
          const since = lastOnline ?? was?.at;
          // The journal tells only after this what cannot be known any more.
          setTimeout(() => report({ kind: now, reason: evicted || reason, lost: defined({ outbox: now === 'gap' ? unknown : was?.count, since }) }));
        }
        estate.evicted = undefined;
        enter({ state: kind, session: now, ...(evicted || reason ? { reason: evicted || reason } : {}) });
        wishes.online(session === 'resumed');
        feeder.feed();
        return;
      }
      if (online()) {
        lastOnline = Date.now();
        onlineSince = undefined;
        wishes.offline();
        feeder.takeBack();
      }
      if (kind === 'offline') enter({ state: kind, ...why, retryInMs: retryInMs ?? null });
      else if (kind === 'needs-auth') enter({ state: kind, ...why });
      else if (kind === 'connecting') enter({ state: kind });
      else fail(reason || 'the connection was closed');
    },
    credentials: () => desk.ask(),
    message(topic, payload, qos, retain, dup, subscriptions, properties) {
      const row: InboxRow = { topic, payload, qos: qos as QoS, retain, dup, filters: wishes.filtersOf(subscriptions), properties };
      const message = incoming(row, false);
      const tabs = wishes.wanting(row);
      if (tabs.length > 0) deliver(message, tabs);
      if (retain) cache.note(message);
    },
    change: (identifier, kind, value) => wishes.change(identifier, kind, value),
    settled: (handle, code, message, reasonCode) => {
      feeder.settled(handle, code, message, reasonCode);
      feeder.feed();
    },
    deferred: (_handle, reasonCode, retryInMs) => log(`refused for now (0x${reasonCode.toString(16)}), again in ${retryInMs} ms`),
    auth: (kind, data) => {
      if (kind === 'continue') desk.challenge(data);
    },
    connected(given) {
      connack = given;
      for (const [key, value] of (given as { userProperties?: [string, string][] }).userProperties ?? []) {
        if (key === 'ebbtide-dropped') report({ kind: 'dropped', count: parseInt(value) || 0, reason: `the server dropped messages of this session: ${value}` });
      }
    },
    sent: (handle, packetId) => feeder.sent(handle, packetId),
    released: (handle) => feeder.released(handle),
    withdrawn: (handle) => feeder.withdrawn(handle),
    finished: (handle, code, reasonCode) => {
      if (code === 'outcome-unknown') unknown++;
      feeder.finished(handle, code, reasonCode);
    },
    received(packetId, topic, payload, qos, retain, dup, subscriptions, properties) {
      if (packetId > 0) journal.write((tx) => tx.put('inbound', true, packetId));
      const row: InboxRow = { topic, payload, qos: qos as QoS, retain, dup, filters: wishes.filtersOf(subscriptions), properties };
      inbox.received(row, (message) => cache.note(message));
    },
    completed: (packetId) => journal.write((tx) => tx.remove('inbound', packetId)),
    restarted() {
      meta.hasSession = true;
      const stored = { ...meta };
      journal.write((tx) => {
        tx.put('session', stored, 'meta');
        tx.clear('inbound');
        tx.clear('subs');
      });
      feeder.restarted();
    },
    subscribed: (identifier, filter, qos, flags) => journal.write((tx) => tx.put('subs', { filter, qos, flags }, identifier)),
    unsubscribed: (identifier) => journal.write((tx) => tx.remove('subs', identifier)),
    commit: (ticket) => journal.commit(ticket),
  };

  const sessionExpiryS = fallback ? Math.min(settings.sessionExpiryS, MEMORY_EXPIRY_MAX_S) : settings.sessionExpiryS;
  const connection = new Class(defined({
    url, clientId: meta.clientId, keepAliveS: settings.keepAliveS, sessionExpiryS, cleanStart: false, version,
    receiveMaximum: settings.receiveMaximum, connectTimeoutMs: settings.connectTimeoutS * 1000, backoffMaxMs: settings.backoffMaxS * 1000,
    will: settings.will, userProperties: settings.userProperties, authenticationMethod: settings.authenticationMethod,
    durable: true, hasSession: meta.hasSession, asksCredentials: settings.credentials !== undefined,
  }), hooks);
  const journal = openJournal(store, epoch, (ticket) => connection.committed(ticket), (usage) => {
    counted(usage.count);
    feeder.feed();
  }, (why) => void rescue(why));
  const feeder = openFeeder({ store, journal, connection, deadLettersMax: limits.deadLettersMax, online, counted, say, failed: fail });
  const cache: Cache = openCache(store, epoch, limits, (filter) => wishes.caches(filter), () => wishes.cached(), (topic) => {
    const message: Incoming = { topic, payload: new Uint8Array(), qos: 0, retain: true, dup: false, filters: [], redelivered: false, swept: true };
    deliver(message, wishes.wanting(message));
  }, fail);
  const wishes = openWishes({ connection, say, began: (filter) => cache.begin(filter), completed: (filter) => cache.complete(filter), flushed: () => cache.flush() });
  const inbox = openInbox({
    store, epoch, journal, limits, wanting: wishes.wanting, silent: () => context.tabs().filter((tab) => !wishes.knows(tab)), incoming, hold: (hold) => connection.hold_acks(hold), deliver, say, failed: fail,
  });
  const desk = openDesk(settings, connection, () => {
    barred = true;
    connection.leave('no credentials');
    onlineSince = undefined;
    enter({ state: 'needs-auth', reason: 'the application has no credentials' });
  }, log);

  /** A full disk has room again once the cache is gone; what the machine had in hand is read from the store anew. */
  const rescue = async (why: unknown): Promise<void> => {
    if ((why as Error | undefined)?.name === 'QuotaExceededError') {
      report({ kind: 'quota-exceeded', reason: 'the browser has no room for what came; cached values were removed' });
      await cache.clear().catch(() => {});
    }
    fail(why);
  };
  const note = (): void => {
    if (store.kind !== 'indexeddb' || count === witnessed) return;
    witness.write(name, { clientId: meta.clientId, count: (witnessed = count), at: Date.now() });
  };
  function stop(how: 'drop' | 'leave' | 'close' | 'end'): void {
    if (over) return;
    over = true;
    onlineSince = undefined;
    journal.stop();
    desk.stop();
    if (how === 'leave') connection.leave('the page goes away');
    else if (how !== 'drop') connection.close(how === 'end');
    // Not inside of a call from it.
    if (how === 'drop' || how === 'leave') queueMicrotask(() => connection.free());
    else setTimeout(() => connection.free(), 1000);
  }
  const reconnect = (): void => {
    barred = false;
    connection.reconnect_now();
  };

  for (const [row, flight] of estate.flights) {
    try {
      feeder.restore(row, flight);
    } catch (why) {
      // Then it is sent as if it never had been.
      log(`a publish under way could not be restored: ${String(why)}`);
      await runAsLeader(store, epoch, ['flight'], 'strict', (tx) => tx.remove('flight', row.seq!));
    }
  }
  for (const packetId of estate.inbound) connection.restore_incoming(packetId);
  for (const [identifier, row] of estate.subscriptions) {
    connection.restore_subscription(identifier, row.filter, row.qos, row.flags);
    wishes.restore(identifier, row);
  }
  inbox.restore(estate.inbox);
  cache.restore(estate.retained);
  estate.retained = estate.inbox = [];
  note();
  context.outbox(count);
  feeder.dueAt(0);

  const inspect = (): object => ({
    epoch, state, clientId: meta.clientId, tabs: wishes.tabs.length, inbox: inbox.count, inFlight: feeder.inFlight, cached: cache.count,
    journal: journal.waiting, connack, machine: over ? undefined : connection.inspect(),
  });
  return {
    epoch,
    get low() {
      return inbox.low;
    },
    start: () => connection.start(),
    hear(talk, from) {
      if (over) return;
      if (talk.t === 'tab') {
        const silent = !wishes.knows(from);
        const news = wishes.tab(from, talk.wishes, talk.ended);
        if (silent) inbox.spoke(from);
        if (news) inbox.reoffer();
      } else if (talk.t === 'nudge') {
        feeder.gone(talk.gone);
        if (talk.count !== undefined) counted(talk.count);
        feeder.dueAt(talk.dueAt);
        feeder.feed();
      } else if (talk.t === 'qos0') feeder.qos0(from, talk);
      else if (talk.t === 'done') inbox.done(talk.id, from, talk.shown);
      else if (talk.t === 'do') {
        if (talk.what === 'reconnect' || !online() || !desk.renew()) reconnect();
      } else say({ t: 'inspected', tab: from, leader: inspect() });
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
      inbox.tick(onlineSince);
      desk.tick(online());
      note();
    },
    wake: () => void (over || connection.probe()),
    stop,
    inspect,
  };
}

/** Without the properties that are undefined. */
function defined<T extends object>(given: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}
