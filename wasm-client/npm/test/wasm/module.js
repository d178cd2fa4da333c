// Stands in for the wasm: records what the facade asks for, and lets a test answer.

/** What a test steers and sees. `load` is what the next `compile` gives. */
export const fake = { load: () => Promise.resolve(), connections: [], refuse: undefined };

export const compile = () => fake.load();

export const instantiate = async () => (settings, hooks) => new Connection(settings, hooks);

class Connection {
  constructor(settings, hooks) {
    if (fake.refuse) throw fake.refuse;
    this.settings = settings;
    this.hooks = hooks;
    this.online = false;
    this.published = [];
    this.subscriptions = [];
    this.freed = false;
    fake.connections.push(this);
  }

  goOnline() {
    this.online = true;
    this.hooks.state('online', 'fresh', '', undefined, undefined);
  }

  goOffline(reason) {
    this.online = false;
    this.hooks.state('offline', undefined, reason, undefined, 1000);
  }

  start() {}

  subscribe(filter, qos, flags) {
    const id = this.subscriptions.length + 1;
    const onMessage = (...message) => this.hooks.message(...message, [id], undefined);
    this.subscriptions.push({ filter, qos, flags, onMessage, freed: false });
    return id;
  }

  unsubscribe(id) {
    this.subscriptions[id - 1].freed = true;
  }

  publish(topic, payload, qos, retain) {
    if (qos === 0 && !this.online) throw ['offline', 'there is no connection', undefined];
    const handle = this.published.length + 1;
    const onAcked = () => this.hooks.settled(handle, undefined, undefined, 0);
    const onFailed = (...failure) => this.hooks.settled(handle, ...failure);
    this.published.push({ topic, payload: payload.slice(), qos, retain, onAcked, onFailed });
    return handle;
  }

  reconnect_now() {}

  close() {
    queueMicrotask(() => this.hooks.state('closed', undefined, '', undefined, undefined));
  }

  free() {
    this.freed = true;
  }
}
