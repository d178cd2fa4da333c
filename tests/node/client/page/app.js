// What the tests ask of a page: one client, everything it says kept where the test can look (`window.app`), and each message
// noted at the web server before its handler returns.

import { connect } from '/pkg/index.js';

const tab = new URLSearchParams(location.search).get('tab');
let client;

const app = {
  states: [],
  reports: [],
  subscriptions: {},
  /** Every message that any loop was given, in order. */
  messages: [],
  /** By the order of the calls: { text, stored, acked }; `acked` becomes 'ok' or what it failed with. */
  published: [],
  counted: 0,
  /** How often new credentials were asked for. */
  asked: 0,
  /** What the next questions for credentials are answered with: credentials, a token, or 'throw'; the last answer stays. */
  answers: [],

  /** Options as `connect` takes them; `asks: true` for a callback. */
  connect(url, { asks = false, ...options } = {}) {
    const credentials = async () => {
      app.asked += 1;
      const answer = app.answers.length > 1 ? app.answers.shift() : app.answers[0];
      if (answer === 'throw') throw new Error('no token today');
      return typeof answer === 'string' ? { authenticationData: new TextEncoder().encode(answer) } : answer;
    };
    client = connect(url, { ...options, ...(asks ? { credentials } : {}) });
    app.client = client;
    client.on('state', (state) => app.states.push({ ...state, error: state.error?.code, atMs: performance.now() }));
    client.on('report', (report) => app.reports.push({ ...report, error: report.error?.code }));
    app.states.push({ ...client.state, atMs: performance.now() });
  },

  /** Loops over a filter until the page ends. `note`: at the web server, too, before the next is asked for. */
  subscribe(filter, { note = false, ...options } = {}) {
    const subscription = client.subscribe(filter, options);
    const state = { granted: undefined, snapshots: 0, inferred: [], ended: undefined };
    subscription.granted.then((qos) => (state.granted = qos), (error) => (state.granted = error.code));
    subscription.onSnapshot(({ inferred }) => (state.snapshots = state.inferred.push(inferred)));
    app.subscriptions[filter] = state;
    const loop = async () => {
      for await (const message of subscription) {
        const { topic, qos, retain, dup, id, redelivered, fromCache, storedAt } = message;
        const seen = { topic, text: message.text(), qos, retain, dup, id, redelivered, fromCache, storedAt };
        app.messages.push({ ...seen, atMs: performance.now() });
        if (note) await fetch('/note', { method: 'POST', body: JSON.stringify({ tab, ...seen }) });
      }
    };
    loop().then(() => (state.ended = 'over'), (error) => (state.ended = error.code ?? String(error)));
  },

  /** Counts what comes under a filter (`counted`), and keeps nothing of it. */
  count(filter, options) {
    const subscription = client.subscribe(filter, options);
    const state = { granted: undefined };
    subscription.granted.then((qos) => (state.granted = qos), (error) => (state.granted = error.code));
    app.subscriptions[filter] = state;
    subscription.onMessage(() => void (app.counted += 1));
  },

  /** Publishes; what becomes of it is in `published`. */
  publish: (topic, text, options = {}) => void publish(topic, text, options),

  /** Publishes, and settles when all are stored. */
  async publishAll(list) {
    await Promise.all(list.map(({ topic, text, ...options }) => publish(topic, text, options).stored));
  },

  /** Publishes numbers, each when the one before is stored, or so long after it, until `publishNoMore`, which gives how many were. */
  publishOn(topic, options, pauseMs = 0) {
    app.publishedOn = 0;
    app.publishing = true;
    const run = async () => {
      while (app.publishing) {
        await client.publish(topic, String(app.publishedOn), options).stored;
        app.publishedOn += 1;
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    };
    app.run = run();
  },
  async publishNoMore() {
    app.publishing = false;
    await app.run;
    return app.publishedOn;
  },

  /** What still waits: topic, text, stage. */
  async outbox() {
    const rows = await client.outbox.list();
    return rows.map(({ topic, payload, key, stage }) => ({ topic, text: new TextDecoder().decode(payload), key, stage }));
  },

  /** The texts of all messages so far. */
  seen: () => app.messages.map(({ text }) => text),
  /** Whether this text has come; and what came last. */
  lately: (text) => ({ has: app.messages.findLastIndex((message) => message.text === text) >= 0, last: app.messages.at(-1)?.text }),

  /** Names of what this origin keeps: databases, keys, held locks. */
  async stored() {
    const { held } = await navigator.locks.query();
    const databases = await indexedDB.databases();
    return [...databases.map(({ name }) => name), ...Object.keys(localStorage), ...held.map(({ name }) => name)];
  },

  /** Publishes that the server refused for good. */
  async deadLetters() {
    const letters = await client.outbox.deadLetters.list();
    return letters.map(({ seq, topic, payload, key, reasonCode }) => ({ seq, topic, text: new TextDecoder().decode(payload), key, reasonCode }));
  },
  retry: (seq) => client.outbox.deadLetters.retry({ seq }),
  discard: (seq) => client.outbox.deadLetters.discard({ seq }),

  /** How many rows a table of the identity's database has. */
  async storedIn(table) {
    const [{ name }] = await indexedDB.databases();
    const done = (request) => new Promise((resolve, reject) => Object.assign(request, {
      onsuccess: () => resolve(request.result), onerror: () => reject(request.error),
    }));
    const database = await done(indexedDB.open(name));
    const transaction = database.transaction(table);
    const rows = await done(transaction.objectStore(table).count());
    // Until then it keeps others from the table.
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    database.close();
    return rows;
  },

  /** Whether this tab holds the connection. */
  leading: () => app.reports.findLast(({ kind }) => kind === 'leader')?.leading === true,

  renewCredentials: () => client.renewCredentials(),
  inspect: () => client.inspect(),
  close: () => client.close(),
  forget: () => client.forget(),
};

function publish(topic, text, options) {
  const publication = client.publish(topic, text, options);
  const state = { topic, text, stored: undefined, acked: undefined, reasonCode: undefined };
  app.published.push(state);
  publication.stored.then(() => (state.stored = 'ok'), (error) => (state.stored = error.code));
  publication.acked.then(() => (state.acked = 'ok'), (error) => Object.assign(state, { acked: error.code, reasonCode: error.reasonCode }));
  return publication;
}

window.app = app;
