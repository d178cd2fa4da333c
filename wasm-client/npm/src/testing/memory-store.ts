// What of a session in memory survives the page, and what its parts share while there is one.

import type { DeadLetter, Delivery, Draft, Pending, Report, Settlement } from '../engine.js';
import type { Credentials, EngineSettings } from '../settings.js';
import type { Link, Server } from './server.js';

export type Settled = (outcome: Settlement) => void;

/** A publish that waits or is under way. */
export type Row = { -readonly [K in keyof Pending]: Pending[K] } & { readonly draft: Draft; readonly settled: Settled[] };

/** A message that no handler is done with. */
export interface InboxRow {
  delivery: Delivery;
  readonly filters: readonly string[];
  /** Subscriptions that have it and are not done. */
  readonly offered: Set<object>;
  /** With which others nobody wants it. */
  idle?: object;
  /** By one of those that are done. */
  handled: boolean;
}

export class MemoryStore {
  clientId: string | undefined = undefined;
  hasSession = false;
  seq = 0;
  inboxId = 0;
  rows: Row[] = [];
  dead: (DeadLetter & { readonly draft: Draft })[] = [];
  inbox = new Map<number, InboxRow>();
  cache = new Map<string, Delivery>();
  /** Filters that were ended without a connection. */
  ending = new Set<string>();
}

/** What the engine asks of the broker. */
export interface Surroundings {
  readonly server: Server;
  readonly store: MemoryStore;
  /** A client of the same identity is on its way out, until this has settled. */
  readonly after: Promise<void> | undefined;
  /** Why there is no network; `undefined`: there is. */
  unreachable(): string | undefined;
  /** The reason code that refuses these credentials. */
  admits(credentials: Credentials): number | undefined;
  /** Counts what is under way. */
  busy(change: 1 | -1): void;
}

/** What the parts of an engine have in common. */
export interface Ground {
  readonly around: Surroundings;
  readonly settings: EngineSettings;
  readonly store: MemoryStore;
  readonly server: Server;
  link(): Link | undefined;
  over(): boolean;
  report(report: Report): void;
  /** Calls a microtask later, after a close only if `always`: when it settles something. */
  later(call: () => void, always?: boolean): void;
  /** Until the engine is closed, or what it returns is called. `idle`: no process has to wait for it. */
  timer(ms: number, call: () => void, idle?: boolean): () => void;
}
