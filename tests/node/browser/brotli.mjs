// Says how many bytes a file has when it is compressed with brotli at its best.

import { readFileSync } from 'node:fs';
import { brotliCompressSync } from 'node:zlib';

console.log(brotliCompressSync(readFileSync(process.argv[2])).length);
