// The hooks, in a document and in strict mode, and rendered on a server.

import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { Window } from 'happy-dom';
import { createElement as h, StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { EbbtideProvider, useClient, useConnection, usePresence, usePublish, useTopic, useTopics } from './react.js';
import { createTestBroker } from './testing/index.js';
import { code, guarded, online } from './support.mjs';

guarded();

const window = new Window();
const given = { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true };
// Later versions of Node have a navigator that cannot be assigned.
if (!globalThis.navigator) given.navigator = window.navigator;
Object.assign(globalThis, given);
// React looks for a document when it is loaded.
const { createRoot, hydrateRoot } = await import('react-dom/client');
const { act } = await import('react');

let root;
const screen = () => window.document.body.textContent;

async function render(client, component, makeRoot = createRoot) {
  window.document.body.innerHTML = '<main></main>';
  root = makeRoot(window.document.querySelector('main'), ...(makeRoot === createRoot ? [] : [component]));
  if (makeRoot === createRoot) await act(async () => root.render(h(StrictMode, null, h(EbbtideProvider, { client }, component))));
}

const during = (broker, change) =>
  act(async () => {
    change();
    await broker.settled();
  });

afterEach(async () => {
  await act(async () => root?.unmount());
  root = undefined;
});
after(() => window.close());

test('the state of the connection', async () => {
  const broker = createTestBroker();
  const client = broker.connect();
  const State = () => useConnection().state;
  await render(client, h(State));
  await during(broker, () => {});
  assert.equal(screen(), 'online');
  await during(broker, () => broker.goOffline());
  assert.equal(screen(), 'offline');
});

test('the last value of a topic, of another topic, and of none', async () => {
  const { broker, client } = await online();
  broker.publish('a', 'one', { retain: true });
  const Value = ({ topic }) => {
    const { message, ready, error } = useTopic(topic);
    return `${topic} ${message?.text()} ${ready} ${error?.code}`;
  };
  await render(client, h(Value, { topic: 'a' }));
  await during(broker, () => {});
  assert.equal(screen(), 'a one true undefined');
  await during(broker, () => broker.publish('a', 'two'));
  assert.equal(screen(), 'a two true undefined');
  const again = async (topic) => {
    await act(async () => root.render(h(StrictMode, null, h(EbbtideProvider, { client }, h(Value, { topic })))));
    await during(broker, () => {});
  };
  await again('b');
  assert.equal(screen(), 'b undefined true undefined');
  await again(null);
  assert.equal(screen(), 'null undefined false undefined');
  await again('#/a');
  assert.equal(screen(), '#/a undefined false topic-name');
});

test('a filter is not one topic, and said to be none', async () => {
  const { broker, client } = await online();
  broker.publish('lamp/a', 'on', { retain: true });
  const Lamp = ({ topic }) => useTopic(topic).error?.message ?? 'none';
  for (const topic of ['lamp/{name}', 'lamp/+', '#']) {
    await render(client, h(Lamp, { topic }));
    assert.match(screen(), /is not one topic; useTopics takes filters/);
  }
});

test('the list under a filter: one subscription for all components, one rendering for all that comes together', async () => {
  const { broker, client } = await online();
  for (const n of [2, 1]) broker.publish(`a/${n}`, `v${n}`, { retain: true });
  let renderings = 0;
  const List = () => {
    const { messages, ready } = useTopics('a/{n}', { qos: 1 });
    renderings++;
    return `${messages.map((message) => `${message.params.n}=${message.text()}`)} ${ready};`;
  };
  await render(client, [h(List, { key: 1 }), h(List, { key: 2 })]);
  renderings = 0;
  await during(broker, () => {});
  assert.equal(screen(), '1=v1,2=v2 true;'.repeat(2));
  // Strict mode renders twice.
  assert.equal(renderings, 4);
  assert.deepEqual((await client.inspect()).subscriptions, ['a/+']);
  await during(broker, () => broker.publish('a/1', '', { retain: true }));
  assert.equal(screen(), '2=v2 true;'.repeat(2));
});

test('publishing with a pending state', async () => {
  const { broker, client } = await online();
  let publisher;
  const Button = () => {
    publisher = usePublish();
    return `${publisher.pending} ${publisher.error?.reason}`;
  };
  await render(client, h(Button));
  assert.equal(screen(), '0 undefined');
  broker.goOffline();
  const same = publisher.publish;
  await during(broker, () => publisher.publish('a/{x}', 1, { qos: 1, params: { x: 'y' } }));
  assert.equal(screen(), '1 undefined');
  assert.equal(publisher.publish, same);
  await during(broker, () => broker.goOnline());
  assert.equal(screen(), '0 undefined');
  assert.equal(broker.published[0].topic, 'a/y');
  broker.refuse('no', 0x87);
  await during(broker, () => publisher.publish('no', 1, { qos: 1 }));
  assert.equal(screen(), '0 Not authorized');
  await during(broker, () => publisher.publish('yes', 1, { qos: 1 }));
  assert.equal(screen(), '0 undefined');
});

// Fails if the failure of an earlier publish is shown after a later one, or one that the application wanted.
test('the error of publishing is that of the last one, and none that was wanted', async () => {
  const { broker, client } = await online();
  let publisher;
  const Button = () => {
    publisher = usePublish();
    return `${publisher.pending} ${publisher.error?.code}`;
  };
  await render(client, h(Button));
  broker.refuse('no', 0x87);
  const publish = (topic) => publisher.publish(topic, 1, { qos: 1 });
  await during(broker, () => {
    publish('no');
    publish('yes');
  });
  assert.equal(screen(), '0 undefined');
  await during(broker, () => publish('no'));
  assert.equal(screen(), '0 refused');
  broker.goOffline();
  let taken;
  await during(broker, () => (taken = publish('yes')));
  await during(broker, () => taken.cancel());
  assert.equal(screen(), '0 undefined');
  await during(broker, () => publish('yes'));
  await during(broker, () => client.close());
  assert.equal(screen(), '0 undefined');
});

test('who is there, whether that is so now, and why it cannot be known', async () => {
  const { broker, client } = await online({ identity: 'ana', presence: { topic: 'presence/{client}', id: '1' } });
  const People = ({ filter }) => {
    const { users, ready, error } = usePresence(filter);
    return `${users.map(({ user, status }) => `${user} ${status};`).join('')} ${ready} ${error?.code}`;
  };
  await render(client, h(People));
  await during(broker, () => broker.publish('presence/2', { status: 'online', user: 'ben' }, { retain: true }));
  assert.equal(screen(), 'ana online;ben online; true undefined');
  await during(broker, () => broker.goOffline());
  assert.equal(screen(), 'ana online;ben online; false undefined');
  await during(broker, () => broker.goOnline());
  assert.equal(screen(), 'ana online;ben online; true undefined');
  await render(client, h(People, { filter: 'presence/#/x' }));
  await during(broker, () => {});
  assert.equal(screen(), ' false topic-filter');
});

// Somebody else keeps the store alive. Fails if the first rendering says that nobody is there.
test('who is there is not called ready before it is shown', async () => {
  const { broker, client } = await online();
  broker.publish('presence/2', { status: 'online' }, { retain: true });
  client.presence('presence/+').subscribe(() => {});
  await broker.settled();
  const seen = new Set();
  const People = () => {
    const { users, ready } = usePresence('presence/+');
    seen.add(`${users.length} ${ready}`);
    return null;
  };
  await render(client, h(People));
  assert.deepEqual([...seen], ['0 false', '1 true']);
});

test('after it is unmounted nothing is subscribed', async (context) => {
  const { broker, client } = await online();
  await render(client, h(() => useTopics('a/+').messages.length));
  await during(broker, () => {});
  context.mock.timers.enable({ apis: ['setTimeout'] });
  act(() => root.unmount());
  root = undefined;
  for (let turn = 0; turn < 10; turn++) context.mock.timers.tick(500);
  context.mock.timers.reset();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual((await client.inspect()).subscriptions, []);
});

test('on a server nothing is connected, and the page takes over what it wrote', async () => {
  const Page = () => {
    const client = useClient();
    const { message, ready } = useTopic('a');
    const { pending } = usePublish();
    return h('p', null, `${useConnection().state} ${message?.text()} ${ready} ${pending} ${useTopics('b/+').messages.length} ${usePresence('c/+').users.length} ${client === null ? 'server' : 'page'}`);
  };
  const html = renderToString(h(EbbtideProvider, { client: null }, h(Page)));
  assert.equal(html, '<p>connecting undefined false 0 0 0 server</p>');

  const { broker, client } = await online();
  broker.publish('a', 'one', { retain: true });
  const errors = [];
  const Hydrated = () => h(EbbtideProvider, { client }, h(() => h('p', null, `${useConnection().state} ${useTopic('a').message?.text()}`)));
  window.document.body.innerHTML = '<main><p>connecting undefined</p></main>';
  await act(async () => {
    root = hydrateRoot(window.document.querySelector('main'), h(Hydrated), { onRecoverableError: (error) => errors.push(error) });
  });
  await during(broker, () => {});
  assert.deepEqual([screen(), errors], ['online one', []]);
});

test('without a provider the hooks say so', () => {
  assert.throws(() => renderToString(h(() => useConnection().state)), (error) => code('not-supported')(error) && /no <EbbtideProvider>/.test(error.message));
});
