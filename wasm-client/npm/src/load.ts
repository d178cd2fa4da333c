// The wasm half of the package: loaded when the first client starts, once for all of them.

import init, { Connection } from './ebbtide_wasm.js';
import { EbbtideError } from './error.js';

/** Where the wasm comes from: an address, a response, its bytes, or a compiled module. */
export type WasmSource = string | URL | Request | Response | BufferSource | WebAssembly.Module | PromiseLike<Response | BufferSource | WebAssembly.Module>;

/** @internal */
export type Load = () => Promise<typeof Connection>;

let loading: Promise<unknown> | undefined;

/** @internal A failed attempt may be repeated by the next client. */
export async function loadFrom(source: WasmSource): Promise<typeof Connection> {
  loading ??= init({ module_or_path: source });
  try {
    await loading;
  } catch (cause) {
    loading = undefined;
    throw new EbbtideError('load-failed', `ebbtide.wasm could not be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, undefined, { cause });
  }
  return Connection;
}
