import { EbbtideError } from './error.js';
import { Deferred } from './settle.js';

/** A publish on its way. */
export interface Publication {
  /**
   * QoS 0: handed to the network. QoS 1 and 2: the server has it. Always settles while the client lives. If nobody has
   * taken this promise when the publish fails, the failure goes to `console.warn`.
   */
  readonly acked: Promise<void>;
}

/** @internal */
export class Outcome implements Publication {
  readonly #topic: string;
  readonly #acked = new Deferred<void>();
  #taken = false;

  constructor(topic: string) {
    this.#topic = topic;
  }

  get acked(): Promise<void> {
    this.#taken = true;
    return this.#acked.promise;
  }

  readonly succeed = (): void => this.#acked.resolve();

  /** Called once at most. */
  readonly fail = (error: EbbtideError): void => {
    this.#acked.reject(error);
    // Not now: it may fail before the caller of `publish` has this object.
    setTimeout(() => {
      if (!this.#taken) console.warn(`ebbtide: not published to ${this.#topic}: ${error.message} (${error.code})`);
    });
  };
}
