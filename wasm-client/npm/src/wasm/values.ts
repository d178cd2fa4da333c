// Values as they lie in the wasm's memory; `values.rs` is the other side and says how.

export type Value = undefined | null | number | boolean | string | Uint8Array | readonly Value[];

const NOTHING = 0;
const NUMBER = 1;
const FLAG = 2;
const TEXT = 3;
const BYTES = 4;
const LIST = 5;
const HEAD_BYTES = 9;

const encoder = new TextEncoder();
// A byte order mark is a character like any other [MQTT-1.5.4-3].
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const encode = (text: string): Uint8Array => encoder.encode(text);

/** The values one after the other, as parts to be joined. */
export function pack(values: readonly Value[], parts: Uint8Array[] = []): Uint8Array[] {
  for (const value of values) {
    const bytes = typeof value === 'string' ? encode(value) : value instanceof Uint8Array ? value : undefined;
    const list = Array.isArray(value) ? (value as readonly Value[]) : undefined;
    const kind = list ? LIST : bytes ? (typeof value === 'string' ? TEXT : BYTES) : typeof value === 'boolean' ? FLAG : typeof value === 'number' ? NUMBER : NOTHING;
    const head = new DataView(new ArrayBuffer(HEAD_BYTES));
    head.setUint8(0, kind);
    head.setFloat64(1, (list ?? bytes)?.length ?? Number(value ?? 0), true);
    parts.push(new Uint8Array(head.buffer));
    if (bytes) parts.push(bytes);
    if (list) pack(list, parts);
  }
  return parts;
}

/** The value at a place in memory; bytes are copied out of it. */
export function unpack(memory: ArrayBuffer, at: number): Value {
  const view = new DataView(memory);
  const next = (): Value => {
    const kind = view.getUint8(at);
    const number = view.getFloat64(at + 1, true);
    at += HEAD_BYTES;
    if (kind === NUMBER) return number;
    if (kind === FLAG) return number > 0;
    if (kind === NOTHING) return undefined;
    if (kind === LIST) {
      const list: Value[] = [];
      while (list.length < number) list.push(next());
      return list;
    }
    const bytes = new Uint8Array(memory, at, number);
    at += number;
    return kind === TEXT ? decoder.decode(bytes) : bytes.slice();
  };
  return next();
}
