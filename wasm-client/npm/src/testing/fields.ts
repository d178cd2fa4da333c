// What a field of a packet takes, and with it what of an app's options, messages and credentials can never be sent.

import { checkTopic } from '../filter.js';
import { EbbtideError } from '../error.js';
import type { Properties } from '../properties.js';
import type { EngineSettings } from '../settings.js';

const BYTES_MAX = 0xffff;

/** Whether each has room in a field. */
export function fits(...fields: readonly (string | Uint8Array | undefined)[]): boolean {
  return fields.every((field) => field === undefined || (typeof field === 'string' ? new TextEncoder().encode(field) : field).length <= BYTES_MAX);
}

/** Whether all properties of a message have. */
export function propertiesFit({ contentType, correlationData, responseTopic, userProperties = [] }: Properties = {}): boolean {
  return fits(contentType, correlationData, responseTopic, ...userProperties.flat());
}

export const tooLong = (): EbbtideError => new EbbtideError('field-too-long', 'a field has more than 65,535 bytes');

/** Why there can be no CONNECT with these. */
export function connectFault({ authenticationMethod, clientId, userProperties = [], version, will }: EngineSettings): EbbtideError | undefined {
  try {
    if (will?.properties?.responseTopic !== undefined) checkTopic(will.properties.responseTopic);
  } catch (error) {
    return error as EbbtideError;
  }
  if (clientId === '' && version === 4) return new EbbtideError('client-id-missing', 'MQTT 3.1.1 without clean start needs a client id');
  const room = fits(clientId, authenticationMethod, will?.payload, ...userProperties.flat()) && propertiesFit(will?.properties);
  return room ? undefined : tooLong();
}
