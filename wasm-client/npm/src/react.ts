/**
 * Hooks for React 18 and later. They may be rendered on a server (there they say `connecting` and have no values) and in strict mode;
 * components that look at the same topics share one subscription.
 */

import {
  createContext, createElement, useCallback, useContext, useMemo, useRef, useState, useSyncExternalStore, type ReactElement, type ReactNode,
} from 'react';
import type { Client } from './client.js';
import type { State } from './engine.js';
import { EbbtideError } from './error.js';
import { parseFilter, type TopicParams } from './filter.js';
import type { Message } from './message.js';
import type { Presence, PresentUser } from './presence.js';
import { WANTED, type Publication } from './publication.js';
import type { PublishArguments } from './publish-options.js';
import { NOTHING, type StoreOptions, type TopicValues } from './topic-store.js';

const Context = createContext<Client | null | undefined>(undefined);
const CONNECTING: State = { state: 'connecting' };
const NOBODY: readonly PresentUser[] = [];
const never = (): (() => void) => () => {};

export interface EbbtideProviderProps {
  /** Made by `connect`, outside of components; `null` on the server. The provider never closes it. */
  readonly client: Client | null;
  readonly children?: ReactNode;
}

/** Gives the client to the hooks below it. */
export function EbbtideProvider({ client, children }: EbbtideProviderProps): ReactElement {
  return createElement(Context.Provider, { value: client }, children);
}

/** The client of the provider; `null` on the server. Throws if there is no provider. */
export function useClient(): Client | null {
  const client = useContext(Context);
  if (client === undefined) throw new EbbtideError('not-supported', 'ebbtide/react: there is no <EbbtideProvider> around this component');
  return client;
}

/** How the client stands with the server. */
export function useConnection(): State {
  const client = useClient();
  const subscribe = useCallback((changed: () => void) => client?.on('state', changed) ?? never(), [client]);
  return useSyncExternalStore(subscribe, () => client?.state ?? CONNECTING, () => CONNECTING);
}

/** What a hook knows of topics. */
export interface TopicStatus {
  /** Whether what the server has retained has come; before, there may be values of an earlier time (`fromCache`). */
  readonly ready: boolean;
  /** Why the subscription has ended: `refused`, `topic-filter`, `closed`; why there is none: `topic-name`. */
  readonly error: EbbtideError | undefined;
}

/** The last message of one topic, or `undefined` while there is none. With `null` it subscribes to nothing; a filter is an error: `topic-name`. */
export function useTopic(topic: string | null, options?: StoreOptions): TopicStatus & { readonly message: Message | undefined } {
  const wrong = useMemo(() => (topic !== null && /[+#]/.test(parseFilter(topic).filter) ? notOne(topic) : undefined), [topic]);
  const { messages, ready, error } = useValues(wrong ? null : topic, options);
  return { message: topic === null ? undefined : messages.get(topic), ready, error: wrong ?? error };
}

const notOne = (topic: string): EbbtideError => new EbbtideError('topic-name', `useTopic: '${topic}' is not one topic; useTopics takes filters`);

/** The last message of each topic under a filter, by topic: the same list until something changes. With `null` it subscribes to nothing. */
export function useTopics<const F extends string>(
  filter: F | null,
  options?: StoreOptions,
): TopicStatus & { readonly messages: readonly Message<TopicParams<F>>[] } {
  const { messages, ready, error } = useValues(filter, options);
  const list = useMemo(() => [...messages.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1)), [messages]);
  return { messages: list as Message<TopicParams<F>>[], ready, error };
}

/** Publishes as `client.publish`, and says what became of the publishes of this component. */
export interface Publisher {
  readonly publish: <const T extends string>(topic: T, ...rest: [value: Parameters<Client['publish']>[1], ...PublishArguments<T>]) => Publication;
  /** Publishes that are neither acknowledged nor failed. */
  readonly pending: number;
  /** Of the last publish, if it failed, but for `cancelled` and `closed`; a new publish clears it. */
  readonly error: EbbtideError | undefined;
}

/** Publishes, and renders again when it is done. It works in every state of the connection. */
export function usePublish(): Publisher {
  const client = useClient();
  const [{ pending, error }, change] = useState<Pick<Publisher, 'pending' | 'error'>>({ pending: 0, error: undefined });
  /** Counts the publishes. */
  const newest = useRef(0);
  const publish = useCallback<Publisher['publish']>(
    (topic, ...rest) => {
      if (!client) throw new EbbtideError('not-supported', 'there is no client on the server');
      const publication = client.publish(topic, ...rest);
      const mine = ++newest.current;
      const done = (failure?: EbbtideError): void =>
        change((old) => ({ pending: old.pending - 1, error: failure && mine === newest.current && !WANTED.has(failure.code) ? failure : old.error }));
      change((old) => ({ pending: old.pending + 1, error: undefined }));
      publication.acked.then(() => done(), done);
      return publication;
    },
    [client],
  );
  return { publish, pending, error };
}

/** Who is there, by name, offline ones too; whether that is so now, and why nothing more comes: as `client.presence` has it. */
export function usePresence(filter?: string): Pick<Presence, 'ready' | 'error'> & { readonly users: readonly PresentUser[] } {
  const client = useClient();
  const presence = useMemo(() => client?.presence(filter), [client, filter]);
  const subscribe = useCallback((changed: () => void) => {
    // Without a connection it is not ready.
    const remove = [presence?.subscribe(changed), client?.on('state', changed)];
    return () => remove.forEach((each) => each?.());
  }, [client, presence]);
  const users = useSyncExternalStore(subscribe, () => presence?.list() ?? NOBODY, () => NOBODY);
  const ready = useSyncExternalStore(subscribe, () => presence?.ready ?? false, () => false);
  const error = useSyncExternalStore(subscribe, () => presence?.error, () => undefined);
  return { users, ready, error };
}

function useValues(filter: string | null, options?: StoreOptions): TopicValues {
  const client = useClient();
  const key = JSON.stringify(options);
  // The options count by what is in them: they are usually made anew with each rendering.
  const store = useMemo(() => (filter === null ? undefined : client?.store(filter, options)), [client, filter, key]);
  return useSyncExternalStore(store?.subscribe ?? never, store?.getSnapshot ?? (() => NOTHING), () => NOTHING);
}
