import { resolveAddress } from './address.js';
import type { Client } from './client.js';
import { clientFor, type Clients } from './clients.js';
import type { ConnectOptions } from './connect-options.js';
import { openEngine } from './engine/index.js';
import type { Load } from './load.js';

const clients: Clients = new Map();

/** `connect` of `.` and `./slim`, which differ in where the wasm comes from. */
export function connectWith(load: Load, url: string | URL, options: ConnectOptions = {}): Client {
  const address = resolveAddress(url);
  return clientFor(clients, address, options, (settings, after) => openEngine(address, settings, load, after));
}
