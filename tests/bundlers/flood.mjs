// What 50,000 messages of 256 bytes at once do to a page: tasks of its main thread that take more than 50 ms of processor time, so that
// a click has to wait; and the most that its JavaScript holds, with all payloads.
//   node flood.mjs <http:// of a broker> <its MQTT port> <folder of the package> [rounds] [messages]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { count, COUNTING_PAGES, openCounting } from './counting-pages.mjs';
import { buildPage, inBrowser, median } from './measured-page.mjs';
import { openPublisher } from './publisher.mjs';
import { serve } from './site.mjs';

const [broker, mqttPort, folder, rounds = '5', messages = '50000'] = process.argv.slice(2);
const LONG_TASK_MS = 50;
const LOOK_EVERY_MS = 50;
const TOPIC = 'flood/a';
const PAYLOAD_BYTES = 256;
const address = new URL('/mqtt', broker.replace('http', 'ws')).href;
const root = mkdtempSync(join(tmpdir(), 'ebbtide-flood-'));

/** Processor time of each task of the main threads of pages, ms. */
function tasksOf({ traceEvents }) {
  const threadOf = ({ pid, tid }) => `${pid} ${tid}`;
  const mainThreads = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(threadOf));
  const tasks = traceEvents.filter((event) => event.name.endsWith('RunTask') && mainThreads.has(threadOf(event))).map(({ tdur = 0 }) => tdur / 1000);
  if (tasks.length === 0) throw new Error('the trace has no tasks');
  return tasks;
}

async function measure(output, publisher, qos) {
  const site = await serve(output, broker);
  try {
    return await inBrowser(async (browser, context) => {
      const page = await openCounting(context, site);
      const devtools = await context.newCDPSession(page);
      await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
      let [heap, flooding] = [0, true];
      const flood = count(page, publisher, Number(messages), qos).finally(() => (flooding = false));
      while (flooding) {
        const { usedSize, embedderHeapUsedSize, backingStorageSize } = await devtools.send('Runtime.getHeapUsage');
        heap = Math.max(heap, usedSize + embedderHeapUsedSize + backingStorageSize);
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
      await flood;
      const tasks = tasksOf(JSON.parse(await browser.stopTracing()));
      return { long: tasks.filter((ms) => ms > LONG_TASK_MS).length, longest: Math.max(...tasks), heap: heap / 2 ** 20 };
    });
  } finally {
    site.close();
  }
}

try {
  const publisher = await openPublisher(Number(mqttPort), TOPIC, PAYLOAD_BYTES);
  console.log('| QoS | client | tasks above 50 ms | the longest, ms | memory of its JavaScript, MiB |');
  console.log('|---:|---|---:|---:|---:|');
  for (const qos of [0, 1]) {
    for (const [name, script] of Object.entries(COUNTING_PAGES)) {
      const output = await buildPage(root, `${name} ${qos}`, script(address, TOPIC, qos), folder);
      const results = [];
      for (let round = 0; round < Number(rounds); round++) results.push(await measure(output, publisher, qos));
      const of = (what) => median(results.map((one) => one[what])).toFixed(0);
      console.log(`| ${qos} | ${name} | ${of('long')} | ${of('longest')} | ${of('heap')} |`);
    }
  }
  publisher.close();
} finally {
  rmSync(root, { recursive: true, force: true });
}
