// Topic filters as a server sees them: which are valid, and what they match.

import { EbbtideError } from '../error.js';
import { fits } from './fields.js';

/** Whether a topic matches a filter (section 4.7): what begins with `$` is not matched by a wildcard there. */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/').slice(filter.startsWith('$share/') ? 2 : 0);
  const levels = topic.split('/');
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false;
  for (let at = 0; at < wanted.length; at++) {
    if (wanted[at] === '#') return true;
    if (at >= levels.length || (wanted[at] !== '+' && wanted[at] !== levels[at])) return false;
  }
  return wanted.length === levels.length;
}

/** Whether every topic that one filter matches is matched by the other, too: `shut/#` covers `shut/+/on` and `$share/g/shut`. */
export function covers(filter: string, other: string): boolean {
  const wide = filter.split('/');
  const levels = other.split('/').slice(other.startsWith('$share/') ? 2 : 0);
  for (const [at, level] of wide.entries()) {
    if (level === '#') return !(at === 0 && levels[0]!.startsWith('$'));
    if (at >= levels.length || (level === '+' ? levels[at] === '#' || (at === 0 && levels[0]!.startsWith('$')) : levels[at] !== level)) return false;
  }
  return wide.length === levels.length;
}

/** Why a filter is none (sections 4.7 and 4.8.2). */
export function filterFault(filter: string): EbbtideError | undefined {
  const fault = (why: string): EbbtideError => new EbbtideError('topic-filter', why);
  if (filter === '' || !fits(filter) || /[\0\ud800-\udfff]/u.test(filter)) return fault('a topic filter is not empty, has at most 65,535 bytes and no NUL character');
  const levels = filter.split('/');
  const shared = levels[0] === '$share';
  for (const [place, level] of levels.entries()) {
    if (!/[+#]/.test(level)) continue;
    if (level.length > 1 || (shared && place === 1) || (level === '#' && place < levels.length - 1)) {
      return fault('+ and # stand for whole levels, # only for the last ones');
    }
  }
  if (shared && (levels.length < 3 || levels[1] === '' || filter === `$share/${levels[1]}/`)) {
    return fault('a shared subscription is $share/{group}/{filter}');
  }
  return undefined;
}
