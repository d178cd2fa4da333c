// The connection of a session in memory: its attempts and the waits between them, credentials, what a refusal comes to, and what became of the
// session. It decides as the machine does (`protocol/src/client/lifecycle.rs`, `connect.rs`), but for the jitter: its waits are the longest.

import type { Ending, State } from '../engine.js';
import { EbbtideError, wordsOf } from '../error.js';
import { checkOptions, CREDENTIALS } from '../options.js';
import { explained } from '../reason.js';
import type { Credentials } from '../settings.js';
import { fits } from './fields.js';
import type { Ground } from './memory-store.js';
import type { Link, Routed } from './server.js';

/** The first wait; each one is twice as long as the one before, up to `backoffMaxS`. */
const BACKOFF_MS = 1_000;
/** A connection that lived this long was a good one: the waits begin anew. */
const STABLE_MS = 5_000;
/** How long an attempt waits for credentials, and `forget` for the attempt. */
const CREDENTIALS_MS = 30_000;
const FORGET_MS = 5_000;

/** Other credentials may heal it. */
const NEEDS_AUTH = [0x86, 0x87, 0x8c];
const TAKEN_OVER = 0x8e;
/** Nothing heals it. */
const NEVER = [0x81, 0x82, 0x84, 0x85, 0x8a, 0x90, 0x99, 0x9a, 0x9b, 0x9c, 0x9d];

/** What MQTT 3.1.1 has a code for, as what it comes out; all else is Server unavailable there. */
const PLAIN: Readonly<Record<number, number>> = { 0x84: 0x84, 0x85: 0x85, 0x86: 0x86, 0x87: 0x87, 0x8a: 0x87, 0x8c: 0x87 };
const UNAVAILABLE = 0x88;

/** What goes on above it. */
export interface Upstairs {
  /** The state is another one. */
  entered(state: State): void;
  /** The server has said CONNACK. */
  online(): void;
  received(message: Routed, filters: readonly string[], duplicate: boolean, acknowledged: () => void): void;
}

export class MemoryConnection {
  state: State = { state: 'connecting' };
  readonly #ground: Ground;
  readonly #up: Upstairs;
  #link: Link | undefined;
  /** Counts attempts and ends, so that what comes late is seen to be late. */
  #round = 0;
  /** The attempt that is under way. */
  #attempt: Promise<void> | undefined;
  /** Takes back the next attempt. */
  #unwait: (() => void) | undefined;
  /** Attempts since all was well. */
  #failures = 0;
  #onlineAt = 0;

  constructor(ground: Ground, up: Upstairs) {
    this.#ground = ground;
    this.#up = up;
  }

  get link(): Link | undefined {
    return this.#link;
  }

  /** Tries now instead of later. */
  now(): void {
    if (this.#link || this.#attempt || this.state.state === 'closed') return;
    this.#failures = 0;
    this.#try();
  }

  /** The network is back: whoever only waits for the next attempt has it now. */
  wake(): void {
    if (this.#unwait) this.now();
  }

  /** Other credentials, for a connection that stands where its method can do that. */
  renew(): void {
    if (!this.#link) this.now();
    else if (this.#ground.settings.authenticationMethod !== undefined) void this.#credentials().catch(() => {});
  }

  /** Whether there was anything to lose. */
  cut(why: Ending): boolean {
    if (!this.#link && !this.#attempt) return false;
    // Whoever took it over and waits as this one does comes again before the longest wait is over.
    this.#drop(false, undefined, why.reasonCode === TAKEN_OVER ? this.#ground.settings.backoffMaxS * 1_000 : STABLE_MS);
    this.#lost(why);
    return true;
  }

  /** Whether the server has no session that it must be told to end, or can be told. Tries for a connection, once. */
  async reach(): Promise<boolean> {
    if (!this.#ground.store.hasSession) return true;
    this.now();
    let unwait;
    const late = new Promise<void>((resolve) => (unwait = this.#ground.timer(FORGET_MS, resolve)));
    await Promise.race([this.#attempt, late]);
    unwait!();
    return this.#link !== undefined;
  }

  /** For good. `normal`: with a goodbye, so there is no will. */
  end(normal: boolean, expiryS?: number, error?: EbbtideError): void {
    this.#drop(normal, expiryS);
    this.#enter(error ? { state: 'closed', error } : { state: 'closed' });
  }

  #try(): void {
    this.#unwait?.();
    this.#unwait = undefined;
    const ours = ++this.#round;
    this.#attempt = this.#connect(() => ours !== this.#round);
    this.#enter({ state: 'connecting' });
  }

  async #connect(late: () => boolean): Promise<void> {
    const { around, settings, timer } = this.#ground;
    const untimed = timer(CREDENTIALS_MS, () => {
      if (!late()) this.cut({ reason: 'the server or the credentials callback did not answer in time' });
    });
    around.busy(1);
    try {
      // The state comes first.
      await undefined;
      const credentials = late() ? undefined : await this.#credentials();
      if (late()) return;
      this.#attempt = undefined;
      if (!credentials) return this.#enter({ state: 'needs-auth', reason: 'no credentials' });
      const unreachable = around.unreachable();
      if (unreachable !== undefined) return this.#lost({ reason: unreachable });
      const refused = around.admits(credentials);
      if (refused !== undefined) {
        const reasonCode = settings.version === 5 ? refused : (PLAIN[refused] ?? UNAVAILABLE);
        return this.#lost({ reason: explained(reasonCode), reasonCode });
      }
      this.#begin();
    } catch (why) {
      if (late()) return;
      this.#attempt = undefined;
      this.#lost({ reason: wordsOf(why) });
    } finally {
      untimed();
      around.busy(-1);
    }
  }

  async #credentials(): Promise<Credentials | null | undefined> {
    const { credentials = {} } = this.#ground.settings;
    const given = await (typeof credentials === 'function' ? credentials() : credentials);
    if (given) {
      checkOptions('credentials', given, CREDENTIALS);
      if (!fits(given.username, given.password, given.authenticationData)) throw new Error('a credential has more than 65,535 bytes');
    }
    return given;
  }

  /** CONNACK. */
  #begin(): void {
    const { later, report, server, settings, store } = this.#ground;
    const { will, sessionExpiryS: expiryS, version } = settings;
    const link: Link = {
      message: (message, filters, duplicate, acknowledged) =>
        later(() => {
          if (this.#link === link) this.#up.received(message, filters, duplicate, acknowledged);
        }),
      // MQTT 3.1.1 has no words for it, and tries again.
      takenOver: () => void this.cut(version === 5 ? { reason: explained(TAKEN_OVER), reasonCode: TAKEN_OVER } : { reason: 'the server closed the connection' }),
    };
    const arrival = { version, expiryS, will, link };
    let sessionPresent = server.connect(store.clientId!, false, arrival);
    // What the server has is not what is known here: from the beginning, as the standard demands.
    const evicted = sessionPresent && !store.hasSession;
    if (evicted) sessionPresent = server.connect(store.clientId!, true, arrival);
    const session = sessionPresent ? 'resumed' : evicted ? 'evicted' : store.hasSession ? 'gap' : 'fresh';
    const reason = session === 'gap' ? 'the server lost the session' : session === 'evicted' ? 'what was stored here is gone' : undefined;
    const since = this.#onlineAt;
    store.hasSession = true;
    this.#link = link;
    this.#onlineAt = Date.now();
    if (session === 'gap' || session === 'evicted') {
      later(() => report({ kind: session, reason: reason!, lost: { outbox: 0, ...(since > 0 && { since }) } }));
    }
    const assigned = settings.clientId === '' && version === 5 && { assignedClientIdentifier: store.clientId! };
    this.#enter({ state: 'online', session, ...(reason && { reason }), connack: { sessionPresent, ...assigned } });
    // Whoever hears of it may have ended it.
    if (this.#link !== link) return;
    server.resume(store.clientId!);
    this.#up.online();
  }

  /** The connection is gone, or none came of the attempt. */
  #lost(why: Ending): void {
    const { reasonCode = 0 } = why;
    if (NEEDS_AUTH.includes(reasonCode)) return this.#enter({ state: 'needs-auth', ...why });
    if (NEVER.includes(reasonCode)) return this.#enter({ state: 'offline', ...why, retryInMs: null });
    const { around, settings, timer } = this.#ground;
    const retryInMs = Math.min(BACKOFF_MS * 2 ** this.#failures++, settings.backoffMaxS * 1_000);
    // Without a network nothing comes of it, and two who take each other's place do so for ever: nobody has to wait for it.
    // A timer that was set before a test has others may not be taken back.
    const unwait = timer(retryInMs, () => this.#unwait === unwait && this.#try(), reasonCode === TAKEN_OVER || around.unreachable() !== undefined);
    this.#unwait = unwait;
    this.#enter({ state: 'offline', ...why, retryInMs });
  }

  #drop(normal: boolean, expiryS?: number, stableMs = STABLE_MS): void {
    const { server, store } = this.#ground;
    const link = this.#link;
    this.#round++;
    this.#unwait?.();
    this.#link = this.#attempt = this.#unwait = undefined;
    if (!link) return;
    if (Date.now() - this.#onlineAt >= stableMs) this.#failures = 0;
    this.#onlineAt = Date.now();
    server.disconnect(store.clientId!, link, normal, expiryS);
  }

  #enter(state: State): void {
    if (this.state.state === 'closed' || JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    this.#up.entered(state);
  }
}
