// How fast a page takes messages of 256 bytes, and the processor time that it needs for each: ours with its inbox in IndexedDB, ours in memory,
// and MQTT.js, which is always in memory. Each round has all of them, one after the other, in a Chromium of its own, on one broker. It fails
// when one of ours is slower than MQTT.js, or needs more.
//   node rates.mjs <http:// of a broker> <its MQTT port> <folder of the package> [rounds] [messages]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { count, COUNTING_PAGES, openCounting, OTHER } from './counting-pages.mjs';
import { buildPage, expectLine, inBrowser, median } from './measured-page.mjs';
import { openPublisher } from './publisher.mjs';
import { serve } from './site.mjs';

const [broker, mqttPort, folder, rounds = '5', messages = '100000'] = process.argv.slice(2);
const MESSAGES = Number(messages);
/** Before it is measured: code is compiled, and what it takes is allocated. */
const WARM_UP = MESSAGES / 5;
/** That it does nothing: less than this part of a core for so long. */
const QUIET_BELOW = 0.02;
const QUIET_MS = 500;
const TOPIC = 'rates/a';
const PAYLOAD_BYTES = 256;
const address = new URL('/mqtt', broker.replace('http', 'ws')).href;
const root = mkdtempSync(join(tmpdir(), 'ebbtide-rates-'));

/** Processor time so far, µs: of the page's renderer, and of all processes of this browser. */
async function processorTime(devtools) {
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  const sum = (list) => list.reduce((total, { cpuTime }) => total + cpuTime * 1e6, 0);
  return [sum(processInfo.filter(({ type }) => type === 'renderer')), sum(processInfo)];
}

/** Waits until the browser does nothing: it starts a process for a next page at some moment after a page has opened. */
async function settled(devtools) {
  for (let [, before] = await processorTime(devtools); ; ) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const [, now] = await processorTime(devtools);
    if (now - before < QUIET_BELOW * QUIET_MS * 1000) return;
    before = now;
  }
}

async function measure(output, publisher, qos) {
  const site = await serve(output, broker);
  try {
    return await inBrowser(async (browser, context) => {
      const devtools = await browser.newBrowserCDPSession();
      const page = await openCounting(context, site);
      await count(page, publisher, WARM_UP, qos);
      await settled(devtools);
      const [renderer, all] = await processorTime(devtools);
      const ms = await count(page, publisher, MESSAGES, qos);
      const [rendererNow, allNow] = await processorTime(devtools);
      return { rate: MESSAGES / (ms / 1000), renderer: (rendererNow - renderer) / MESSAGES, all: (allNow - all) / MESSAGES };
    });
  } finally {
    site.close();
  }
}

const publisher = await openPublisher(Number(mqttPort), TOPIC, PAYLOAD_BYTES);
try {
  console.log('| QoS | client | messages/s | renderer, µs a message | all of the browser, µs a message |');
  console.log('|---:|---|---:|---:|---:|');
  for (const qos of [0, 1]) {
    const pages = [];
    for (const [name, script] of Object.entries(COUNTING_PAGES)) {
      pages.push({ name, output: await buildPage(root, `${name} ${qos}`, script(address, TOPIC, qos), folder), results: [] });
    }
    for (let round = 0; round < Number(rounds); round++) {
      for (const { output, results } of pages) results.push(await measure(output, publisher, qos));
    }
    const middle = ({ results }) => Object.fromEntries(['rate', 'renderer', 'all'].map((what) => [what, median(results.map((one) => one[what]))]));
    const other = middle(pages.find(({ name }) => name === OTHER));
    for (const page of pages) {
      const { rate, renderer, all } = middle(page);
      const row = `| ${qos} | ${page.name} | ${rate.toFixed(0)} | ${renderer.toFixed(1)} | ${all.toFixed(1)} |`;
      console.log(row);
      expectLine(rate >= other.rate && renderer <= other.renderer && all <= other.all, `${row}: slower than ${OTHER}, or more processor time`);
    }
  }
} finally {
  publisher.close();
  rmSync(root, { recursive: true, force: true });
}
