// This tab's place among the tabs: store, channel, roster, election, and the leader while this tab leads. All of it is let go of when the page
// goes away, and taken up again when it comes back. Nothing here waits for ever, and nothing throws where nobody listens.

import type { Connection } from '../ebbtide_wasm.js';
import type { Report, State } from '../engine.js';
import { EbbtideError, fromWasm } from '../error.js';
import type { EngineSettings } from '../settings.js';
import { STALE } from './journal.js';
import { startLeader, type Leader } from './leader.js';
import { openStore, witness, type Opened } from './store/open.js';
import type { Store } from './store/store.js';
import { openChannel, type Channel } from './tabs/channel.js';
import { BEAT_MS, elect, type Election } from './tabs/election.js';
import { isVisible, watchLifecycle } from './tabs/lifecycle.js';
import { awaitGone, onRoster, stayOnRoster } from './tabs/roster.js';
import { startTicker } from './ticker.js';
import type { Talk, ToLeader, ToTabs } from './wire.js';

/** After which a leader that the store or the network has stopped begins anew. */
const AGAIN_MS = 5000;

export interface StationContext {
  url: string;
  name: string;
  settings: EngineSettings;
  load(): Promise<typeof Connection>;
  hear(talk: ToTabs): void;
  state(state: State): void;
  report(report: Report): void;
  log(line: string): void;
  /** There is another leader: what was told to the old one is to be told again. */
  led(): void;
  /** It can never connect. */
  hopeless(error: EbbtideError): void;
  /** The data of this identity is being removed. `ended`: by this tab's leader at the server, too. */
  removed(): void;
}

export interface Station {
  readonly self: string;
  readonly leading: boolean;
  readonly epoch: number;
  readonly opened: Opened | undefined;
  store(): Promise<Store>;
  tell(talk: ToLeader): void;
  /** To the other tabs. */
  broadcast(talk: ToTabs): void;
  leader(): Leader | undefined;
  /** For good; for the leader see `Leader.stop`. */
  down(how: 'drop' | 'leave' | 'close' | 'end', error: EbbtideError): void;
}

export function openStation(context: StationContext): Station {
  const { url, name, settings, load, state, report, log } = context;
  let self = '';
  let opened: Opened | undefined;
  let channel: Channel | undefined;
  let election: Election | undefined;
  let offRoster: (() => void) | undefined;
  let stopTicker: (() => void) | undefined;
  let leader: Leader | undefined;
  let leading = false;
  /** Counts leaders of this tab, so that a late one sees that it is none. */
  let terms = 0;
  let epoch = 0;
  let others = new Set<string>();
  let gone = new AbortController();
  let last: State = { state: 'connecting' };
  let outbox = 0;
  /** There were data of this identity. */
  let known = false;
  let up = 0;
  let over: EbbtideError | undefined;
  let newer = false;
  let waiting: { resolve(store: Store): void; reject(why: unknown): void } | undefined;
  let storeIs: Promise<Store>;
  const awaitStore = (): void => {
    storeIs = new Promise((resolve, reject) => void (waiting = { resolve, reject }));
    storeIs.catch(() => {});
  };
  awaitStore();

  const enter = (now: State): void => {
    last = now;
    state(now);
    beat();
  };
  const beat = (): void => {
    if (!leading) return;
    const talk: ToTabs = { t: 'beat', epoch: leader?.epoch ?? 0, state: last, low: leader?.low ?? 0, outbox };
    context.hear(talk);
    channel?.post(talk);
  };
  const say = (talk: ToTabs): void => {
    context.hear(talk);
    if (others.size === 0) return;
    if (talk.t === 'messages') {
      const list = talk.list.filter(([, tabs]) => tabs.some((tab) => tab !== self));
      if (list.length > 0) channel?.post({ t: 'messages', list });
    } else channel?.post(talk);
  };
  const lead = (): void => {
    leading = true;
    others = new Set();
    gone = new AbortController();
    report({ kind: 'leader', leading: true });
    begin();
  };
  /** Whether the tab was not known. */
  const meet = (tab: string): boolean => {
    if (others.has(tab) || tab === self) return false;
    others.add(tab);
    awaitGone(name, tab, gone.signal, () => {
      others.delete(tab);
      leader?.gone(tab);
    });
    return true;
  };
  const begin = (): void => {
    if (!leading || !opened) return;
    const term = ++terms;
    const stale = (): boolean => term !== terms;
    enter({ state: 'connecting' });
    const failed = (why: unknown): void => {
      if (stale()) return;
      leader = undefined;
      if (why === STALE) return void election?.release(false);
      // Options with which no attempt can succeed.
      if (Array.isArray(why)) return context.hopeless(fromWasm(why));
      const reason = why instanceof Error ? why.message : String(why);
      log(`the leader stopped: ${reason}`);
      report({ kind: 'error', error: why instanceof EbbtideError ? why : new EbbtideError('storage', reason, undefined, { cause: why }) });
      enter({ state: 'offline', reason, retryInMs: AGAIN_MS });
      setTimeout(() => stale() || begin(), AGAIN_MS);
    };
    const { store, memoryOnly, shared } = opened;
    const met = shared ? onRoster(name).then((tabs) => tabs.forEach((tab) => stale() || meet(tab))).catch(() => {}) : Promise.resolve();
    met.then(() => startLeader({
      url, name, settings, store, fallback: memoryOnly !== undefined && settings.storage === 'durable', load, log, failed, tabs: () => [self, ...others],
      say: (talk) => stale() || say(talk), state: (now) => stale() || enter(now),
      outbox: (count) => {
        outbox = count;
        if (!stale()) beat();
      },
    }, stale)).then((made) => {
      if (!made) return;
      if (stale()) return made.stop('drop');
      leader = made;
      beat();
      follow(made.epoch);
      made.start();
    }).catch(failed);
  };
  /** No leader any more. */
  const resign = (how: 'drop' | 'leave' | 'close' | 'end'): void => {
    if (!leading) return;
    leading = false;
    terms++;
    gone.abort();
    leader?.stop(how);
    leader = undefined;
    report({ kind: 'leader', leading: false });
  };
  const follow = (now: number): void => {
    if (now === epoch) return;
    epoch = now;
    known = true;
    context.led();
  };
  const hear = (talk: Talk, from: string): void => {
    switch (talk.t) {
      case 'tab':
      case 'nudge':
      case 'qos0':
      case 'done':
      case 'do':
      case 'ask-inspect':
        if (!leading) return;
        if (meet(from)) beat();
        return leader?.hear(talk, from);
      case 'beat':
        // One that was woken does not know yet that it leads no more.
        if (talk.epoch < epoch && talk.epoch !== 0) return;
        election?.heard();
        if (leading) return;
        state(talk.state);
        context.hear(talk);
        if (talk.epoch > 0) follow(talk.epoch);
        return;
      case 'forget': {
        const ended = leader !== undefined && last.state === 'online';
        if (leading) resign('end');
        channel?.post({ t: 'forgotten', ended });
        return context.removed();
      }
      case 'messages':
        return context.hear({ t: 'messages', list: talk.list.filter(([, tabs]) => tabs.includes(self)) });
      default:
        if (!('tab' in talk) || talk.tab === self) context.hear(talk);
    }
  };
  const tick = (): void => {
    const now = Date.now();
    beat();
    if (now - tickedAt >= 2 * BEAT_MS - 50) {
      tickedAt = now;
      leader?.tick();
    }
    election?.tick(isVisible());
  };
  let tickedAt = 0;

  const start = async (): Promise<void> => {
    const ours = ++up;
    const now = opened ?? (await openStore(name, settings.storage, (why) => {
      if (ours !== up) return;
      if (why === 'deleted') return context.removed();
      report({ kind: why, reason: why === 'reload-needed' ? 'another tab runs a newer version of this page' : 'the browser closed the database' });
      if (why === 'reload-needed') return station.down('leave', new EbbtideError('storage', 'another tab runs a newer version: reload this page'));
      stop('drop');
      setTimeout(() => over || up !== ours + 1 || void start(), 1000);
    }));
    if (ours !== up) return now.store.close();
    if (known && now.shared && !(await hasMeta(now.store)) && !witness.read(name)) {
      // Removed while this page was away.
      now.store.close();
      return context.removed();
    }
    if (ours !== up) return now.store.close();
    opened = now;
    self = crypto.getRandomValues(new Uint32Array(2)).join('-');
    if (now.memoryOnly !== undefined && settings.storage === 'durable') report({ kind: 'memory-only', reason: now.memoryOnly });
    waiting?.resolve(now.store);
    stopTicker = startTicker(settings.workerUrl, tick);
    if (!now.shared) return lead();
    const release = await stayOnRoster(name, self);
    if (ours !== up) return release();
    offRoster = release;
    channel = openChannel(`ebbtide:${name}`, self, hear, () => {
      if (newer) return;
      newer = true;
      report({ kind: 'reload-needed', reason: 'another tab runs a newer version of this page' });
    });
    election = elect(`ebbtide:${name}:leader`, lead, () => resign('drop'));
    context.led();
  };
  const stop = (how: 'drop' | 'leave' | 'close' | 'end'): void => {
    up++;
    resign(how);
    election?.release(true);
    channel?.close();
    offRoster?.();
    stopTicker?.();
    election = channel = offRoster = stopTicker = undefined;
    epoch = 0;
    if (opened?.shared) {
      opened.store.close();
      opened = undefined;
      awaitStore();
    }
  };
  let away = false;
  const stopWatching = watchLifecycle({
    away: () => {
      if (away || over) return;
      away = true;
      stop('leave');
    },
    back: () => {
      if (!away || over) return;
      away = false;
      state((last = { state: 'connecting' }));
      void start();
    },
    wake: () => {
      leader?.wake();
    },
  });
  void start();

  const station: Station = {
    get self() {
      return self;
    },
    get leading() {
      return leading;
    },
    get epoch() {
      return epoch;
    },
    get opened() {
      return opened;
    },
    store: () => (over ? Promise.reject(over) : storeIs),
    tell: (talk) => {
      if (leading) leader?.hear(talk, self);
      else channel?.post(talk);
    },
    broadcast: (talk) => channel?.post(talk),
    leader: () => leader,
    down: (how, error) => {
      if (over) return;
      over = error;
      stop(how);
      stopWatching();
      waiting?.reject(error);
      if (error.code === 'storage') state({ state: 'offline', reason: error.message, retryInMs: null });
      else state(how === 'leave' ? { state: 'closed', error } : { state: 'closed' });
    },
  };
  return station;
}

async function hasMeta(store: Store): Promise<boolean> {
  let has = true;
  await store.run(['session'], 'read', (tx) => tx.has('session', 'meta', (found) => void (has = found))).catch(() => {});
  return has;
}
