/**
 * The same as `.`, for a page that brings the wasm itself: from another host, inlined, or by a bundler that does not find
 * `new URL('./ebbtide.wasm', import.meta.url)`. The file is `ebbtide/ebbtide.wasm`.
 */

import type { Client } from './client.js';
import type { ConnectOptions } from './connect-options.js';
import { connectWith } from './connect.js';
import { EbbtideError } from './error.js';
import { loadFrom, type WasmSource } from './load.js';

export * from './exports.js';

let given: WasmSource | undefined;

/** Says where the wasm comes from; it is fetched when the first client starts. Comes before the first `connect`. */
export function initWasm(source: WasmSource): void {
  given = source;
}

/**
 * The client for a `ws://` or `wss://` URL, or for what becomes one: `/mqtt` on the page's own host, or `http://` and `https://`. It begins
 * to connect. Equal calls share one client, by URL and identity, until it is closed; of functions those of the first call are used.
 * Throws `url` for what is no such URL, and `bad-options`, also for options that differ from those of the client that is there. Without
 * `initWasm` before, the client is `offline` and says why.
 */
export function connect(url: string | URL, options?: ConnectOptions): Client {
  return connectWith(load, url, options);
}

const load = async (): ReturnType<typeof loadFrom> => {
  if (given === undefined) throw new EbbtideError('load-failed', 'ebbtide/slim has no wasm: call initWasm() before connect()');
  return loadFrom(given);
};
