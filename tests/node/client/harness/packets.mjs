// MQTT packets in a stream of bytes: where each ends, and what is in it. A topic that was sent as an alias is put back.

import mqttPacket from 'mqtt-packet';

const CONNECT = 1;

/** Takes bytes as they come and gives whole packets, each with its bytes and what they say. */
export class Packets {
  #rest = Buffer.alloc(0);
  #parser;
  #parsed;
  #aliases = new Map();

  /** `version`: a function that gives 4 or 5, asked at the first packet that is no CONNECT. */
  constructor(version) {
    this.version = version;
  }

  push(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const whole = [];
    for (let length = this.#length(); length !== undefined && length <= this.#rest.length; length = this.#length()) {
      const packet = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      whole.push({ bytes: packet, packet: this.#parse(packet) });
    }
    return whole;
  }

  /** The length of the packet that the rest begins with, bytes. */
  #length() {
    let [value, shift] = [0, 0];
    for (let at = 1; at < Math.min(this.#rest.length, 5); at++) {
      value |= (this.#rest[at] & 0x7f) << shift;
      if ((this.#rest[at] & 0x80) === 0) return 1 + at + value;
      shift += 7;
    }
    return undefined;
  }

  #parse(bytes) {
    if (!this.#parser || bytes[0] >> 4 === CONNECT) {
      this.#parser = mqttPacket.parser({ protocolVersion: this.version() });
      this.#parser.on('packet', (packet) => (this.#parsed = packet));
      this.#parser.on('error', (error) => (this.#parsed = { cmd: 'malformed', error: error.message }));
    }
    this.#parsed = undefined;
    this.#parser.parse(bytes);
    const packet = this.#parsed ?? { cmd: 'malformed' };
    const alias = packet.properties?.topicAlias;
    if (packet.cmd === 'publish' && alias) {
      if (packet.topic) this.#aliases.set(alias, packet.topic);
      else packet.topic = this.#aliases.get(alias);
    }
    return packet;
  }
}
