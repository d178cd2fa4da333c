// Ends a session at the server whose data here is gone: one connection with Clean Start and a Session Expiry Interval of 0.

import type { Connection, Hooks, Settings } from '../ebbtide_wasm.js';
import type { EngineSettings } from '../settings.js';
import { openDesk } from './credentials.js';

/** Resolves to whether it could be reached. */
export async function endSession(url: string, settings: EngineSettings, clientId: string, load: () => Promise<typeof Connection>, deadlineMs: number): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    const Class = await load();
    return await new Promise<boolean>((resolve) => {
      setTimeout(() => resolve(false), deadlineMs);
      const nothing = (): void => {};
      const hooks = {
        state: (kind: string) => {
          if (kind === 'online') {
            connection!.close(true);
            resolve(true);
          } else if (kind === 'needs-auth' || kind === 'closed') resolve(false);
        },
        credentials: () => desk.ask(),
        auth: (kind: string, data: Uint8Array | undefined) => kind === 'continue' && desk.challenge(data),
      };
      // Without its will: nobody leaves in the middle of something.
      const { will, ...plain } = settings;
      connection = new Class({
        ...plain, url, clientId, sessionExpiryS: 0, cleanStart: true, durable: false, hasSession: false,
        asksCredentials: settings.credentials !== undefined,
      } as Settings, new Proxy(hooks, { get: (all, name) => all[name as keyof typeof all] ?? nothing }) as unknown as Hooks);
      const desk = openDesk(settings, connection, () => resolve(false), nothing);
      connection.start();
    });
  } catch {
    return false;
  } finally {
    // Its farewell goes out first.
    setTimeout(() => connection?.free(), 1000);
  }
}
