// The web server that the pages come from: an origin of its own, so that pages open while the broker is down. Its content
// security policy is as strict as the package allows for.
//
// Pages note here what their handlers were given (`notes`), which outlives them; a note can be kept from returning.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, PACKAGE } from './place.mjs';

const PAGE = fileURLToPath(new URL('../page/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const POLICY = [
  "default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self'", "connect-src 'self' ws://127.0.0.1:*",
  "style-src 'self'", "img-src 'self' data:",
].join('; ');

/** The same for a page that may have no workers. */
export const WITHOUT_WORKERS = POLICY.replace("worker-src 'self'", "worker-src 'none'");

export async function startPages(t, policy = POLICY) {
  const pages = new Pages(policy);
  await pages.listen();
  t.after(() => pages.close());
  return pages;
}

class Pages {
  #http = createServer((request, response) => this.#serve(request, response).catch(() => response.writeHead(404).end()));
  #policy;
  #holding = () => false;
  #held = [];
  /** What the pages noted: { tab, … }, in the order of arrival. */
  notes = [];

  constructor(policy) {
    this.#policy = policy;
  }

  listen() {
    return new Promise((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
  }

  get origin() {
    return `http://127.0.0.1:${this.#http.address().port}`;
  }

  url(tab, file = 'index.html', query = {}) {
    return `${this.origin}/${file}?${new URLSearchParams({ tab, ...query })}`;
  }

  /** Keeps the handlers of such notes from returning, until `release()`. */
  hold(fits) {
    this.#holding = fits;
  }

  release() {
    this.#holding = () => false;
    for (const response of this.#held.splice(0)) response.writeHead(204).end();
  }

  /** Waits until the notes are so. */
  noted(what, holds, limitMs) {
    return eventually(what, () => this.notes, holds, limitMs);
  }

  close() {
    this.release();
    this.#http.closeAllConnections();
    return new Promise((resolve) => this.#http.close(resolve));
  }

  async #serve(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    if (pathname === '/note') return this.#note(request, response);
    if (pathname === '/favicon.ico') return response.writeHead(204).end();
    const file = pathname.startsWith('/pkg/') ? join(PACKAGE, normalize(pathname.slice(5))) : join(PAGE, normalize(pathname));
    const content = await readFile(file);
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': this.#policy,
      'cache-control': 'no-cache',
    });
    return response.end(content);
  }

  async #note(request, response) {
    let body = '';
    for await (const piece of request) body += piece;
    const note = JSON.parse(body);
    this.notes.push(note);
    if (this.#holding(note)) this.#held.push(response);
    else response.writeHead(204).end();
  }
}
