// MQTT.js and the npm package `ebbtide`, both in one page of Chromium, exchange messages through the broker.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { open } from './chromium.mjs';

const [base] = process.argv.slice(2);
const bundle = join(dirname(createRequire(import.meta.url).resolve('mqtt/package.json')), 'dist/mqtt.esm.js');
// The page is the broker's own, for a page that is not from here could not reach a loopback address. Its content security
// policy is off: MQTT.js runs its timers in a worker that it makes from a blob.
const { browser, context, page, faults } = await open({ bypassCSP: true });
const late = setTimeout(() => {
  console.error('no end in time', faults);
  process.exit(1);
}, 40_000);

try {
  await context.route('**/mqtt.esm.js', (route) => route.fulfill({ contentType: 'text/javascript', path: bundle }));
  await page.goto(`${base}/docs/`);
  const got = await page.evaluate(async (url) => {
    const { connect } = await import('/pkg/index.js');
    const mqtt = (await import('/mqtt.esm.js')).default;

    const theirs = await mqtt.connectAsync(url, { protocolVersion: 5 });
    const ours = connect(url, { clientId: 'exchange' });
    const toThem = new Promise((resolve) => theirs.on('message', (topic, payload) => resolve(`${topic} ${payload}`)));
    await theirs.subscribeAsync('to/them', { qos: 1 });
    await theirs.publishAsync('to/us', 'kept', { qos: 1, retain: true });

    const forUs = ours.subscribe('to/us')[Symbol.asyncIterator]();
    const first = (await forUs.next()).value;
    await theirs.publishAsync('to/us', 'live', { qos: 1 });
    const second = (await forUs.next()).value;

    const sent = ours.publish('to/them', 'hello', { qos: 1 });
    await sent.acked;
    const them = await toThem;
    await ours.close();
    await theirs.endAsync();
    return { first: first.text(), second: second.text(), them };
  }, base.replace('http', 'ws') + '/mqtt');
  assert.deepEqual(got, { first: 'kept', second: 'live', them: 'to/them hello' });
} catch (error) {
  console.error(error);
  console.error(faults.join('\n'));
  process.exitCode = 1;
} finally {
  clearTimeout(late);
  await browser.close();
}
