// This tab's place among the tabs: store, channel, roster, election, and the office while this tab leads. All of it is let go of when the page
// goes away, and taken up again when it comes back. Nothing here waits for ever, and nothing throws where nobody listens.

import type { MakeConnection } from '../wasm/contract.js';
import type { Report, State } from '../engine.js';
import { EbbtideError } from '../error.js';
import { randomName } from '../random.js';
import { Deferred } from '../settle.js';
import type { EngineSettings } from '../settings.js';
import type { How, Leader } from './leader.js';
import { takeOffice, type Office } from './office.js';
import { openStore, witness, type Opened } from './store/open.js';
import { readAll, storageError, type OutboxRow, type Store } from './store/store.js';
import { openChannel, type Channel } from './tabs/channel.js';
import { BEAT_MS, elect, type Election } from './tabs/election.js';
import { isVisible, watchLifecycle } from './tabs/lifecycle.js';
import { stayOnRoster } from './tabs/roster.js';
import { startTicker } from './ticker.js';
import { lookAgain, until } from './until.js';
import type { Talk, ToLeader, ToTabs } from './wire.js';

export interface StationContext {
  url: string;
  name: string;
  settings: EngineSettings;
  load(): Promise<MakeConnection>;
  /** The store is opened when this has settled. */
  after: Promise<void> | undefined;
  hear(talk: ToTabs): void;
  state(state: State): void;
  report(report: Report): void;
  log(line: string): void;
  /** There is another leader: what was told to the old one is to be told again. `away`: this tab was none meanwhile. */
  led(away: boolean): void;
  /** It can never connect, or not any more. */
  hopeless(error: EbbtideError): void;
  /** The data of this identity is being removed. */
  removed(): void;
}

export interface Station {
  readonly self: string;
  readonly leading: boolean;
  readonly epoch: number;
  readonly opened: Opened | undefined;
  readonly leader: Leader | undefined;
  /** Works on the store, as soon as there is one; again on the next one, if it was closed before that came to an end. Rejects when there will be none, and with `quota-exceeded` or `storage`. */
  store<T>(work: (store: Store) => Promise<T>): Promise<T>;
  /** `rows`: of a leader in this tab, see `Leader.hear`. */
  tell(talk: ToLeader, rows?: OutboxRow[]): void;
  /** As the leader of this tab can; undefined: it has none. */
  endSession(deadline: number, how: How): Promise<boolean | undefined>;
  /** To the other tabs. */
  broadcast(talk: ToTabs): void;
  /** For good; for the leader see `Leader.stop`. */
  down(how: How, error: EbbtideError): void;
}

const NEWER = 'reload this page: another tab is newer';

export function openStation(context: StationContext): Station {
  const { name, settings, state, report } = context;
  let self = '';
  let opened: Opened | undefined;
  let channel: Channel | undefined;
  let election: Election | undefined;
  let office: Office | undefined;
  let offRoster: (() => void) | undefined;
  let stopTicker: (() => void) | undefined;
  let epoch = 0;
  /** There are data of this identity. */
  let known = false;
  /** Counts starts and stops, so that a late answer sees that it is too late. */
  let up = 0;
  let away = false;
  let over: EbbtideError | undefined;
  let newer = false;
  let farewell: Promise<boolean | undefined> | undefined;
  let tickedAt = 0;
  let awaited = new Deferred<Store>();

  const lead = (): void => {
    if (!opened) return;
    office = takeOffice({ ...context, opened, self, post: (talk) => channel?.post(talk), follow, give: () => election?.release(false) });
  };
  /** No leader any more. */
  const resign = (how: How): void => {
    const old = office;
    office = undefined;
    old?.resign(how);
  };
  const follow = (now: number): void => {
    if (now === epoch) return;
    // Another leader did not know yet what this tab wants while messages went by.
    const missed = epoch > 0;
    epoch = now;
    known = true;
    context.led(missed);
  };
  const hear = (talk: Talk, from: string): void => {
    switch (talk.t) {
      case 'tab':
      case 'nudge':
      case 'qos0':
      case 'done':
      case 'do':
        return office?.hear(talk, from);
      case 'beat':
        // One that was woken does not know yet that it leads no more.
        if (talk.leader?.epoch! < epoch) return;
        election?.heard();
        if (office) return;
        // First: with the old leader ends what it had been told, and by the state this one is told more.
        if (talk.leader) follow(talk.leader.epoch);
        state(talk.state);
        break;
      case 'forget':
        return void endSession(talk.deadline, talk.how).then(context.removed);
      case 'messages':
        // What one that was woken had still to say is older than what its follower has said.
        if (talk.epoch < epoch) return;
    }
    // This one has come to lead by the end of that one, and there is nothing to tell the server any more.
    if (talk.t === 'forgotten' && talk.ended) resign('drop');
    context.hear(talk);
  };
  /** Whether the server has forgotten the session; undefined: that is for another tab to say. Once, however many tabs ask for it. */
  const endSession = (deadline: number, how: How): Promise<boolean | undefined> => (farewell ??= (async () => {
    const leading = office;
    // Else it may come to lead when the other tab is done, and begin the next session.
    if (!leading) return void election?.release(true);
    // It may be starting.
    await until(() => leading.leader || leading !== office, deadline);
    const ended = (await leading.leader?.endSession(deadline, how).catch(() => false)) ?? false;
    if (leading === office) resign(how);
    channel?.post({ t: 'forgotten', ended });
    return ended;
  })());
  const tick = (): void => {
    const now = Date.now();
    lookAgain();
    office?.beat();
    // Clocks are set back, too.
    if (Math.abs(now - tickedAt) >= 2 * BEAT_MS - 50) {
      tickedAt = now;
      office?.leader?.tick();
    }
    election?.tick(isVisible());
  };
  const lost = (why: 'reload-needed' | 'storage-lost' | 'deleted'): void => {
    if (why === 'deleted') return context.removed();
    const reason = why === 'reload-needed' ? NEWER : 'the database was closed';
    report({ kind: why, reason });
    if (reason === NEWER) return context.hopeless(new EbbtideError('storage', reason));
    // Nobody has removed it: the identity goes on, with what the witness knows, should that be gone with the rest.
    known = false;
    office?.leader?.note();
    stop('drop');
    const ours = up;
    setTimeout(() => ours === up && void start(), 1000);
  };

  const start = async (): Promise<void> => {
    const ours = ++up;
    const late = (): boolean => ours !== up;
    await context.after;
    const now = opened ?? (await openStore(name, settings.storage, (why) => late() || lost(why)));
    // One that cannot be read is there.
    const removed = known && now.shared && !witness.read(name) && (await readAll(now.store, 'session', { from: 'meta', to: 'meta' }).catch(() => [0])).length === 0;
    if (late() || removed) {
      now.store.close();
      // Another tab has removed it while this page was away.
      return late() ? undefined : context.removed();
    }
    opened = now;
    self = randomName(16);
    if (now.memoryOnly !== undefined && settings.storage === 'durable') report({ kind: 'memory-only', reason: now.memoryOnly });
    awaited.resolve(now.store);
    const release = now.shared ? await stayOnRoster(name, self) : undefined;
    if (late()) return release?.();
    offRoster = release;
    // Not before: a worker takes its processor time from what is to be painted first.
    stopTicker = startTicker(settings.workerUrl, tick);
    if (!release) {
      context.led(ours > 1);
      return lead();
    }
    channel = openChannel(`ebbtide:${name}`, self, hear, () => {
      if (newer) return;
      newer = true;
      report({ kind: 'reload-needed', reason: NEWER });
    });
    election = elect(`ebbtide:${name}:leader`, lead, () => resign('drop'));
    context.led(ours > 1);
  };
  const stop = (how: How): void => {
    up++;
    resign(how);
    election?.release(true);
    channel?.close();
    offRoster?.();
    stopTicker?.();
    election = channel = offRoster = stopTicker = undefined;
    epoch = 0;
    if (!opened?.shared) return;
    opened.store.close();
    opened = undefined;
    awaited = new Deferred();
  };
  const down = (how: How, error: EbbtideError): void => {
    if (over) return;
    over = error;
    awaited.reject(error);
    stop(how);
    stopWatching();
    state({ state: 'closed', ...(how === 'leave' && { error }) });
  };
  const tell = (talk: ToLeader, rows?: OutboxRow[]): void => {
    if (office) office.leader?.hear(talk, self, rows);
    else channel?.post(talk);
  };
  const stopWatching = watchLifecycle({
    away: () => {
      if (away || over) return;
      away = true;
      stop('leave');
    },
    back: () => {
      if (!away || over) return;
      away = false;
      state({ state: 'connecting' });
      void start();
    },
    wake: () => tell({ t: 'do', what: 'wake' }),
  });
  void start();

  return {
    get self() {
      return self;
    },
    get leading() {
      return office !== undefined;
    },
    get epoch() {
      return epoch;
    },
    get opened() {
      return opened;
    },
    get leader() {
      return office?.leader;
    },
    store: async (work) => {
      for (;;) {
        if (over) throw over;
        const now = await awaited.promise;
        try {
          return await work(now);
        } catch (why) {
          if (!now.closed) throw storageError(why);
        }
      }
    },
    tell,
    endSession,
    broadcast: (talk) => channel?.post(talk),
    down,
  };
}
