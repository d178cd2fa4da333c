import type { State } from './engine.js';
import { EbbtideError } from './error.js';
import type { Message } from './message.js';
import { callOut } from './settle.js';
import type { SubscribeOptions, Subscription } from './subscription.js';

export interface StoreOptions extends SubscribeOptions {
  /** Topics that are remembered; further ones are counted in `dropped`. Default 100,000. */
  topicsMax?: number;
}

/** What a store has at one moment; it never changes, a later one is another object. */
export interface TopicValues<P = Readonly<Record<string, string>>> {
  /** Topic → its last message. Cleared topics are not in it. */
  readonly messages: ReadonlyMap<string, Message<P>>;
  /** Whether all retained messages have come; before, there may be values of an earlier time: `fromCache`, or from before it was refused. */
  readonly ready: boolean;
  /** @internal The state of the client when all retained messages last came: with another one, they are to come again. */
  readonly asOf?: State;
  /** Why it ended: `refused` (the next listener asks again), `topic-filter`, `slow-consumer`, `closed`. */
  readonly error: EbbtideError | undefined;
  /** Messages of topics above `topicsMax`. */
  readonly dropped: number;
}

/** How long a store without listeners goes on: a component that comes back finds its values. Milliseconds. */
const LINGER_MS = 1_000;

/** @internal What a store has before it has anything. */
export const NOTHING: TopicValues<never> = { messages: new Map(), ready: false, error: undefined, dropped: 0 };

/**
 * The last value of each topic under a filter, for `useSyncExternalStore` and the like. It subscribes with the first listener and
 * ends one second after the last one has gone. Listeners are called once for all that came at about the same time.
 */
export class TopicStore<P = Readonly<Record<string, string>>> {
  readonly #open: () => Subscription<P>;
  readonly #topicsMax: number;
  readonly #state: () => State;
  readonly #ended: () => void;
  readonly #listeners = new Set<() => void>();
  #subscription: Subscription<P> | undefined;
  #messages = new Map<string, Message<P>>();
  #values: TopicValues<P> = NOTHING;
  #lingering: ReturnType<typeof setTimeout> | undefined;
  /** What the listeners are to be told next. */
  #pending: Partial<TopicValues<P>> | undefined;
  #dropped = 0;

  /** @internal */
  constructor(topicsMax: number, state: () => State, open: () => Subscription<P>, ended: () => void) {
    this.#topicsMax = topicsMax;
    this.#state = state;
    this.#open = open;
    this.#ended = ended;
  }

  /** Calls back after changes. Returns what removes the listener. */
  readonly subscribe = (listener: () => void): (() => void) => {
    // A function may be given twice; each has its own end.
    const entry = (): void => listener();
    this.#listeners.add(entry);
    clearTimeout(this.#lingering);
    // The right may have been given since. What others were shown stays, until it is known whether it still holds.
    if (this.#values.error?.code === 'refused') {
      this.#clear(this.#values.messages);
      this.#change({});
    }
    this.#subscription ??= this.#start();
    return () => {
      if (!this.#listeners.delete(entry) || this.#listeners.size > 0) return;
      this.#lingering = setTimeout(() => {
        this.#clear();
        this.#ended();
      }, LINGER_MS);
    };
  };

  /** What it has now: the same object until something changes. */
  readonly getSnapshot = (): TopicValues<P> => this.#values;

  /** Topic → its last message, now. */
  current(): ReadonlyMap<string, Message<P>> {
    return this.#values.messages;
  }

  #start(): Subscription<P> {
    const subscription = this.#open();
    let before = this.#values.messages;
    subscription.onMessage((message) => {
      if (message.isEmpty) this.#messages.delete(message.topic);
      else if (this.#messages.has(message.topic) || this.#messages.size < this.#topicsMax) this.#messages.set(message.topic, message);
      else return this.#change({ dropped: ++this.#dropped });
      this.#change({});
    });
    const mine = (change: Partial<TopicValues<P>>): void => {
      if (this.#subscription === subscription) this.#change(change);
    };
    subscription.onSnapshot(() => {
      for (const [topic, message] of before) if (this.#messages.get(topic) === message) this.#messages.delete(topic);
      before = NOTHING.messages;
      mine({ ready: true, asOf: this.#state() });
    });
    void subscription.ended.then((error = new EbbtideError('closed', 'the client is closed')) => mine({ error }));
    return subscription;
  }

  #clear(messages: TopicValues<P>['messages'] = NOTHING.messages): void {
    const subscription = this.#subscription;
    this.#subscription = undefined;
    subscription?.unsubscribe();
    this.#messages = new Map(messages);
    this.#dropped = 0;
    this.#values = { ...NOTHING, messages };
  }

  #change(change: Partial<TopicValues<P>>): void {
    if (this.#pending) return void Object.assign(this.#pending, change);
    this.#pending = change;
    setTimeout(() => {
      const pending = this.#pending;
      this.#pending = undefined;
      if (!this.#subscription) return;
      this.#values = { ...this.#values, ...pending, messages: new Map(this.#messages) };
      for (const listener of [...this.#listeners]) callOut(listener, undefined);
    });
  }
}
