// What an app transfers for its MQTT client: `import { connect } from …`, bundled and minified the same way for each, compressed as a web
// server would have it prepared. Ours with its wasm and its worker; React and the broker for tests are not imported.
//   node sizes.mjs <folder of the package> [<most that ours may be, bytes of brotli>]

import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(process.argv[2]);
const most = Number(process.argv[3] ?? Infinity);

async function bundled(code) {
  const { outputFiles } = await esbuild.build({
    stdin: { contents: code, resolveDir: here }, bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', write: false, logLevel: 'error',
  });
  return outputFiles[0].contents;
}

const rows = [
  ['ebbtide', 'JavaScript', await bundled(`import { connect } from ${JSON.stringify(join(folder, 'index.js'))}; connect('/mqtt');`)],
  ['ebbtide', 'wasm', readFileSync(join(folder, 'ebbtide.wasm'))],
  ['ebbtide', 'worker', readFileSync(join(folder, 'worker.js'))],
  ['mqtt (MQTT.js)', 'JavaScript', await bundled("import mqtt from 'mqtt'; mqtt.connect('/mqtt');")],
];
const totals = new Map();
for (const [name, what, bytes] of rows) {
  const brotli = brotliCompressSync(bytes).length;
  console.log(`| \`${name}\`: ${what} | ${bytes.length} | ${brotli} |`);
  const [raw, compressed] = totals.get(name) ?? [0, 0];
  totals.set(name, [raw + bytes.length, compressed + brotli]);
}
for (const [name, [raw, compressed]] of totals) console.log(`| **\`${name}\`: all** | ${raw} | ${compressed} |`);
const [, ours] = totals.get('ebbtide');
if (ours > most) {
  console.error(`ebbtide transfers ${ours} bytes, and may transfer ${most}: what has grown shows beside the table of docs/sizes-and-times.md`);
  process.exitCode = 1;
}
