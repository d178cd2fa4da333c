// Credentials that change: asked for before each attempt, renewed without a new connection, refused for good.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { startEbbtide } from './harness/broker.mjs';
import { openWindow } from './harness/browser.mjs';
import { startLink } from './harness/link.mjs';
import { startPages } from './harness/pages.mjs';
import { eventually, folder, needs } from './harness/place.mjs';
import { startScripted } from './harness/scripted.mjs';

const BAD_CREDENTIALS = 0x86;
const NOT_AUTHORIZED = 0x87;
const REAUTHENTICATE = 0x19;
/** So long before its end a token is replaced. */
const RENEWED_BEFORE_S = 30;

// Fails if credentials are asked for once and kept: the second attempt would go out with an expired token.
test('the callback is asked before each attempt', needs(90_000, {}), async (t) => {
  const { server, tab } = await opened(t);
  await answer(tab, ['first', 'second', 'third'].map((password) => ({ username: 'ana', password })));
  await tab.call('connect', server.url, { identity: 'ana', asks: true });
  await tab.state('online');
  for (const count of [2, 3]) {
    server.drop();
    await eventually('connected again', () => server.received('connect').length, (connects) => connects === count);
  }
  await tab.state('online');
  assert.deepEqual(server.received('connect').map(({ username, password }) => `${username} ${password}`), ['ana first', 'ana second', 'ana third']);
  assert.equal(await tab.page.evaluate(() => window.app.asked), 3);
});

// Fails if the client goes on knocking with credentials that were refused, or cannot be told that there are new ones.
for (const reasonCode of [BAD_CREDENTIALS, NOT_AUTHORIZED]) {
  test(`a token refused with 0x${reasonCode.toString(16)}: needs-auth, no further attempt until there is a new one`, needs(90_000, {}), async (t) => {
    const { server, tab } = await opened(t);
    server.answers.connect = (packet, connection) => {
      if (String(packet.password) === 'good') connection.accept();
      else connection.refuse(reasonCode);
    };
    await answer(tab, [{ username: 'ana', password: 'bad' }]);
    await tab.call('connect', server.url, { identity: 'ana', asks: true });
    const state = await tab.state('needs-auth');
    assert.equal(state.reasonCode, reasonCode);
    await tab.call('publishAll', [{ topic: 'out/1', text: 'kept', qos: 1 }]);
    // Longer than any wait would be: the time of the page is moved.
    await tab.page.clock.fastForward('10:00');
    await tab.page.clock.fastForward('10:00');
    assert.equal(server.connections.length, 1);
    assert.equal((await tab.state('needs-auth')).state, 'needs-auth');

    await answer(tab, [{ username: 'ana', password: 'good' }]);
    await tab.call('renewCredentials');
    await tab.state('online');
    await tab.eventually('an empty outbox', () => window.app.outbox(), (rows) => rows.length === 0);
  });
}

// Fails if a callback that fails ends the client, or is asked again without a pause.
test('a callback that fails is asked again later', needs(90_000, {}), async (t) => {
  const { server, tab } = await opened(t);
  await answer(tab, ['throw', { username: 'ana', password: 'good' }]);
  await tab.call('connect', server.url, { identity: 'ana', asks: true });
  const states = await tab.eventually('online', () => window.app.states, (all) => all.at(-1).state === 'online');
  const failed = states.find(({ state }) => state === 'offline');
  assert.match(failed.reason, /no token today/);
  assert.equal(server.connections.length, 1);
  assert.equal(await tab.page.evaluate(() => window.app.asked), 2);
});

// Fails if new credentials need a new connection, or an AUTH from the server ends one.
test('AUTH renews the credentials on the connection that stands', needs(90_000, {}), async (t) => {
  const { server, tab } = await opened(t);
  const method = 'ebbtide-jwt';
  server.answers.connect = (_, connection) => connection.accept(false, { authenticationMethod: method });
  server.answers.auth = ({ properties }, connection) => {
    connection.send({ cmd: 'auth', reasonCode: 0, properties: { authenticationMethod: properties.authenticationMethod } });
  };
  await answer(tab, ['token 1', 'token 2']);
  await tab.call('connect', server.url, { identity: 'ana', asks: true, authenticationMethod: method });
  await tab.state('online');
  const [{ properties }] = server.received('connect');
  assert.deepEqual([properties.authenticationMethod, String(properties.authenticationData)], [method, 'token 1']);

  await tab.call('renewCredentials');
  const [auth] = await eventually('AUTH', () => server.received('auth'), (all) => all.length === 1);
  assert.deepEqual([auth.reasonCode, String(auth.properties.authenticationData)], [REAUTHENTICATE, 'token 2']);
  await tab.call('publishAll', [{ topic: 'out/1', text: 'still here', qos: 1 }]);
  await tab.eventually('an empty outbox', () => window.app.outbox(), (rows) => rows.length === 0);
  assert.equal(server.connections.length, 1);
  assert.deepEqual(await tab.page.evaluate(() => window.app.states.map(({ state }) => state)), ['connecting', 'online']);
});

// Fails if a token is only renewed by a new connection, once the server has ended the old one.
test('a token is renewed by AUTH before it expires, by itself', needs(90_000, {}), async (t) => {
  const { server, tab } = await opened(t);
  const authenticationMethod = 'ebbtide-jwt';
  server.answers.connect = (_, connection) => connection.accept(false, { authenticationMethod });
  server.answers.auth = (_, connection) => connection.send({ cmd: 'auth', reasonCode: 0, properties: { authenticationMethod } });
  const now = await tab.page.evaluate(() => Date.now() / 1_000);
  const tokens = [RENEWED_BEFORE_S + 2, 3_600].map((lifeS) => {
    return ['{}', JSON.stringify({ exp: Math.floor(now) + lifeS })].map((part) => Buffer.from(part).toString('base64url')).join('.') + '.x';
  });
  await answer(tab, tokens);
  await tab.call('connect', server.url, { identity: 'ana', asks: true, authenticationMethod });
  await tab.state('online');
  const [auth] = await eventually('AUTH', () => server.received('auth'), (all) => all.length === 1);
  assert.equal(String(auth.properties.authenticationData), tokens[1]);
  assert.equal(server.connections.length, 1);
});

const SECRET = 'the secret of somebody who signs tokens';

// Fails if the broker and the client do not mean the same by `ebbtide-jwt`, or if a token that the broker refuses is tried again.
test('Ebbtide takes the next token on the connection that stands; one that has expired is needs-auth', needs(), async (t) => {
  const place = await folder(t);
  await writeFile(join(place, 'secret'), SECRET);
  const config = join(place, 'ebbtide.toml');
  await writeFile(config, [
    'auth = ["jwt"]', '[[jwt]]', 'name = "issuer"', 'algorithms = ["HS256"]', `key_file = "${join(place, 'secret')}"`,
    '[[rules]]', 'effect = "allow"', 'who = "authenticated"', 'actions = ["publish"]', 'topics = ["#"]', '',
  ].join('\n'));
  const link = await startLink(t, await startEbbtide(t, ['--config', config]));
  const { tab } = await opened(t, link);
  const now = () => Math.floor(Date.now() / 1_000);
  const firstUntil = now() + 4;
  await answer(tab, [firstUntil, now() + 3_600].map(tokenUntil));
  await tab.call('connect', link.url, { identity: 'ana', asks: true, authenticationMethod: 'ebbtide-jwt' });
  await tab.state('online');
  await eventually('AUTH accepted', () => link.trace.some(({ up, packet }) => !up && packet.cmd === 'auth' && packet.reasonCode === 0));
  await eventually('the end of the first token', () => now() > firstUntil);
  await tab.call('publishAll', [{ topic: 'out/1', text: 'still here', qos: 1 }]);
  await tab.eventually('an empty outbox', () => window.app.outbox(), (rows) => rows.length === 0);
  assert.equal(link.opened, 1);
  assert.deepEqual(await tab.page.evaluate(() => window.app.states.map(({ state }) => state)), ['connecting', 'online']);

  await answer(tab, [tokenUntil(now() - 60)]);
  link.drop();
  await tab.state('needs-auth');
  await tab.page.clock.fastForward('10:00');
  await answer(tab, [tokenUntil(now() + 3_600)]);
  assert.equal(link.opened, 2);
  await tab.call('renewCredentials');
  await tab.state('online');
});

/** A JSON Web Token of the issuer; `until`: seconds since 1970. */
function tokenUntil(until) {
  const [head, body] = [{ alg: 'HS256', typ: 'JWT' }, { sub: 'ana', exp: until }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  return `${head}.${body}.${createHmac('sha256', SECRET).update(`${head}.${body}`).digest('base64url')}`;
}

/** `server`: by default one that answers as the test says. */
async function opened(t, server) {
  server ??= await startScripted(t);
  const pages = await startPages(t);
  const window = await openWindow(t, pages);
  const tab = await window.tab('a', 'elsewhere.html');
  await tab.page.clock.install();
  await tab.page.goto(pages.url('a'));
  return { server, tab };
}

/** What the page's callback answers next: credentials, a token as authentication data, or 'throw'. */
function answer(tab, answers) {
  return tab.page.evaluate((given) => (window.app.answers = given), answers);
}
