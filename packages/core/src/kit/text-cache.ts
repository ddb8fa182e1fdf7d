/**
 * Texts that come again and again (topics, groups, client ids, broker names): comparing some bytes is cheaper than a new
 * string, and a string that was a map's key before has its hash already. (Of a header's field the text before is enough:
 * `LastText` in `header-reader.ts`.)
 */
import { bytesEqualAt } from './bytes.ts';

/** A power of two. Texts with the same place drive each other out. */
const PLACES = 512;
/** Longer texts are made anew. */
const KEPT_BYTES_MAX = 255;

export class TextCache {
  readonly #bytes: (Buffer | undefined)[] = new Array<Buffer | undefined>(PLACES).fill(undefined);
  readonly #texts: string[] = new Array<string>(PLACES).fill('');

  /** The text whose UTF-8 is `bytes[start, end)`. */
  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length > KEPT_BYTES_MAX || length === 0) return bytes.toString('utf8', start, end);
    let hash = length;
    // Names that differ in a number at their end are the usual ones: every byte of the last eight counts.
    for (let at = Math.max(start, end - 8); at < end; at++) hash = Math.imul(hash, 31) + bytes[at]!;
    hash = Math.imul(hash, 31) + bytes[start + (length >> 1)]!;
    const place = (hash ^ (hash >>> 9)) & (PLACES - 1);
    const kept = this.#bytes[place];
    if (kept !== undefined && kept.length === length && bytesEqualAt(bytes, start, kept)) return this.#texts[place]!;
    const text = bytes.toString('utf8', start, end);
    this.#bytes[place] = Buffer.from(bytes.subarray(start, end));
    this.#texts[place] = text;
    return text;
  }
}
