// Finds the store of an identity: IndexedDB where it can be had, memory where not, and says why. Beside it, in localStorage, a witness
// remembers that there was one, so that a store which the browser has thrown away is not taken for a new one.

import { attempt } from '../../attempt.js';
import { wordsOf } from '../../error.js';
import { LAYOUT, openIndexedDb } from './indexeddb.js';
import { openMemory } from './memory.js';
import type { Store } from './store.js';

export interface Opened {
  store: Store;
  /** Several tabs share it. */
  shared: boolean;
  memoryOnly?: string;
}

export function databaseName(url: string, identity: string): string {
  // No URL has a space, so no two of them share a name.
  return `ebbtide:${LAYOUT}:${url} ${identity}`;
}

/** Never rejects. */
export async function openStore(name: string, wanted: 'durable' | 'memory', lost: (why: 'reload-needed' | 'storage-lost' | 'deleted') => void): Promise<Opened> {
  const memory = (memoryOnly: string): Opened => ({ store: openMemory(), shared: false, memoryOnly });
  if (wanted === 'memory') return memory('asked for');
  if (!globalThis.navigator?.locks) return memory('no Web Locks (they need https or localhost)');
  if (!globalThis.BroadcastChannel) return memory('no BroadcastChannel');
  try {
    return { store: await openIndexedDb(name, lost), shared: true };
  } catch (error) {
    return memory(`IndexedDB: ${wordsOf(error)}`);
  }
}

/** What is known of a store that may be gone. */
export interface Witness {
  clientId: string;
  /** Of the outbox, when last looked. */
  count: number;
  /** When the session was last in use, wall clock, ms. */
  at: number;
}

/** localStorage is missing, barred or full as it pleases. */
export const witness = {
  read: (name: string): Witness | undefined => attempt(() => JSON.parse(localStorage.getItem(name) ?? '') as Witness),
  /** If that fails, an eviction goes unseen until the server tells of it. */
  write: (name: string, value: Witness | undefined): void => attempt(() => (value ? localStorage.setItem(name, JSON.stringify(value)) : localStorage.removeItem(name))),
};
