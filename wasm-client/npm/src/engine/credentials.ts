// Asks the application for credentials: before each attempt, when they are about to expire, and when the server wants more. An attempt that waits
// for them too long is ended by the machine.

import { attempt } from '../attempt.js';
import { wordsOf } from '../error.js';
import { checkOptions, CREDENTIALS } from '../options.js';
import type { Connection, Diagnostics } from '../wasm/contract.js';
import type { Credentials, EngineSettings } from '../settings.js';

/** So long before they expire new ones are asked for. */
const RENEW_BEFORE_MS = 30_000;
/** Between two of these: a clock that is wrong makes each token look expired. */
const RENEW_PAUSE_MS = 10_000;

export interface CredentialsDesk {
  /** For an attempt. */
  ask(): void;
  /** New ones, for a connection that stands. False: it cannot take them. */
  renew(): boolean;
  challenge(data: Uint8Array | undefined, said: Diagnostics): void;
  tick(online: boolean): void;
  /** No answer is used any more. */
  stop(): void;
}

export function openDesk(settings: EngineSettings, connection: Connection, none: () => void, log: (line: string) => void): CredentialsDesk {
  const { credentials, authenticationMethod, onAuthenticate } = settings;
  let expiresAt = Infinity;
  /** As `performance.now()`. */
  let notBefore = 0;
  let round = 0;
  let over = false;

  const get = async (): Promise<Credentials | null | undefined> => {
    // Not inside of a call from the connection.
    await undefined;
    const given = await (typeof credentials === 'function' ? credentials() : credentials);
    if (given) checkOptions('credentials', given, CREDENTIALS);
    expiresAt = (given && expiryOf(given)) ?? Infinity;
    return given;
  };
  const renew = (): boolean => {
    if (authenticationMethod === undefined) return false;
    notBefore = performance.now() + RENEW_PAUSE_MS;
    get().then(
      (given) => given && !over && connection.authenticate('again', given),
    ).catch((why: unknown) => log(`new credentials: ${String(why)}`));
    return true;
  };

  return {
    ask: () => {
      const ours = ++round;
      get().then((given) => {
        if (ours !== round || over) return;
        if (given) connection.credentials(given.username, given.password, given.authenticationData);
        else none();
      }).catch((why: unknown) => {
        if (ours === round && !over) connection.credentials_failed(wordsOf(why));
      });
    },
    renew,
    challenge: (data, said) => {
      Promise.resolve().then(() => (onAuthenticate ? onAuthenticate(data, said) : get())).then(
        (answer) => over || connection.authenticate('continue', answer instanceof Uint8Array ? { authenticationData: answer } : (answer ?? {})),
      ).catch((why: unknown) => log(`no answer to AUTH: ${String(why)}`));
    },
    tick: (online) => {
      if (online && Date.now() > expiresAt - RENEW_BEFORE_MS && performance.now() > notBefore) renew();
    },
    stop: () => void (over = true),
  };
}

/** As told, or as a JSON Web Token says; wall clock, ms. */
function expiryOf({ authenticationData, expiresAt }: Credentials): number | undefined {
  if (expiresAt !== undefined || !authenticationData) return expiresAt;
  return attempt(() => {
    const body = new TextDecoder().decode(authenticationData).split('.')[1]!;
    const { exp } = JSON.parse(atob(body.replace(/-/g, '+').replace(/_/g, '/'))) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : undefined;
  });
}
