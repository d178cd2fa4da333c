// The server of an app: its files under a strict policy, and the broker behind `/mqtt`.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { extname, join } from 'node:path';

const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; report-uri /refused";
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** What comes goes on after that time, in order. */
const delayed = (from, to, delayMs) => {
  from.on('data', (bytes) => void setTimeout(() => to.writable && to.write(bytes), delayMs));
  from.on('end', () => void setTimeout(() => to.end(), delayMs));
};

/**
 * Serves a folder. Returns its address, how to end it, `link`: whether the broker can be reached, and its delay each way; and `refused`: the
 * directives of the policy that browsers have reported something against.
 */
export async function serve(root, broker, link = { up: true, delayMs: 0 }) {
  const refused = [];
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      const report = JSON.parse((await request.toArray()).join(''));
      refused.push(report['csp-report']['effective-directive']);
      return response.writeHead(204).end();
    }
    const path = new URL(request.url, broker).pathname;
    const file = join(root, path === '/' ? 'index.html' : path);
    try {
      const body = await readFile(file);
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'text/plain', 'content-security-policy': POLICY }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.on('upgrade', (request, client, head) => {
    if (!link.up) return client.destroy();
    const { hostname, port, host, origin } = new URL(broker);
    const upstream = connect(port, hostname, () => {
      const headers = Object.entries({ ...request.headers, host, origin }).map(([name, value]) => `${name}: ${value}\r\n`);
      upstream.write(`GET ${request.url} HTTP/1.1\r\n${headers.join('')}\r\n`);
      upstream.write(head);
      delayed(upstream, client, link.delayMs);
      delayed(client, upstream, link.delayMs);
    });
    const end = () => (upstream.destroy(), client.destroy());
    upstream.on('error', end);
    client.on('error', end);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => (server.closeAllConnections(), server.close());
  return { url: `http://127.0.0.1:${server.address().port}/`, close, link, refused };
}
