// Stands in for the module that wasm-bindgen writes: records what the facade asks for, and lets a test answer.

/** What a test steers and sees. `load` is what the next `init` gives. */
export const fake = { load: () => Promise.resolve(), connections: [], refuse: undefined };

export default function init() {
  return fake.load();
}

export class Connection {
  constructor(...given) {
    if (fake.refuse) throw fake.refuse;
    this.given = given;
    this.state = given.at(-1);
    this.online = false;
    this.published = [];
    this.subscriptions = [];
    this.freed = false;
    fake.connections.push(this);
  }

  goOnline() {
    this.online = true;
    this.state('online', false, '', undefined);
  }

  goOffline(reason) {
    this.online = false;
    this.state('offline', false, reason, 1000);
  }

  subscribe(filter, qos, noLocal, onMessage, onChange) {
    const subscription = { filter, qos, noLocal, onMessage, onChange, freed: false };
    this.subscriptions.push(subscription);
    return { free: () => (subscription.freed = true) };
  }

  publish(topic, payload, qos, retain, onAcked, onFailed) {
    if (qos === 0 && !this.online) throw ['offline', 'there is no connection', undefined];
    this.published.push({ topic, payload: payload.slice(), qos, retain, onAcked, onFailed });
  }

  reconnect_now() {}

  close() {
    queueMicrotask(() => this.state('closed', false, '', undefined));
  }

  free() {
    this.freed = true;
  }
}
