/**
 * Walking the records of the CommitLog files without trusting them (store.md 7.1): each record is checked, its own
 * PHYSICALOFFSET included, and behind a bad one the next good one is looked for.
 */
import { readInt32 } from '@perigee/core/kit/bytes';
import {
  BLANK_BYTES,
  MAGIC_BLANK,
  recordBodyStart,
  recordPhysicalOffsetAt,
  recordPropertiesEnd,
  recordPropertiesStart,
  recordSizeAt,
  recordStoreTimestampAt,
} from '@perigee/core/message/record';
import { type BadRecord, checkRecord, type RecordCheckOptions } from '@perigee/core/message/record-check';
import type { SegmentFiles } from './segment-files.ts';

/** Bytes read at once; grows to the largest record met. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;
/** Shortest record. */
const RECORD_BYTES_MIN = 91;
/** Longest fixed part of a record (IPv6 hosts), up to and including BODYLEN. */
const HEADER_BYTES_MAX = 112;
/** Most that a record has besides fixed part and body: topic and properties with their lengths. */
const TAIL_BYTES_MAX = 2 + 32_767 + 2 + 32_767;
/** First bytes of both record magics. */
const MAGIC_START = Buffer.from([0xda, 0xa3, 0x20]);
/**
 * Zeros in a row after which nothing more is expected in a file: twice what may be dirty before a sync starts, so that a
 * power failure cannot have left anything farther behind a hole.
 */
const ZEROS_MAX = 64 * 1024 * 1024;

export type WalkStep =
  /** A record; `bytes[at, at + size)` until the next step. */
  | { readonly kind: 'record'; readonly physicalOffset: number; readonly size: number; readonly bytes: Buffer; readonly at: number }
  /** The rest of the file is empty by intention. */
  | { readonly kind: 'blank'; readonly physicalOffset: number; readonly size: number }
  | { readonly kind: 'bad'; readonly physicalOffset: number; readonly bad: BadRecord };

export interface LogWalkOptions extends RecordCheckOptions {
  /** Take a record for torn when zeros fill its properties from the start of a disk sector on (after an unclean exit). */
  readonly checkTears?: boolean;
}

export class LogWalk {
  readonly #segments: SegmentFiles;
  readonly #options: LogWalkOptions;
  #window = Buffer.allocUnsafe(0);
  /** The window holds [windowStart, windowEnd) of the log, all of one file. */
  #windowStart = 0;
  #windowEnd = 0;

  constructor(segments: SegmentFiles, options: LogWalkOptions) {
    this.#segments = segments;
    this.#options = options;
  }

  /** Looks at what starts at a physical offset. */
  step(physicalOffset: number): WalkStep {
    const fileEnd = this.fileEnd(physicalOffset);
    this.#fill(physicalOffset, BLANK_BYTES, fileEnd);
    const size = this.#windowEnd - physicalOffset >= BLANK_BYTES ? recordSizeAt(this.#window, physicalOffset - this.#windowStart) : 0;
    const isBlank = size > 0 && readInt32(this.#window, physicalOffset - this.#windowStart + 4) === MAGIC_BLANK;
    if (isBlank) {
      return size === fileEnd - physicalOffset
        ? { kind: 'blank', physicalOffset, size }
        : badAt(physicalOffset, 'length', `a blank of ${fileEnd - physicalOffset} bytes`, size);
    }
    if (size > 0 && size <= fileEnd - physicalOffset) {
      this.#fill(physicalOffset, Math.min(size, HEADER_BYTES_MAX), fileEnd);
      const bodyBytes = this.#bodyBytes(physicalOffset);
      if (size > HEADER_BYTES_MAX + bodyBytes + TAIL_BYTES_MAX) {
        // A damaged size must not make us read a gigabyte.
        return badAt(physicalOffset, 'length', `TOTALSIZE near BODYLEN ${bodyBytes}`, size);
      }
      this.#fill(physicalOffset, size, fileEnd);
    }
    const at = physicalOffset - this.#windowStart;
    const check = checkRecord(this.#window, at, this.#windowEnd - this.#windowStart, this.#options);
    if (check.kind === 'bad') {
      return { kind: 'bad', physicalOffset, bad: { ...check, at: physicalOffset + check.at - at } };
    }
    const stated = recordPhysicalOffsetAt(this.#window, at);
    if (stated !== physicalOffset) {
      return badAt(physicalOffset, 'length', `PHYSICALOFFSET ${physicalOffset}`, stated);
    }
    const tornAt = this.#options.checkTears === true ? this.#tornAt(at) : -1;
    if (tornAt >= 0) {
      const tear = this.#windowStart + tornAt;
      const bad = { kind: 'bad', reason: 'truncated', at: tear, expected: 'properties', found: 'a sector of zeros' } as const;
      return { kind: 'bad', physicalOffset, bad };
    }
    return { kind: 'record', physicalOffset, size: check.size, bytes: this.#window, at };
  }

  /**
   * Position in the window from which a sector of the properties was never written, -1 when all were. BODYCRC does not cover
   * the properties, and a power failure may take the sector that holds them.
   */
  #tornAt(at: number): number {
    const start = recordPropertiesStart(this.#window, at);
    const end = recordPropertiesEnd(this.#window, at);
    const first = start + ((SECTOR_BYTES - ((this.#windowStart + start) % SECTOR_BYTES)) % SECTOR_BYTES);
    for (let sector = first; sector < end; sector += SECTOR_BYTES) {
      if (lastNonZero(this.#window, sector, Math.min(end, sector + SECTOR_BYTES)) < 0) {
        return sector;
      }
    }
    return -1;
  }

  /** End of the file that holds a physical offset. */
  fileEnd(physicalOffset: number): number {
    const start = this.#segments.startOf(physicalOffset);
    return start < 0 ? physicalOffset : start + this.#segments.segmentBytes;
  }

  /**
   * The first place at or behind a physical offset where a whole record starts, or undefined. Bytes of an older life of the
   * log may lie behind its end (store.md 2): a record stored before `notBeforeMs` does not count.
   */
  findRecord(physicalOffset: number, notBeforeMs: number): number | undefined {
    for (let from = physicalOffset; this.#segments.has(from); from = this.fileEnd(from)) {
      const found = this.#findInFile(from, notBeforeMs);
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }

  /** End of the last byte in the file of `physicalOffset`, at or behind it, that is not zero; `physicalOffset` if all are. */
  endOfContent(physicalOffset: number): number {
    const fileEnd = this.fileEnd(physicalOffset);
    let end = physicalOffset;
    for (let at = physicalOffset; at < fileEnd && at - end < ZEROS_MAX; at = this.#windowEnd) {
      this.#fill(at, 1, fileEnd);
      const last = lastNonZero(this.#window, at - this.#windowStart, this.#windowEnd - this.#windowStart);
      end = last < 0 ? end : this.#windowStart + last + 1;
    }
    return end;
  }

  #findInFile(physicalOffset: number, notBeforeMs: number): number | undefined {
    const fileEnd = this.fileEnd(physicalOffset);
    let contentEnd = physicalOffset;
    for (let from = physicalOffset; from < fileEnd && from - contentEnd < ZEROS_MAX; ) {
      this.#fill(from, Math.min(WINDOW_BYTES, fileEnd - from), fileEnd);
      const windowEnd = this.#windowEnd;
      const start = from - this.#windowStart;
      const last = lastNonZero(this.#window, start, windowEnd - this.#windowStart);
      contentEnd = last < 0 ? contentEnd : this.#windowStart + last + 1;
      const magicAt = last < 0 ? -1 : this.#window.subarray(0, windowEnd - this.#windowStart).indexOf(MAGIC_START, start + 4);
      if (magicAt < 0) {
        // A magic may begin in the last bytes; one record header is kept.
        from = windowEnd === fileEnd ? fileEnd : Math.max(from + 1, windowEnd - 8);
        continue;
      }
      const candidate = this.#windowStart + magicAt - 4;
      from = candidate + 1;
      this.#fill(candidate, RECORD_BYTES_MIN, fileEnd);
      if (candidate + RECORD_BYTES_MIN > fileEnd || recordPhysicalOffsetAt(this.#window, candidate - this.#windowStart) !== candidate) {
        continue;
      }
      const step = this.step(candidate);
      if (step.kind === 'record' && recordStoreTimestampAt(step.bytes, step.at) >= notBeforeMs) {
        return candidate;
      }
    }
    return undefined;
  }

  /** BODYLEN of the record whose header is in the window; 0 when the header does not fit. */
  #bodyBytes(physicalOffset: number): number {
    const at = physicalOffset - this.#windowStart;
    if (at + HEADER_BYTES_MAX > this.#windowEnd - this.#windowStart) {
      return 0;
    }
    return Math.max(0, readInt32(this.#window, recordBodyStart(this.#window, at) - 4));
  }

  /** Makes the window hold at least `[physicalOffset, + bytes)`, as far as the file goes. */
  #fill(physicalOffset: number, bytes: number, fileEnd: number): void {
    const wantedEnd = Math.min(physicalOffset + bytes, fileEnd);
    if (physicalOffset >= this.#windowStart && wantedEnd <= this.#windowEnd) {
      return;
    }
    const length = Math.min(Math.max(bytes, WINDOW_BYTES), fileEnd - physicalOffset);
    if (this.#window.length < length) {
      this.#window = Buffer.allocUnsafeSlow(length);
    }
    this.#windowStart = physicalOffset;
    this.#windowEnd = physicalOffset + this.#segments.readNow(this.#window, 0, length, physicalOffset);
  }
}

function badAt(physicalOffset: number, reason: BadRecord['reason'], expected: string, found: number): WalkStep {
  return { kind: 'bad', physicalOffset, bad: { kind: 'bad', reason, at: physicalOffset, expected, found: String(found) } };
}

/** Position of the last byte of `buffer[start, end)` that is not zero, -1 when all are. */
function lastNonZero(buffer: Buffer, start: number, end: number): number {
  const words = Math.floor((end - start) / 8);
  for (let at = end - 1; at >= start + words * 8; at--) {
    if (buffer[at] !== 0) {
      return at;
    }
  }
  for (let word = words - 1; word >= 0; word--) {
    const at = start + word * 8;
    if (readInt32(buffer, at) !== 0 || readInt32(buffer, at + 4) !== 0) {
      let last = at + 7;
      while (buffer[last] === 0) {
        last--;
      }
      return last;
    }
  }
  return -1;
}
