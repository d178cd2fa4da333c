// Which tabs are alive: each holds a lock of its own, and the leader waits for its release.

export const lockOfTab = (name: string, tab: string): string => `ebbtide-tab:${name}:${tab}`;

/** Holds this tab's lock until the returned function is called. Resolves when it is held. */
export function stayOnRoster(name: string, tab: string): Promise<() => void> {
  return new Promise((resolve) => {
    navigator.locks
      .request(lockOfTab(name, tab), () => new Promise<void>((release) => resolve(release)))
      .catch(() => resolve(() => {}));
  });
}

/** Calls `gone` when the tab has ended, crashed or been put away; not after `signal`. */
export function awaitGone(name: string, tab: string, signal: AbortSignal, gone: () => void): void {
  navigator.locks.request(lockOfTab(name, tab), { signal }, gone).catch(() => {});
}
