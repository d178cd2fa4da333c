// The subscriptions of this tab: shows each what is cached, then what comes, and tells the leader when the handlers of a message are done.
// A message that came once is never shown again, whichever tab leads.

import type { Delivery, Done, EngineSubscription, QoS, SubscribeSettings, SubscriptionSink } from '../engine.js';
import type { EbbtideError } from '../error.js';
import type { Station } from './station.js';
import { readAll } from './store/store.js';
import { matches, prefixOf } from './topic.js';
import { errorOf, sweptOf, type Incoming, type Standing, type ToLeader, type Wish } from './wire.js';
import { widest } from './wishes.js';

/** Cached values that are read at once, at first and then. */
const FIRST_PAGE = 50;
const PAGE = 1000;
/** In between, so that reading on takes nothing from painting what was read. */
const PAINT_MS = 50;
/** Topics of a subscription that are known to have a value; messages that are known to be done. */
const KNOWN_MAX = 100_000;

interface Seen {
  /** How many handlers still have it. */
  left: number;
  shown: boolean;
}

interface Local {
  settings: SubscribeSettings;
  sink: SubscriptionSink;
  /** Counts the subscriptions of this tab. */
  n: number;
  granted?: QoS;
  /** Topics that came since the subscription began, or this tab came back: when; of an earlier time alone: 0. Until the next snapshot. */
  shown: Map<string, number> | undefined;
  /** Topics whose retained value it was shown, if such are cached. */
  has: Set<string>;
  /** Ends the messages that its handlers still have. */
  open: Set<Done>;
}

export interface Sinks {
  subscribe(filter: string, settings: SubscribeSettings, sink: SubscriptionSink): EngineSubscription;
  messages(list: Incoming[]): void;
  standing(standing: Standing): void;
  /** Tells the leader all that is wanted here. `away`: this tab has missed messages, so what is kept is shown again. */
  announce(away?: boolean): void;
  /** Inbox ids below it are gone. */
  low(id: number): void;
  end(error: EbbtideError): void;
}

export function openSinks(store: Station['store'], tell: (talk: ToLeader) => void): Sinks {
  const byFilter = new Map<string, Set<Local>>();
  /** Ended by the application, and the leader does not know yet. */
  const ended = new Map<string, [string, string][] | undefined>();
  /** By inbox id. */
  const seen = new Map<number, Seen>();
  /** Which subscription of this tab is the last one to a filter. */
  const uses = new Map<string, number>();
  let last = 0;
  let announcing = false;
  let over: EbbtideError | undefined;

  const all = (): Local[] => [...byFilter.values()].flatMap((locals) => [...locals]);
  const announce = (): void => {
    if (announcing) return;
    announcing = true;
    queueMicrotask(() => {
      announcing = false;
      if (over) return;
      const wishes = [...byFilter].map(([filter, locals]): Wish => ({ filter, uses: uses.get(filter)!, ...widest([...locals].map(({ settings }) => settings)) }));
      tell({ t: 'tab', wishes, ended: [...ended] });
    });
  };
  const pass = (local: Local, message: Delivery, done: Done = () => {}): void => {
    const { settings, sink, has } = local;
    if (message.payload.length === 0) has.delete(message.topic);
    else if (message.retain && settings.cache && has.size < KNOWN_MAX) has.add(message.topic);
    sink.message(message, done);
  };
  /** Whether all of it was read. */
  const showCached = async (filter: string, local: Local, live: boolean): Promise<boolean | void> => {
    const from = prefixOf(filter);
    let after: string | undefined;
    try {
      // A few first, so that a page has something to show.
      for (let count = FIRST_PAGE; ; count = PAGE) {
        const rows = await store((now) => readAll(now, 'retained', { from, to: from === filter ? from : `${from}\uffff`, after, count }));
        for (const row of rows) {
          const { topic, storedAt } = row;
          after = topic;
          if (!matches(filter, topic)) continue;
          const { shown } = local;
          if (!shown || !byFilter.get(filter)?.has(local)) return;
          if ((shown.get(topic) ?? -1) >= storedAt) continue;
          // Then it is shown again as a live one, if it still is.
          shown.set(topic, live ? storedAt : 0);
          pass(local, { ...row, retain: true, dup: false, redelivered: false, fromCache: !live, storedAt: live ? undefined : storedAt });
        }
        if (rows.length < count) return true;
        if (!live && local.shown?.size) await new Promise((next) => setTimeout(next, PAINT_MS));
      }
    } catch {
      // No cache; what is live still comes.
    }
  };
  /** Shows what is missing of a snapshot. What is neither in it nor kept has gone, perhaps while this tab was away. */
  const complete = async (filter: string, local: Local, snapshot: number, missed: boolean | undefined): Promise<void> => {
    const { shown, settings, sink, has } = local;
    const unseen = (): string[] => [...has].filter((topic) => shown && !shown.get(topic));
    const whole = ((missed && !settings.retainHandling) || unseen().length > 0) && (await showCached(filter, local, true));
    // It is away again, and another snapshot comes.
    if (local.shown !== shown) return;
    if (whole) for (const topic of unseen()) pass(local, sweptOf(topic));
    local.shown = undefined;
    if (byFilter.get(filter)?.has(local)) sink.snapshot(snapshot === 1);
  };

  const settle = (id: number, { left, shown }: Seen): void => {
    if (left > 0) return;
    if (!shown) seen.delete(id);
    tell({ t: 'done', id, shown });
  };
  const show = (message: Incoming): void => {
    const { id, filters, topic } = message;
    const known = seen.get(id!);
    // Another leader asks again.
    if (known) return void (known.left || tell({ t: 'done', id: id!, shown: undefined }));
    const locals = (filters.length > 0 ? filters : [...byFilter.keys()].filter((filter) => matches(filter, topic))).flatMap((filter) => [...(byFilter.get(filter) ?? [])]);
    const one: Seen = { left: locals.length, shown: false };
    if (id !== undefined) {
      seen.set(id, one);
      settle(id, one);
    }
    for (const local of locals) {
      if (message.swept && !local.settings.cache) continue;
      if (message.retain !== false) local.shown?.set(topic, message.late ? 0 : Date.now());
      const done: Done = (shown = true) => {
        if (!local.open.delete(done)) return;
        one.left--;
        one.shown ||= shown;
        if (!over) settle(id!, one);
      };
      if (id !== undefined) local.open.add(done);
      pass(local, message, done);
    }
  };

  return {
    subscribe: (filter, settings, sink) => {
      const local: Local = { settings, sink, n: ++last, shown: new Map(), has: new Set(), open: new Set() };
      if (over) queueMicrotask(() => sink.failed(over!));
      else {
        uses.set(filter, last);
        byFilter.set(filter, (byFilter.get(filter) ?? new Set()).add(local));
        ended.delete(filter);
        if (settings.cache) void showCached(filter, local, false);
        announce();
      }
      return {
        end: (userProperties, failed) => {
          const all = byFilter.get(filter);
          if (!all?.delete(local)) return;
          if (!failed) for (const done of [...local.open]) done();
          if (all.size === 0) {
            byFilter.delete(filter);
            uses.delete(filter);
            ended.set(filter, userProperties);
          }
          announce();
        },
      };
    },
    messages: (list) => list.forEach(show),
    standing: ({ filter, uses: known = 0, granted, said, failed, snapshot, late, missed, ended: gone }) => {
      if (gone) ended.delete(filter);
      for (const local of [...(byFilter.get(filter) ?? [])]) {
        const { sink } = local;
        if (failed) {
          byFilter.delete(filter);
          announce();
          sink.failed(errorOf(failed));
          continue;
        }
        if (local.n > known) continue;
        if (granted !== undefined && granted !== local.granted) sink.granted((local.granted = granted), said);
        if (snapshot === undefined || (late && !local.shown)) continue;
        void complete(filter, local, snapshot, missed);
      }
    },
    announce: (away) => {
      if (away) for (const local of all()) local.shown = new Map();
      announce();
    },
    low: (id) => {
      // One that is held for long keeps `id` where it is.
      for (const [one, { left }] of seen) if (left === 0 && (one < id || seen.size > KNOWN_MAX)) seen.delete(one);
    },
    end: (error) => {
      over = error;
      const locals = all();
      byFilter.clear();
      for (const { sink } of locals) sink.failed(error);
    },
  };
}
