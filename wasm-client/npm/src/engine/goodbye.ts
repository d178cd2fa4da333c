// MQTT 3.1.1 has one way to end a session: a connection with Clean Session 1, which begins without it and leaves nothing behind (section 3.1.2.4).

import type { EngineSettings } from '../settings.js';
import type { Connection, Hooks, MakeConnection, Settings } from '../wasm/contract.js';
import { openDesk } from './credentials.js';

/** False: the server was not reached in time, or did not let it in. */
export async function endCleanly(connect: MakeConnection, { will: _, ...last }: Settings, settings: EngineSettings, deadlineMs: number, log: (line: string) => void): Promise<boolean> {
  let connection: Connection;
  const ended = await new Promise<boolean>((resolve) => {
    connection = connect({ ...last, cleanStart: true, durable: false }, new Proxy({} as Hooks, {
      get: (_, hook) => (hook === 'credentials' ? desk.ask : (kind: string) => hook === 'state' && kind === 'online' && resolve(true)),
    }));
    const desk = openDesk(settings, connection, () => resolve(false), log);
    setTimeout(resolve, deadlineMs, false);
    connection.start();
  });
  connection!.close({});
  return ended;
}
