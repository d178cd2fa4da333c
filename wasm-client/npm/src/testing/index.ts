/**
 * An MQTT broker in memory, for tests of apps: clients without a browser, WebAssembly or network, and a switch for the network. The
 * clients are those of the package; only what is below them is another.
 */

import type { Client } from '../client.js';
import { clientFor, type Clients } from '../clients.js';
import type { ConnectOptions } from '../connect-options.js';
import type { QoS } from '../engine.js';
import type { Diagnostics, Properties } from '../properties.js';
import { checkTopic, fillTopic } from '../filter.js';
import { encodePayload, Message, type Payload } from '../message.js';
import type { Credentials } from '../settings.js';
import { covers, matches } from './match.js';
import { MemoryEngine } from './memory-engine.js';
import { MemoryStore } from './memory-store.js';
import { expiryOf, Server, type Refusal, type Routed } from './server.js';

export interface TestBrokerOptions {
  /** Whether to let a client in; a reason code refuses it: 0x86 is `Bad User Name or Password`. Default: everybody is let in. */
  authenticate?: (credentials: Credentials) => boolean | number;
}

export interface TestPublishOptions {
  /** Default 0. */
  qos?: QoS;
  /** Default false. */
  retain?: boolean;
  params?: Readonly<Record<string, string | number>>;
  properties?: Properties;
}

/** Of all brokers: what a page keeps by URL is shared by no two of them. */
let brokers = 0;

/** Made by `createTestBroker`. */
export class TestBroker {
  /** Everything that was published, oldest first. */
  readonly published: Message[] = [];
  readonly #server: Server;
  readonly #options: TestBrokerOptions;
  readonly #url = `ws://broker-${++brokers}.test/mqtt`;
  readonly #clients: Clients = new Map();
  readonly #engines = new Map<Client, { readonly engine: MemoryEngine; readonly options: ConnectOptions; readonly store: MemoryStore }>();
  /** What stays after a client, by identity, and the logout that it came after. */
  readonly #stores = new Map<string, { readonly store: MemoryStore; readonly after: Promise<void> | undefined }>();
  readonly #refused = new Map<string, Refusal>();
  readonly #refusedFilters = new Map<string, Refusal>();
  readonly #offline = new Map<Client, string>();
  #allOffline: string | undefined;
  #busy = 0;

  /** @internal */
  constructor(options: TestBrokerOptions) {
    this.#options = options;
    this.#server = new Server((message) => this.published.push(messageOf(message)));
    this.#server.refuses = (topic) => [...this.#refused].find(([filter]) => matches(filter, topic))?.[1];
    this.#server.refusesFilter = (wanted) => [...this.#refusedFilters].find(([filter]) => covers(filter, wanted))?.[1];
  }

  /** The topics that have a retained value. */
  get retained(): ReadonlyMap<string, Message> {
    return new Map([...this.#server.retained].map(([topic, message]) => [topic, messageOf(message)]));
  }

  /**
   * A client, with the options of `connect`. As there, equal calls share one client, by `identity`. After `close()`, `crash()` or
   * `reload()` another one of the same identity finds what the last one had stored.
   */
  connect(options: ConnectOptions = {}): Client {
    let engine: MemoryEngine | undefined;
    let store = new MemoryStore();
    const client = clientFor(this.#clients, this.#url, options, (settings, after) => {
      if (settings.storage === 'durable') {
        const stored = this.#stores.get(settings.identity);
        // What a client has that has logged out since, or is about to, is not for the next one.
        if (stored && stored.after === after) store = stored.store;
        this.#stores.set(settings.identity, { store, after });
      }
      engine = new MemoryEngine(settings, {
        server: this.#server,
        store,
        after,
        unreachable: () => this.#allOffline ?? this.#offline.get(client),
        admits: (credentials) => {
          const answer = this.#options.authenticate?.(credentials) ?? true;
          return answer === true ? undefined : answer === false ? 0x86 : answer;
        },
        busy: (change) => void (this.#busy += change),
      });
      return engine;
    });
    if (engine) this.#engines.set(client, { engine, options, store });
    return client;
  }

  /** Cuts the network: of one client, or of all. They see `offline`, try again and again, and their wills are published after their delay. */
  goOffline(client?: Client): void {
    const reason = 'the network is off';
    if (client) this.#offline.set(client, reason);
    else this.#allOffline = reason;
    for (const [each, { engine }] of this.#engines) if (!client || each === client) engine.cut({ reason });
  }

  /** Brings it back; the clients that wait for it connect at once. */
  goOnline(client?: Client): void {
    if (client) this.#offline.delete(client);
    else {
      this.#allOffline = undefined;
      this.#offline.clear();
    }
    for (const [each, { engine }] of this.#engines) if (!client || each === client) engine.wake();
  }

  /** Publishes, as somebody else would. */
  publish(topic: string, value: Payload, options: TestPublishOptions = {}): void {
    const { qos = 0, retain = false, params, properties } = options;
    const name = params ? fillTopic(topic, params) : topic;
    checkTopic(name);
    this.#server.publish({ topic: name, payload: encodePayload(value), qos, retain, properties, expiresAt: expiryOf(properties) });
  }

  /**
   * Refuses what clients publish under a filter: `broker.refuse('admin/#', 0x87, { reasonString: 'ask for it' })`. Without a reason code it is
   * allowed again.
   */
  refuse(filter: string, reasonCode?: number, said?: Diagnostics): void {
    note(this.#refused, filter, reasonCode, said);
  }

  /**
   * Refuses subscriptions to what lies under a filter, as `refuse` does publishes: `broker.refuseSubscriptions('admin/#', 0x87)` refuses
   * `admin/#`, `admin/+/on` and `$share/g/admin/x`, and grants `#`. What was granted before is refused when its client connects again.
   */
  refuseSubscriptions(filter: string, reasonCode?: number, said?: Diagnostics): void {
    note(this.#refusedFilters, filter, reasonCode, said);
  }

  /** The page of a client is gone without a goodbye: its will is published. What was stored stays for the next `connect`. */
  crash(client: Client): void {
    const entry = this.#engines.get(client);
    this.#engines.delete(client);
    this.#offline.delete(client);
    entry?.engine.crash();
    for (const [key, each] of this.#clients) if (each.client === client) this.#clients.delete(key);
  }

  /** The page is loaded again: `crash`, then `connect` with the same options. */
  reload(client: Client): Client {
    const { options } = this.#engines.get(client) ?? { options: {} };
    this.crash(client);
    return this.connect(options);
  }

  /** The server forgets the session of a client: it sees `gap` when it connects next. */
  loseSession(client: Client): void {
    const { engine, store = this.#stores.get(client.identity)?.store } = this.#engines.get(client) ?? {};
    const { clientId } = store ?? {};
    if (clientId === undefined) return;
    const cut = engine?.cut({ reason: 'the server was restarted' });
    this.#server.endSession(clientId);
    if (cut) engine!.reconnectNow();
  }

  /** Resolves when nothing is under way any more: what was published has come to every handler. With fake timers they must run. */
  async settled(): Promise<void> {
    // What stores tell their listeners comes with a timer.
    for (let quiet = 0; quiet < 3; quiet = this.#busy === 0 ? quiet + 1 : 0) await new Promise((resolve) => setTimeout(resolve));
  }
}

/** Makes a broker in memory. Each has its own clients, sessions and retained messages. */
export function createTestBroker(options: TestBrokerOptions = {}): TestBroker {
  return new TestBroker(options);
}

function note(refused: Map<string, Refusal>, filter: string, reasonCode: number | undefined, said: Diagnostics | undefined): void {
  if (reasonCode === undefined) refused.delete(filter);
  else refused.set(filter, { reasonCode, ...said });
}

function messageOf({ topic, payload, qos, retain, properties }: Routed): Message {
  return new Message({ topic, payload, qos, retain, dup: false, fromCache: false, redelivered: false, ...(properties && { properties }) }, {});
}
