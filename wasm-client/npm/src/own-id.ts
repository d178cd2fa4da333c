// A name for this browser under one identity, for presence and response topics. It is no secret and no client id.

import { attempt } from './attempt.js';
import { randomName } from './random.js';

const keyOf = (scope: string): string => `ebbtide:id:${scope}`;
/** By scope: two identities of one page share nothing. */
const ofPage: Record<string, string> = {};

/** Sixteen letters: the same for all tabs and after a reload, where the browser lets us keep it; else the same for this page. */
export function ownId(scope: string): string {
  const key = keyOf(scope);
  const id = (ofPage[scope] ??= randomName(16));
  // There may be no such storage here, or it is barred.
  const kept = attempt(() => localStorage.getItem(key));
  if (!kept) attempt(() => localStorage.setItem(key, id));
  return kept || id;
}

export function forgetOwnId(scope: string): void {
  delete ofPage[scope];
  attempt(() => localStorage.removeItem(keyOf(scope)));
}
