// Request and response of MQTT 5.0 (section 4.10): a response topic of this browser's own, and correlation data.

import type { Client } from './client.js';
import type { QoS } from './engine.js';
import type { Properties } from './properties.js';
import { EbbtideError, wordsOf } from './error.js';
import type { TopicNames } from './filter.js';
import type { Message, Payload } from './message.js';
import { Deferred } from './settle.js';
import type { Subscription } from './subscription.js';

export interface RequestOptions {
  /** Of the request and of the answer. Default 1. */
  qos?: QoS;
  /** Values for the `{name}` levels of the topic. */
  params?: Readonly<Record<string, string | number>>;
  /** Seconds until it fails with `timeout`; the request is not delivered later than that. Default 10. */
  timeoutS?: number;
  /** Where the answer goes: subscribed while a request waits there. Default `response/` and a name of this browser's own, which stays subscribed. */
  responseTopic?: string;
  properties?: Omit<Properties, 'responseTopic' | 'correlationData' | 'messageExpiryInterval'>;
}

/** Options of a request; `params` are needed when the topic is a literal with `{name}` levels. */
export type RequestArguments<T extends string> = [TopicNames<T>] extends [never]
  ? [options?: RequestOptions]
  : [options: RequestOptions & { params: { readonly [N in TopicNames<T>]: string | number } }];

/** User property of an answer that says why there is none. */
const FAILURE = 'ebbtide-error';

/** A subscription for answers. */
interface Listening {
  readonly subscription: Subscription;
  /** Requests that wait there. */
  waiting: number;
}

/** @internal The requests of one client that wait for an answer. */
export class Requests {
  readonly #client: Client;
  readonly #defaultTopic: () => string;
  readonly #version: 4 | 5;
  readonly #waiting = new Map<string, Deferred<Message>>();
  /** By QoS and topic. */
  readonly #listening = new Map<string, Listening>();

  constructor(client: Client, defaultTopic: () => string, version: 4 | 5) {
    this.#client = client;
    this.#defaultTopic = defaultTopic;
    this.#version = version;
  }

  async send(topic: string, value: Payload, options: RequestOptions): Promise<Message> {
    const { qos = 1, params, timeoutS = 10, responseTopic = this.#defaultTopic(), properties } = options;
    if (this.#version < 5) throw new EbbtideError('not-supported', 'requests need MQTT 5.0');
    const correlationData = crypto.getRandomValues(new Uint8Array(16));
    const key = String(correlationData);
    const answer = new Deferred<Message>();
    this.#waiting.set(key, answer);
    const late = (): void => answer.reject(new EbbtideError('timeout', `no answer from ${topic} within ${timeoutS} s`));
    const timer = setTimeout(late, timeoutS * 1_000);
    const deadline = Date.now() + timeoutS * 1_000;
    const place = `${qos} ${responseTopic}`;
    const listening = this.#listening.get(place) ?? this.#listen(place, responseTopic, qos);
    listening.waiting++;
    try {
      // The answer may come at once, so the subscription stands first.
      await Promise.race([listening.subscription.granted, answer.promise]);
      const publication = this.#client.publish(topic, value, {
        qos,
        deadline,
        properties: { ...properties, responseTopic, correlationData },
        ...(params && { params }),
      });
      publication.acked.then(
        ({ reasonCode }) => {
          if (reasonCode === 0x10) answer.reject(new EbbtideError('no-responder', `nobody is subscribed to ${topic}`, reasonCode));
        },
        (error: EbbtideError) => (error.code === 'expired' ? late() : answer.reject(error)),
      );
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(key);
      // The browser's own topic is for the next request, too.
      if (--listening.waiting === 0 && options.responseTopic) {
        this.#listening.delete(place);
        listening.subscription.unsubscribe();
      }
    }
  }

  close(error: EbbtideError): void {
    for (const answer of this.#waiting.values()) answer.reject(error);
  }

  #listen(place: string, topic: string, qos: QoS): Listening {
    const subscription = this.#client.subscribe(topic as string, { qos, retainHandling: 2 });
    const listening = { subscription, waiting: 0 };
    this.#listening.set(place, listening);
    void subscription.ended.then((error) => error && this.#listening.delete(place));
    subscription.onMessage((message) => {
      const { correlationData, userProperties } = message.properties;
      const answer = this.#waiting.get(String(correlationData));
      const failure = userProperties?.find(([name]) => name === FAILURE);
      if (failure) answer?.reject(new EbbtideError('responder-failed', failure[1]));
      else answer?.resolve(message);
    });
    return listening;
  }
}

/** @internal */
export function respond<P>(
  client: Client,
  subscription: Subscription<P>,
  handler: (request: Message<P>) => Payload | Promise<Payload>,
): Subscription<P> {
  subscription.onMessage(async (request) => {
    const { responseTopic, correlationData } = request.properties;
    const answer = (value: Payload, properties: Properties): Promise<unknown> | undefined =>
      responseTopic === undefined
        ? undefined
        : client.publish(responseTopic as string, value, {
            qos: request.qos,
            properties: { ...properties, ...(correlationData && { correlationData }) },
          }).stored;
    try {
      await answer(await handler(request), {});
    } catch (error) {
      await answer('', { userProperties: [[FAILURE, wordsOf(error)]] });
      throw error;
    }
  });
  return subscription;
}
