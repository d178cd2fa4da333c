// What `.` and `./slim` have in common.

export { Client } from './client.js';
export type { ConnectOptions, Will } from './connect-options.js';
export type { Diagnostics, Properties } from './properties.js';
export type { Connack, DeadLetter, Ending, Farewell, Pending, QoS, Report, SessionKind, State } from './engine.js';
export { EbbtideError, type ErrorCode } from './error.js';
export type { ClientEvents } from './events.js';
export type { TopicNames, TopicParams } from './filter.js';
export { Message, type Payload } from './message.js';
export type { DeadLetters, Outbox, Which } from './outbox.js';
export type { Presence, PresenceChange, PresenceEntry, PresenceOptions, PresentUser } from './presence.js';
export type { Ack, Publication } from './publication.js';
export type { PublishArguments, PublishOptions } from './publish-options.js';
export type { RequestArguments, RequestOptions } from './request.js';
export type { AuthAnswer, Credentials, CredentialsCallback, Limits } from './settings.js';
export type { SnapshotComplete, SubscribeOptions, Subscription, UnsubscribeOptions } from './subscription.js';
export type { StoreOptions, TopicStore, TopicValues } from './topic-store.js';
export type { WasmSource } from './load.js';
