// The HTTP API as somebody else than the page uses it.

import assert from 'node:assert/strict';

const JSON_BODY = { 'content-type': 'application/json' };

export function api(base) {
  const ask = async (method, path, body) => {
    const answer = await fetch(`${base}/api/v1/${path}`, { method, headers: JSON_BODY, body: body && JSON.stringify(body) });
    return answer;
  };
  return {
    // Retained, unless a message says otherwise; any number of them.
    async publish(messages) {
      for (let at = 0; at < messages.length; at += 1000) {
        const part = messages.slice(at, at + 1000).map((message) => ({ retain: true, ...message }));
        const answer = await ask('POST', 'publish/many', { messages: part });
        assert.equal(answer.status, 200, await answer.clone().text());
        const { results } = await answer.json();
        assert.deepEqual(results.filter(({ reason_code: code }) => code >= 128), []);
      }
    },
    // `undefined`: nothing is kept there.
    async retained(topic) {
      const answer = await ask('GET', `retained/${encodeURIComponent(topic)}`);
      return answer.status === 404 ? undefined : answer.json();
    },
    async countRetained(filter) {
      const answer = await ask('DELETE', `retained?filter=${encodeURIComponent(filter)}&dry_run=true`);
      return (await answer.json()).count;
    },
  };
}
