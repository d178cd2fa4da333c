// Pages that subscribe, read the payload of each message and count: one for each client, otherwise the same.

/** `expect(count)`: from now on; then `all` resolves to ms from the first to the last of them, and the sum of their bytes. */
const COUNTER = `
  let left = 0, first = 0, sum = 0, resolve;
  const take = (payload) => {
    if (first === 0) first = performance.now();
    for (let at = 0; at < payload.length; at++) sum = (sum + payload[at]) | 0;
    if (--left === 0) resolve({ ms: performance.now() - first, sum });
  };
  globalThis.expect = (count) => { left = count; first = sum = 0; globalThis.all = new Promise((then) => (resolve = then)); };`;

const ours = (options) => (address, topic, qos) => `import { connect } from './ebbtide/index.js';
  ${COUNTER}
  const client = connect(${JSON.stringify(address)}, { identity: 'counter', ...${JSON.stringify(options)} });
  const subscription = client.subscribe(${JSON.stringify(topic)}, { qos: ${qos} });
  subscription.onMessage((message) => take(message.bytes()));
  globalThis.ready = subscription.granted;`;

/** What ours are measured beside. */
export const OTHER = 'MQTT.js, in memory';

/** Name → script. */
export const COUNTING_PAGES = {
  'ebbtide, durable': ours({}),
  'ebbtide, in memory': ours({ storage: 'memory' }),
  [OTHER]: (address, topic, qos) => `import mqtt from 'mqtt';
  ${COUNTER}
  const client = mqtt.connect(${JSON.stringify(address)}, { protocolVersion: 5, clientId: 'counter-' + Date.now() });
  client.on('message', (_, payload) => take(payload));
  globalThis.ready = client.subscribeAsync(${JSON.stringify(topic)}, { qos: ${qos} });`,
};

/** Opens such a page; resolves when the server has granted its subscription. */
export async function openCounting(context, site) {
  const page = await context.newPage();
  await page.goto(site.url);
  await page.waitForFunction(() => globalThis.ready?.then(() => true), undefined, { polling: 100 });
  return page;
}

/** Publishes so many, and waits until the page has them all. Returns how long that took from the first to the last, ms. */
export async function count(page, publisher, messages, qos) {
  await page.evaluate((number) => globalThis.expect(number), messages);
  const came = page.evaluate(() => globalThis.all);
  await publisher.publish(messages, qos);
  const { ms, sum } = await came;
  if (sum !== ((messages * publisher.payloadSum) | 0)) throw new Error('the payloads are not those that were sent');
  return ms;
}
