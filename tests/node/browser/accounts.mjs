// What the tests of signing in and of the access page share: to sign in, and to use the API as somebody who is.

import assert from 'node:assert/strict';

export async function signIn(page, user, password) {
  await page.getByLabel('User').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** What the API answers to this bearer. */
export async function ask(base, bearer, method, path, body) {
  return fetch(`${base}/api/v1/${path}`, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
    body: body && JSON.stringify(body),
  });
}

export async function account(base, user, password) {
  const answer = await fetch(`${base}/api/v1/login`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ user, password }),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  const { token } = await answer.json();
  const done = async (...asked) => {
    const answered = await ask(base, token, ...asked);
    assert.equal(answered.status, 200, await answered.clone().text());
    return answered.json();
  };
  return {
    done,
    publish: (topic, payload) => done('POST', 'publish', { topic, payload, retain: true }),
    setUser: (name, change) => done('PUT', `users/${encodeURIComponent(name)}`, change),
  };
}
