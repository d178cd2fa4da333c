import type { DeadLetter, Engine, Pending } from './engine.js';
import { EbbtideError } from './error.js';
import { defined } from './connect-options.js';
import { checkOptions, WHICH_RULES } from './options.js';
import { quiet } from './settle.js';

/** Which entries: by name, by topic, or the entries themselves. Without any of them it throws `bad-options`. */
export type Which = { readonly key: string } | { readonly topic: string } | { readonly seq: number } | readonly { readonly seq: number }[];

/** Publishes that were refused for good, until they are retried or discarded. Rejects as the outbox does. */
export interface DeadLetters {
  list(): Promise<readonly DeadLetter[]>;
  /** Puts them at the end of the outbox again. Resolves with how many. */
  retry(which: Which): Promise<number>;
  /** Forgets them. Resolves with how many. */
  discard(which: Which): Promise<number>;
}

/**
 * What waits to be sent or acknowledged, of all tabs, in the order of sending; QoS 1 and 2, also after a reload. All that is asked here
 * rejects with `quota-exceeded`, `storage`, `closed`.
 */
export interface Outbox {
  list(): Promise<readonly Pending[]>;
  /** Takes back what was not sent yet. Resolves with how many; their `acked` reject with `cancelled`. */
  cancel(which: Which): Promise<number>;
  readonly deadLetters: DeadLetters;
}

/** @internal */
export function outboxOf(engine: Engine): Outbox {
  type Entry = { readonly seq: number; readonly key?: string; readonly topic: string };
  const list = (): Promise<Pending[]> => quiet(engine.outbox());
  const letters = (): Promise<DeadLetter[]> => quiet(engine.deadLetters());
  const on =
    (all: () => Promise<readonly Entry[]>, act: (seqs: number[]) => Promise<number>) =>
    (which: Which): Promise<number> => {
      const wanted = Object.entries(defined(which ?? {}));
      const list = Array.isArray(which);
      if (!list) checkOptions('outbox', which, WHICH_RULES);
      // Nothing at all is not everything.
      if (list ? !which.every((entry) => Number.isInteger(entry?.seq)) : wanted.length === 0) {
        throw new EbbtideError('bad-options', "outbox: it needs 'key', 'topic', 'seq' or a list of entries");
      }
      const found = list
        ? Promise.resolve(which as readonly Entry[])
        : all().then((entries) => entries.filter((entry) => wanted.every(([name, value]) => entry[name as keyof Entry] === value)));
      return quiet(found.then((entries) => act(entries.map(({ seq }) => seq))));
    };
  return {
    list,
    cancel: on(list, (seqs) => engine.cancel(seqs)),
    deadLetters: { list: letters, retry: on(letters, (seqs) => engine.retry(seqs)), discard: on(letters, (seqs) => engine.discard(seqs)) },
  };
}
