/**
 * The properties of one message as bytes: asked and changed by name like a map, and written again without having been
 * strings. What is not touched keeps its bytes. One instance is reused for message after message.
 */
import { copyBytes } from '../kit/bytes.ts';
import { javaStringHashOfUtf8 } from '../kit/java-hash.ts';
import { sortAsJavaMap } from '../kit/java-map-order.ts';
import type { TextCache } from '../kit/text-cache.ts';
import { encodeProperties } from './properties.ts';

const NAME_END = 1;
const SEGMENT_END = 2;
/** Messages with more properties are read into a map: equal names are looked for pair by pair here. */
export const PROPERTIES_MAX = 64;
/** Values set by name: far more than any of ours takes. */
const OWN_BYTES_MIN = 1024;
const UTF8_BYTES_PER_UNIT_MAX = 3;
const LOOP_WRITE_MAX = 40;

/** What is known of a property: so many integers, at these places. */
const FIELDS_SHIFT = 3;
/** First and last byte of the name and, above them, its length: names that differ mostly differ here. */
const KEY = 0;
const NAME_AT = 1;
const NAME_BYTES = 2;
const VALUE_AT = 3;
const VALUE_BYTES = 4;
/** Bit 0: the name lies in `#own`, not in what was read; bit 1: the value does. */
const WHERE = 5;
/** Where the value was written last. */
const WRITTEN_AT = 6;
const BUCKET = 7;
const KEY_ENDS = 0xffff;
const ASCII_MAX = 0x7f;
const NATURAL_DIGITS_MAX = 15;
const NATURAL = /^\d{1,15}$/;

/** Where the values that are indexed stand (UNIQ_KEY, KEYS, TAGS): absolute positions, -1 without one. */
export interface IndexedRanges {
  uniqueKeyStart: number;
  uniqueKeyEnd: number;
  keysStart: number;
  keysEnd: number;
  tagsStart: number;
  tagsEnd: number;
}

/** Properties by name: a `Map`, or {@link PropertyBytes}. */
export interface PropertySet extends Iterable<readonly [string, string]> {
  get(name: string): string | undefined;
  has(name: string): boolean;
  set(name: string, value: string): unknown;
  delete(name: string): boolean;
}

export class PropertyBytes implements PropertySet {
  /** What was read; properties refer to it or to `#own`. */
  #source: Buffer = Buffer.alloc(0);
  /** What was set: names and values side by side. */
  #own = Buffer.allocUnsafe(OWN_BYTES_MIN);
  #ownLength = 0;
  readonly #fields = new Int32Array((PROPERTIES_MAX * 2) << FIELDS_SHIFT);
  /** Properties ever read or set. */
  #known = 0;
  /** Where in `#fields` the properties that there are begin, in their order. */
  readonly #order = new Int32Array(PROPERTIES_MAX * 2);
  #count = 0;

  /**
   * Reads the text `bytes[from, to)`, which stays where it is until the next read; false when it has too many properties.
   * Equal names: the first one's place, the last one's value, as `parseProperties`.
   */
  read(bytes: Buffer, from: number, to: number): boolean {
    this.#source = bytes;
    this.#ownLength = 0;
    this.#known = 0;
    this.#count = 0;
    let start = from;
    while (start < to) {
      let middle = start;
      while (middle < to && bytes[middle] !== NAME_END && bytes[middle] !== SEGMENT_END) middle++;
      let end = middle;
      while (end < to && bytes[end] !== SEGMENT_END) end++;
      if (middle > start && end - middle > 1 && !this.#add(start, middle, end)) return false;
      start = end + 1;
    }
    return true;
  }

  #add(start: number, middle: number, end: number): boolean {
    const bytes = this.#source;
    const fields = this.#fields;
    const key = bytes[start]! | (bytes[middle - 1]! << 8) | ((middle - start) << 16);
    let at = this.#findBytes(key, start, middle - start);
    if (at < 0) {
      if (this.#count === PROPERTIES_MAX) return false;
      at = this.#known++ << FIELDS_SHIFT;
      this.#order[this.#count++] = at;
      fields[at + KEY] = key;
      fields[at + NAME_AT] = start;
      fields[at + NAME_BYTES] = middle - start;
      fields[at + WHERE] = 0;
    }
    fields[at + VALUE_AT] = middle + 1;
    fields[at + VALUE_BYTES] = end - middle - 1;
    return true;
  }

  /** Properties that there are. */
  get size(): number {
    return this.#count;
  }

  get(name: string): string | undefined {
    const at = this.#find(name);
    return at < 0 ? undefined : this.#value(at);
  }

  has(name: string): boolean {
    return this.#find(name) >= 0;
  }

  /** Throws a RangeError when more are set than anything here does. */
  set(name: string, value: string): this {
    const fields = this.#fields;
    let at = this.#find(name);
    if (at < 0) {
      if (this.#known === this.#order.length) throw new RangeError(`a message with ${this.#known} properties gets one more: ${name}`);
      at = this.#known++ << FIELDS_SHIFT;
      this.#order[this.#count++] = at;
      const nameAt = this.#ownLength;
      const nameBytes = this.#write(name);
      const own = this.#own;
      fields[at + KEY] = nameBytes === 0 ? 0 : own[nameAt]! | (own[nameAt + nameBytes - 1]! << 8) | (nameBytes << 16);
      fields[at + NAME_AT] = nameAt;
      fields[at + NAME_BYTES] = nameBytes;
      fields[at + WHERE] = 1;
    }
    fields[at + VALUE_AT] = this.#ownLength;
    fields[at + VALUE_BYTES] = this.#write(value);
    fields[at + WHERE]! |= 2;
    return this;
  }

  delete(name: string): boolean {
    const at = this.#find(name);
    if (at < 0) return false;
    const order = this.#order;
    this.#count--;
    for (let index = order.indexOf(at); index < this.#count; index++) order[index] = order[index + 1]!;
    return true;
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (let index = 0; index < this.#count; index++) {
      const at = this.#order[index]!;
      yield [this.#name(at), this.#value(at)];
    }
  }

  /** Puts them into the order in which Java's HashMap with so many buckets (a power of two) would hand them out (`java-map-order.ts`). */
  sortAsJavaMap(buckets: number): void {
    let size = buckets;
    while (this.#count > size * 0.75) size *= 2;
    const order = this.#order;
    const fields = this.#fields;
    for (let index = 0; index < this.#count; index++) {
      const at = order[index]!;
      const nameAt = fields[at + NAME_AT]!;
      const bytes = (fields[at + WHERE]! & 1) === 0 ? this.#source : this.#own;
      const hash = javaStringHashOfUtf8(bytes, nameAt, nameAt + fields[at + NAME_BYTES]!);
      const bucket = (hash ^ (hash >>> 16)) & (size - 1);
      fields[at + BUCKET] = bucket;
      let to = index;
      for (; to > 0 && fields[order[to - 1]! + BUCKET]! > bucket; to--) order[to] = order[to - 1]!;
      order[to] = at;
    }
  }

  /** Bytes of the text. */
  get byteLength(): number {
    let bytes = this.#count * 2;
    for (let index = 0; index < this.#count; index++) {
      const at = this.#order[index]!;
      bytes += this.#fields[at + NAME_BYTES]! + this.#fields[at + VALUE_BYTES]!;
    }
    return bytes;
  }

  /** Writes the text to `target`, which has room for it and is not what was read; answers the position after it. */
  write(target: Buffer, to: number): number {
    const fields = this.#fields;
    for (let index = 0; index < this.#count; ) {
      const at = this.#order[index]!;
      const runEnd = this.#runEnd(index);
      if (runEnd > index) {
        // What stands side by side in the source is copied in one piece, but for the last separator, which may be missing there.
        const from = fields[at + NAME_AT]!;
        const last = this.#order[runEnd - 1]!;
        const end = fields[last + VALUE_AT]! + fields[last + VALUE_BYTES]!;
        copyBytes(this.#source, from, end, target, to);
        for (; index < runEnd; index++) {
          const each = this.#order[index]!;
          fields[each + WRITTEN_AT] = to + fields[each + VALUE_AT]! - from;
        }
        to += end - from;
      } else {
        to = this.#writeOne(at, target, to);
        index++;
      }
      target[to++] = SEGMENT_END;
    }
    return to;
  }

  #writeOne(at: number, target: Buffer, to: number): number {
    const fields = this.#fields;
    const where = fields[at + WHERE]!;
    const nameAt = fields[at + NAME_AT]!;
    const nameBytes = fields[at + NAME_BYTES]!;
    const valueAt = fields[at + VALUE_AT]!;
    const valueBytes = fields[at + VALUE_BYTES]!;
    copyBytes((where & 1) === 0 ? this.#source : this.#own, nameAt, nameAt + nameBytes, target, to);
    const value = to + nameBytes + 1;
    target[value - 1] = NAME_END;
    fields[at + WRITTEN_AT] = value;
    copyBytes((where & 2) === 0 ? this.#source : this.#own, valueAt, valueAt + valueBytes, target, value);
    return value + valueBytes;
  }

  /** Notes where {@link write} has put the indexed values. An empty value counts as none, as to every reader. */
  noteWritten(into: IndexedRanges): void {
    this.#note(into, WRITTEN_AT);
  }

  /** Notes where the indexed values stand in what was read. None of them may have been set since. */
  noteRead(into: IndexedRanges): void {
    this.#note(into, VALUE_AT);
  }

  #note(into: IndexedRanges, place: typeof WRITTEN_AT | typeof VALUE_AT): void {
    const fields = this.#fields;
    const uniqueKey = this.#findValue('UNIQ_KEY');
    into.uniqueKeyStart = uniqueKey < 0 ? -1 : fields[uniqueKey + place]!;
    into.uniqueKeyEnd = uniqueKey < 0 ? -1 : into.uniqueKeyStart + fields[uniqueKey + VALUE_BYTES]!;
    const keys = this.#findValue('KEYS');
    into.keysStart = keys < 0 ? -1 : fields[keys + place]!;
    into.keysEnd = keys < 0 ? -1 : into.keysStart + fields[keys + VALUE_BYTES]!;
    const tags = this.#findValue('TAGS');
    into.tagsStart = tags < 0 ? -1 : fields[tags + place]!;
    into.tagsEnd = tags < 0 ? -1 : into.tagsStart + fields[tags + VALUE_BYTES]!;
  }

  /** As {@link #find}; an empty value counts as none. */
  #findValue(name: string): number {
    const at = this.#find(name);
    return at < 0 || this.#fields[at + VALUE_BYTES] === 0 ? -1 : at;
  }

  /** {@link get} for a value that many messages have. */
  getCached(name: string, texts: TextCache): string | undefined {
    const at = this.#find(name);
    if (at < 0) return undefined;
    const from = this.#fields[at + VALUE_AT]!;
    return texts.read((this.#fields[at + WHERE]! & 2) === 0 ? this.#source : this.#own, from, from + this.#fields[at + VALUE_BYTES]!);
  }

  /** A value of one to 15 digits; NaN for any other, or none. */
  natural(name: string): number {
    const at = this.#find(name);
    if (at < 0) return Number.NaN;
    const length = this.#fields[at + VALUE_BYTES]!;
    if (length === 0 || length > NATURAL_DIGITS_MAX) return Number.NaN;
    const bytes = (this.#fields[at + WHERE]! & 2) === 0 ? this.#source : this.#own;
    const start = this.#fields[at + VALUE_AT]!;
    let value = 0;
    for (let place = start; place < start + length; place++) {
      const digit = bytes[place]! - 48;
      if (digit < 0 || digit > 9) return Number.NaN;
      value = value * 10 + digit;
    }
    return value;
  }

  /** Behind the last of the properties from `index` on that stand in the source one after the other. */
  #runEnd(index: number): number {
    const fields = this.#fields;
    let next = fields[this.#order[index]! + NAME_AT]!;
    let end = index;
    for (; end < this.#count; end++) {
      const at = this.#order[end]!;
      if (fields[at + WHERE] !== 0 || fields[at + NAME_AT] !== next) break;
      const valueAt = fields[at + VALUE_AT]!;
      // The value of a name that stood there twice is elsewhere.
      if (valueAt !== next + fields[at + NAME_BYTES]! + 1) break;
      next = valueAt + fields[at + VALUE_BYTES]! + 1;
    }
    return end;
  }

  #name(at: number): string {
    const from = this.#fields[at + NAME_AT]!;
    return ((this.#fields[at + WHERE]! & 1) === 0 ? this.#source : this.#own).toString('utf8', from, from + this.#fields[at + NAME_BYTES]!);
  }

  #value(at: number): string {
    const from = this.#fields[at + VALUE_AT]!;
    return ((this.#fields[at + WHERE]! & 2) === 0 ? this.#source : this.#own).toString(
      'utf8',
      from,
      from + this.#fields[at + VALUE_BYTES]!,
    );
  }

  /** Where in `#fields` a property begins; -1 when it is not there. */
  #find(name: string): number {
    const order = this.#order;
    const first = name.charCodeAt(0);
    const last = name.charCodeAt(name.length - 1);
    if (!(first <= ASCII_MAX && last <= ASCII_MAX)) return this.#findText(name);
    const key = first | (last << 8);
    for (let index = 0; index < this.#count; index++) {
      const at = order[index]!;
      if ((this.#fields[at + KEY]! & KEY_ENDS) === key && this.#isNamed(at, name)) return at;
    }
    return -1;
  }

  #findText(name: string): number {
    for (let index = 0; index < this.#count; index++) if (this.#name(this.#order[index]!) === name) return this.#order[index]!;
    return -1;
  }

  #isNamed(at: number, name: string): boolean {
    const bytes = (this.#fields[at + WHERE]! & 1) === 0 ? this.#source : this.#own;
    const nameAt = this.#fields[at + NAME_AT]!;
    const nameBytes = this.#fields[at + NAME_BYTES]!;
    // The text of some bytes has at most as many units.
    if (nameBytes < name.length) return false;
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      const byte = bytes[nameAt + i]!;
      if (unit > ASCII_MAX || byte > ASCII_MAX) return this.#name(at) === name;
      if (unit !== byte) return false;
    }
    return nameBytes === name.length;
  }

  #findBytes(key: number, start: number, length: number): number {
    const fields = this.#fields;
    const bytes = this.#source;
    search: for (let index = 0; index < this.#count; index++) {
      const at = this.#order[index]!;
      if (fields[at + KEY] !== key || fields[at + NAME_BYTES] !== length) continue;
      const nameAt = fields[at + NAME_AT]!;
      for (let i = 1; i < length; i++) if (bytes[nameAt + i] !== bytes[start + i]) continue search;
      return at;
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
        if (unit > ASCII_MAX) break;
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

/** {@link PropertyBytes.natural} for either kind. */
export function naturalProperty(properties: PropertySet, name: string): number {
  if (properties instanceof PropertyBytes) return properties.natural(name);
  const text = properties.get(name) ?? '';
  return NATURAL.test(text) ? Number(text) : Number.NaN;
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
