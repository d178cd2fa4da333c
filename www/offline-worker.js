// One side of the offline demo: a client in a worker, and the switch between it and its WebSocket. The page shows what it says.
import { connect } from '/pkg/index.js';

let plugged = true;
const sockets = new Set();
const RealSocket = WebSocket;

/** Unplugged: what is open closes, and what is to be opened finds nobody. */
globalThis.WebSocket = class extends RealSocket {
  constructor(url, protocols) {
    super(plugged ? url : new URL('/docs/unplugged', url), protocols);
    sockets.add(this);
    this.addEventListener('close', () => sockets.delete(this));
  }
};

let client;
/** Messages that the page shows and nobody has called done: number in the inbox → what ends its handler. */
const open = new Map();

const commands = {
  start({ name, room, network }) {
    plugged = network;
    client = connect('/mqtt', { identity: `${room}-${name}`, sessionExpiryS: 600 });
    const tellState = (now) => postMessage({ kind: 'state', now: { ...now, error: now.error?.message } });
    client.on('state', tellState);
    tellState(client.state);
    client.on('outbox', tellOutbox);
    tellOutbox();

    client.subscribe(`demo/${room}/lamp`).onMessage((message) => {
      postMessage({ kind: 'lamp', on: message.json(), fromCache: message.fromCache });
    });
    client.subscribe(`demo/${room}/notes/{from}`, { qos: 2, noLocal: true }).onMessage((message) => {
      const { id, redelivered } = message;
      postMessage({ kind: 'note', id, redelivered, from: message.params.from, text: message.text() });
      // The message counts as handled when this promise settles.
      return new Promise((resolve) => open.set(id, resolve));
    });
  },
  network({ on }) {
    plugged = on;
    if (on) client.reconnectNow();
    else for (const socket of sockets) socket.close();
  },
  note({ topic, text }) {
    client.publish(topic, text, { qos: 2, key: text });
  },
  lamp({ topic, on }) {
    client.publish(topic, on, { qos: 1, retain: true, key: on ? 'Lamp on' : 'Lamp off' });
  },
  done({ id }) {
    open.get(id)?.();
    open.delete(id);
  },
  async forget() {
    await client.forget().catch(() => {});
    postMessage({ kind: 'forgotten' });
  },
};

async function tellOutbox() {
  const entries = await client.outbox.list();
  postMessage({ kind: 'outbox', entries: entries.map(({ seq, key, stage }) => ({ seq, key, stage })) });
}

addEventListener('message', ({ data }) => commands[data.command](data));
