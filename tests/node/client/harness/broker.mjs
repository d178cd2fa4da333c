// The two brokers that the scenarios run on: this project's, and Mosquitto with its WebSocket listener. Both keep their data
// on disk and their ports over a restart.

import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { BROKER, folder, freePort, MOSQUITTO } from './place.mjs';
import { Program } from './program.mjs';

/** `url`: for pages; `tcp`: for clients outside of the browser; `http`: its API. */
export async function startEbbtide(t, options = []) {
  const data = join(await folder(t), 'data');
  const program = new Program();
  t.after(() => program.end());
  let addresses = { mqtt: '127.0.0.1:0', http: '127.0.0.1:0' };
  const start = async () => {
    const found = {};
    const args = ['serve', '--mqtt', addresses.mqtt, '--http', addresses.http, '--data-dir', data, '--allow-origin', '*'];
    await program.run(BROKER, [...args, ...options], async (line) => {
      for (const [name] of Object.entries(addresses)) found[name] ??= line.match(`${name}://([0-9.]+:[0-9]+)`)?.[1];
      if (!found.mqtt || !found.http) return false;
      return fetch(`http://${found.http}/readyz`).then((response) => response.ok, () => false);
    });
    addresses = found;
  };
  await start();
  return {
    name: 'Ebbtide',
    announces: true,
    url: `ws://${addresses.http}/mqtt`,
    tcp: `mqtt://${addresses.mqtt}`,
    http: `http://${addresses.http}`,
    log: () => program.log,
    /** SIGKILL. What it has acknowledged is on disk. */
    kill: () => program.end(),
    restart: start,
    /** The session of a client at the broker, or undefined. */
    async session(clientId) {
      const response = await fetch(`http://${addresses.http}/api/v1/sessions/${encodeURIComponent(clientId)}`);
      return response.ok ? response.json() : undefined;
    },
    async sessions() {
      const response = await fetch(`http://${addresses.http}/api/v1/sessions?limit=1000`);
      return (await response.json()).sessions;
    },
  };
}

/** `lines`: of its configuration, beside what it always has; a later one counts. */
export async function startMosquitto(t, lines = []) {
  const place = await folder(t);
  const [mqtt, ws] = [await freePort(), await freePort()];
  const config = join(place, 'mosquitto.conf');
  await writeFile(config, [
    `listener ${mqtt} 127.0.0.1`, `listener ${ws} 127.0.0.1`, 'protocol websockets', 'allow_anonymous true', 'user root',
    'persistence true', `persistence_location ${place}/`, 'max_queued_messages 0', 'max_inflight_messages 100', ...lines, '',
  ].join('\n'));
  const program = new Program();
  t.after(() => program.end());
  const start = () => program.run(MOSQUITTO, ['-c', config], () => answers(ws));
  await start();
  return {
    name: 'Mosquitto',
    announces: false,
    url: `ws://127.0.0.1:${ws}/mqtt`,
    tcp: `mqtt://127.0.0.1:${mqtt}`,
    log: () => program.log,
    /** SIGTERM: it writes its data only now and then, and at its end. */
    kill: () => program.end('SIGTERM'),
    restart: start,
  };
}

/** Each broker: its name, what `kill` is to it, its start, and what a test of it needs. */
export const BROKERS = [
  { name: 'Ebbtide', end: 'a kill of Ebbtide', start: startEbbtide, programs: { BROKER } },
  { name: 'Mosquitto', end: 'an end of Mosquitto', start: startMosquitto, programs: { MOSQUITTO } },
];

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
