// The ticks that the keep alive is judged by: from the worker where there can be one, otherwise from the page's own timers.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { startTicker } from '../engine/ticker.js';

let workers;
let ticks;
let stop;

beforeEach(() => {
  [workers, ticks, stop] = [[], 0, undefined];
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
});
afterEach(() => {
  stop?.();
  mock.timers.reset();
  delete globalThis.Worker;
});

class FakeWorker {
  terminated = false;
  constructor(url) {
    this.url = String(url);
    workers.push(this);
  }
  terminate() {
    this.terminated = true;
  }
}

function start(Worker, url) {
  if (Worker) globalThis.Worker = Worker;
  stop = startTicker(url, () => ticks++);
}

function pass(ms) {
  const before = ticks;
  mock.timers.tick(ms);
  return ticks - before;
}

test('a worker that ticks is the only one that does', () => {
  start(FakeWorker, '/worker.js');
  assert.equal(workers[0].url, '/worker.js');
  assert.equal(pass(1_000), 2, 'until its script is there');
  workers[0].onmessage();
  assert.equal(ticks, 3);
  assert.equal(pass(10_000), 0);
  assert.equal(workers[0].terminated, false);
});

test('where there are no workers, timers tick', () => {
  start(undefined);
  assert.equal(pass(10_000), 20);
});

test('a policy that throws', () => {
  start(class {
    constructor() {
      throw new DOMException('worker-src', 'SecurityError');
    }
  });
  assert.equal(pass(10_000), 20);
});

test('a policy that fails the worker later', () => {
  start(FakeWorker);
  let isHandled = false;
  workers[0].onerror({ preventDefault: () => (isHandled = true) });
  assert.equal(isHandled, true, 'nothing uncaught');
  assert.equal(pass(10_000), 20);
  assert.equal(workers[0].terminated, true);
});

test('a worker that never answers is given up, and ticks are not missed meanwhile', () => {
  start(FakeWorker);
  assert.equal(pass(10_000), 20);
  assert.equal(workers[0].terminated, true);
});

test('a worker that breaks after it ticked', () => {
  start(FakeWorker);
  workers[0].onmessage();
  workers[0].onerror({ preventDefault() {} });
  assert.equal(pass(1_000), 2);
});

test('stopped, nothing ticks', () => {
  start(FakeWorker);
  const [worker] = workers;
  worker.onmessage();
  stop();
  assert.equal(pass(10_000), 0);
  assert.equal(worker.terminated, true);
  assert.equal(worker.onmessage, null);
});
