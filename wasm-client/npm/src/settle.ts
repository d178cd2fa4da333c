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

/** @internal Calls the application. What it throws or rejects with is reported as its own error; the promise always resolves. */
export async function throwLater(call: () => unknown): Promise<void> {
  try {
    await call();
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}

/** @internal The promise itself: when nobody observes it, a rejection stays silent. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
