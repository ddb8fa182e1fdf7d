/**
 * Reads the properties of a send straight from the request's bytes: undoes the JSON escapes into a scratch buffer and
 * notes, in the same buffer, where the few properties stand that the broker acts on.
 */
import { copyBytes } from '@perigee/core/kit/bytes';
import { javaStringHashOfUtf8 } from '@perigee/core/kit/java-hash';
import { type IndexedRanges, PropertyBytes, type PropertySet, writeProperties } from '@perigee/core/message/property-bytes';
import { type RequestView, unescapeJson } from '@perigee/core/protocol/header-scan';

const NAME_END = 1;
const VALUE_END = 2;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** Longest properties text that is looked at; PROPLEN allows 32,767 and the broker adds some. */
const SCRATCH_BYTES = 65_536;

const nameBytes = (name: string): Buffer => Buffer.from(name, 'latin1');
const UNIQ_KEY = nameBytes('UNIQ_KEY');
const TAGS = nameBytes('TAGS');
const WAIT = nameBytes('WAIT');
const KEYS = nameBytes('KEYS');
/** Names whose presence sends the message down the careful path, by length. */
const SPECIAL = new Map<number, readonly Buffer[]>();
for (const name of [
  'DELAY',
  'POP_CK',
  'CLUSTER',
  'TRACE_ON',
  'TRAN_MSG',
  'INNER_NUM',
  'MSG_REGION',
  'INNER_MULTI_DISPATCH',
  '__LITE_TOPIC',
  '_SYS_MSG_PRIORITY_',
  'TIMER_DELAY_SEC',
  'TIMER_DELAY_MS',
  'TIMER_DELIVER_MS',
  'TIMER_OUT_MS',
  '__CRC32#',
])
  SPECIAL.set(name.length, [...(SPECIAL.get(name.length) ?? []), nameBytes(name)]);
const SPECIAL_LENGTHS = new Uint8Array(256);
for (const length of SPECIAL.keys()) SPECIAL_LENGTHS[length] = 1;

export class SendProperties implements IndexedRanges {
  /** Holds what was read. */
  readonly #read = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  /** Holds what was taken. */
  readonly #written = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  /** The properties as bytes, `[0, length)`, ending with U+0002 when not empty. Reused. */
  bytes: Buffer = this.#read;
  length = 0;
  /** What the positions below refer to: `bytes`, or the buffer of a batch item. */
  #scanned: Buffer = this.bytes;
  uniqueKeyStart = -1;
  uniqueKeyEnd = -1;
  keysStart = -1;
  keysEnd = -1;
  tagsStart = -1;
  tagsEnd = -1;
  waits = true;
  /** A property that the plain path does not handle is there. */
  special = false;

  /** Reads the field in `slot`. Answers false when the text is longer than the scratch buffer or badly escaped. */
  read(view: RequestView, slot: number): boolean {
    this.length = 0;
    this.bytes = this.#read;
    const start = view.starts[slot] as number;
    if (start >= 0) {
      const end = view.ends[slot] as number;
      if (end - start > SCRATCH_BYTES - 1) return false;
      if (view.escaped[slot] === 1) {
        if (!this.#unescape(view.bytes, start, end)) return false;
      } else this.length = view.bytes.copy(this.bytes, 0, start, end);
      if (this.length > 0 && this.bytes[this.length - 1] !== VALUE_END) this.bytes[this.length++] = VALUE_END;
    }
    this.scan(this.bytes, 0, this.length);
    return true;
  }

  /** Takes changed properties in the place of those that were read. */
  take(properties: PropertySet): void {
    const { bytes, length } = writeProperties(properties, this.#written);
    this.bytes = bytes;
    this.length = length;
    if (!(properties instanceof PropertyBytes)) {
      this.scan(bytes, 0, length);
      return;
    }
    this.#scanned = bytes;
    properties.noteWritten(this);
  }

  text(): string {
    return this.bytes.toString('utf8', 0, this.length);
  }

  #unescape(source: Buffer, start: number, end: number): boolean {
    const target = this.bytes;
    let to = 0;
    for (let i = start; i < end; i++) {
      const c = source[i] as number;
      if (c !== BACKSLASH) {
        target[to++] = c;
        continue;
      }
      // What Java and most others write: \u0001 and \u0002.
      if (source[i + 1] === LETTER_U && source[i + 2] === 0x30 && source[i + 3] === 0x30 && source[i + 4] === 0x30) {
        const digit = (source[i + 5] as number) - 48;
        if (digit >= 0 && digit <= 9) {
          target[to++] = digit;
          i += 5;
          continue;
        }
      }
      return this.#unescapeSlowly(source, start, end);
    }
    this.length = to;
    return true;
  }

  #unescapeSlowly(source: Buffer, start: number, end: number): boolean {
    try {
      this.length = this.bytes.write(unescapeJson(source.toString('utf8', start, end)), 0, 'utf8');
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Notes where the interesting properties of `bytes[from, to)` stand. A segment without a name or a value does not count
   * (remoting.md 10.1).
   */
  scan(bytes: Buffer, from: number, to: number): void {
    this.#scanned = bytes;
    this.uniqueKeyStart = -1;
    this.uniqueKeyEnd = -1;
    this.keysStart = -1;
    this.keysEnd = -1;
    this.tagsStart = -1;
    this.tagsEnd = -1;
    this.waits = true;
    this.special = false;
    let start = from;
    while (start < to) {
      let middle = start;
      while (middle < to && bytes[middle] !== NAME_END && bytes[middle] !== VALUE_END) middle++;
      let end = middle;
      while (end < to && bytes[end] !== VALUE_END) end++;
      if (middle > start && end - middle > 1) this.#note(start, middle, end);
      start = end + 1;
    }
  }

  #note(start: number, middle: number, end: number): void {
    const nameLength = middle - start;
    if (nameLength === 4) {
      if (this.#is(TAGS, start)) {
        this.tagsStart = middle + 1;
        this.tagsEnd = end;
      } else if (this.#is(KEYS, start)) {
        this.keysStart = middle + 1;
        this.keysEnd = end;
      } else if (this.#is(WAIT, start)) this.waits = isTrue(this.#scanned, middle + 1, end);
      return;
    }
    if (nameLength === 8 && this.#is(UNIQ_KEY, start)) {
      this.uniqueKeyStart = middle + 1;
      this.uniqueKeyEnd = end;
      return;
    }
    if (nameLength > 255 || SPECIAL_LENGTHS[nameLength] === 0) return;
    for (const name of SPECIAL.get(nameLength) as readonly Buffer[]) if (this.#is(name, start)) this.special = true;
  }

  #is(name: Buffer, start: number): boolean {
    const bytes = this.#scanned;
    for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
    return true;
  }

  /** ConsumeQueue tagsCode: Java's hash of the tag, 0 without one (store.md 4). */
  tagsCode(): number {
    return this.tagsStart < 0 ? 0 : javaStringHashOfUtf8(this.#scanned, this.tagsStart, this.tagsEnd);
  }

  /** Appends property bytes (`name U+0001 value U+0002`…). The caller has checked the length. */
  append(more: Buffer): void {
    copyBytes(more, 0, more.length, this.bytes, this.length);
    this.length += more.length;
  }

  /** Adds a UNIQ_KEY. */
  appendUniqueKey(value: string): void {
    this.length += this.bytes.write('UNIQ_KEY\u0001', this.length, 'latin1');
    this.uniqueKeyStart = this.length;
    this.length += this.bytes.write(value, this.length, 'latin1');
    this.uniqueKeyEnd = this.length;
    this.bytes[this.length++] = VALUE_END;
  }
}

function isTrue(bytes: Buffer, start: number, end: number): boolean {
  return (
    end - start === 4 &&
    (bytes[start]! | 32) === 0x74 &&
    (bytes[start + 1]! | 32) === 0x72 &&
    (bytes[start + 2]! | 32) === 0x75 &&
    (bytes[start + 3]! | 32) === 0x65
  );
}
