// The events of a page that matter to a session. `away`: the page may stop at any moment, whether it is put into a cache, frozen or thrown
// away; `back`: it goes on. `wake`: the network or the user may have come back.

export interface Lifecycle {
  away(): void;
  back(): void;
  wake(): void;
}

export function watchLifecycle({ away, back, wake }: Lifecycle): () => void {
  const page = globalThis.document;
  const stop = new AbortController();
  const on = (target: EventTarget | undefined, event: string, then: () => void): void =>
    target?.addEventListener?.(event, then, { signal: stop.signal });
  // Workers and Node have less of it.
  const here = globalThis as unknown as EventTarget;
  on(here, 'pagehide', away);
  on(page, 'freeze', away);
  on(here, 'pageshow', back);
  on(page, 'resume', back);
  on(here, 'online', wake);
  on(page, 'visibilitychange', () => {
    if (isVisible()) wake();
  });
  return () => stop.abort();
}

export const isVisible = (): boolean => globalThis.document?.visibilityState !== 'hidden';
