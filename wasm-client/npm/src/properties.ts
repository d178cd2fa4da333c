/** What the server says beside a reason code, for people and logs (MQTT 5.0); what it does not say is not there. */
export interface Diagnostics {
  readonly reasonString?: string;
  /** In order; names may repeat. */
  readonly userProperties?: [string, string][];
}

/** Properties of a message (MQTT 5.0, section 3.3.2.3). What is not set is not sent. */
export interface Properties {
  /** `true`: the payload is UTF-8 text. */
  payloadFormatIndicator?: boolean;
  /** Seconds that the message is still worth delivering; of a received one, what is left of them. */
  messageExpiryInterval?: number;
  /** For example `application/json`. */
  contentType?: string;
  /** Where the answer to a request goes. */
  responseTopic?: string;
  /** What the answer to a request must have too. */
  correlationData?: Uint8Array;
  /** In order; names may repeat. */
  userProperties?: [string, string][];
}
