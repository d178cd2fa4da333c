// An MQTT server over WebSocket that answers as the test says: what a real broker does only when it is in trouble.

import { createServer } from 'node:http';
import mqttPacket from 'mqtt-packet';
import { WebSocketServer } from 'ws';
import { Packets } from './packets.mjs';

/** `answers`: by command, instead of the usual answer, `(packet, connection, usual) => …`. They may be changed at any time. */
export async function startScripted(t, answers = {}) {
  const server = new Scripted(answers);
  await server.listen();
  t.after(() => server.close());
  return server;
}

class Scripted {
  #http = createServer((_, response) => response.writeHead(404).end());
  #accepting = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  /** Every connection that ever was. */
  connections = [];
  /** Refuses WebSockets while true. */
  refusing = false;

  constructor(answers) {
    this.answers = answers;
    this.#http.on('upgrade', (request, socket, head) => {
      if (this.refusing) return socket.destroy();
      return this.#accepting.handleUpgrade(request, socket, head, (page) => this.connections.push(new Connection(page, this)));
    });
  }

  listen() {
    return new Promise((resolve) => this.#http.listen(0, '127.0.0.1', resolve));
  }

  get url() {
    return `ws://127.0.0.1:${this.#http.address().port}/mqtt`;
  }

  get open() {
    return this.connections.filter((connection) => connection.isOpen);
  }

  /** All packets of that kind, over all connections. */
  received(cmd) {
    return this.connections.flatMap((connection) => connection.packets).filter((packet) => packet.cmd === cmd);
  }

  drop() {
    for (const connection of this.connections) connection.cut();
  }

  close() {
    this.refusing = true;
    this.drop();
    return new Promise((resolve) => this.#http.close(resolve));
  }
}

class Connection {
  #page;
  /** What came, in order. */
  packets = [];
  version = 5;

  constructor(page, server) {
    this.#page = page;
    const packets = new Packets(() => this.version);
    page.on('error', () => {});
    page.on('message', (data) => {
      for (const { packet } of packets.push(data)) {
        if (packet.cmd === 'connect') {
          this.connect = packet;
          this.version = packet.protocolVersion;
        }
        this.packets.push(packet);
        const usual = () => this.answer(packet);
        const answer = server.answers[packet.cmd];
        if (answer) answer(packet, this, usual);
        else usual();
      }
    });
  }

  get isOpen() {
    return this.#page.readyState === this.#page.OPEN;
  }

  send(packet) {
    this.#page.send(mqttPacket.generate(packet, { protocolVersion: this.version }));
  }

  /** What a server in good health answers. */
  answer(packet) {
    const { cmd, messageId } = packet;
    if (cmd === 'connect') this.accept();
    else if (cmd === 'publish' && packet.qos === 1) this.send({ cmd: 'puback', messageId, reasonCode: 0 });
    else if (cmd === 'publish' && packet.qos === 2) this.send({ cmd: 'pubrec', messageId, reasonCode: 0 });
    else if (cmd === 'pubrel') this.send({ cmd: 'pubcomp', messageId, reasonCode: 0 });
    else if (cmd === 'subscribe') this.send({ cmd: 'suback', messageId, granted: packet.subscriptions.map(({ qos }) => qos) });
    else if (cmd === 'unsubscribe') this.send({ cmd: 'unsuback', messageId, granted: packet.unsubscriptions.map(() => 0) });
    else if (cmd === 'pingreq') this.send({ cmd: 'pingresp' });
  }

  accept(sessionPresent = false, properties = {}) {
    this.send({ cmd: 'connack', reasonCode: 0, returnCode: 0, sessionPresent, properties });
  }

  refuse(reasonCode) {
    this.send({ cmd: 'connack', reasonCode, returnCode: reasonCode, sessionPresent: false });
    this.#page.close();
  }

  /** Without a farewell. */
  cut() {
    this.#page.terminate();
  }
}
