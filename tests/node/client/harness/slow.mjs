// A slow network between pages and a broker: so many bytes a second in each direction, and no more on the way than the system's buffers hold.

import { connect, createServer } from 'node:net';

/** As late timers may be without making the link slower. */
const LATE_MS = 200;

/** Its `url` stands for the broker's; `opened`: how many connections there were. */
export async function startSlowLink(t, broker, bytesPerS) {
  const { hostname, port, pathname } = new URL(broker.url);
  const sockets = new Set();
  const join = (from, to) => {
    let busyUntil = 0;
    from.on('error', () => {}).on('close', () => to.destroy());
    from.on('data', (bytes) => {
      from.pause();
      // By the clock: timers are late where much else happens.
      busyUntil = Math.max(busyUntil, performance.now() - LATE_MS) + (bytes.length / bytesPerS) * 1000;
      setTimeout(() => {
        to.write(bytes);
        from.resume();
      }, busyUntil - performance.now());
    });
  };
  const link = { opened: 0 };
  const server = createServer((page) => {
    link.opened += 1;
    const upstream = connect(Number(port), hostname);
    for (const socket of [page, upstream]) sockets.add(socket.setNoDelay());
    join(page, upstream);
    join(upstream, page);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return Object.assign(link, { url: `ws://127.0.0.1:${server.address().port}${pathname}` });
}
