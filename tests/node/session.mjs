// A persistent session of MQTT.js over WebSocket: `subscribe` and leave; `collect`: return without subscribing and get all in order.

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import mqtt from 'mqtt';

const DEADLINE_MS = 30_000;

const { values } = parseArgs({
  options: { url: { type: 'string' }, mode: { type: 'string' }, version: { type: 'string' }, count: { type: 'string' } },
});
const protocolVersion = Number(values.version);
const count = Number(values.count);

const deadline = setTimeout(() => {
  console.error(`no end after ${DEADLINE_MS} ms, ${received.length} messages`);
  process.exit(1);
}, DEADLINE_MS);

const received = [];
const client = mqtt.connect(values.url, {
  clientId: 'away',
  protocolVersion,
  clean: false,
  reconnectPeriod: 0,
  ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
});
client.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
const collected = new Promise((resolve) => {
  client.on('message', (topic, payload) => {
    received.push(Number(payload.toString()));
    if (received.length === count) resolve();
  });
});
const connack = await new Promise((resolve) => client.once('connect', resolve));

if (values.mode === 'subscribe') {
  assert.equal(connack.sessionPresent, false, 'a first connection has no session');
  const [granted] = await client.subscribeAsync('backlog/+', { qos: 1 });
  assert.equal(granted.qos, 1);
} else {
  assert.equal(connack.sessionPresent, true, 'the session is gone');
  await collected;
  assert.deepEqual(received, Array.from({ length: count }, (_, number) => number));
}
await client.endAsync();
clearTimeout(deadline);
