// What the application passes, checked before anything else: a mistake is thrown at the line that made it.

import { EbbtideError } from './error.js';

/** What is wrong with a value, as what would be right; `undefined` if it is right. */
type Rule = (value: unknown) => string | undefined;

/** Option → rule. `undefined` stands for an option that is not there. */
type Rules = Readonly<Record<string, Rule>>;

const text: Rule = (value) => (typeof value === 'string' ? undefined : 'a string');
const flag: Rule = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
const oneOf =
  (...allowed: readonly unknown[]): Rule =>
  (value) =>
    allowed.includes(value) ? undefined : allowed.map((each) => JSON.stringify(each)).join(' or ');
const integer =
  (min: number, max: number): Rule =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `a whole number from ${min} to ${max}`;

const QOS = oneOf(0, 1, 2);

/** @internal */
export const CONNECT_RULES: Rules = {
  clientId: text,
  username: text,
  password: text,
  keepAliveS: integer(0, 0xffff),
  sessionExpiryS: integer(0, 0xffff_ffff),
  cleanStart: flag,
  version: oneOf('3.1.1', '5.0'),
};

/** @internal */
export const PUBLISH_RULES: Rules = { qos: QOS, retain: flag };

/** @internal */
export const SUBSCRIBE_RULES: Rules = {
  qos: QOS,
  noLocal: flag,
  bufferedMessagesMax: integer(1, Number.MAX_SAFE_INTEGER),
};

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
      throw new EbbtideError('bad-options', `${call}: there is no option '${key}'${hint} There are ${known.join(', ')}`);
    }
    const expected = value === undefined ? undefined : rule(value);
    if (expected !== undefined) throw new EbbtideError('bad-options', `${call}: '${key}' must be ${expected}`);
  }
}

/** The known name that was probably meant. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const meant = key.toLowerCase();
  let best: string | undefined;
  let bestShare = 0.5;
  for (const name of known) {
    const lower = name.toLowerCase();
    const starts = Math.min(meant.length, lower.length) >= 4 && (meant.startsWith(lower) || lower.startsWith(meant));
    const share = starts ? 0 : distance(meant, lower) / Math.max(meant.length, lower.length);
    if (share < bestShare) [best, bestShare] = [name, share];
  }
  return best;
}

/** Letters to put in, take out or replace. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const replaced = row[j]! + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
