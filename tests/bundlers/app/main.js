// An app as small as can be. It begins when it is told to: the test looks at what was loaded before.

import { connect } from 'ebbtide';

globalThis.start = async (topic) => {
  const client = connect('/mqtt', { identity: 'bundlers' });
  const messages = client.subscribe(topic)[Symbol.asyncIterator]();
  const first = messages.next();
  await client.publish(topic, 'hello', { qos: 1 }).acked;
  const text = (await first).value.text();
  await messages.return();
  return text;
};
