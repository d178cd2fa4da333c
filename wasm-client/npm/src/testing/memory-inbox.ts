// The subscriptions of a session in memory: what they get from the server, from the last-known values and from the inbox.

import type { Delivery, EngineSubscription, QoS, SubscribeSettings, SubscriptionSink } from '../engine.js';
import { bytesOf } from '../engine/store/store.js';
import { EbbtideError } from '../error.js';
import { filterFault, matches } from './match.js';
import type { Ground, InboxRow } from './memory-store.js';
import type { Link, Refusal, Routed } from './server.js';

/** What nobody wants is removed after as long with a connection. */
const UNCLAIMED_MS = 30_000;

interface Local {
  readonly filter: string;
  readonly settings: SubscribeSettings;
  readonly sink: SubscriptionSink;
}

export class MemoryInbox {
  readonly #ground: Ground;
  readonly #locals = new Set<Local>();
  /** How each filter was asked for on this connection: again only for something else. */
  readonly #asked = new Map<string, string>();
  #cachedBytes: number;
  /** A limit has removed values. */
  #partial = false;
  #crashed = false;
  /** What comes in this turn and nobody wants. */
  #idle: object | undefined;

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#cachedBytes = [...ground.store.cache.values()].reduce((sum, one) => sum + bytesOf(one), 0);
    for (const row of ground.store.inbox.values()) {
      if (row.offered.size > 0) row.delivery = { ...row.delivery, redelivered: true };
      row.offered.clear();
    }
  }

  subscribe(filter: string, settings: SubscribeSettings, sink: SubscriptionSink): EngineSubscription {
    const { later, link, over, server, store } = this.#ground;
    const fault = filterFault(filter);
    if (fault) {
      later(() => sink.failed(fault), true);
      return { end() {} };
    }
    const local: Local = { filter, settings, sink };
    this.#locals.add(local);
    later(() => {
      if (!this.#locals.has(local)) return;
      if (settings.cache) for (const each of this.cached(filter)) sink.message(each, () => {});
      for (const [id, row] of store.inbox) if (row.offered.size === 0) this.#offer(id, row, [local]);
      if (link()) this.#subscribeAtServer(filter, [local]);
    });
    return {
      end: (_, failed) => {
        if (!this.#locals.delete(local) || over()) return;
        if (!failed) for (const [id, row] of store.inbox) this.#done(id, row, local, true);
        if ([...this.#locals].some((each) => each.filter === filter)) return;
        this.#asked.delete(filter);
        if (link()) server.unsubscribe(store.clientId!, filter);
        else store.ending.add(filter);
      },
    };
  }

  cached(filter: string): Delivery[] {
    return [...this.#ground.store.cache.values()].filter(({ topic }) => matches(filter, topic));
  }

  /** There is a connection. */
  connected(): void {
    this.#asked.clear();
    for (const row of this.#ground.store.inbox.values()) if (row.offered.size === 0) this.#setAside(row);
    const byFilter = new Map<string, Local[]>();
    for (const local of this.#locals) byFilter.set(local.filter, [...(byFilter.get(local.filter) ?? []), local]);
    const { server, store } = this.#ground;
    for (const filter of store.ending) if (!byFilter.has(filter)) server.unsubscribe(store.clientId!, filter);
    store.ending.clear();
    for (const [filter, locals] of byFilter) this.#subscribeAtServer(filter, locals);
  }

  receive(message: Routed, filters: readonly string[], duplicate: boolean, acknowledged: () => void): void {
    this.#hand(message, duplicate, filters, [...this.#locals].filter((local) => filters.includes(local.filter)), acknowledged);
  }

  /** What handlers say from now on was not said any more. */
  crash(): void {
    this.#crashed = true;
  }

  /** With all that comes in the same turn, until another connection begins the wait anew. */
  #setAside(row: InboxRow): void {
    const { later, link, report, store, timer } = this.#ground;
    if (!this.#idle) {
      const idle = (this.#idle = {});
      later(() => void (this.#idle = undefined));
      timer(UNCLAIMED_MS, () => {
        const rows = [...store.inbox].filter(([, each]) => link() && each.idle === idle && each.offered.size === 0);
        for (const [id] of rows) store.inbox.delete(id);
        const filters = [...new Set(rows.flatMap(([, each]) => each.filters))];
        if (rows.length > 0) report({ kind: 'unclaimed', count: rows.length, filters });
      });
    }
    row.idle = this.#idle;
  }

  /** What was asked for is sent to all that want the filter; those that need not ask have it from what is kept. */
  #subscribeAtServer(filter: string, fresh: readonly Local[]): void {
    const { later, link, server, settings, store } = this.#ground;
    const all = [...this.#locals].filter((local) => local.filter === filter);
    const wishes = all.map((local) => local.settings);
    const qos = Math.max(...wishes.map((each) => each.qos)) as QoS;
    const retainHandling = Math.min(...wishes.map((each) => each.retainHandling));
    const subscription = { qos, noLocal: wishes.every((each) => each.noLocal), retainAsPublished: wishes.some((each) => each.retainAsPublished) };
    const key = JSON.stringify([subscription, retainHandling]);
    const plain = settings.version === 4;
    const kept = !plain && !this.#partial && subscription.retainAsPublished && all.some((local) => local.settings.cache && !fresh.includes(local));
    const asks = this.#asked.get(filter) !== key || (!kept && retainHandling === 0);
    this.#asked.set(filter, key);
    const locals = asks ? all : fresh;
    const now = link();
    const handling = asks ? retainHandling : Math.min(...fresh.map((local) => local.settings.retainHandling));
    const found = asks ? server.subscribe(store.clientId!, filter, subscription, handling) : handling === 0 ? server.retainedUnder(filter, qos) : [];
    if (!Array.isArray(found)) return this.#refused(filter, found, now);
    later(() => {
      if (link() !== now) return;
      const present = locals.filter((local) => this.#locals.has(local));
      for (const { sink } of present) sink.granted(qos);
      for (const message of found) this.#hand({ ...message, retain: true }, false, [filter], present, () => {});
      const seen = new Set(found.map(({ topic }) => topic));
      if ((handling === 0 || plain) && !filter.startsWith('$share/')) this.#forgetUnseen(filter, seen);
      for (const { sink } of present) sink.snapshot(false);
    });
  }

  /** Then all that want the filter end, and what the server had of it. */
  #refused(filter: string, refusal: Refusal, now: Link | undefined): void {
    const { later, link, server, store } = this.#ground;
    server.unsubscribe(store.clientId!, filter);
    this.#asked.delete(filter);
    later(() => {
      if (link() !== now) return;
      const error = new EbbtideError('refused', 'the server refused the subscription', refusal.reasonCode, refusal);
      for (const local of [...this.#locals]) {
        if (local.filter !== filter) continue;
        this.#locals.delete(local);
        local.sink.failed(error);
      }
    });
  }

  /** Last-known values that the server has no longer. */
  #forgetUnseen(filter: string, seen: ReadonlySet<string>): void {
    for (const { topic } of this.cached(filter)) {
      if (seen.has(topic)) continue;
      const empty: Delivery = { topic, payload: new Uint8Array(), qos: 0, retain: true, dup: false, fromCache: false, redelivered: false };
      this.#keep(empty);
      for (const local of [...this.#locals]) if (local.settings.cache && matches(local.filter, topic)) local.sink.message(empty, () => {});
    }
  }

  /** The one not seen for longest comes first, and goes first. */
  #keep(delivery: Delivery): void {
    const { settings, store } = this.#ground;
    const { cacheBytesMax, cacheTopicsMax } = settings.limits;
    const { cache } = store;
    const drop = (topic: string): void => {
      const old = cache.get(topic);
      if (old) this.#cachedBytes -= bytesOf(old);
      cache.delete(topic);
    };
    drop(delivery.topic);
    if (delivery.payload.length === 0) return;
    cache.set(delivery.topic, { ...delivery, fromCache: true, storedAt: Date.now() });
    this.#cachedBytes += bytesOf(delivery);
    while (cache.size > cacheTopicsMax || this.#cachedBytes > cacheBytesMax) {
      this.#partial = true;
      drop(cache.keys().next().value!);
    }
  }

  #hand(message: Routed, dup: boolean, filters: readonly string[], locals: readonly Local[], acknowledged: () => void): void {
    const { settings, store } = this.#ground;
    const { topic, payload, qos, properties } = message;
    const retain = settings.version === 4 && !message.retain ? undefined : message.retain;
    const delivery: Delivery = {
      topic, payload, qos, retain, dup, fromCache: false, redelivered: false, ...(properties && settings.version === 5 && { properties }),
    };
    if (message.retain && locals.some((local) => local.settings.cache)) this.#keep(delivery);
    if (qos === 0) {
      for (const { sink } of locals) sink.message(delivery, () => {});
      return acknowledged();
    }
    const id = ++store.inboxId;
    const row: InboxRow = { delivery: { ...delivery, id }, filters, offered: new Set(), handled: false };
    store.inbox.set(id, row);
    acknowledged();
    this.#offer(id, row, locals);
    if (store.inbox.has(id) && row.offered.size === 0) this.#setAside(row);
  }

  #offer(id: number, row: InboxRow, locals: readonly Local[]): void {
    const wanting = locals.filter(({ filter }) => row.filters.includes(filter));
    for (const local of wanting) row.offered.add(local);
    for (const local of wanting) {
      local.sink.message(row.delivery, (shown = true) => {
        if (!this.#crashed && !this.#ground.over()) this.#done(id, row, local, shown);
      });
    }
  }

  /** What none was given is for the next subscription. */
  #done(id: number, row: InboxRow, local: Local, shown: boolean): void {
    if (!row.offered.delete(local)) return;
    row.handled ||= shown;
    if (row.offered.size > 0) return;
    if (row.handled) this.#ground.store.inbox.delete(id);
    else this.#setAside(row);
  }
}
