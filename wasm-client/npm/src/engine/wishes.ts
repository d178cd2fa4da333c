// What the tabs want to hear, and the subscriptions at the server that this comes to: one for each filter, wide enough for all who want it.
// A tab that ends takes its wishes along, but the server is told only when the application itself ends a subscription.

import { reasonName } from '../reason.js';
import { ENDING, NO_LOCAL, REFRESH, RETAIN_AS_PUBLISHED, RETAIN_HANDLING_SHIFT, type Connection, type Said } from '../wasm/contract.js';
import type { QoS, SubscribeSettings } from '../engine.js';
import type { SubscriptionRow } from './store/store.js';
import { matches } from './topic.js';
import { outcomeOf, type Outcome, type Standing, type ToTabs, type Wish } from './wire.js';

/** Gives each of them what it asks for. */
export const widest = (all: SubscribeSettings[]): SubscribeSettings => ({
  qos: Math.max(...all.map((one) => one.qos)) as QoS,
  noLocal: all.every((one) => one.noLocal),
  retainAsPublished: all.some((one) => one.retainAsPublished),
  retainHandling: Math.min(...all.map((one) => one.retainHandling)) as 0 | 1 | 2,
  cache: all.some((one) => one.cache),
  userProperties: all.find((one) => one.userProperties)?.userProperties,
});

interface Held extends SubscriptionRow {
  identifier: number;
  granted?: QoS;
  said?: Said;
  /** The last snapshot: 0 told by the server, 1 inferred; undefined: not complete. */
  snapshot?: number | undefined;
  /** Tab → its last subscription (`Wish.uses`) when the retained values began to come: a later one has missed some of them. Another Map each
      time they begin; undefined: they are to be asked for again, by the next connection. */
  from?: Map<string, number | undefined> | undefined;
}

export interface Addressed {
  topic: string;
  filters: string[];
}

/** It came for shared subscriptions alone. */
export const isShared = ({ filters }: Addressed): boolean => filters.length > 0 && filters.every((filter) => filter.startsWith('$share/'));

export interface Wishes {
  restore(identifier: number, row: SubscriptionRow): void;
  /** Returns whether there is something new. */
  tab(tab: string, wishes: Wish[], ended: [filter: string, userProperties: [string, string][] | undefined][]): boolean;
  gone(tab: string): void;
  /** Whether the tab has said what it wants. */
  knows(tab: string): boolean;
  /** All filters are asked for again. */
  online(): void;
  offline(): void;
  change(identifier: number, kind: string, value: number, said?: Said): void;
  filtersOf(identifiers: number[]): string[];
  /** Tabs that want a message. */
  wanting(message: Addressed): string[];
  /** Those of them that are sent it: all; but of what came for a group alone one, for the tabs are one member of it. */
  takers(message: Addressed): string[];
  caches(filter: string): boolean;
  cached(): string[];
  tabs(): number;
}

export interface WishesContext {
  connection: Connection;
  say(talk: ToTabs): void;
  began(filter: string): void;
  /** All retained values have come. */
  completed(filter: string): Promise<void>;
  /** The cache holds less than has come, for a limit or because 3.1.1 does not tell what is retained. */
  partial(): boolean;
  /** Resolves when the cache shows what has come, and tabs have what waited for them. */
  flushed(): Promise<unknown>;
}

export function openWishes({ connection, say, began, completed, partial, flushed }: WishesContext): Wishes {
  const tabs = new Map<string, Map<string, Wish>>();
  const held = new Map<string, Held>();
  const filterOf = new Map<number, string>();
  /** Counts what came for groups. */
  let turn = 0;

  const usesOf = (filter: string): Map<string, number | undefined> => new Map([...tabs].map(([tab, wishes]) => [tab, wishes.get(filter)?.uses]));
  const tell = (standing: Standing, tab: string): void => say({ t: 'standing', standing: { ...standing, uses: tabs.get(tab)?.get(standing.filter)?.uses }, tab });
  const tellAll = (standing: Standing): void => {
    for (const tab of tabs.keys()) tell(standing, tab);
  };
  const begin = (one: Held): void => {
    one.from = usesOf(one.filter);
    began(one.filter);
  };
  /** Once the cache shows all retained values; not if they have begun to come anew, or the connection is lost. */
  const whenWhole = async (filter: string, then: () => void): Promise<void> => {
    const from = held.get(filter)?.from;
    await completed(filter);
    await flushed();
    if (held.get(filter)?.from === from) then();
  };
  const wishesFor = (filter: string): Wish[] => [...tabs.values()].flatMap((wishes) => wishes.get(filter) ?? []);
  const caches = (filter: string): boolean => wishesFor(filter).some((wish) => wish.cache);

  /** `again`: somebody wants the retained values who cannot have them from the cache. */
  const ensure = (filter: string, again: boolean): void => {
    const old = held.get(filter);
    const { qos: wanted, noLocal, retainAsPublished, retainHandling, userProperties } = widest(wishesFor(filter));
    const qos = Math.max(old?.qos ?? 0, wanted);
    const flags = (+noLocal * NO_LOCAL) | (+retainAsPublished * RETAIN_AS_PUBLISHED) | REFRESH | (retainHandling << RETAIN_HANDLING_SHIFT);
    if (!again && old?.qos === qos && old.flags === flags) return;
    try {
      const identifier = connection.subscribe(filter, qos, flags, userProperties);
      const one: Held = { filter, qos, flags, identifier };
      held.set(filter, one);
      filterOf.set(identifier, filter);
      begin(one);
      // Only now: the filter must not be without a use in between.
      if (old && old.identifier !== identifier) connection.unsubscribe(old.identifier);
    } catch (thrown) {
      tellAll({ filter, failed: outcomeOf(thrown) });
    }
  };

  const wanting = ({ topic, filters }: Addressed): string[] => {
    const wanting: string[] = [];
    for (const [tab, wishes] of tabs) {
      if (filters.length > 0 ? filters.some((filter) => wishes.has(filter)) : [...wishes.keys()].some((filter) => matches(filter, topic))) wanting.push(tab);
    }
    return wanting;
  };

  return {
    restore: (identifier, row) => {
      filterOf.set(identifier, row.filter);
      // Else the machine ends it.
      if (!(row.flags & ENDING)) held.set(row.filter, { ...row, identifier });
    },
    tab: (tab, wishes, ended) => {
      const before = tabs.get(tab);
      const news = wishes.flatMap((wish): [Wish, kept: boolean][] => {
        const old = before?.get(wish.filter);
        return JSON.stringify(old) === JSON.stringify(wish) ? [] : [[wish, caches(wish.filter)]];
      });
      tabs.set(tab, new Map(wishes.map((wish) => [wish.filter, wish])));
      for (const [wish, kept] of news) {
        const now = held.get(wish.filter);
        // What came while nobody wanted it kept is not in the cache.
        ensure(wish.filter, now?.from !== undefined && (partial() || !(now.flags & RETAIN_AS_PUBLISHED) || !kept) && !wish.retainHandling);
        if (now?.granted !== undefined && now === held.get(wish.filter)) {
          const { filter, granted, said, snapshot } = now;
          const standing = { filter, granted, said };
          if (snapshot === undefined) tell(standing, tab);
          else void whenWhole(filter, () => tell({ ...standing, snapshot, late: true, missed: true }, tab));
        }
      }
      for (const [filter, userProperties] of ended) {
        const one = held.get(filter);
        if (one && wishesFor(filter).length === 0) {
          held.delete(filter);
          connection.unsubscribe(one.identifier, userProperties);
        }
        tell({ filter, ended: true }, tab);
      }
      return news.length > 0;
    },
    gone: (tab) => void tabs.delete(tab),
    knows: (tab) => tabs.has(tab),
    online: () => held.forEach(begin),
    offline: () => {
      for (const one of held.values()) one.snapshot = one.from = undefined;
    },
    change: (identifier, kind, value, said) => {
      const filter = filterOf.get(identifier);
      if (!filter) return;
      const one = held.get(filter);
      if (kind === 'unsubscribed') {
        filterOf.delete(identifier);
        if (value > 0x11 || said) say({ t: 'report', report: { kind, filter, reasonCode: value, reason: reasonName(value), ...said } });
      }
      if (one?.identifier !== identifier) return;
      if (kind === 'granted') tellAll({ filter, granted: (one.granted = value as QoS), said: (one.said = said) });
      else if (kind === 'refused') {
        held.delete(filter);
        filterOf.delete(identifier);
        connection.unsubscribe(identifier);
        tellAll({ filter, failed: ['refused', 'the server refused the subscription', value, said] });
      } else {
        // 'snapshot': what has ended is held no more.
        void whenWhole(filter, () => {
          one.snapshot = value;
          for (const [tab, uses] of usesOf(filter)) tell({ filter, snapshot: value, missed: one.from?.get(tab) !== uses }, tab);
        });
      }
    },
    filtersOf: (identifiers) => [...new Set(identifiers.flatMap((identifier) => filterOf.get(identifier) ?? []))],
    wanting,
    takers: (message) => {
      const all = wanting(message);
      return isShared(message) ? all.splice(turn++ % all.length, 1) : all;
    },
    caches,
    cached: () => [...held.keys()].filter(caches),
    tabs: () => tabs.size,
  };
}
