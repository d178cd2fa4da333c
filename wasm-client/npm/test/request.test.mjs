// Request and response: the answer, the ways in which there is none, and nothing left behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestBroker } from './testing/index.js';
import { code, guarded, online, take, uncaughtDuring, utf8 } from './support.mjs';

guarded();

async function pair(responderOptions) {
  const { broker, client } = await online({ identity: 'asks' });
  const other = broker.connect({ identity: 'answers', ...responderOptions });
  await broker.settled();
  return { broker, client, other };
}

test('an answer, whatever else is asked at the same time', async () => {
  const { client, other } = await pair();
  await other.respond('math/{operation}', async (request) => {
    const [a, b] = request.json();
    return { [request.params.operation]: request.params.operation === 'add' ? a + b : a - b };
  }).granted;
  const [sum, difference] = await Promise.all([
    client.request('math/add', [1, 2]),
    client.request('math/{operation}', [5, 3], { params: { operation: 'subtract' }, qos: 0 }),
  ]);
  assert.deepEqual([sum.json(), difference.json()], [{ add: 3 }, { subtract: 2 }]);
});

test('a retained request is not answered at each connect', async () => {
  const { broker, other } = await pair();
  const asked = [];
  const responder = other.respond('lamp/{action}', (request) => {
    asked.push(request.text());
    return '';
  });
  await responder.snapshot;
  const ask = (text, retain) => broker.publish('lamp/switch', text, { retain, properties: { responseTopic: 'answers' } });
  ask('kept', true);
  await broker.settled();
  broker.goOffline();
  broker.goOnline();
  await broker.settled();
  ask('live', false);
  await broker.settled();
  assert.deepEqual(asked, ['kept', 'live']);
});

test('the request has what the standard wants, and properties of its own', async () => {
  const { broker, client, other } = await pair();
  const loop = other.subscribe('a');
  await loop.granted;
  const answer = client.request('a', 'x', { responseTopic: 'answers/here', properties: { contentType: 'text/plain' }, timeoutS: 7 });
  const [request] = await take(loop, 1);
  const { responseTopic, correlationData, contentType, messageExpiryInterval } = request.properties;
  assert.deepEqual([responseTopic, correlationData.length, contentType, messageExpiryInterval], ['answers/here', 16, 'text/plain', 7]);
  broker.publish('answers/here', 'wrong', { properties: { correlationData: utf8('other') } });
  broker.publish('answers/here', 'none');
  broker.publish('answers/here', 'right', { properties: { correlationData } });
  assert.equal((await answer).text(), 'right');
});

// Fails if the first request says for all how their answers come.
test('the answer comes with the QoS of its request, whatever was asked before', async () => {
  const { client, other } = await pair();
  await other.respond('a', () => 'yes').granted;
  const ask = async (qos) => (await client.request('a', 'x', { qos })).qos;
  assert.deepEqual([await ask(0), await ask(1), await ask(2), await ask(0)], [0, 1, 1, 0]);
});

// Fails if a topic for one answer stays in the session.
test("a response topic of a request's own ends with the last one that waits there", async () => {
  const { broker, client, other } = await pair();
  await other.respond('a', () => 'yes').granted;
  await other.subscribe('silent').granted;
  const filters = async () => {
    await broker.settled();
    return (await client.inspect()).subscriptions.map((filter) => filter.replace(/^response.*/, 'own'));
  };
  const ask = (topic) => client.request(topic, 'x', { responseTopic: 'once/1' });
  await client.request('a', 'x');
  const [silent] = [ask('silent'), await ask('a')];
  assert.deepEqual(await filters(), ['own', 'once/1']);
  const { properties } = broker.published.find(({ topic }) => topic === 'silent');
  broker.publish('once/1', 'late', { properties: { correlationData: properties.correlationData } });
  assert.equal((await silent).text(), 'late');
  assert.deepEqual(await filters(), ['own']);
  await assert.rejects(ask('nobody'), code('no-responder'));
  // At once, and before the end of the other one is known.
  const last = ask('a');
  assert.equal((await last).text(), 'yes');
  assert.deepEqual(await filters(), ['own']);
});

test('nobody there, nobody answers, and who answers fails', async (context) => {
  const { broker, client, other } = await pair();
  await assert.rejects(client.request('nobody', 'x'), code('no-responder'));
  const responder = other.respond('fails', () => {
    throw new Error('no such lamp');
  });
  await responder.granted;
  const uncaught = await uncaughtDuring(() =>
    assert.rejects(client.request('fails', 'x'), (error) => code('responder-failed')(error) && error.message === 'no such lamp'),
  );
  assert.deepEqual(uncaught.map(({ message }) => message), ['no such lamp']);
  const silent = other.subscribe('silent');
  await silent.granted;
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const answer = client.request('silent', 'x', { timeoutS: 2 });
  for (let turn = 0; turn < 50; turn++) await undefined;
  context.mock.timers.tick(2_000);
  await assert.rejects(answer, code('timeout'));
  context.mock.timers.reset();
  broker.refuse('secret', 0x87);
  await assert.rejects(client.request('secret', 'x'), code('refused'));
  await assert.rejects(client.request('a/+', 'x'), code('topic-name'));
});

test('what is answered leaves no timer behind: a program of tests ends at once', async () => {
  const { broker, client, other } = await pair();
  await other.respond('a', () => 'yes').granted;
  await broker.settled();
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await client.request('a', 'x');
  await broker.settled();
  assert.equal(timers(), before);
});

test('offline it waits, and a request that timed out is not sent later', async (context) => {
  const { broker, client, other } = await pair();
  await other.respond('a', () => 'yes').granted;
  broker.goOffline(client);
  const waits = client.request('a', 'x');
  broker.goOnline(client);
  assert.equal((await waits).text(), 'yes');
  const before = broker.published.length;
  broker.goOffline(client);
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const late = client.request('a', 'x', { timeoutS: 1 });
  for (let turn = 0; turn < 50; turn++) await undefined;
  context.mock.timers.tick(1_000);
  await assert.rejects(late, code('timeout'));
  context.mock.timers.reset();
  broker.goOnline(client);
  await broker.settled();
  assert.equal(broker.published.length, before);
  assert.deepEqual(await client.outbox.list(), []);
});

test('MQTT 3.1.1 has no requests; closing ends them; nobody has to look', async () => {
  const broker = createTestBroker();
  await assert.rejects(broker.connect({ version: '3.1.1' }).request('a', 'x'), code('not-supported'));
  const client = broker.connect({ identity: 'ana' });
  await client.subscribe('a').granted;
  const waits = client.request('a', 'x');
  client.request('a', 'x');
  await broker.settled();
  await client.close();
  await assert.rejects(waits, code('closed'));
});
