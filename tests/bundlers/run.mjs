// The packed npm package in every place that it says it works in: built by each bundler and run in Chromium under a strict policy, imported
// by Node and by a page rendered on a server, by a test in Vitest, compiled against by TypeScript, and looked at by linters of packages.
//   node run.mjs <http:// of a broker> <folder of the package>

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { SWITCHES } from '../node/switches.mjs';
import { BUILDS, buildForServer, developServer } from './builds.mjs';
import { serve } from './site.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [broker, folder] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'ebbtide-bundlers-'));
const tool = (name) => join(here, 'node_modules/.bin', name);
const began = performance.now();
const EXCHANGE_DEADLINE_MS = 20_000;
const DEADLINE_MS = 150_000;
setTimeout(() => {
  console.error('no end in time');
  process.exit(1);
}, DEADLINE_MS).unref();
/** To whoever waits: the name; for people: how long it took up to here. */
const done = (what) => {
  console.log(what);
  console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${what}`);
};

function pack() {
  const [{ filename, files }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', work], { cwd: resolve(folder), encoding: 'utf8' }));
  const names = files.map(({ path }) => path);
  for (const needed of ['index.js', 'slim.js', 'react.js', 'testing.js', 'worker.js', 'ebbtide.wasm', 'README.md', 'LICENSE-MIT', 'types/index.d.ts']) {
    assert(names.includes(needed), `${needed} is not in the tarball`);
  }
  return join(work, filename);
}

/** An app with the package from the tarball; the rest of what it needs is ours. */
function makeApp(tarball) {
  const app = join(work, 'app');
  cpSync(join(here, 'app'), app, { recursive: true });
  writeFileSync(join(app, 'package.json'), '{ "name": "app", "private": true, "type": "module" }');
  const packages = join(app, 'node_modules');
  mkdirSync(join(packages, 'ebbtide'), { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', join(packages, 'ebbtide'), '--strip-components=1']);
  for (const name of ['react', 'react-dom', 'scheduler', '@types', 'csstype', 'vitest']) {
    const from = join(here, 'node_modules', name);
    if (existsSync(from)) symlinkSync(from, join(packages, name), 'junction');
  }
  return app;
}

/** Looks again until it holds. (`waitForFunction` needs an eval that the policy bars.) */
async function until(look, otherwise) {
  const end = Date.now() + EXCHANGE_DEADLINE_MS;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(otherwise);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs the app that is there: it gets its own message, and had loaded no wasm before it was asked to connect. */
async function exchange(context, { url, refused }, topic) {
  const page = await context.newPage();
  const faults = [];
  const wasm = [];
  page.on('pageerror', (error) => faults.push(`page error: ${error.message}`));
  page.on('console', (message) => {
    const { url: about } = message.location();
    if (['error', 'warning'].includes(message.type()) && !about.endsWith('/favicon.ico')) faults.push(`${message.text()} ${about}`);
  });
  page.on('request', (request) => request.url().endsWith('.wasm') && wasm.push(request.url()));
  await page.goto(url);
  await until(() => page.evaluate(() => typeof globalThis.start === 'function'), 'the page has no app');
  assert.deepEqual(wasm, [], 'importing loads no wasm');
  const worker = page.waitForEvent('worker');
  const late = new Promise((resolve) => setTimeout(resolve, EXCHANGE_DEADLINE_MS, 'nothing in time').unref());
  assert.equal(await Promise.race([page.evaluate((to) => globalThis.start(to), topic), late]), 'hello', faults.join('\n'));
  assert.equal(wasm.length, 1, 'the wasm is loaded once');
  await worker;
  assert.deepEqual(faults, []);
  if (refused) {
    // Reports take their time: behind all others comes one that is asked for here.
    await page.evaluate(() => void (new Image().src = '/barred.png'));
    await until(() => refused.includes('img-src'), 'the browser reports nothing');
    assert.deepEqual(refused, ['img-src'], 'the policy is kept');
  }
  await page.close();
}

async function inBrowser(app) {
  const browser = await chromium.launch({
    executablePath: process.env.EBBTIDE_TEST_CHROMIUM, headless: true, args: SWITCHES,
  });
  try {
    for (const [name, build] of Object.entries(BUILDS)) {
      const output = join(work, name);
      mkdirSync(output);
      await build(app, output);
      const site = await serve(output, broker);
      const context = await browser.newContext();
      await exchange(context, site, `bundlers/${name}`);
      await context.close();
      site.close();
      done(name);
    }
    const server = await developServer(app, broker);
    await exchange(await browser.newContext(), server, 'bundlers/vite-dev');
    await server.close();
    done('vite-dev');
  } finally {
    await browser.close();
  }
}

function onServer(script) {
  // Nothing of a browser is there, and nothing is fetched.
  const guard = `globalThis.fetch = () => { throw new Error('fetched'); }; for (const name of ['window', 'document', 'indexedDB', 'WebSocket', 'Worker']) Object.defineProperty(globalThis, name, { get() { throw new Error(name + ' was touched'); } });`;
  const preload = `data:text/javascript,${encodeURIComponent(guard)}`;
  return execFileSync('node', ['--import', preload, script], { encoding: 'utf8', timeout: 20_000 }).trim();
}

async function withoutBrowser(app) {
  writeFileSync(join(app, 'imports.js'), `for (const entry of ['ebbtide', 'ebbtide/slim', 'ebbtide/react', 'ebbtide/testing']) console.log(entry, Object.keys(await import(entry)).length > 0);`);
  assert.equal(onServer(join(app, 'imports.js')), 'ebbtide true\nebbtide/slim true\nebbtide/react true\nebbtide/testing true');
  assert.equal(onServer(await buildForServer(app, join(app, 'server'))), '<p>connecting</p> offline');
  // What a development server answers that has left the wasm behind.
  writeFileSync(join(app, 'page.js'), `
    import { connect, initWasm } from 'ebbtide/slim';
    initWasm(new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } }));
    connect('ws://127.0.0.1:9/mqtt', { storage: 'memory' }).on('error', ({ error: { code, message } }) => {
      console.log(code, message);
      process.exit();
    });`);
  assert.match(execFileSync('node', [join(app, 'page.js')], { encoding: 'utf8', timeout: 20_000 }), /^load-failed .*200 text\/html/);
  done('server');
}

function inVitest(app) {
  execFileSync(tool('vitest'), ['run', '--root', app, '--environment', 'node'], { encoding: 'utf8', stdio: 'pipe', timeout: 60_000 });
  done('vitest');
}

function types(app) {
  for (const name of readdirSync(join(here, '../../wasm-client/npm/test')).filter((file) => /^consumer.*\.tsx?$/.test(file))) {
    cpSync(join(here, '../../wasm-client/npm/test', name), join(app, name));
  }
  for (const [module, moduleResolution] of [['ES2022', 'bundler'], ['Node16', 'Node16']]) {
    const compilerOptions = { strict: true, noEmit: true, skipLibCheck: false, target: 'ES2022', module, moduleResolution, lib: ['ES2022', 'DOM', 'DOM.Iterable'], jsx: 'react-jsx', types: [] };
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['consumer*'] }));
    execFileSync(tool('tsc'), ['-p', app], { stdio: 'inherit' });
  }
  done('types');
}

function linted(app, tarball) {
  execFileSync(tool('publint'), ['--strict', join(app, 'node_modules/ebbtide')], { stdio: ['ignore', 'ignore', 'inherit'] });
  // It is ESM alone; the wasm and the worker have no types.
  execFileSync(tool('attw'), [tarball, '--profile', 'esm-only', '--exclude-entrypoints', './ebbtide.wasm', './worker.js', '--no-emoji', '--no-color'], { stdio: ['ignore', 'ignore', 'inherit'] });
  done('linted');
}

try {
  const tarball = pack();
  const app = makeApp(tarball);
  done('packed');
  await inBrowser(app);
  await withoutBrowser(app);
  inVitest(app);
  types(app);
  linted(app, tarball);
} catch (error) {
  console.error(error, error.stdout?.toString() ?? '');
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
