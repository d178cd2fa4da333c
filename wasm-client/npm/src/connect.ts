import { resolveAddress } from './address.js';
import type { Client } from './client.js';
import { clientFor, type Clients } from './clients.js';
import type { ConnectOptions } from './connect-options.js';
import { openEngine } from './engine/index.js';

const clients: Clients = new Map();

/**
 * The client for a `ws://` or `wss://` URL, or for what becomes one: `/mqtt` on the page's own host, or `http://` and `https://`. It begins
 * to connect. Equal calls share one client, by URL and identity, until it is closed; of functions those of the first call are used.
 * Throws `url` for what is no such URL, and `bad-options`, also for options that differ from those of the client that is there.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Client {
  const address = resolveAddress(url);
  return clientFor(clients, address, options, (settings) => openEngine(address, settings));
}
