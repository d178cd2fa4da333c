// Presence: an entry per browser, retained, in one shape that broker, dashboard and this client share.

import { attempt } from './attempt.js';
import type { Client } from './client.js';
import type { State } from './engine.js';
import { EbbtideError } from './error.js';
import { fillTopic, parseFilter } from './filter.js';
import { encodePayload, Message } from './message.js';
import type { Publication } from './publication.js';
import { callOut, quiet } from './settle.js';
import type { WillMessage } from './settings.js';
import type { TopicStore } from './topic-store.js';

/** The entry that a client keeps of itself. */
export interface PresenceOptions {
  /** Where: `presence/{client}`. The level `{user}` becomes the user, every other name the id; what a level cannot have is percent-encoded. */
  topic: string;
  /** Which browser. Default: `clientId`, or a name that this browser keeps for itself. */
  id?: string;
  /** Whose browser. Default: `identity`, unless that is empty. */
  user?: string;
  /** What else others should know, as JSON. */
  meta?: unknown;
  /** Seconds without a connection until the entry turns offline (MQTT 5.0). Default 10. */
  offlineDelayS?: number;
  /** Seconds that an offline entry is kept (MQTT 5.0). Default 604,800: a week. */
  offlineExpiryS?: number;
}

/** One entry: one browser or device. */
export interface PresenceEntry {
  readonly topic: string;
  readonly id: string;
  readonly status: 'online' | 'offline';
  /** Since when, if it is known. */
  readonly since: Date | undefined;
  readonly user: string | undefined;
  readonly conn: string | undefined;
  readonly reason: string | undefined;
  readonly meta: unknown;
}

/** A user, with all entries. Entries without a user stand for themselves. */
export interface PresentUser {
  readonly user: string;
  /** `online` if one of the entries is. */
  readonly status: 'online' | 'offline';
  /** Online: since the first of its entries; offline: since the last. */
  readonly since: Date | undefined;
  /** Of the newest entry with that status. */
  readonly meta: unknown;
  readonly entries: readonly PresenceEntry[];
}

/** What has changed. Who is there at the beginning has joined. */
export interface PresenceChange {
  readonly joined: readonly PresentUser[];
  readonly left: readonly PresentUser[];
  readonly changed: readonly PresentUser[];
}

/** @internal */
export type PresenceSettings = Required<Omit<PresenceOptions, 'user' | 'meta'>> & { user: string | undefined; meta: unknown };

/** Who is there. It looks while there are listeners. */
export class Presence {
  readonly #client: Client;
  readonly #store: TopicStore;
  readonly #idLevel: number;
  readonly #own: OwnPresence | undefined;
  readonly #listeners = new Set<(change: PresenceChange) => void>();
  readonly #read = new WeakMap<Message, PresenceEntry | undefined>();
  #users: ReadonlyMap<string, PresentUser> = new Map();
  #list: readonly PresentUser[] = [];
  /** Of the store, as the listeners know it: why it ended, or the connection on which all has come. */
  #told: EbbtideError | State | undefined;
  #stop: (() => void) | undefined;

  /** @internal */
  constructor(client: Client, filter: string, own: OwnPresence | undefined) {
    this.#client = client;
    this.#store = client.store(filter as string, { qos: 1 });
    const named = [...parseFilter(filter).names];
    this.#idLevel = (named.find(([, name]) => name !== 'user') ?? named[0])?.[0] ?? -1;
    this.#own = own;
  }

  /** Calls back with what has changed; with nothing in it when all entries have come, and when `error` is another. Returns what removes the listener. */
  readonly subscribe = (listener: (change: PresenceChange) => void): (() => void) => {
    const entry = (change: PresenceChange): void => listener(change);
    this.#listeners.add(entry);
    const before = this.#stop;
    // Each time: a store that was refused asks again then.
    this.#stop = this.#store.subscribe(() => this.#update());
    if (before) before();
    else this.#update();
    return () => {
      if (!this.#listeners.delete(entry) || this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
      // Who comes next sees a beginning.
      this.#users = new Map();
      this.#list = [];
      this.#told = undefined;
    };
  };

  /** The users, by name, offline ones too: the same list until something changes. Empty without listeners. */
  readonly list = (): readonly PresentUser[] => this.#list;

  /** Whether the list is what the broker has now; else it is from an earlier time, as far as it is known at all. False without listeners. */
  get ready(): boolean {
    const { state } = this.#client;
    return this.#stop !== undefined && !this.error && state.state === 'online' && state === this.#store.getSnapshot().asOf;
  }

  /** Why nothing more comes: `refused` (the next listener asks again), `topic-filter`, `closed`. */
  get error(): EbbtideError | undefined {
    return this.#store.getSnapshot().error;
  }

  /** Publishes the own entry with other `meta`. Throws `not-supported` without connect's option `presence`. */
  update(meta: unknown): void {
    this.#mine.update(meta);
  }

  /** Turns the own entry offline until `update`. Throws `not-supported` without connect's option `presence`. */
  leave(): Promise<void> {
    return quiet(this.#mine.leave().then(() => {}));
  }

  get #mine(): OwnPresence {
    if (!this.#own) throw new EbbtideError('not-supported', "presence: without connect's option 'presence' there is no own entry");
    return this.#own;
  }

  #update(): void {
    const byUser = new Map<string, PresenceEntry[]>();
    for (const message of this.#store.current().values()) {
      if (!this.#read.has(message)) this.#read.set(message, read(message, this.#idLevel));
      const entry = this.#read.get(message);
      if (!entry) continue;
      const user = entry.user ?? entry.id;
      const entries = byUser.get(user);
      if (entries) entries.push(entry);
      else byUser.set(user, [entry]);
    }
    const users = new Map<string, PresentUser>();
    const change = { joined: [] as PresentUser[], left: [] as PresentUser[], changed: [] as PresentUser[] };
    for (const [user, entries] of [...byUser].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const before = this.#users.get(user);
      const same = before?.entries.length === entries.length && entries.every((entry, at) => entry === before.entries[at]);
      const now = same ? before : merge(user, entries);
      users.set(user, now);
      if (now.status !== (before?.status ?? 'offline')) change[now.status === 'online' ? 'joined' : 'left'].push(now);
      else if (now !== before) change.changed.push(now);
    }
    for (const [user, before] of this.#users) if (!users.has(user)) change[before.status === 'online' ? 'left' : 'changed'].push({ ...before, status: 'offline', entries: [] });
    const told = this.error ?? this.#store.getSnapshot().asOf;
    const same = change.joined.length + change.left.length + change.changed.length === 0;
    if (same && told === this.#told) return;
    this.#told = told;
    this.#users = users;
    if (!same) this.#list = [...users.values()];
    for (const listener of [...this.#listeners]) callOut(listener, change);
  }
}

/** An entry that is not in the shape is none. */
function read(message: Message, idLevel: number): PresenceEntry | undefined {
  // Something else may live under this topic.
  const value = attempt(() => message.json<Record<string, unknown> | null>());
  const status = value?.['status'];
  if (!value || (status !== 'online' && status !== 'offline')) return undefined;
  const text = (name: string): string | undefined => (typeof value[name] === 'string' ? value[name] : undefined);
  let since = Date.parse(text('since') ?? '');
  const { expiryS } = value;
  const leftS = message.properties.messageExpiryInterval;
  // A will was written before it was known when; what is left of its expiry tells it.
  if (Number.isNaN(since) && typeof expiryS === 'number' && leftS !== undefined && !message.fromCache) {
    since = Date.now() - (expiryS - leftS) * 1_000;
  }
  const level = message.topic.split('/').at(idLevel) ?? '';
  return {
    topic: message.topic,
    // Others may have written ids as they are.
    id: attempt(() => decodeURIComponent(level)) ?? level,
    status,
    since: Number.isNaN(since) ? undefined : new Date(since),
    user: text('user'),
    conn: text('conn'),
    reason: text('reason'),
    meta: value['meta'],
  };
}

function merge(user: string, all: readonly PresenceEntry[]): PresentUser {
  const online = all.filter(({ status }) => status === 'online');
  const entries = (online.length > 0 ? online : [...all]).sort((a, b) => +(a.since ?? 0) - +(b.since ?? 0));
  const last = entries.at(-1)!;
  const { status } = last;
  return {
    user,
    status,
    since: (status === 'online' ? entries[0]! : last).since,
    meta: last.meta,
    entries: all,
  };
}

/** What a level cannot have, or cannot begin with; and `%`, so that it can be read back. All else stays: rules of a broker have names as they are. */
const RESERVED = /[%/+#\0]|^[{$]/g;

function topicOf({ topic, id, user = id }: PresenceSettings): string {
  const names = [...parseFilter(topic).names.values()];
  return fillTopic(topic, Object.fromEntries(names.map((name) => [name, (name === 'user' ? user : id).replace(RESERVED, encodeURIComponent)])));
}

/** @internal The will that turns the entry offline. */
export function presenceWill(settings: PresenceSettings): WillMessage {
  const { user, meta, offlineDelayS, offlineExpiryS } = settings;
  return {
    topic: topicOf(settings),
    payload: encodePayload({ status: 'offline', user, reason: 'connection lost', meta, expiryS: offlineExpiryS }),
    qos: 1,
    retain: true,
    delayIntervalS: offlineDelayS,
    properties: { messageExpiryInterval: offlineExpiryS, contentType: 'application/json' },
  };
}

/** Long enough for a round trip; a page that is left waits no longer. */
const FAREWELL_MS = 1_000;

/**
 * @internal Keeps the own entry: online after each connect, offline at the end; in between the will does it. What the broker has is what
 * counts, so all tabs agree, and an entry that was turned offline by a late will or by another tab's goodbye is put right.
 */
export class OwnPresence {
  readonly #client: Client;
  readonly #settings: PresenceSettings;
  #meta: unknown;
  /** Since when the entry is online, as far as it is. */
  #since: Date | undefined;
  /** This tab holds the connection. */
  #leading = false;
  /** The broker has said what it has, on this connection. */
  #known = false;
  /** The application has left. */
  #away = false;
  /** Counts what the application says. */
  #said = 0;
  #closed = false;

  constructor(client: Client, settings: PresenceSettings) {
    this.#client = client;
    this.#settings = settings;
    this.#meta = settings.meta;
    client.on('leader', ({ leading }) => {
      // Then there is a connection to come.
      this.#leading = leading;
      this.#known = false;
    });
    const topic = topicOf(settings);
    const opened = Date.now();
    let waiting: Promise<void> | undefined;
    client.on('state', ({ state }) => {
      if (state !== 'online') this.#known = false;
      // What tabs have said meanwhile waits in the outbox, and would leave before what this one announces.
      else if (this.#leading) {
        const said = this.#said;
        waiting = client.outbox.list().then((rows) => {
          // What this tab has said since is newer.
          if (said === this.#said) for (const row of rows) {
            const entry = row.topic === topic && row.createdAt > opened && read(new Message(row as never, {}), -1);
            if (!entry) continue;
            this.#away = entry.reason === 'left';
            this.#meta = entry.meta;
          }
        }).catch(() => {});
      }
    });
    const own = client.subscribe(topic as string);
    own.onMessage((message) => {
      if (this.#closed) return;
      const entry = read(message, -1);
      const online = entry?.status === 'online';
      this.#since = online ? entry.since : undefined;
      // What an earlier page has left behind says nothing of this one.
      if (message.fromCache || (!this.#known && this.#leading)) return;
      this.#away = entry?.reason === 'left';
      if (online) this.#meta = entry.meta;
      else this.#announce();
    });
    const known = async (): Promise<void> => {
      await waiting;
      this.#known = true;
      this.#announce();
    };
    own.onSnapshot(known);
    // Where it may not look, it may still be seen: on the connection that there is, and on those to come.
    void own.ended.then((error) => {
      if (!error) return;
      const seen = (): void => void (client.state.state === 'online' && known());
      client.on('state', seen);
      seen();
    });
  }

  update(meta: unknown): void {
    this.#said++;
    this.#meta = meta;
    this.#away = false;
    this.#publish('online');
  }

  /** Rejects as a publish does. */
  leave(): Promise<unknown> {
    this.#said++;
    this.#away = true;
    const publication = this.#publish('offline', 'left');
    return Promise.race([publication.acked, publication.stored]);
  }

  /** Whether the entry is online still, as far as this tab knows: another one keeps it, or the will has to say it. */
  async close(): Promise<boolean> {
    if (!this.#leading || this.#client.state.state !== 'online') return true;
    this.#closed = true;
    return new Promise((resolve) => {
      setTimeout(resolve, FAREWELL_MS, true);
      // What leave() has stored may not have left yet, and would not leave any more.
      this.#publish('offline', this.#away ? 'left' : 'closed').acked.then(() => resolve(false), () => resolve(true));
    });
  }

  #announce(): void {
    if (this.#leading && this.#known && !this.#away && !this.#closed) this.#publish('online');
  }

  #publish(status: 'online' | 'offline', reason?: string): Publication {
    const { user, offlineExpiryS } = this.#settings;
    const online = status === 'online';
    this.#since = online ? (this.#since ?? new Date()) : undefined;
    const entry = { status, since: (this.#since ?? new Date()).toISOString(), user, reason, meta: this.#meta };
    return this.#client.publish(topicOf(this.#settings) as string, entry, {
      qos: 1,
      retain: true,
      properties: { contentType: 'application/json' },
      ...(!online && { expiresInS: offlineExpiryS }),
    });
  }
}
