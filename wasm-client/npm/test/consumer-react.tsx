// What a React application in TypeScript writes; only compiled.

import { connect } from 'ebbtide';
import { EbbtideProvider, useClient, useConnection, usePresence, usePublish, useTopic, useTopics } from 'ebbtide/react';

const client = typeof window === 'undefined' ? null : connect('/mqtt');

export function App() {
  return (
    <EbbtideProvider client={client}>
      <Lamps />
    </EbbtideProvider>
  );
}

function Lamps() {
  const connection = useConnection();
  const { messages, ready, error } = useTopics('config/{lamp}', { qos: 1 });
  const { message } = useTopic('config/lamp');
  const { publish, pending } = usePublish();
  const people = usePresence('presence/{client}');
  const refused: boolean = people.error?.code === 'refused' && !people.ready;
  useClient()?.reconnectNow();
  // @ts-expect-error it has no such level
  messages[0]?.params.name;
  // @ts-expect-error the value of {lamp} is missing
  void (() => publish('config/{lamp}', 1));
  return (
    <ul title={connection.state} onClick={() => publish('config/{lamp}', { on: true }, { params: { lamp: 'x' }, retain: true })}>
      {messages.map(({ topic, params }) => <li key={topic}>{params.lamp}</li>)}
      {pending} {ready} {error?.code} {message?.text()} {people.users[0]?.since?.toISOString()} {refused}
    </ul>
  );
}
