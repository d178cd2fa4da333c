// The store in IndexedDB: one database for each (URL, identity). Nothing here waits for ever: opening has a deadline, and each transaction
// ends in one of complete and abort. When another version of this package wants to change the layout, the database closes by itself.

import { attempt } from '../../attempt.js';
import { KEY_OF, TABLES, type Key, type Range, type Store, type Table, type Tx } from './store.js';

/** Of the layout. Another one has other names, so that old pages can go on beside it. */
export const LAYOUT = 2;

const OPEN_DEADLINE_MS = 5000;

/** `lost`: the database closed by itself; `deleted`: because it is being removed. */
export function openIndexedDb(name: string, lost: (why: 'reload-needed' | 'storage-lost' | 'deleted') => void): Promise<Store> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    let tooLate = false;
    const late = setTimeout(() => {
      tooLate = true;
      reject(new Error('it did not open in time'));
    }, OPEN_DEADLINE_MS);
    request.onupgradeneeded = () => {
      for (const table of TABLES) {
        const keyPath = KEY_OF[table];
        const autoIncrement = table === 'outbox' || table === 'inbox';
        const made = request.result.createObjectStore(table, keyPath ? { keyPath, autoIncrement } : {});
        // Numbers go on above those of a store that was lost, for a tab may still have these: no page stores 16 in each millisecond.
        if (autoIncrement) made.add({ [keyPath!]: Date.now() * 16 }).onsuccess = () => made.clear();
        if (table === 'outbox') for (const index of ['merge', 'deadline']) made.createIndex(index, index);
      }
    };
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      clearTimeout(late);
      const db = request.result;
      if (tooLate) return db.close();
      db.onversionchange = (event) => {
        db.close();
        lost(event.newVersion === null ? 'deleted' : 'reload-needed');
      };
      db.onclose = () => lost('storage-lost');
      resolve(wrap(db));
    };
  });
}

function wrap(db: IDBDatabase): Store {
  const dialogues = new Set<() => void>();
  let closed = false;
  return {
    kind: 'indexeddb',
    get closed() {
      return closed;
    },
    run: (tables, mode, work, dialogue) =>
      new Promise((resolve, reject) => {
        let why: unknown;
        // Throws InvalidStateError when the database is closed.
        const transaction = db.transaction(tables, mode === 'read' ? 'readonly' : 'readwrite', { durability: mode === 'strict' ? mode : 'relaxed' });
        transaction.oncomplete = () => (dialogues.delete(abort), resolve());
        transaction.onabort = () => (dialogues.delete(abort), reject(why ?? transaction.error ?? new DOMException('the transaction was aborted', 'AbortError')));
        const abort = (error?: unknown): void => {
          why ??= error;
          // It may have ended already.
          attempt(() => transaction.abort());
        };
        // By itself the store would wait to see whether more is asked for, and if this tab were stopped meanwhile, for a minute.
        const commit = (): void => attempt(() => transaction.commit());
        let unanswered = 1;
        const guarded = <T>(then: (value: T) => void) => (value: T): void => {
          try {
            then(value);
          } catch (error) {
            abort(error);
          }
          if (--unanswered === 0 && dialogue) commit();
        };
        const asked = <T>(then: (value: T) => void): ((value: T) => void) => (unanswered++, guarded(then));
        guarded(work)(transactionOf(transaction, asked, abort));
        if (dialogue) dialogues.add(abort);
        else commit();
      }),
    close: () => {
      closed = true;
      for (const abort of dialogues) abort();
      db.close();
    },
  };
}

function transactionOf(transaction: IDBTransaction, asked: <T>(then: (value: T) => void) => (value: T) => void, abort: (why: unknown) => void): Tx {
  const on = (table: Table): IDBObjectStore => transaction.objectStore(table);
  const answer = <T>(request: IDBRequest<T>, then: (value: T) => void): void => {
    const answered = asked(then);
    request.onsuccess = () => answered(request.result);
  };
  return {
    get: (table, key, then) => answer(on(table).get(key), then),
    has: (table, key, then) => answer(on(table).getKey(key), (found) => then(found !== undefined)),
    all: (table, then, range = {}) => {
      const source = range.index ? on(table).index(range.index) : on(table);
      answer(source.getAll(rangeOf(range), range.count), then);
    },
    keys: (table, then, range = {}) => answer(on(table).getAllKeys(rangeOf(range), range.count), (keys) => then(keys as Key[])),
    put: (table, row, key) => void on(table).put(row, key),
    add: (table, row, then) => answer(on(table).add(row), (key) => then(key as number)),
    remove: (table, key, to = key) => void on(table).delete(IDBKeyRange.bound(key, to)),
    clear: (table) => void on(table).clear(),
    claim: (table, key, row, why) => void (on(table).add(row, key).onerror = () => abort(why)),
    last: (table, from, then) => answer(on(table).openCursor(IDBKeyRange.bound(from, Infinity), 'prev'), (at) => then(at?.value, at?.key as number | undefined)),
    abort,
  };
}

/** Numbers come first among keys, and lists after all that are here. */
function rangeOf({ after, from = -Infinity, to }: Range): IDBKeyRange {
  return IDBKeyRange.bound(after ?? from, to ?? [], after !== undefined);
}

/** Resolves to whether it is gone; other tabs may hold it. */
export function deleteIndexedDb(name: string, deadlineMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (gone: boolean) => (): void => resolve(gone);
    setTimeout(end(false), deadlineMs);
    attempt(() => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = end(true);
      request.onerror = end(false);
    });
  });
}
