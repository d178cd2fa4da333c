import type { Delivery, Done, EngineSubscription, QoS, SubscriptionSink } from './engine.js';
import { EbbtideError } from './error.js';
import { paramsOf, type ParsedFilter } from './filter.js';
import { Message } from './message.js';
import { checkCallback, checkOptions, UNSUBSCRIBE_RULES } from './options.js';
import { ackOf, type Ack } from './publication.js';
import { added, callOut, Deferred, quiet } from './settle.js';

/** Subscriptions to one filter, in all tabs, are one at the server, wide enough for each: what one of them asks for comes to all. */
export interface SubscribeOptions {
  /** The highest QoS that messages come with. Default 0. */
  qos?: QoS;
  /** Not what this client published itself (MQTT 5.0). Default false. */
  noLocal?: boolean;
  /** Whether `retain` is as it was published (MQTT 5.0), so that state and event can be told apart. Default true. */
  retainAsPublished?: boolean;
  /** MQTT 5.0: 0 retained messages come, 1 only if the subscription is new, 2 none. Default 0. */
  retainHandling?: 0 | 1 | 2;
  /** Whether retained values are kept here, to be shown first next time; never with another `retainHandling` than 0, nor of a shared
      subscription. Default true. */
  cache?: boolean;
  /** User properties of SUBSCRIBE (MQTT 5.0). */
  userProperties?: [string, string][];
  /**
   * QoS 0 messages that may wait for the loop or for handlers; above it the subscription ends with `slow-consumer`. Messages of
   * QoS 1 and 2 wait in the inbox, whose limit holds the server back. Default 10,000.
   */
  bufferedMessagesMax?: number;
}

export interface UnsubscribeOptions {
  /** User properties of UNSUBSCRIBE (MQTT 5.0), which is sent when no tab uses the filter any more. */
  userProperties?: [string, string][];
}

/** All retained messages have come. `inferred`: the server does not say so, it only went quiet. */
export interface SnapshotComplete {
  readonly inferred: boolean;
}

interface Item<P> {
  readonly message: Message<P>;
  readonly done: Done;
}

/**
 * The messages of one filter: first what was last seen, then what the server has retained, then live ones. Take them by a loop
 * (`for await`) or by handlers. A message of QoS 1 or 2 counts as handled when the loop asks for the next one or ends, and when
 * the promises of the handlers have settled; until then it comes again after a crash. Leaving the loop unsubscribes; what it has not
 * been given is for the next subscription.
 */
export class Subscription<P = Readonly<Record<string, string>>> implements AsyncIterableIterator<Message<P>> {
  /** The filter as it was sent. */
  readonly filter: string;
  /** The granted QoS, once the server has granted it for the first time. Rejects with `refused`, `closed`. */
  readonly granted: Promise<QoS>;
  /** What the server said then (SUBACK), the QoS as `reasonCode`. Rejects with `refused`, `closed`. */
  readonly acked: Promise<Ack>;
  /** All retained messages have come for the first time; where none come, the server has granted it. Rejects with `refused`, `closed`. */
  readonly snapshot: Promise<SnapshotComplete>;
  /** Resolves when it has ended: with the error (`refused`, `slow-consumer`, …), or `undefined` if it was wanted. Never rejects. */
  readonly ended: Promise<EbbtideError | undefined>;

  readonly #acked = new Deferred<Ack>();
  readonly #snapshot = new Deferred<SnapshotComplete>();
  readonly #ended = new Deferred<EbbtideError | undefined>();
  readonly #parsed: ParsedFilter;
  readonly #bufferedMax: number;
  readonly #handlers = new Set<(message: Message<P>) => unknown>();
  readonly #snapshotListeners = new Set<(event: SnapshotComplete) => void>();
  #engineSide: EngineSubscription | undefined;
  #userProperties: [string, string][] | undefined;
  /** A queue in two halves, for an array moves all that is left with each `shift`: the newer one, and the older one backwards. */
  #buffer: Item<P>[] = [];
  #older: Item<P>[] = [];
  /** Given to the loop, which has not asked for the next one yet. */
  #shown: Done[] = [];
  #waiting: Deferred<IteratorResult<Message<P>>>[] = [];
  /** QoS 0 messages in the buffer and with handlers. */
  #held = 0;
  /** There is a loop; or there was a handler first, and what comes waits for nothing else. Until then it waits for whoever comes. */
  #loops: boolean | undefined;
  #over = false;
  #error: EbbtideError | undefined;

  /** @internal */
  constructor(parsed: ParsedFilter, bufferedMax: number, start: (sink: SubscriptionSink) => EngineSubscription) {
    this.filter = parsed.filter;
    this.#parsed = parsed;
    this.#bufferedMax = bufferedMax;
    this.acked = this.#acked.promise;
    this.granted = quiet(this.acked.then(({ reasonCode }) => reasonCode as QoS));
    this.snapshot = this.#snapshot.promise;
    this.ended = this.#ended.promise;
    const side = start({
      message: (delivery, done) => this.#take(delivery, done),
      granted: (qos, said) => this.#acked.resolve(ackOf(qos, said)),
      failed: (error) => this.end(error),
      snapshot: (inferred) => {
        this.#snapshot.resolve({ inferred });
        for (const listener of [...this.#snapshotListeners]) callOut(listener, { inferred });
      },
    });
    if (this.#over) side.end();
    else this.#engineSide = side;
  }

  [Symbol.asyncIterator](): this {
    this.#loops = true;
    return this;
  }

  next(): Promise<IteratorResult<Message<P>>> {
    this.#finishShown();
    const item = this.#oldest();
    if (item) return Promise.resolve(this.#show(item));
    const result = new Deferred<IteratorResult<Message<P>>>();
    this.#waiting.push(result);
    if (this.#over) this.#finish();
    return result.promise;
  }

  /** What `break` calls. */
  return(): Promise<IteratorResult<Message<P>>> {
    this.unsubscribe();
    return this.next();
  }

  /**
   * Calls back for each message, at once: without waiting for the promise of the last call. Messages that came before the first
   * handler or loop are given to it; those that come when the last handler was removed count as handled. What a handler throws is
   * reported as an error of the page. Returns what removes the handler.
   */
  onMessage(handler: (message: Message<P>) => unknown): () => void {
    checkCallback('onMessage', handler);
    const remove = added(this.#handlers, handler);
    if (!(this.#loops ??= false)) {
      this.#finishShown();
      for (let item; (item = this.#oldest()); ) callOut(handler, item.message, item.done);
    }
    return remove;
  }

  /** Calls back whenever all retained messages have come: after each connect. Returns what removes the listener. */
  onSnapshot(listener: (event: SnapshotComplete) => void): () => void {
    checkCallback('onSnapshot', listener);
    return added(this.#snapshotListeners, listener);
  }

  /** Ends the subscription and the loop. What still waits in the inbox (QoS 1 and 2) is for the next one, or reported as `unclaimed`. */
  unsubscribe(options: UnsubscribeOptions = {}): void {
    checkOptions('unsubscribe', options, UNSUBSCRIBE_RULES);
    this.#userProperties = options.userProperties;
    // By itself: for one that has ended already, nobody else says that they are handled.
    for (let item; (item = this.#oldest()); ) item.done(false);
    this.#error = undefined;
    this.end();
    this.#finishShown();
  }

  /** @internal Ends the loop after what is buffered, with an error if there is one. */
  end(error?: EbbtideError): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    const reason = error ?? new EbbtideError('closed', 'the subscription has ended');
    this.#acked.reject(reason);
    this.#snapshot.reject(reason);
    this.#ended.resolve(error);
    this.#finish();
    if (this.#buffer.length + this.#older.length === 0) this.#finishShown();
    this.#engineSide?.end(this.#userProperties, error);
  }

  #take(delivery: Delivery, settled: Done): void {
    if (this.#over) return settled(false);
    const bounded = delivery.id === undefined;
    if (bounded && this.#held >= this.#bufferedMax) {
      return this.end(new EbbtideError('slow-consumer', `more than ${this.#bufferedMax} messages of ${this.filter} wait`));
    }
    const message = new Message(delivery, paramsOf(this.#parsed, delivery.topic) as P);
    const loops = this.#loops !== false || this.#waiting.length > 0;
    let left = this.#handlers.size + +loops;
    if (!left) return settled();
    if (bounded) this.#held++;
    let handled = false;
    const done = (shown = true): void => {
      handled ||= shown;
      if (--left > 0) return;
      if (bounded) this.#held--;
      settled(handled);
    };
    const item = { message, done };
    for (const handler of [...this.#handlers]) callOut(handler, message, done);
    if (!loops) return;
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(this.#show(item));
    else this.#buffer.push(item);
  }

  #oldest(): Item<P> | undefined {
    if (this.#older.length === 0) {
      this.#older = this.#buffer.reverse();
      this.#buffer = [];
    }
    return this.#older.pop();
  }

  #show({ message, done }: Item<P>): IteratorResult<Message<P>> {
    this.#shown.push(done);
    return { done: false, value: message };
  }

  #finishShown(): void {
    for (const done of this.#shown.splice(0)) done();
  }

  #finish(): void {
    for (const each of this.#waiting.splice(0)) {
      if (this.#error) each.reject(this.#error);
      else each.resolve({ done: true, value: undefined });
      // Said once; afterwards the loop is over.
      this.#error = undefined;
    }
  }
}
