/**
 * Rows of a ConsumeQueue as they lie in its files (store.md 4 and 4.2), read in place.
 *
 * | SimpleCQ, 20 bytes | | BatchCQ, 46 bytes: the same 20, then | |
 * |---|---|---|---|
 * | 0 | i64 physicalOffset | 20 | i64 storeTimestamp |
 * | 8 | i32 record size | 28 | i64 base queue offset |
 * | 12 | i64 tagsCode | 36 | i16 messages in the record |
 * | | | 38 | i32 compactedOffset (-1), then i32 0 |
 */
import { readInt16, readInt32, readInt64 } from '@perigee/core/kit/bytes';

export const CONSUME_QUEUE_UNIT_BYTES = 20;
export const BATCH_CONSUME_QUEUE_UNIT_BYTES = 46;

/** Record size of a row that stands for no message: rows before the first of a queue that starts late, or a gap. */
export const BLANK_ROW_BYTES = 0x7fffffff;

const SIZE_AT = 8;
const TAGS_AT = 12;
const BATCH_STORE_TIMESTAMP_AT = 20;
const BATCH_BASE_AT = 28;
const BATCH_COUNT_AT = 36;

/** Rows that one read may ask for; a read is a scan window of 16,000 bytes by default (store.md 4). */
export const ROWS_READ_MAX = 65_536;

/**
 * A window on consecutive rows of one queue, filled by `readRows`. Owned and reused by the caller; what it shows is good
 * until the next append to that queue. `place` counts from 0 to `count - 1` everywhere.
 */
export class RowsView {
  /** Rows start at `buffer[start]`. */
  buffer: Buffer = Buffer.alloc(0);
  start = 0;
  count = 0;
  unitBytes: number = CONSUME_QUEUE_UNIT_BYTES;
  /** Queue offset of the row at place 0 (SimpleCQ). */
  firstQueueOffset = 0;
  #scratch = Buffer.alloc(0);

  /** Own memory of at least `bytes`, for rows that do not lie together in memory. */
  scratch(bytes: number): Buffer {
    if (this.#scratch.length < bytes) {
      this.#scratch = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#scratch.length));
    }
    return this.#scratch;
  }

  physicalOffset(place: number): number {
    return readInt64(this.buffer, this.start + place * this.unitBytes);
  }

  /** Bytes of the record; {@link BLANK_ROW_BYTES} when the row stands for no message. */
  sizeBytes(place: number): number {
    return readInt32(this.buffer, this.start + place * this.unitBytes + SIZE_AT);
  }

  isBlank(place: number): boolean {
    return this.sizeBytes(place) === BLANK_ROW_BYTES;
  }

  /** Low half of the tags code: Java's hash of the tag, when {@link isTagsCodeExact}. */
  tagsHash(place: number): number {
    return readInt32(this.buffer, this.start + place * this.unitBytes + TAGS_AT + 4);
  }

  /** Tag hash or deliver time (ms), exact; meaningless when {@link isExtAddress}. */
  tagsCode(place: number): number {
    return readInt64(this.buffer, this.start + place * this.unitBytes + TAGS_AT);
  }

  /** The tags code with all its 64 bits. */
  tagsCodeBig(place: number): bigint {
    return this.buffer.readBigInt64BE(this.start + place * this.unitBytes + TAGS_AT);
  }

  /**
   * True when the tags code is the address of a unit in ConsumeQueueExt (store.md 4.1): the tag is then not known from the
   * row, so a filter has to look at the unit or at the record.
   */
  isExtAddress(place: number): boolean {
    // Ext addresses are at most -2147483649: below every 32-bit hash.
    const at = this.start + place * this.unitBytes + TAGS_AT;
    const high = readInt32(this.buffer, at);
    return high < -1 || (high === -1 && readInt32(this.buffer, at + 4) >= 0);
  }

  /** Byte position of the unit in ConsumeQueueExt (tagsCode - Long.MIN_VALUE). */
  extOffset(place: number): number {
    const at = this.start + place * this.unitBytes + TAGS_AT;
    return (readInt32(this.buffer, at) + 0x80000000) * 0x100000000 + (readInt32(this.buffer, at + 4) >>> 0);
  }

  /** Queue offset of the first message of the row. */
  queueOffset(place: number): number {
    if (this.unitBytes === CONSUME_QUEUE_UNIT_BYTES) {
      return this.firstQueueOffset + place;
    }
    return readInt64(this.buffer, this.start + place * this.unitBytes + BATCH_BASE_AT);
  }

  /** Messages in the record of the row: 1 but for inner batches. */
  messageCount(place: number): number {
    if (this.unitBytes === CONSUME_QUEUE_UNIT_BYTES) {
      return 1;
    }
    return readInt16(this.buffer, this.start + place * this.unitBytes + BATCH_COUNT_AT);
  }

  /** Store time (ms) kept in the row of a BatchCQ; -1 for SimpleCQ, whose rows have none. */
  storeTimestamp(place: number): number {
    if (this.unitBytes === CONSUME_QUEUE_UNIT_BYTES) {
      return -1;
    }
    return readInt64(this.buffer, this.start + place * this.unitBytes + BATCH_STORE_TIMESTAMP_AT);
  }
}
