// The wasm half of the package: loaded when the first client starts, once for all of them.

import { EbbtideError, wordsOf } from './error.js';
import type { MakeConnection } from './wasm/contract.js';
import { compile, instantiate, type WasmSource } from './wasm/module.js';

export type { WasmSource };

/** @internal */
export type Load = () => Promise<MakeConnection>;

/** For some 33 kB, which a slow phone has by then. A transfer that stands still does not end by itself. */
const LOAD_DEADLINE_MS = 30_000;

let compiling: Promise<WebAssembly.Module> | undefined;

/** @internal A failed attempt may be repeated by the next client. */
export async function loadFrom(source: WasmSource): Promise<MakeConnection> {
  compiling ??= new Promise((resolve, reject) => {
    compile(source).then(resolve, reject);
    // Of Node: it does not keep the process.
    (setTimeout(reject, LOAD_DEADLINE_MS, 'it did not come in time') as { unref?(): void }).unref?.();
  });
  try {
    return await instantiate(await compiling);
  } catch (cause) {
    compiling = undefined;
    throw new EbbtideError('load-failed', `ebbtide.wasm: ${wordsOf(cause)}`, undefined, { cause });
  }
}
