// Calls back each half second, from a worker where there can be one: timers of a hidden page run once a minute. How much time has passed is
// for the caller to see, by the wall clock.

import { attempt } from '../attempt.js';

/** Long enough for a worker's script to come from a slow network. */
const WORKER_DEADLINE_MS = 5000;

export function startTicker(workerUrl: string | undefined, tick: () => void): () => void {
  let worker: Worker | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  let late: ReturnType<typeof setTimeout> | undefined;
  const byItself = (): void => {
    clearTimeout(late);
    worker?.terminate();
    worker = undefined;
    timer ??= setInterval(tick, 500);
    // Of Node: a client that nobody waits for does not keep the process.
    (timer as { unref?(): void }).unref?.();
  };
  // Until the worker ticks; it may never.
  byItself();
  // There may be no workers here.
  attempt(() => {
    worker = workerUrl ? new Worker(workerUrl, { type: 'module' }) : new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    late = setTimeout(byItself, WORKER_DEADLINE_MS);
    worker.onmessage = () => {
      clearTimeout(late);
      clearInterval(timer);
      timer = undefined;
      tick();
    };
    // Barred by a policy, or not found.
    worker.onerror = (event) => {
      event.preventDefault();
      byItself();
    };
  });
  return () => {
    if (worker) worker.onmessage = null;
    byItself();
    clearInterval(timer);
  };
}
