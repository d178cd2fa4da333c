// The channel between the tabs of one session.

import { WIRE_VERSION, type Talk } from '../wire.js';

export interface Channel {
  post(talk: Talk): void;
  close(): void;
}

/** `newer`: another tab runs a newer version of this package. */
export function openChannel(name: string, self: string, hear: (talk: Talk, from: string) => void, newer: () => void): Channel {
  const channel = new BroadcastChannel(name);
  let open = true;
  channel.onmessage = ({ data }) => {
    const { v, from, talk } = data as { v: number; from: string; talk: Talk };
    if (!open || v < WIRE_VERSION) return;
    if (v > WIRE_VERSION) newer();
    else hear(talk, from);
  };
  return {
    post: (talk) => void (open && channel.postMessage({ v: WIRE_VERSION, from: self, talk })),
    close: () => {
      open = false;
      channel.close();
    },
  };
}
