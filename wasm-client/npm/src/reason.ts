// The reason codes of MQTT 5.0 by name (table 2-6), as far as an application can meet them.

const LOW: Readonly<Record<number, string>> = {
  0x00: 'Success',
  0x01: 'Granted QoS 1',
  0x02: 'Granted QoS 2',
  0x10: 'No matching subscribers',
  0x11: 'No subscription existed',
};

/** From 0x80 on. */
const HIGH = (
  'Unspecified error|Malformed Packet|Protocol Error|Implementation specific error|Unsupported Protocol Version|' +
  'Client Identifier not valid|Bad User Name or Password|Not authorized|Server unavailable|Server busy|Banned|Server shutting down|' +
  'Bad authentication method|Keep Alive timeout|Session taken over|Topic Filter invalid|Topic Name invalid|Packet Identifier in use|' +
  'Packet Identifier not found|Receive Maximum exceeded|Topic Alias invalid|Packet too large|Message rate too high|Quota exceeded|' +
  'Administrative action|Payload format invalid|Retain not supported|QoS not supported|Use another server|Server moved|' +
  'Shared Subscriptions not supported|Connection rate exceeded|Maximum connect time|Subscription Identifiers not supported|' +
  'Wildcard Subscriptions not supported'
).split('|');

/** The standard's name of a reason code; for one that it does not have, the number. */
export function reasonName(code: number): string {
  return LOW[code] ?? HIGH[code - 0x80] ?? `0x${code.toString(16).padStart(2, '0')}`;
}

/** Its name, and what was said beside it. */
export const explained = (code: number, said?: string): string => (said ? `${reasonName(code)}: ${said}` : reasonName(code));
