/** The decisions of a classic replication master, without its connections (ha.md 1.3, "Master, per connection"). */

/** The part of the log that exists. */
export interface LogRange {
  readonly minPhysicalOffset: number;
  readonly maxPhysicalOffset: number;
  readonly segmentBytes: number;
}

/** Where the bytes for a slave begin, or why there are none for it. */
export type TransferStart =
  | { readonly kind: 'from'; readonly physicalOffset: number }
  /** The slave has bytes that this log does not have: another log, or this one lost its end. */
  | { readonly kind: 'ahead' }
  /** The files that the slave lacks are gone. */
  | { readonly kind: 'behind' };

/**
 * Where to transfer from after a slave's first report. An empty slave (0) gets the last file from its beginning and
 * nothing older; any other slave exactly what it asks for, if this log has it.
 */
export function transferStart(reportedOffset: number, log: LogRange): TransferStart {
  if (reportedOffset === 0) return { kind: 'from', physicalOffset: log.maxPhysicalOffset - (log.maxPhysicalOffset % log.segmentBytes) };
  if (reportedOffset > log.maxPhysicalOffset) return { kind: 'ahead' };
  if (reportedOffset < log.minPhysicalOffset) return { kind: 'behind' };
  return { kind: 'from', physicalOffset: reportedOffset };
}

/** Length of the next body: what is there, at most `batchBytes`, not across a file border; 0 when nothing is there. */
export function nextBodyBytes(physicalOffset: number, log: LogRange, batchBytes: number): number {
  const inFile = log.segmentBytes - (physicalOffset % log.segmentBytes);
  return Math.max(0, Math.min(batchBytes, inFile, log.maxPhysicalOffset - physicalOffset));
}

/** Bytes per second as Apache shows them: those of the last whole second that was counted. */
export class TransferRate {
  #windowStartMs: number;
  #windowBytes = 0;
  #lastWindowBytes = 0;

  /** `nowMs` is monotonic time. */
  constructor(nowMs: number) {
    this.#windowStartMs = nowMs;
  }

  add(bytes: number, nowMs: number): void {
    this.#roll(nowMs);
    this.#windowBytes += bytes;
  }

  bytesPerSecond(nowMs: number): number {
    this.#roll(nowMs);
    return this.#lastWindowBytes;
  }

  #roll(nowMs: number): void {
    const windows = Math.floor((nowMs - this.#windowStartMs) / 1000);
    if (windows === 0) return;
    this.#lastWindowBytes = windows === 1 ? this.#windowBytes : 0;
    this.#windowBytes = 0;
    this.#windowStartMs += windows * 1000;
  }
}
