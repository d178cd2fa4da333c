// Stands in for the wasm: a session machine with a journal, and the server that it talks to. It keeps the contract of src/wasm/contract.ts:
// bytes leave only after `committed`, hooks are never called from inside a call, and it holds what it was given until the end.

/** A server with sessions; every Connection of the test reaches it while it is up. */
export class Server {
  up = true;
  /** Client id → packets that it has seen. */
  sessions = new Map();
  connections = new Set();
  published = [];
  acknowledged = [];
  retained = new Map();
  /** What CONNACK calls a new session. */
  sessionName = undefined;
  /** undefined: does not answer. */
  reasonCode = 0;
  /** CONNECT begins a session, and the connection breaks before the answer. */
  mute = false;
  /** The connection is dead, and nobody knows it before it is asked for a sign of life. */
  dead = false;
  /** Of CONNACK. */
  refusal = 0;
  /** Filters that SUBACK refuses. */
  refuses = [];
  /** Beside each reason code. */
  said = undefined;
  /** User Properties of CONNACK. */
  greeting = undefined;
  /** User Properties of each UNSUBSCRIBE. */
  parting = [];
  window = 16;
  /** Publishes that the machine has room for. */
  room = Infinity;
  /** How long SUBACK and retained values take. */
  connects = 0;
  subscribes = [];
  unsubscribes = [];
  ends = [];

  load = () => Promise.resolve((settings, hooks) => new Machine(this, settings, hooks));
  cut(reason = 'cut') {
    for (const one of [...this.connections]) one.lose(reason);
  }
  deliver(topic, payload, { qos = 1, retain = false } = {}) {
    for (const one of this.connections) one.receive(topic, new TextEncoder().encode(payload), qos, retain);
  }
}

export class Machine {
  online = false;
  freed = false;
  ticket = 0;
  nextHandle = 1;
  nextPacket = 1;
  nextIdentifier = 1;
  /** handle → message, in order. */
  outgoing = new Map();
  /** ticket → what waits for it. */
  waiting = new Map();
  subscriptions = new Map();
  /** UNSUBSCRIBEs that wait for a connection. */
  ending = [];
  inbound = new Set();
  held = [];
  holding = false;
  awaitsPing = 0;

  constructor(server, settings, hooks) {
    Object.assign(this, { server, settings, hooks });
  }
  later(action) {
    queueMicrotask(() => this.freed || action());
  }
  commit(then) {
    const ticket = ++this.ticket;
    this.waiting.set(ticket, then);
    this.hooks.commit(ticket);
  }
  committed(ticket) {
    if (this.freed) throw new Error('null pointer passed to rust');
    const then = this.waiting.get(ticket);
    if (!then) throw new Error(`ticket ${ticket} is not known`);
    this.waiting.delete(ticket);
    then();
  }

  restore_outgoing(topic, payload, qos, retain, properties, deadlineInMs, resend, packetId, stage) {
    const handle = this.nextHandle++;
    this.nextPacket = Math.max(this.nextPacket, packetId + 1);
    this.outgoing.set(handle, { handle, topic, payload, qos, retain, resend, packetId, stage, again: true });
    return handle;
  }
  restore_incoming(packetId) {
    this.inbound.add(packetId);
  }
  restore_subscription(identifier, filter, qos, flags) {
    this.nextIdentifier = Math.max(this.nextIdentifier, identifier + 1);
    const sub = { filter, qos, flags, at: true };
    if (flags & 32) this.end(identifier, sub);
    else this.subscriptions.set(identifier, sub);
  }
  start() {
    this.attempt();
  }
  attempt() {
    if (this.online) return;
    this.later(() => {
      this.hooks.state('connecting', undefined, '', undefined, undefined);
      if (this.settings.asksCredentials) this.hooks.credentials();
      else this.connect();
    });
  }
  credentials() {
    this.later(() => this.connect());
  }
  credentials_failed(reason) {
    this.later(() => this.hooks.state('offline', undefined, reason, undefined, 1000));
  }
  connect() {
    const { server, settings, hooks } = this;
    if (!server.up) return hooks.state('offline', undefined, 'unreachable', undefined, 1000);
    const known = settings.hasSession;
    if (!settings.durable || known !== false) return this.reach(known);
    settings.hasSession = undefined;
    hooks.unsure(true);
    this.commit(() => this.reach(known));
  }
  /** CONNECT leaves. `known`: whether there was a session, as it was known before. */
  reach(known) {
    const { server, settings, hooks } = this;
    server.connects++;
    if (server.refusal > 0) {
      if (known === false) {
        settings.hasSession = known;
        hooks.unsure(false);
        this.commit(() => {});
      }
      return hooks.state('needs-auth', undefined, 'refused', server.refusal, undefined);
    }
    if (server.mute) {
      server.sessions.set(settings.clientId, true);
      return hooks.state('offline', undefined, 'cut', undefined, 1000);
    }
    for (const other of server.connections) if (other.settings.clientId === settings.clientId) other.lose('session taken over');
    const had = server.sessions.has(settings.clientId) && !settings.cleanStart;
    const session = had && known !== undefined ? (known ? 'resumed' : 'evicted') : known ? 'gap' : 'fresh';
    server.sessions.set(settings.clientId, true);
    server.connections.add(this);
    this.online = true;
    hooks.connected({ sessionPresent: had, ...(server.greeting && { userProperties: server.greeting }) });
    if (session !== 'resumed') {
      for (const [handle, one] of this.outgoing) {
        if (one.stage === 1) one.stage = 0;
        one.again = false;
      }
      for (const sub of this.subscriptions.values()) sub.at = false;
      if (settings.durable) {
        hooks.restarted(server.sessionName);
        const lost = [...this.outgoing.values()].filter((one) => one.qos === 2 && one.packetId && !one.resend);
        for (const one of lost) this.outgoing.delete(one.handle);
        for (const one of lost) hooks.finished(one.handle, one.stage === 2 ? undefined : 'outcome-unknown', undefined);
        this.commit(() => lost.forEach((one) => hooks.settled(one.handle, one.stage === 2 ? undefined : 'outcome-unknown', '', 0)));
      }
      settings.hasSession = true;
    }
    hooks.state('online', session, '', undefined, undefined);
    this.endOnline();
    for (const [identifier, sub] of this.subscriptions) if (!sub.at || sub.flags & 4) this.sendSubscribe(identifier, sub);
    for (const one of this.outgoing.values()) if (one.stage > 0) this.transmit(one);
    this.send();
  }
  lose(reason) {
    this.server.connections.delete(this);
    if (!this.online) return;
    this.online = false;
    for (const one of this.outgoing.values()) one.again = one.stage > 0;
    this.later(() => this.hooks.state('offline', undefined, reason, undefined, 1000));
  }

  publish(topic, payload, qos, retain, properties, deadlineInMs, resend) {
    if (topic.includes('#')) throw ['topic-name', 'no topic name', undefined];
    if (qos > 0 && this.outgoing.size >= this.server.room) throw ['queue-full', 'too much waits to be sent', undefined];
    if (qos === 0 && !this.online) throw ['offline', 'there is no connection', undefined];
    const handle = this.nextHandle++;
    if (qos === 0) {
      this.later(() => {
        const late = deadlineInMs <= 0;
        if (!late) this.server.published.push({ topic, payload: payload.slice(), qos, retain, deadlineInMs });
        this.hooks.settled(handle, late ? 'expired' : undefined, undefined, 0);
      });
      return handle;
    }
    this.outgoing.set(handle, { handle, topic, payload: payload.slice(), qos, retain, resend, stage: 0, deadlineInMs });
    this.later(() => this.send());
    return handle;
  }
  cancel(handle) {
    const one = this.outgoing.get(handle);
    if (!one || (one.stage > 0 && !one.unwritten)) return false;
    return this.outgoing.delete(handle);
  }
  wanted() {
    return this.online ? Math.max(0, this.server.window - this.outgoing.size) : 0;
  }
  send() {
    if (!this.online) return;
    const ready = [...this.outgoing.values()].filter((one) => one.stage === 0);
    if (ready.length === 0) return;
    for (const one of ready) {
      one.stage = 1;
      one.unwritten = true;
      one.packetId ??= this.nextPacket++;
      this.hooks.sent(one.handle, one.packetId);
    }
    this.commit(() => {
      for (const one of ready) {
        one.unwritten = false;
        if (this.outgoing.has(one.handle)) this.transmit(one);
      }
    });
  }
  transmit(one) {
    if (!this.online) return void (one.again = true);
    const { server } = this;
    if (one.stage === 1) server.published.push({ topic: one.topic, payload: one.payload, qos: one.qos, retain: one.retain, dup: !!one.again, packetId: one.packetId });
    if (server.reasonCode !== undefined) this.later(() => this.online && this.answer(one, server.reasonCode));
  }
  answer(one, reasonCode) {
    const { hooks } = this;
    if (!this.outgoing.has(one.handle)) return;
    if (reasonCode === 0x97) {
      one.stage = 0;
      hooks.withdrawn(one.handle);
      this.commit(() => {});
      return hooks.deferred(one.handle, reasonCode, 500, this.server.said);
    }
    if (one.qos === 2 && one.stage === 1 && reasonCode < 0x80) {
      one.stage = 2;
      hooks.released(one.handle);
      this.commit(() => this.server.holdRelease || this.later(() => this.answer(one, 0)));
      return;
    }
    this.outgoing.delete(one.handle);
    const code = reasonCode >= 0x80 ? 'refused' : undefined;
    const { said } = this.server;
    hooks.finished(one.handle, code, reasonCode, said);
    this.commit(() => this.later(() => hooks.settled(one.handle, code, code && 'refused', reasonCode, said)));
  }

  receive(topic, payload, qos, retain) {
    this.later(() => {
      const ids = [...this.subscriptions].filter(([, sub]) => matchesRoughly(sub.filter, topic)).map(([id]) => id);
      if (qos === 0) return this.hooks.message(topic, payload, qos, retain, false, ids, undefined);
      this.hooks.received(qos === 2 ? 77 : 0, topic, payload, qos, retain, false, ids, undefined);
      this.commit(() => this.acknowledge(topic));
    });
  }
  acknowledge(topic) {
    if (this.holding) this.held.push(topic);
    else this.server.acknowledged.push(topic);
  }
  hold_acks(hold) {
    this.holding = hold;
    if (!hold) for (const topic of this.held.splice(0)) this.server.acknowledged.push(topic);
  }
  subscribe(filter, qos, flags) {
    const identifier = this.nextIdentifier++;
    const sub = { filter, qos, flags, at: false };
    this.subscriptions.set(identifier, sub);
    this.later(() => this.online && !sub.at && this.subscriptions.has(identifier) && this.sendSubscribe(identifier, sub));
    return identifier;
  }
  sendSubscribe(identifier, sub) {
    if (sub.at && !(sub.flags & 4)) return;
    const isNew = ![...this.subscriptions.values()].some((other) => other.at && other.filter === sub.filter);
    const none = sub.flags & 16 || sub.filter.startsWith('$share/') || (sub.flags & 8 && !isNew);
    sub.at = true;
    this.server.subscribes.push(sub.filter);
    this.hooks.subscribed(identifier, sub.filter, sub.qos, sub.flags);
    this.commit(() => this.later(() => {
      if (!this.online) return;
      if (this.server.refuses.includes(sub.filter)) return this.hooks.change(identifier, 'refused', 0x87, this.server.said);
      this.hooks.change(identifier, 'granted', sub.qos, this.server.said);
      const values = [...this.server.retained].filter(([topic]) => !none && matchesRoughly(sub.filter, topic));
      const send = (some) => some.forEach(([topic, payload]) => this.hooks.message(topic, new TextEncoder().encode(payload), 0, true, false, [identifier], undefined));
      const end = () => {
        send(values.splice(0));
        this.hooks.change(identifier, 'snapshot', 0);
      };
      if (!this.server.halves) return end();
      send(values.splice(0, values.length / 2));
      this.server.otherHalf = end;
    }));
  }
  unsubscribe(identifier, userProperties) {
    this.server.parting.push(userProperties);
    const sub = this.subscriptions.get(identifier);
    this.subscriptions.delete(identifier);
    this.end(identifier, sub);
    this.later(() => {
      if (sub?.at && this.ending.length > 0) {
        this.hooks.subscribed(identifier, sub.filter, 0, 32);
        this.commit(() => {});
      }
      this.endOnline();
    });
  }
  end(identifier, sub) {
    this.ending.push(() => {
      if (![...this.subscriptions.values()].some((other) => other.filter === sub?.filter)) this.server.unsubscribes.push(sub?.filter);
      this.hooks.change(identifier, 'unsubscribed', this.server.said ? 0x11 : 0, this.server.said);
      this.hooks.unsubscribed(identifier);
      this.commit(() => {});
    });
  }
  endOnline() {
    if (this.online) for (const end of this.ending.splice(0)) end();
  }
  leave() {
    this.server.ends.push('leave');
    this.lose('left');
  }
  close(farewell) {
    const endSession = farewell.sessionExpiryS === 0;
    this.server.farewell = farewell;
    this.server.ends.push(endSession ? 'end' : 'close');
    if (!this.server.dead && (endSession || !this.settings.durable)) this.server.sessions.delete(this.settings.clientId);
    this.server.connections.delete(this);
    this.online = false;
  }
  reconnect_now() {
    if (this.server.dead) {
      this.awaitsPing = 1;
      this.later(() => {
        this.awaitsPing = 0;
        this.server.dead = false;
        this.lose('it does not answer');
      });
    }
    this.attempt();
  }
  tick() {}
  probe() {
    this.attempt();
  }
  authenticate(kind) {
    this.server.ends.push(`auth ${kind}`);
  }
  inspect() {
    return { awaitsPing: this.awaitsPing };
  }
  free() {
    this.freed = true;
    this.server.connections.delete(this);
  }
}

function matchesRoughly(filter, topic) {
  return new RegExp(`^${filter.replace(/^\$share\/[^/]+\//, '').replace(/[$.]/g, '\\$&').replace(/\/#$/, '(/.*)?').replace(/^#$/, '.*').replace(/\+/g, '[^/]*')}$`).test(topic);
}
