/**
 * The CommitLog: every message of the broker, one record after the other (store.md 3, 9). It knows bytes and three
 * borders; what a record means to queues and senders is the message store's business.
 *
 * ```
 * minOffset ≤ flushedTo ≤ writtenTo ≤ appendedTo
 *             on the device   page cache   tail buffers
 * ```
 */
import { BLANK_BYTES, encodeBlank } from '@perigee/core/message/record';
import type { Clock, Log } from '@perigee/core/platform/ports';
import { BlockCache } from './block-cache.ts';
import type { SegmentFiles } from './segment-files.ts';
import { type TailBlock, TailBuffers } from './tail-buffers.ts';

/** A page-cache write slower than this sends the next groups through the threadpool until it recovers (DESIGN 5). */
const SLOW_WRITE_MS = 5;
/** Quick writes in a row through the threadpool after which the turn writes by itself again. */
const RECOVERED_AFTER_WRITES = 8;
/** Not yet synced bytes that start a background sync, so that the kernel never throttles the writer. */
const DIRTY_BYTES_MAX = 32 * 1024 * 1024;

export interface CommitLogCounters {
  slowWrites: number;
  longestWriteMs: number;
}

export class CommitLog {
  readonly segments: SegmentFiles;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tail = new TailBuffers();
  readonly #cache: BlockCache;
  readonly counters: CommitLogCounters = { slowWrites: 0, longestWriteMs: 0 };
  appendedTo = 0;
  writtenTo = 0;
  flushedTo = 0;
  /** Below this, records are dispatched and answered: their tail memory may be reused. Kept by the message store. */
  releasedTo = 0;
  #segmentEnd = 0;
  #slowWritesLeft = 0;
  #writing = false;
  #syncing: Promise<void> | undefined;
  #syncFailure: Error | undefined;

  constructor(clock: Clock, log: Log, segments: SegmentFiles) {
    this.#clock = clock;
    this.#log = log;
    this.segments = segments;
    this.#cache = new BlockCache((target, length, physicalOffset) => this.#readBlock(target, length, physicalOffset));
  }

  /** A block of the cache. One that begins in a file that is gone has its bytes from the first file on. */
  #readBlock(target: Buffer, length: number, physicalOffset: number): number {
    const skipped = Math.max(0, this.minOffset - physicalOffset);
    const wanted = Math.min(length, this.writtenTo - physicalOffset) - skipped;
    const read = wanted <= 0 ? 0 : this.segments.readNow(target, skipped, wanted, physicalOffset + skipped);
    return read === 0 ? 0 : skipped + read;
  }

  /** Physical offset of the first byte kept. */
  get minOffset(): number {
    return this.segments.minOffset;
  }

  /** Starts at `physicalOffset`, the end of the last valid record found by recovery. */
  open(physicalOffset: number): void {
    this.appendedTo = physicalOffset;
    this.writtenTo = physicalOffset;
    this.flushedTo = physicalOffset;
    this.releasedTo = physicalOffset;
    this.#segmentEnd = this.segments.has(physicalOffset)
      ? physicalOffset - (physicalOffset % this.segments.segmentBytes) + this.segments.segmentBytes
      : physicalOffset;
  }

  /**
   * Room for `size` bytes of records that must lie in one file; fills the rest of the file with a blank when they do not
   * fit. Answers the block whose last `size` bytes are theirs, or undefined when the disk does not keep up.
   */
  reserve(size: number): TailBlock | undefined {
    if (this.appendedTo + size + BLANK_BYTES > this.#segmentEnd) {
      if (!this.#roll()) return undefined;
    }
    const block = this.#tail.reserve(this.appendedTo, size, this.releasedTo);
    if (block !== undefined) this.appendedTo += size;
    return block;
  }

  /** Ends the current file with a blank record and starts the next one. */
  #roll(): boolean {
    const rest = this.#segmentEnd - this.appendedTo;
    if (rest > 0) {
      const block = this.#tail.reserve(this.appendedTo, BLANK_BYTES, this.releasedTo);
      if (block === undefined) return false;
      encodeBlank(block.bytes, block.length - BLANK_BYTES, rest);
      this.appendedTo = this.#segmentEnd;
    }
    const start = this.appendedTo;
    if (!this.segments.has(start)) this.segments.createNow(start);
    this.#segmentEnd = start + this.segments.segmentBytes;
    this.segments
      .prepareNext()
      .catch((error: unknown) => this.#log.warn('the next CommitLog file could not be prepared', { error: String(error) }));
    return true;
  }

  /** True when appended bytes wait for the page cache and no write is under way. */
  get canWrite(): boolean {
    return !this.#writing && this.writtenTo < this.appendedTo;
  }

  /**
   * Gives what was appended to the page cache: at once, or through the threadpool while the page cache is slow.
   * Throws (or rejects) with the disk's error; `writtenTo` then says how far it got. Answers a promise only in the slow case.
   */
  write(): Promise<void> | undefined {
    if (this.#slowWritesLeft > 0) return this.#writeSlow();
    const startedMs = this.#clock.monotonicMs();
    for (
      let block = this.#tail.from(this.writtenTo);
      block !== undefined && this.writtenTo < this.appendedTo;
      block = this.#tail.from(this.writtenTo)
    ) {
      this.#skipGapTo(block);
      const start = this.writtenTo - block.base;
      this.segments.writeNow(block.bytes, start, block.length - start, this.writtenTo);
      this.writtenTo = block.base + block.length;
    }
    this.writtenTo = this.appendedTo;
    this.#timed(this.#clock.monotonicMs() - startedMs);
    return undefined;
  }

  /** Behind a blank the next block starts at the next file: the bytes between are a hole. */
  #skipGapTo(block: TailBlock): void {
    if (block.base > this.writtenTo) this.writtenTo = block.base;
  }

  async #writeSlow(): Promise<void> {
    this.#writing = true;
    try {
      const to = this.appendedTo;
      for (
        let block = this.#tail.from(this.writtenTo);
        block !== undefined && this.writtenTo < to;
        block = this.#tail.from(this.writtenTo)
      ) {
        this.#skipGapTo(block);
        const start = this.writtenTo - block.base;
        const length = Math.min(block.length, to - block.base) - start;
        const startedMs = this.#clock.monotonicMs();
        await this.segments.writeAt(block.bytes, start, length, this.writtenTo);
        this.writtenTo = block.base + start + length;
        this.#timed(this.#clock.monotonicMs() - startedMs);
      }
      this.writtenTo = to;
    } finally {
      this.#writing = false;
    }
  }

  #timed(tookMs: number): void {
    if (tookMs > this.counters.longestWriteMs) this.counters.longestWriteMs = tookMs;
    if (tookMs > SLOW_WRITE_MS) {
      this.counters.slowWrites++;
      this.#slowWritesLeft = RECOVERED_AFTER_WRITES;
    } else if (this.#slowWritesLeft > 0) this.#slowWritesLeft--;
  }

  /**
   * Takes back what was appended at and behind `physicalOffset`, which the page cache refused. It may have taken a part:
   * what is left of that must not be there when the log has grown over its beginning, or recovery would find the rest.
   * Throws the disk's error when the bytes cannot be removed; the log then ends there all the same.
   */
  rollBackTo(physicalOffset: number): void {
    this.#tail.truncate(physicalOffset);
    this.#cache.truncate(physicalOffset);
    this.appendedTo = physicalOffset;
    this.writtenTo = Math.min(this.writtenTo, physicalOffset);
    this.#segmentEnd = this.segments.has(physicalOffset)
      ? physicalOffset - (physicalOffset % this.segments.segmentBytes) + this.segments.segmentBytes
      : physicalOffset;
    this.segments.clearBehindNow(physicalOffset);
  }

  /** True while a sync is under way. */
  get syncing(): boolean {
    return this.#syncing !== undefined;
  }

  /** True when enough is dirty that a background sync should start. */
  get isDirty(): boolean {
    return this.writtenTo - this.flushedTo >= DIRTY_BYTES_MAX;
  }

  /** Why nothing more will be durable in this process; undefined as long as every sync has succeeded. */
  get syncFailure(): Error | undefined {
    return this.#syncFailure;
  }

  /**
   * Makes everything written so far durable; one sync at a time. Rejects with the disk's error, and for ever after: the
   * kernel gives pages up that it could not write and calls them clean, so that the next sync would succeed without them.
   */
  sync(): Promise<void> {
    if (this.#syncFailure !== undefined) return Promise.reject(this.#syncFailure);
    this.#syncing ??= this.#sync();
    return this.#syncing;
  }

  async #sync(): Promise<void> {
    try {
      const to = this.writtenTo;
      if (to > this.flushedTo) {
        await this.segments.sync(this.flushedTo, to);
        this.flushedTo = Math.max(this.flushedTo, to);
      }
    } catch (error) {
      this.#syncFailure = error as Error;
      throw error;
    } finally {
      this.#syncing = undefined;
    }
  }

  // --- reading ---

  /** The tail block that holds `[physicalOffset, +size)`, or undefined. */
  tailBlock(physicalOffset: number, size: number): TailBlock | undefined {
    return this.#tail.find(physicalOffset, size);
  }

  /** Copies `size` bytes at `physicalOffset` into `target`; false when they are not there (removed, or beyond the end). */
  copy(target: Buffer, at: number, physicalOffset: number, size: number): boolean {
    const block = this.#tail.find(physicalOffset, size);
    if (block !== undefined) {
      const start = physicalOffset - block.base;
      block.bytes.copy(target, at, start, start + size);
      return true;
    }
    if (physicalOffset < this.segments.minOffset || physicalOffset + size > this.writtenTo) return false;
    return this.#cache.copy(target, at, physicalOffset, size);
  }

  /** Reads written bytes past all caches (replication, recovery); answers how many. */
  readWritten(target: Buffer, targetStart: number, length: number, physicalOffset: number): number {
    return this.segments.readNow(target, targetStart, Math.max(0, Math.min(length, this.writtenTo - physicalOffset)), physicalOffset);
  }
}
