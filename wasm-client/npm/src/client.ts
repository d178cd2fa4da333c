import { resolveAddress } from './address.js';
import init, { Connection, type SubscriptionToken } from './ebbtide_wasm.js';
import { EbbtideError, fromWasm } from './error.js';
import { parseFilter } from './filter.js';
import { encodePayload, type Payload, type QoS } from './message.js';
import { checkOptions, CONNECT_RULES, PUBLISH_RULES, SUBSCRIBE_RULES } from './options.js';
import { Outcome, type Publication } from './publication.js';
import { Subscription, type SubscribeOptions } from './subscription.js';

export interface ConnectOptions {
  /** Default: the server chooses one. */
  clientId?: string;
  username?: string;
  password?: string;
  /** Seconds; 0 turns it off. Default 30. */
  keepAliveS?: number;
  /** How long the server keeps the session after the connection is gone, seconds. Default 0. */
  sessionExpiryS?: number;
  /** Begin without an old session. Default true. */
  cleanStart?: boolean;
  /** Protocol version. Default 5.0. */
  version?: '3.1.1' | '5.0';
}

export type State =
  | { readonly state: 'connecting' }
  | { readonly state: 'online'; readonly session: 'resumed' | 'fresh' }
  /** `retryInMs`: when the next attempt starts; `null`: not by itself. */
  | { readonly state: 'offline'; readonly reason: string; readonly retryInMs: number | null }
  | { readonly state: 'needs-auth'; readonly reason: string }
  /** `error`: why it closed by itself; every later call fails with it. */
  | { readonly state: 'closed'; readonly error?: EbbtideError };

export interface PublishOptions {
  /** Default 0. */
  qos?: QoS;
  /** Whether the server keeps it for later subscribers. Default false. */
  retain?: boolean;
}

let loading: Promise<unknown> | undefined;

/** Loads the wasm once; a failed attempt may be repeated by the next client. */
function load(): Promise<unknown> {
  loading ??= init().catch((cause: unknown) => {
    loading = undefined;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new EbbtideError('load-failed', `ebbtide_wasm_bg.wasm could not be loaded: ${why}`, undefined, { cause });
  });
  return loading;
}

/** Calls that wait for the wasm to be loaded, at most. */
const WAITING_CALLS_MAX = 10_000;

/** QoS 0 publishes that wait until the first attempt to connect has come to something, at most. */
const HELD_PUBLISHES_MAX = 1_000;

/** A connection that is made again whenever it is lost. It lives until `close()`. */
export class Client {
  #connection: Connection | undefined;
  #waiting: ((connection: Connection | EbbtideError) => void)[] = [];
  /** QoS 0 publishes until the first attempt to connect has come to something, then `undefined`. */
  #held: (() => void)[] | undefined = [];
  #state: State = { state: 'connecting' };
  readonly #listeners = new Set<(state: State) => void>();
  readonly #subscriptions = new Set<Subscription>();

  /** @internal */
  constructor(url: string, options: ConnectOptions) {
    load().then(
      () => this.#start(url, options),
      (error: unknown) => this.#fail(error as EbbtideError),
    );
  }

  get state(): State {
    return this.#state;
  }

  /** Calls back after each change of state. Returns what removes the listener. */
  on(event: 'state', listener: (state: State) => void): () => void {
    if (event !== 'state') throw new TypeError(`there is no event '${String(event)}'`);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Subscribes; a level `{name}` matches anything and is named in `params`. */
  subscribe(filter: string, options: SubscribeOptions = {}): Subscription {
    checkOptions('subscribe', options, SUBSCRIBE_RULES);
    const { qos = 0, noLocal = false, bufferedMessagesMax = 10_000 } = options;
    const parsed = parseFilter(filter);
    let token: SubscriptionToken | undefined;
    let ended = false;
    const subscription = new Subscription(parsed, bufferedMessagesMax, () => {
      ended = true;
      this.#subscriptions.delete(subscription);
      token?.free();
    });
    this.#subscriptions.add(subscription);
    this.#run((connection) => {
      if (ended) return;
      token = connection.subscribe(parsed.filter, qos, noLocal, subscription.push, subscription.change);
    }, (error) => subscription.end(error));
    return subscription;
  }

  /**
   * Publishes. Without a connection QoS 1 and 2 wait for it; QoS 0 fails with `offline`, but for the first attempt to
   * connect it waits too.
   */
  publish(topic: string, value: Payload, options: PublishOptions = {}): Publication {
    checkOptions('publish', options, PUBLISH_RULES);
    const { qos = 0, retain = false } = options;
    const outcome = new Outcome(topic);
    let payload: Uint8Array;
    try {
      payload = encodePayload(value);
    } catch (error) {
      outcome.fail(error as EbbtideError);
      return outcome;
    }
    const hold = qos === 0 && this.#held !== undefined;
    // Whoever passed it may write to it again while it waits.
    if (hold || !this.#connection) payload = payload.slice();
    const send = (): void =>
      this.#run(
        (connection) =>
          connection.publish(topic, payload, qos, retain, outcome.succeed, (...failure) => outcome.fail(fromWasm(failure))),
        outcome.fail,
      );
    if (!hold || !this.#held) send();
    else if (this.#held.length < HELD_PUBLISHES_MAX) this.#held.push(send);
    else outcome.fail(new EbbtideError('queue-full', `${HELD_PUBLISHES_MAX} publishes wait for the first connection`));
    return outcome;
  }

  /** Tries now instead of later; a connection that stands is probed. */
  reconnectNow(): void {
    this.#connection?.reconnect_now();
  }

  /** Says goodbye and ends everything: loops end, what is not acknowledged rejects with `closed`. */
  close(): void {
    if (this.#connection) this.#connection.close();
    else this.#fail(new EbbtideError('closed', 'the client was closed'), { state: 'closed' });
  }

  #start(url: string, options: ConnectOptions): void {
    if (this.#state.state === 'closed') return;
    let connection: Connection;
    try {
      connection = new Connection(
        url,
        options.clientId,
        options.username,
        options.password,
        options.keepAliveS ?? 30,
        options.sessionExpiryS ?? 0,
        options.cleanStart ?? true,
        options.version === '3.1.1' ? 4 : 5,
        (kind, sessionPresent, reason, retryInMs) => this.#changed(stateOf(kind, sessionPresent, reason, retryInMs)),
      );
    } catch (error) {
      this.#fail(fromWasm(error));
      return;
    }
    this.#connection = connection;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) call(connection);
  }

  /** Runs it with the connection: now, or once the wasm is loaded. */
  #run(call: (connection: Connection) => void, failed: (error: EbbtideError) => void): void {
    const attempt = (connection: Connection | EbbtideError): void => {
      if (connection instanceof EbbtideError) return failed(connection);
      try {
        call(connection);
      } catch (error) {
        failed(fromWasm(error));
      }
    };
    if (this.#connection) attempt(this.#connection);
    else if (this.#state.state === 'closed') failed(this.#state.error ?? new EbbtideError('closed', 'the client is closed'));
    else if (this.#waiting.length < WAITING_CALLS_MAX) this.#waiting.push(attempt);
    else failed(new EbbtideError('queue-full', 'too much waits to be sent'));
  }

  /** It never came to a connection. */
  #fail(error: EbbtideError, state: State = { state: 'closed', error }): void {
    if (this.#state.state === 'closed') return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const call of waiting) call(error);
    this.#changed(state);
  }

  #changed(state: State): void {
    this.#state = state;
    if (state.state === 'closed') {
      for (const subscription of [...this.#subscriptions]) subscription.end();
      const connection = this.#connection;
      this.#connection = undefined;
      // Not now: it is the connection that calls.
      queueMicrotask(() => connection?.free());
    }
    if (state.state !== 'connecting') {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const send of held) send();
    }
    for (const listener of [...this.#listeners]) {
      try {
        listener(state);
      } catch (error) {
        // The application's own error, reported as such; the others still hear of the change.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }
}

function stateOf(kind: string, sessionPresent: boolean, reason: string, retryInMs: number | undefined): State {
  switch (kind) {
    case 'online':
      return { state: kind, session: sessionPresent ? 'resumed' : 'fresh' };
    case 'offline':
      return { state: kind, reason, retryInMs: retryInMs ?? null };
    case 'needs-auth':
      return { state: kind, reason };
    case 'closed':
      return { state: kind };
    default:
      return { state: 'connecting' };
  }
}

/**
 * Begins to connect: to a `ws://` or `wss://` URL, or to what becomes one: `/mqtt` on the page's own host, or
 * `http://` and `https://`. Throws `url` for what is none of these, and `bad-options`.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Client {
  checkOptions('connect', options, CONNECT_RULES);
  return new Client(resolveAddress(url), { ...options });
}
