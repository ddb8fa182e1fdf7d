/**
 * The properties of one message as bytes: asked and changed by name like a map, and written again without having been
 * strings. What is not touched keeps its bytes. One instance is reused for message after message.
 */
import { copyBytes } from '../kit/bytes.ts';
import { javaStringHash, javaStringHashOfUtf8 } from '../kit/java-hash.ts';
import { sortAsJavaMap } from '../kit/java-map-order.ts';
import { encodeProperties } from './properties.ts';

const NAME_END = 1;
const SEGMENT_END = 2;
/** Messages with more properties are read into a map: equal names are looked for pair by pair here. */
export const PROPERTIES_MAX = 64;
/** Values set by name: far more than any of ours takes. */
const OWN_BYTES_MIN = 1024;
const UTF8_BYTES_PER_UNIT_MAX = 3;
const LOOP_WRITE_MAX = 40;
/** Names whose hashes are remembered; all are constants of the program. */
const NAMES_MAX = 256;

/** Properties by name: a `Map`, or {@link PropertyBytes}. */
export interface PropertySet extends Iterable<readonly [string, string]> {
  get(name: string): string | undefined;
  has(name: string): boolean;
  set(name: string, value: string): unknown;
  delete(name: string): boolean;
}

export class PropertyBytes implements PropertySet {
  /** What was read; segments refer to it or to `#own`. */
  #source: Buffer = Buffer.alloc(0);
  /** What was set: names and values side by side. */
  #own = Buffer.allocUnsafe(OWN_BYTES_MIN);
  #ownLength = 0;
  #count = 0;
  readonly #hashes = new Int32Array(PROPERTIES_MAX * 2);
  readonly #nameAt = new Int32Array(PROPERTIES_MAX * 2);
  readonly #nameBytes = new Int32Array(PROPERTIES_MAX * 2);
  readonly #valueAt = new Int32Array(PROPERTIES_MAX * 2);
  readonly #valueBytes = new Int32Array(PROPERTIES_MAX * 2);
  /** Bit 0: the name lies in `#own`; bit 1: the value does. */
  readonly #where = new Uint8Array(PROPERTIES_MAX * 2);
  /** All that moves with a property. */
  readonly #columns: readonly (Int32Array | Uint8Array)[] = [
    this.#hashes,
    this.#nameAt,
    this.#nameBytes,
    this.#valueAt,
    this.#valueBytes,
    this.#where,
  ];
  /** Where the values were written last. */
  readonly #writtenAt = new Int32Array(PROPERTIES_MAX * 2);
  readonly #buckets = new Int32Array(PROPERTIES_MAX * 2);
  readonly #order = new Int32Array(PROPERTIES_MAX * 2);
  readonly #knownHashes = new Map<string, number>();

  /**
   * Reads the text `bytes[from, to)`, which stays where it is until the next read; false when it has too many properties.
   * Equal names: the first one's place, the last one's value, as `parseProperties`.
   */
  read(bytes: Buffer, from: number, to: number): boolean {
    this.#source = bytes;
    this.#ownLength = 0;
    this.#count = 0;
    let start = from;
    while (start < to) {
      let middle = start;
      while (middle < to && bytes[middle] !== NAME_END && bytes[middle] !== SEGMENT_END) middle++;
      let end = middle;
      while (end < to && bytes[end] !== SEGMENT_END) end++;
      if (middle > start && end - middle > 1) {
        const hash = javaStringHashOfUtf8(bytes, start, middle);
        let index = this.#findBytes(hash, bytes, start, middle - start);
        if (index < 0) {
          if (this.#count === PROPERTIES_MAX) return false;
          index = this.#count++;
          this.#hashes[index] = hash;
          this.#nameAt[index] = start;
          this.#nameBytes[index] = middle - start;
          this.#where[index] = 0;
        }
        this.#valueAt[index] = middle + 1;
        this.#valueBytes[index] = end - middle - 1;
      }
      start = end + 1;
    }
    return true;
  }

  /** Properties that there are. */
  get size(): number {
    return this.#count;
  }

  get(name: string): string | undefined {
    const index = this.#find(name);
    return index < 0 ? undefined : this.#value(index);
  }

  has(name: string): boolean {
    return this.#find(name) >= 0;
  }

  /** Throws a RangeError when more are set than anything here does. */
  set(name: string, value: string): this {
    let index = this.#find(name);
    if (index < 0) {
      index = this.#count++;
      if (index >= this.#hashes.length) throw new RangeError(`a message with ${index} properties gets one more: ${name}`);
      this.#hashes[index] = this.#hashOf(name);
      this.#nameAt[index] = this.#ownLength;
      this.#nameBytes[index] = this.#write(name);
      this.#where[index] = 1;
    }
    this.#valueAt[index] = this.#ownLength;
    this.#valueBytes[index] = this.#write(value);
    this.#where[index]! |= 2;
    return this;
  }

  delete(name: string): boolean {
    const index = this.#find(name);
    if (index < 0) return false;
    this.#count--;
    for (const column of this.#columns) for (let at = index; at < this.#count; at++) column[at] = column[at + 1]!;
    return true;
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (let index = 0; index < this.#count; index++) yield [this.#name(index), this.#value(index)];
  }

  /** Puts them into the order in which Java's HashMap with so many buckets (a power of two) would hand them out (`java-map-order.ts`). */
  sortAsJavaMap(buckets: number): void {
    let size = buckets;
    while (this.#count > size * 0.75) size *= 2;
    // The order is found first, then each column follows it.
    for (let index = 0; index < this.#count; index++) {
      const hash = this.#hashes[index]!;
      const bucket = (hash ^ (hash >>> 16)) & (size - 1);
      let at = index;
      for (; at > 0 && this.#buckets[at - 1]! > bucket; at--) {
        this.#buckets[at] = this.#buckets[at - 1]!;
        this.#order[at] = this.#order[at - 1]!;
      }
      this.#buckets[at] = bucket;
      this.#order[at] = index;
    }
    for (const column of this.#columns) {
      for (let at = 0; at < this.#count; at++) this.#buckets[at] = column[this.#order[at]!]!;
      for (let at = 0; at < this.#count; at++) column[at] = this.#buckets[at]!;
    }
  }

  /** Bytes of the text. */
  get byteLength(): number {
    let bytes = this.#count * 2;
    for (let index = 0; index < this.#count; index++) bytes += this.#nameBytes[index]! + this.#valueBytes[index]!;
    return bytes;
  }

  /** Writes the text to `target`, which has room for it and is not what was read; answers the position after it. */
  write(target: Buffer, at: number): number {
    for (let index = 0; index < this.#count; ) {
      const runEnd = this.#runEnd(index);
      if (runEnd > index) {
        // What stands side by side in the source is copied in one piece, but for the last separator, which may be missing there.
        const from = this.#nameAt[index]!;
        const to = this.#valueAt[runEnd - 1]! + this.#valueBytes[runEnd - 1]!;
        copyBytes(this.#source, from, to, target, at);
        for (; index < runEnd; index++) this.#writtenAt[index] = at + this.#valueAt[index]! - from;
        at += to - from;
      } else {
        const where = this.#where[index]!;
        const nameAt = this.#nameAt[index]!;
        const nameBytes = this.#nameBytes[index]!;
        const valueAt = this.#valueAt[index]!;
        const valueBytes = this.#valueBytes[index]!;
        copyBytes((where & 1) === 0 ? this.#source : this.#own, nameAt, nameAt + nameBytes, target, at);
        at += nameBytes;
        target[at++] = NAME_END;
        this.#writtenAt[index] = at;
        copyBytes((where & 2) === 0 ? this.#source : this.#own, valueAt, valueAt + valueBytes, target, at);
        at += valueBytes;
        index++;
      }
      target[at++] = SEGMENT_END;
    }
    return at;
  }

  /** Where {@link write} has put a value; -1 without one. An empty value counts as none, as to every reader. */
  writtenStart(name: string): number {
    const index = this.#find(name);
    return index < 0 || this.#valueBytes[index] === 0 ? -1 : this.#writtenAt[index]!;
  }

  /** The position behind that value. Meaningless when {@link writtenStart} is -1. */
  writtenEnd(name: string): number {
    const index = this.#find(name);
    return index < 0 ? -1 : this.#writtenAt[index]! + this.#valueBytes[index]!;
  }

  /** Behind the last of the properties from `index` on that stand in the source one after the other. */
  #runEnd(index: number): number {
    let end = index;
    let next = this.#nameAt[index]!;
    while (end < this.#count && this.#where[end] === 0 && this.#nameAt[end] === next) {
      const valueAt = this.#valueAt[end]!;
      // The value of a name that stood there twice is elsewhere.
      if (valueAt !== next + this.#nameBytes[end]! + 1) break;
      next = valueAt + this.#valueBytes[end]! + 1;
      end++;
    }
    return end;
  }

  #name(index: number): string {
    const at = this.#nameAt[index]!;
    return ((this.#where[index]! & 1) === 0 ? this.#source : this.#own).toString('utf8', at, at + this.#nameBytes[index]!);
  }

  #value(index: number): string {
    const at = this.#valueAt[index]!;
    return ((this.#where[index]! & 2) === 0 ? this.#source : this.#own).toString('utf8', at, at + this.#valueBytes[index]!);
  }

  #hashOf(name: string): number {
    let hash = this.#knownHashes.get(name);
    if (hash === undefined) {
      hash = javaStringHash(name);
      if (this.#knownHashes.size < NAMES_MAX) this.#knownHashes.set(name, hash);
    }
    return hash;
  }

  #find(name: string): number {
    const hash = this.#hashOf(name);
    for (let index = 0; index < this.#count; index++) if (this.#hashes[index] === hash && this.#isNamed(index, name)) return index;
    return -1;
  }

  #isNamed(index: number, name: string): boolean {
    const bytes = (this.#where[index]! & 1) === 0 ? this.#source : this.#own;
    const at = this.#nameAt[index]!;
    if (this.#nameBytes[index] !== name.length) return this.#name(index) === name;
    for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name.charCodeAt(i)) return this.#name(index) === name;
    return true;
  }

  #findBytes(hash: number, bytes: Buffer, start: number, length: number): number {
    for (let index = 0; index < this.#count; index++) {
      if (this.#hashes[index] !== hash || this.#nameBytes[index] !== length) continue;
      const at = this.#nameAt[index]!;
      if (bytes.compare(bytes, at, at + length, start, start + length) === 0) return index;
    }
    return -1;
  }

  /** Appends to what was set; answers how many bytes. */
  #write(text: string): number {
    const at = this.#ownLength;
    const room = text.length * UTF8_BYTES_PER_UNIT_MAX;
    if (this.#own.length - at < room) {
      const grown = Buffer.allocUnsafe((at + room) * 2);
      this.#own.copy(grown, 0, 0, at);
      this.#own = grown;
    }
    let written = 0;
    // A short ASCII text is written sooner than native code is called.
    if (text.length <= LOOP_WRITE_MAX)
      for (; written < text.length; written++) {
        const unit = text.charCodeAt(written);
        if (unit > 0x7f) break;
        this.#own[at + written] = unit;
      }
    if (written < text.length) written = this.#own.write(text, at, 'utf8');
    this.#ownLength += written;
    return written;
  }
}

/** {@link PropertyBytes.sortAsJavaMap} for either kind. */
export function sortProperties(properties: PropertySet, buckets: number): void {
  if (properties instanceof PropertyBytes) properties.sortAsJavaMap(buckets);
  else if (properties instanceof Map) sortAsJavaMap(properties as Map<string, string>, buckets);
}

/** Writes the text of either kind to the front of `scratch`, or of a larger buffer when it does not fit; answers buffer and length. */
export function writeProperties(properties: PropertySet, scratch: Buffer): { readonly bytes: Buffer; readonly length: number } {
  if (properties instanceof PropertyBytes) {
    const bytes = properties.byteLength <= scratch.length ? scratch : Buffer.allocUnsafe(properties.byteLength);
    return { bytes, length: properties.write(bytes, 0) };
  }
  const text = encodeProperties(properties);
  const bytes =
    text.length * UTF8_BYTES_PER_UNIT_MAX <= scratch.length ? scratch : Buffer.allocUnsafe(text.length * UTF8_BYTES_PER_UNIT_MAX);
  return { bytes, length: bytes.write(text, 0, 'utf8') };
}
