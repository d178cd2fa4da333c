// `ebbtide/testing` keeps its promise: the cases of `contract/`, which the real client and a real broker show, too.

import { test } from 'node:test';
import { CASES } from './contract/index.mjs';
import { createTestBroker } from './testing/index.js';

for (const [name, run] of Object.entries(CASES)) test(`in memory: ${name}`, { timeout: 20_000 }, async (t) => run(world(t)));

function world(t) {
  let refused;
  const broker = createTestBroker({ authenticate: () => refused ?? true });
  const clients = [];
  t.after(() => Promise.all(clients.map((client) => client.close())));
  return {
    connect(options) {
      const client = broker.connect({ storage: 'memory', ...options });
      clients.push(client);
      return client;
    },
    published: () => broker.published.map((message) => ({
      topic: message.topic, text: message.text(), retain: message.retain, expires: message.properties.messageExpiryInterval !== undefined,
    })),
    publish: (topic, value, options) => broker.publish(topic, value, { qos: 1, ...options }),
    goOffline: () => broker.goOffline(),
    goOnline: () => broker.goOnline(),
    crash() {
      broker.goOffline();
      broker.goOnline();
    },
    refuseConnect: (reasonCode) => void (refused = reasonCode),
    refuse: (topic, reasonCode) => broker.refuse(topic, reasonCode),
    refuseSubscriptions: (filter, reasonCode, said) => broker.refuseSubscriptions(filter, reasonCode, said),
  };
}
