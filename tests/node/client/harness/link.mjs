// The network between pages and a broker: it can be cut, stalled, and stopped at one certain packet.
//
// It ends the WebSocket on both sides, so that it sees packets: `trace` has all that came by. Whatever a page sends to a link
// that is cut or stalled never reaches the broker until it is restored. What is in `answers` is answered here, in the broker's place.

import { createServer } from 'node:http';
import mqttPacket from 'mqtt-packet';
import { WebSocket, WebSocketServer } from 'ws';
import { Packets } from './packets.mjs';

export async function startLink(t, broker) {
  const link = new Link(broker.url);
  await link.listen();
  t.after(() => link.close());
  return link;
}

class Link {
  #target;
  #http = createServer((_, response) => response.writeHead(404).end());
  #accepting = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  #pairs = new Set();
  #waiting = [];
  #gates = new Set();
  #refusing = false;
  #stalled = false;
  /** WebSockets that were ever open. */
  opened = 0;
  /** Everything that passed: { up, connection, packet }. */
  trace = [];
  /** How long each packet is on its way, in either direction. */
  delayMs = 0;
  /** By command of a page's packet: what is said to it instead of passing it on; undefined: it is passed on. A CONNACK ends the connection. */
  answers = {};

  constructor(target) {
    this.#target = target;
    this.#http.on('connection', (socket) => this.#refusing && socket.destroy());
    this.#http.on('upgrade', (...upgrade) => {
      if (this.#refusing) upgrade[1].destroy();
      else if (this.#stalled) this.#waiting.push(upgrade);
      else this.#connect(...upgrade);
    });
  }

  listen() {
    return new Promise((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
  }

  get url() {
    return `ws://127.0.0.1:${this.#http.address().port}/mqtt`;
  }

  /** WebSockets that are open now. */
  get open() {
    return this.#pairs.size;
  }

  /** Ends all connections without a farewell, and refuses new ones. */
  cut() {
    this.#refusing = true;
    this.drop();
  }

  /** Ends all connections without a farewell; new ones are let through. */
  drop() {
    for (const [, socket] of this.#waiting.splice(0)) socket.destroy();
    for (const pair of this.#pairs) pair.end();
  }

  /** Holds everything, both ways, new connections too: nothing closes, nothing comes. */
  stall() {
    this.#stalled = true;
    for (const pair of this.#pairs) pair.pause();
  }

  restore() {
    this.#refusing = this.#stalled = false;
    for (const pair of this.#pairs) pair.resume();
    for (const upgrade of this.#waiting.splice(0)) this.#connect(...upgrade);
  }

  /**
   * Stops that direction of a connection at the first packet that fits: `{ up: true, cmd: 'pubrel' }`. The packet is held with all
   * behind it, or with `passes` let through as the last one. `reached` settles when it has come; `open()` lets all go on.
   */
  gate({ up, cmd, fits = () => true, passes = false }) {
    const gate = { up, cmd, fits, passes, lane: undefined };
    gate.reached = new Promise((resolve) => (gate.reach = resolve));
    gate.open = () => {
      this.#gates.delete(gate);
      gate.lane?.release();
    };
    this.#gates.add(gate);
    return gate;
  }

  /** How many packets of that kind have passed. */
  count(up, cmd) {
    return this.trace.filter((seen) => seen.up === up && seen.packet.cmd === cmd).length;
  }

  close() {
    this.cut();
    return new Promise((resolve) => this.#http.close(resolve));
  }

  /** Timers of the same length keep their order. */
  #after(then) {
    if (this.delayMs > 0) setTimeout(then, this.delayMs);
    else then();
  }

  #connect(request, socket, head) {
    const headers = request.headers.origin ? { origin: request.headers.origin } : {};
    const upstream = new WebSocket(this.#target, ['mqtt'], { perMessageDeflate: false, headers });
    upstream.once('error', () => socket.destroy());
    socket.once('error', () => upstream.terminate());
    upstream.once('open', () => {
      if (this.#refusing || socket.destroyed) return upstream.terminate();
      return this.#accepting.handleUpgrade(request, socket, head, (page) => this.#join(page, upstream));
    });
  }

  #join(page, upstream) {
    const connection = ++this.opened;
    let version = 5;
    const lane = (up, from, to) => {
      const packets = new Packets(() => version);
      const lane = new Lane(this.#gates, to, up, (packet) => this.trace.push({ up, connection, packet }));
      from.on('message', (data) => {
        for (const { bytes, packet } of packets.push(data)) {
          if (packet.cmd === 'connect') version = packet.protocolVersion;
          const answer = up ? this.answers[packet.cmd]?.(packet) : undefined;
          if (!answer) this.#after(() => lane.push(bytes, packet));
          else from.send(mqttPacket.generate(answer, { protocolVersion: version }));
          if (answer?.cmd === 'connack') from.close();
        }
      });
      from.on('error', () => {});
      from.on('close', (code) => {
        // Through a stalled link no end comes, either.
        if (this.#stalled) return void pair.broken.push(to);
        this.#pairs.delete(pair);
        if (code === 1006 || lane.holds) to.terminate();
        else to.close(code === 1005 ? undefined : code);
      });
      return lane;
    };
    const pair = {
      broken: [],
      end: () => [page, upstream].forEach((socket) => socket.terminate()),
      pause: () => [page, upstream].forEach((socket) => socket.pause()),
      resume: () => {
        if (pair.broken.length > 0) {
          this.#pairs.delete(pair);
          pair.end();
        } else {
          for (const socket of [page, upstream]) if (socket.isPaused) socket.resume();
        }
      },
    };
    this.#pairs.add(pair);
    lane(true, page, upstream);
    lane(false, upstream, page);
    if (this.#refusing) pair.end();
    else if (this.#stalled) pair.pause();
  }
}

/** One direction of a connection. */
class Lane {
  #queue = [];
  #gate;

  constructor(gates, to, up, passed) {
    Object.assign(this, { gates, to, up, passed });
  }

  get holds() {
    return this.#queue.length > 0;
  }

  push(bytes, packet) {
    this.#queue.push({ bytes, packet });
    this.#pump();
  }

  release() {
    this.#gate = undefined;
    this.#pump();
  }

  #pump() {
    while (this.#queue.length > 0 && !this.#gate) {
      const [{ bytes, packet }] = this.#queue;
      const fits = (gate) => !gate.lane && gate.up === this.up && gate.cmd === packet.cmd && gate.fits(packet);
      const gate = [...this.gates].find(fits);
      if (gate) {
        gate.lane = this;
        this.#gate = gate;
        gate.reach(packet);
      }
      if (gate && !gate.passes) return;
      this.#queue.shift();
      this.passed(packet);
      if (this.to.readyState === this.to.OPEN) this.to.send(bytes);
    }
  }
}
