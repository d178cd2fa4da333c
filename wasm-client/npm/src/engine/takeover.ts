// The first transaction of a leader: raises the epoch and marks the old one as over, so that an earlier leader can write no more, and reads
// what that one left.

import { randomName } from '../random.js';
import type { EngineSettings } from '../settings.js';
import { STALE } from './journal.js';
import { witness, type Witness } from './store/open.js';
import { readUsage, writeSum } from './store/outbox.js';
import { askEntries, type Flight, type InboxRow, type Meta, type OutboxRow, type Store, type SubscriptionRow } from './store/store.js';

/** Marks of that many epochs are kept. */
const EPOCHS_MARKED = 1000;

export interface Estate {
  epoch: number;
  meta: Meta;
  /** In the order of the outbox. */
  flights: [OutboxRow, Flight][];
  inbound: number[];
  subscriptions: [number, SubscriptionRow][];
  inbox: InboxRow[];
  outboxCount: number;
  /** See `Inbox.rows`. */
  rows: number;
  /** The store is empty though there was one. */
  evicted?: Witness | undefined;
}

/** `stopped`: another tab has come to lead meanwhile. Then it changes nothing, and rejects with `STALE`. */
export async function takeOver(store: Store, name: string, settings: EngineSettings, stopped: () => boolean): Promise<Estate> {
  const remembered = store.kind === 'indexeddb' ? witness.read(name) : undefined;
  // All the rest is read, or the transaction fails.
  const estate = { flights: [] } as Partial<Estate> as Estate;
  await store.run(['session', 'outbox', 'flight', 'inbox', 'inbound', 'subs'], 'strict', (tx) => {
    tx.get('session', 'epoch', (epoch) => {
      // This may be long after it was asked for, and behind the other's.
      if (stopped()) throw STALE;
      const old = (epoch as number | undefined) ?? 0;
      estate.epoch = old + 1;
      tx.put('session', estate.epoch, 'epoch');
      tx.put('session', 0, old);
      tx.remove('session', -EPOCHS_MARKED, old - EPOCHS_MARKED);
    });
    tx.get('session', 'meta', (found) => {
      const meta = found as Meta | undefined;
      if (!meta) estate.evicted = remembered;
      const clientId = settings.clientId ?? meta?.clientId ?? remembered?.clientId ?? newClientId();
      const same = meta?.clientId === clientId;
      estate.meta = same ? meta : { clientId, hasSession: false };
      // What was evicted is told once the server has answered: until then the next leader is to find it so, too.
      if (!estate.evicted) tx.put('session', estate.meta, 'meta');
      if (!same) {
        // Another client id is another session at the server.
        for (const table of ['flight', 'inbound', 'subs'] as const) tx.clear(table);
      }
      askEntries(tx, 'flight', (flights) => flights.forEach(([seq, flight]) => tx.get('outbox', seq, (row) => {
        if (row) estate.flights.push([row, flight]);
        else tx.remove('flight', seq);
      })));
      tx.keys('inbound', (ids) => void (estate.inbound = ids as number[]));
      askEntries(tx, 'subs', (rows) => void (estate.subscriptions = rows as Estate['subscriptions']));
    });
    tx.all('inbox', (rows) => void (estate.inbox = rows));
    // Each leader takes one number, to know which is the last.
    tx.add('inbox', { list: [] }, (id) => {
      estate.rows = id - estate.epoch;
      tx.remove('inbox', id);
    });
    readUsage(tx, (total, ended) => tx.all('outbox', ([row]) => {
      total.count = row ? total.count - ended.count : 0;
      total.bytes = row ? total.bytes - ended.bytes : 0;
      estate.outboxCount = total.count;
      writeSum(tx, total);
      tx.remove('session', 'ended');
    }, { count: 1 }));
  }, true);
  return estate;
}

/** 23 characters of letters and digits: what every server must accept [MQTT-3.1.3-5]. */
const newClientId = (): string => `web${randomName(20)}`;
