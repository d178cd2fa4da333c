/** @internal A promise with its handles. When nobody observes it, a rejection stays silent. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => {});
  }
}

/**
 * @internal Calls the application with `value`, and then `then`: when the promise that it returns has settled, or at once. What it throws or
 * rejects with is reported as its own error.
 */
export function callOut<V>(call: (value: V) => unknown, value: V, then?: () => void): void {
  let result: unknown;
  try {
    result = call(value);
  } catch (error) {
    report(error);
  }
  // Most handlers return nothing, and there may be very many messages.
  if ((result as PromiseLike<unknown> | null | undefined)?.then) Promise.resolve(result).catch(report).then(then);
  else then?.();
}

function report(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}

/** @internal Adds to a set. Returns what removes it again. */
export function added<T>(set: Set<T>, one: T): () => void {
  set.add(one);
  return () => void set.delete(one);
}

/** @internal The promise itself: when nobody observes it, a rejection stays silent. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
