// The publishes of a session in memory: rows that survive the page, dead letters, and QoS 0 that waits for a connection.

import type { Draft, Settlement } from '../engine.js';
import { bytesOf } from '../engine/store/store.js';
import { EbbtideError } from '../error.js';
import { explained } from '../reason.js';
import { propertiesFit, tooLong } from './fields.js';
import { expiryOf, type Refusal, type Routed } from './server.js';
import type { Ground, Row, Settled } from './memory-store.js';

/** What the server refuses for now is tried again after this time. */
const RETRY_MS = 1_000;

/** The reason code of a letter that no server has seen. */
const UNSENT = 0x80;

const failed = (code: EbbtideError['code'], message: string): Settlement => ({ error: new EbbtideError(code, message) });
const expired = (): Settlement => failed('expired', 'its deadline passed before it was sent');
const cancelled = (): Settlement => failed('cancelled', 'it was cancelled before it was sent');
const full = (): Settlement => failed('queue-full', 'too much waits to be sent');
const unconnected = (): Settlement => failed('offline', 'there is no connection');
const CANNOT_CANCEL = { cancel: (): Promise<boolean> => Promise.resolve(false) };

export class MemoryOutbox {
  readonly #ground: Ground;
  #held: { readonly draft: Draft; readonly settled: Settled }[] = [];
  /** No attempt to connect has come to anything yet. */
  #first = true;
  /** By the number of a row: takes the watch off its deadline. A test need not wait for one that concerns nobody any more. */
  readonly #unwatch = new Map<number, () => void>();

  constructor(ground: Ground) {
    this.#ground = ground;
    const { store } = ground;
    // A new page: whoever waited is gone. Of what was under way the server has QoS 2, and gets QoS 1 again.
    store.rows = store.rows.filter(({ stage, qos }) => stage === 'waiting' || qos === 1);
    for (const row of store.rows) {
      row.settled.length = 0;
      row.stage = 'waiting';
      this.#watchDeadline(row);
    }
  }

  publish(draft: Draft, stored: (seq: number) => void, settled: Settled): { cancel(): Promise<boolean> } {
    if (draft.qos === 0) return this.#publishAtOnce(draft, stored, settled);
    const { later, settings, store } = this.#ground;
    const { outboxBytesMax, outboxMessagesMax } = settings.limits;
    const old = store.rows.filter((row) => draft.coalesce && row.topic === draft.topic && row.stage === 'waiting' && row.draft.coalesce);
    const bytes = [...store.rows, draft].reduce((sum, row) => sum + bytesOf('draft' in row ? row.draft : row), 0);
    if (store.rows.length + 1 - old.length > outboxMessagesMax || old.reduce((sum, row) => sum - bytesOf(row.draft), bytes) > outboxBytesMax) {
      later(() => settled(full()), true);
      return CANNOT_CANCEL;
    }
    // Whoever waits for one whose place this takes, is told when this one is settled.
    const settles = [...old.flatMap((row) => row.settled.splice(0)), settled];
    for (const row of old) this.#remove(row);
    const row = this.#append(draft, Date.now(), settles);
    later(() => stored(row.seq), true);
    later(() => this.flush());
    return { cancel: async () => (await this.cancel([row.seq])) > 0 };
  }

  cancel(seqs: number[]): Promise<number> {
    const rows = this.#ground.store.rows.filter(({ seq, stage }) => seqs.includes(seq) && stage === 'waiting');
    for (const row of rows) this.#settle(row, cancelled());
    return Promise.resolve(rows.length);
  }

  /** At the end, and whether there is room or not: it was there before. A deadline that has passed is void. */
  async retry(seqs: number[]): Promise<number> {
    const { later, store } = this.#ground;
    const letters = seqs.flatMap((seq) => store.dead.find((letter) => letter.seq === seq) ?? []);
    await this.discard(seqs);
    for (const { draft, createdAt } of letters) {
      const { deadline, ...rest } = draft;
      this.#append(deadline !== undefined && deadline > Date.now() ? draft : rest, createdAt, []);
    }
    later(() => this.flush());
    return letters.length;
  }

  discard(seqs: number[]): Promise<number> {
    const { store } = this.#ground;
    const before = store.dead.length;
    store.dead = store.dead.filter(({ seq }) => !seqs.includes(seq));
    return Promise.resolve(before - store.dead.length);
  }

  /** The state has changed to something else than `connecting`. */
  moved(online: boolean): void {
    const held = this.#held;
    if (online) this.#held = [];
    else if (this.#first) this.#held = held.filter(({ draft }) => draft.keepOffline);
    else return;
    this.#first = false;
    for (const { draft, settled } of held) {
      if (online) this.#send(draft, settled);
      else if (!draft.keepOffline) settled(unconnected());
    }
    this.#ground.later(() => this.flush());
  }

  /** Sends what waits. */
  flush(): void {
    const { server, store, link, later, report, timer } = this.#ground;
    for (const row of [...store.rows]) {
      if (!link()) return;
      if (row.stage !== 'waiting') continue;
      if (row.deadline !== undefined && row.deadline <= Date.now()) {
        this.#settle(row, expired());
        continue;
      }
      if (!propertiesFit(row.draft.properties)) {
        this.#bury(row, { reasonCode: UNSENT }, tooLong());
        continue;
      }
      const answer = server.publish(routed(row.draft), store.clientId);
      if (typeof answer === 'object' && (answer.reasonCode === 0x97 || answer.reasonCode === 0x83)) {
        const reason = explained(answer.reasonCode, answer.reasonString);
        report({ kind: 'deferred', seq: row.seq, reason, retryInMs: RETRY_MS, ...answer });
        timer(RETRY_MS, () => this.flush());
        return;
      }
      row.stage = 'sent';
      later(() => (typeof answer === 'number' ? this.#settle(row, { reasonCode: answer }) : this.#refused(row, answer)));
    }
  }

  end(error: EbbtideError): void {
    for (const { settled } of this.#held.splice(0)) settled({ error });
    for (const row of this.#ground.store.rows) for (const settled of row.settled.splice(0)) settled({ error });
  }

  #publishAtOnce(draft: Draft, stored: (seq: number) => void, settled: Settled): { cancel(): Promise<boolean> } {
    const { link, later, settings } = this.#ground;
    if (link()) {
      later(() => stored(0), true);
      later(() => this.#send(draft, settled), true);
    } else if (!draft.keepOffline && !this.#first) later(() => settled(unconnected()), true);
    else if (this.#held.length >= settings.limits.heldMessagesMax) later(() => settled(full()), true);
    else return this.#hold(draft, stored, settled);
    return CANNOT_CANCEL;
  }

  #hold(draft: Draft, stored: (seq: number) => void, settled: Settled): { cancel(): Promise<boolean> } {
    this.#ground.later(() => stored(0), true);
    const entry = { draft, settled };
    this.#held.push(entry);
    return {
      cancel: () => {
        const place = this.#held.indexOf(entry);
        if (place < 0) return Promise.resolve(false);
        this.#held.splice(place, 1);
        settled(cancelled());
        return Promise.resolve(true);
      },
    };
  }

  #send(draft: Draft, settled: Settled): void {
    const { link, server, store } = this.#ground;
    if (!link()) return settled(failed('offline', 'the connection was lost'));
    if (draft.deadline !== undefined && draft.deadline <= Date.now()) return settled(expired());
    if (!propertiesFit(draft.properties)) return settled({ error: tooLong() });
    server.publish(routed(draft), store.clientId);
    settled({ reasonCode: 0 });
  }

  #refused(row: Row, refusal: Refusal): void {
    const { reasonCode, reasonString } = refusal;
    this.#bury(row, refusal, new EbbtideError('refused', explained(reasonCode, reasonString), reasonCode, refusal));
  }

  /** It becomes a dead letter. */
  #bury(row: Row, refusal: Refusal, error: EbbtideError): void {
    const { report, settings, store } = this.#ground;
    const { draft, settled, stage, ...letter } = row;
    store.dead.push({ ...letter, draft, ...refusal, rejectedAt: Date.now() });
    this.#settle(row, { error });
    if (store.dead.length <= settings.limits.deadLettersMax) return;
    store.dead.shift();
    report({ kind: 'dropped', count: 1, reason: 'too many dead letters' });
  }

  #append(draft: Draft, createdAt: number, settled: Settled[]): Row {
    const { store } = this.#ground;
    const { key, topic, payload, qos, retain, deadline } = draft;
    const row: Row = {
      seq: ++store.seq, topic, payload, qos, retain, createdAt, stage: 'waiting', draft, settled,
      ...(key !== undefined && { key }), ...(deadline !== undefined && { deadline }),
    };
    store.rows.push(row);
    this.#watchDeadline(row);
    this.#count();
    return row;
  }

  #settle(row: Row, outcome: Settlement): void {
    if (!this.#remove(row)) return;
    this.#count();
    for (const settled of row.settled.splice(0)) settled(outcome);
  }

  /** Whether it was there. */
  #remove(row: Row): boolean {
    const { rows } = this.#ground.store;
    const place = rows.indexOf(row);
    if (place < 0) return false;
    rows.splice(place, 1);
    this.#unwatch.get(row.seq)?.();
    this.#unwatch.delete(row.seq);
    return true;
  }

  #watchDeadline(row: Row): void {
    if (row.deadline === undefined) return;
    const unwatch = this.#ground.timer(Math.max(0, row.deadline - Date.now()), () => {
      if (row.stage === 'waiting') this.#settle(row, expired());
    });
    this.#unwatch.set(row.seq, unwatch);
  }

  #count(): void {
    this.#ground.report({ kind: 'outbox', count: this.#ground.store.rows.length });
  }
}

function routed({ topic, payload, qos, retain, properties, deadline }: Draft): Routed {
  const leftS = deadline === undefined ? undefined : Math.ceil((deadline - Date.now()) / 1_000);
  const all = leftS === undefined ? properties : { ...properties, messageExpiryInterval: leftS };
  return { topic, payload, qos, retain, properties: all, expiresAt: expiryOf(all) };
}
