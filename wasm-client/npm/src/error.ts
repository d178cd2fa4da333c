/** Why something failed. */
export type ErrorCode =
  /** The address is no URL, or none that a WebSocket can be opened to. */
  | 'url'
  /** An option that does not exist, or a value that it cannot have. Thrown at once. */
  | 'bad-options'
  /** MQTT 3.1.1 without clean start needs a client id. */
  | 'client-id-missing'
  /** A text is too long for MQTT. */
  | 'field-too-long'
  /** No valid topic name. */
  | 'topic-name'
  /** No valid topic filter. */
  | 'topic-filter'
  /** The value cannot be sent, or what came is not what was asked for. */
  | 'payload'
  /** The client was closed. */
  | 'closed'
  /** A QoS 0 publish without a connection, after the first attempt to connect. */
  | 'offline'
  /** Too much waits to be sent. */
  | 'queue-full'
  /** Too many subscriptions. */
  | 'too-many-subscriptions'
  /** The server lost the session while this was under way: it may or may not have been delivered. */
  | 'outcome-unknown'
  /** Larger than the server accepts. */
  | 'packet-too-large'
  /** The server refused it; see `reasonCode`. */
  | 'refused'
  /** Messages came faster than the loop took them, and the buffer is full. */
  | 'slow-consumer'
  /** The WebAssembly part could not be loaded. */
  | 'load-failed';

/** The one error type of this package. */
export class EbbtideError extends Error {
  readonly code: ErrorCode;
  /** The reason code of MQTT 5.0, when the server refused. */
  readonly reasonCode: number | undefined;

  constructor(code: ErrorCode, message: string, reasonCode?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EbbtideError';
    this.code = code;
    this.reasonCode = reasonCode;
  }
}

/** @internal What the wasm side throws (code, message) as an error. */
export function fromWasm(thrown: unknown): EbbtideError {
  if (Array.isArray(thrown)) {
    const [code, message, reasonCode] = thrown as [ErrorCode, string, number | undefined];
    return new EbbtideError(code, message, reasonCode);
  }
  return new EbbtideError('load-failed', String(thrown), undefined, { cause: thrown });
}
