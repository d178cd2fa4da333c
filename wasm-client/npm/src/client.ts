import { defined, type Settings } from './connect-options.js';
import type { Draft, Engine, Farewell, State, SubscribeSettings } from './engine.js';
import { EbbtideError, TOO_LARGE } from './error.js';
import type { ClientEvents } from './events.js';
import { checkTopic, fillTopic, parseFilter, type TopicParams } from './filter.js';
import { encodePayload, type Message, type Payload } from './message.js';
import { checkCallback, checkOptions, CLOSE_RULES, EVENT_RULES, PUBLISH_RULES, REQUEST_RULES, STORE_RULES, SUBSCRIBE_RULES } from './options.js';
import { outboxOf, type Outbox } from './outbox.js';
import { forgetOwnId, ownId } from './own-id.js';
import { OwnPresence, Presence } from './presence.js';
import { Outcome, type Publication } from './publication.js';
import type { PublishArguments, PublishOptions } from './publish-options.js';
import { Requests, respond, type RequestArguments, type RequestOptions } from './request.js';
import { added, callOut, quiet } from './settle.js';
import { Subscription, type SubscribeOptions } from './subscription.js';
import { TopicStore, type StoreOptions } from './topic-store.js';

/** Bytes: as much as may be on its way at a time. What is larger should not wait offline in vain. */
const PAYLOAD_MAX = 16 << 20;

type Listener = (value: never) => void;

/** @internal The last `forget()` of each identity, by scope: the next client has nothing before the end of it. Never rejects. */
export const logouts = new Map<string, Promise<void>>();

/** @internal Whose data: the key of all that a page keeps of an identity. */
export const scopeOf = (url: string, identity: string): string => `${url} ${identity}`;

/**
 * One tab's part of a session with a server. It connects again by itself whenever the connection is lost, and lives until `close()`.
 * Made by `connect`.
 */
export class Client {
  /** What waits to be sent or acknowledged, and what was refused. */
  readonly outbox: Outbox;
  readonly #engine: Engine;
  readonly #url: string;
  readonly #settings: Settings;
  #state: State;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #subscriptions = new Set<Subscription<never>>();
  readonly #stores = new Map<string, TopicStore<never>>();
  readonly #requests: Requests;
  readonly #own: OwnPresence | undefined;
  #log: ((line: string) => void) | undefined;
  /** @internal `close()` or `forget()` was called: the next `connect` is another client. */
  closing: boolean | undefined;
  /** A `forget()` that is under way. */
  #forgotten: Promise<void> | undefined;

  /** @internal */
  constructor(engine: Engine, url: string, settings: Settings) {
    this.#engine = engine;
    this.#state = engine.state;
    this.#url = url;
    this.#settings = settings;
    this.outbox = outboxOf(engine);
    this.#requests = new Requests(this, () => `response/${this.ownId}`, settings.version);
    engine.onReport((report) => {
      this.#emit('report', report);
      this.#emit(report.kind, report as never);
    });
    engine.onState((state) => this.#changed(state));
    if (settings.presence) this.#own = new OwnPresence(this, settings.presence);
    if (this.#state.state !== 'connecting') this.#changed(this.#state);
  }

  /** How it stands with the server, now. */
  get state(): State {
    return this.#state;
  }

  /** Whose data this is. */
  get identity(): string {
    return this.#settings.identity;
  }

  /** @internal */
  get ownId(): string {
    return ownId(this.#scope);
  }

  get #scope(): string {
    return scopeOf(this.#url, this.identity);
  }

  /** Calls back after each change of state, each report, or each report of one kind. Returns what removes the listener. Throws `bad-options`. */
  on<E extends keyof ClientEvents>(event: E, listener: (value: ClientEvents[E]) => void): () => void {
    checkOptions('on', { [event]: listener ?? null }, EVENT_RULES);
    const listeners = this.#listeners.get(event) ?? new Set<Listener>();
    this.#listeners.set(event, listeners);
    return added(listeners, listener as Listener);
  }

  /**
   * Publishes. QoS 1 and 2 are stored and sent when there is a connection; QoS 0 fails without one, but for the first attempt to
   * connect it waits. Throws `bad-options`; everything else rejects the handle's promises: `topic-name`, `payload`, and what is
   * said there.
   */
  publish<const T extends string>(topic: T, value: Payload, ...[options]: PublishArguments<T>): Publication;
  publish(topic: string, value: Payload, options: PublishOptions = {}): Publication {
    checkOptions('publish', options, PUBLISH_RULES);
    const { qos = 0, retain = false, params, key, coalesce = retain, expiresInS, resend = false, offline } = options;
    const { messageExpiryInterval, ...properties } = options.properties ?? {};
    const lifeS = expiresInS ?? messageExpiryInterval;
    const deadline = options.deadline ?? (lifeS === undefined ? undefined : Date.now() + lifeS * 1_000);
    const outcome = new Outcome(topic, key);
    try {
      const closed = this.#closedError();
      if (closed) throw closed;
      const name = params ? fillTopic(topic, params) : topic;
      checkTopic(name);
      if (properties.responseTopic !== undefined) checkTopic(properties.responseTopic);
      const draft: Draft = {
        topic: name,
        payload: encodePayload(value),
        qos,
        retain,
        coalesce,
        resend,
        keepOffline: offline === 'keep',
        key,
        deadline: deadline && +deadline,
        properties,
      };
      this.#log?.(`publish ${name}, QoS ${qos}, ${draft.payload.length} bytes`);
      if (draft.payload.length > PAYLOAD_MAX) throw new EbbtideError(...TOO_LARGE);
      const handle = this.#engine.publish(draft, () => outcome.store(), (settlement) => {
        const failed = 'error' in settlement;
        this.#log?.(`published ${name}: ${failed ? settlement.error : settlement.reasonCode}`);
        if (failed) outcome.fail(settlement.error);
        else outcome.succeed(settlement);
      });
      outcome.takeBack = () => handle.cancel();
    } catch (error) {
      outcome.fail(error as EbbtideError);
    }
    return outcome;
  }

  /**
   * Subscribes. A level `{name}` matches like `+` and is named in `params`; `{name...}` at the end matches like `#`. Throws
   * `bad-options`; a filter that is none (`topic-filter`) or that the server refuses ends the subscription with that error.
   */
  subscribe<const F extends string>(filter: F, options: SubscribeOptions = {}): Subscription<TopicParams<F>> {
    checkOptions('subscribe', options, SUBSCRIBE_RULES);
    const { bufferedMessagesMax = 10_000, ...given } = defined(options);
    const settings: SubscribeSettings = { qos: 0, noLocal: false, retainAsPublished: true, retainHandling: 0, cache: true, ...given };
    const parsed = parseFilter(filter);
    const shared = filter.startsWith('$share/');
    // [MQTT-3.8.3-4]: it would cost the connection.
    if (settings.noLocal && shared) throw new EbbtideError('bad-options', "subscribe: 'noLocal' cannot be shared");
    // Only what comes again at each connect is kept: what does not come then counts as gone.
    if (settings.retainHandling || shared) settings.cache = false;
    const failure = this.#closedError();
    const subscription = new Subscription<TopicParams<F>>(parsed, bufferedMessagesMax, (sink) => {
      if (!failure) {
        return this.#engine.subscribe(parsed.filter, settings, {
          ...sink,
          message: (delivery, done) => {
            this.#log?.(`message ${delivery.topic}, QoS ${delivery.qos}, ${delivery.payload.length} bytes`);
            sink.message(delivery, done);
          },
        });
      }
      sink.failed(failure);
      return { end() {} };
    });
    this.#subscriptions.add(subscription as never);
    this.#log?.(`subscribe ${parsed.filter}, QoS ${settings.qos}`);
    void subscription.ended.then((error) => {
      this.#log?.(`unsubscribed ${parsed.filter}${error ? `: ${error}` : ''}`);
      this.#subscriptions.delete(subscription as never);
    });
    return subscription;
  }

  /** The last value of each topic under a filter, as a store that can be observed. Equal calls share one store. Throws `bad-options`. */
  store<const F extends string>(filter: F, options: StoreOptions = {}): TopicStore<TopicParams<F>> {
    checkOptions('store', options, STORE_RULES);
    const { topicsMax = 100_000, ...rest } = options;
    const key = JSON.stringify([filter, Object.entries(options).sort()]);
    let store = this.#stores.get(key) as TopicStore<TopicParams<F>> | undefined;
    if (!store) {
      const made = new TopicStore(topicsMax, () => this.#state, () => this.subscribe(filter, rest), () => {
        if (this.#stores.get(key) === (made as never)) this.#stores.delete(key);
      });
      this.#stores.set(key, (store = made) as never);
    }
    return store;
  }

  /**
   * Who is there: the entries under a filter, merged per user. Without a filter those of the topic that `connect` was given as
   * `presence`. The id of an entry is the first named level, `{user}` only for want of another; or the last level.
   */
  presence(filter: string | undefined = this.#settings.presence?.topic): Presence {
    if (filter === undefined) throw new EbbtideError('bad-options', "presence: without connect's option 'presence' it needs a filter");
    return new Presence(this, filter, filter === this.#settings.presence?.topic ? this.#own : undefined);
  }

  /**
   * Publishes a request and resolves with the answer. MQTT 5.0 only. Rejects with `timeout`, `no-responder`, `responder-failed`,
   * `not-supported`, `closed`, and with what a publish rejects with. Throws `bad-options`.
   */
  request<const T extends string>(topic: T, value: Payload, ...[options]: RequestArguments<T>): Promise<Message>;
  request(topic: string, value: Payload, options: RequestOptions = {}): Promise<Message> {
    checkOptions('request', options, REQUEST_RULES);
    return quiet(this.#requests.send(topic, value, options));
  }

  /**
   * Answers requests: with what the handler returns; if it throws, the request fails with `responder-failed` and the message of the
   * error. Default QoS 1 and Retain Handling 2: a retained request is of an earlier time. Ends with the subscription that it returns.
   */
  respond<const F extends string>(
    filter: F,
    handler: (request: Message<TopicParams<F>>) => Payload | Promise<Payload>,
    options: SubscribeOptions = {},
  ): Subscription<TopicParams<F>> {
    checkCallback('respond', handler);
    return respond(this, this.subscribe(filter, { qos: 1, retainHandling: 2, cache: false, ...options }), handler);
  }

  /** Tries now instead of later; a connection that stands is probed. */
  reconnectNow(): void {
    this.#engine.reconnectNow();
  }

  /** Asks for credentials now: in `needs-auth` it tries again with them; a connection that stands is renewed by AUTH where both sides can. */
  renewCredentials(): void {
    this.#engine.renewCredentials();
  }

  /**
   * What is going on inside, as plain values for a bug report, without credentials and payloads: `state` with its `session`, how many publishes are in
   * the `outbox`, the connection as `leader` has it (`inFlight` is how many of them are on their way), `storage`, and the last `errors`. The guide
   * "When something goes wrong" says more of them; more than these names is no interface.
   */
  inspect(): Promise<Readonly<Record<string, unknown>>> {
    const subscriptions = [...this.#subscriptions].map(({ filter }) => filter);
    const own = { url: this.#url, identity: this.identity, state: this.state, subscriptions };
    return quiet(this.#engine.inspect().then((inside) => ({ ...own, ...inside })));
  }

  /** Hands lines of what happens (states, reports, publishes, subscriptions, messages of this tab; never payloads) to a function, with `true` to `console.debug`, or no longer. They are for people; their text is no interface. */
  log(write: boolean | ((line: string) => void) | undefined): void {
    const call = write === true ? (line: string) => console.debug(line) : write || undefined;
    if (call) checkCallback('log', call);
    this.#log = call && ((line) => callOut(call, line));
    this.#engine.onLog(this.#log);
  }

  /**
   * Says goodbye and ends everything here: loops end, what is not acknowledged rejects with `closed`. What is stored stays, and is
   * sent by the next `connect`. An own presence entry turns offline; the will is not published, unless that cannot be done without it.
   * The options go into DISCONNECT (MQTT 5.0), if this tab holds the connection; a `sessionExpiryS` cannot be given when `connect` had 0. During `forget()` it waits for the
   * end of that. Rejects with `bad-options` alone.
   */
  async close(options: Farewell = {}): Promise<void> {
    checkOptions('close', options, CLOSE_RULES);
    if (options.sessionExpiryS && !this.#settings.sessionExpiryS) throw new EbbtideError('bad-options', "close: 'sessionExpiryS' was 0");
    // It closes the client, and could not end the session any more.
    if (this.#forgotten) return this.#forgotten.catch(() => {});
    this.closing = true;
    const withWill = await this.#own?.close();
    await this.#engine.close({ ...options, withWill });
  }

  /**
   * Logout: ends the session at the server, purges all that is stored here for this identity, and closes the client. Rejects with `offline`
   * if the server could not be reached: the data here is gone, and the session there ends when it expires. The next `connect` is another
   * client, which begins when this is done. Called again meanwhile, it returns the same promise. A client that is closed, or for which
   * `close()` was called, can remove nothing: `closed`. With MQTT 3.1.1 it takes a second connection, for a farewell ends no session there.
   */
  forget(): Promise<void> {
    if (this.#forgotten) return this.#forgotten;
    const closed = this.#closedError(this.closing);
    if (closed) return quiet(Promise.reject(closed));
    this.closing = true;
    forgetOwnId(this.#scope);
    const forgotten = Promise.resolve(this.#own?.close())
      .then((withWill) => this.#engine.forget(withWill))
      .finally(() => (this.#forgotten = undefined));
    logouts.set(this.#scope, forgotten.catch(() => {}));
    return (this.#forgotten = forgotten);
  }

  /** Why nothing is possible any more. `closing`: already for a client that is about to close. */
  #closedError(closing = false): EbbtideError | undefined {
    const { state, error } = this.state as { state: string; error?: EbbtideError };
    return closing || state === 'closed' ? (error ?? new EbbtideError('closed', 'the client is closed')) : undefined;
  }

  #changed(state: State): void {
    this.#state = state;
    if (state.state === 'closed') {
      for (const subscription of [...this.#subscriptions]) subscription.end(state.error);
      this.#requests.close(this.#closedError()!);
    }
    this.#emit('state', state);
  }

  #emit<E extends keyof ClientEvents>(event: E, value: ClientEvents[E]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) callOut(listener, value as never);
  }
}
