// A session in memory, with everything that a client sees of the real one. This is its connection: states, credentials, what became of
// the session, and the end. What leaves here, leaves a microtask later.

import type { DeadLetter, Delivery, Draft, Engine, Farewell, Pending, Report, State, SubscribeSettings, SubscriptionSink } from '../engine.js';
import { EbbtideError } from '../error.js';
import { reasonName } from '../reason.js';
import type { Credentials, EngineSettings } from '../settings.js';
import { callOut } from '../settle.js';
import { MemoryInbox } from './memory-inbox.js';
import { MemoryOutbox } from './memory-outbox.js';
import { MemoryStore, type Settled } from './memory-store.js';
import type { Link, Server } from './server.js';

/** What the engine asks of the broker. */
export interface Surroundings {
  readonly server: Server;
  readonly store: MemoryStore;
  /** Why there is no network; `undefined`: there is. */
  unreachable(): string | undefined;
  /** The reason code that refuses these credentials. */
  admits(credentials: Credentials): number | undefined;
  /** Counts what is under way. */
  busy(change: 1 | -1): void;
}

/** Messages that nobody wanted are removed after this time. */
const UNCLAIMED_MS = 30_000;

export class MemoryEngine implements Engine {
  state: State = { state: 'connecting' };
  readonly #settings: EngineSettings;
  readonly #around: Surroundings;
  readonly #store: MemoryStore;
  readonly #outbox: MemoryOutbox;
  readonly #inbox: MemoryInbox;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #link: Link | undefined;
  #attempt = 0;
  #stateListener: (state: State) => void = () => {};
  #reportListener: (report: Report) => void = () => {};
  #log: ((line: string) => void) | undefined;

  constructor(settings: EngineSettings, around: Surroundings) {
    const { server, store } = around;
    this.#settings = settings;
    this.#around = around;
    this.#store = store;
    store.clientId ??= settings.clientId ?? `test-${Math.random().toString(36).slice(2, 10)}`;
    const ground = {
      settings,
      store,
      server,
      link: () => this.#link,
      over: () => this.state.state === 'closed',
      report: (report: Report) => this.#report(report),
      later: (call: () => void, always?: boolean) => this.#later(call, always),
      timer: (ms: number, call: () => void) => this.#timer(ms, call),
    };
    this.#outbox = new MemoryOutbox(ground);
    this.#inbox = new MemoryInbox(ground);
    this.#later(() => {
      this.#report({ kind: 'leader', leading: true });
      void this.#connect();
    });
  }

  onState(listener: (state: State) => void): void {
    this.#stateListener = listener;
  }

  onReport(listener: (report: Report) => void): void {
    this.#reportListener = listener;
  }

  onLog(listener: ((line: string) => void) | undefined): void {
    this.#log = listener;
  }

  publish(draft: Draft, stored: (seq: number) => void, settled: Settled): { cancel(): Promise<boolean> } {
    return this.#outbox.publish(draft, stored, settled);
  }

  subscribe(filter: string, settings: SubscribeSettings, sink: SubscriptionSink): { end(): void } {
    return this.#inbox.subscribe(filter, settings, sink);
  }

  outbox(): Promise<Pending[]> {
    return Promise.resolve(this.#store.rows.map(({ draft, settled, ...pending }) => pending));
  }

  deadLetters(): Promise<DeadLetter[]> {
    return Promise.resolve(this.#store.dead.map(({ draft, ...letter }) => letter));
  }

  cancel(seqs: number[]): Promise<number> {
    return this.#outbox.cancel(seqs);
  }

  retry(seqs: number[]): Promise<number> {
    return this.#outbox.retry(seqs);
  }

  discard(seqs: number[]): Promise<number> {
    return this.#outbox.discard(seqs);
  }

  cached(filter: string): Promise<Delivery[]> {
    return Promise.resolve(this.#inbox.cached(filter));
  }

  reconnectNow(): void {
    if (!this.#link && this.state.state !== 'closed') void this.#connect();
  }

  renewCredentials(): void {
    if (this.#link) void this.#credentials().catch(() => {});
    else this.reconnectNow();
  }

  inspect(): Promise<object> {
    const { clientId, rows, inbox, dead, cache } = this.#store;
    return Promise.resolve({
      clientId, leading: true, storage: 'test', outbox: rows.length, inbox: inbox.size, deadLetters: dead.length, cached: cache.size,
    });
  }

  close({ sessionExpiryS }: Farewell = {}): Promise<void> {
    this.#end(true, sessionExpiryS);
    return Promise.resolve();
  }

  forget(): Promise<void> {
    const { clientId } = this.#store;
    const reached = this.#link !== undefined;
    this.#end(true);
    if (reached) this.#around.server.endSession(clientId!);
    Object.assign(this.#store, new MemoryStore());
    return reached ? Promise.resolve() : Promise.reject(new EbbtideError('offline', 'the server could not be told; the session there ends when it expires'));
  }

  /** The page is gone, without a word. */
  crash(): void {
    this.#inbox.crash();
    this.#end(false);
  }

  /** The network is gone. */
  cut(reason: string): void {
    if (this.state.state === 'closed') return;
    this.#attempt++;
    this.#disconnect(false);
    this.#setState({ state: 'offline', reason, retryInMs: null });
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    this.#setState({ state: 'connecting' });
    const unreachable = this.#around.unreachable();
    if (unreachable !== undefined) return this.#setState({ state: 'offline', reason: unreachable, retryInMs: null });
    this.#around.busy(1);
    try {
      const credentials = await this.#credentials();
      if (attempt !== this.#attempt || this.state.state === 'closed') return;
      if (!credentials) return this.#setState({ state: 'needs-auth', reason: 'there are no credentials' });
      const refused = this.#around.admits(credentials);
      if (refused !== undefined) return this.#setState({ state: 'needs-auth', reason: reasonName(refused), reasonCode: refused });
      this.#goOnline();
    } catch (error) {
      if (attempt === this.#attempt) this.#setState({ state: 'offline', reason: `no credentials: ${(error as Error).message}`, retryInMs: null });
    } finally {
      this.#around.busy(-1);
    }
  }

  async #credentials(): Promise<Credentials | null> {
    const { credentials = {} } = this.#settings;
    return typeof credentials === 'function' ? credentials() : credentials;
  }

  #goOnline(): void {
    const { server } = this.#around;
    const { will, sessionExpiryS } = this.#settings;
    const store = this.#store;
    const link: Link = {
      message: (message, filters, duplicate, acknowledged) =>
        this.#later(() => {
          if (this.#link === link) this.#inbox.receive(message, filters, duplicate, acknowledged);
        }),
      cut: (reason) => this.cut(reason),
    };
    const present = server.connect(store.clientId!, false, sessionExpiryS, will, link);
    const session = present ? (store.hasSession ? 'resumed' : 'evicted') : store.hasSession ? 'gap' : 'fresh';
    // What the server has is not what is known here: from the beginning, as the standard demands.
    if (session === 'evicted') server.connect(store.clientId!, true, sessionExpiryS, will, link);
    store.hasSession = true;
    this.#link = link;
    const reason = session === 'gap' ? 'the server lost the session' : session === 'evicted' ? 'what was stored here is gone' : undefined;
    if (session === 'gap' || session === 'evicted') this.#report({ kind: session, reason: reason!, lost: {} });
    this.#setState({ state: 'online', session, ...(reason && { reason }), connack: { sessionPresent: present } });
    server.resume(store.clientId!);
    this.#inbox.connected();
    this.#timer(UNCLAIMED_MS, () => this.#inbox.removeUnclaimed());
  }

  #disconnect(normal: boolean, expiryS?: number): void {
    const link = this.#link;
    this.#link = undefined;
    if (link) this.#around.server.disconnect(this.#store.clientId!, link, normal, expiryS);
  }

  #end(normal: boolean, expiryS?: number): void {
    if (this.state.state === 'closed') return;
    this.#attempt++;
    this.#disconnect(normal, expiryS);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#setState({ state: 'closed' });
    this.#outbox.end(new EbbtideError('closed', 'the client was closed'));
  }

  #setState(state: State): void {
    this.state = state;
    this.#log?.(`state: ${JSON.stringify(state)}`);
    if (state.state !== 'connecting' && state.state !== 'closed') this.#outbox.moved(state.state === 'online');
    this.#stateListener(state);
  }

  #report(report: Report): void {
    this.#log?.(`report: ${JSON.stringify(report)}`);
    this.#reportListener(report);
  }

  #later(call: () => void, always = false): void {
    this.#around.busy(1);
    const run = async (): Promise<void> => {
      await undefined;
      if (always || this.state.state !== 'closed') call();
    };
    callOut(run, undefined, () => this.#around.busy(-1));
  }

  #timer(ms: number, call: () => void): () => void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      call();
    }, Math.min(ms, 0x7fff_ffff));
    // A test in Node should not have to wait for the long ones.
    if (ms > 10_000) (timer as { unref?: () => void }).unref?.();
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }
}
