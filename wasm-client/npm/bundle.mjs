// Makes the package of what tsc and cargo wrote: minified modules, their types, the wasm, and a package.json for users.
//   node bundle.mjs <compiled> <package>

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { rollup } from 'rollup';
import { minify } from 'terser';

const [compiled, output] = process.argv.slice(2).map((path) => resolve(path));
rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });

// One module with all that two entries need, so that an error of one is an `EbbtideError` of all, and a page fetches two files.
const entries = { index: 'index.js', slim: 'slim.js', react: 'react.js', testing: 'testing/index.js', worker: 'engine/worker.js' };
// What is full of names stands first, side by side: it compresses better. All else follows in the order of the imports.
const first = ['wasm/connection.js', 'options.js', 'message.js', 'connect-options.js', 'engine/states.js', 'client.js', 'engine/store/outbox.js', 'engine/sinks.js', 'engine/inbox.js'].map((path) => `import './${path}';\n`).join('');
const bundle = await rollup({
  input: Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(compiled, path)])),
  external: ['react'],
  onwarn: (warning) => {
    throw new Error(warning.message);
  },
  plugins: [{ name: 'order', transform: (code, id) => (id === join(compiled, entries.index) ? first + code : undefined) }],
});
await bundle.write({
  dir: output,
  entryFileNames: '[name].js',
  chunkFileNames: '[name].js',
  manualChunks: (id) => (id.startsWith(join(compiled, 'testing/')) || Object.values(entries).some((path) => id === join(compiled, path)) ? undefined : 'core'),
  plugins: [{
    name: 'minify',
    // Functions that are called once and values that are used once stay where they are: inlined, they compress worse. So do comparisons that are
    // turned around, statements joined by commas and declarations that are joined. Nobody calls `new` on a method (`unsafe_methods`).
    renderChunk: async (code) => (await minify(code, {
      module: true, ecma: 2020, compress: { passes: 2, inline: 1, collapse_vars: false, reduce_funcs: false, lhs_constants: false, sequences: false, join_vars: false, unsafe_methods: true },
    })).code,
  }],
});

cpSync(join(compiled, 'ebbtide.wasm'), join(output, 'ebbtide.wasm'));
for (const name of readdirSync(compiled, { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue;
  const to = join(output, 'types', name);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(compiled, name), to);
}

const { private: _private, scripts: _scripts, devDependencies: _devDependencies, ...manifest } = JSON.parse(readFileSync('package.json', 'utf8'));
writeFileSync(join(output, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) cpSync(join('../..', name), join(output, name));
// The package has no guides beside it: links to them go to the repository.
const tree = manifest.repository.url.replace(/^git\+(.*)\.git$/, '$1/blob/main/');
writeFileSync(join(output, 'README.md'), readFileSync('README.md', 'utf8').replaceAll('](../../', `](${tree}`));
