// MQTT 3.1.1: what it cannot say.

import assert from 'node:assert/strict';
import { became, code, noted, offline, online, take, text, until } from './support.mjs';

export const VERSION3 = {
  async 'MQTT 3.1.1: what a refusal of the connection comes to'(world) {
    for (const [reasonCode, expected] of [
      [0x86, { state: 'needs-auth', reasonCode: 0x86 }],
      [0x88, { state: 'offline', reasonCode: 0x88, retryInMs: 'later' }],
    ]) {
      world.refuseConnect(reasonCode);
      const { states } = noted(world, { identity: `${reasonCode}`, version: '3.1.1' });
      await until('refused', () => states[0]);
      assert.deepEqual(states[0], expected);
    }
  },

  async 'MQTT 3.1.1: nothing says whether a live message is retained, or whose it is'(world) {
    const client = await online(world, { version: '3.1.1' });
    await world.publish('a', 'kept', { retain: true });
    const loop = client.subscribe('a', { qos: 1, noLocal: true, retainAsPublished: true });
    await loop.snapshot;
    await world.publish('a', 'live', { retain: true });
    const own = client.publish('a', 'own', { qos: 1, properties: { contentType: 'x', messageExpiryInterval: 60 } });
    assert.deepEqual(await own.acked, { reasonCode: 0, reason: 'Success' });
    const messages = await take(loop, 3);
    assert.deepEqual(messages.map((message) => [text(message), message.retain, message.properties]), [['kept', true, {}], ['live', undefined, {}], ['own', undefined, {}]]);
    const last = await until('its own', () => world.published().find((one) => one.text === 'own'));
    assert.equal(last?.expires ?? false, false);
  },

  async 'MQTT 3.1.1: every publish is acknowledged with Success'(world) {
    const client = await online(world, { version: '3.1.1' });
    assert.deepEqual(await client.publish('nobody', 'x', { qos: 2 }).acked, { reasonCode: 0, reason: 'Success' });
  },

  async 'MQTT 3.1.1: a publish that the broker refuses is acknowledged, and goes nowhere'(world) {
    const client = await online(world, { version: '3.1.1' });
    world.refuse('shut', 0x87);
    assert.equal((await client.publish('shut', 'x', { qos: 1 }).acked).reasonCode, 0);
    await client.publish('open', 'x', { qos: 1 }).acked;
    await until('the other one', () => world.published().length > 0);
    assert.deepEqual(world.published().map(({ topic }) => topic), ['open']);
    assert.deepEqual(await client.outbox.deadLetters.list(), []);
  },

  async 'MQTT 3.1.1: retained values come whatever the options say'(world) {
    const client = await online(world, { version: '3.1.1' });
    await world.publish('a', 'kept', { retain: true });
    const loop = client.subscribe('a', { qos: 1, retainHandling: 2 });
    assert.deepEqual((await take(loop, 1)).map((message) => [text(message), message.retain]), [['kept', true]]);
  },

  async 'MQTT 3.1.1: a session stays, whatever the options say'(world) {
    const options = { version: '3.1.1', identity: 'ana', clientId: 'ana', sessionExpiryS: 1 };
    const client = await online(world, options);
    await offline(world, client);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    world.goOnline();
    await became(client, 'online');
    assert.equal(client.state.session, 'resumed');
  },

  async 'MQTT 3.1.1: a will has no delay'(world) {
    const client = await online(world, { version: '3.1.1', will: { topic: 'gone', payload: 'bye', delayIntervalS: 3_600 } });
    await offline(world, client);
    await until('the will', () => world.published().some(({ topic }) => topic === 'gone'));
  },

  async 'MQTT 3.1.1: a refused subscription has one code'(world) {
    world.refuseSubscriptions('shut', 0x80);
    const client = await online(world, { version: '3.1.1' });
    await assert.rejects(client.subscribe('shut').granted, (error) => code('refused')(error) && error.reasonCode === 0x80 && error.reason === 'Unspecified error');
  },
};
