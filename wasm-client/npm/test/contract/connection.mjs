// Connections: states, refusals and waits, credentials, sessions, wills, and the end.

import assert from 'node:assert/strict';
import { became, code, noted, offline, online, TOO_LONG, until } from './support.mjs';

export const CONNECTION = {
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
    assert.deepEqual([states, client.state.reason], [[{ state: 'needs-auth' }], 'no credentials']);
  },

  async 'new credentials are for the next attempt, unless there is an authentication method'(world) {
    let asked = 0;
    const client = await online(world, { credentials: () => ({ username: `${++asked}` }) });
    client.renewCredentials();
    await client.publish('a', 'x', { qos: 1 }).acked;
    assert.equal(asked, 1);
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

  async 'needs-auth stays, whatever the network does'(world) {
    world.refuseConnect(0x86);
    const { client, states } = noted(world);
    await became(client, 'needs-auth');
    world.goOffline();
    await assert.rejects(client.publish('a', 'x').acked, code('offline'));
    assert.deepEqual(states.map(({ state }) => state), ['needs-auth']);
  },

  // Of two tabs of one browser it may be the wrong one that took over: then nobody but the old one is left to come back.
  async 'another client with the same id takes over, and the old one comes back after a wait'(world) {
    const { client: old, states } = noted(world, { identity: 'old', clientId: 'same' });
    await became(old, 'online');
    const { client, states: others } = noted(world, { identity: 'new', clientId: 'same' });
    const reports = [];
    client.on('evicted', ({ kind }) => reports.push(kind));
    const reasons = [];
    old.on('state', ({ reason }) => reason && reasons.push(reason));
    await until('online again', () => states.filter(({ state }) => state === 'online').length > 1);
    await until('the report', () => reports.length > 0);
    await client.close();
    assert.deepEqual(states.slice(0, 4).map(({ session, present, ...state }) => state), [
      { state: 'online' }, { state: 'offline', reasonCode: 0x8e, retryInMs: 'later' }, { state: 'connecting' }, { state: 'online' },
    ]);
    assert.match(reasons[0], /^Session taken over/);
    // What the new one does not know is evicted.
    assert.deepEqual(others[0], { state: 'online', session: 'evicted', present: false });
    await became(old, 'online');
    await old.publish('a', 'x', { qos: 1 }).acked;
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

  async 'connect() during forget()'(world) {
    const before = await online(world, { identity: 'ana', clientId: 'ana' });
    const forgotten = before.forget();
    const client = world.connect({ identity: 'ana', clientId: 'ana' });
    const { acked } = client.publish('a', 'x', { qos: 1 });
    await forgotten;
    await acked;
    assert.deepEqual([before, client].map(({ state }) => [state.state, state.session]), [['closed', undefined], ['online', 'fresh']]);
    await client.forget();
  },

  // Fails if the one pulls the ground from under the other: the session would stay at the server, and what is stored stay here.
  async 'forget(), forget() again and close() at the same time'(world) {
    const options = { identity: 'ana', clientId: 'ana', storage: 'durable' };
    const client = await online(world, options);
    world.refuse('shut', 0x87);
    await assert.rejects(client.publish('shut', 'x', { qos: 1 }).acked, code('refused'));
    const forgotten = client.forget();
    assert.equal(client.forget(), forgotten);
    const closed = client.close();
    await closed;
    assert.equal(client.state.state, 'closed');
    await forgotten;
    const again = await online(world, options);
    assert.deepEqual([again.state.session, again.state.connack.sessionPresent, await again.outbox.deadLetters.list()], ['fresh', false, []]);
  },

  async 'close() and forget() at the same time'(world) {
    const options = { identity: 'ana', clientId: 'ana', storage: 'durable' };
    const client = await online(world, options);
    await client.subscribe('a', { qos: 1 }).granted;
    const closed = client.close();
    await assert.rejects(client.forget(), code('closed'));
    await closed;
    await assert.rejects(client.forget(), code('closed'));
    // What is stored stays, and so does the session.
    assert.equal((await online(world, options)).state.session, 'resumed');
  },

  async 'close() during a forget() that cannot reach the server rejects with nothing'(world) {
    const client = await online(world, { identity: 'ana' });
    await offline(world, client);
    const forgotten = client.forget();
    await client.close();
    await assert.rejects(forgotten, code('offline'));
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

  // Fails if a farewell that did not arrive is taken for one that did: the entry would be online for ever.
  async 'close() turns the presence entry offline by the will where it cannot say it'(world) {
    const client = await online(world, { identity: 'ana', presence: { topic: 'presence/{client}', id: '1', offlineDelayS: 0 } });
    const statuses = () => world.published().map(({ text: value }) => JSON.parse(value).status);
    await until('online', () => statuses().length > 0);
    world.refuse('presence/1', 0x87);
    await client.close();
    await until('offline', () => statuses().length > 1);
    assert.deepEqual(statuses(), ['online', 'offline']);
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
};
