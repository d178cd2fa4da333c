// What an engine is opened with: the application's options, checked and with every default filled in. `settingsOf` in `connect-options.ts`
// makes it.

import type { Diagnostics, Properties } from './properties.js';
import type { QoS } from './engine.js';

/** @internal How long the server keeps a session that no page finds again, for want of a store, at most; the default where none is asked for. */
export const MEMORY_EXPIRY_S = 300;

/** What the server wants to know of the user. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string | Uint8Array;
  /** Of enhanced authentication (MQTT 5.0), with the option `authenticationMethod`. */
  readonly authenticationData?: Uint8Array;
  /** Of the AUTH that renews them (MQTT 5.0). */
  readonly reasonString?: string;
  /** Of the AUTH that renews them; those of CONNECT are an option of `connect`. */
  readonly userProperties?: [string, string][];
  /** When they expire, milliseconds since 1970: new ones are asked for in time. Default: what `authenticationData` says, if it is a JSON Web Token. */
  readonly expiresAt?: number;
}

/** What goes into AUTH (MQTT 5.0). */
export type AuthAnswer = Pick<Credentials, 'authenticationData' | 'reasonString' | 'userProperties'>;

/** `null`: there are none now; the client waits in `needs-auth` for `renewCredentials()`. */
export type CredentialsCallback = () => Credentials | null | Promise<Credentials | null>;

/** @internal The defaults. */
export const LIMITS: Limits = {
  outboxMessagesMax: 10_000,
  outboxBytesMax: 64 << 20,
  inboxMessagesMax: 10_000,
  inboxBytesMax: 64 << 20,
  cacheTopicsMax: 10_000,
  cacheBytesMax: 32 << 20,
  deadLettersMax: 1_000,
  heldMessagesMax: 1_000,
};

/** The will, as it goes into CONNECT. */
export interface WillMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  /** Seconds between the loss of the connection and the will. */
  readonly delayIntervalS: number;
  readonly properties?: Properties;
}

/** @internal */
export type OnAuthenticate = (data: Uint8Array | undefined, said: Diagnostics) => Uint8Array | AuthAnswer | Promise<Uint8Array | AuthAnswer>;

/** What may be kept, at most. Every limit is per identity. */
export interface Limits {
  /** Publishes of QoS 1 and 2 that wait or are under way. Above it `publish` fails with `queue-full`. Default 10,000. */
  readonly outboxMessagesMax: number;
  /** Their topics and payloads, bytes. Default 64 MiB. */
  readonly outboxBytesMax: number;
  /** Received messages of QoS 1 and 2 that no handler is done with. Above it nothing is acknowledged to the server. Default 10,000. */
  readonly inboxMessagesMax: number;
  /** Their topics and payloads, bytes. Default 64 MiB. */
  readonly inboxBytesMax: number;
  /** Last-known values. Above it the ones not seen for longest go. Default 10,000. */
  readonly cacheTopicsMax: number;
  /** Their topics and payloads, bytes. Default 32 MiB. */
  readonly cacheBytesMax: number;
  /** Refused publishes that wait to be looked at. Above it the oldest go, reported as `dropped`. Default 1,000. */
  readonly deadLettersMax: number;
  /** Publishes of QoS 0 that wait in memory for a connection (`offline: 'keep'`). Above it `queue-full`. Default 1,000. */
  readonly heldMessagesMax: number;
}

/** @internal */
export interface EngineSettings {
  readonly identity: string;
  /** Undefined: the engine makes one and keeps it with the identity. */
  readonly clientId?: string;
  readonly credentials?: Credentials | CredentialsCallback;
  readonly authenticationMethod?: string;
  /** The answer to AUTH with 0x18, Continue Authentication. */
  readonly onAuthenticate?: OnAuthenticate;
  readonly userProperties?: [string, string][];
  readonly requestResponseInformation?: boolean;
  readonly requestProblemInformation?: boolean;
  readonly maximumPacketSize?: number;
  readonly topicAliasMaximum: number;
  readonly will: WillMessage | undefined;
  readonly keepAliveS: number;
  readonly sessionExpiryS: number;
  readonly version: 4 | 5;
  readonly receiveMaximum: number;
  readonly connectTimeoutS: number;
  readonly backoffMaxS: number;
  readonly storage: 'durable' | 'memory';
  readonly limits: Limits;
  readonly workerUrl: string | undefined;
}
