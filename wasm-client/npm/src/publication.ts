import { EbbtideError } from './error.js';
import type { Diagnostics } from './properties.js';
import { reasonName } from './reason.js';
import { Deferred, quiet } from './settle.js';

/** What the server said of a publish or a subscription. */
export interface Ack extends Diagnostics {
  /** A publish: 0x00, or 0x10 if nobody is subscribed; always 0x00 with QoS 0 and MQTT 3.1.1. A subscription: the granted QoS. */
  readonly reasonCode: number;
  /** The standard's name of it. */
  readonly reason: string;
}

/**
 * A publish on its way. Both promises always settle while the client lives, and need not be observed: a failure whose `acked`
 * nobody has taken goes to `console.warn`, once.
 */
export interface Publication {
  readonly topic: string;
  /** The application's name for it, as given. */
  readonly key: string | undefined;
  /**
   * QoS 1 and 2: it survives reload and crash from now on. QoS 0: it was taken. Rejects with `queue-full`, `quota-exceeded`,
   * `packet-too-large`, `storage`, or with what `acked` rejects with, if that comes first.
   */
  readonly stored: Promise<void>;
  /**
   * QoS 0: handed to the network. QoS 1 and 2: the server has it, or a later one that took its place (see `coalesce`). Rejects with
   * `refused` (see `reasonCode`), `cancelled`, `expired`, `outcome-unknown`, `packet-too-large`, `closed` (it is still sent when the
   * client comes back), QoS 0: `offline`.
   */
  readonly acked: Promise<Ack>;
  /**
   * Takes it back. `true`: it was not sent and never will be, `acked` rejects with `cancelled`. `false`: too late, or a later one took its
   * place. Rejects with `quota-exceeded`, `storage`, `closed`.
   */
  cancel(): Promise<boolean>;
}

/** @internal */
export const ackOf = (reasonCode: number, said?: Diagnostics): Ack => ({ reasonCode, reason: reasonName(reasonCode), ...said });

/** @internal Failures that the application asked for itself, so nobody is told of them. */
export const WANTED: ReadonlySet<string> = new Set(['cancelled', 'closed']);

/** @internal */
export class Outcome implements Publication {
  readonly topic: string;
  readonly key: string | undefined;
  readonly #stored = new Deferred<void>();
  readonly #acked = new Deferred<Ack>();
  #taken = false;
  #failed = false;
  /** Takes it out of the engine, once it is there. */
  takeBack: (() => Promise<boolean>) | undefined;

  constructor(topic: string, key: string | undefined) {
    this.topic = topic;
    this.key = key;
  }

  get stored(): Promise<void> {
    return this.#stored.promise;
  }

  get acked(): Promise<Ack> {
    this.#taken = true;
    return this.#acked.promise;
  }

  cancel(): Promise<boolean> {
    return quiet((!this.#failed && this.takeBack?.()) || Promise.resolve(false));
  }

  store(): void {
    this.#stored.resolve();
  }

  succeed(said: Omit<Ack, 'reason'>): void {
    this.#stored.resolve();
    this.#acked.resolve(ackOf(said.reasonCode, said));
  }

  fail(error: EbbtideError): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#stored.reject(error);
    this.#acked.reject(error);
    // Not now: it may fail before the caller of `publish` has this object.
    setTimeout(() => {
      if (this.#taken || WANTED.has(error.code)) return;
      console.warn(`ebbtide: not published to ${this.topic}: ${error.message} (${error.code})`);
    });
  }
}
