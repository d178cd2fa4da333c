/** MQTT 5.0 and 3.1.1 for web apps. Importing this loads nothing; the wasm comes with the first `connect`. */
export { connect, type Client, type ConnectOptions, type PublishOptions, type State } from './client.js';
export { EbbtideError, type ErrorCode } from './error.js';
export type { Message, Payload, QoS } from './message.js';
export type { Publication } from './publication.js';
export type { SubscribeOptions, Subscription } from './subscription.js';
