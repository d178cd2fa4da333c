// What the tests find here: programs and files that `cargo xtask test` names in the environment, folders that go with the
// test, and waiting with a deadline. Nothing here sleeps for a fixed time.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const BROKER = process.env.EBBTIDE_TEST_BROKER;
export const CHROMIUM = process.env.EBBTIDE_TEST_CHROMIUM;
export const MOSQUITTO = process.env.EBBTIDE_TEST_MOSQUITTO;
/** The built npm package. */
export const PACKAGE = process.env.EBBTIDE_TEST_PACKAGE;

/** A client that has lost its connection several times may wait for 30 s until it tries again. */
export const EVENTUALLY_MS = 45_000;

/** For a test's options: without what it needs it is skipped, which the gate takes for a failure. */
export function needs(limitMs = 90_000, programs = { BROKER }) {
  const missing = Object.entries({ CHROMIUM, PACKAGE, ...programs }).filter(([, path]) => !path).map(([name]) => `EBBTIDE_TEST_${name}`);
  return { timeout: limitMs, skip: missing.length > 0 && `${missing.join(', ')} not set: run \`cargo xtask test client\`` };
}

/** A folder that is removed after the test. */
export async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), 'ebbtide-client-'));
  t.after(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

/** A port that nobody listens on at this moment, for programs that cannot choose one themselves. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Looks again until it holds, and returns what it saw; says what it saw last when the time is up. */
export async function eventually(what, look, holds = Boolean, limitMs = EVENTUALLY_MS) {
  const end = Date.now() + limitMs;
  let seen;
  do {
    seen = await look();
    if (holds(seen)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 25));
  } while (Date.now() < end);
  throw new Error(`${what}: not within ${limitMs} ms; last seen ${JSON.stringify(seen)?.slice(0, 2_000)}`);
}

/** Like `assert.deepEqual`, for lists too long to be printed: says where they begin to differ. */
export function assertSameList(actual, expected, what) {
  const length = Math.max(actual.length, expected.length);
  for (let at = 0; at < length; at++) {
    if (actual[at] === expected[at]) continue;
    const around = (list) => JSON.stringify(list.slice(Math.max(0, at - 3), at + 7));
    throw new Error(`${what}: from ${at} on (of ${actual.length} and ${expected.length}) ${around(actual)} instead of ${around(expected)}`);
  }
}

/** The promise, or an error that names what did not come. */
export async function within(limitMs, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
