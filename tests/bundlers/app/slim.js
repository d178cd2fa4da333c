// The same, with the wasm from where the bundler has put it. It begins when it is told to: the test looks at what was loaded before.

import { connect, initWasm } from 'ebbtide/slim';
import wasm from 'ebbtide/ebbtide.wasm';

initWasm(new URL(wasm, import.meta.url));

globalThis.start = async (topic) => {
  const client = connect('/mqtt', { identity: 'bundlers' });
  const messages = client.subscribe(topic)[Symbol.asyncIterator]();
  const first = messages.next();
  await client.publish(topic, 'hello', { qos: 1 }).acked;
  const text = (await first).value.text();
  await messages.return();
  return text;
};
