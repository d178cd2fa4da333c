// How long 1,000 QoS 1 messages that were published without a connection take over a link of 50 ms there and back, once there is one: ours,
// kept in IndexedDB, and MQTT.js, kept in memory; each in a Chromium of its own, one after the other. It fails when ours is above its line.
//   node drain.mjs <http:// of a broker> <folder of the package> [repetitions]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPage, expectLine, inBrowser, median } from './measured-page.mjs';
import { serve } from './site.mjs';

const [broker, folder, repetitions = '3'] = process.argv.slice(2);
const ROUND_TRIP_MS = 50;
const COUNT = 1000;
/** Of ours. */
const ROUND_TRIPS_MAX = 10;
const root = mkdtempSync(join(tmpdir(), 'ebbtide-drain-'));

/** Each page: `queued()` when all is published and nothing is sent, then `drained()`: ms from the first CONNACK to the last PUBACK. */
const PAGES = {
  ebbtide: `import { connect } from './ebbtide/index.js';
    const client = connect('/mqtt', { identity: 'drain' });
    let online;
    client.on('state', ({ state }) => { if (state === 'online') online ??= performance.now(); });
    const sent = Array.from({ length: ${COUNT} }, (_, i) => client.publish('drain/a', 'message ' + i, { qos: 1, coalesce: false }));
    globalThis.queued = () => Promise.all(sent.map((one) => one.stored)).then(() => true);
    globalThis.drained = async () => { client.reconnectNow(); await Promise.all(sent.map((one) => one.acked)); return performance.now() - online; };`,
  'MQTT.js': `import mqtt from 'mqtt';
    const client = mqtt.connect(location.origin.replace('http', 'ws') + '/mqtt', { protocolVersion: 5, reconnectPeriod: 200, clientId: 'drain-' + Date.now() });
    client.on('error', () => {});
    let online;
    // Its \`connect\` comes after the queue is empty.
    client.on('packetreceive', ({ cmd }) => { if (cmd === 'connack') online ??= performance.now(); });
    const sent = Array.from({ length: ${COUNT} }, (_, i) => client.publishAsync('drain/b', 'message ' + i, { qos: 1 }));
    globalThis.queued = async () => true;
    globalThis.drained = async () => { await Promise.all(sent); return performance.now() - online; };`,
};

async function measure(name) {
  const site = await serve(await buildPage(root, name, PAGES[name], folder), broker, { up: false, delayMs: ROUND_TRIP_MS / 2 });
  try {
    return await inBrowser(async (_, context) => {
      const page = await context.newPage();
      await page.goto(site.url);
      await page.waitForFunction(() => globalThis.drained);
      await page.evaluate(() => globalThis.queued());
      const drained = page.evaluate(() => globalThis.drained());
      site.link.up = true;
      return drained;
    });
  } finally {
    site.close();
  }
}

try {
  console.log('| client | 1,000 offline messages, ms | round trips of 50 ms |');
  console.log('|---|---:|---:|');
  for (const name of Object.keys(PAGES)) {
    const times = [];
    for (let i = 0; i < Number(repetitions); i++) times.push(await measure(name));
    const ms = median(times);
    const roundTrips = ms / ROUND_TRIP_MS;
    console.log(`| ${name} | ${ms.toFixed(0)} | ${roundTrips.toFixed(1)} |`);
    if (name === 'ebbtide') expectLine(roundTrips < ROUND_TRIPS_MAX, `${roundTrips.toFixed(1)} round trips, and ${ROUND_TRIPS_MAX} are the line`);
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
