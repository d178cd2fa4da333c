// What `ebbtide/testing` promises: the cases of `wasm-client/npm/test/contract` on the real client, its wasm and this project's broker. It
// needs no browser for them: Node has all but the WebSocket, and what the client's own tests have to store things in.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { WebSocket } from 'ws';
import { CASES } from '../../../wasm-client/npm/test/contract/index.mjs';
import { newProfile } from '../../../wasm-client/npm/test/engine/profile.mjs';
import { startEbbtide } from './harness/broker.mjs';
import { startLink } from './harness/link.mjs';
import { outsider } from './harness/mailbox.mjs';
import { needs, PACKAGE } from './harness/place.mjs';

// That of a browser needs nobody who listens for errors.
globalThis.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.on('error', () => {});
  }
};

let loaded;
async function load() {
  const ebbtide = await import(pathToFileURL(join(PACKAGE, 'slim.js')));
  ebbtide.initWasm(await readFile(join(PACKAGE, 'ebbtide.wasm')));
  return ebbtide;
}

for (const [name, run] of Object.entries(CASES)) {
  // Fails if the client or the broker are not what the one in memory shows.
  test(`the real one: ${name}`, needs(), async (t) => run(await world(t)));
}

async function world(t) {
  newProfile();
  const { connect } = await (loaded ??= load());
  // Of what is refused here the broker would miss the aliases.
  const broker = await startEbbtide(t, ['--topic-alias-maximum', '0']);
  const link = await startLink(t, broker);
  const other = await outsider(t, broker);
  // It shows a message of QoS 2 only when the exchange is over.
  await other.subscribeAsync('#', { qos: 1, rap: true });
  const clients = [];
  t.after(() => Promise.all(clients.map((client) => client.close())));
  return {
    connect(options) {
      const client = connect(link.url, { storage: 'memory', ...options });
      clients.push(client);
      return client;
    },
    published: () => other.received.map(({ topic, text, retain, properties }) => ({ topic, text, retain, expires: properties?.messageExpiryInterval !== undefined })),
    publish: (topic, value, options) => other.publishAsync(topic, value, { qos: 1, ...options }),
    goOffline: () => link.cut(),
    goOnline() {
      link.restore();
      for (const client of clients) client.reconnectNow();
    },
    crash: () => link.drop(),
    refuseConnect(reasonCode) {
      link.answers.connect = reasonCode && (({ protocolVersion }) => ({ cmd: 'connack', reasonCode, returnCode: protocolVersion === 5 ? undefined : { 0x86: 4, 0x87: 5, 0x88: 3 }[reasonCode] }));
    },
    refuse(topic, reasonCode) {
      link.answers.publish = reasonCode && (({ topic: given, qos, messageId }) => given === topic && { cmd: qos === 2 ? 'pubrec' : 'puback', messageId, reasonCode });
    },
    refuseSubscriptions(filter, reasonCode, said) {
      link.answers.subscribe = reasonCode && (({ subscriptions, messageId }) =>
        subscriptions[0].topic === filter && { cmd: 'suback', messageId, granted: [reasonCode], properties: said });
    },
  };
}
