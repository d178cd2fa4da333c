// What 50,000 messages of 256 bytes at once do to a page: tasks of its main thread that take more than 50 ms of processor time, so that
// a click has to wait; the most that its JavaScript holds, with all payloads and garbage; and what is left of that without garbage when all have
// come. It fails when one of ours is above a line.
//   node flood.mjs <http:// of a broker> <its MQTT port> <folder of the package> [rounds] [messages]

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { count, COUNTING_PAGES, openCounting, OTHER } from './counting-pages.mjs';
import { buildPage, expectLine, inBrowser, median } from './measured-page.mjs';
import { openPublisher } from './publisher.mjs';
import { serve } from './site.mjs';

const [broker, mqttPort, folder, times = '5', messages = '50000'] = process.argv.slice(2);
const LONG_TASK_MS = 50;
/** Of ours, in the median round: no task above that; by QoS so much memory with garbage; and what is left, of 12 MiB of payloads. */
const LONG_TASKS_MAX = 0;
const MIB_MAX = [32, 64];
const LEFT_MIB_MAX = 4;
const LOOK_EVERY_MS = 50;
const TOPIC = 'flood/a';
const PAYLOAD_BYTES = 256;
const address = new URL('/mqtt', broker.replace('http', 'ws')).href;
const root = mkdtempSync(join(tmpdir(), 'ebbtide-flood-'));

/** Processor time of each task of the main threads of pages, ms. */
function tasksOf({ traceEvents }) {
  const threadOf = ({ pid, tid }) => `${pid} ${tid}`;
  const mainThreads = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(threadOf));
  const isTask = (event) => event.name.endsWith('RunTask') && mainThreads.has(threadOf(event)) && event.tdur !== undefined;
  const tasks = traceEvents.filter(isTask).map(({ tdur }) => tdur / 1000);
  if (tasks.length === 0) throw new Error('the trace has no tasks with their processor time');
  return tasks;
}

async function measure(output, publisher, qos) {
  const site = await serve(output, broker);
  try {
    return await inBrowser(async (browser, context) => {
      const page = await openCounting(context, site);
      const devtools = await context.newCDPSession(page);
      const held = async () => {
        const { usedSize, embedderHeapUsedSize, backingStorageSize } = await devtools.send('Runtime.getHeapUsage');
        return (usedSize + embedderHeapUsedSize + backingStorageSize) / 2 ** 20;
      };
      const withoutGarbage = () => devtools.send('HeapProfiler.collectGarbage').then(held);
      const before = await withoutGarbage();
      await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
      let [heap, flooding] = [0, true];
      const flood = count(page, publisher, Number(messages), qos).finally(() => (flooding = false));
      while (flooding) {
        heap = Math.max(heap, await held());
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
      await flood;
      const tasks = tasksOf(JSON.parse(await browser.stopTracing()));
      return { long: tasks.filter((ms) => ms > LONG_TASK_MS).length, longest: Math.max(...tasks), heap, left: (await withoutGarbage()) - before };
    });
  } finally {
    site.close();
  }
}

const publisher = await openPublisher(Number(mqttPort), TOPIC, PAYLOAD_BYTES);
try {
  console.log('| QoS | client | tasks above 50 ms | the longest, ms | memory of its JavaScript, MiB | line | left without garbage, MiB | line |');
  console.log('|---:|---|---:|---:|---:|---:|---:|---:|');
  for (const qos of [0, 1]) {
    for (const [name, script] of Object.entries(COUNTING_PAGES)) {
      const output = await buildPage(root, `${name} ${qos}`, script(address, TOPIC, qos), folder);
      const results = [];
      for (let round = 0; round < Number(times); round++) results.push(await measure(output, publisher, qos));
      const [long, longest, heap, left] = ['long', 'longest', 'heap', 'left'].map((what) => median(results.map((one) => one[what])));
      const lines = name === OTHER ? ['', ''] : [MIB_MAX[qos], LEFT_MIB_MAX];
      const row = `| ${qos} | ${name} | ${long} | ${longest.toFixed(0)} | ${heap.toFixed(0)} | ${lines[0]} | ${left.toFixed(1)} | ${lines[1]} |`;
      console.log(row);
      const rounds = results.map((one) => `${one.long}, ${one.longest.toFixed(0)} ms, ${one.heap.toFixed(0)} and ${one.left.toFixed(1)} MiB`).join('; ');
      const holds = long <= LONG_TASKS_MAX && heap < MIB_MAX[qos] && left < LEFT_MIB_MAX;
      expectLine(name === OTHER || holds, `${row}: above a line; the rounds: ${rounds}`);
    }
  }
} finally {
  publisher.close();
  rmSync(root, { recursive: true, force: true });
}
