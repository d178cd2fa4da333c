import type { Delivery, QoS } from './engine.js';
import type { Properties } from './properties.js';
import { EbbtideError } from './error.js';

/** What can be published: bytes and text as they are, everything else as JSON. An empty text clears a retained value. */
export type Payload = string | ArrayBufferView | ArrayBuffer | number | boolean | null | object;

/** Made for the first text: to import this does nothing. */
let decoder: TextDecoder | undefined;

/** A message from the server, or a value that was kept here. `P`: the values of the named levels of the filter. */
export class Message<P = Readonly<Record<string, string>>> {
  readonly topic: string;
  /** The values of the `{name}` levels of the filter, as they are in the topic. */
  readonly params: P;
  readonly qos: QoS;
  /**
   * Whether the server keeps it as the topic's value: state, not an event. `undefined`: it cannot be known (a live message in
   * MQTT 3.1.1).
   */
  readonly retain: boolean | undefined;
  /** Whether the server may have sent it before. */
  readonly dup: boolean;
  /** The properties of MQTT 5.0, under the standard's names; empty in MQTT 3.1.1. */
  readonly properties: Readonly<Properties>;
  /** Whether it was kept here, from an earlier time; a live one follows if the server still has it. */
  readonly fromCache: boolean;
  /** When it was kept, milliseconds since 1970; only with `fromCache`. */
  readonly storedAt: number | undefined;
  /** QoS 1 and 2: its number in the inbox, the same if it is handed over again. */
  readonly id: number | undefined;
  /** Whether it was handed over before, to a page that ended before it was done with it. */
  readonly redelivered: boolean;
  readonly #payload: Uint8Array;

  /** @internal */
  constructor(delivery: Delivery, params: P) {
    this.topic = delivery.topic;
    this.params = params;
    this.qos = delivery.qos;
    this.retain = delivery.retain;
    this.dup = delivery.dup;
    this.properties = delivery.properties ?? {};
    this.fromCache = delivery.fromCache === true;
    this.storedAt = delivery.storedAt;
    this.id = delivery.id;
    this.redelivered = delivery.redelivered;
    this.#payload = delivery.payload;
  }

  /** Whether there is no payload: with a retained value, that it was cleared. */
  get isEmpty(): boolean {
    return this.#payload.length === 0;
  }

  /** A copy of the payload as it came, in a buffer of its own: to keep, to change and to transfer. */
  // Not shared, as current TypeScript asks of what goes into a Blob or a request; before 5.7 its type had no way to say so.
  bytes(): ReturnType<Uint8Array['slice']> {
    return this.#payload.slice();
  }

  /** The payload as UTF-8 text. Throws `payload` if it is none. */
  text(): string {
    return this.#as('UTF-8', () => (decoder ??= new TextDecoder('utf-8', { fatal: true })).decode(this.#payload));
  }

  /** The payload as JSON; `undefined` if it is empty. Throws `payload` if it is none. */
  json<T = unknown>(): T | undefined {
    if (this.isEmpty) return undefined;
    const text = this.text();
    return this.#as('JSON', () => JSON.parse(text) as T);
  }

  #as<T>(kind: string, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw new EbbtideError('payload', `the payload of ${this.topic} is not ${kind}`, undefined, { cause });
    }
  }
}

/** @internal A copy of its own. Throws `payload`. */
export function encodePayload(value: Payload): Uint8Array {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
  if (value instanceof ArrayBuffer) return new Uint8Array(value).slice();
  if (typeof value === 'string') return new TextEncoder().encode(value);
  let text: string | undefined;
  try {
    // JSON.stringify gives undefined for what JSON does not have, against its type.
    text = JSON.stringify(value) as string | undefined;
  } catch (cause) {
    throw new EbbtideError('payload', 'the value cannot be written as JSON', undefined, { cause });
  }
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  // Maps, errors, blobs and many others would be `{}`, and what is no number `null`: their content lost.
  if (text === undefined || (text === '{}' && kind !== 'Object') || (text === 'null' && value !== null)) {
    throw new EbbtideError('payload', `a ${kind} cannot be sent; send its content`);
  }
  return new TextEncoder().encode(text);
}
