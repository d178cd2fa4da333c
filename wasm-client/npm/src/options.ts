// What the application passes, checked before anything else: a mistake is thrown at the line that made it.

import { EbbtideError } from './error.js';
import type { ClientEvents } from './events.js';
import { LIMITS } from './settings.js';

/** What is wrong with a value, as what would be right; `undefined` if it is right. May throw for what is in it. */
type Rule = (value: unknown, where: string) => string | undefined;

/** Option → rule. `undefined` stands for an option that is not there. */
type Rules = Readonly<Record<string, Rule>>;

const is =
  (expected: string, right: (value: unknown) => boolean): Rule =>
  (value) =>
    right(value) ? undefined : expected;
const typed = (type: string, expected: string): Rule => is(expected, (value) => typeof value === type);
const text = typed('string', 'a string');
const flag = typed('boolean', 'true or false');
const callback = typed('function', 'a function');
const bytes = is('a Uint8Array', (value) => value instanceof Uint8Array);
const anything: Rule = () => undefined;
const oneOf = (...allowed: readonly unknown[]): Rule =>
  is(allowed.map((each) => JSON.stringify(each)).join(' or '), (value) => allowed.includes(value));
const integer = (min: number, max: number): Rule =>
  is(`a whole number from ${min} to ${max}`, (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max);
const either = (first: Rule, second: Rule): Rule => (value, where) => {
  const expected = first(value, where);
  const other = expected && second(value, where);
  return other && `${expected} or ${other}`;
};
const record =
  (rules: Rules, needed?: string): Rule =>
  (value, where) => {
    checkOptions(where, value, rules);
    return needed && !(value as Record<string, unknown>)[needed] ? `an object with '${needed}'` : undefined;
  };
const pairs = is(
  'a list of [name, value] strings',
  (value) =>
    Array.isArray(value) &&
    value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((each) => typeof each === 'string')),
);

const QOS = oneOf(0, 1, 2);
const SECONDS = integer(0, 0xffff_ffff);
const MOMENT = is('milliseconds since 1970', Number.isFinite);
/** Whole numbers are exact up to it. */
const COUNT = integer(1, 2 ** 53 - 1);

const PROPERTIES = record({
  payloadFormatIndicator: flag,
  messageExpiryInterval: SECONDS,
  contentType: text,
  responseTopic: text,
  correlationData: bytes,
  userProperties: pairs,
});

/** @internal Also of what the callback gives. */
export const CREDENTIALS: Rules = { username: text, password: either(text, bytes), authenticationData: bytes, reasonString: text, userProperties: pairs, expiresAt: MOMENT };

/** @internal */
export const CONNECT_RULES: Rules = {
  identity: text,
  credentials: either(callback, record(CREDENTIALS)),
  clientId: text,
  sessionExpiryS: SECONDS,
  will: record({ topic: text, payload: anything, qos: QOS, retain: flag, delayIntervalS: SECONDS, properties: PROPERTIES }, 'topic'),
  presence: record({ topic: text, id: text, user: text, meta: anything, offlineDelayS: SECONDS, offlineExpiryS: SECONDS }, 'topic'),
  keepAliveS: integer(0, 0xffff),
  version: oneOf('3.1.1', '5.0'),
  receiveMaximum: integer(1, 0xffff),
  maximumPacketSize: integer(1, 0xffff_ffff),
  topicAliasMaximum: integer(0, 0xffff),
  requestResponseInformation: flag,
  requestProblemInformation: flag,
  userProperties: pairs,
  authenticationMethod: text,
  onAuthenticate: callback,
  connectTimeoutS: integer(1, 3_600),
  backoffMaxS: integer(1, 86_400),
  storage: oneOf('durable', 'memory'),
  limits: record(Object.fromEntries(Object.keys(LIMITS).map((name) => [name, COUNT]))),
  workerUrl: either(text, is('a URL', (value) => value instanceof URL)),
  log: either(flag, callback),
};

/** @internal */
export const PUBLISH_RULES: Rules = {
  qos: QOS,
  retain: flag,
  params: is('an object', (value) => typeof value === 'object' && value !== null),
  key: text,
  coalesce: flag,
  expiresInS: SECONDS,
  deadline: either(is('a Date', (value) => value instanceof Date && !Number.isNaN(+value)), MOMENT),
  resend: flag,
  offline: oneOf('fail', 'keep'),
  properties: PROPERTIES,
};

/** @internal */
export const SUBSCRIBE_RULES: Rules = {
  qos: QOS,
  noLocal: flag,
  retainAsPublished: flag,
  retainHandling: QOS,
  cache: flag,
  userProperties: pairs,
  bufferedMessagesMax: COUNT,
};

/** @internal */
export const UNSUBSCRIBE_RULES: Rules = { userProperties: pairs };

/** @internal */
export const CLOSE_RULES: Rules = { sessionExpiryS: SECONDS, reasonString: text, userProperties: pairs };

/** @internal */
export const STORE_RULES: Rules = { ...SUBSCRIBE_RULES, topicsMax: COUNT };

/** @internal */
export const REQUEST_RULES: Rules = { qos: QOS, params: PUBLISH_RULES['params']!, timeoutS: integer(1, 86_400), responseTopic: text, properties: PROPERTIES };

/** @internal */
export const WHICH_RULES: Rules = { key: text, topic: text, seq: COUNT };

/** @internal Of `on`: what may be listened to. */
export const EVENT_RULES = {
  state: callback, report: callback, gap: callback, evicted: callback, unclaimed: callback, dropped: callback, 'quota-exceeded': callback,
  'memory-only': callback, 'reload-needed': callback, 'storage-lost': callback, leader: callback, outbox: callback, deferred: callback, unsubscribed: callback,
  authenticated: callback, error: callback,
} satisfies Record<keyof ClientEvents, Rule>;

/** @internal Throws `bad-options`. */
export function checkCallback(call: string, given: unknown): void {
  if (typeof given !== 'function') throw new EbbtideError('bad-options', `${call}: 'handler' must be a function`);
}

/** @internal Throws `bad-options`. Values are never repeated: one of them is a password. */
export function checkOptions(call: string, options: unknown, rules: Rules): void {
  if (typeof options !== 'object' || options === null) {
    throw new EbbtideError('bad-options', `${call}: the options must be an object`);
  }
  for (const [key, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (!rule) {
      const known = Object.keys(rules);
      const near = nearest(key, known);
      const hint = near === undefined ? '.' : `; did you mean '${near}'?`;
      throw new EbbtideError('bad-options', `${call}: there is no '${key}'${hint} There are ${known.join(', ')}`);
    }
    const expected = value === undefined ? undefined : rule(value, `${call}: ${key}`);
    if (expected !== undefined) throw new EbbtideError('bad-options', `${call}: '${key}' must be ${expected}`);
  }
}

/** The known name that was probably meant: the one that begins alike for longest. */
function nearest(key: string, known: readonly string[]): string | undefined {
  if (/^(username|password)$/.test(key) && known.includes('credentials')) return 'credentials';
  for (let length = key.length; length > 2; length--) {
    const start = key.slice(0, length).toLowerCase();
    const name = known.find((one) => one.toLowerCase().startsWith(start));
    if (name) return name;
  }
  return undefined;
}
