/** @internal What it gives; `undefined` if it throws, or what it asks for is not there. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
