// What an application in TypeScript writes; only compiled, against the declarations that are shipped.

import { connect, EbbtideError, type Client, type Publication, type State } from './index.js';

const client: Client = connect('/mqtt', { clientId: 'a', version: '3.1.1', keepAliveS: 10 });
client.on('state', (state: State) => {
  if (state.state === 'closed') console.log(state.error?.code === 'load-failed');
  if (state.state === 'offline') console.log(state.retryInMs ?? 0);
});

const sent: Publication = client.publish('a', new Float32Array([1]), { qos: 1 });
await sent.acked.catch((error: unknown) => error instanceof EbbtideError && error.reasonCode);

for await (const message of client.subscribe('presence/{agent}', { qos: 2 })) {
  const status: string | undefined = message.json<{ status: string }>()?.status;
  console.log(message.isEmpty, status, message.params['agent']);
  // @ts-expect-error a cleared value has no content
  console.log(message.json<{ status: string }>().status);
}

// @ts-expect-error no such option
connect('/mqtt', { identity: 'a' });
// @ts-expect-error no such version
connect('/mqtt', { version: '5' });
// @ts-expect-error no such QoS
client.publish('a', 'x', { qos: 3 });
