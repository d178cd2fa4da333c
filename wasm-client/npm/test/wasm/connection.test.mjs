// The TypeScript between the machine and the browser: values in memory, socket, timer, clock. The wasm is a stand-in that records.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Machine } from './connection.js';
import { faultOf } from './faults.js';
import { Memory, pack, unpack } from './values.js';

const HOOKS = { state: 0, message: 1, change: 2, settled: 3, deferred: 4, auth: 5, finished: 9 };
const tasks = () => new Promise((resolve) => setTimeout(resolve));
const joined = (parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

/** One socket at a time, as a browser has it. */
class FakeSocket {
  sent = [];
  bufferedAmount = 0;
  closed = false;
  constructor(url, protocols) {
    if (url === 'ws://refused/') throw new DOMException('no', 'SecurityError');
    Object.assign(this, { url, protocols });
    FakeSocket.last = this;
  }
  send(bytes) {
    this.sent.push(new TextDecoder().decode(bytes));
  }
  close() {
    this.closed = true;
  }
}

/** `outputs`: what `poll_output` sends, one by one; `actions`: what `poll_action` gives. */
function open({ url = 'ws://broker/', ...settings } = {}) {
  const heard = [];
  const calls = [];
  const wasm = {
    memory: new WebAssembly.Memory({ initial: 2 }),
    outputs: [],
    actions: [],
    timeoutAt: Infinity,
    refuses: 0,
    arguments: undefined,
    allocate(length) {
      wasm.arguments = { at: 16, length };
      return 16;
    },
    given: () => new Uint8Array(wasm.memory.buffer, wasm.arguments.at, wasm.arguments.length).slice(),
    poll_action: () => wasm.actions.shift() ?? 0,
    poll_timeout: () => wasm.timeoutAt,
    poll_events: () => 0,
    poll_journal: () => 0,
    poll_output: () => {
      const output = wasm.outputs.shift();
      if (output === undefined) return 0;
      new Uint8Array(wasm.memory.buffer).set(new TextEncoder().encode(output), 1024);
      machine.send(1024, output.length);
      return 1;
    },
    publish: () => -wasm.refuses,
  };
  for (const name of ['create', 'start', 'opened', 'received', 'received_text', 'closed', 'let_go', 'timeout', 'credentials']) {
    wasm[name] = (...given) => {
      calls.push([name, ...given]);
      return name === 'credentials' ? 1 : 0;
    };
  }
  const hooks = new Proxy({}, { get: (_, name) => (...given) => heard.push([name, ...given]) });
  const machine = new Machine(wasm, { url, clientId: 'a', version: 5, ...settings }, hooks);
  const tell = (hook, values) => {
    new Uint8Array(wasm.memory.buffer).set(joined(pack([values])), 2048);
    machine.hear(HOOKS[hook], 2048);
  };
  return { machine, wasm, heard, calls, tell, names: () => calls.map(([name]) => name) };
}

globalThis.WebSocket = FakeSocket;

test('values come as they went, and lie in memory as values.rs has them', () => {
  const values = [65_536, true, false, 'ä', Uint8Array.of(0, 255), undefined, [['a', ''], ['b', 'c']], -1.5];
  const bytes = joined(pack([values]));
  assert.deepEqual(unpack(new Memory(bytes.buffer), 0), values);
  const head = (kind, number) => [kind, ...new Uint8Array(Uint32Array.of(number).buffer)];
  const float = (number) => [...head(6, 8), ...new Uint8Array(Float64Array.of(number).buffer)];
  assert.deepEqual([...joined(pack([7, true, 'x', Uint8Array.of(9), null, ['y'], -1, 2 ** 32]))], [
    ...head(1, 7), ...head(2, 1), ...head(3, 1), 120, ...head(4, 1), 9, ...head(0, 0), ...head(5, 1), ...head(3, 1), 121, ...float(-1), ...float(2 ** 32),
  ]);
});

test('bytes that were told are a copy, and a byte order mark stays', () => {
  const memory = joined(pack([['\ufeffa', Uint8Array.of(1)]]));
  const [text, bytes] = unpack(new Memory(memory.buffer), 0);
  memory.fill(0);
  assert.deepEqual([text, [...bytes]], ['\ufeffa', [1]]);
});

test('texts that are remembered are not confused', () => {
  const memory = new Memory(new ArrayBuffer(4096));
  const told = (text) => {
    memory.bytes.set(joined(pack([text])));
    return unpack(memory, 0);
  };
  // More than are remembered, of one length, some at the same place; long ones; and all of them again.
  const texts = ['', 'ä', '\ufeff', 'x'.repeat(500), 'y'.repeat(500)];
  for (let at = 0; at < 300; at++) texts.push(`agents/${String(at).padStart(3, '0')}/state`, `state/${String(at).padStart(3, '0')}`);
  for (const text of [...texts, ...texts.reverse()]) for (let times = 0; times < 2; times++) assert.equal(told(text), text);
});

test('small bytes that pass by share a buffer and nothing else, large ones have their own', () => {
  const passing = (...contents) => {
    const head = (length) => [7, ...new Uint8Array(Uint32Array.of(length).buffer)];
    const list = [5, ...new Uint8Array(Uint32Array.of(contents.length).buffer)];
    return Uint8Array.from([...list, ...contents.flatMap((content) => [...head(content.length), ...content])]);
  };
  const large = new Uint8Array(513).fill(9);
  const bytes = passing(Uint8Array.of(1, 2, 3), large, Uint8Array.of(4), Uint8Array.of());
  const memory = new Memory(bytes.buffer);
  const values = unpack(memory, 0);
  bytes.fill(0);
  assert.deepEqual(values.map((value) => [...value]), [[1, 2, 3], [...large], [4], []]);
  const [a, own, b] = values;
  assert.equal(a.buffer, b.buffer);
  assert.ok(a.buffer.byteLength <= 4096, 'whoever keeps one byte keeps no more than that');
  assert.equal(b.byteOffset % 8, 0, 'any typed array may look at it');
  assert.equal(own.buffer.byteLength, own.length);
  // More than one of them fills.
  const many = Array.from({ length: 100 }, (_, at) => new Uint8Array(256).fill(at));
  assert.deepEqual(unpack(new Memory(passing(...many).buffer), 0), many);
});

const SAID = { reasonString: 'ask first', userProperties: [['k', 'v']] };

test('hooks get objects for lists, and words for faults', () => {
  const { heard, tell } = open();
  tell('message', ['t', Uint8Array.of(1), 1, true, false, [3], [true, 60, undefined, 'back', undefined, [['k', 'v']]]]);
  tell('message', ['t', Uint8Array.of(), 0, false, false, [], undefined]);
  const said = ['ask first', [['k', 'v']], undefined];
  tell('settled', [7, 0x10, undefined]);
  tell('settled', [7, 0, said]);
  tell('settled', [8, -(38 * 256 + 0x87), said]);
  tell('finished', [9, -(37 * 256), undefined]);
  tell('finished', [9, -(38 * 256 + 0x87), said]);
  tell('deferred', [9, 0x97, 500, said]);
  tell('change', [3, 'granted', 1, said]);
  tell('change', [3, 'snapshot', 0, undefined]);
  tell('auth', ['continue', Uint8Array.of(7), ['ask first', undefined]]);
  tell('state', ['online', 'resumed', '', undefined, undefined, undefined]);
  tell('state', ['offline', undefined, 'moved', 0x9d, undefined, ['moved', undefined, 'other.example']]);
  tell('state', ['needs-auth', undefined, '', 0x87, undefined, undefined]);
  assert.deepEqual(heard, [
    ['message', 't', Uint8Array.of(1), 1, true, false, [3], { payloadFormatIndicator: true, messageExpiryInterval: 60, responseTopic: 'back', userProperties: [['k', 'v']] }],
    ['message', 't', Uint8Array.of(), 0, false, false, [], undefined],
    ['settled', 7, undefined, undefined, 0x10, undefined],
    ['settled', 7, undefined, undefined, 0, SAID],
    ['settled', 8, 'refused', 'Not authorized: ask first', 0x87, SAID],
    ['finished', 9, 'packet-too-large', undefined, undefined],
    ['finished', 9, 'refused', 0x87, SAID],
    ['deferred', 9, 0x97, 500, SAID],
    ['change', 3, 'granted', 1, SAID],
    ['change', 3, 'snapshot', 0, undefined],
    ['auth', 'continue', Uint8Array.of(7), { reasonString: 'ask first' }],
    ['state', 'online', 'resumed', '', undefined, undefined, undefined],
    ['state', 'offline', undefined, 'Server moved: moved', 0x9d, undefined, { reasonString: 'moved', serverReference: 'other.example' }],
    ['state', 'needs-auth', undefined, 'Not authorized', 0x87, undefined, undefined],
  ]);
});

test('a fault is thrown with code and words', () => {
  const { machine, wasm } = open();
  wasm.refuses = 25 * 256;
  assert.throws(() => machine.publish('a', Uint8Array.of(), 1, false, undefined, undefined, false), (thrown) => thrown[0] === 'topic-filter' && /\$share/.test(thrown[1]));
  assert.deepEqual(faultOf(31 * 256), ['offline', 'there is no connection']);
});

test('a socket lives from one action to the other, and says nothing after it was let go', async () => {
  const { machine, wasm, calls, names } = open();
  wasm.actions.push(1);
  machine.start();
  await tasks();
  const socket = FakeSocket.last;
  assert.deepEqual([socket.url, socket.protocols, socket.binaryType], ['ws://broker/', ['mqtt'], 'arraybuffer']);
  wasm.outputs.push('CONNECT', 'more');
  socket.onopen();
  assert.deepEqual(socket.sent, ['CONNECT', 'more']);
  socket.onmessage({ data: Uint8Array.of(1, 2).buffer });
  assert.deepEqual([calls.at(-1)[0], [...wasm.given()]], ['received', [1, 2]]);
  socket.onmessage({ data: 'text' });
  assert.equal(calls.at(-1)[0], 'received_text');
  wasm.outputs.push('DISCONNECT');
  wasm.actions.push(2);
  machine.start();
  await tasks();
  assert.deepEqual([socket.sent.at(-1), socket.closed, socket.onmessage, socket.onclose], ['DISCONNECT', true, null, null]);
  assert.equal(names().at(-1), 'let_go');
});

test('an address that the browser refuses, and a close, are told to the machine with a reason', async () => {
  const one = open({ url: 'ws://refused/' });
  one.wasm.actions.push(1);
  one.machine.start();
  await tasks();
  assert.deepEqual([one.names().at(-1), unpack(new Memory(one.wasm.given().buffer), 0)], ['closed', 'the browser does not open this address']);
  const other = open();
  other.wasm.actions.push(1);
  other.machine.start();
  await tasks();
  FakeSocket.last.onclose({ wasClean: false });
  assert.deepEqual([other.names().at(-1), unpack(new Memory(other.wasm.given().buffer), 0)], ['closed', 'the server cannot be reached']);
});

test('a socket that does not keep up gets no more until it has written', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { machine, wasm, names } = open();
  const settle = async () => { for (let turn = 0; turn < 5; turn++) await Promise.resolve(); };
  wasm.actions.push(1);
  machine.start();
  await settle();
  const socket = FakeSocket.last;
  socket.bufferedAmount = (1 << 20) + 1;
  wasm.outputs.push('a', 'b');
  socket.onopen();
  assert.deepEqual(socket.sent, []);
  t.mock.timers.tick(20);
  assert.equal(names().at(-1), 'timeout');
  socket.bufferedAmount = 0;
  await settle();
  assert.deepEqual(socket.sent, ['a', 'b']);
});

test('the clock never goes back, and a timer is for the newest time alone', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 10_000 });
  const { machine, wasm, calls } = open();
  const settle = async () => { for (let turn = 0; turn < 5; turn++) await Promise.resolve(); };
  wasm.timeoutAt = 10_500;
  machine.start();
  await settle();
  wasm.timeoutAt = 10_200;
  machine.start();
  await settle();
  t.mock.timers.tick(200);
  assert.deepEqual(calls.filter(([name]) => name === 'timeout'), [['timeout', 10_200]]);
  t.mock.timers.setTime(5_000);
  machine.start();
  assert.deepEqual(calls.at(-1), ['start', 10_200]);
});

test('credentials are asked for before the socket, and one that was freed opens none', async () => {
  const { machine, wasm, heard, calls } = open({ asksCredentials: true });
  FakeSocket.last = undefined;
  wasm.actions.push(1);
  machine.start();
  await tasks();
  assert.deepEqual([heard, FakeSocket.last], [[['credentials']], undefined]);
  machine.credentials('ana', 'secret', undefined);
  assert.ok(Math.abs(calls.find(([name]) => name === 'credentials')[1] - Date.now()) < 60_000);
  assert.equal(FakeSocket.last.url, 'ws://broker/');
  machine.free();
  assert.equal(FakeSocket.last.closed, true);
  FakeSocket.last = undefined;
  wasm.actions.push(1);
  machine.start();
  await tasks();
  machine.credentials('ana', 'secret', undefined);
  assert.equal(FakeSocket.last, undefined);
});

test('what the socket gets rid of is a sign of life, and what stays in it is none', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
  const { machine, wasm, calls } = open();
  const settle = async () => { for (let turn = 0; turn < 5; turn++) await Promise.resolve(); };
  wasm.actions.push(1);
  machine.start();
  await settle();
  const socket = FakeSocket.last;
  const ticked = (left) => {
    socket.bufferedAmount = left;
    calls.length = 0;
    machine.tick();
    return calls.map(([name, now]) => `${name} ${now}`).join(' ');
  };
  const [life, none] = ['received 1000 timeout 1000', 'timeout 1000'];
  assert.deepEqual([ticked(900), ticked(900), ticked(300), ticked(1200), ticked(0), ticked(0)], [none, none, life, none, life, none]);
  // By the timer, too, before it is said that the time has come.
  wasm.timeoutAt = 1_500;
  assert.equal(ticked(900), none);
  await settle();
  calls.length = 0;
  socket.bufferedAmount = 500;
  t.mock.timers.tick(500);
  assert.deepEqual(calls, [['received', 1_500], ['timeout', 1_500]]);
});
