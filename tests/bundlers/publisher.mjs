// A publisher that costs next to nothing: packets of MQTT 3.1.1 that are made once and written as they are. It follows the broker's pace:
// TCP holds it back at QoS 0, and a window of unacknowledged messages at QoS 1.

import { once } from 'node:events';
import { connect } from 'node:net';

const WINDOW = 2000;
const IN_ONE_WRITE = 100;
const CONNECT = Buffer.from([0x10, 0x0c, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 0, 0, 0]);
const CONNACK_BYTES = 4;
const PUBACK_BYTES = 4;

/** `payloadSum`: of the bytes of each payload. */
export async function openPublisher(port, topic, payloadBytes) {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.setNoDelay();
  let acknowledged = 0;
  let more = () => {};
  let bytes = -CONNACK_BYTES;
  socket.on('data', (data) => {
    bytes += data.length;
    acknowledged = Math.floor(bytes / PUBACK_BYTES);
    more();
  });
  const answered = (count) => new Promise((resolve) => {
    more = () => acknowledged >= count && resolve();
    more();
  });
  socket.write(CONNECT);
  await answered(0);

  const payload = Buffer.from(Array.from({ length: payloadBytes }, (_, at) => at % 251));
  const name = Buffer.from(topic);
  let sent = 0;
  const packet = (qos, packetId) => {
    const length = 2 + name.length + (qos > 0 ? 2 : 0) + payload.length;
    const head = [0x30 | (qos << 1), 0x80 | (length % 128), Math.floor(length / 128), 0, name.length];
    return Buffer.concat([Buffer.from(head), name, Buffer.from(qos > 0 ? [packetId >> 8, packetId & 255] : []), payload]);
  };
  const many = Buffer.concat(Array.from({ length: IN_ONE_WRITE }, () => packet(0)));

  return {
    payloadSum: payload.reduce((sum, byte) => sum + byte, 0),
    /** Resolves when all have left, and at QoS 1 are acknowledged. */
    async publish(count, qos) {
      for (let left = count; left > 0; ) {
        const now = Math.min(left, IN_ONE_WRITE);
        if (qos === 1) await answered(sent + now - WINDOW);
        const data = qos === 0 ? many.subarray(0, (many.length / IN_ONE_WRITE) * now)
          : Buffer.concat(Array.from({ length: now }, (_, at) => packet(1, ((sent + at) % 65_535) + 1)));
        if (qos === 1) sent += now;
        left -= now;
        if (!socket.write(data)) await once(socket, 'drain');
      }
      if (qos === 1) await answered(sent);
    },
    close: () => socket.destroy(),
  };
}
