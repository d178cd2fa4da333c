import { EbbtideError } from './error.js';
import { checkTopic } from './filter.js';
import { encodePayload, type Payload } from './message.js';
import type { QoS } from './engine.js';
import type { Diagnostics, Properties } from './properties.js';
import { ownId } from './own-id.js';
import { presenceWill, type PresenceOptions, type PresenceSettings } from './presence.js';
import { LIMITS, MEMORY_EXPIRY_S, type AuthAnswer, type Credentials, type CredentialsCallback, type EngineSettings, type Limits } from './settings.js';

/** What the server publishes for a client that is gone without a goodbye. */
export interface Will {
  topic: string;
  /** Default: empty. */
  payload?: Payload;
  /** Default 0. */
  qos?: QoS;
  /** Default false. */
  retain?: boolean;
  /**
   * Seconds without a connection before it is published (MQTT 5.0). Default 0: then it is also published when one of several tabs closes, if that
   * is the tab with the connection.
   */
  delayIntervalS?: number;
  /** MQTT 5.0. */
  properties?: Properties;
}

export interface ConnectOptions {
  /** Whose data this is: outbox, inbox and last-known values belong to URL and identity. Default: `credentials.username`. Needed if `credentials` is a function. */
  identity?: string;
  /** Who connects; a function is asked before each attempt. If it throws or rejects, the attempt fails and the next one asks again. */
  credentials?: Credentials | CredentialsCallback;
  /** Default: one is made and kept with the identity. */
  clientId?: string;
  /** How long the server keeps the session after the connection is gone, seconds. Default 86,400: a day; with `storage: 'memory'` 300. MQTT 3.1.1: 0 or for ever. */
  sessionExpiryS?: number;
  /** Not together with `presence`. */
  will?: Will;
  /** Keeps a presence entry of this client, by the will; see `client.presence()`. */
  presence?: PresenceOptions;
  /** Seconds; 0 turns it off. Default 30. */
  keepAliveS?: number;
  /** Protocol version. Default 5.0. */
  version?: '3.1.1' | '5.0';
  /** Messages of QoS 1 and 2 that the server may send ahead of acknowledgements. Default 1,000. */
  receiveMaximum?: number;
  /** Bytes of the largest packet that the server may send (MQTT 5.0): what is larger it drops. Default: no limit. */
  maximumPacketSize?: number;
  /** Topic aliases that the server may use (MQTT 5.0). Default 64. */
  topicAliasMaximum?: number;
  /** Whether the server is to say where answers to requests may go (MQTT 5.0): `connack.responseInformation` of the state `online`. Default false. */
  requestResponseInformation?: boolean;
  /** Whether the server may explain refusals by `reasonString` and `userProperties` (MQTT 5.0). Default true. */
  requestProblemInformation?: boolean;
  /** User properties of CONNECT (MQTT 5.0). */
  userProperties?: [string, string][];
  /** Enhanced authentication (MQTT 5.0); its data comes with `credentials`. */
  authenticationMethod?: string;
  /** Answers AUTH with Continue Authentication (0x18): with data, or with data and what else AUTH may have. `said`: what the server said beside its data. */
  onAuthenticate?: (data: Uint8Array | undefined, said: Diagnostics) => Uint8Array | AuthAnswer | Promise<Uint8Array | AuthAnswer>;
  /** Seconds for an attempt to connect, without those that `credentials` takes. Default 10. */
  connectTimeoutS?: number;
  /** Seconds between attempts at most; they grow up to it, with full jitter. Default 60. */
  backoffMaxS?: number;
  /** `memory`: nothing is stored, each tab is a session of its own. Default `durable`, in IndexedDB. */
  storage?: 'durable' | 'memory';
  limits?: Partial<Limits>;
  /** Where `worker.js` of this package is, if your bundler does not find it. */
  workerUrl?: string | URL;
  /** `true`: to `console.debug`. Default false. Can be changed by `client.log()`. */
  log?: boolean | ((line: string) => void);
}

const DEFAULTS = {
  keepAliveS: 30,
  sessionExpiryS: 86_400,
  receiveMaximum: 1_000,
  // Presence boards repeat few topics often.
  topicAliasMaximum: 64,
  connectTimeoutS: 10,
  backoffMaxS: 60,
  storage: 'durable',
  log: false,
} as const;

/** @internal The options with every default filled in, under the same names. */
export type Settings = EngineSettings & { readonly presence: PresenceSettings | undefined };

/** @internal Throws `bad-options` for options that do not go together, `topic-name` and `payload`. */
export function settingsOf(url: string, options: ConnectOptions): Settings {
  const given = defined(options);
  const { credentials, will, presence, workerUrl } = given;
  const dynamic = typeof credentials === 'function';
  if (given.storage === 'memory') given.sessionExpiryS ??= MEMORY_EXPIRY_S;
  const settings = { ...DEFAULTS, ...given };
  const identity = given.identity ?? (dynamic ? undefined : credentials?.username) ?? '';
  if (dynamic && given.identity === undefined && settings.storage === 'durable') {
    throw new EbbtideError('bad-options', "connect: it needs 'identity' if 'credentials' is a function");
  }
  if (will && presence) throw new EbbtideError('bad-options', "connect: 'will' and 'presence' exclude each other");
  const version = given.version === '3.1.1' ? 4 : 5;
  const own = presence && {
    id: given.clientId ?? ownId(`${url} ${identity}`),
    user: identity || undefined,
    meta: undefined,
    offlineExpiryS: 604_800,
    offlineDelayS: 10,
    ...defined(presence),
    ...(version === 4 && { offlineDelayS: 0 }),
  };
  const goodbye = own
    ? presenceWill(own)
    : will && { qos: 0 as const, retain: false, delayIntervalS: 0, ...defined(will), payload: encodePayload(will.payload ?? '') };
  if (goodbye) checkTopic(goodbye.topic);
  return {
    ...settings,
    identity,
    version,
    presence: own,
    will: goodbye,
    limits: { ...LIMITS, ...defined(given.limits ?? {}) },
    workerUrl: workerUrl && String(workerUrl),
  };
}

/** @internal Without what is `undefined`, which stands for what is not there. */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
