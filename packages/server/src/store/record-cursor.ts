/** Reads single records of the CommitLog without allocating: for the broker's own readers of its system topics. */
import { MAGIC_V1, MAGIC_V2, recordMagicAt, recordSizeAt } from '@perigee/core/message/record';
import type { CommitLog } from './commit-log.ts';

/** Read at once when records are asked for one after the other. */
const WINDOW_BYTES = 65_536;
/** Larger memory than this is given back after its record. */
const KEPT_BYTES_MAX = 1024 * 1024;

export class RecordCursor {
  readonly #log: CommitLog;
  #memory = Buffer.alloc(0);
  /** `#memory[0, #windowBytes)` holds the CommitLog from `#windowAt` on. */
  #windowAt = 0;
  #windowBytes = 0;
  #lastEnd = -1;
  /** The record loaded last is `bytes[start, end)`, in memory of the cursor: good until the next load. */
  bytes: Buffer = this.#memory;
  start = 0;
  end = 0;

  constructor(log: CommitLog) {
    this.#log = log;
  }

  /** Loads the record of that size at a physical offset; false when it is not there (removed, or beyond the end). */
  load(physicalOffset: number, sizeBytes: number): boolean {
    if (!this.#hold(physicalOffset, sizeBytes)) return false;
    const at = physicalOffset - this.#windowAt;
    const magic = recordMagicAt(this.#memory, at);
    if (recordSizeAt(this.#memory, at) !== sizeBytes || (magic !== MAGIC_V1 && magic !== MAGIC_V2)) return false;
    this.bytes = this.#memory;
    this.start = at;
    this.end = at + sizeBytes;
    this.#lastEnd = physicalOffset + sizeBytes;
    return true;
  }

  #hold(physicalOffset: number, sizeBytes: number): boolean {
    if (physicalOffset >= this.#windowAt && physicalOffset + sizeBytes <= this.#windowAt + this.#windowBytes) return true;
    if (physicalOffset < this.#log.minOffset || physicalOffset + sizeBytes > this.#log.writtenTo) return false;
    const isSequel = physicalOffset >= this.#lastEnd && physicalOffset - this.#lastEnd < WINDOW_BYTES;
    const wanted = isSequel ? Math.max(sizeBytes, WINDOW_BYTES) : sizeBytes;
    if (this.#memory.length < wanted || this.#memory.length > KEPT_BYTES_MAX)
      this.#memory = Buffer.allocUnsafeSlow(Math.max(wanted, WINDOW_BYTES));
    this.#windowAt = physicalOffset;
    this.#windowBytes = this.#log.readWritten(this.#memory, 0, wanted, physicalOffset);
    return this.#windowBytes >= sizeBytes;
  }
}
