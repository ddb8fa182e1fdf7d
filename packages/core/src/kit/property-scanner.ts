/** Several properties of a message found in one pass over the bytes of its properties text (message/properties.ts has the format). */
import { bytesEqualAt } from './bytes.ts';

const NAME_END = 1;
const SEGMENT_END = 2;
/** Longest name that a {@link PropertyScanner} can be asked for. */
export const SCANNED_NAME_BYTES_MAX = 255;

/**
 * Finds the values of a fixed set of properties in one pass over the text, without allocation. One scanner is reused for
 * every message of one synchronous path; the result of a scan stands until the next one.
 */
export class PropertyScanner {
  private readonly names: readonly Buffer[];
  /** By byte: 1 when some wanted name starts with it. */
  private readonly isFirstWanted = new Uint8Array(256);
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;

  constructor(names: readonly string[]) {
    this.names = names.map((name) => Buffer.from(name, 'utf8'));
    for (const name of this.names) {
      if (name.length === 0 || name.length > SCANNED_NAME_BYTES_MAX) throw new RangeError(`property name of ${name.length} bytes`);
      this.isFirstWanted[name[0]!] = 1;
    }
    this.starts = new Int32Array(names.length);
    this.ends = new Int32Array(names.length);
  }

  /** Reads the properties text `buffer[start, end)`. */
  scan(buffer: Buffer, start: number, end: number): void {
    this.starts.fill(-1);
    const { isFirstWanted } = this;
    for (let at = start; at < end; at++) {
      const segment = at;
      let middle = -1;
      // Most properties are none of the wanted, and their first byte says so: then only the end of the segment counts.
      if (isFirstWanted[buffer[at]!] === 1) {
        let byte = buffer[at]!;
        while (at < end && (byte > SEGMENT_END || byte === 0)) byte = buffer[++at]!;
        if (at < end && byte === NAME_END) middle = at;
      }
      while (at < end && buffer[at] !== SEGMENT_END) at++;
      if (middle > segment && middle + 1 < at) this.take(buffer, segment, middle, at);
    }
  }

  private take(buffer: Buffer, nameStart: number, nameEnd: number, valueEnd: number): void {
    const length = nameEnd - nameStart;
    for (let index = 0; index < this.names.length; index++) {
      const name = this.names[index]!;
      if (name.length === length && bytesEqualAt(buffer, nameStart, name)) {
        this.starts[index] = nameEnd + 1;
        this.ends[index] = valueEnd;
        return;
      }
    }
  }

  /** Position of the value of the `index`-th name, or -1 when the text does not have it. */
  start(index: number): number {
    return this.starts[index]!;
  }

  /** Position after that value. Meaningless when {@link start} is -1. */
  end(index: number): number {
    return this.ends[index]!;
  }
}
