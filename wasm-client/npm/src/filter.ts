// Topic filters and topics with named levels: `agents/{id}/state`, and `{rest...}` for all levels from there on.

import { EbbtideError } from './error.js';

type LevelName<L extends string> = L extends `{${infer N}...}` ? N : L extends `{${infer N}}` ? N : never;
type LevelNames<F extends string> = F extends `${infer L}/${infer Rest}` ? LevelName<L> | LevelNames<Rest> : LevelName<F>;

/** The names in a template: `'agents/{id}/{rest...}'` has `'id' | 'rest'`. */
export type TopicNames<F extends string> = F extends `$share/${string}/${infer Rest}` ? LevelNames<Rest> : LevelNames<F>;

/** The values by name: `'agents/{id}/state'` has `{ id: string }`. A template that is no literal has any name. */
export type TopicParams<F extends string> = string extends F
  ? Readonly<Record<string, string>>
  : { readonly [N in TopicNames<F>]: string };

/** @internal A filter as it is sent, and the names of its levels. */
export interface ParsedFilter {
  readonly filter: string;
  /** Level of the topic → name. */
  readonly names: ReadonlyMap<number, string>;
  /** The level from which `{rest...}` takes all. */
  readonly restAt: number | undefined;
}

const NAMED_LEVEL = /^\{([^{}/]+?)(\.\.\.)?\}$/;

/** @internal Turns each level `{name}` into `+` and `{name...}` into `#`. */
export function parseFilter(text: string): ParsedFilter {
  // Lists are for other clients.
  if (typeof text !== 'string') throw new EbbtideError('bad-options', 'subscribe: the filter must be a string, one for each call');
  const names = new Map<number, string>();
  let restAt: number | undefined;
  // `$share/{group}/` is no part of the topics.
  const first = text.startsWith('$share/') ? 2 : 0;
  const levels = text.split('/').map((level, place) => {
    const [, name, rest] = (place >= first && NAMED_LEVEL.exec(level)) || [];
    if (name === undefined) return level;
    names.set(place - first, name);
    if (!rest) return '+';
    restAt = place - first;
    return '#';
  });
  return { filter: levels.join('/'), names, restAt };
}

/** @internal The values of the named levels. */
export function paramsOf({ names, restAt }: ParsedFilter, topic: string): Record<string, string> {
  const params: Record<string, string> = {};
  if (names.size > 0) {
    const levels = topic.split('/');
    for (const [place, name] of names) {
      params[name] = place === restAt ? levels.slice(place).join('/') : (levels[place] ?? '');
    }
  }
  return params;
}

/**
 * @internal Puts values into a template. Throws `topic-name` for a value that is missing, or that would be more than its level:
 * with `/`, unless the name is `{rest...}`, or with a wildcard.
 */
export function fillTopic(template: string, params: Readonly<Record<string, string | number>>): string {
  return template
    .split('/')
    .map((level) => {
      const [, name, rest] = NAMED_LEVEL.exec(level) ?? [];
      if (name === undefined) return level;
      const value = Object.hasOwn(params, name) ? String(params[name] ?? '') : '';
      if (value === '') throw new EbbtideError('topic-name', `${template}: there is no value for '${name}'`);
      if ((rest ? /[+#\0]/ : /[/+#\0]/).test(value)) {
        throw new EbbtideError('topic-name', `${template}: '${name}' must be one level without wildcards`);
      }
      return value;
    })
    .join('/');
}

/** @internal Throws `topic-name` or `field-too-long` (section 4.7): what waits offline should not be refused only later. */
export function checkTopic(topic: string): void {
  // With the flag `u` the surrogates are those without their other half: no UTF-8.
  if (typeof topic !== 'string' || !topic || /[+#\0\ud800-\udfff]/u.test(topic)) throw new EbbtideError('topic-name', `'${topic}' is no topic: a string, not empty, without wildcards`);
  if (new TextEncoder().encode(topic).length > 0xffff) throw new EbbtideError('field-too-long', 'the topic has more than 65,535 bytes');
}
