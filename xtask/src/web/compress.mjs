// Writes each file of a folder again as Brotli: node compress.mjs FROM TO. What would hardly become smaller is left out.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const [from, to] = process.argv.slice(2);
const TEXT = new Set(['.css', '.html', '.js', '.json', '.map', '.mjs', '.svg', '.ts', '.txt', '.wasm']);
const BYTES_MIN = 512;

rmSync(to, { recursive: true, force: true });
for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !TEXT.has(extname(entry.name))) continue;
  const content = readFileSync(path);
  if (content.length < BYTES_MIN) continue;
  const compressed = brotliCompressSync(content, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
  });
  const target = join(to, path.slice(from.length));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, compressed);
}
