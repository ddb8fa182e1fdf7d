/**
 * One queue of a topic with `queue.type=BatchCQ` (store.md 4.2): a row stands for a whole inner batch. Files are below
 * `batchconsumequeue/`, names are byte positions, the first row is always at 0. {@link RowsView} has the layout.
 *
 * Such topics are rare and a row stands for many messages, so rows are written straight into the page cache. Only those
 * that the disk does not take (full) wait in memory; the next append, or the next sync, tries them again.
 */
import { readInt16, readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from '@perigee/core/kit/bytes';
import type { ConsumeQueueContext, ConsumeQueueOptions } from './consume-queue.ts';
import { BATCH_CONSUME_QUEUE_UNIT_BYTES, ROWS_READ_MAX, type RowsView } from './queue-rows.ts';
import { SegmentFiles } from './segment-files.ts';

const UNIT = BATCH_CONSUME_QUEUE_UNIT_BYTES;
const SCAN_ROWS = 1600;
const NOT_COMPACTED = -1;
/** Rows that may wait for the disk; sends are refused long before. */
const UNWRITTEN_ROWS_MAX = 65_536;

export interface BatchRow {
  /** Queue offset of the first message (INNER_BASE, else the record's queue offset). */
  readonly baseQueueOffset: number;
  /** Messages in the record (INNER_NUM, else 1). */
  readonly messageCount: number;
  readonly physicalOffset: number;
  readonly sizeBytes: number;
  readonly tagsCode: number;
  readonly storeTimestampMs: number;
}

export class BatchConsumeQueue {
  readonly topic: string;
  readonly queueId: number;
  readonly #files: SegmentFiles;
  readonly #view: RowsView;
  /** Rows, counted from position 0 of the queue's bytes. */
  #firstRow = 0;
  #endRow = 0;
  /** Rows from here on are in `#unwritten` alone. */
  #writtenRow = 0;
  #unwritten = Buffer.alloc(0);
  /** Physical offset at which the newest row's record starts, -1 when there is none. */
  #lastPhysicalOffset = -1;
  #maxPhysicalOffset = -1;
  #minQueueOffset = 0;
  /** Queue offset of the newest row's first message. */
  #lastBase = 0;
  #maxQueueOffset = 0;
  #syncedBytes = 0;
  #needsSync = false;

  constructor(context: ConsumeQueueContext, options: ConsumeQueueOptions) {
    this.topic = options.topic;
    this.queueId = options.queueId;
    this.#view = context.view;
    const fileBytes = Math.ceil(options.fileBytes / UNIT) * UNIT;
    this.#files = new SegmentFiles(context.disk, context.openFiles, options.directory, fileBytes);
  }

  get minQueueOffset(): number {
    return this.#minQueueOffset;
  }

  /** Queue offset after the last message of the newest row. */
  get maxQueueOffset(): number {
    return this.#maxQueueOffset;
  }

  /** End of the last record that has a row here, -1 when there is none. */
  get maxPhysicalOffset(): number {
    return this.#maxPhysicalOffset;
  }

  get rowCount(): number {
    return this.#endRow - this.#firstRow;
  }

  /**
   * Adds a row, in the page cache on return unless the disk refuses it; false when the record has one already. Throws what
   * the disk throws when nothing could be written for very long.
   */
  appendRow(row: BatchRow): boolean {
    if (row.physicalOffset <= this.#lastPhysicalOffset) {
      return false;
    }
    const bytes = Buffer.alloc(UNIT);
    writeInt64(bytes, 0, row.physicalOffset);
    writeInt32(bytes, 8, row.sizeBytes);
    writeInt64(bytes, 12, row.tagsCode);
    writeInt64(bytes, 20, row.storeTimestampMs);
    writeInt64(bytes, 28, row.baseQueueOffset);
    writeInt16(bytes, 36, row.messageCount);
    writeInt32(bytes, 38, NOT_COMPACTED);
    this.#unwritten = this.#unwritten.length === 0 ? bytes : Buffer.concat([this.#unwritten, bytes]);
    if (this.#endRow === this.#firstRow) {
      this.#minQueueOffset = row.baseQueueOffset;
    }
    this.#endRow++;
    this.#lastPhysicalOffset = row.physicalOffset;
    this.#maxPhysicalOffset = row.physicalOffset + row.sizeBytes;
    this.#lastBase = row.baseQueueOffset;
    this.#maxQueueOffset = row.baseQueueOffset + row.messageCount;
    try {
      this.flushNow();
    } catch (error) {
      if (this.#endRow - this.#writtenRow > UNWRITTEN_ROWS_MAX) {
        throw error;
      }
    }
    return true;
  }

  /** Shows up to `rowsMax` rows from the one that holds `queueOffset` on (or the next behind it); answers how many. */
  readRows(queueOffset: number, rowsMax: number, into: RowsView): number {
    into.unitBytes = UNIT;
    into.count = 0;
    if (queueOffset < 0 || queueOffset >= this.#maxQueueOffset) {
      return 0;
    }
    // Consumers that keep up ask for the newest row.
    const row =
      queueOffset >= this.#lastBase
        ? this.#endRow - 1
        : this.#firstRowWhere(this.#firstRow, (view) => view.queueOffset(0) + view.messageCount(0) > queueOffset);
    return this.#read(row, Math.min(rowsMax, ROWS_READ_MAX), into);
  }

  /** Start of the first record at or behind a physical offset that has a row here; undefined when there is none. */
  firstRecordFrom(physicalOffset: number): number | undefined {
    const row = this.#firstRowWhere(this.#firstRow, (view) => view.physicalOffset(0) >= physicalOffset);
    return this.#read(row, 1, this.#view) === 1 ? this.#view.physicalOffset(0) : undefined;
  }

  /** The row that holds a queue offset; undefined when there is none. */
  rowAt(queueOffset: number): { readonly physicalOffset: number; readonly sizeBytes: number; readonly tagsCode: bigint } | undefined {
    const view = this.#view;
    if (queueOffset < this.#minQueueOffset || this.readRows(queueOffset, 1, view) === 0 || view.queueOffset(0) > queueOffset) {
      return undefined;
    }
    return { physicalOffset: view.physicalOffset(0), sizeBytes: view.sizeBytes(0), tagsCode: view.tagsCodeBig(0) };
  }

  /** Finds the files; {@link recover} has to follow. Throws StoreLoadError. */
  load(): void {
    this.#files.load();
  }

  /** Finds the end of the rows in the files. */
  recover(exitWasClean: boolean): void {
    const files = this.#files;
    this.#firstRow = Math.ceil(files.minOffset / UNIT);
    let end = this.#firstRow;
    let last = -1;
    const chunk = this.#view.scratch(SCAN_ROWS * UNIT);
    scan: for (;;) {
      const rows = Math.floor(files.readNow(chunk, 0, SCAN_ROWS * UNIT, end * UNIT) / UNIT);
      for (let place = 0; place < rows; place++) {
        const at = place * UNIT;
        if (!isBatchRow(chunk, at) || readInt64(chunk, at) <= last) {
          end += place;
          break scan;
        }
        last = readInt64(chunk, at);
      }
      end += rows;
      if (rows === 0) {
        break;
      }
    }
    this.#setEnd(end);
    this.#syncedBytes = exitWasClean ? end * UNIT : 0;
    this.#needsSync = !exitWasClean;
    if (!exitWasClean) {
      files.distrustNames();
    }
    files.truncateAfter(end * UNIT);
  }

  /** Drops the rows of records that start at `physicalOffset` or behind it. */
  truncateTo(physicalOffset: number): void {
    const end = this.#firstRowWhere(this.#firstRow, (view) => view.physicalOffset(0) >= physicalOffset);
    if (end === this.#endRow) {
      return;
    }
    this.flushNow();
    this.#setEnd(end);
    this.#files.truncateAfter(end * UNIT);
    if (this.#files.has(end * UNIT)) {
      this.#files.writeNow(Buffer.alloc(UNIT), 0, UNIT, end * UNIT);
    }
    this.#syncedBytes = Math.min(this.#syncedBytes, end * UNIT);
    this.#needsSync = true;
  }

  /** Recomputes {@link minQueueOffset} after the CommitLog lost its oldest part. */
  correctMinOffset(commitLogMinOffset: number): void {
    this.#firstRow = Math.max(this.#firstRow, Math.ceil(this.#files.minOffset / UNIT));
    const row = this.#firstRowWhere(this.#firstRow, (view) => view.physicalOffset(0) >= commitLogMinOffset);
    this.#minQueueOffset = this.#read(row, 1, this.#view) === 1 ? this.#view.queueOffset(0) : this.#maxQueueOffset;
  }

  /** Removes the files, but the last, that hold no row of a record still in the CommitLog; answers how many. */
  async deleteExpired(commitLogMinOffset: number): Promise<number> {
    let removed = 0;
    while (this.#files.segmentCount > 1) {
      const nextFileRow = this.#files.segmentStart(1) / UNIT;
      if (nextFileRow > this.#endRow || this.#read(nextFileRow - 1, 1, this.#view) === 0) {
        break;
      }
      if (this.#view.physicalOffset(0) >= commitLogMinOffset) {
        break;
      }
      await this.#files.removeFirst();
      removed++;
    }
    this.correctMinOffset(commitLogMinOffset);
    return removed;
  }

  /** As ConsumeQueue.queueOffsetByTime; the times are in the rows, and every message of a batch has that of its record. */
  queueOffsetByTime(timestampMs: number, boundary: 'lower' | 'upper'): number {
    if (boundary === 'lower') {
      const row = this.#firstRowWhere(this.#firstRow, (view) => view.storeTimestamp(0) >= timestampMs);
      return Math.max(this.#minQueueOffset, this.#baseOf(row));
    }
    const next = this.#firstRowWhere(this.#firstRow, (view) => view.storeTimestamp(0) > timestampMs);
    return Math.max(this.#minQueueOffset, next > this.#firstRow ? this.#baseOf(next - 1) : 0);
  }

  /** Writes the rows that the disk refused before; answers how many bytes. Throws what the disk throws. */
  flushNow(): number {
    const unwritten = this.#unwritten;
    // One file at a time: the rows, then a row of zeros as end mark (see ConsumeQueue) unless they end the file.
    for (let at = 0; at < unwritten.length; ) {
      const position = this.#writtenRow * UNIT;
      const room = this.#files.segmentBytes - (position % this.#files.segmentBytes);
      const bytes = Math.min(room, unwritten.length - at);
      const marked =
        bytes === room ? unwritten.subarray(at, at + bytes) : Buffer.concat([unwritten.subarray(at, at + bytes), Buffer.alloc(UNIT)]);
      this.#files.writeNow(marked, 0, marked.length, position);
      at += bytes;
      this.#writtenRow += bytes / UNIT;
      this.#unwritten = unwritten.subarray(at);
      this.#needsSync = true;
    }
    return unwritten.length;
  }

  /** Makes durable what was appended before the call. */
  async sync(): Promise<void> {
    this.flushNow();
    if (!this.#needsSync) {
      return;
    }
    const from = this.#syncedBytes;
    const to = this.#writtenRow * UNIT;
    this.#needsSync = false;
    try {
      await this.#files.sync(from, to + UNIT);
    } catch (error) {
      this.#needsSync = true;
      throw error;
    }
    if (this.#syncedBytes === from) {
      this.#syncedBytes = to;
    }
  }

  closeNow(): void {
    this.#files.closeNow();
  }

  async destroy(): Promise<void> {
    await this.#files.destroy();
    this.#firstRow = 0;
    this.#setEnd(0);
  }

  #setEnd(endRow: number): void {
    this.#endRow = endRow;
    this.#writtenRow = endRow;
    this.#unwritten = Buffer.alloc(0);
    if (endRow > this.#firstRow && this.#read(endRow - 1, 1, this.#view) === 1) {
      this.#lastPhysicalOffset = this.#view.physicalOffset(0);
      this.#maxPhysicalOffset = this.#lastPhysicalOffset + this.#view.sizeBytes(0);
      this.#lastBase = this.#view.queueOffset(0);
      this.#maxQueueOffset = this.#lastBase + this.#view.messageCount(0);
      this.#minQueueOffset = Math.min(this.#baseOf(this.#firstRow), this.#maxQueueOffset);
      return;
    }
    this.#lastPhysicalOffset = -1;
    this.#maxPhysicalOffset = -1;
    this.#lastBase = 0;
    this.#maxQueueOffset = 0;
    this.#minQueueOffset = 0;
  }

  #baseOf(row: number): number {
    return this.#read(row, 1, this.#view) === 1 ? this.#view.queueOffset(0) : this.#maxQueueOffset;
  }

  #read(row: number, rowsMax: number, into: RowsView): number {
    const rows = Math.min(rowsMax, this.#endRow - row);
    into.unitBytes = UNIT;
    into.count = 0;
    if (row < this.#firstRow || rows <= 0) {
      return 0;
    }
    into.buffer = into.scratch(rows * UNIT);
    into.start = 0;
    const inFiles = Math.min(rows, Math.max(0, this.#writtenRow - row)) * UNIT;
    const read = inFiles === 0 ? 0 : this.#files.readNow(into.buffer, 0, inFiles, row * UNIT);
    const unwrittenAt = Math.max(0, row - this.#writtenRow) * UNIT;
    const copied = read < inFiles ? 0 : this.#unwritten.copy(into.buffer, read, unwrittenAt, unwrittenAt + rows * UNIT - read);
    into.count = Math.floor((read + copied) / UNIT);
    return into.count;
  }

  /** First row from `from` on for which the test holds, in a sequence where it holds for all that follow. */
  #firstRowWhere(from: number, test: (view: RowsView) => boolean): number {
    let low = from;
    let high = this.#endRow;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      if (this.#read(middle, 1, this.#view) === 1 && test(this.#view)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
}

function isBatchRow(buffer: Buffer, at: number): boolean {
  return readInt32(buffer, at) >= 0 && readInt32(buffer, at + 8) > 0 && readInt32(buffer, at + 28) >= 0 && readInt16(buffer, at + 36) > 0;
}
