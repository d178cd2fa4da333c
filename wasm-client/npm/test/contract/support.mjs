// What cases wait for, and see of a client.

const LATE_MS = 15_000;

export async function until(what, holds) {
  const end = Date.now() + LATE_MS;
  for (;;) {
    const seen = await holds();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const code = (expected) => (error) => error.name === 'EbbtideError' && error.code === expected;
export const became = (client, state) => until(state, () => client.state.state === state);
/** How many messages wait in it, of what `inspect()` says of either client. */
export const inboxOf = ({ inbox, leader }) => inbox ?? leader.inbox;
export const text = (message) => message.text();
export const TOO_LONG = 'x'.repeat(65_536);

/** A client whose states are noted: with a number for every wait, and without what is in words. */
export function noted(world, options) {
  const client = world.connect(options);
  const states = [];
  client.on('state', ({ state, session, reasonCode, retryInMs, connack, error }) => {
    const wait = typeof retryInMs === 'number' ? 'later' : retryInMs;
    states.push(Object.fromEntries(Object.entries({ state, session, reasonCode, retryInMs: wait, present: connack?.sessionPresent, code: error?.code }).filter(([, value]) => value !== undefined)));
  });
  return { client, states };
}

export async function online(world, options) {
  const client = world.connect(options);
  await became(client, 'online');
  return client;
}

export async function offline(world, client) {
  world.goOffline();
  await became(client, 'offline');
}

/** The next messages of a subscription. */
export async function take(subscription, count) {
  const messages = [];
  while (messages.length < count) messages.push((await subscription.next()).value);
  return messages;
}
