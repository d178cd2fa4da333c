// Which tabs are alive: each holds a lock of its own, and the leader waits for its release.

import { WIRE_VERSION } from '../wire.js';

/** Tabs that talk otherwise are not waited for. */
const lockOfTab = (name: string, tab: string): string => `ebbtide-tab:${WIRE_VERSION}:${name}:${tab}`;

/** Holds this tab's lock until the returned function is called. Resolves when it is held. */
export function stayOnRoster(name: string, tab: string): Promise<() => void> {
  return new Promise((resolve) => {
    navigator.locks
      .request(lockOfTab(name, tab), () => new Promise<void>((release) => resolve(release)))
      .catch(() => resolve(() => {}));
  });
}

/** Tabs that are alive now, as far as the browser says. */
export async function onRoster(name: string): Promise<string[]> {
  const prefix = lockOfTab(name, '');
  const { held } = await navigator.locks.query();
  // One of an identity that only begins like this one has more in it than the name of a tab.
  return (held ?? []).flatMap(({ name: lock }) => (lock?.startsWith(prefix) && !lock.includes(':', prefix.length) ? lock.slice(prefix.length) : []));
}

/** Calls `gone` when the tab has ended, crashed or been put away; not after `signal`. */
export function awaitGone(name: string, tab: string, signal: AbortSignal, gone: () => void): void {
  navigator.locks.request(lockOfTab(name, tab), { signal }, gone).catch(() => {});
}
