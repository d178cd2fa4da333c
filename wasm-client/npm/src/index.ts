/** MQTT 5.0 and 3.1.1 for web apps. Importing this loads nothing; the wasm comes with the first `connect`. */

import type { Client } from './client.js';
import type { ConnectOptions } from './connect-options.js';
import { connectWith } from './connect.js';
import { loadFrom } from './load.js';

export * from './exports.js';

/**
 * The client for a `ws://` or `wss://` URL, or for what becomes one: `/mqtt` on the page's own host, or `http://` and `https://`. It begins
 * to connect. Equal calls share one client, by URL and identity, until it is closed; of functions those of the first call are used.
 * Throws `url` for what is no such URL, and `bad-options`, also for options that differ from those of the client that is there.
 */
export function connect(url: string | URL, options?: ConnectOptions): Client {
  return connectWith(() => loadFrom(new URL('./ebbtide.wasm', import.meta.url)), url, options);
}
