// The store where there is none: this tab's memory. It has the same transactions, applied at once and undone when they abort.

import { KEY_OF, TABLES, type Key, type Range, type Store, type Table, type Tables, type Tx } from './store.js';

export function openMemory(): Store {
  const tables = Object.fromEntries(TABLES.map((name) => [name, new Map()])) as Record<Table, Map<Key, any>>;
  const next: Record<string, number> = { outbox: 1, inbox: 1 };
  return {
    kind: 'memory',
    async run(_tables, _mode, work) {
      const undo: (() => void)[] = [];
      const aborted: unknown[] = [];
      // Answers come after the work that asked for them, as in IndexedDB.
      const answers: (() => void)[] = [];
      const set = (table: Table, key: Key, row: unknown): void => {
        const rows = tables[table];
        const old = rows.get(key);
        undo.push(() => void (old === undefined ? rows.delete(key) : rows.set(key, old)));
        if (row === undefined) rows.delete(key);
        else rows.set(key, row);
      };
      const found = (table: Table, { index, count, ...range }: Range = {}): (readonly [at: Key, key: Key, row: any])[] =>
        [...tables[table]]
          .map(([key, row]) => [index ? row[index] : key, key, row] as const)
          .filter(([at]) => within(at, range))
          .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1))
          .slice(0, count);
      const answer = <T>(then: (value: T) => void, value: T): void => void answers.push(() => then(value));
      const tx: Tx = {
        get: (table, key, then) => answer(then, tables[table].get(key)),
        has: (table, key, then) => answer(then, tables[table].has(key)),
        keys: (table, then, range) => answer(then, found(table, range).map(([, key]) => key)),
        all: (table, then, range) => answer(then, found(table, range).map(([, , row]) => row)),
        put: (table, row, key) => set(table, key ?? (row as any)[KEY_OF[table]!], row),
        add: (table, row, then) => {
          const key = next[table]!++;
          set(table, key, { ...row, [KEY_OF[table]!]: key });
          answer(then, key);
        },
        remove: (table, key, to) => {
          if (to === undefined) return set(table, key, undefined);
          for (const one of [...tables[table].keys()]) if (within(one, { from: key, to })) set(table, one, undefined);
        },
        claim: (table, key, row, why) => (tables[table].has(key) ? tx.abort(why) : set(table, key, row)),
        last: (table, from, then) => {
          const [, key, row] = found(table, { from, to: Infinity }).at(-1) ?? [];
          answers.push(() => then(row, key as number | undefined));
        },
        clear: (table) => [...tables[table].keys()].forEach((key) => set(table, key, undefined)),
        abort: (why) => void aborted.push(why),
      };
      try {
        work(tx);
        for (let next; aborted.length === 0 && (next = answers.shift()); ) next();
      } catch (error) {
        aborted.push(error);
      }
      if (aborted.length > 0) {
        undo.reverse().forEach((step) => step());
        throw aborted[0];
      }
    },
    close() {},
  };
}

function within(key: Key | undefined, { after, from, to }: Range): boolean {
  return key !== undefined && (after === undefined || key > after) && (from === undefined || key >= from) && (to === undefined || key <= to);
}
