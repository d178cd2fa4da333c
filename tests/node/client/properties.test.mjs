// The properties of MQTT 5.0, each packet as it goes over the wire: what JavaScript says comes to the server, and what the server says
// comes to JavaScript, in whichever tab asked. The rows of docs/client/properties.md.

import assert from 'node:assert/strict';
import test from 'node:test';
import { openWindow } from './harness/browser.mjs';
import { startEbbtide } from './harness/broker.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, needs } from './harness/place.mjs';
import { startScripted } from './harness/scripted.mjs';

/** What a server says beside a reason code, as it is written and as it comes to JavaScript. */
const WIRE = { reasonString: 'ask ana first', userProperties: { team: 'harbour' } };
const SAID = { reasonString: 'ask ana first', userProperties: [['team', 'harbour']] };

const MESSAGE = {
  payloadFormatIndicator: true, messageExpiryInterval: 60, contentType: 'text/plain', responseTopic: 'back', userProperties: [['k', 'v']],
};
/** The same, as the parser of the test gives it. */
const MESSAGE_WIRE = { ...MESSAGE, userProperties: { k: 'v' } };

// Fails if one of them is not sent, or is sent as something else.
test('CONNECT and its will, PUBLISH, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT have what the application says', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  const tab = await openTab(t);
  await tab.page.evaluate(([url, properties]) => {
    const correlationData = Uint8Array.of(1, 2);
    window.app.connect(url, {
      identity: 'ana', sessionExpiryS: 3_600, receiveMaximum: 7, maximumPacketSize: 100_000, topicAliasMaximum: 3, requestResponseInformation: true,
      requestProblemInformation: false, userProperties: [['app', 'test']], authenticationMethod: 'method',
      credentials: { authenticationData: Uint8Array.of(9) },
      will: { topic: 'gone', payload: 'x', delayIntervalS: 5, properties: { ...properties, correlationData } },
    });
    window.app.client.publish('a', 'x', { qos: 1, properties: { ...properties, correlationData } });
    window.subscription = window.app.client.subscribe('b', { userProperties: [['why', 'curious']] });
  }, [server.url, MESSAGE]);
  await tab.page.evaluate(() => window.subscription.granted);
  const [connect] = server.received('connect');
  assert.deepEqual(plain(connect.properties), {
    sessionExpiryInterval: 3_600, receiveMaximum: 7, maximumPacketSize: 100_000, topicAliasMaximum: 3, requestResponseInformation: true,
    requestProblemInformation: false, userProperties: { app: 'test' }, authenticationMethod: 'method', authenticationData: [9],
  });
  assert.deepEqual(plain(connect.will.properties), { willDelayInterval: 5, ...MESSAGE_WIRE, correlationData: [1, 2] });
  const [publish] = await eventually('it is published', () => server.received('publish'), ({ length }) => length > 0);
  assert.deepEqual(plain(publish.properties), { ...MESSAGE_WIRE, correlationData: [1, 2] });
  const [subscribe] = server.received('subscribe');
  assert.deepEqual(plain(subscribe.properties).userProperties, { why: 'curious' });

  await tab.page.evaluate(() => window.subscription.unsubscribe({ userProperties: [['why', 'bored']] }));
  const [unsubscribe] = await eventually('it has ended', () => server.received('unsubscribe'), ({ length }) => length > 0);
  assert.deepEqual(plain(unsubscribe.properties).userProperties, { why: 'bored' });

  await tab.page.evaluate(() => window.app.client.close({ sessionExpiryS: 60, reasonString: 'lunch', userProperties: [['back', 'at one']] }));
  const [disconnect] = await eventually('a farewell', () => server.received('disconnect'), ({ length }) => length > 0);
  assert.equal(disconnect.reasonCode, 0);
  assert.deepEqual(plain(disconnect.properties), { sessionExpiryInterval: 60, reasonString: 'lunch', userProperties: { back: 'at one' } });
});

// Fails if the farewell of a logout leaves the session to expire, or says more than that.
test('the DISCONNECT of forget() ends the session, and says nothing else', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  const tab = await openTab(t);
  await tab.page.evaluate((url) => window.app.connect(url, { identity: 'ana', sessionExpiryS: 3_600 }), server.url);
  await tab.state('online');
  await tab.call('forget');
  const [disconnect] = await eventually('a farewell', () => server.received('disconnect'), ({ length }) => length > 0);
  assert.equal(disconnect.reasonCode, 0);
  assert.deepEqual(plain(disconnect.properties), { sessionExpiryInterval: 0 });
});

// Fails if a property of a message is lost on its way from the wire to the handler, at once or by the inbox.
test('a message has the properties that it came with', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  const tab = await openTab(t);
  await tab.call('connect', server.url, { identity: 'ana' });
  await tab.page.evaluate(async () => {
    window.messages = [];
    const subscription = window.app.client.subscribe('in', { qos: 1 });
    subscription.onMessage(({ properties }) => void window.messages.push({ ...properties, correlationData: [...properties.correlationData] }));
    await subscription.granted;
  });
  const properties = { ...MESSAGE_WIRE, userProperties: { k: ['v', 'w'] }, correlationData: Buffer.of(1, 2), subscriptionIdentifier: 1, topicAlias: 1 };
  server.connections[0].send({ cmd: 'publish', topic: 'in', payload: 'x', qos: 0, properties });
  server.connections[0].send({ cmd: 'publish', topic: '', payload: 'x', qos: 1, messageId: 1, properties });
  const seen = await tab.eventually('both', () => window.messages, ({ length }) => length === 2);
  const expected = { ...MESSAGE, userProperties: [['k', 'v'], ['k', 'w']], correlationData: [1, 2] };
  assert.deepEqual(seen, [expected, expected]);
});

// Fails if what PUBACK, PUBREC or PUBCOMP says does not come to the tab that published, be it the one with the connection or not, or is not
// kept with what was refused.
test('what is said of a publish comes to its tab, and to the dead letters', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  server.answers.connect = (_, connection) => connection.accept(server.connections.length > 1);
  let later = true;
  server.answers.publish = (packet, connection, usual) => {
    const { messageId, topic } = packet;
    const answer = (cmd, reasonCode) => connection.send({ cmd, messageId, reasonCode, properties: WIRE });
    if (topic === 'received') answer('pubrec', 0x10);
    else if (topic === 'refused/2') answer('pubrec', 0x87);
    else if (topic === 'refused/1') answer('puback', 0x87);
    else if (topic === 'later' && later) answer('puback', 0x97);
    else if (packet.qos === 1) answer('puback', 0x10);
    else usual();
    later &&= topic !== 'later';
  };
  server.answers.pubrel = ({ messageId }, connection, usual) => {
    const [{ topic }] = server.received('publish').filter((one) => one.messageId === messageId);
    if (topic === 'complete') connection.send({ cmd: 'pubcomp', messageId, reasonCode: 0, properties: WIRE });
    else usual();
  };
  const window = await openWindow(t, await startPages(t));
  const tabs = [await window.tab('leader'), await window.tab('follower')];
  for (const tab of tabs) {
    await tab.call('connect', server.url, { identity: 'ana' });
    await tab.state('online');
  }
  assert.deepEqual([await tabs[0].call('leading'), await tabs[1].call('leading')], [true, false]);
  for (const tab of tabs) {
    const outcomes = await tab.page.evaluate(() => {
      const outcome = ([topic, qos]) => window.app.client.publish(topic, 'x', { qos }).acked.catch(({ code, message, reasonCode, reasonString, userProperties }) => (
        { code, message, reasonCode, reasonString, userProperties }
      ));
      return Promise.all([['a', 1], ['received', 2], ['complete', 2], ['refused/1', 1], ['refused/2', 2]].map(outcome));
    });
    const acked = { reasonCode: 0x10, reason: 'No matching subscribers', ...SAID };
    const refused = { code: 'refused', message: `Not authorized: ${SAID.reasonString}`, reasonCode: 0x87, ...SAID };
    assert.deepEqual(outcomes, [acked, acked, { ...acked, reasonCode: 0, reason: 'Success' }, refused, refused]);
  }
  const letters = () => tabs[1].page.evaluate(async () => {
    const all = await window.app.client.outbox.deadLetters.list();
    return all.map(({ reasonCode, reasonString, userProperties }) => ({ reasonCode, reasonString, userProperties }));
  });
  assert.deepEqual(await letters(), Array(4).fill({ reasonCode: 0x87, ...SAID }));
  await tabs[1].page.reload();
  await tabs[1].call('connect', server.url, { identity: 'ana' });
  await tabs[1].state('online');
  assert.deepEqual(await letters(), Array(4).fill({ reasonCode: 0x87, ...SAID }), 'after a reload');

  const seq = await tabs[1].page.evaluate(async () => {
    window.published = window.app.client.publish('later', 'x', { qos: 1 });
    await window.published.stored;
    return (await window.app.client.outbox.list()).find(({ topic }) => topic === 'later')?.seq;
  });
  for (const tab of tabs) {
    const { retryInMs, ...report } = await reported(tab, 'deferred');
    assert.ok(retryInMs > 0);
    assert.deepEqual(report, { kind: 'deferred', seq: seq ?? report.seq, reasonCode: 0x97, reason: `Quota exceeded: ${SAID.reasonString}`, ...SAID });
  }
  assert.deepEqual((await tabs[1].page.evaluate(() => window.published.acked)).userProperties, SAID.userProperties);
});

// Fails if what SUBACK or UNSUBACK says is lost on its way to a tab.
test('what is said of a subscription comes to every tab that has it', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  server.answers.subscribe = ({ messageId, subscriptions: [{ topic, qos }] }, connection) => {
    connection.send({ cmd: 'suback', messageId, granted: [topic === 'refused' ? 0x87 : qos], properties: WIRE });
  };
  server.answers.unsubscribe = ({ messageId }, connection) => connection.send({ cmd: 'unsuback', messageId, granted: [0x11], properties: WIRE });
  const window = await openWindow(t, await startPages(t));
  const tabs = [await window.tab('leader'), await window.tab('follower')];
  for (const tab of tabs) {
    await tab.call('connect', server.url, { identity: 'ana' });
    await tab.state('online');
    const outcomes = await tab.page.evaluate(() => {
      window.subscription = window.app.client.subscribe('granted', { qos: 1 });
      const plain = ({ code, reasonCode, reasonString, userProperties }) => ({ code, reasonCode, reasonString, userProperties });
      return Promise.all([window.subscription.acked, window.subscription.granted, window.app.client.subscribe('refused').ended.then(plain)]);
    });
    assert.deepEqual(outcomes, [{ reasonCode: 1, reason: 'Granted QoS 1', ...SAID }, 1, { code: 'refused', reasonCode: 0x87, ...SAID }]);
  }
  for (const tab of tabs) await tab.page.evaluate(() => window.subscription.unsubscribe());
  for (const tab of tabs) {
    const report = await reported(tab, 'unsubscribed');
    assert.deepEqual(report, { kind: 'unsubscribed', filter: 'granted', reasonCode: 0x11, reason: 'No subscription existed', ...SAID });
  }
});

// Fails if CONNACK, or what ends a connection, does not come to the state of a tab.
test('the state has CONNACK, and what DISCONNECT and a refusing CONNACK say', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  const connack = {
    sessionExpiryInterval: 600, receiveMaximum: 5, maximumQoS: 1, retainAvailable: true, maximumPacketSize: 50_000, assignedClientIdentifier: 'assigned', topicAliasMaximum: 9,
    reasonString: 'welcome', userProperties: { team: 'harbour' }, wildcardSubscriptionAvailable: true, subscriptionIdentifiersAvailable: true,
    sharedSubscriptionAvailable: true, serverKeepAlive: 33, responseInformation: 'answers/ana', serverReference: 'other.example', authenticationMethod: 'method',
    authenticationData: Buffer.of(7),
  };
  server.answers.connect = (_, connection) => {
    if (server.connections.length === 1) return connection.accept(false, connack);
    return connection.send({ cmd: 'connack', reasonCode: 0x9c, sessionPresent: false, properties: { ...WIRE, serverReference: 'other.example' } });
  };
  const tab = await openTab(t);
  await tab.call('connect', server.url, { identity: 'ana', requestResponseInformation: true, authenticationMethod: 'method' });
  const online = await tab.state('online');
  assert.deepEqual({ ...online.connack, authenticationData: Object.values(online.connack.authenticationData) }, {
    sessionPresent: false, ...connack, userProperties: SAID.userProperties, authenticationData: [7],
  });
  const ended = (state) => Object.fromEntries(Object.entries(state).filter(([name]) => !['error', 'atMs', 'retryInMs'].includes(name)));
  server.connections[0].send({ cmd: 'disconnect', reasonCode: 0x98, properties: { ...WIRE, serverReference: 'other.example' } });
  const left = await tab.eventually('it was ended', () => window.app.states.find(({ state }) => state === 'offline'));
  assert.deepEqual(ended(left), { state: 'offline', reason: `Administrative action: ${SAID.reasonString}`, reasonCode: 0x98, ...SAID, serverReference: 'other.example' });
  const refused = await tab.eventually('it was refused', () => window.app.states.find(({ reasonCode }) => reasonCode === 0x9c));
  assert.deepEqual(ended(refused), { state: 'offline', reason: `Use another server: ${SAID.reasonString}`, reasonCode: 0x9c, ...SAID, serverReference: 'other.example' });
});

// Fails if AUTH loses something in either direction.
test('AUTH has what both sides say', needs(90_000, {}), async (t) => {
  const server = await startScripted(t);
  const challenge = (connection, reasonCode, data) => connection.send({
    cmd: 'auth', reasonCode, properties: { authenticationMethod: 'method', authenticationData: Buffer.of(data), ...WIRE },
  });
  server.answers.connect = (_, connection) => challenge(connection, 0x18, 1);
  server.answers.auth = ({ reasonCode }, connection) => {
    if (reasonCode === 0x19) challenge(connection, 0, 5);
    else connection.accept(false, { authenticationMethod: 'method' });
  };
  const tab = await openTab(t);
  await tab.page.evaluate((url) => {
    const answer = (data) => ({ authenticationData: Uint8Array.of(data), reasonString: 'here', userProperties: [['n', String(data)]] });
    window.asked = [];
    window.app.connect(url, {
      identity: 'ana', authenticationMethod: 'method', credentials: () => answer(3),
      onAuthenticate: (data, said) => {
        window.asked.push([[...data], said]);
        return answer(2);
      },
    });
  }, server.url);
  await tab.state('online');
  assert.deepEqual(await tab.page.evaluate(() => window.asked), [[[1], SAID]]);
  await tab.call('renewCredentials');
  const report = await reported(tab, 'authenticated');
  assert.deepEqual({ ...report, authenticationData: Object.values(report.authenticationData) }, { kind: 'authenticated', authenticationData: [5], ...SAID });
  const sent = server.received('auth').map(({ reasonCode, properties }) => [reasonCode, plain(properties)]);
  const words = (n) => ({ authenticationMethod: 'method', authenticationData: [n], reasonString: 'here', userProperties: { n: String(n) } });
  assert.deepEqual(sent, [[0x18, words(2)], [0x19, words(3)]]);
});

// Fails if the client does not ask for explanations, or does not hand them on.
test('Ebbtide says why it refuses, and the application reads it', needs(), async (t) => {
  const broker = await startEbbtide(t, ['--topic-levels-max', '3']);
  const tab = await openTab(t);
  await tab.call('connect', broker.url, { identity: 'ana' });
  await tab.state('online');
  const said = await tab.page.evaluate(async () => {
    const { client } = window.app;
    const publish = await client.publish('$SYS/mine', 'x', { qos: 1 }).acked.catch((error) => error);
    const subscribe = await client.subscribe('one/two/three/four').ended;
    return [publish, subscribe].map(({ code, reasonString }) => [code, reasonString]);
  });
  assert.deepEqual(said.map(([code]) => code), ['refused', 'refused']);
  assert.match(said[0][1], /the broker's own/);
  assert.match(said[1][1], /topic_levels_max/);
});

/** As the parser gives them, to be compared. */
function plain(properties) {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => {
    if (Buffer.isBuffer(value)) return [name, [...value]];
    return [name, name === 'userProperties' ? { ...value } : value];
  }));
}

/** The report of a kind, once it is there. */
async function reported(tab, kind) {
  const all = await tab.eventually(kind, () => window.app.reports, (reports) => reports.some((one) => one.kind === kind));
  const { error, ...report } = all.find((one) => one.kind === kind);
  return report;
}

async function openTab(t) {
  const window = await openWindow(t, await startPages(t));
  return window.tab('a');
}
