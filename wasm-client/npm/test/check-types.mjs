// Compiles what applications write, against the declarations that are shipped: consumer.ts, and every `ts` and `tsx` block of the guides.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

const target = resolve('../../target/npm-test');
const snippets = join(target, 'snippets');
rmSync(snippets, { recursive: true, force: true });
mkdirSync(snippets, { recursive: true });

const guides = '../../docs/client';
const pages = ['README.md', ...readdirSync(guides).filter((name) => name.endsWith('.md')).map((name) => join(guides, name))];
let count = 0;
for (const page of pages) {
  const lines = readFileSync(page, 'utf8').split('\n');
  let block;
  for (const [at, line] of lines.entries()) {
    const opening = /^```(tsx?)$/.exec(line);
    if (!block && opening) block = { kind: opening[1], at, body: [] };
    else if (block && line === '```') {
      // Each block is a module of its own; what it does not import is declared for all of them.
      const text = `${'\n'.repeat(block.at)}${block.body.join('\n')}\nexport {};\n`;
      writeFileSync(join(snippets, `${basename(page, '.md')}-${block.at + 1}.${block.kind}`), text);
      count++;
      block = undefined;
    } else block?.body.push(line);
  }
  if (block) throw new Error(`${page}: a block is not closed`);
}
if (count < 10) throw new Error(`only ${count} blocks found: are the guides where this looks for them?`);

const paths = Object.fromEntries(['', '/react', '/testing'].map((path) => [`ebbtide${path}`, [`./${{ '/react': 'react', '/testing': 'testing/index' }[path] ?? 'index'}.d.ts`]]));
writeFileSync(
  join(target, 'tsconfig.json'),
  JSON.stringify({
    compilerOptions: {
      strict: true, noEmit: true, target: 'ES2022', module: 'ES2022', moduleResolution: 'bundler', lib: ['ES2022', 'DOM', 'DOM.Iterable'], jsx: 'react-jsx', types: [], paths,
    },
    files: ['consumer.ts', 'consumer-react.tsx', 'snippets.d.ts', ...readdirSync(snippets).map((name) => `snippets/${name}`)],
  }),
);
const { status } = spawnSync(resolve('node_modules/.bin/tsc'), ['-p', target], { stdio: 'inherit' });
if (status === 0) console.log(`${count} blocks of the guides compile`);
process.exit(status ?? 1);
