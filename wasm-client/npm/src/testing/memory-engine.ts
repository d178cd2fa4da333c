// A session in memory, with everything that a client sees of the real one. What leaves here, leaves a microtask later.

import type { DeadLetter, Draft, Engine, EngineSubscription, Ending, Farewell, Pending, Report, State, SubscribeSettings, SubscriptionSink } from '../engine.js';
import { EbbtideError } from '../error.js';
import type { EngineSettings } from '../settings.js';
import { callOut } from '../settle.js';
import { connectFault } from './fields.js';
import { MemoryConnection } from './memory-connection.js';
import { MemoryInbox } from './memory-inbox.js';
import { MemoryOutbox } from './memory-outbox.js';
import { MemoryStore, type Settled, type Surroundings } from './memory-store.js';

/** A test in Node should not have to wait for timers that are longer. */
const AWAITED_MS = 10_000;

export class MemoryEngine implements Engine {
  readonly #around: Surroundings;
  readonly #store: MemoryStore;
  readonly #connection: MemoryConnection;
  readonly #outbox: MemoryOutbox;
  readonly #inbox: MemoryInbox;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #over: EbbtideError | undefined;
  #stateListener: (state: State) => void = () => {};
  #reportListener: (report: Report) => void = () => {};
  #log: ((line: string) => void) | undefined;

  constructor(settings: EngineSettings, around: Surroundings) {
    const { server, store } = around;
    this.#around = around;
    this.#store = store;
    // An empty one is one that the server makes.
    const clientId = (settings.clientId ?? store.clientId) || `test-${Math.random().toString(36).slice(2, 10)}`;
    // Another client id is another session at the server.
    if (settings.clientId !== '' && clientId !== store.clientId) store.hasSession = false;
    store.clientId = clientId;
    const ground = {
      around,
      settings,
      store,
      server,
      link: () => this.#connection.link,
      over: () => this.state.state === 'closed',
      report: (report: Report) => this.#report(report),
      later: (call: () => void, always?: boolean) => this.#later(call, always),
      timer: (ms: number, call: () => void, idle?: boolean) => this.#timer(ms, call, idle),
    };
    this.#outbox = new MemoryOutbox(ground);
    this.#inbox = new MemoryInbox(ground);
    this.#connection = new MemoryConnection(ground, {
      entered: (state) => this.#entered(state),
      online: () => this.#inbox.connected(),
      received: (...message) => this.#inbox.receive(...message),
    });
    const start = (): void => {
      this.#report({ kind: 'leader', leading: true });
      const fault = connectFault(settings);
      if (fault) this.#end(false, undefined, fault);
      else this.#connection.now();
    };
    if (around.after) void around.after.then(() => this.#later(start));
    else this.#later(start);
  }

  get state(): State {
    return this.#connection.state;
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

  subscribe(filter: string, settings: SubscribeSettings, sink: SubscriptionSink): EngineSubscription {
    return this.#inbox.subscribe(filter, settings, sink);
  }

  async outbox(): Promise<Pending[]> {
    return this.#open().rows.map(({ draft, settled, ...pending }) => pending);
  }

  async deadLetters(): Promise<DeadLetter[]> {
    return this.#open().dead.map(({ draft, ...letter }) => letter);
  }

  async cancel(seqs: number[]): Promise<number> {
    this.#open();
    return this.#outbox.cancel(seqs);
  }

  async retry(seqs: number[]): Promise<number> {
    this.#open();
    return this.#outbox.retry(seqs);
  }

  async discard(seqs: number[]): Promise<number> {
    this.#open();
    return this.#outbox.discard(seqs);
  }

  reconnectNow(): void {
    this.#connection.now();
  }

  renewCredentials(): void {
    this.#connection.renew();
  }

  inspect(): Promise<object> {
    const { clientId, rows, inbox, dead, cache } = this.#store;
    return Promise.resolve({
      clientId, leading: true, storage: 'test', outbox: rows.length, inbox: inbox.size, deadLetters: dead.length, cached: cache.size,
    });
  }

  close({ sessionExpiryS, withWill = false }: Farewell & { withWill?: boolean | undefined } = {}): Promise<void> {
    this.#end(!withWill, sessionExpiryS);
    return Promise.resolve();
  }

  async forget(withWill = false): Promise<void> {
    const { clientId } = this.#store;
    const reached = await this.#connection.reach();
    const { hasSession } = this.#store;
    this.#end(!withWill, 0);
    if (reached && hasSession) this.#around.server.endSession(clientId!);
    Object.assign(this.#store, new MemoryStore());
    if (!reached) throw new EbbtideError('offline', 'the server did not answer, and may keep the session');
  }

  /** The page is gone, without a word. */
  crash(): void {
    this.#inbox.crash();
    this.#end(false);
  }

  /** The network is gone. Whether there was a connection, or an attempt. */
  cut(why: Ending): boolean {
    return this.#connection.cut(why);
  }

  /** And is back. */
  wake(): void {
    this.#connection.wake();
  }

  #end(normal: boolean, expiryS?: number, error?: EbbtideError): void {
    if (this.state.state === 'closed') return;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#over = error ?? new EbbtideError('closed', 'the client is closed');
    this.#connection.end(normal, expiryS, error);
    this.#outbox.end(this.#over);
  }

  /** What is stored, while the client is open. */
  #open(): MemoryStore {
    if (this.#over) throw this.#over;
    return this.#store;
  }

  #entered(state: State): void {
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

  #timer(ms: number, call: () => void, idle = false): () => void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      call();
    }, Math.min(ms, 0x7fff_ffff));
    if (idle || ms > AWAITED_MS) (timer as { unref?: () => void }).unref?.();
    this.#timers.add(timer);
    return () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
  }
}
