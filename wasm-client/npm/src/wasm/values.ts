// Values as they lie in the wasm's memory; `values.rs` is the other side and says how.

export type Value = undefined | null | number | boolean | string | Uint8Array | readonly Value[];

const NOTHING = 0;
const NUMBER = 1;
const FLAG = 2;
const TEXT = 3;
const BYTES = 4;
const LIST = 5;
const FLOAT = 6;
const PASSING = 7;
const HEAD_BYTES = 5;
/** A buffer of its own for each payload would cost more than all else that is done for a message. Whoever keeps one keeps no more than this. */
const SLAB_BYTES = 4096;
const SHARED_BYTES_MAX = SLAB_BYTES / 8;

/** Texts that are remembered, and how long they may be: to decode the topic of a message costs more than all else that is done for it here. */
const TEXTS = 64;
const TEXT_BYTES_MAX = 128;

const KINDS: Readonly<Partial<Record<string, number>>> = { number: NUMBER, boolean: FLAG, string: TEXT };

const encoder = new TextEncoder();
// A byte order mark is a character like any other [MQTT-1.5.4-3].
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The values one after the other, as parts to be joined. */
export function pack(values: readonly Value[], parts: Uint8Array[] = []): Uint8Array[] {
  for (const value of values) {
    const float = typeof value === 'number' && value >>> 0 !== value;
    const bytes = typeof value === 'string' ? encoder.encode(value) : float ? new Uint8Array(Float64Array.of(value).buffer) : value instanceof Uint8Array ? value : undefined;
    const list = Array.isArray(value) ? (value as readonly Value[]) : undefined;
    const head = new DataView(new ArrayBuffer(HEAD_BYTES));
    head.setUint8(0, float ? FLOAT : list ? LIST : (KINDS[typeof value] ?? (bytes ? BYTES : NOTHING)));
    head.setUint32(1, (list ?? bytes)?.length ?? Number(value ?? 0), true);
    parts.push(new Uint8Array(head.buffer));
    if (bytes) parts.push(bytes);
    if (list) pack(list, parts);
  }
  return parts;
}

/** The value at a place in memory; bytes are copied out of it. Those that pass by share a buffer, if they are small. */
export function unpack(memory: Memory, at: number): Value {
  const { bytes, view } = memory;
  const next = (): Value => {
    const kind = bytes[at];
    const number = view.getUint32(at + 1, true);
    at += HEAD_BYTES;
    if (kind === NUMBER) return number;
    if (kind === FLAG) return number > 0;
    if (kind === NOTHING) return undefined;
    if (kind === LIST) {
      const list: Value[] = [];
      while (list.length < number) list.push(next());
      return list;
    }
    const start = at;
    at += number;
    if (kind === FLOAT) return view.getFloat64(start, true);
    if (kind === TEXT) return memory.text(start, at);
    return kind === PASSING && number <= SHARED_BYTES_MAX ? memory.share(start, at) : bytes.slice(start, at);
  };
  return next();
}

/** The wasm's memory, as it is seen until it grows. */
export class Memory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;

  #slab = new Uint8Array();
  #used = 0;
  readonly #texts: [bytes: Uint8Array, text: string][] = [];

  constructor(readonly buffer: ArrayBuffer) {
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  /** A copy in a buffer that has others, too; aligned for any view. */
  share(from: number, to: number): Uint8Array<ArrayBuffer> {
    const length = to - from;
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    const copy = this.#slab.subarray(this.#used, this.#used + length);
    copy.set(this.bytes.subarray(from, to));
    this.#used += (length + 7) & ~7;
    return copy;
  }

  /** Text, the same object again if it came lately. */
  text(from: number, to: number): string {
    const { bytes } = this;
    const length = to - from;
    // Texts of one length differ at their ends, as a rule.
    const place = (length + 7 * bytes[to - 1]! + 31 * bytes[to - 2]!) % TEXTS;
    const [known, text] = this.#texts[place] ?? [];
    if (known?.length === length) {
      let at = 0;
      while (at < length && known[at] === bytes[from + at]) at++;
      if (at === length) return text!;
    }
    const own = bytes.slice(from, to);
    const decoded = decoder.decode(own);
    if (length <= TEXT_BYTES_MAX) this.#texts[place] = [own, decoded];
    return decoded;
  }
}
