// The clients of one page: one for each URL and identity.

import { Client, logouts, scopeOf } from './client.js';
import { settingsOf, type ConnectOptions, type Settings } from './connect-options.js';
import type { Engine } from './engine.js';
import { EbbtideError } from './error.js';
import { checkOptions, CONNECT_RULES } from './options.js';

export type Clients = Map<string, { readonly client: Client; readonly settings: Settings }>;

/**
 * The client for these options: the one that is there, or a new one on the engine that `open` gives, which touches nothing stored before
 * `after` has settled. Throws `bad-options`.
 */
export function clientFor(clients: Clients, url: string, options: ConnectOptions, open: (settings: Settings, after?: Promise<void>) => Engine): Client {
  checkOptions('connect', options, CONNECT_RULES);
  const settings = settingsOf(url, options);
  const key = scopeOf(url, settings.identity);
  const known = clients.get(key);
  if (known && !known.client.closing) {
    const other = differing(known.settings, settings);
    if (other === undefined) return known.client;
    throw new EbbtideError('bad-options', `connect: there is a client with another '${other}'; close() it first`);
  }
  const client = new Client(open(settings, logouts.get(key)), url, settings);
  const { log } = options;
  if (log) client.log(log);
  clients.set(key, { client, settings });
  const forget = (): void => {
    if (client.state.state === 'closed' && clients.get(key)?.client === client) clients.delete(key);
  };
  client.on('state', forget);
  forget();
  return client;
}

/** The first setting that differs. A function counts as any other: closures are made anew with each call. */
function differing(one: Settings, other: Settings): string | undefined {
  return (Object.keys({ ...one, ...other }) as (keyof Settings)[]).find((name) => !same(one[name], other[name]));
}

function same(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (!one || !other || typeof one !== typeof other) return false;
  if (typeof one !== 'object') return typeof one === 'function';
  const names = Object.keys({ ...one, ...other });
  return names.every((name) => same(one[name as never], other[name as never])) && String(one) === String(other);
}
