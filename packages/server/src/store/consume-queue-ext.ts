/**
 * Units beside a ConsumeQueue that an Apache broker with `enableConsumeQueueExt` left (store.md 4.1). Read only: our rows
 * carry the plain tags code, which Apache reads as well.
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

export interface ConsumeQueueExtUnit {
  readonly tagsCode: number;
  readonly storeTimestampMs: number;
  /** Bloom filter of the groups whose filter may match; empty when none was computed. */
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

  constructor(options: ConsumeQueueExtOptions) {
    this.#files = new SegmentFiles(options.disk, options.openFiles, options.directory, options.fileBytes);
  }

  /** Finds the files. Throws StoreLoadError. */
  load(): void {
    this.#files.load();
  }

  /** The unit at a byte position (see RowsView.extOffset), a copy; undefined when there is none. */
  unitAt(extOffset: number): ConsumeQueueExtUnit | undefined {
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    if (this.#files.readNow(header, 0, HEADER_BYTES, extOffset) < HEADER_BYTES) {
      return undefined;
    }
    const size = readInt16(header, 0);
    const bitmapBytes = readInt16(header, 18);
    if (size < HEADER_BYTES || size > UNIT_BYTES_MAX || bitmapBytes !== size - HEADER_BYTES) {
      return undefined;
    }
    const bitmap = Buffer.allocUnsafe(bitmapBytes);
    if (this.#files.readNow(bitmap, 0, bitmapBytes, extOffset + HEADER_BYTES) < bitmapBytes) {
      return undefined;
    }
    return { tagsCode: readInt64(header, 2), storeTimestampMs: readInt64(header, 10), bitmap };
  }

  closeNow(): void {
    this.#files.closeNow();
  }

  async destroy(): Promise<void> {
    await this.#files.destroy();
  }
}
