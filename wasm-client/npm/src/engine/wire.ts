// What the tabs of one session tell each other. Every message carries the version of this package's talk and who sends it; a tab that hears
// a newer version asks to be reloaded, and one that hears an older version stays silent.

import type { Diagnostics, Properties, Said } from '../wasm/contract.js';
import type { QoS, Report, State, SubscribeSettings } from '../engine.js';
import { EbbtideError, type ErrorCode } from '../error.js';
import type { How } from './leader.js';

export const WIRE_VERSION = 1;

/** An outcome that can be cloned: code and message of an error, or the reason code of an acknowledgement; and what the server said. */
export type Outcome = readonly [code: string | undefined, message: string | undefined, reasonCode?: number | undefined, said?: Said];

export interface Wish extends SubscribeSettings {
  filter: string;
  /** The last subscription of the tab to this filter, counted over all of them: each begins with what is retained. */
  uses: number;
}

export interface Incoming {
  /** Of the inbox; QoS 0 has none. */
  id?: number | undefined;
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean | undefined;
  dup: boolean;
  properties?: Properties | undefined;
  filters: string[];
  redelivered: boolean;
  /** Said here, not by the server: the value is gone. */
  swept?: boolean;
  /** It has waited for the tab: the cache may have what is newer. */
  late?: boolean;
}

/** Standing of a filter. */
export interface Standing {
  filter: string;
  granted?: QoS;
  said?: Diagnostics | undefined;
  failed?: Outcome;
  /** 0 told by the server, 1 inferred. */
  snapshot?: number;
  /** The last subscription of the tab that the leader knows of: a later one is told by itself. */
  uses?: number | undefined;
  /** The snapshot was complete before: for subscriptions that have had none. */
  late?: boolean;
  /** Some of it was sent before the leader knew of the subscription. The cache holds what the server has. */
  missed?: boolean;
  ended?: boolean;
}

/** What a leader is doing, for `inspect`. */
export interface LeaderState {
  epoch: number;
  /** Inbox ids below it are gone for ever. */
  low: number;
  /** See `Inbox.rows`; as far as they were said. */
  rows: number;
  [what: string]: unknown;
}

export type ToLeader =
  /** All that the tab wants, each time it changes, and after each change of leader. `ended`: no longer wanted by the application, with User Properties for UNSUBSCRIBE. */
  | { t: 'tab'; wishes: Wish[]; ended: [filter: string, userProperties: [string, string][] | undefined][] }
  /** The outbox has changed, and has so many rows. `dueAt`: the first deadline among the new ones; `gone`: rows taken away. */
  | { t: 'nudge'; dueAt: number; gone: number[]; count: number | undefined }
  | { t: 'qos0'; n: number; topic: string; payload: Uint8Array; retain: boolean; properties: Properties | undefined; deadline: number | undefined }
  /** Handlers are done with it; `shown` false: none has been given it; undefined: they were before, and another tab may not have been. */
  | { t: 'done'; id: number; shown: boolean | undefined }
  /** `wake`: the network may have come back, or the user. */
  | { t: 'do'; what: 'reconnect' | 'renew' | 'wake' };

export type ToTabs =
  /** Each half second, and when the state changes. Without `leader` it is only starting. */
  | { t: 'beat'; state: State; outbox: number; leader: LeaderState | undefined }
  /** The leader did not know the tab, and now it has what waited for it. `rows`: when it was heard; what comes later it is given. */
  | { t: 'met'; tab: string; rows: number }
  | { t: 'messages'; epoch: number; list: [Incoming, tabs: string[]][]; rows: number }
  | { t: 'settled'; seqs: number[]; outcome: Outcome }
  | { t: 'qos0-settled'; tab: string; n: number; outcome: Outcome }
  | { t: 'standing'; tab: string; standing: Standing }
  | { t: 'report'; report: Report }
  /** All data of the identity goes, and the session at the server. */
  | { t: 'forget'; deadline: number; how: How }
  | { t: 'forgotten'; ended: boolean };

export type Talk = ToLeader | ToTabs;

export const sweptOf = (topic: string): Incoming =>
  ({ topic, payload: new Uint8Array(), qos: 0, retain: true, dup: false, filters: [], redelivered: false, swept: true });
export const errorOf = ([code, message, reasonCode, said]: Outcome): EbbtideError => new EbbtideError(code as ErrorCode, message ?? code ?? '', reasonCode, said);
/** Of what the machine throws. */
export const outcomeOf = (thrown: unknown): Outcome => (Array.isArray(thrown) ? (thrown as unknown as Outcome) : ['closed', String(thrown)]);
