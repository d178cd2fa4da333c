// Drives clients of MQTT.js as told: orders come as lines of JSON, each is answered by one. See tests/python/matrix/.

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import mqtt from 'mqtt';

const DEADLINE_MS = 20_000;

const { values } = parseArgs({ options: { url: { type: 'string' }, version: { type: 'string' } } });
const isV5 = values.version === '5';

const within = (promise, what) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not in time`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

const given = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value != null));

class Client {
  async connect({ id, persistent, keep_alive, session_expiry, topic_alias_maximum, will }) {
    this.messages = [];
    this.waiting = [];
    this.reasons = new Map();
    const properties = given({
      sessionExpiryInterval: session_expiry,
      topicAliasMaximum: topic_alias_maximum || null,
    });
    this.mqtt = mqtt.connect(values.url, {
      clientId: id,
      protocolVersion: isV5 ? 5 : 4,
      clean: !persistent,
      keepalive: keep_alive,
      reconnectPeriod: 0,
      ...(isV5 ? { properties } : {}),
      ...(will ? { will: { topic: will.topic, payload: will.payload, qos: will.qos, retain: will.retain } } : {}),
    });
    this.mqtt.on('message', (topic, payload, packet) => {
      const message = messageOf(topic, payload, packet);
      const taker = this.waiting.shift();
      if (taker) taker(message);
      else this.messages.push(message);
    });
    this.mqtt.on('packetreceive', ({ cmd, messageId, reasonCode }) => {
      if (cmd === 'puback' || cmd === 'pubrec') this.reasons.set(messageId, reasonCode ?? 0);
    });
    const connack = new Promise((resolve, reject) => {
      this.mqtt.once('connect', resolve);
      this.mqtt.once('error', reject);
    });
    const { sessionPresent, properties: said } = await within(connack, 'CONNACK');
    this.mqtt.on('error', () => {});
    return { session_present: sessionPresent, assigned_id: said?.assignedClientIdentifier ?? null };
  }

  async subscribe({ filter, qos, identifier, no_local, retain_as_published }) {
    const options = isV5
      ? {
          qos,
          nl: no_local,
          rap: retain_as_published,
          ...(identifier ? { properties: { subscriptionIdentifier: identifier } } : {}),
        }
      : { qos };
    // Refusals reject the promise; what was granted is in the packet.
    const suback = new Promise((resolve) => {
      this.mqtt.subscribe(filter, options, (error, granted, packet) => {
        resolve(packet?.granted?.[0] ?? error?.code ?? granted?.[0]?.qos);
      });
    });
    return within(suback, 'SUBACK');
  }

  async unsubscribe({ filter }) {
    await within(this.mqtt.unsubscribeAsync(filter), 'UNSUBACK');
  }

  async publish({ message }) {
    const properties = given({
      contentType: message.content_type,
      responseTopic: message.response_topic,
      correlationData: message.correlation_data == null ? null : Buffer.from(message.correlation_data),
      messageExpiryInterval: message.message_expiry,
      topicAlias: message.topic_alias,
    });
    if (message.user_properties.length > 0) {
      properties.userProperties = {};
      for (const [name, value] of message.user_properties) (properties.userProperties[name] ??= []).push(value);
    }
    const { topic, payload, qos, retain } = message;
    const options = { qos, retain, ...(isV5 ? { properties } : {}) };
    const done = new Promise((resolve, reject) => {
      this.mqtt.publish(topic, payload, options, (error, packet) => {
        if (error?.code >= 0x80) resolve(error.code);
        else if (error) reject(error);
        else resolve(this.reasons.get(packet?.messageId) ?? 0);
      });
    });
    return within(done, 'the acknowledgement');
  }

  async next() {
    const message = this.messages.shift();
    return message ?? within(new Promise((resolve) => this.waiting.push(resolve)), 'a message');
  }

  async disconnect() {
    await within(this.mqtt.endAsync(), 'the end');
  }

  async cut() {
    this.mqtt.stream.destroy();
  }
}

function messageOf(topic, payload, { qos, retain, properties = {} }) {
  const identifiers = properties.subscriptionIdentifier ?? [];
  const pairs = Object.entries(properties.userProperties ?? {});
  return {
    topic,
    payload: payload.toString(),
    qos,
    retain,
    user_properties: pairs.flatMap(([name, value]) => [value].flat().map((one) => [name, one])),
    content_type: properties.contentType ?? null,
    response_topic: properties.responseTopic ?? null,
    correlation_data: properties.correlationData?.toString() ?? null,
    message_expiry: properties.messageExpiryInterval ?? null,
    subscription_identifiers: [identifiers].flat(),
  };
}

const clients = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (!clients.has(order.client)) clients.set(order.client, new Client());
  let answer;
  try {
    answer = { ok: (await clients.get(order.client)[order.do](order.with)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  console.log(JSON.stringify(answer));
}
process.exit(0);
