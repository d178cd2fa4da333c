import type { Diagnostics } from './properties.js';
import { reasonName } from './reason.js';

/** Why something failed. */
export type ErrorCode =
  /** The address is no URL, or none that a WebSocket can be opened to. */
  | 'url'
  /** An option that does not exist, a value that it cannot have, or options that differ from an earlier equal call. Thrown at once. */
  | 'bad-options'
  /** MQTT 3.1.1 without clean start needs a client id. */
  | 'client-id-missing'
  /** A text is too long for MQTT. */
  | 'field-too-long'
  /** No valid topic name. */
  | 'topic-name'
  /** No valid topic filter. */
  | 'topic-filter'
  /** The value cannot be sent, or what came is not what was asked for. */
  | 'payload'
  /** MQTT 3.1.1 does not have it, or this place does not. */
  | 'not-supported'
  /** The client was closed. */
  | 'closed'
  /** A QoS 0 publish without a connection, after the first attempt to connect. */
  | 'offline'
  /** Too much waits to be sent: a limit of the outbox. */
  | 'queue-full'
  /** Too many subscriptions. */
  | 'too-many-subscriptions'
  /** The application cancelled it before it was sent. */
  | 'cancelled'
  /** Its deadline passed before it was sent. */
  | 'expired'
  /** The server lost the session while this was under way: it may or may not have been delivered. */
  | 'outcome-unknown'
  /** What was stored has a packet id twice: it is not this client's. */
  | 'packet-id-in-use'
  /** Larger than the server accepts. */
  | 'packet-too-large'
  /** The server refused it; see `reasonCode` and `reason`. */
  | 'refused'
  /** Messages came faster than they were taken, and the buffer is full. */
  | 'slow-consumer'
  /** No answer in time. */
  | 'timeout'
  /** Nobody is subscribed to the topic of a request. */
  | 'no-responder'
  /** Whoever answered a request said that it failed. */
  | 'responder-failed'
  /** The browser has no room for it. */
  | 'quota-exceeded'
  /** The browser's storage failed. */
  | 'storage'
  /** The WebAssembly part could not be loaded. */
  | 'load-failed';

/** The one error type of this package. */
export class EbbtideError extends Error {
  readonly code: ErrorCode;
  /** The reason code of MQTT 5.0, when the server refused. */
  readonly reasonCode: number | undefined;
  /** What the server said beside it, for people. */
  readonly reasonString: string | undefined;
  /** What it said for programs. */
  readonly userProperties: [string, string][] | undefined;

  constructor(code: ErrorCode, message: string, reasonCode?: number, options?: ErrorOptions & Diagnostics) {
    super(message, options);
    this.name = 'EbbtideError';
    this.code = code;
    this.reasonCode = reasonCode;
    this.reasonString = options?.reasonString;
    this.userProperties = options?.userProperties;
  }

  /** The standard's name of `reasonCode`, such as `Not authorized`. */
  get reason(): string | undefined {
    return this.reasonCode === undefined ? undefined : reasonName(this.reasonCode);
  }
}

/** @internal Why something failed: the beginning of an `EbbtideError`. */
export type Fault = readonly [code: ErrorCode, message: string, reasonCode?: number];

/** @internal What this side of the wasm says, too. */
export const OFFLINE: Fault = ['offline', 'there is no connection'];
/** @internal */
export const FULL: Fault = ['queue-full', 'too much waits to be sent'];
/** @internal */
export const EXPIRED: Fault = ['expired', 'its deadline passed before it was sent'];
/** @internal */
export const TOO_LARGE: Fault = ['packet-too-large', 'it is larger than 16 MiB'];

/** @internal What was thrown, in words. */
export const wordsOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
