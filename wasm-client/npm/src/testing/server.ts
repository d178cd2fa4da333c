// The server of the in-memory broker: retained messages, sessions with what waits for them, wills. It knows no socket and no bytes. What MQTT
// 3.1.1 cannot say (properties, reason codes, options of subscriptions, when a session ends) is taken away here.

import type { Diagnostics, Properties } from '../properties.js';
import type { QoS } from '../engine.js';
import type { WillMessage } from '../settings.js';
import { matches } from './match.js';

/** A message as the server has it. */
export interface Routed {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: Properties | undefined;
  /** Wall clock, ms. */
  readonly expiresAt: number | undefined;
}

export interface ServerSubscription {
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
}

/** What a connection is told. `filters`: the subscriptions that a message is for; `duplicate`: it was sent before. */
export interface Link {
  message(message: Routed, filters: readonly string[], duplicate: boolean, acknowledged: () => void): void;
  /** Another one has come for its session, and it is over. */
  takenOver(): void;
}

/** What CONNECT says. */
export interface Arrival {
  readonly version: 4 | 5;
  readonly expiryS: number;
  readonly will: WillMessage | undefined;
  readonly link: Link;
}

/** Why a publish or a subscription is refused, and what is said beside the code. */
export interface Refusal extends Diagnostics {
  readonly reasonCode: number;
}

interface Session {
  readonly clientId: string;
  version: 4 | 5;
  readonly subscriptions: Map<string, ServerSubscription>;
  /** QoS 1 and 2, not acknowledged, in order. */
  readonly waiting: { readonly message: Routed; readonly filters: string[]; sent: boolean }[];
  link: Link | undefined;
  will: WillMessage | undefined;
  willTimer: ReturnType<typeof setTimeout> | undefined;
  expiryS: number;
  /** Wall clock, ms: it ends then, unless a client comes. */
  expiresAt: number;
}

export class Server {
  readonly retained = new Map<string, Routed>();
  /** Says why a publish is refused. */
  refuses: (topic: string) => Refusal | undefined = () => undefined;
  /** Says why a subscription is. */
  refusesFilter: (filter: string) => Refusal | undefined = () => undefined;
  readonly #published: (message: Routed) => void;
  readonly #sessions = new Map<string, Session>();
  #turn = 0;

  constructor(published: (message: Routed) => void) {
    this.#published = published;
  }

  /** Returns whether there was a session. */
  connect(clientId: string, cleanStart: boolean, { version, link, ...given }: Arrival): boolean {
    const expiryS = version === 5 ? given.expiryS : Infinity;
    const will = version === 5 ? given.will : given.will && { ...given.will, delayIntervalS: 0, properties: {} };
    const old = this.#alive(clientId)?.link;
    if (old !== link) old?.takenOver();
    if (cleanStart) this.endSession(clientId);
    let session = this.#alive(clientId);
    const present = session !== undefined;
    session ??= { clientId, version, subscriptions: new Map(), waiting: [], link, will, willTimer: undefined, expiryS, expiresAt: Infinity };
    clearTimeout(session.willTimer);
    Object.assign(session, { version, link, will, willTimer: undefined, expiryS, expiresAt: Infinity });
    this.#sessions.set(clientId, session);
    return present;
  }

  /** After CONNACK: what waits goes out, before anything live. */
  resume(clientId: string): void {
    const session = this.#sessions.get(clientId);
    for (const each of [...(session?.waiting ?? [])]) this.#send(session!, each);
  }

  /** `normal`: the client said goodbye, so there is no will. `expiryS`: and how long its session lives on. */
  disconnect(clientId: string, link: Link, normal: boolean, expiryS?: number): void {
    const session = this.#sessions.get(clientId);
    if (session?.link !== link) return;
    session.link = undefined;
    const livesS = (session.version === 5 ? expiryS : undefined) ?? session.expiryS;
    session.expiresAt = Date.now() + livesS * 1_000;
    const { will } = session;
    session.will = undefined;
    if (!will || normal) return;
    const publish = (): void => void this.publish({ ...will, properties: will.properties, expiresAt: expiryOf(will.properties) });
    const delayS = Math.min(will.delayIntervalS, livesS);
    if (delayS === 0) publish();
    else {
      session.willTimer = setTimeout(publish, delayS * 1_000);
      (session.willTimer as { unref?: () => void }).unref?.();
    }
  }

  endSession(clientId: string): void {
    const session = this.#sessions.get(clientId);
    this.#sessions.delete(clientId);
    clearTimeout(session?.willTimer);
  }

  /** Returns the reason code, or the refusal. */
  publish(given: Routed, from?: string): number | Refusal {
    const plain = from !== undefined && this.#sessions.get(from)?.version === 4;
    const refused = from === undefined ? undefined : this.refuses(given.topic);
    if (refused !== undefined) return plain ? 0 : refused;
    const message = plain ? { ...given, properties: undefined, expiresAt: undefined } : given;
    this.#published(message);
    if (message.retain) {
      if (message.payload.length > 0) this.retained.set(message.topic, message);
      else this.retained.delete(message.topic);
    }
    const shared = new Map<string, Session[]>();
    let receivers = 0;
    for (const { clientId } of [...this.#sessions.values()]) {
      const session = this.#alive(clientId);
      if (!session) continue;
      const filters: string[] = [];
      for (const [filter, { noLocal }] of session.subscriptions) {
        if (!matches(filter, message.topic) || (noLocal && clientId === from)) continue;
        if (filter.startsWith('$share/')) shared.set(filter, [...(shared.get(filter) ?? []), session]);
        else filters.push(filter);
      }
      if (filters.length > 0) receivers++;
      this.#queue(session, message, filters);
    }
    for (const [filter, sessions] of shared) {
      receivers++;
      const connected = sessions.filter(({ link }) => link);
      const members = connected.length > 0 ? connected : sessions;
      this.#queue(members[this.#turn++ % members.length]!, message, [filter]);
    }
    return receivers > 0 || plain ? 0 : 0x10;
  }

  /** Returns the retained messages for this subscription, or why there is none. */
  subscribe(clientId: string, filter: string, given: ServerSubscription, retainHandling: number): Routed[] | Refusal {
    const session = this.#alive(clientId);
    const plain = session?.version === 4;
    const refused = this.refusesFilter(filter);
    // 3.1.1 has one code for all of them.
    if (refused) return plain ? { reasonCode: 0x80 } : refused;
    const subscription = plain ? { qos: given.qos, noLocal: false, retainAsPublished: false } : given;
    const old = session?.subscriptions.has(filter);
    session?.subscriptions.set(filter, subscription);
    if (!plain && (retainHandling === 2 || (retainHandling === 1 && old))) return [];
    return this.retainedUnder(filter, subscription.qos);
  }

  retainedUnder(filter: string, qos: QoS): Routed[] {
    if (filter.startsWith('$share/')) return [];
    const found = [...this.retained.values()].filter(({ topic }) => matches(filter, topic));
    return found.flatMap((message) => current(message) ?? []).map((message) => ({ ...message, qos: Math.min(message.qos, qos) as QoS }));
  }

  unsubscribe(clientId: string, filter: string): void {
    this.#sessions.get(clientId)?.subscriptions.delete(filter);
  }

  #alive(clientId: string): Session | undefined {
    const session = this.#sessions.get(clientId);
    if (session && session.expiresAt <= Date.now() && !session.link) this.endSession(clientId);
    return this.#sessions.get(clientId);
  }

  #queue(session: Session, message: Routed, filters: string[]): void {
    if (filters.length === 0) return;
    const wanted = filters.map((filter) => session.subscriptions.get(filter)!);
    const qos = Math.min(message.qos, Math.max(...wanted.map((each) => each.qos))) as QoS;
    const retain = message.retain && wanted.some((each) => each.retainAsPublished);
    const entry = { message: { ...message, qos, retain }, filters, sent: false };
    if (qos > 0) session.waiting.push(entry);
    this.#send(session, entry);
  }

  #send(session: Session, entry: Session['waiting'][number]): void {
    const done = (): void => {
      const place = session.waiting.indexOf(entry);
      if (place >= 0) session.waiting.splice(place, 1);
    };
    const message = current(entry.message);
    if (!message) return done();
    if (!session.link) return;
    const duplicate = entry.sent;
    entry.sent = true;
    session.link.message(message, entry.filters, duplicate, done);
  }
}

/** The moment when a message expires. */
export function expiryOf(properties: Properties | undefined): number | undefined {
  const lifeS = properties?.messageExpiryInterval;
  return lifeS === undefined ? undefined : Date.now() + lifeS * 1_000;
}

/** The message with what is left of its expiry; `undefined`: nothing is. */
function current(message: Routed): Routed | undefined {
  if (message.expiresAt === undefined) return message;
  const leftS = Math.ceil((message.expiresAt - Date.now()) / 1_000);
  return leftS > 0 ? { ...message, properties: { ...message.properties, messageExpiryInterval: leftS } } : undefined;
}
