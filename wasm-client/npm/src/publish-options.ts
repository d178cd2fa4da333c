import type { QoS } from './engine.js';
import type { Properties } from './properties.js';
import type { TopicNames } from './filter.js';

export interface PublishOptions {
  /** Default 0. */
  qos?: QoS;
  /** Whether the server keeps it for later subscribers. Default false. */
  retain?: boolean;
  /** Values for the `{name}` levels of the topic, each one level. With them the topic is a template. */
  params?: Readonly<Record<string, string | number>>;
  /** QoS 1 and 2: a name to find it by in `client.outbox`, also after a reload. It need not be unique. */
  key?: string;
  /** QoS 1 and 2: while it is unsent a later one to this topic that coalesces too takes its place. Both are then acknowledged together. Default: `retain`. */
  coalesce?: boolean;
  /** Seconds until nobody needs it any more: it is not sent then, and the server does not deliver it (Message Expiry Interval). */
  expiresInS?: number;
  /** The same as a point in time: a `Date` or milliseconds since 1970. It goes before `expiresInS`. */
  deadline?: Date | number;
  /** QoS 2: if the server loses the session half-way, send again (it may come twice) instead of `outcome-unknown`. Default false. */
  resend?: boolean;
  /** QoS 0 without a connection: `keep` in memory until there is one, or `fail` with `offline`. Default `fail`. */
  offline?: 'fail' | 'keep';
  /** The properties of MQTT 5.0, under the standard's names. `messageExpiryInterval` means the same as `expiresInS`. */
  properties?: Properties;
}

/** Options of a publish; `params` are needed when the topic is a literal with `{name}` levels. */
export type PublishArguments<T extends string> = [TopicNames<T>] extends [never]
  ? [options?: PublishOptions]
  : [options: PublishOptions & { params: { readonly [N in TopicNames<T>]: string | number } }];
