// The wasm half of the package: loaded when the first client starts, once for all of them.

import { EbbtideError, wordsOf } from './error.js';
import type { MakeConnection } from './wasm/contract.js';
import { compile, instantiate, type WasmSource } from './wasm/module.js';

export type { WasmSource };

/** @internal */
export type Load = () => Promise<MakeConnection>;

let compiling: Promise<WebAssembly.Module> | undefined;

/** @internal A failed attempt may be repeated by the next client. */
export async function loadFrom(source: WasmSource): Promise<MakeConnection> {
  compiling ??= compile(source);
  try {
    return await instantiate(await compiling);
  } catch (cause) {
    compiling = undefined;
    throw new EbbtideError('load-failed', `ebbtide.wasm could not be loaded: ${wordsOf(cause)}`, undefined, { cause });
  }
}
