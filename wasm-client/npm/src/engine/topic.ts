// Topic filters against topics, for tabs whose server names no subscription with a message, and for the cache.

/** Section 4.7. Of a shared subscription the part that topics are matched with. */
export function matches(filter: string, topic: string): boolean {
  const wanted = (filter.startsWith('$share/') ? filter.slice(filter.indexOf('/', 7) + 1) : filter).split('/');
  const levels = topic.split('/');
  // [MQTT-4.7.2-1]
  if (topic[0] === '$' && (wanted[0] === '#' || wanted[0] === '+')) return false;
  for (const [place, level] of wanted.entries()) {
    if (level === '#') return true;
    if (level !== '+' ? level !== levels[place] : place >= levels.length) return false;
  }
  return wanted.length === levels.length;
}

/** What every topic under the filter begins with. */
export function prefixOf(filter: string): string {
  const wild = filter.search(/\/?[+#]/);
  return wild < 0 ? filter : filter.slice(0, wild);
}
