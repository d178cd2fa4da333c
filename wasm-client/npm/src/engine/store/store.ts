// What the durable session keeps, and the one way to change it: a transaction whose work is given synchronously. It is applied as a whole, or
// not at all. Two that may write to one table run in the order they were begun. One that is asked for all at once needs its tab no more: a
// tab that is stopped then keeps no other waiting.

import type { Diagnostics, Properties } from '../../wasm/contract.js';
import type { QoS } from '../../engine.js';
import { EbbtideError, type Fault } from '../../error.js';

/** A publish that waits for its end; never rewritten. How far it is, is in `flight`. */
export interface OutboxRow {
  /** Given by the store, ascending. */
  seq?: number;
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  properties?: Properties | undefined;
  key?: string | undefined;
  /** The topic, if a later publish to it may take this one's place while it is unsent. */
  merge?: string;
  /** Wall clock, ms. */
  deadline?: number | undefined;
  createdAt: number;
  resend: boolean;
  /** Publishes of other tabs whose place it took; they settle with it. */
  also?: number[];
}

/** By `seq`: its bytes have left. Stage 2: PUBREC came. */
export interface Flight {
  stage: 1 | 2;
  packetId: number;
}

export interface DeadRow extends OutboxRow {
  reasonCode: number;
  rejectedAt: number;
  /** By the server, beside the code. */
  said?: Diagnostics | undefined;
}

export interface InboxMessage {
  /** Its place in the row when that was written. */
  n: number;
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  dup: boolean;
  properties?: Properties | undefined;
  /** Of the subscriptions that it was sent for; empty: not told. */
  filters: string[];
}

/** What came together is one row: it costs the store as much as one message. */
export interface InboxRow {
  /** Given by the store, ascending for ever. */
  id?: number;
  /** Those that are not done. */
  list: InboxMessage[];
}

export interface RetainedRow {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  properties?: Properties | undefined;
  storedAt: number;
}

export interface SubscriptionRow {
  filter: string;
  qos: number;
  flags: number;
}

/** Of rows of the outbox. */
export interface Sum {
  count: number;
  bytes: number;
}

export interface Meta {
  clientId: string;
  /** At the server. undefined: nothing of one is stored, and there may be one, for a CONNECT has left and its answer has not come. */
  hasSession: boolean | undefined;
  /** As the server named it. */
  sessionName?: string | undefined;
}

/**
 * Table → its rows. In `session` lie `epoch` (number), `meta` (Meta), `ended` (Sum): what the leader has settled since it took over; under the
 * number of each epoch that is over a mark; and above all epochs, under ascending numbers, what has gone into the outbox, but for what was
 * taken away unsent (Sum): the last one holds.
 */
export interface Tables {
  outbox: OutboxRow;
  flight: Flight;
  dead: DeadRow;
  inbox: InboxRow;
  /** Packet ids of QoS 2 messages that came and are not released. */
  inbound: true;
  /** By subscription identifier. */
  subs: SubscriptionRow;
  session: unknown;
  retained: RetainedRow;
}
export type Table = keyof Tables;
export type Key = number | string;

export interface Range {
  /** Beyond this key. */
  after?: Key | undefined;
  /** From this key on. */
  from?: Key;
  /** Up to this key. */
  to?: Key;
  count?: number;
  /** Keys are those of an index of the outbox: `merge` or `deadline`. */
  index?: 'merge' | 'deadline';
}

export interface Tx {
  get<T extends Table>(table: T, key: Key, then: (row: Tables[T] | undefined) => void): void;
  has(table: Table, key: Key, then: (has: boolean) => void): void;
  /** In the order of the keys. */
  all<T extends Table>(table: T, then: (rows: Tables[T][]) => void, range?: Range): void;
  keys(table: Table, then: (keys: Key[]) => void, range?: Range): void;
  put<T extends Table>(table: T, row: Tables[T], key?: Key): void;
  /** Gives the new key. */
  add<T extends 'outbox' | 'inbox'>(table: T, row: Tables[T], then: (key: number) => void): void;
  /** `to`: all up to that key; one removal of many costs as much as of one. */
  remove(table: Table, key: Key, to?: Key): void;
  /** Aborts with `why` if there is a row under the key. */
  claim(table: Table, key: Key, row: unknown, why: unknown): void;
  /** The row of the highest number from `from` on. */
  last(table: Table, from: number, then: (row: unknown, key: number | undefined) => void): void;
  clear(table: Table): void;
  /** Nothing of it is applied; `run` rejects with this. */
  abort(why: unknown): void;
}

export interface Store {
  readonly kind: 'indexeddb' | 'memory';
  /**
   * Resolves when it is applied (`strict`: and on the disk). Rejects with what was thrown, aborted with, or went wrong. `dialogue`: answers may
   * ask for more; others wait until this tab has heard them.
   */
  run(tables: Table[], mode: 'read' | 'strict' | 'relaxed', work: (tx: Tx) => void, dialogue?: boolean): Promise<void>;
  /** A dialogue that goes on is aborted: this tab may stand still from here on. */
  close(): void;
  readonly closed?: boolean;
}

/** All rows of a table, or those of a range; without waiting for the end of the transaction, which may be a frame later. */
export function readAll<T extends Table>(store: Store, table: T, range?: Range): Promise<Tables[T][]> {
  return new Promise((resolve, reject) => {
    store.run([table], 'read', (tx) => tx.all(table, resolve, range)).catch(reject);
  });
}

/** All rows of a table with their keys, in the order of these; for rows that do not have them. */
export function askEntries<T extends Table>(tx: Tx, table: T, then: (entries: [Key, Tables[T]][]) => void): void {
  let keys: Key[];
  // Answers come in the order of the questions.
  tx.keys(table, (found) => void (keys = found));
  tx.all(table, (rows) => then(rows.map((row, place) => [keys[place]!, row])));
}

export const TABLES: Table[] = ['outbox', 'flight', 'dead', 'inbox', 'inbound', 'subs', 'session', 'retained'];
export const KEY_OF: { [T in Table]?: string } = { outbox: 'seq', dead: 'seq', inbox: 'id', retained: 'topic' };

/** The browser has no room for what a transaction writes. */
export const isFull = (why: unknown): boolean => (why as Error | undefined)?.name === 'QuotaExceededError';

/** What the application is told of it. */
export function storageError(why: unknown): EbbtideError {
  if (why instanceof EbbtideError) return why;
  const [code, message]: Fault = isFull(why) ? ['quota-exceeded', 'the browser has no room for it'] : ['storage', String(why)];
  return new EbbtideError(code, message, undefined, { cause: why });
}

/** What a row counts for against a limit. */
export function bytesOf(row: { topic: string; payload: Uint8Array; properties?: Properties | undefined }): number {
  const { properties } = row;
  return 64 + 2 * row.topic.length + row.payload.length + (properties ? 64 + (properties.correlationData?.length ?? 0)
    + 2 * (properties.userProperties ?? []).reduce((sum, pair) => sum + pair[0].length + pair[1].length, 0) : 0);
}
