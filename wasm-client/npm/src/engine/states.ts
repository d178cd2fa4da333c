// What the machine says of the connection, as the state that tabs see; and what became of the session when it is another one than before.

import type { Connack, Report, SessionKind, State } from '../engine.js';
import type { Said } from '../wasm/contract.js';
import type { Estate } from './takeover.js';

export interface States {
  /** As `Hooks.state`; an end by itself is not for here. */
  hook(kind: string, session: string | undefined, reason: string, reasonCode: number | undefined, retryInMs: number | undefined, said?: Said): void;
  /** The application has none; until `unbar`. */
  bar(): void;
  unbar(): void;
  /** A publish of which nobody can say whether it arrived. */
  unknown(): void;
  /** As `performance.now()`; undefined: not online. */
  since: number | undefined;
  /** Of the connection that comes next, or stands. */
  connack: Connack | undefined;
  readonly state: State;
}

export interface StatesContext {
  estate: Estate;
  enter(state: State): void;
  report(report: Report): void;
  online(): void;
  offline(): void;
}

export function openStates({ estate, enter, report, online, offline }: StatesContext): States {
  let lastOnline: number | undefined;
  let unknown = 0;
  let barred = false;
  let state: State = { state: 'connecting' };
  const move = (now: State): void => enter((state = now));
  const come = (told: SessionKind, said: string): void => {
    const was = told === 'resumed' ? undefined : estate.evicted;
    const session = was ? 'evicted' : told;
    const reason = was ? 'the browser had thrown the stored data away' : said;
    estate.evicted = undefined;
    unknown = 0;
    if (session === 'gap' || session === 'evicted') {
      const since = lastOnline ?? was?.at;
      // The journal tells only after this what cannot be known any more.
      setTimeout(() => report({ kind: session, reason, lost: { outbox: session === 'gap' ? unknown : was?.count, since } }));
    }
    const { connack } = states;
    move({ state: 'online', session, ...(reason && { reason }), ...(connack && { connack }) });
    online();
  };
  const states: States = {
    since: undefined,
    connack: undefined,
    get state() {
      return state;
    },
    hook(kind, session, reason, reasonCode, retryInMs, said) {
      if (barred && kind === 'offline') return;
      if (kind === 'online') {
        states.since = performance.now();
        return come(session as SessionKind, reason);
      }
      if (states.since !== undefined) {
        lastOnline = Date.now();
        states.since = undefined;
        offline();
      }
      const why = { reason, ...(reasonCode !== undefined && { reasonCode }), ...said };
      if (kind === 'offline') move({ state: kind, ...why, retryInMs: retryInMs ?? null });
      else if (kind === 'needs-auth') move({ state: kind, ...why });
      else move({ state: 'connecting' });
    },
    bar: () => {
      barred = true;
      states.since = undefined;
      move({ state: 'needs-auth', reason: 'no credentials' });
    },
    unbar: () => void (barred = false),
    unknown: () => void unknown++,
  };
  return states;
}
