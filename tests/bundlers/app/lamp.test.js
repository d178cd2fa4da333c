// A test that a user of Vitest writes, as docs/client/testing.md has it: the broker is in memory, and nothing of a browser is there.

import { createTestBroker } from 'ebbtide/testing';
import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => vi.useRealTimers());

test('what is published offline is sent when the network is back', async () => {
  const broker = createTestBroker();
  const client = broker.connect({ identity: 'ana' });
  broker.goOffline();
  const sent = client.publish('config/lamp', { on: true }, { qos: 1, retain: true });
  await sent.stored;
  expect(broker.published).toEqual([]);
  broker.goOnline();
  await sent.acked;
  expect(broker.retained.get('config/lamp').json()).toEqual({ on: true });
});

test('with fake timers it tries again, and a will comes, when the test says so', async () => {
  vi.useFakeTimers();
  const broker = createTestBroker();
  broker.goOffline();
  const client = broker.connect({ will: { topic: 'gone', payload: 'bye', delayIntervalS: 5 } });
  await vi.advanceTimersByTimeAsync(0);
  expect(client.state).toMatchObject({ state: 'offline', retryInMs: 1_000 });
  broker.goOnline();
  await vi.advanceTimersByTimeAsync(0);
  expect(client.state.state).toBe('online');
  broker.crash(client);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(broker.published).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(broker.published.at(-1).text()).toBe('bye');
});
