// A name for this browser under one identity, for presence and response topics. It is no secret and no client id.

const keyOf = (scope: string): string => `ebbtide:id:${scope}`;
let ofPage: string | undefined;

/** Sixteen letters: the same for all tabs and after a reload, where the browser lets us keep it; else the same for this page. */
export function ownId(scope: string): string {
  const key = keyOf(scope);
  ofPage ??= Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte & 31).toString(32)).join('');
  try {
    const kept = localStorage.getItem(key);
    if (!kept) localStorage.setItem(key, ofPage);
    return kept ?? ofPage;
  } catch {
    // There is no such storage here, or it is barred.
    return ofPage;
  }
}

export function forgetOwnId(scope: string): void {
  ofPage = undefined;
  try {
    localStorage.removeItem(keyOf(scope));
  } catch {
    // Nothing was kept.
  }
}
