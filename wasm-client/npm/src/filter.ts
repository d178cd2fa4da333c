/** @internal A filter as it is sent, and the names of its levels. */
export interface ParsedFilter {
  readonly filter: string;
  /** Level of the topic → name. */
  readonly names: ReadonlyMap<number, string>;
}

const NAMED_LEVEL = /^\{([^{}/]+)\}$/;

/** @internal Turns each level `{name}` into `+`. */
export function parseFilter(text: string): ParsedFilter {
  const names = new Map<number, string>();
  // `$share/{group}/` is no part of the topics.
  const first = text.startsWith('$share/') ? 2 : 0;
  const levels = text.split('/').map((level, place) => {
    const name = place >= first ? NAMED_LEVEL.exec(level)?.[1] : undefined;
    if (name === undefined) return level;
    names.set(place - first, name);
    return '+';
  });
  return { filter: levels.join('/'), names };
}

/** @internal The values of the named levels. */
export function paramsOf(names: ReadonlyMap<number, string>, topic: string): Record<string, string> {
  const params: Record<string, string> = {};
  if (names.size > 0) {
    const levels = topic.split('/');
    for (const [place, name] of names) params[name] = levels[place] ?? '';
  }
  return params;
}
