// What an application in TypeScript writes; only compiled, against the declarations that are shipped.

import {
  connect, EbbtideError, type Ack, type Client, type ErrorCode, type Message, type Pending, type Publication, type Report, type State, type TopicParams,
} from 'ebbtide';
import { createTestBroker } from 'ebbtide/testing';

const client: Client = connect('/mqtt', {
  identity: 'ana',
  credentials: async () => ({ username: 'ana', password: new Uint8Array(1) }),
  clientId: 'a',
  sessionExpiryS: 60,
  will: { topic: 'gone', payload: { by: 'ana' }, delayIntervalS: 5, properties: { contentType: 'application/json' } },
  keepAliveS: 10,
  version: '3.1.1',
  limits: { outboxMessagesMax: 5 },
  maximumPacketSize: 100_000,
  requestResponseInformation: true,
  onAuthenticate: async (data, { reasonString }) => ({ ...(data && { authenticationData: data }), ...(reasonString !== undefined && { reasonString }) }),
  workerUrl: new URL('https://a.example/worker.js'),
  storage: 'memory',
  log: (line: string) => console.log(line),
});

client.on('state', (state: State) => {
  if (state.state === 'closed') console.log(state.error?.code === 'load-failed');
  if (state.state === 'offline') console.log(state.retryInMs ?? 0, state.reason);
  if (state.state === 'online') console.log(state.session === 'evicted', state.connack?.maximumQoS, state.connack?.userProperties?.[0]?.[1]);
  if (state.state === 'needs-auth') console.log(state.reasonString?.length, state.serverReference?.length);
  // @ts-expect-error there is no such state
  if (state.state === 'onlin') console.log();
});
client.on('report', (report: Report) => report.kind === 'unclaimed' && report.filters);
client.on('outbox', ({ count }) => count.toFixed());
client.on('gap', ({ lost }) => lost.outbox);
client.on('evicted', ({ reason }) => reason.length);
client.on('error', ({ error }) => error.code);
client.on('deferred', ({ seq, reason, reasonString, userProperties }) => [seq.toFixed(), reason.length, reasonString?.length, userProperties?.[0]?.[0]]);
client.on('unsubscribed', ({ filter, reasonCode }) => [filter.length, reasonCode.toFixed()]);
// @ts-expect-error no such event
client.on('message', () => {});
// @ts-expect-error this one has no filters
client.on('outbox', ({ filters }) => filters);

const sent: Publication = client.publish('a', new Float32Array([1]), { qos: 1, key: 'k', expiresInS: 5, deadline: new Date() });
const ack: Ack = await sent.acked;
console.log(ack.reason, ack.reasonString?.length, ack.userProperties?.[0]?.[1], await sent.cancel(), await sent.stored);
await sent.acked.catch((error: unknown) => error instanceof EbbtideError && [error.reasonCode, error.reason, error.reasonString?.length, error.userProperties?.length]);
const failure: ErrorCode = 'outcome-unknown';
// @ts-expect-error no such code
const wrong: ErrorCode = 'unknown';
console.log(failure, wrong);

for await (const message of client.subscribe('presence/{agent}', { qos: 2 })) {
  const status: string | undefined = message.json<{ status: string }>()?.status;
  const agent: string = message.params.agent;
  const content: Uint8Array = message.bytes();
  // Current TypeScript takes no bytes for them that may be shared.
  console.log(new Blob([message.bytes()]), await crypto.subtle.digest('SHA-256', message.bytes()), content, await fetch('/', { body: message.bytes() }));
  console.log(message.isEmpty, status, agent, message.properties.userProperties?.[0]?.[1], message.storedAt);
  // @ts-expect-error a cleared value has no content
  console.log(message.json<{ status: string }>().status);
  // @ts-expect-error it has no such level
  console.log(message.params.agents);
  // @ts-expect-error it may be unknown
  const retain: boolean = message.retain;
  console.log(retain);
}

const several: TopicParams<'$share/{group}/a/{x}/{rest...}'> = { x: '1', rest: '2' };
// @ts-expect-error the group is no part of the topic
const group: string = several.group;
const none: TopicParams<'a/+/#'> = {};
const dynamic: TopicParams<string> = { anything: 'goes' };
console.log(group, none, dynamic['anything']);

client.publish('agents/{id}/state', 1, { params: { id: 7 } });
// @ts-expect-error the value of {id} is missing
client.publish('agents/{id}/state', 1);
// @ts-expect-error and this is another one
client.publish('agents/{id}/state', 1, { params: { name: 'x' } });
const topic: string = 'agents/{id}/state';
client.publish(topic, 1);

const subscribed: Ack = await client.subscribe('a').acked;
client.subscribe('a').unsubscribe({ userProperties: [['why', subscribed.reason]] });
client.subscribe('a').onMessage((message: Message<object>) => message.text());
client.subscribe('a/{b}').onMessage(async ({ params: { b } }) => b.length);
client.store('a/{b}').getSnapshot().messages.get('a/x')?.params.b.length;

const answer: Message = await client.request('add', [1, 2], { timeoutS: 5 });
client.request('add/{n}', 1, { params: { n: 7 } });
// @ts-expect-error the value of {n} is missing
client.request('add/{n}', 1);
client.log(true);
client.respond('add/{n}', (request) => [answer.json(), request.params.n]);
// @ts-expect-error an answer must be something
client.respond('add', () => undefined);

const waiting: readonly Pending[] = await client.outbox.list();
await client.outbox.cancel({ key: 'k' });
await client.outbox.cancel(waiting);
await client.outbox.deadLetters.retry({ topic: 'a' });
// @ts-expect-error entries have no colour
await client.outbox.cancel({ colour: 'red' });

client.presence('presence/{client}').subscribe(({ joined }) => joined[0]?.since?.toISOString());

// @ts-expect-error no such option
connect('/mqtt', { username: 'a' });
// @ts-expect-error no such version
connect('/mqtt', { version: '5' });
// @ts-expect-error no such QoS
client.publish('a', 'x', { qos: 3 });
// @ts-expect-error a class that nobody makes by hand
new EbbtideError('nonsense', 'x');

const broker = createTestBroker({ authenticate: ({ username }) => username === 'ana' || 0x87 });
const tested: Client = broker.connect({ identity: 'ana' });
broker.goOffline(tested);
broker.published[0]?.json();
await client.close({ sessionExpiryS: 60, reasonString: 'lunch', userProperties: [['back', 'at one']] });
