// The contract between the API of a tab (client.ts …) and the session below it: engine/, and in tests testing/.
import type { EbbtideError } from './error.js';
import type { Diagnostics, Properties } from './properties.js';

/** Quality of service: 0 at most once, 1 at least once, 2 exactly once. */
export type QoS = 0 | 1 | 2;

/** What became of the session at the server. */
export type SessionKind = 'resumed' | 'fresh' | 'gap' | 'evicted';
/**
 * How the client stands with the server.
 *
 * - `online`: `session` says what became of the session: `resumed`, `fresh` (the first one, nothing is lost), `gap` (the server
 *   lost it: messages of this time are lost), `evicted` (the browser lost what was stored here).
 * - `offline`: `retryInMs` is when the next attempt starts, milliseconds; `null`: not by itself.
 * - `needs-auth`: the server refused the credentials; `client.renewCredentials()` tries again.
 * - `closed`: `error` is why it closed by itself; every later call fails with it.
 *
 * `reason` is in words: the standard's name of `reasonCode`, and what the server said. What CONNACK or DISCONNECT said beside the
 * code is there by itself, too.
 */
export type State =
  | { readonly state: 'connecting' }
  | { readonly state: 'online'; readonly session: SessionKind; readonly reason?: string; readonly connack?: Connack }
  | (Ending & { readonly state: 'offline'; readonly retryInMs: number | null })
  | (Ending & { readonly state: 'needs-auth' })
  | { readonly state: 'closed'; readonly error?: EbbtideError };

/** Why there is no connection. */
export interface Ending extends Diagnostics {
  readonly reason: string;
  readonly reasonCode?: number;
  /** Another server to use. */
  readonly serverReference?: string;
}

/** CONNACK, under the standard's names; what the server did not say is not there. */
export interface Connack extends Diagnostics {
  readonly sessionPresent?: boolean;
  /** Seconds. */
  readonly sessionExpiryInterval?: number;
  readonly receiveMaximum?: number;
  readonly maximumQoS?: QoS;
  /** Bytes. */
  readonly maximumPacketSize?: number;
  readonly topicAliasMaximum?: number;
  /** Seconds. */
  readonly serverKeepAlive?: number;
  readonly retainAvailable?: boolean;
  readonly wildcardSubscriptionAvailable?: boolean;
  readonly subscriptionIdentifiersAvailable?: boolean;
  readonly sharedSubscriptionAvailable?: boolean;
  readonly assignedClientIdentifier?: string;
  /** With the option `requestResponseInformation`. */
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

/** The last words to the server. */
export interface Farewell extends Diagnostics {
  readonly sessionExpiryS?: number;
}

/** What an app wants published; payload is the engine's own copy. */
export interface Draft {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  properties?: Properties | undefined;
  /** The app's name for it, found again after a reload. */
  key?: string | undefined;
  /** While it is unsent it may take the place of an unsent one to this topic that says so too, whose handle is settled with this one (default: retain). */
  coalesce: boolean;
  /** Wall clock, ms: after it it is not sent any more; becomes the Message Expiry Interval. */
  deadline?: number | undefined;
  /** QoS 2 in the middle when the server lost the session: send again instead of `outcome-unknown`. */
  resend: boolean;
  /** QoS 0 without a connection: wait in memory (bounded), or fail with `offline`. The first attempt to connect is always waited for. */
  keepOffline: boolean;
}

/** A publish in the outbox. */
export interface Pending {
  /** Its place in the order of sending; never used twice. */
  readonly seq: number;
  /** The application's name for it. */
  readonly key?: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970; afterwards it is not sent any more. */
  readonly deadline?: number;
  /** `waiting`: can be taken back. `sent`: may have arrived. `released`: QoS 2, has arrived. */
  readonly stage: 'waiting' | 'sent' | 'released';
}
/** A publish that the server refused for good. */
export interface DeadLetter extends Omit<Pending, 'stage'>, Diagnostics {
  /** Of MQTT 5.0. */
  readonly reasonCode: number;
  /** Milliseconds since 1970. */
  readonly rejectedAt: number;
}

export type Settlement = (Diagnostics & { readonly reasonCode: number }) | { readonly error: EbbtideError };

export interface SubscribeSettings {
  qos: QoS;
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: 0 | 1 | 2;
  /** Values are kept and shown first next time. Only where they come again at each connect: Retain Handling 0, not shared. */
  cache: boolean;
  userProperties?: [string, string][] | undefined;
}

export interface Delivery {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean | undefined;       // undefined: cannot be known (3.1.1, live)
  readonly dup: boolean;
  readonly properties?: Properties | undefined;
  /** Default false. */
  readonly fromCache?: boolean;
  readonly storedAt?: number | undefined;     // wall ms, when fromCache
  readonly id?: number | undefined;           // inbox id (QoS 1 and 2)
  readonly redelivered: boolean;
}

/** `shown` false: neither a handler nor the loop was given it, and another subscription may be. */
export type Done = (shown?: boolean) => void;

/** What happens to one local subscription. A QoS 1 or 2 message leaves the inbox when `done` was called. */
export interface SubscriptionSink {
  message(delivery: Delivery, done: Done): void;
  granted(qos: QoS, said?: Diagnostics): void;
  /** Refused or ended by an error. */
  failed(error: EbbtideError): void;
  snapshot(inferred: boolean): void;
}

/**
 * What a status bar or a log should know beside the state.
 *
 * - `gap`, `evicted`: what is lost, as far as it is known. `outbox`: publishes; after a gap those of which nobody can say whether they arrived.
 *   `since`: when the connection ended, milliseconds since 1970. What is not there is not known. `gap` comes without a new session, too, when
 *   this page was frozen or in the back/forward cache and other tabs were given messages meanwhile; `since` is when it was last heard.
 * - `unclaimed`: messages that no subscription of any tab wanted within 30 s, removed.
 * - `dropped`: messages that a limit dropped, here or at the server.
 * - `quota-exceeded`, `storage-lost`: the browser's storage is full, or gone. `memory-only`: nothing here survives a reload.
 * - `reload-needed`: another tab has a newer version of the page.
 * - `leader`: whether this tab holds the connection. `outbox`: how many publishes wait.
 * - `deferred`: the server refused a publish for now; it is sent again after `retryInMs` milliseconds. `seq` is its place in the outbox.
 * - `unsubscribed`: the server said more of the end of a subscription than that it has ended; from 0x80 on it has not.
 * - `authenticated`: AUTH with Success (0x00) ended a re-authentication.
 * - `error`: something inside failed, such as `load-failed` or `storage`; the state says what comes of it.
 */
export type Report =
  | { readonly kind: 'gap' | 'evicted'; readonly reason: string; readonly lost: { outbox?: number | undefined; since?: number | undefined } }
  | { readonly kind: 'unclaimed'; readonly count: number; readonly filters: string[] }
  | { readonly kind: 'dropped'; readonly count: number; readonly reason: string }    // ebbtide-dropped, inbox, QoS 0 limits
  | { readonly kind: 'quota-exceeded' | 'memory-only' | 'reload-needed' | 'storage-lost'; readonly reason: string }
  | { readonly kind: 'leader'; readonly leading: boolean }
  | { readonly kind: 'outbox'; readonly count: number }
  | (Diagnostics & { readonly kind: 'deferred'; readonly seq: number; readonly reasonCode: number; readonly reason: string; readonly retryInMs: number })
  | (Diagnostics & { readonly kind: 'unsubscribed'; readonly filter: string; readonly reasonCode: number; readonly reason: string })
  | (Diagnostics & { readonly kind: 'authenticated'; readonly authenticationData?: Uint8Array })
  | { readonly kind: 'error'; readonly error: EbbtideError };

export interface EngineSubscription {
  /** User properties of UNSUBSCRIBE, should this be the last use of the filter. `failed`: whoever has a message still says what becomes of it. */
  end(userProperties?: [string, string][], failed?: EbbtideError): void;
}

export interface Engine {
  readonly state: State;
  /** Listeners of this tab; set once by the client. */
  onState(listener: (state: State) => void): void;
  onReport(listener: (report: Report) => void): void;
  onLog(listener: ((line: string) => void) | undefined): void;
  /** stored: the row is durable (QoS 0: taken). seq names it. settled: exactly once. */
  publish(draft: Draft, stored: (seq: number) => void, settled: (outcome: Settlement) => void): { cancel(): Promise<boolean> };
  /** end: what its handlers still have counts as handled. */
  subscribe(filter: string, settings: SubscribeSettings, sink: SubscriptionSink): EngineSubscription;
  outbox(): Promise<Pending[]>;
  deadLetters(): Promise<DeadLetter[]>;
  cancel(seqs: number[]): Promise<number>;
  /** Back into the outbox, at its end. */
  retry(seqs: number[]): Promise<number>;
  discard(seqs: number[]): Promise<number>;
  reconnectNow(): void;
  /** New credentials are asked for at once; after `needs-auth` it tries again. */
  renewCredentials(): void;
  inspect(): Promise<object>;
  /** `withWill`: the will is published. */
  close(farewell?: Farewell & { withWill?: boolean | undefined }): Promise<void>;
  /** Ends the session at the server and purges all local data of this identity. Rejects with `offline` if the server could not be told: that is not tried again. `withWill` as above. */
  forget(withWill?: boolean): Promise<void>;
}
