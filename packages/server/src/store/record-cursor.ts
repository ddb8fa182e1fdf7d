/** Reads single records of the CommitLog without allocating: for the broker's own readers of its system topics. */
import type { CommitLog } from './commit-log.ts';

const SCRATCH_BYTES_MIN = 65_536;
/** Larger scratch memory than this is given back after its record. */
const SCRATCH_BYTES_MAX = 1024 * 1024;

export class RecordCursor {
  readonly #log: CommitLog;
  #scratch = Buffer.alloc(0);
  /** The record loaded last is `bytes[start, end)`; good until the next load or append. */
  bytes: Buffer = this.#scratch;
  start = 0;
  end = 0;

  constructor(log: CommitLog) {
    this.#log = log;
  }

  /** Loads the `sizeBytes` at a physical offset; false when they are not there (removed, or beyond the end). */
  load(physicalOffset: number, sizeBytes: number): boolean {
    const block = this.#log.tailBlock(physicalOffset, sizeBytes);
    if (block !== undefined) {
      this.bytes = block.bytes;
      this.start = physicalOffset - block.base;
      this.end = this.start + sizeBytes;
      return true;
    }
    if (this.#scratch.length < sizeBytes || this.#scratch.length > SCRATCH_BYTES_MAX)
      this.#scratch = Buffer.allocUnsafeSlow(Math.max(sizeBytes, SCRATCH_BYTES_MIN));
    if (!this.#log.copy(this.#scratch, 0, physicalOffset, sizeBytes)) return false;
    this.bytes = this.#scratch;
    this.start = 0;
    this.end = sizeBytes;
    return true;
  }
}
