// How users build an app with the package. Each takes the app's folder and an empty one, and leaves a page there.

import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import esbuild from 'esbuild';
import { rollup } from 'rollup';
import * as vite from 'vite';
import webpack from 'webpack';

const page = (output, script) =>
  writeFileSync(join(output, 'index.html'), `<!doctype html><title>bundlers</title><script type="module" src="${script}"></script>`);

/** For bundlers that leave `new URL(…, import.meta.url)` as it is: the files go beside the bundle. */
const besideBundle = (app, output) => {
  for (const file of ['ebbtide.wasm', 'worker.js']) cpSync(join(app, 'node_modules/ebbtide', file), join(output, file));
};

export const BUILDS = {
  // No bundler: the files as they are, and an import map in place of the name.
  async plain(app, output) {
    cpSync(join(app, 'node_modules/ebbtide'), join(output, 'ebbtide'), { recursive: true });
    const { code } = await esbuild.transform(await esbuild.build({
      entryPoints: [join(app, 'main.js')], bundle: true, write: false, format: 'esm', external: ['ebbtide'],
    }).then(({ outputFiles }) => outputFiles[0].text));
    writeFileSync(join(output, 'main.js'), code.replace('"ebbtide"', '"./ebbtide/index.js"'));
    page(output, './main.js');
  },

  async vite(app, output) {
    await vite.build({ root: app, base: './', logLevel: 'warn', build: { outDir: output, emptyOutDir: true } });
  },

  async webpack(app, output) {
    const stats = await new Promise((resolve, reject) => {
      webpack(
        { mode: 'production', context: app, entry: './main.js', output: { path: output }, performance: false },
        (error, done) => (error ? reject(error) : resolve(done)),
      );
    });
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString());
    page(output, './main.js');
  },

  async esbuild(app, output) {
    await esbuild.build({ entryPoints: [join(app, 'main.js')], bundle: true, minify: true, format: 'esm', outdir: output });
    besideBundle(app, output);
    page(output, './main.js');
  },

  async slim(app, output) {
    await esbuild.build({ entryPoints: [join(app, 'slim.js')], bundle: true, minify: true, format: 'esm', outdir: output, loader: { '.wasm': 'file' } });
    cpSync(join(app, 'node_modules/ebbtide/worker.js'), join(output, 'worker.js'));
    page(output, './slim.js');
  },

  async rollup(app, output) {
    const bundle = await rollup({
      input: join(app, 'main.js'),
      plugins: [{ name: 'packages', resolveId: (name) => (name === 'ebbtide' ? join(app, 'node_modules/ebbtide/index.js') : null) }],
    });
    await bundle.write({ dir: output, format: 'es' });
    besideBundle(app, output);
    page(output, './main.js');
  },
};

/** A server that builds as it goes; the broker is behind it. */
export async function developServer(app, broker) {
  const server = await vite.createServer({
    root: app, logLevel: 'warn', cacheDir: join(app, '.vite'),
    server: { host: '127.0.0.1', port: 0, proxy: { '/mqtt': { target: broker, ws: true, rewriteWsOrigin: true, changeOrigin: true } } },
  });
  await server.listen();
  return { url: server.resolvedUrls.local[0], close: () => server.close() };
}

/** What a page on a server is built to; run by Node. */
export async function buildForServer(app, output) {
  await vite.build({
    root: app, logLevel: 'warn', build: { ssr: 'server.js', outDir: output, emptyOutDir: true }, ssr: { noExternal: ['ebbtide'] },
  });
  return join(output, 'server.js');
}
