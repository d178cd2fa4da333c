// What this tab does while it leads: keeps a leader going, knows which other tabs live, and lets all of them hear it. A leader that the store
// or the network has stopped is followed by another one, in another tab if there is one.

import type { State } from '../engine.js';
import { wordsOf } from '../error.js';
import { STALE } from './journal.js';
import { startLeader, type How, type Leader } from './leader.js';
import type { StationContext } from './station.js';
import type { Opened } from './store/open.js';
import { storageError } from './store/store.js';
import { awaitGone, onRoster } from './tabs/roster.js';
import { errorOf, outcomeOf, type ToLeader, type ToTabs } from './wire.js';

/** After which another leader begins, in the next tab that waits for the office: what stopped this one may be the matter of its tab. */
const AGAIN_MS = 5000;

export interface OfficeContext extends StationContext {
  opened: Opened;
  self: string;
  post(talk: ToTabs): void;
  /** There is a leader with this epoch. */
  follow(epoch: number): void;
  /** The office is to be given up; this tab is the last that it comes to. */
  give(): void;
}

export interface Office {
  readonly leader: Leader | undefined;
  beat(): void;
  hear(talk: ToLeader, from: string): void;
  resign(how: How): void;
}

export function takeOffice(context: OfficeContext): Office {
  const { name, settings, opened, self, report, post, state, give } = context;
  const { store, shared } = opened;
  const others = new Set<string>();
  const gone = new AbortController();
  let leader: Leader | undefined;
  let over = false;
  let last: State = { state: 'connecting' };
  let outbox = 0;
  let again: ReturnType<typeof setTimeout> | undefined;

  const beat = (): void => {
    const talk: ToTabs = { t: 'beat', state: last, outbox, leader: leader?.inspect() };
    context.hear(talk);
    post(talk);
  };
  const enter = (now: State): void => {
    if (over) return;
    last = now;
    state(now);
    beat();
  };
  const say = (talk: ToTabs): void => {
    if (over) return;
    context.hear(talk);
    if (others.size === 0) return;
    if (talk.t !== 'messages') return post(talk);
    const list = talk.list.filter(([, tabs]) => tabs.some((tab) => tab !== self));
    if (list.length > 0) post({ ...talk, list });
  };
  /** Whether the tab was not known. */
  const meet = (tab: string): boolean => {
    if (over || others.has(tab) || tab === self) return false;
    others.add(tab);
    awaitGone(name, tab, gone.signal, () => {
      others.delete(tab);
      leader?.gone(tab);
    });
    return true;
  };
  const failed = (why: unknown): void => {
    if (over) return;
    leader = undefined;
    if (why === STALE) return give();
    // Options with which no attempt can succeed.
    if (Array.isArray(why)) return context.hopeless(errorOf(outcomeOf(why)));
    report({ kind: 'error', error: storageError(why) });
    enter({ state: 'offline', reason: wordsOf(why), retryInMs: AGAIN_MS });
    again = setTimeout(shared ? give : begin, AGAIN_MS);
  };
  const begin = async (): Promise<void> => {
    if (over) return;
    enter({ state: 'connecting' });
    try {
      if (shared) (await onRoster(name)).forEach(meet);
      const made = await startLeader({
        ...context, store, tabs: () => [self, ...others], say, state: enter, failed,
        outbox: (count) => {
          outbox = count;
          if (!over) beat();
        },
      }, () => over);
      if (over) return made.stop('drop');
      leader = made;
      beat();
      context.follow(made.epoch);
      made.start();
    } catch (why) {
      failed(why);
    }
  };
  report({ kind: 'leader', leading: true });
  void begin();

  return {
    get leader() {
      return leader;
    },
    beat,
    hear: (talk, from) => {
      if (meet(from)) beat();
      leader?.hear(talk, from);
    },
    resign: (how) => {
      over = true;
      clearTimeout(again);
      gone.abort();
      leader?.stop(how);
      leader = undefined;
      report({ kind: 'leader', leading: false });
    },
  };
}
