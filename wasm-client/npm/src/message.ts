import { EbbtideError } from './error.js';

/** Quality of service: 0 at most once, 1 at least once, 2 exactly once. */
export type QoS = 0 | 1 | 2;

/** What can be published: bytes and text as they are, everything else as JSON. An empty text clears a retained value. */
export type Payload = string | ArrayBufferView | ArrayBuffer | number | boolean | null | object;

/** A message from the server. */
export class Message {
  readonly topic: string;
  /** The values of the `{name}` levels of the filter. */
  readonly params: Readonly<Record<string, string>>;
  readonly qos: QoS;
  /** Whether it was kept by the server: the state before, not an event now. */
  readonly retain: boolean;
  /** Whether it may have been delivered before. */
  readonly dup: boolean;
  readonly #payload: Uint8Array;

  /** @internal */
  constructor(
    topic: string,
    params: Record<string, string>,
    payload: Uint8Array,
    qos: QoS,
    retain: boolean,
    dup: boolean,
  ) {
    this.topic = topic;
    this.params = params;
    this.#payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.dup = dup;
  }

  /** Whether there is no payload: with a retained value, that it was cleared. */
  get isEmpty(): boolean {
    return this.#payload.length === 0;
  }

  /** The payload as it came. */
  bytes(): Uint8Array {
    return this.#payload;
  }

  /** The payload as UTF-8 text. Throws `payload` if it is none. */
  text(): string {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.#payload);
    } catch (cause) {
      throw new EbbtideError('payload', `the payload of ${this.topic} is not UTF-8`, undefined, { cause });
    }
  }

  /** The payload as JSON; `undefined` if it is empty. Throws `payload` if it is none. */
  json<T = unknown>(): T | undefined {
    if (this.isEmpty) return undefined;
    const text = this.text();
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw new EbbtideError('payload', `the payload of ${this.topic} is not JSON`, undefined, { cause });
    }
  }
}

/** What JSON would write as `{}`, its content lost. */
const NOT_JSON = new Set([
  'Blob', 'File', 'FormData', 'Map', 'Promise', 'ReadableStream', 'Set', 'SharedArrayBuffer', 'WeakMap', 'WeakSet',
]);

/** @internal Bytes are not copied. Throws `payload`. */
export function encodePayload(value: Payload): Uint8Array {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (typeof value === 'string') return new TextEncoder().encode(value);
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (NOT_JSON.has(kind) && typeof (value as { toJSON?: unknown }).toJSON !== 'function') {
    throw new EbbtideError('payload', `a ${kind} cannot be sent; send its content as text, bytes or an array`);
  }
  let text: string | undefined;
  try {
    // JSON.stringify gives undefined for what JSON does not have, against its type.
    text = JSON.stringify(value) as string | undefined;
  } catch (cause) {
    throw new EbbtideError('payload', 'the value cannot be written as JSON', undefined, { cause });
  }
  if (text === undefined) throw new EbbtideError('payload', 'the value cannot be written as JSON');
  return new TextEncoder().encode(text);
}
