// What the engine uses of a connection: what goes in, what it is told, and what it can ask for. `connection.ts` keeps it over the wasm.

import type { Connack, Farewell } from '../engine.js';
import type { Diagnostics, Properties } from '../properties.js';
import type { AuthAnswer } from '../settings.js';

export type { Diagnostics, Properties };

/** Flags of a subscription, under the names of `settings.rs`. */
export const NO_LOCAL = 1;
export const RETAIN_AS_PUBLISHED = 2;
/** Retained values are asked for again at each connect: a resumed session brings none. */
export const REFRESH = 4;
/** Retain Handling, 0 to 2, stands from this bit on. */
export const RETAIN_HANDLING_SHIFT = 3;
/** Of a row alone: the application has ended it, and the server has perhaps not heard of that. */
export const ENDING = 32;

/** Beside a reason code; undefined: nothing was said. */
export type Said = (Diagnostics & { readonly serverReference?: string }) | undefined;

export interface Settings {
  url: string;
  clientId: string;                          // '' : the server assigns one (not durable only)
  username?: string;
  password?: string | Uint8Array;
  keepAliveS: number;
  sessionExpiryS: number;
  cleanStart: boolean;                       // durable: must be false; the machine asks for a clean start itself when it has to
  version: 4 | 5;
  receiveMaximum: number;
  topicAliasMaximum: number;
  maximumPacketSize?: number;
  requestResponseInformation?: boolean;
  requestProblemInformation?: boolean;
  connectTimeoutMs?: number;
  backoffMaxMs?: number;
  will?: { topic: string; payload: Uint8Array; qos: number; retain: boolean; delayIntervalS?: number; properties?: Properties };
  userProperties?: [string, string][];       // of CONNECT
  authenticationMethod?: string;             // authenticationData comes with credentials()
  /** The journal is used. */
  durable: boolean;
  /** The store knows of a session at the server (an earlier `restarted` was stored). undefined: of none, and there may be one (`unsure` was stored). */
  hasSession: boolean | undefined;
  /** Its name, as `restarted` gave it. */
  sessionName?: string | undefined;
  /** hooks.credentials is asked before each attempt. */
  asksCredentials: boolean;
}

/** One object with these methods. They are never called from inside a call to the Connection, and must not throw. */
export interface Hooks {
  /** session: 'resumed' | 'fresh' | 'gap' (the server lost it) | 'evicted' (the server had one, the store did not) when online. retryInMs undefined: not by itself. */
  state(kind: 'connecting' | 'online' | 'offline' | 'needs-auth' | 'closed', session: string | undefined, reason: string, reasonCode: number | undefined, retryInMs: number | undefined, said?: Said): void;
  /** Before each attempt if asksCredentials: answer by connection.credentials(...) or connection.credentials_failed(reason), any time later. */
  credentials(): void;
  /** Not durable: every message. Durable: QoS 0 only. subscriptions: identifiers of this message's subscriptions known here. */
  message(topic: string, payload: Uint8Array, qos: number, retain: boolean, dup: boolean, subscriptions: number[], properties: Properties | undefined): void;
  /** 'granted' value = QoS; 'refused', 'unsubscribed' value = reason code; 'snapshot' value = 1 inferred, 0 told by the server. */
  change(subscription: number, kind: 'granted' | 'refused' | 'snapshot' | 'unsubscribed', value: number, said?: Said): void;
  /** A publish is settled. code undefined: acknowledged (reasonCode may be 0x10 no matching subscribers). Durable: comes after its journal entry is committed. */
  settled(handle: number, code: string | undefined, message: string | undefined, reasonCode: number | undefined, said?: Said): void;
  /** The server refused it for now (0x97, 0x83): it stays, and is tried again in that time. */
  deferred(handle: number, reasonCode: number, retryInMs: number, said?: Said): void;
  /** AUTH from the server: 'continue' or 'success'. */
  auth(kind: 'continue' | 'success', data: Uint8Array | undefined, said: Diagnostics): void;
  /** CONNACK as it came, for inspect() and the app: limits, assigned id, server keep alive, extensions, user properties (e.g. ebbtide-dropped). */
  connected(connack: Connack): void;

  // The journal (durable only). Calls between two `commit`s are one transaction, in this order.
  /** Before PUBLISH leaves for the first time: stage 1 and packet id of the row. */
  sent(handle: number, packetId: number): void;
  /** PUBREC came: stage 2. */
  released(handle: number): void;
  /** Settled: the row goes (or, refused for good, becomes a dead letter: code === 'refused'). */
  finished(handle: number, code: string | undefined, reasonCode: number | undefined, said?: Said): void;
  /** Tried again later: stage 0 again, the packet id is void. */
  withdrawn(handle: number): void;
  /** A QoS 1 or 2 message: a new inbox row; packetId > 0 (QoS 2): remember it as inbound id, in the same transaction. */
  received(packetId: number, topic: string, payload: Uint8Array, qos: number, retain: boolean, dup: boolean, subscriptions: number[], properties: Properties | undefined): void;
  /** PUBREL came: the inbound id is free. */
  completed(packetId: number): void;
  /** No session is stored. true: before CONNECT leaves, which may begin one; false: it was refused, and has begun none. */
  unsure(isUnsure: boolean): void;
  /** The server has no session of ours: it is a new one from now on. Inbound ids and subscriptions rows are void; stage 1 rows become stage 0 (QoS 2 ones that must not be sent again are `finished` with 'outcome-unknown' right after; stage 2 ones are `finished` as acknowledged). hasSession is true from now on. sessionName: if the server names its sessions. */
  restarted(sessionName: string | undefined): void;
  /** Before SUBSCRIBE leaves, and once it is to end: the row of the subscription. */
  subscribed(identifier: number, filter: string, qos: number, flags: number): void;
  /** After UNSUBACK. */
  unsubscribed(identifier: number): void;
  /** All since the last commit is one transaction: call connection.committed(ticket) when it is durable. Tickets ascend by one. */
  commit(ticket: number): void;
}

/** A connection that is made again whenever it is lost. Does nothing until `start`. Throws [code, message, reasonCode] when no attempt could ever succeed. */
export type MakeConnection = (settings: Settings, hooks: Hooks) => Connection;

/** Counts, window and Keep Alive of a machine. */
export interface Figures {
  /** 1: a PINGREQ has no answer yet. */
  awaitsPing: number;
}

export interface Connection {
  // Before start(), what the store has:
  restore_outgoing(topic: string, payload: Uint8Array, qos: number, retain: boolean, properties: Properties | undefined, deadlineInMs: number | undefined, resend: boolean, packetId: number, stage: 1 | 2): number;
  restore_incoming(packetId: number): void;
  restore_subscription(identifier: number, filter: string, qos: number, flags: number): void;
  start(): void;

  /** Returns the handle. deadlineInMs: from now; becomes the Message Expiry Interval, counted down; expired before it left: settled 'expired'. resend: send again when the server lost the session in the middle of QoS 2. Throws [code, message, reasonCode]. */
  publish(topic: string, payload: Uint8Array, qos: number, retain: boolean, properties: Properties | undefined, deadlineInMs: number | undefined, resend: boolean): number;
  /** True: it had not left (no bytes went out); it is gone without `settled` and without `finished`. */
  cancel(handle: number): boolean;
  /** How many more publishes the machine wants (window): feed it until 0. */
  wanted(): number;
  /** flags: of those above. Returns identifier. Throws. */
  subscribe(filter: string, qos: number, flags: number, userProperties: [string, string][] | undefined): number;
  /** User Properties of UNSUBSCRIBE. */
  unsubscribe(identifier: number, userProperties?: [string, string][]): void;
  /** No acknowledgement of received messages leaves while true. */
  hold_acks(hold: boolean): void;
  committed(ticket: number): void;
  credentials(username: string | undefined, password: string | Uint8Array | undefined, authenticationData: Uint8Array | undefined): void;
  credentials_failed(reason: string): void;
  /** AUTH from here: re-authentication (kind 'again') or the answer to 'continue'. */
  authenticate(kind: 'again' | 'continue', answer: AuthAnswer): void;
  /** The time may have come for something: called by the ticking worker; cheap. */
  tick(): void;
  /** The world may have changed: probe the connection, or end the wait. */
  probe(): void;
  reconnect_now(): void;
  /** Leaves without an end: DISCONNECT 0x04 (3.1.1: bare close), no attempt by itself; reconnect_now() comes back. */
  leave(): void;
  /** DISCONNECT 0x00, or as `leave()` does it `withWill`; for good. With `sessionExpiryS` 0 the server forgets the session. */
  close(farewell: Farewell & { withWill?: boolean | undefined }): void;
  /** For inspect(), and what the engine has to know of it. */
  inspect(): Figures;
  /** Ends it as if it were cut; nothing is told any more. */
  free(): void;
}
