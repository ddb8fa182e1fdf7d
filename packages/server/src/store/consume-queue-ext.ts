/**
 * Units beside a ConsumeQueue that an Apache broker with `enableConsumeQueueExt` left (store.md 4.1): the tags code that
 * stands in the rows of other queues, and the bit map of the groups whose SQL92 filter lets the message through. They are
 * read, so that pulls pass over what their group does not want; none are written. Rows of ours carry the plain tags code,
 * which Apache reads as well.
 *
 * | at | type | field |
 * |---|---|---|
 * | 0 | i16 | unit size, 20 + bitmap length; -1 ends the content of a file |
 * | 2 | i64 | tagsCode |
 * | 10 | i64 | store time of the message, ms |
 * | 18 | i16 | bitmap length |
 * | 20 | | bitmap: bit p is byte p / 8, mask 1 << (p % 8) |
 */
import { readInt16, readInt64 } from '@perigee/core/kit/bytes';
import type { Disk } from '@perigee/core/platform/ports';
import { type OpenFiles, SegmentFiles } from './segment-files.ts';

const HEADER_BYTES = 20;
const UNIT_BYTES_MAX = 32_767;
/** Bytes read around a unit, whose neighbours are asked for next: 120 units with bit maps of Apache's default size. */
const WINDOW_BYTES = 4096;

export interface ConsumeQueueExtUnit {
  readonly tagsCode: number;
  readonly storeTimestampMs: number;
  /** Bloom filter of the groups whose filter may match; empty when none was computed. Valid until the next unit is read. */
  readonly bitmap: Buffer;
}

export interface ConsumeQueueExtOptions {
  readonly disk: Disk;
  readonly openFiles: OpenFiles;
  /** `{root}/consumequeue_ext/{topic}/{queueId}`. */
  readonly directory: string;
  /** `mappedFileSizeConsumeQueueExt`. */
  readonly fileBytes: number;
}

export class ConsumeQueueExt {
  readonly #files: SegmentFiles;
  #window = Buffer.alloc(0);
  /** The window holds the bytes `[windowAt, windowAt + windowBytes)`. */
  #windowAt = 0;
  #windowBytes = 0;

  constructor(options: ConsumeQueueExtOptions) {
    this.#files = new SegmentFiles(options.disk, options.openFiles, options.directory, options.fileBytes);
  }

  /** Finds the files. Throws StoreLoadError. */
  load(): void {
    this.#files.load();
  }

  get fileCount(): number {
    return this.#files.segmentCount;
  }

  /** The unit at a byte position (see RowsView.extOffset); undefined when there is none. */
  unitAt(extOffset: number): ConsumeQueueExtUnit | undefined {
    if (!this.#show(extOffset, HEADER_BYTES)) return undefined;
    let at = extOffset - this.#windowAt;
    const size = readInt16(this.#window, at);
    const bitmapBytes = readInt16(this.#window, at + 18);
    if (size < HEADER_BYTES || bitmapBytes !== size - HEADER_BYTES || !this.#show(extOffset, size)) return undefined;
    at = extOffset - this.#windowAt;
    const window = this.#window;
    return {
      tagsCode: readInt64(window, at + 2),
      storeTimestampMs: readInt64(window, at + 10),
      bitmap: window.subarray(at + HEADER_BYTES, at + size),
    };
  }

  /** Has `length` bytes at a position in the window; false when the files do not hold them. */
  #show(position: number, length: number): boolean {
    if (position >= this.#windowAt && position + length <= this.#windowAt + this.#windowBytes) return true;
    if (!this.#files.has(position)) return false;
    const wanted = Math.max(length, WINDOW_BYTES);
    if (this.#window.length < wanted) this.#window = Buffer.allocUnsafe(length <= WINDOW_BYTES ? WINDOW_BYTES : UNIT_BYTES_MAX);
    const inFile = this.#files.startOf(position) + this.#files.segmentBytes - position;
    this.#windowAt = position;
    this.#windowBytes = this.#files.readNow(this.#window, 0, Math.min(wanted, inFile), position);
    return length <= this.#windowBytes;
  }

  /** Removes the files, but the last, that end before a unit; answers how many. */
  async deleteBefore(extOffset: number): Promise<number> {
    let removed = 0;
    while (this.#files.segmentCount > 1 && this.#files.segmentStart(1) <= extOffset) {
      await this.#files.removeFirst();
      removed++;
    }
    return removed;
  }

  closeNow(): void {
    this.#files.closeNow();
  }

  async destroy(): Promise<void> {
    this.#windowBytes = 0;
    await this.#files.destroy();
  }
}
