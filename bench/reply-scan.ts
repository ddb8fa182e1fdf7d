/** Replies as the generator reads them: frames by their lengths, code and opaque at the place where they stood last time. */
import { OPAQUE_DIGITS } from './frames.ts';

const HEADER_AT = 8;
/** `{"code":` and then the code. */
const CODE_AT = HEADER_AT + 8;
const ZERO = 48;
const COMMA = 44;
const COLON = 58;
const QUOTE = 34;

/** Takes a whole frame, `bytes[start, end)`. */
export type FrameTaker = (bytes: Buffer, start: number, end: number) => void;

/** Cuts a byte stream into frames. A frame can be read until the next `feed`, or until its chunk is overwritten. */
export class FrameCutter {
  readonly #take: FrameTaker;
  #rest = Buffer.alloc(64 * 1024);
  /** Where the frame lies that was completed last: what is kept next must not overwrite it. */
  #completed = Buffer.alloc(64 * 1024);
  #restLength = 0;

  constructor(take: FrameTaker) {
    this.#take = take;
  }

  feed(chunk: Buffer, length: number): void {
    let at = this.#restLength > 0 ? this.#completeRest(chunk, length) : 0;
    while (length - at >= 4) {
      const end = at + 4 + chunk.readInt32BE(at);
      if (end > length) break;
      this.#take(chunk, at, end);
      at = end;
    }
    if (at < length) this.#keep(chunk, at, length);
  }

  /** Fills up the frame begun earlier; answers how many bytes of the chunk it took. */
  #completeRest(chunk: Buffer, length: number): number {
    let at = 0;
    if (this.#restLength < 4) at = this.#append(chunk, 0, Math.min(length, 4 - this.#restLength));
    if (this.#restLength < 4) return at;
    const size = 4 + this.#rest.readInt32BE(0);
    at += this.#append(chunk, at, Math.min(length, at + size - this.#restLength));
    if (this.#restLength < size) return at;
    this.#restLength = 0;
    [this.#rest, this.#completed] = [this.#completed, this.#rest];
    this.#take(this.#completed, 0, size);
    return at;
  }

  #append(chunk: Buffer, from: number, to: number): number {
    this.#keep(chunk, from, to);
    return to - from;
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const length = this.#restLength + to - from;
    if (length > this.#rest.length) {
      const larger = Buffer.alloc(length * 2);
      this.#rest.copy(larger, 0, 0, this.#restLength);
      this.#rest = larger;
    }
    chunk.copy(this.#rest, this.#restLength, from, to);
    this.#restLength = length;
  }
}

export interface ReplyHeader {
  readonly code: number;
  readonly opaque: number;
  readonly remark?: string;
  readonly extFields?: Readonly<Record<string, string>>;
}

/** Position after the header of a frame. */
export function headerEnd(bytes: Buffer, start: number): number {
  return start + HEADER_AT + (bytes.readInt32BE(start + 4) & 0xffffff);
}

export function parseReplyHeader(bytes: Buffer, start: number): ReplyHeader {
  return JSON.parse(bytes.toString('utf8', start + HEADER_AT, headerEnd(bytes, start))) as ReplyHeader;
}

/** Reads code 0 and the opaque of replies that all look alike. */
export class QuickReply {
  /** From the end of the header back to the first digit of the opaque. */
  #opaqueFromEnd = 0;

  /** The opaque of a success; -1 when only {@link parseReplyHeader} can tell. */
  successOpaque(bytes: Buffer, start: number): number {
    if (bytes[start + CODE_AT] !== ZERO || bytes[start + CODE_AT + 1] !== COMMA) return -1;
    const end = headerEnd(bytes, start);
    const at = end - this.#opaqueFromEnd;
    if (bytes[at - 1] !== COLON || bytes[at - 2] !== QUOTE || this.#opaqueFromEnd === 0) return this.#learn(bytes, start, end);
    let opaque = 0;
    for (let digit = 0; digit < OPAQUE_DIGITS; digit++) {
      const value = bytes[at + digit]! - ZERO;
      if (value < 0 || value > 9) return this.#learn(bytes, start, end);
      opaque = opaque * 10 + value;
    }
    return opaque;
  }

  #learn(bytes: Buffer, start: number, end: number): number {
    const name = '"opaque":';
    const found = bytes.indexOf(name, start + HEADER_AT, 'latin1');
    this.#opaqueFromEnd = found < 0 || found > end ? 0 : end - found - name.length;
    const { code, opaque } = parseReplyHeader(bytes, start);
    return code === 0 ? opaque : -1;
  }
}

/** An answer. Its bytes lie where they were read: they are there until who awaited it awaits something else. */
export class Reply {
  readonly code: number;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  #header: ReplyHeader | undefined;

  constructor(code: number, bytes: Buffer, start: number, end: number) {
    this.code = code;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  get header(): ReplyHeader {
    this.#header ??= parseReplyHeader(this.#bytes, this.#start);
    return this.#header;
  }

  /** The value of a field without escapes; empty when there is none. */
  field(name: string): string {
    const mark = `"${name}":"`;
    const found = this.#bytes.indexOf(mark, this.#start + HEADER_AT, 'latin1');
    if (found < 0) return '';
    const from = found + mark.length;
    return this.#bytes.toString('latin1', from, this.#bytes.indexOf(QUOTE, from));
  }

  get recordCount(): number {
    return countRecords(this.#bytes, headerEnd(this.#bytes, this.#start), this.#end);
  }
}

/** Records in a pull's body, counted by their sizes. */
export function countRecords(bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = start; at + 4 <= end; count++) {
    const size = bytes.readInt32BE(at);
    if (size <= 0 || at + size > end) throw new Error(`a pull's body holds a record of ${size} bytes at ${at - start} of ${end - start}`);
    at += size;
  }
  return count;
}
