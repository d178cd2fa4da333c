// A server program as a child process: killed without warning or asked to end, and started again as it was.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { within } from './place.mjs';

const START_LIMIT_MS = 30_000;
const END_LIMIT_MS = 20_000;

export class Program {
  #child;
  log = '';

  /** Starts it; `ready` looks at a line of its output, or is asked with '' now and then, and is true once it is up. */
  async run(program, args, ready) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: withoutOptions() });
    this.#child = child;
    let poll;
    const up = new Promise((resolve, reject) => {
      const look = async (line) => (await ready(line)) && resolve();
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          this.log += text;
          for (const line of text.split('\n')) look(line).catch(reject);
        });
      }
      poll = setInterval(() => look('').catch(reject), 20);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${program} ended with ${code}; it said:\n${this.log}`)));
    });
    up.catch(() => {});
    try {
      await within(START_LIMIT_MS, `${program} up`, up);
    } finally {
      clearInterval(poll);
    }
  }

  /** SIGKILL, or another signal, and its end. */
  async end(signal = 'SIGKILL') {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await within(END_LIMIT_MS, `its end after ${signal}`, ended);
  }
}

/** An EBBTIDE_… variable would be an option of the broker. */
function withoutOptions() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('EBBTIDE_')));
}
