// The errors of the machine, which come as numbers (`faults.rs`): their codes, and in words for people.

import { EXPIRED, FULL, OFFLINE, type Fault } from '../error.js';
import { explained } from '../reason.js';

const REFUSED = 38;

const FILTER: Fault = ['topic-filter', 'a topic filter is not empty, has at most 65,535 bytes and no NUL'];

const FAULTS: Readonly<Record<number, Fault>> = {
  1: ['field-too-long', 'a field has more than 65,535 bytes'],
  2: ['client-id-missing', 'MQTT 3.1.1 without clean start needs a client id'],
  // What `checkTopic` has not seen: the Response Topic of a will.
  10: ['topic-name', 'a topic is not empty, has at most 65,535 bytes and no wildcards'],
  20: FILTER,
  21: FILTER,
  22: FILTER,
  23: ['topic-filter', '`#` stands alone in the last level of a topic filter'],
  24: ['topic-filter', '`+` stands alone in its level of a topic filter'],
  25: ['topic-filter', 'a shared subscription is `$share/{group}/{filter}`, the group without wildcards'],
  30: ['closed', 'the client is closed'],
  31: OFFLINE,
  32: FULL,
  33: ['too-many-subscriptions', 'too many subscriptions'],
  34: ['outcome-unknown', 'the outcome is unknown: the server lost the session'],
  35: EXPIRED,
  36: ['packet-id-in-use', 'what was stored has a packet id twice'],
  37: ['packet-too-large', 'it is larger than the server accepts'],
};

/** Of a number with the reason code of the server in its lower eight bits. `said`: what the server said beside it. */
export function faultOf(number: number, said?: string): Fault {
  const kind = number >> 8;
  const reasonCode = number & 0xff;
  if (kind === REFUSED) return ['refused', explained(reasonCode, said), reasonCode];
  return FAULTS[kind]!;
}
