// What is checked at the call: options of every method, addresses, and that equal calls share one client.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientFor } from './clients.js';
import { connect, EbbtideError } from './index.js';
import { createTestBroker } from './testing/index.js';
import { code, guarded, online } from './support.mjs';

guarded();

const ADDRESS = 'ws://127.0.0.1:9/mqtt';
const refused = (call, message) => assert.throws(call, (error) => code('bad-options')(error) && (message.test(error.message) || assert.fail(error.message)));

test('bad options of connect are thrown at once and say what is allowed', () => {
  const cases = [
    [{ clientID: 'x' }, /'clientID'; did you mean 'clientId'\?/],
    [{ keepalive: 5 }, /did you mean 'keepAliveS'/],
    [{ sessionExpiryInterval: 5 }, /did you mean 'sessionExpiryS'/],
    [{ username: 'ana' }, /did you mean 'credentials'/],
    [{ zzzzzzzz: 1 }, /no 'zzzzzzzz'\. There are identity, /],
    [{ toString: 1 }, /no 'toString'/],
    [{ identity: 7 }, /'identity' must be a string/],
    [{ credentials: 'ana' }, /credentials: the options must be an object/],
    [{ credentials: { user: 'ana' } }, /connect: credentials: there is no 'user'; did you mean 'username'/],
    [{ credentials: { password: 7 } }, /'password' must be a string or a Uint8Array/],
    [{ credentials: { expiresAt: 'soon' } }, /'expiresAt' must be milliseconds/],
    [{ credentials: { authenticationData: 'x' } }, /'authenticationData' must be a Uint8Array/],
    [{ clientId: 7 }, /must be a string/],
    [{ sessionExpiryS: 4_294_967_296 }, /from 0 to 4294967295/],
    [{ sessionExpiryS: -1 }, /from 0/],
    [{ will: 'x' }, /must be an object/],
    [{ will: { topic: 7 } }, /will: 'topic' must be a string/],
    [{ will: { payload: 'x' } }, /'will' must be an object with 'topic'/],
    [{ presence: {} }, /'presence' must be an object with 'topic'/],
    [{ will: { topic: 'a', qos: 3 } }, /will: 'qos' must be 0 or 1 or 2/],
    [{ will: { topic: 'a', delay: 3 } }, /did you mean 'delayIntervalS'/],
    [{ will: { topic: 'a', properties: { contentType: 1 } } }, /properties: 'contentType' must be a string/],
    [{ presence: { topic: 'a', name: 'x' } }, /presence: there is no 'name'/],
    [{ presence: { topic: 'a', offlineDelayS: 1.5 } }, /whole number/],
    [{ keepAliveS: 65_536 }, /from 0 to 65535/],
    [{ keepAliveS: 1.5 }, /whole number/],
    [{ version: '5' }, /'version' must be "3\.1\.1" or "5\.0"/],
    [{ receiveMaximum: 0 }, /from 1 to 65535/],
    [{ maximumPacketSize: 0 }, /from 1 to 4294967295/],
    [{ topicAliasMaximum: 65_536 }, /from 0 to 65535/],
    [{ requestResponseInformation: 1 }, /true or false/],
    [{ requestProblemInformation: 'no' }, /true or false/],
    [{ credentials: { reasonString: 1 } }, /'reasonString' must be a string/],
    [{ userProperties: { a: 'b' } }, /list of \[name, value\]/],
    [{ userProperties: [['a']] }, /list of \[name, value\]/],
    [{ authenticationMethod: 1 }, /a string/],
    [{ onAuthenticate: 1 }, /a function/],
    [{ connectTimeoutS: 0 }, /from 1/],
    [{ backoffMaxS: 0 }, /from 1/],
    [{ storage: 'disk' }, /"durable" or "memory"/],
    [{ limits: { outboxMax: 1 } }, /limits: there is no 'outboxMax'; did you mean 'outbox/],
    [{ limits: { inboxBytesMax: 0 } }, /from 1/],
    [{ workerUrl: 1 }, /a string or a URL/],
    [{ log: 'yes' }, /true or false or a function/],
    [{ credentials: () => ({}) }, /it needs 'identity' if/],
    [{ will: { topic: 'a' }, presence: { topic: 'b' } }, /exclude each other/],
    [null, /must be an object/],
  ];
  for (const [options, message] of cases) refused(() => connect(ADDRESS, options), message);
  for (const will of ['a/#', 'a\0']) assert.throws(() => connect(ADDRESS, { will: { topic: will } }), code('topic-name'));
  assert.throws(() => connect(ADDRESS, { presence: { topic: 'a/+' } }), code('topic-name'));
  assert.throws(() => connect(ADDRESS, { credentials: { password: 12345 } }), (error) => !error.message.includes('12345'));
});

test('bad options of the other calls are thrown at once', async () => {
  const { broker, client } = await online();
  const cases = [
    [() => client.publish('a', 'x', { qos: 3 }), /publish: 'qos'/],
    [() => client.publish('a', 'x', { retained: true }), /did you mean 'retain'/],
    [() => client.publish('a', 'x', { params: 'x' }), /'params' must be an object/],
    [() => client.publish('a', 'x', { key: 7 }), /'key' must be a string/],
    [() => client.publish('a', 'x', { coalesce: 1 }), /true or false/],
    [() => client.publish('a', 'x', { expiresInS: -1 }), /whole number/],
    [() => client.publish('a', 'x', { deadline: 'tomorrow' }), /a Date or milliseconds/],
    [() => client.publish('a', 'x', { deadline: new Date('never') }), /a Date or milliseconds/],
    [() => client.publish('a', 'x', { resend: 'yes' }), /true or false/],
    [() => client.publish('a', 'x', { offline: 'store' }), /"fail" or "keep"/],
    [() => client.publish('a', 'x', { messageExpiry: 5 }), /no 'messageExpiry'\. There are qos, /],
    [() => client.publish('a', 'x', { properties: { correlationData: 'x' } }), /must be a Uint8Array/],
    [() => client.subscribe('a', { qos: '1' }), /subscribe: 'qos'/],
    [() => client.subscribe('a', { nolocal: true }), /did you mean 'noLocal'/],
    [() => client.subscribe('a', { retainHandlng: 1 }), /did you mean 'retainHandling'/],
    [() => client.subscribe('a', { retainHandling: 3 }), /0 or 1 or 2/],
    [() => client.subscribe('a', { retainAsPublished: 1 }), /true or false/],
    [() => client.subscribe('a', { cache: 'yes' }), /true or false/],
    [() => client.subscribe('a', { userProperties: 1 }), /list of/],
    [() => client.subscribe('a', { bufferedMessagesMax: 0 }), /from 1/],
    [() => client.store('a', { topicsMax: 0 }), /store: 'topicsMax'/],
    [() => client.request('a', 'x', { timeout: 5 }), /did you mean 'timeoutS'/],
    // What other clients take.
    [() => client.subscribe(['a', 'b']), /one for each call/],
    [() => client.subscribe(undefined), /must be a string/],
    [() => client.on('message', () => {}), /on: there is no 'message'.* There are state, /],
    [() => client.on('connect', () => {}), /on: there is no 'connect'/],
    [() => client.on('state'), /'state' must be a function/],
    [() => client.subscribe('a').onMessage(), /onMessage: 'handler' must be a function/],
    [() => client.subscribe('a').onSnapshot(), /onSnapshot: 'handler' must be a function/],
    [() => client.subscribe('a').unsubscribe({ userProperties: 'x' }), /unsubscribe: 'userProperties' must be a list/],
    [() => client.respond('a'), /respond: 'handler' must be a function/],
    [() => client.log('x'), /log: 'handler' must be a function/],
    // The server would end the connection.
    [() => client.subscribe('$share/g/a', { noLocal: true }), /'noLocal' cannot be shared/],
    // Nothing at all is not everything.
    ...[undefined, null, 'key', {}, { key: undefined }, { topc: 'a' }, { key: 7 }, [null], ['key'], [{}]].map((which) => [() => client.outbox.cancel(which), /^outbox: /]),
    [() => client.outbox.deadLetters.discard({}), /it needs 'key', 'topic', 'seq' or a list/],
    [() => client.outbox.deadLetters.retry(), /^outbox: /],
    [() => client.presence(), /without connect's option 'presence'/],
  ];
  for (const [call, message] of cases) refused(call, message);
  for (const options of [{ reason: 'x' }, { reasonString: 1 }, { sessionExpiryS: -1 }]) await assert.rejects(client.close(options), code('bad-options'));
  await assert.rejects(broker.connect({ identity: 'brief', sessionExpiryS: 0 }).close({ sessionExpiryS: 5 }), code('bad-options'));
  await broker.settled();
  assert.deepEqual(broker.published, []);
});

test('addresses are relative to the page', () => {
  const resolved = (page, address) => {
    globalThis.location = page && new URL(page);
    try {
      // The address is looked at before the options.
      connect(address, { zzzzzzzz: 1 });
    } catch (error) {
      return error.code;
    } finally {
      delete globalThis.location;
    }
  };
  assert.equal(resolved('https://a.example/x/y#z', '/mqtt'), 'bad-options');
  assert.equal(resolved(undefined, 'https://b.example/mqtt#z'), 'bad-options');
  assert.equal(resolved(undefined, '/mqtt'), 'url');
  assert.equal(resolved('https://a.example/', 'mqtt://b.example'), 'url');
  // It would be stored and logged, and nobody would get it.
  assert.throws(() => connect('wss://ana:secret@b.example/mqtt'), (error) => code('url')(error) && !error.message.includes('secret'));
});

test('equal calls share a client, by identity; what differs is named', async () => {
  const broker = createTestBroker();
  const ana = broker.connect({ identity: 'ana', credentials: async () => ({}), keepAliveS: 10 });
  assert.equal(broker.connect({ identity: 'ana', credentials: async () => ({}), keepAliveS: 10 }), ana);
  assert.notEqual(broker.connect({ identity: 'ben' }), ana);
  const { name } = { name: broker.connect({ credentials: { username: 'eve', password: 'x' } }).identity };
  assert.equal(name, 'eve');
  const base = { identity: 'ana', credentials: async () => ({}), keepAliveS: 10 };
  const others = [
    [{ keepAliveS: 11 }, 'keepAliveS'],
    [{ clientId: 'x' }, 'clientId'],
    [{ credentials: { username: 'ana' } }, 'credentials'],
    [{ will: { topic: 'gone' } }, 'will'],
    [{ limits: { cacheTopicsMax: 5 } }, 'limits'],
    [{ version: '3.1.1' }, 'version'],
    [{ userProperties: [['a', 'b']] }, 'userProperties'],
    [{ maximumPacketSize: 100 }, 'maximumPacketSize'],
    [{ topicAliasMaximum: 65 }, 'topicAliasMaximum'],
    [{ requestResponseInformation: true }, 'requestResponseInformation'],
    [{ requestProblemInformation: false }, 'requestProblemInformation'],
    [{ onAuthenticate: () => new Uint8Array() }, 'onAuthenticate'],
    [{ workerUrl: '/w.js' }, 'workerUrl'],
  ];
  for (const [change, option] of others) refused(() => broker.connect({ ...base, ...change }), new RegExp(`another '${option}'`));
  // Defaults count as what they stand for.
  assert.equal(broker.connect({ ...base, sessionExpiryS: 86_400, version: '5.0', log: false }), ana);
  // At once: an effect of React in strict mode does not wait.
  const closed = ana.close();
  const next = broker.connect({ ...base, keepAliveS: 11 });
  assert.notEqual(next, ana);
  await closed;
  await broker.settled();
  assert.deepEqual([broker.connect({ ...base, keepAliveS: 11 }), next.state.state], [next, 'online']);
});

test('the values of passwords and payloads are compared, and not shown', () => {
  const broker = createTestBroker();
  const options = (password, payload) => ({ credentials: { username: 'ana', password }, will: { topic: 'gone', payload } });
  const client = broker.connect(options(new Uint8Array([1, 2]), { at: new Date(0) }));
  assert.equal(broker.connect(options(new Uint8Array([1, 2]), { at: new Date(0) })), client);
  assert.throws(() => broker.connect(options(new Uint8Array([1, 3]), { at: new Date(0) })), /another 'credentials'/);
  assert.throws(() => broker.connect(options(new Uint8Array([1, 2]), { at: new Date(1) })), /another 'will'/);
});

test('an error has the name of its reason code', () => {
  assert.equal(new EbbtideError('refused', 'x', 0x87).reason, 'Not authorized');
  assert.equal(new EbbtideError('refused', 'x', 0xfe).reason, '0xfe');
  assert.equal(new EbbtideError('closed', 'x').reason, undefined);
});

/** What an engine would be opened with. */
function settingsFor(options, url = 'wss://broker.example/mqtt') {
  let settings;
  const engine = { state: { state: 'connecting' }, onState() {}, onReport() {}, onLog() {}, subscribe: () => ({ end() {} }) };
  clientFor(new Map(), url, options, (given) => {
    settings = given;
    return engine;
  });
  return settings;
}

test('the session below is opened with every option, or its default', () => {
  const { ...defaults } = settingsFor({});
  assert.deepEqual(JSON.parse(JSON.stringify(defaults)), {
    identity: '', version: 5, keepAliveS: 30, sessionExpiryS: 86_400, receiveMaximum: 1_000, topicAliasMaximum: 64, connectTimeoutS: 10, backoffMaxS: 60, storage: 'durable',
    log: false,
    limits: {
      outboxMessagesMax: 10_000, outboxBytesMax: 67_108_864, inboxMessagesMax: 10_000, inboxBytesMax: 67_108_864,
      cacheTopicsMax: 10_000, cacheBytesMax: 33_554_432, deadLettersMax: 1_000, heldMessagesMax: 1_000,
    },
  });
  const options = {
    identity: 'ana', clientId: 'one', credentials: () => ({}), sessionExpiryS: 4_294_967_295, keepAliveS: 65_535, receiveMaximum: 65_535,
    maximumPacketSize: 4_294_967_295, topicAliasMaximum: 0, requestResponseInformation: true, requestProblemInformation: false,
    userProperties: [['a', 'b'], ['a', 'c']], authenticationMethod: 'method', onAuthenticate: () => new Uint8Array(), connectTimeoutS: 1, backoffMaxS: 86_400, storage: 'memory',
  };
  const given = settingsFor({ ...options, version: '3.1.1', limits: { inboxBytesMax: 1, outboxBytesMax: undefined }, workerUrl: new URL('https://a.example/w.js'), keepAliveS: 65_535 });
  for (const [name, value] of Object.entries(options)) assert.equal(given[name], value, name);
  assert.deepEqual([given.version, given.limits.inboxBytesMax, given.limits.outboxBytesMax, given.workerUrl], [4, 1, 67_108_864, 'https://a.example/w.js']);
  assert.equal(settingsFor({ keepAliveS: undefined, clientId: undefined }).keepAliveS, 30);
  assert.equal(settingsFor({ credentials: { username: 'ana' } }).identity, 'ana');
  assert.equal(settingsFor({ credentials: () => ({}), storage: 'memory' }).identity, '');
  // The server does not wait for a day for a page that cannot come back, unless it is told to.
  assert.equal(settingsFor({ storage: 'memory' }).sessionExpiryS, 300);
  assert.equal(settingsFor({ storage: 'memory', sessionExpiryS: 3_600 }).sessionExpiryS, 3_600);
});

test('the will as it goes into CONNECT', () => {
  const { will } = settingsFor({ will: { topic: 'gone', payload: { a: 1 }, qos: 2, retain: true, delayIntervalS: 5, properties: { contentType: 'x' } } });
  assert.deepEqual({ ...will, payload: new TextDecoder().decode(will.payload) }, {
    topic: 'gone', payload: '{"a":1}', qos: 2, retain: true, delayIntervalS: 5, properties: { contentType: 'x' },
  });
  const least = settingsFor({ will: { topic: 'gone' } }).will;
  assert.deepEqual([least.payload.length, least.qos, least.retain, least.delayIntervalS], [0, 0, false, 0]);
  assert.throws(() => settingsFor({ will: { topic: 'gone', payload: new Map() } }), code('payload'));
  const entry = settingsFor({ identity: 'ana', presence: { topic: 'p/{client}', id: 'x/y', offlineDelayS: 3, offlineExpiryS: 60 } }).will;
  assert.deepEqual({ ...entry, payload: JSON.parse(new TextDecoder().decode(entry.payload)) }, {
    topic: 'p/x%2Fy', payload: { status: 'offline', user: 'ana', reason: 'connection lost', expiryS: 60 }, qos: 1, retain: true, delayIntervalS: 3,
    properties: { messageExpiryInterval: 60, contentType: 'application/json' },
  });
});
