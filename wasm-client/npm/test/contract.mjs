// What clients of `ebbtide/testing` and of the package have in common: each case runs on both, here on the broker in memory
// (`contract.test.mjs`), and in `tests/node/client/contract.test.mjs` on the real one. So they cannot come to differ unseen.
//
// A case gets a world of its own: `connect` makes a client; `publish`, and all that is `published`, are somebody else's; the network goes and
// comes; the broker refuses connections, publishes and subscriptions. Nothing of a package is imported: there are two.

import assert from 'node:assert/strict';

const LATE_MS = 15_000;

async function until(what, holds) {
  const end = Date.now() + LATE_MS;
  for (;;) {
    const seen = await holds();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const code = (expected) => (error) => error.name === 'EbbtideError' && error.code === expected;
const became = (client, state) => until(state, () => client.state.state === state);
const text = (message) => message.text();
const TOO_LONG = 'x'.repeat(65_536);

/** A client whose states are noted: with a number for every wait, and without what is in words. */
function noted(world, options) {
  const client = world.connect(options);
  const states = [];
  client.on('state', ({ state, session, reasonCode, retryInMs, connack, error }) => {
    const wait = typeof retryInMs === 'number' ? 'later' : retryInMs;
    states.push(Object.fromEntries(Object.entries({ state, session, reasonCode, retryInMs: wait, present: connack?.sessionPresent, code: error?.code }).filter(([, value]) => value !== undefined)));
  });
  return { client, states };
}

async function online(world, options) {
  const client = world.connect(options);
  await became(client, 'online');
  return client;
}

async function offline(world, client) {
  world.goOffline();
  await became(client, 'offline');
}

/** The next messages of a subscription. */
async function take(subscription, count) {
  const messages = [];
  while (messages.length < count) messages.push((await subscription.next()).value);
  return messages;
}

export const CASES = {
  async 'QoS 0 that cannot be taken was not stored, either'(world) {
    const client = await online(world, { limits: { heldMessagesMax: 1 } });
    await offline(world, client);
    const lost = client.publish('a', 'lost');
    const kept = client.publish('a', 'kept', { offline: 'keep' });
    const over = client.publish('a', 'over', { offline: 'keep' });
    for (const [publication, expected] of [[lost, 'offline'], [over, 'queue-full']]) {
      await assert.rejects(publication.acked, code(expected));
      await assert.rejects(publication.stored, code(expected));
    }
    await kept.stored;
    world.goOnline();
    await kept.acked;
  },

  async 'credentials that are none fail the attempt, and are asked for again'(world) {
    const answers = [{ usename: 'ana' }, { username: 7 }, { username: 'ana' }];
    const { client, states } = noted(world, { credentials: () => answers.shift() });
    const reasons = [];
    client.on('state', ({ state, reason }) => state === 'offline' && reasons.push(reason));
    await became(client, 'online');
    assert.deepEqual(states.map(({ state, retryInMs }) => [state, retryInMs]), [
      ['offline', 'later'], ['connecting', undefined], ['offline', 'later'], ['connecting', undefined], ['online', undefined],
    ]);
    assert.match(reasons[0], /credentials: there is no 'usename'; did you mean 'username'\?/);
    assert.match(reasons[1], /credentials: 'username' must be a string/);
    assert.equal(answers.length, 0);
  },

  async 'a callback that throws is asked again'(world) {
    let asked = 0;
    const { client, states } = noted(world, {
      credentials: () => {
        if (++asked === 1) throw new Error('the token server is down');
        return {};
      },
    });
    const reasons = [];
    client.on('state', ({ reason }) => reason && reasons.push(reason));
    await became(client, 'online');
    assert.deepEqual([asked, states.map(({ state }) => state), reasons], [2, ['offline', 'connecting', 'online'], ['the token server is down']]);
  },

  async 'a credential that is too long fails the attempt'(world) {
    const { client, states } = noted(world, { credentials: { username: TOO_LONG } });
    await became(client, 'offline');
    assert.deepEqual(states[0], { state: 'offline', retryInMs: 'later' });
    assert.match(client.state.reason, /65,535 bytes/);
  },

  async 'without credentials there is no attempt'(world) {
    const { client, states } = noted(world, { credentials: () => null });
    await became(client, 'needs-auth');
    assert.deepEqual([states, client.state.reason], [[{ state: 'needs-auth' }], 'the application has no credentials']);
  },

  async 'new credentials are for the next attempt, unless there is an authentication method'(world) {
    let asked = 0;
    const client = await online(world, { credentials: () => ({ username: `${++asked}` }) });
    client.renewCredentials();
    await client.publish('a', 'x', { qos: 1 }).acked;
    assert.equal(asked, 1);
  },

  async 'filters that are none'(world) {
    const client = await online(world);
    for (const filter of ['', 'a/#/b', 'a+', '$share/a', '$share//a', '$share/+/a', 'a\0', TOO_LONG]) {
      const subscription = client.subscribe(filter);
      await assert.rejects(subscription.granted, code('topic-filter'), filter.slice(0, 20));
      assert.ok(code('topic-filter')(await subscription.ended));
    }
  },

  async 'an option that can never be sent closes the client'(world) {
    for (const [options, expected] of [
      [{ clientId: '', version: '3.1.1' }, 'client-id-missing'],
      [{ clientId: TOO_LONG }, 'field-too-long'],
      [{ userProperties: [['k', TOO_LONG]] }, 'field-too-long'],
      [{ will: { topic: 'a', payload: TOO_LONG } }, 'field-too-long'],
      [{ will: { topic: 'a', properties: { contentType: TOO_LONG } } }, 'field-too-long'],
      [{ will: { topic: 'a', properties: { responseTopic: 'a/#' } } }, 'topic-name'],
    ]) {
      const { client, states } = noted(world, { identity: Object.keys(options).join(), ...options });
      const sent = client.publish('a', 'x', { qos: 1 });
      const loop = client.subscribe('a');
      await assert.rejects(sent.acked, code(expected), expected);
      await assert.rejects(loop.granted, code(expected), expected);
      await became(client, 'closed');
      assert.deepEqual(states, [{ state: 'closed', code: expected }]);
      await assert.rejects(client.publish('a', 'x', { qos: 1 }).stored, code(expected));
      await client.close();
    }
  },

  async 'an empty client id is one that the server makes'(world) {
    const [one, other] = [await online(world, { identity: 'one', clientId: '' }), await online(world, { identity: 'other', clientId: '' })];
    assert.deepEqual([one.state.state, other.state.session], ['online', 'fresh']);
  },

  async 'a property that is too long is no publish: a dead letter'(world) {
    const client = await online(world);
    for (const properties of [{ contentType: TOO_LONG }, { correlationData: new Uint8Array(65_536) }, { userProperties: [[TOO_LONG, 'v']] }]) {
      const sent = client.publish('a', 'x', { qos: 1, properties });
      await sent.stored;
      await assert.rejects(sent.acked, code('field-too-long'));
      await assert.rejects(client.publish('a', 'x', { properties }).acked, code('field-too-long'));
    }
    const letters = await client.outbox.deadLetters.list();
    assert.deepEqual(letters.map(({ topic, reasonCode }) => [topic, reasonCode]), [['a', 0x80], ['a', 0x80], ['a', 0x80]]);
    assert.deepEqual(await client.outbox.list(), []);
    await assert.rejects(client.publish('a', 'x', { properties: { responseTopic: TOO_LONG } }).acked, code('field-too-long'));
  },

  async 'states, each once'(world) {
    const { client, states } = noted(world, { identity: 'ana' });
    await became(client, 'online');
    client.reconnectNow();
    world.goOffline();
    world.goOffline();
    await became(client, 'offline');
    world.goOnline();
    await became(client, 'online');
    await client.close();
    const kinds = states.map(({ state }) => state);
    // The real one may have tried in between.
    assert.deepEqual([states[0], states[1], states.at(-1)], [
      { state: 'online', session: 'fresh', present: false }, { state: 'offline', retryInMs: 'later' }, { state: 'closed' },
    ]);
    assert.deepEqual(states.at(-2), { state: 'online', session: 'resumed', present: true });
    assert.ok(kinds.every((kind, at) => kind !== kinds[at - 1]), kinds.join());
  },

  async 'without a network it tries again and again'(world) {
    world.goOffline();
    const { client, states } = noted(world);
    await until('a second attempt', () => states.length >= 3);
    assert.deepEqual(states.slice(0, 3), [{ state: 'offline', retryInMs: 'later' }, { state: 'connecting' }, { state: 'offline', retryInMs: 'later' }]);
    world.goOnline();
    await became(client, 'online');
  },

  async 'what a refusal of the connection comes to'(world) {
    for (const [reasonCode, expected] of [
      [0x86, { state: 'needs-auth', reasonCode: 0x86 }],
      [0x87, { state: 'needs-auth', reasonCode: 0x87 }],
      [0x8c, { state: 'needs-auth', reasonCode: 0x8c }],
      [0x88, { state: 'offline', reasonCode: 0x88, retryInMs: 'later' }],
      [0x97, { state: 'offline', reasonCode: 0x97, retryInMs: 'later' }],
      [0x8a, { state: 'offline', reasonCode: 0x8a, retryInMs: null }],
      [0x85, { state: 'offline', reasonCode: 0x85, retryInMs: null }],
      [0x9c, { state: 'offline', reasonCode: 0x9c, retryInMs: null }],
    ]) {
      world.refuseConnect(reasonCode);
      const { client, states } = noted(world, { identity: `${reasonCode}` });
      await until('refused', () => states[0]);
      assert.deepEqual(states[0], expected);
      world.refuseConnect(undefined);
      client.reconnectNow();
      await became(client, 'online');
      await client.close();
    }
  },

  async 'a refusal for now is over by itself'(world) {
    world.refuseConnect(0x88);
    const { client, states } = noted(world);
    await until('refused', () => states[0]);
    world.refuseConnect(undefined);
    await became(client, 'online');
  },

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

  async 'needs-auth stays, whatever the network does'(world) {
    world.refuseConnect(0x86);
    const { client, states } = noted(world);
    await became(client, 'needs-auth');
    world.goOffline();
    await assert.rejects(client.publish('a', 'x').acked, code('offline'));
    assert.deepEqual(states.map(({ state }) => state), ['needs-auth']);
  },

  async 'another client with the same id takes over, and what it does not know is evicted'(world) {
    const { client: old, states } = noted(world, { identity: 'old', clientId: 'same' });
    await became(old, 'online');
    const { client, states: others } = noted(world, { identity: 'new', clientId: 'same' });
    const reports = [];
    client.on('evicted', ({ kind }) => reports.push(kind));
    await became(client, 'online');
    await became(old, 'offline');
    await until('the report', () => reports.length > 0);
    assert.deepEqual(states, [{ state: 'online', session: 'fresh', present: false }, { state: 'offline', reasonCode: 0x8e, retryInMs: null }]);
    assert.deepEqual(others, [{ state: 'online', session: 'evicted', present: false }]);
    assert.match(old.state.reason, /^Session taken over/);
    // It stands.
    await client.publish('a', 'x', { qos: 1 }).acked;
    assert.equal(client.state.state, 'online');
  },

  async 'forget() right after connect()'(world) {
    const client = world.connect({ identity: 'ana', clientId: 'ana' });
    await client.forget();
    assert.deepEqual(client.state, { state: 'closed' });
    const again = await online(world, { identity: 'ana', clientId: 'ana' });
    assert.equal(again.state.session, 'fresh');
    await again.forget();
    assert.equal((await online(world, { identity: 'ana', clientId: 'ana' })).state.session, 'fresh');
  },

  async 'forget() of a client that has never been let in'(world) {
    world.refuseConnect(0x86);
    const refused = world.connect({ identity: 'refused' });
    await became(refused, 'needs-auth');
    await refused.forget();
    const nobody = world.connect({ identity: 'nobody', credentials: () => null });
    await became(nobody, 'needs-auth');
    await nobody.forget();
    world.goOffline();
    const away = world.connect({ identity: 'away' });
    await became(away, 'offline');
    await away.forget();
    assert.deepEqual([refused, nobody, away].map(({ state }) => state.state), ['closed', 'closed', 'closed']);
  },

  async 'forget() of a session that the server keeps'(world) {
    const client = await online(world, { identity: 'ana' });
    await offline(world, client);
    await assert.rejects(client.forget(), code('offline'));
    assert.equal(client.state.state, 'closed');
    await assert.rejects(client.forget(), code('closed'));
  },

  async 'a full outbox takes what only takes the place of another'(world) {
    const client = await online(world, { limits: { outboxMessagesMax: 2 } });
    await offline(world, client);
    const kept = [client.publish('a', 1, { qos: 1, retain: true }), client.publish('b', 1, { qos: 1 })];
    await Promise.all(kept.map(({ stored }) => stored));
    const over = client.publish('c', 1, { qos: 1, retain: true });
    await assert.rejects(over.stored, code('queue-full'));
    await assert.rejects(over.acked, code('queue-full'));
    kept.push(client.publish('a', 2, { qos: 1, retain: true }));
    await kept[2].stored;
    assert.deepEqual((await client.outbox.list()).map(({ topic }) => topic), ['b', 'a']);
    world.goOnline();
    for (const { acked } of kept) await acked;
    await until('both', () => world.published().length === 2);
    assert.deepEqual(world.published().map(({ topic, text: value }) => [topic, value]), [['b', '1'], ['a', '2']]);
  },

  async 'a dead letter goes back though its deadline has passed and the outbox is full'(world) {
    const client = await online(world, { limits: { outboxMessagesMax: 1 } });
    const { deadLetters } = client.outbox;
    world.refuse('a', 0x87);
    const deadline = Date.now() + 300;
    await assert.rejects(client.publish('a', 'late', { qos: 1, key: 'k', deadline }).acked, code('refused'));
    await until('the deadline', () => Date.now() > deadline);
    world.refuse('a', undefined);
    await offline(world, client);
    await client.publish('b', 'x', { qos: 1 }).stored;
    const [letter] = await deadLetters.list();
    assert.deepEqual([letter.deadline, await deadLetters.retry([letter]), await deadLetters.list()], [deadline, 1, []]);
    const rows = await client.outbox.list();
    assert.deepEqual(rows.map(({ topic, key, deadline: when }) => [topic, key, when]), [['b', undefined, undefined], ['a', 'k', undefined]]);
    assert.equal(rows[1].createdAt, letter.createdAt);
    world.goOnline();
    await until('both', () => world.published().length === 2);
    assert.deepEqual(world.published().map(({ topic, text: value, expires }) => [topic, value, expires]), [['b', 'x', false], ['a', 'late', false]]);
  },

  async 'a dead letter that is tried again coalesces as before'(world) {
    const client = await online(world);
    world.refuse('a', 0x87);
    await assert.rejects(client.publish('a', 1, { qos: 1, retain: true }).acked, code('refused'));
    world.refuse('a', undefined);
    await offline(world, client);
    const before = client.publish('a', 2, { qos: 1, retain: true });
    await before.stored;
    const { deadLetters } = client.outbox;
    assert.equal(await deadLetters.retry({ topic: 'a' }), 1);
    // It is the older value, and takes the place of none.
    assert.deepEqual((await client.outbox.list()).map(({ payload }) => String.fromCharCode(...payload)), ['2', '1']);
    const last = client.publish('a', 3, { qos: 1, retain: true });
    await last.stored;
    assert.deepEqual((await client.outbox.list()).map(({ payload }) => String.fromCharCode(...payload)), ['3']);
    world.goOnline();
    await Promise.all([before.acked, last.acked]);
  },

  async 'what fills the outbox is counted with what it takes to keep it'(world) {
    const client = await online(world, { limits: { outboxBytesMax: 300 } });
    await offline(world, client);
    await client.publish('a', 'x', { qos: 1 }).stored;
    await client.publish('b', 'x', { qos: 1 }).stored;
    await assert.rejects(client.publish('c', 'x', { qos: 1 }).stored, code('queue-full'));
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

  async 'a subscription that the broker refuses ends with its words'(world) {
    const said = { reasonString: 'ask for it' };
    world.refuseSubscriptions('shut/#', 0x87, said);
    const client = await online(world);
    const both = [client.subscribe('shut/#', { qos: 1 }), client.subscribe('shut/#')];
    const why = (error) => code('refused')(error) && error.reasonCode === 0x87 && error.reason === 'Not authorized' && error.reasonString === said.reasonString;
    for (const subscription of both) {
      await assert.rejects(subscription.granted, why);
      await assert.rejects(subscription.snapshot, why);
      await assert.rejects(subscription.next(), why);
      assert.ok(why(await subscription.ended));
    }
    assert.equal(await client.subscribe('open/#', { qos: 1 }).granted, 1);
    world.refuseSubscriptions('shut/#', undefined);
    assert.equal(await client.subscribe('shut/#', { qos: 1 }).granted, 1);
    assert.equal(client.state.state, 'online');
  },

  async 'a subscription that was granted can be refused when its client comes back'(world) {
    const client = await online(world);
    const subscription = client.subscribe('a', { qos: 1 });
    await subscription.snapshot;
    world.refuseSubscriptions('a', 0x87);
    world.crash();
    assert.ok(code('refused')(await subscription.ended));
  },

  async 'MQTT 3.1.1: a refused subscription has one code'(world) {
    world.refuseSubscriptions('shut', 0x80);
    const client = await online(world, { version: '3.1.1' });
    await assert.rejects(client.subscribe('shut').granted, (error) => code('refused')(error) && error.reasonCode === 0x80 && error.reason === 'Unspecified error');
  },

  async 'retained values, then the snapshot, then what is live; again after each connect'(world) {
    await world.publish('a/1', 'one', { retain: true });
    await world.publish('a/2', 'two', { retain: true });
    const client = await online(world);
    const heard = [];
    const subscription = client.subscribe('a/{n}', { qos: 1 });
    subscription.onMessage((message) => void heard.push([message.params.n, text(message), message.retain, message.fromCache, message.qos]));
    subscription.onSnapshot(({ inferred }) => void heard.push(`snapshot ${inferred}`));
    await subscription.snapshot;
    await world.publish('a/3', 'live', { qos: 1 });
    await world.publish('a/1', 'new', { qos: 1, retain: true });
    await until('live ones', () => heard.length === 5);
    assert.deepEqual([...heard.slice(0, 2).sort(), ...heard.slice(2)], [
      ['1', 'one', true, false, 1], ['2', 'two', true, false, 1], 'snapshot false', ['3', 'live', false, false, 1], ['1', 'new', true, false, 1],
    ]);
    heard.length = 0;
    await offline(world, client);
    await world.publish('a/3', 'waited', { qos: 1 });
    await world.publish('a/2', '', { qos: 1, retain: true });
    world.goOnline();
    await until('the second snapshot', () => heard.includes('snapshot false'));
    assert.deepEqual(heard, [['3', 'waited', false, false, 1], ['2', '', true, false, 1], ['1', 'new', true, false, 1], 'snapshot false']);
  },

  async 'retain handling, no local, retain as published'(world) {
    await world.publish('a', 'kept', { retain: true });
    const client = await online(world);
    const none = client.subscribe('a', { qos: 1, retainHandling: 2, retainAsPublished: false, noLocal: true });
    assert.deepEqual(await none.snapshot, { inferred: false });
    await client.publish('a', 'own', { qos: 1 }).acked;
    await world.publish('a', 'live', { qos: 1, retain: true });
    assert.deepEqual((await take(none, 1)).map((message) => [text(message), message.retain]), [['live', false]]);
  },

  async 'subscriptions to one filter share it: who asks for more has the retained values sent to all'(world) {
    await world.publish('a', 'kept', { retain: true });
    const client = await online(world);
    const heard = [];
    const listen = async (name, options) => {
      const subscription = client.subscribe('a', options);
      subscription.onMessage((message) => void heard.push(`${name}: ${text(message)}${message.fromCache ? ' from the cache' : ''}`));
      subscription.onSnapshot(() => void heard.push(`${name}: snapshot`));
      await subscription.snapshot;
      return subscription;
    };
    const said = () => heard.splice(0).sort();
    const one = await listen('one', { qos: 1 });
    assert.deepEqual(said(), ['one: kept', 'one: snapshot']);
    const two = await listen('two', { qos: 1 });
    assert.deepEqual(said(), ['two: kept', 'two: kept from the cache', 'two: snapshot']);
    const three = await listen('three', { qos: 2, cache: false });
    await until('all snapshots', () => heard.filter((line) => line.endsWith('snapshot')).length === 3);
    assert.deepEqual(said(), ['one: kept', 'one: snapshot', 'three: kept', 'three: snapshot', 'two: kept', 'two: snapshot']);
    assert.deepEqual(await Promise.all([one, two, three].map(({ granted }) => granted)), [1, 1, 2]);
    await world.publish('a', 'live', { qos: 2 });
    await until('all', () => heard.length === 3);
    assert.deepEqual(said(), ['one: live', 'three: live', 'two: live']);
    one.unsubscribe();
    await world.publish('a', 'still', { qos: 1 });
    await until('both', () => heard.length === 2);
    assert.deepEqual(said(), ['three: still', 'two: still']);
  },

  async 'without a cache each subscription asks anew, for all of them'(world) {
    await world.publish('a', 'kept', { retain: true });
    const client = await online(world);
    const heard = [];
    for (const name of ['one', 'two']) {
      const subscription = client.subscribe('a', { cache: false });
      subscription.onMessage((message) => void heard.push(`${name}: ${text(message)}`));
      await subscription.snapshot;
    }
    await until('all', () => heard.length === 3);
    assert.deepEqual(heard.sort(), ['one: kept', 'one: kept', 'two: kept']);
  },

  async 'the stages of publishes, and the order in which they leave'(world) {
    const client = await online(world);
    await offline(world, client);
    const counts = [];
    client.on('outbox', ({ count }) => counts.push(count));
    const sent = [
      client.publish('a', 1, { qos: 1 }), client.publish('b', 2, { qos: 2, key: 'k' }), client.publish('c', 3, { qos: 1, retain: true }),
      client.publish('c', 4, { qos: 1, retain: true }), client.publish('a', 5, { qos: 1 }), client.publish('d', 6, { qos: 1 }),
    ];
    for (const { stored } of sent) await stored;
    assert.equal(counts.at(-1), 5);
    assert.deepEqual([await sent[2].cancel(), await sent[5].cancel(), await sent[5].cancel()], [false, true, false]);
    await assert.rejects(sent[5].acked, code('cancelled'));
    const rows = await client.outbox.list();
    assert.deepEqual(rows.map(({ topic, qos, key, retain, stage }) => [topic, qos, key, retain, stage]), [
      ['a', 1, undefined, false, 'waiting'], ['b', 2, 'k', false, 'waiting'], ['c', 1, undefined, true, 'waiting'], ['a', 1, undefined, false, 'waiting'],
    ]);
    world.goOnline();
    for (const { acked } of sent.slice(0, 5)) await acked;
    await until('all', () => world.published().length === 4);
    assert.deepEqual(world.published().map(({ text: value }) => value), ['1', '2', '4', '5']);
    await until('an empty outbox', () => counts.at(-1) === 0);
  },

  async 'a deadline that passes'(world) {
    const client = await online(world);
    await offline(world, client);
    const late = client.publish('a', 'late', { qos: 1, deadline: Date.now() + 100 });
    await late.stored;
    await assert.rejects(late.acked, code('expired'));
    assert.deepEqual(await client.outbox.list(), []);
  },

  async 'close() settles and ends everything'(world) {
    const client = await online(world);
    await offline(world, client);
    const subscription = client.subscribe('a');
    const waits = subscription.next();
    const sent = client.publish('b', 'x', { qos: 1 });
    const held = client.publish('b', 'y', { offline: 'keep' });
    await client.close();
    assert.deepEqual([await waits, await subscription.ended], [{ done: true, value: undefined }, undefined]);
    await assert.rejects(subscription.granted, code('closed'));
    await assert.rejects(sent.acked, code('closed'));
    await assert.rejects(held.acked, code('closed'));
    await assert.rejects(client.publish('b', 'z', { qos: 1 }).stored, code('closed'));
    await assert.rejects(client.subscribe('a').next(), code('closed'));
    await assert.rejects(client.forget(), code('closed'));
    assert.deepEqual([client.state, await client.outbox.cancel({ key: 'k' }).catch(({ code: why }) => why)], [{ state: 'closed' }, 'closed']);
  },

  async 'a will: after a crash, not after a goodbye'(world) {
    const options = { will: { topic: 'gone', payload: 'bye', qos: 1, retain: true, properties: { messageExpiryInterval: 60 } } };
    const client = await online(world, { identity: 'ana', ...options });
    await client.close();
    await online(world, { identity: 'ben', ...options });
    world.crash();
    await until('the will', () => world.published().length > 0);
    assert.deepEqual(world.published(), [{ topic: 'gone', text: 'bye', retain: true, expires: true }]);
  },

  async 'a session that ends with its connection'(world) {
    const { client, states } = noted(world, { sessionExpiryS: 0 });
    await became(client, 'online');
    const reports = [];
    client.on('report', ({ kind, lost }) => kind === 'gap' && reports.push([client.state.session, lost.outbox, typeof lost.since]));
    world.crash();
    await until('a gap', () => reports.length > 0);
    assert.deepEqual([states.at(-1), reports], [{ state: 'online', session: 'gap', present: false }, [['gap', 0, 'number']]]);
  },

  async 'requests and answers'(world) {
    const client = await online(world);
    const other = await online(world, { identity: 'other' });
    const responder = other.respond('add', (request) => request.json().reduce((sum, one) => sum + one, 0));
    await responder.granted;
    assert.equal((await client.request('add', [1, 2])).json(), 3);
    const old = await online(world, { identity: 'old', version: '3.1.1' });
    await assert.rejects(old.request('add', [1, 2]), code('not-supported'));
    await assert.rejects(client.request('sub', [1, 2], { timeoutS: 1 }), (error) => ['timeout', 'no-responder'].includes(error.code));
  },

  async 'the members of a group share, and have no retained values'(world) {
    await world.publish('a/0', 'kept', { retain: true });
    const clients = [await online(world, { identity: 'one' }), await online(world, { identity: 'other' })];
    const members = clients.map((client) => client.subscribe('$share/g/a/{n}', { qos: 1 }));
    for (const member of members) assert.deepEqual(await member.snapshot, { inferred: false });
    for (const n of [1, 2, 3, 4]) await world.publish(`a/${n}`, `${n}`, { qos: 1 });
    for (const member of members) assert.equal((await take(member, 2)).length, 2);
  },

  async 'handlers that throw, and a message that none is done with'(world) {
    const client = await online(world);
    const subscription = client.subscribe('a', { qos: 1 });
    const done = [];
    subscription.onMessage((message) => (text(message) === '1' ? new Promise((resolve) => done.push(resolve)) : undefined));
    await subscription.granted;
    for (const value of ['1', '2']) await world.publish('a', value, { qos: 1 });
    await until('both', () => done.length === 1);
    subscription.unsubscribe();
    await subscription.ended;
    const again = client.subscribe('a', { qos: 1 });
    await again.snapshot;
    await world.publish('a', '3', { qos: 1 });
    // What an ended subscription still had counts as handled.
    assert.deepEqual((await take(again, 1)).map(text), ['3']);
  },

  async 'slow consumers end, but for QoS 1'(world) {
    const client = await online(world);
    const slow = client.subscribe('a', { bufferedMessagesMax: 2 });
    const kept = client.subscribe('b', { bufferedMessagesMax: 2, qos: 1 });
    await Promise.all([slow.granted, kept.granted]);
    for (const value of ['1', '2', '3']) {
      await world.publish('a', value);
      await world.publish('b', value, { qos: 1 });
    }
    assert.ok(code('slow-consumer')(await slow.ended));
    assert.deepEqual((await take(slow, 2)).map(text), ['1', '2']);
    await assert.rejects(slow.next(), code('slow-consumer'));
    assert.deepEqual((await take(kept, 3)).map(text), ['1', '2', '3']);
  },

  async 'a refusal for now stays in the outbox, and is told'(world) {
    const client = await online(world);
    const reports = [];
    client.on('deferred', ({ kind, reasonCode, reason, retryInMs }) => reports.push([kind, reasonCode, reason, typeof retryInMs]));
    world.refuse('busy', 0x97);
    const waits = client.publish('busy', 'x', { qos: 1 });
    await until('a report', () => reports.length > 0);
    assert.deepEqual(reports[0], ['deferred', 0x97, 'Quota exceeded', 'number']);
    const [{ stage }] = await client.outbox.list();
    assert.equal(await waits.cancel(), stage === 'waiting');
    world.refuse('busy', undefined);
  },

  async 'properties, both ways'(world) {
    const client = await online(world);
    const subscription = client.subscribe('a', { qos: 1 });
    await subscription.granted;
    const properties = { payloadFormatIndicator: true, contentType: 'text/plain', responseTopic: 'r', correlationData: Uint8Array.of(1), userProperties: [['k', 'v'], ['k', 'w']] };
    await client.publish('a', 'x', { qos: 1, properties: { ...properties, messageExpiryInterval: 60 } }).acked;
    await client.publish('a', 'y', { qos: 2 }).acked;
    const [{ properties: { messageExpiryInterval, ...got } }, { properties: none }] = await take(subscription, 2);
    assert.deepEqual([got, none], [properties, {}]);
    assert.ok(messageExpiryInterval > 50 && messageExpiryInterval <= 60);
  },

  async 'what is stored goes on with the next client'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    const client = await online(world, options);
    await client.subscribe('a', { qos: 1 }).snapshot;
    world.refuse('shut', 0x87);
    await assert.rejects(client.publish('shut', 'x', { qos: 1, key: 'dead' }).acked, code('refused'));
    await offline(world, client);
    await client.publish('b', 1, { qos: 1, key: 'k', retain: true }).stored;
    const [row] = await client.outbox.list();
    await client.close();
    await world.publish('a', 'meanwhile', { qos: 1 });
    const next = world.connect(options);
    assert.deepEqual(await next.outbox.list(), [row]);
    assert.deepEqual((await next.outbox.deadLetters.list()).map(({ topic, key, reasonCode }) => [topic, key, reasonCode]), [['shut', 'dead', 0x87]]);
    // It takes the place of what the last one has stored.
    const newer = next.publish('b', 2, { qos: 1, retain: true });
    await newer.stored;
    const rows = await next.outbox.list();
    assert.deepEqual([rows.length, rows[0].seq > row.seq], [1, true]);
    const loop = next.subscribe('a', { qos: 1 });
    world.goOnline();
    await newer.acked;
    assert.equal(next.state.session, 'resumed');
    assert.deepEqual((await take(loop, 1)).map((message) => [text(message), message.redelivered]), [['meanwhile', false]]);
    await until('the last one', () => world.published().some(({ topic }) => topic === 'b'));
    assert.deepEqual(world.published().map(({ topic, text: value }) => [topic, value]), [['a', 'meanwhile'], ['b', '2']]);
  },

  async 'last-known values come first, and go when the server has them no longer'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    await world.publish('a/1', 'one', { retain: true });
    await world.publish('a/2', 'two', { retain: true });
    const client = await online(world, options);
    await client.subscribe('a/+').snapshot;
    await client.close();
    world.goOffline();
    await world.publish('a/1', '', { retain: true });
    const next = world.connect(options);
    const heard = [];
    const subscription = next.subscribe('a/{n}');
    subscription.onMessage((message) => void heard.push([message.topic, text(message), message.fromCache, message.retain]));
    await until('what is kept', () => heard.length === 2);
    assert.deepEqual(heard.splice(0).sort(), [['a/1', 'one', true, true], ['a/2', 'two', true, true]]);
    world.goOnline();
    await subscription.snapshot;
    assert.deepEqual(heard, [['a/2', 'two', false, true], ['a/1', '', false, true]]);
  },

  async 'last-known values are bounded, and the server is asked for the others'(world) {
    for (const n of [1, 2, 3]) await world.publish(`a/${n}`, 'x', { retain: true });
    for (const [identity, limits] of [['few', { cacheTopicsMax: 2 }], ['small', { cacheBytesMax: 150 }]]) {
      const options = { identity, storage: 'durable', limits };
      const client = await online(world, options);
      await client.subscribe('a/+').snapshot;
      const topics = new Set();
      const again = client.subscribe('a/+');
      again.onMessage(({ topic }) => void topics.add(topic));
      await again.snapshot;
      assert.deepEqual([...topics].sort(), ['a/1', 'a/2', 'a/3']);
      await client.close();
      world.goOffline();
      const next = world.connect(options);
      const kept = [];
      next.subscribe('a/+').onMessage((message) => void kept.push(message.fromCache));
      await until('what is kept', () => kept.length === 2);
      await became(next, 'offline');
      await next.close();
      assert.deepEqual(kept, [true, true]);
      world.goOnline();
    }
  },

  async 'what no handler was done with comes again in the next client'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    const client = await online(world, options);
    const subscription = client.subscribe('a', { qos: 2 });
    const ids = [];
    subscription.onMessage((message) => {
      ids.push(message.id);
      return text(message) === 'done' ? undefined : new Promise(() => {});
    });
    await subscription.granted;
    for (const value of ['done', 'not done']) await world.publish('a', value, { qos: 2 });
    await until('both', () => ids.length === 2);
    await client.close();
    const next = await online(world, options);
    const messages = await take(next.subscribe('a', { qos: 2 }), 1);
    assert.deepEqual(messages.map((message) => [text(message), message.redelivered, message.id]), [['not done', true, ids[1]]]);
  },

  async 'forget() leaves nothing to the next client'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    await world.publish('a', 'kept', { retain: true });
    const client = await online(world, options);
    await client.subscribe('a').snapshot;
    world.refuse('shut', 0x87);
    await assert.rejects(client.publish('shut', 'x', { qos: 1 }).acked, code('refused'));
    await client.forget();
    world.goOffline();
    const next = world.connect(options);
    assert.deepEqual([await next.outbox.list(), await next.outbox.deadLetters.list()], [[], []]);
    const heard = [];
    next.subscribe('a').onMessage((message) => void heard.push(message.fromCache));
    world.goOnline();
    await until('the value', () => heard.length > 0);
    assert.deepEqual([heard, next.state.session], [[false], 'fresh']);
  },

  async 'another client id is another session'(world) {
    const options = { identity: 'ana', storage: 'durable' };
    const client = await online(world, { ...options, clientId: 'one' });
    await client.close();
    const other = await online(world, { ...options, clientId: 'two' });
    assert.equal(other.state.session, 'fresh');
    await other.close();
    // The first one is of a client that nothing is known of any more.
    assert.equal((await online(world, { ...options, clientId: 'one' })).state.session, 'evicted');
  },

  async 'a client in memory leaves what is stored alone'(world) {
    world.goOffline();
    const client = world.connect({ identity: 'ana', storage: 'durable' });
    await client.publish('a', 'x', { qos: 1 }).stored;
    await client.close();
    const other = world.connect({ identity: 'ana', storage: 'memory' });
    assert.deepEqual(await other.outbox.list(), []);
    await other.close();
    assert.equal((await world.connect({ identity: 'ana', storage: 'durable' }).outbox.list()).length, 1);
  },
};
