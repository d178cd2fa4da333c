// A client outside of the browser: a session at the broker that gathers what the pages publish, and publishes to them.

import { once } from 'node:events';
import mqtt from 'mqtt';
import { EVENTUALLY_MS, eventually, within } from './place.mjs';

/** Opens a session that keeps everything under the filter, and leaves: the messages wait at the broker. */
export async function mailbox(broker, filter, qos = 2) {
  const clientId = `mailbox-${Math.random().toString(36).slice(2)}`;
  const session = { clientId, clean: false, protocolVersion: 5, properties: { sessionExpiryInterval: 3600, receiveMaximum: 100 } };
  const first = await mqtt.connectAsync(broker.tcp, session);
  await first.subscribeAsync(filter, { qos });
  await first.endAsync();
  return {
    /** Takes out what has come, until it holds: [{ topic, text, qos, retain, dup }], in order. */
    async collect(what, holds, limitMs = EVENTUALLY_MS) {
      const client = mqtt.connect(broker.tcp, { ...session, reconnectPeriod: 100 });
      const messages = [];
      client.on('message', (topic, payload, { qos, retain, dup }) => {
        messages.push({ topic, text: payload.toString(), qos, retain, dup });
      });
      try {
        await eventually(what, () => messages, holds, limitMs);
        // Whatever was sent twice follows: a message of our own comes behind it.
        const end = `${filter.split('/')[0]}/end-of-mailbox`;
        await client.publishAsync(end, clientId, { qos: 2 });
        const isEnd = ({ topic, text }) => topic === end && text === clientId;
        await eventually('the end of the mailbox', () => messages.some(isEnd), Boolean, limitMs);
        return messages.filter((message) => !message.topic.endsWith('/end-of-mailbox'));
      } finally {
        await client.endAsync();
      }
    },
  };
}

/** A connected client; it ends with the test. */
export async function outsider(t, broker, options = {}) {
  const client = await mqtt.connectAsync(broker.tcp, { protocolVersion: 5, reconnectPeriod: 100, ...options });
  t.after(() => within(5_000, 'its end', client.endAsync(true)).catch(() => {}));
  // That is left out when a hook before it fails; and one that goes on trying would keep the file from its end.
  t.signal.addEventListener('abort', () => client.end(true));
  const received = [];
  client.on('message', (topic, payload, packet) => received.push({ topic, text: payload.toString(), ...packet }));
  return Object.assign(client, { received });
}

/** Whether the broker has a session of that client. */
export async function sessionPresent(broker, clientId, version) {
  const client = mqtt.connect(broker.tcp, { clientId, clean: false, protocolVersion: version === '5.0' ? 5 : 4 });
  const [connack] = await once(client, 'connect');
  await client.endAsync();
  return connack.sessionPresent;
}
