// What the facade uses of the module that wasm-bindgen writes (see src/npm.rs). The real one lies beside the built files.

export default function init(): Promise<unknown>;

export type Fail = (code: string, message: string, reasonCode: number | undefined) => void;

export class Connection {
  constructor(
    url: string,
    clientId: string | undefined,
    username: string | undefined,
    password: string | undefined,
    keepAliveS: number,
    sessionExpiryS: number,
    cleanStart: boolean,
    version: number,
    onState: (kind: string, sessionPresent: boolean, reason: string, retryInMs: number | undefined) => void,
  );
  subscribe(
    filter: string,
    qos: number,
    noLocal: boolean,
    onMessage: (topic: string, payload: Uint8Array, qos: number, retain: boolean, dup: boolean) => void,
    onChange: (kind: string, value: number) => void,
  ): SubscriptionToken;
  publish(topic: string, payload: Uint8Array, qos: number, retain: boolean, onAcked: () => void, onFailed: Fail): void;
  reconnect_now(): void;
  close(): void;
  free(): void;
}

export class SubscriptionToken {
  free(): void;
}
