import type { DeadLetter, Engine, Pending } from './engine.js';

/** Which entries: by name, by topic, or the entries themselves. */
export type Which = { readonly key: string } | { readonly topic: string } | { readonly seq: number } | readonly { readonly seq: number }[];

/** Publishes that were refused for good, until they are retried or discarded. */
export interface DeadLetters {
  list(): Promise<readonly DeadLetter[]>;
  /** Puts them at the end of the outbox again. Resolves with how many. */
  retry(which: Which): Promise<number>;
  /** Forgets them. Resolves with how many. */
  discard(which: Which): Promise<number>;
}

/** What waits to be sent or acknowledged, of all tabs, in the order of sending; QoS 1 and 2, also after a reload. */
export interface Outbox {
  list(): Promise<readonly Pending[]>;
  /** Takes back what was not sent yet. Resolves with how many; their `acked` reject with `cancelled`. */
  cancel(which: Which): Promise<number>;
  readonly deadLetters: DeadLetters;
}

/** @internal */
export function outboxOf(engine: Engine): Outbox {
  type Entry = { readonly seq: number; readonly key?: string; readonly topic: string };
  const seqs = async (which: Which, list: () => Promise<readonly Entry[]>): Promise<number[]> => {
    if (Array.isArray(which)) return (which as readonly Entry[]).map(({ seq }) => seq);
    const wanted = Object.entries(which);
    return (await list()).filter((entry) => wanted.every(([name, value]) => entry[name as keyof Entry] === value)).map(({ seq }) => seq);
  };
  const letters = (): Promise<DeadLetter[]> => engine.deadLetters();
  const list = (): Promise<Pending[]> => engine.outbox();
  return {
    list,
    cancel: async (which) => engine.cancel(await seqs(which, list)),
    deadLetters: {
      list: letters,
      retry: async (which) => engine.retry(await seqs(which, letters)),
      discard: async (which) => engine.discard(await seqs(which, letters)),
    },
  };
}
