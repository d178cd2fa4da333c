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
 * @internal Calls the application, and then `then`: when the promise that it returns has settled, or at once. What it throws or rejects with
 * is reported as its own error.
 */
export function callOut(call: () => unknown, then: () => void = () => {}): void {
  const report = (error: unknown): void => {
    setTimeout(() => {
      throw error;
    });
  };
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    report(error);
  }
  // Most handlers return nothing, and there may be very many messages.
  if ((result as PromiseLike<unknown> | null | undefined)?.then) Promise.resolve(result).catch(report).then(then);
  else then();
}

/** @internal The promise itself: when nobody observes it, a rejection stays silent. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
