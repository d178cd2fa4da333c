// Runs one machine on the events of a browser: socket, timer, and calls of the engine.
//
// Whatever happens ends in `#pump`, which empties the machine: it runs from the event loop only, and calls of the engine ask for it by a
// microtask. A socket that was let go calls nothing any more: browsers may take minutes to report the close of a dead one.

import type { Farewell } from '../engine.js';
import { explained } from '../reason.js';
import type { AuthAnswer } from '../settings.js';
import type { Connection, Figures, Hooks, Properties, Said, Settings } from './contract.js';
import { faultOf } from './faults.js';
import { Memory, pack, unpack, type Value } from './values.js';

/** `calls.rs` says what each of them does. Times are milliseconds. */
export interface Exports {
  readonly memory: WebAssembly.Memory;
  allocate(length: number): number;
  create(): number;
  restore_outgoing(now: number, qos: number, retain: number, deadlineInMs: number, resend: number, packetId: number, stage: number): number;
  restore_incoming(packetId: number): void;
  restore_subscription(identifier: number, qos: number, flags: number): number;
  start(now: number): void;
  publish(now: number, qos: number, retain: number, deadlineInMs: number, resend: number): number;
  cancel(handle: number): number;
  wanted(): number;
  subscribe(qos: number, flags: number): number;
  unsubscribe(identifier: number): void;
  hold_acks(hold: number): void;
  committed(ticket: number): void;
  credentials(now: number): number;
  authenticate(again: number): void;
  probe(now: number): void;
  reconnect(now: number): void;
  leave(): void;
  close(): void;
  opened(now: number): void;
  received(now: number): void;
  received_text(now: number): void;
  closed(now: number): void;
  let_go(): void;
  timeout(now: number): void;
  poll_timeout(): number;
  poll_events(): number;
  poll_journal(): number;
  poll_output(now: number): number;
  poll_action(): number;
  inspect(): void;
}

type Words<S extends string> = S extends `${infer Word} ${infer Rest}` ? Word | Words<Rest> : S;
/** One text with all of them compresses better than a list. */
const words = <S extends string>(names: S): Words<S>[] => names.split(' ') as Words<S>[];

/** The hooks by their number, and what `inspect` gives. */
const HOOKS = words(
  'state message change settled deferred auth connected sent released finished withdrawn received completed unsure restarted subscribed unsubscribed commit figures',
);
const PROPERTIES = words('payloadFormatIndicator messageExpiryInterval contentType responseTopic correlationData userProperties') satisfies (keyof Properties)[];
const CONNACK = words(
  'sessionPresent sessionExpiryInterval receiveMaximum maximumQoS maximumPacketSize topicAliasMaximum serverKeepAlive retainAvailable wildcardSubscriptionAvailable ' +
  'subscriptionIdentifiersAvailable sharedSubscriptionAvailable assignedClientIdentifier reasonString responseInformation serverReference authenticationMethod ' +
  'authenticationData userProperties',
);
const DIAGNOSTICS = words('reasonString userProperties serverReference');
const FIGURES = words('waiting sent released unacknowledged uncommitted held subscriptions awaitsPing window keepAliveS');

/** What the list at the end of a hook's values is: where it is none of these, it is what the server said. */
const LISTS: Readonly<Partial<Record<(typeof HOOKS)[number], readonly string[]>>> = { message: PROPERTIES, received: PROPERTIES, connected: CONNACK, figures: FIGURES };

const OPEN = 1;
const CLOSE = 2;
/** Above this the socket gets nothing more until it has written. */
const BUFFERED_BYTES_MAX = 1 << 20;
/** How soon to look again whether it has: browsers do not tell. */
const CONGESTED_WAIT_MS = 20;
/** Timers take no more than 31 bits; waking once a day for nothing costs nothing. */
const WAIT_MS_MAX = 86_400_000;

export class Machine implements Connection {
  readonly #wasm: Exports;
  readonly #settings: Settings;
  readonly #hooks: Hooks;
  #memory: Memory;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakesAt = Infinity;
  #lastMs = 0;
  #setBackMs = 0;
  /** What the socket had not written at the last look. */
  #left = 0;
  #pumpWaits = false;
  /** Credentials have been asked for, and the attempt waits for them. */
  #asking = false;
  #freed = false;
  #figures = {} as Figures;

  constructor(wasm: Exports, settings: Settings, hooks: Hooks) {
    this.#wasm = wasm;
    this.#settings = settings;
    this.#hooks = hooks;
    this.#memory = new Memory(wasm.memory.buffer);
    const { will } = settings;
    this.#give([
      settings.version, settings.keepAliveS, settings.receiveMaximum, settings.topicAliasMaximum, settings.maximumPacketSize, settings.cleanStart, settings.sessionExpiryS,
      settings.requestProblemInformation === false, settings.requestResponseInformation, settings.clientId, settings.username, settings.password,
      settings.authenticationMethod, settings.userProperties,
      will && [will.topic, will.payload, will.qos, will.retain, will.delayIntervalS, listed(will.properties)],
      Math.floor(Math.random() * 2 ** 53), settings.durable, settings.hasSession, settings.hasSession === undefined, settings.sessionName, settings.asksCredentials, settings.connectTimeoutMs,
      settings.backoffMaxMs,
    ]);
    checked(wasm.create());
  }

  restore_outgoing(
    topic: string, payload: Uint8Array, qos: number, retain: boolean, properties: Properties | undefined, deadlineInMs: number | undefined, resend: boolean, packetId: number, stage: 1 | 2,
  ): number {
    this.#give([topic, payload, listed(properties)]);
    return checked(this.#wasm.restore_outgoing(this.#now(), qos, +retain, deadlineInMs ?? NaN, +resend, packetId, stage));
  }
  restore_incoming(packetId: number): void {
    this.#wasm.restore_incoming(packetId);
  }
  restore_subscription(identifier: number, filter: string, qos: number, flags: number): void {
    this.#give([filter]);
    checked(this.#wasm.restore_subscription(identifier, qos, flags));
  }
  start(): void {
    this.#soon().start(this.#now());
  }
  publish(topic: string, payload: Uint8Array, qos: number, retain: boolean, properties: Properties | undefined, deadlineInMs: number | undefined, resend: boolean): number {
    this.#give([topic, payload, listed(properties)]);
    return checked(this.#soon().publish(this.#now(), qos, +retain, deadlineInMs ?? NaN, +resend));
  }
  cancel(handle: number): boolean {
    return this.#soon().cancel(handle) > 0;
  }
  wanted(): number {
    return this.#wasm.wanted();
  }
  subscribe(filter: string, qos: number, flags: number, userProperties: [string, string][] | undefined): number {
    this.#give([filter, userProperties]);
    return checked(this.#soon().subscribe(qos, flags));
  }
  unsubscribe(identifier: number, userProperties?: [string, string][]): void {
    this.#give([userProperties]);
    this.#soon().unsubscribe(identifier);
  }
  hold_acks(hold: boolean): void {
    this.#soon().hold_acks(+hold);
  }
  committed(ticket: number): void {
    this.#soon().committed(ticket);
  }
  credentials(username: string | undefined, password: string | Uint8Array | undefined, authenticationData: Uint8Array | undefined): void {
    this.#give([username, password, authenticationData]);
    if (!this.#soon().credentials(this.#now())) this.credentials_failed('a credential has more than 65,535 bytes');
    else if (this.#asking) this.#openSocket();
  }
  credentials_failed(reason: string): void {
    if (this.#asking) this.#closed(reason);
  }
  authenticate(kind: 'again' | 'continue', { authenticationData, reasonString, userProperties }: AuthAnswer): void {
    if (this.#settings.authenticationMethod === undefined) throw ['bad-options', 'there is no authentication method'];
    this.#give([authenticationData, reasonString, userProperties]);
    this.#soon().authenticate(+(kind === 'again'));
  }
  tick(): void {
    const now = this.#now();
    // That the socket gets rid of what waits in it is a sign of life: the other side has made room for it, and a PINGREQ stands behind it.
    const left = this.#socket?.bufferedAmount ?? 0;
    if (left < this.#left) this.#wasm.received(now);
    this.#left = left;
    // Nothing happens early. Timers of a hidden page may be late by a minute.
    this.#soon().timeout(now);
  }
  probe(): void {
    this.#soon().probe(this.#now());
  }
  reconnect_now(): void {
    this.#soon().reconnect(this.#now());
  }
  leave(): void {
    // Nobody asks why.
    this.#give(['']);
    this.#soon().leave();
  }
  close({ sessionExpiryS, reasonString, userProperties, withWill }: Farewell & { withWill?: boolean | undefined }): void {
    this.#give([withWill, sessionExpiryS, reasonString, userProperties]);
    this.#soon().close();
  }
  inspect(): Figures {
    this.#wasm.inspect();
    return this.#figures;
  }
  free(): void {
    this.#freed = true;
    clearTimeout(this.#timer);
    this.#letGo();
  }

  /** Called by the wasm: a hook. */
  hear(hook: number, at: number): void {
    const name = HOOKS[hook]!;
    const values = unpack(this.#seen(), at) as Value[];
    const last = values.pop();
    const object = Array.isArray(last) ? named(LISTS[name] ?? DIAGNOSTICS, last) : last;
    if (name === 'figures') return void (this.#figures = object as Figures);
    const text = (object as Said)?.reasonString;
    if (name === 'settled' || name === 'finished') {
      const outcome = values.pop() as number;
      const [code, message, reasonCode] = outcome < 0 ? faultOf(-outcome, text) : [undefined, undefined, outcome];
      values.push(code, ...(name === 'settled' ? [message] : []), reasonCode);
    }
    if (name === 'state' && values[3] !== undefined) values[2] = explained(values[3] as number, values[2] as string);
    values.push(object as Value);
    (this.#hooks[name] as (...values: Value[]) => void)(...values);
  }

  /** Called by the wasm: bytes for the server. A socket that is closing swallows them. */
  send(at: number, length: number): void {
    this.#socket?.send(this.#seen().bytes.subarray(at, at + length));
  }

  #seen(): Memory {
    const { buffer } = this.#wasm.memory;
    if (this.#memory.buffer !== buffer) this.#memory = new Memory(buffer);
    return this.#memory;
  }

  /** What the next call takes. */
  #give(values: readonly Value[]): void {
    this.#fill(pack(values));
  }

  #fill(parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    let at = this.#wasm.allocate(length);
    const { bytes } = this.#seen();
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
  }

  /** Milliseconds by the wall clock, which goes on while a laptop sleeps; stands still rather than go back when it is set back. */
  #now(): number {
    const wall = Date.now();
    this.#setBackMs += Math.max(0, this.#lastMs - wall);
    this.#lastMs = wall;
    return wall + this.#setBackMs;
  }

  /** For a call that may change something. */
  #soon(): Exports {
    if (!this.#pumpWaits) {
      this.#pumpWaits = true;
      queueMicrotask(() => {
        this.#pumpWaits = false;
        this.#pump();
      });
    }
    return this.#wasm;
  }

  /** Events, then packets, then what is to be done with the socket, until nothing is left. */
  #pump(): void {
    if (this.#freed) return;
    const wasm = this.#wasm;
    wasm.poll_events();
    let congested = this.#write(false);
    for (;;) {
      const action = wasm.poll_action();
      if (action === OPEN) this.#open();
      else if (action === CLOSE) {
        this.#write(true);
        this.#letGo();
      } else {
        // Writing settles QoS 0 publishes and may tell of refusals.
        if (!wasm.poll_events() && !wasm.poll_journal()) break;
        congested = this.#write(false);
      }
    }
    const now = this.#now();
    const at = Math.min(wasm.poll_timeout(), congested ? now + CONGESTED_WAIT_MS : Infinity);
    if (at === this.#wakesAt) return;
    clearTimeout(this.#timer);
    this.#wakesAt = at;
    if (at === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#wakesAt = Infinity;
      this.tick();
    }, Math.min(Math.max(0, at - now), WAIT_MS_MAX));
  }

  /** Writes what the machine has, as far as the socket keeps up. Whether it does not. */
  #write(evenIfCongested: boolean): boolean {
    const socket = this.#socket;
    if (!socket) return false;
    do {
      if (!evenIfCongested && socket.bufferedAmount > BUFFERED_BYTES_MAX) return true;
    } while (this.#wasm.poll_output(this.#now()));
    return false;
  }

  #open(): void {
    this.#letGo();
    if (!this.#settings.asksCredentials) return this.#openSocket();
    this.#asking = true;
    this.#hooks.credentials();
  }

  #openSocket(): void {
    this.#asking = false;
    let socket: WebSocket;
    try {
      // [MQTT-6.0.0-3]
      socket = new WebSocket(this.#settings.url, ['mqtt']);
    } catch {
      // Mixed content, a forbidden port.
      return this.#closed('the browser does not open this address');
    }
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#wasm.opened(this.#now());
      this.#pump();
    };
    socket.onmessage = ({ data }) => {
      // [MQTT-6.0.0-1]
      if (typeof data === 'string') this.#wasm.received_text(this.#now());
      else {
        this.#fill([new Uint8Array(data as ArrayBuffer)]);
        this.#wasm.received(this.#now());
      }
      this.#pump();
    };
    socket.onclose = ({ wasClean }) => this.#closed(wasClean ? 'the server closed the connection' : 'the server cannot be reached');
  }

  #closed(reason: string): void {
    this.#letGo();
    this.#give([reason]);
    this.#soon().closed(this.#now());
  }

  #letGo(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#asking = false;
    this.#wasm.let_go();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/** What a call gave, unless it is a fault. */
function checked(outcome: number): number {
  if (outcome < 0) throw faultOf(-outcome);
  return outcome;
}

const listed = (properties: Properties | undefined): Value => properties && PROPERTIES.map((name) => properties[name]);

/** A list as an object, without what is not there. */
function named(names: readonly string[], values: readonly Value[]): object {
  return Object.fromEntries(names.map((name, place) => [name, values[place]] as const).filter(([, value]) => value !== undefined));
}
