import { EbbtideError } from './error.js';
import { paramsOf, type ParsedFilter } from './filter.js';
import { Message, type QoS } from './message.js';
import { Deferred } from './settle.js';

export interface SubscribeOptions {
  /** The highest QoS that messages come with. Default 0. */
  qos?: QoS;
  /** Not what this client published itself (MQTT 5.0). Default false. */
  noLocal?: boolean;
  /** Messages that may wait for the loop; above it the loop ends with `slow-consumer`. Default 10,000. */
  bufferedMessagesMax?: number;
}

/** The messages of one filter: retained ones first, then live. Leaving the loop unsubscribes. */
export class Subscription implements AsyncIterableIterator<Message> {
  /** The granted QoS, once the server has granted it for the first time. */
  readonly granted: Promise<QoS>;
  /** Settles when all retained messages have come. `inferred`: the server does not say so, it only went quiet. */
  readonly snapshot: Promise<{ inferred: boolean }>;

  readonly #granted = new Deferred<QoS>();
  readonly #snapshot = new Deferred<{ inferred: boolean }>();
  readonly #parsed: ParsedFilter;
  readonly #bufferedMax: number;
  readonly #stop: () => void;
  #buffer: Message[] = [];
  #waiting: Deferred<IteratorResult<Message>>[] = [];
  #ended = false;
  #error: EbbtideError | undefined;

  /** @internal */
  constructor(parsed: ParsedFilter, bufferedMax: number, stop: () => void) {
    this.#parsed = parsed;
    this.#bufferedMax = bufferedMax;
    this.#stop = stop;
    this.granted = this.#granted.promise;
    this.snapshot = this.#snapshot.promise;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message>> {
    const result = new Deferred<IteratorResult<Message>>();
    const message = this.#buffer.shift();
    if (message) result.resolve({ done: false, value: message });
    else if (this.#error) {
      // Said once; afterwards the loop is over.
      result.reject(this.#error);
      this.#error = undefined;
    } else if (this.#ended) result.resolve({ done: true, value: undefined });
    else this.#waiting.push(result);
    return result.promise;
  }

  /** What `break` calls. */
  return(): Promise<IteratorResult<Message>> {
    this.unsubscribe();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Ends the subscription and the loop; what still waits is dropped. */
  unsubscribe(): void {
    this.#buffer = [];
    this.#error = undefined;
    this.end();
  }

  /** @internal */
  readonly push = (topic: string, payload: Uint8Array, qos: number, retain: boolean, dup: boolean): void => {
    if (this.#ended) return;
    const params = paramsOf(this.#parsed.names, topic);
    const message = new Message(topic, params, payload, qos as QoS, retain, dup);
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve({ done: false, value: message });
    else if (this.#buffer.length < this.#bufferedMax) this.#buffer.push(message);
    else this.end(new EbbtideError('slow-consumer', `more than ${this.#bufferedMax} messages wait`));
  };

  /** @internal */
  readonly change = (kind: string, value: number): void => {
    if (kind === 'granted') this.#granted.resolve(value as QoS);
    else if (kind === 'snapshot') this.#snapshot.resolve({ inferred: value === 1 });
    else this.end(new EbbtideError('refused', `the server refused ${this.#parsed.filter}`, value));
  };

  /** @internal Ends the loop after what is buffered, with an error if there is one. */
  end(error?: EbbtideError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    const reason = error ?? new EbbtideError('closed', 'the subscription has ended');
    this.#granted.reject(reason);
    this.#snapshot.reject(reason);
    const [first, ...others] = this.#waiting;
    this.#waiting = [];
    if (first && error) {
      first.reject(error);
      this.#error = undefined;
    } else first?.resolve({ done: true, value: undefined });
    for (const waiting of others) waiting.resolve({ done: true, value: undefined });
    this.#stop();
  }
}
