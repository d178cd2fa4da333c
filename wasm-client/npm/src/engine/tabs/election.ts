// One leader among the tabs: whoever holds the lock. A suspended tab keeps its lock, so a visible tab that misses the leader's beats takes it
// away. The one it was taken from may not know yet: what it does to the store is stopped by the epoch (journal.ts), not here.

export const BEAT_MS = 500;
const MISSED_MS = 1500;

export interface Election {
  /** The leader was heard. */
  heard(): void;
  /** Twice a second: looks whether the leader is still there. */
  tick(visible: boolean): void;
  /** Gives the lock to the next; `leave` for good. */
  release(leave: boolean): void;
}

export function elect(lock: string, lead: () => void, lost: () => void): Election {
  let heardAt = Date.now();
  let tickedAt = heardAt;
  let left = false;
  let waiting: AbortController | undefined;
  let free: (() => void) | undefined;

  const ask = (steal: boolean): void => {
    waiting?.abort();
    const control = (waiting = new AbortController());
    let held = false;
    const hold = (): Promise<void> | void => {
      if (left || waiting !== control) return;
      held = true;
      return new Promise((resolve) => {
        free = resolve;
        lead();
      });
    };
    // `steal` and `signal` exclude each other.
    navigator.locks.request(lock, steal ? { steal } : { signal: control.signal }, hold).catch(() => {}).finally(() => {
      if (waiting !== control) return;
      if (held) {
        // Stolen, or released.
        free = undefined;
        lost();
      }
      heardAt = Date.now();
      if (!left && (held || steal)) ask(false);
    });
  };
  ask(false);

  return {
    heard: () => void (heardAt = Date.now()),
    tick: (visible) => {
      const now = Date.now();
      // This tab slept itself, or the clock was set: what the leader said meanwhile may still be on its way.
      if (Math.abs(now - tickedAt) > MISSED_MS || !visible) heardAt = now - BEAT_MS;
      tickedAt = now;
      if (!free && !left && visible && now - heardAt > MISSED_MS) {
        heardAt = now;
        ask(true);
      }
    },
    release: (leave) => {
      left ||= leave;
      if (left) waiting?.abort();
      free?.();
    },
  };
}
