// Pages of which something is measured: the script of each, bundled the same way, served under its own address, in a Chromium without a past.

import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));

/** Bundles a page's script into a folder of that name in `root`; returns the folder. `./ebbtide/index.js` is the package as it is. */
export async function buildPage(root, name, script, packageFolder) {
  const output = join(root, name);
  mkdirSync(output, { recursive: true });
  cpSync(resolve(packageFolder), join(output, 'ebbtide'), { recursive: true });
  await esbuild.build({
    stdin: { contents: script, resolveDir: here }, outfile: join(output, 'main.js'), bundle: true, minify: true, format: 'esm',
    external: ['./ebbtide/*'], target: 'es2022', logLevel: 'error',
  });
  writeFileSync(join(output, 'index.html'), `<!doctype html><title>${name}</title><script type="module" src="./main.js"></script>`);
  return output;
}

/** Calls `use` with a browser of its own, and a context: MQTT.js runs its timers in a worker from a blob, which the site's policy bars. */
export async function inBrowser(use) {
  const browser = await chromium.launch({ executablePath: process.env.EBBTIDE_TEST_CHROMIUM, headless: true, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    return await use(browser, await browser.newContext({ bypassCSP: true }));
  } finally {
    await browser.close();
  }
}

/** Lets the program fail if a figure is not as promised, and says which; a short run says nothing about figures. */
export function expectLine(holds, what) {
  if (holds || process.env.EBBTIDE_BENCH_SHORT) return;
  console.error(`not as promised: ${what}`);
  process.exitCode = 1;
}

/** The middle one. */
export const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
