// The broker's address, as applications write it.

import { EbbtideError } from './error.js';

/** @internal A `ws://` or `wss://` URL: relative to the page, with the scheme that belongs to `http` or `https`. */
export function resolveAddress(address: string | URL): string {
  let url: URL;
  try {
    url = new URL(address, base());
  } catch (cause) {
    throw new EbbtideError('url', `${String(address)} is no URL`, undefined, { cause });
  }
  if (url.username || url.password) throw new EbbtideError('url', "who it is belongs into 'credentials'");
  url.protocol = url.protocol.replace(/^http/, 'ws');
  if (!/^wss?:$/.test(url.protocol)) {
    throw new EbbtideError('url', `${url.href} is none of ws, wss, http, https`);
  }
  // WebSocket refuses a URL that has one.
  url.hash = '';
  return url.href;
}

/** Where the page is; `undefined` where there is none. */
function base(): string | undefined {
  const here = (globalThis as { location?: Location }).location;
  // A worker made from a blob has an address that nothing can be relative to.
  return here?.protocol === 'blob:' ? here.origin : here?.href;
}
