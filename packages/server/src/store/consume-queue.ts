/**
 * One queue of a topic: where its messages are in the CommitLog, in order (store.md 4; SimpleCQ). Row n of the queue is at
 * byte 20 n; {@link RowsView} has the layout of a row.
 *
 * New rows gather in a tail in memory that starts at 16 rows and grows with what arrives between two flushes, so that a
 * thousand idle queues cost little. `flushNow` writes them into the page cache, `sync` makes them durable. Nothing of the
 * tail is needed after a crash: recovery dispatches the CommitLog again.
 *
 * Behind the last row written there is always a row of zeros (unless a file ends there). Truncation leaves old rows behind
 * in the file, and without that end mark one of them could be taken for a row of the queue after the next crash.
 *
 * Three deliberate differences to Java, all in {@link ConsumeQueue.appendRow}'s rare branch: a gap is filled with blank rows
 * instead of shifting every later message to a wrong queue offset; a queue that starts again at 0 (its topic was deleted and
 * created anew, and both lives are replayed) drops the rows of its first life instead of ignoring those of the second; an
 * empty queue starts wherever its first record says, whatever files it left.
 */
import { readInt32, readInt64, writeInt32, writeInt64 } from '@perigee/core/kit/bytes';
import type { Disk, Log } from '@perigee/core/platform/ports';
import { BLANK_ROW_BYTES, CONSUME_QUEUE_UNIT_BYTES, ROWS_READ_MAX, type RowsView } from './queue-rows.ts';
import { type OpenFiles, SegmentFiles } from './segment-files.ts';

const UNIT = CONSUME_QUEUE_UNIT_BYTES;
const TWO_32 = 0x100000000;

/** Size of the tail of a queue that has just got its first row. */
const TAIL_BYTES_MIN = 16 * UNIT;
/** Rows that wait in memory before the append itself writes them: 80 KB, some 0.2 s of a queue at 20 k rows/s. */
const TAIL_BYTES_MAX = 4096 * UNIT;
/** How far the tail grows when the disk takes nothing (full): 1 M rows. Sends are refused long before. */
const TAIL_BYTES_STUCK_MAX = 256 * TAIL_BYTES_MAX;
/** Blank rows written for one gap; a larger one is a damaged record, not lost rows (Java's rule then applies). */
const GAP_ROWS_MAX = 300_000;
/** Rows read at once while scanning. */
const SCAN_ROWS = 3200;
/** Files scanned from the end after an unclean exit (store.md 4, recover). */
const RECOVERED_FILES = 3;

/** What all queues of a store share. */
export interface ConsumeQueueContext {
  readonly disk: Disk;
  readonly openFiles: OpenFiles;
  readonly log: Log;
  /** For single rows read inside a call. */
  readonly view: RowsView;
  /** Called once when a queue gets its first row after a flush. */
  readonly onDirty: (queue: ConsumeQueue) => void;
}

export interface ConsumeQueueOptions {
  readonly topic: string;
  readonly queueId: number;
  /** `{root}/consumequeue/{topic}/{queueId}`; created with the first flush. */
  readonly directory: string;
  /** `mappedFileSizeConsumeQueue`; rounded up to whole rows. */
  readonly fileBytes: number;
}

export class ConsumeQueue {
  readonly topic: string;
  readonly queueId: number;
  /** Set while rows wait for a flush; owned by the flush loop. @internal */
  isDirty = false;
  readonly #context: ConsumeQueueContext;
  readonly #files: SegmentFiles;
  #tail: Buffer | undefined = undefined;
  /** Positions below are logical bytes of the queue: row n is at 20 n. Rows [tailStart, end) are in the tail. */
  #tailStart = 0;
  #end = 0;
  /** Rows before it are in the page cache. */
  #written = 0;
  /** Rows before it are durable. */
  #synced = 0;
  /** Something was written, an end mark at least, that is not durable. */
  #needsSync = false;
  /** Smallest position whose message is still in the CommitLog; not on disk, see {@link correctMinOffset}. */
  #min = 0;
  #maxPhysicalOffset = -1;

  constructor(context: ConsumeQueueContext, options: ConsumeQueueOptions) {
    this.topic = options.topic;
    this.queueId = options.queueId;
    this.#context = context;
    const fileBytes = Math.ceil(options.fileBytes / UNIT) * UNIT;
    this.#files = new SegmentFiles(context.disk, context.openFiles, options.directory, fileBytes);
  }

  /** Queue offset of the oldest readable message. */
  get minQueueOffset(): number {
    return this.#min / UNIT;
  }

  /** Queue offset after the newest row. */
  get maxQueueOffset(): number {
    return this.#end / UNIT;
  }

  /** End of the last record that has a row here, -1 when there is none. */
  get maxPhysicalOffset(): number {
    return this.#maxPhysicalOffset;
  }

  /** Rows not yet in the page cache. */
  get unwrittenRows(): number {
    return (this.#end - this.#written) / UNIT;
  }

  /** Bytes of memory held for the tail. */
  get tailBytes(): number {
    return this.#tail?.length ?? 0;
  }

  get fileCount(): number {
    return this.#files.segmentCount;
  }

  /**
   * Adds the row of a record; false when it has one already (a record dispatched twice is no harm) or cannot have one.
   * `tagsCode` is Java's hash of the tag or a deliver time in ms, any integer within ±2^53. Nothing is written to a file
   * unless the tail is full. Throws what the disk throws when it is full and nothing can be written for long.
   */
  appendRow(queueOffset: number, physicalOffset: number, sizeBytes: number, tagsCode: number): boolean {
    if (physicalOffset + sizeBytes <= this.#maxPhysicalOffset) {
      return false;
    }
    if (queueOffset * UNIT !== this.#end && !this.#moveEndTo(queueOffset, physicalOffset)) {
      return false;
    }
    this.#push(physicalOffset, sizeBytes, Math.floor(tagsCode / TWO_32), tagsCode | 0);
    this.#maxPhysicalOffset = physicalOffset + sizeBytes;
    return true;
  }

  /**
   * Shows up to `rowsMax` rows from `queueOffset` on in `into`; answers how many. 0 outside what is stored. Rows below
   * {@link minQueueOffset} may be shown: their records are gone.
   */
  readRows(queueOffset: number, rowsMax: number, into: RowsView): number {
    const from = queueOffset * UNIT;
    const to = Math.min(this.#end, from + Math.min(rowsMax, ROWS_READ_MAX) * UNIT);
    into.unitBytes = UNIT;
    into.firstQueueOffset = queueOffset;
    into.count = 0;
    if (from < 0 || from >= to) {
      return 0;
    }
    if (from >= this.#tailStart && this.#tail !== undefined) {
      into.buffer = this.#tail;
      into.start = from - this.#tailStart;
      into.count = (to - from) / UNIT;
      return into.count;
    }
    const scratch = into.scratch(to - from);
    into.buffer = scratch;
    into.start = 0;
    const inFiles = Math.min(to, this.#tailStart) - from;
    const read = this.#files.readNow(scratch, 0, inFiles, from);
    if (read === inFiles && to > this.#tailStart && this.#tail !== undefined) {
      this.#tail.copy(scratch, inFiles, 0, to - this.#tailStart);
      into.count = (to - from) / UNIT;
    } else {
      into.count = Math.floor(read / UNIT);
    }
    return into.count;
  }

  /** Rows wait, and there is no file to write them to: {@link prepareFile} makes it without holding up the turn. */
  get needsFile(): boolean {
    return this.#end > this.#written && this.#files.segmentCount === 0;
  }

  /** Makes the first file. After a failure {@link flushNow} makes it itself, or says what is wrong. */
  prepareFile(): Promise<void> {
    return this.#files.prepareFirst(this.#written);
  }

  /** Writes the rows that are only in memory into the page cache; answers how many bytes. */
  flushNow(): number {
    const bytes = this.#end - this.#written;
    if (bytes === 0) {
      return 0;
    }
    const tail = this.#tail as Buffer;
    const at = this.#written - this.#tailStart;
    const endsFile = this.#end % this.#files.segmentBytes === 0;
    if (!endsFile) {
      tail.fill(0, at + bytes, at + bytes + UNIT);
    }
    this.#files.writeNow(tail, at, endsFile ? bytes : bytes + UNIT, this.#written);
    this.#written = this.#end;
    this.#needsSync = true;
    return bytes;
  }

  /** Makes durable what was flushed before the call. */
  async sync(): Promise<void> {
    if (!this.#needsSync) {
      return;
    }
    const from = this.#synced;
    const to = this.#written;
    this.#needsSync = false;
    try {
      await this.#files.sync(from, to + UNIT);
    } catch (error) {
      this.#needsSync = true;
      throw error;
    }
    if (this.#synced === from) {
      this.#synced = to;
    }
  }

  /** Gives the memory of the tail back when all rows are written; for queues that were idle for a flush round. */
  releaseTail(): void {
    if (this.#written === this.#end) {
      this.#dropTail();
    }
  }

  /** Finds the files; {@link recover} has to follow. Throws StoreLoadError. */
  load(): void {
    this.#files.load();
  }

  /**
   * Finds the end of the rows in the files. After a clean exit only the last file is scanned, after an unclean one the last
   * three: a page in the middle of rows may be missing there after a power failure.
   */
  recover(exitWasClean: boolean): void {
    const files = this.#files;
    let place = files.segmentCount - (exitWasClean ? 1 : RECOVERED_FILES);
    place = Math.max(0, place);
    while (place > 0 && !this.#startsWithRow(files.segmentStart(place))) {
      place--;
    }
    const start = files.segmentCount === 0 ? 0 : files.segmentStart(place);
    const scan = this.#scanForward(start);
    this.#setEnd(scan.end, scan.lastRecordEnd >= 0 ? scan.lastRecordEnd : this.#recordEndBefore(start));
    this.#min = files.minOffset;
    this.#synced = exitWasClean ? scan.end : start;
    this.#needsSync = !exitWasClean;
    if (!exitWasClean) {
      files.distrustNames();
    }
    files.truncateAfter(scan.end);
  }

  /** Drops the rows of records that start at `physicalOffset` or behind it. */
  truncateTo(physicalOffset: number): void {
    const end = this.#positionOf(physicalOffset);
    if (end === this.#end) {
      return;
    }
    this.flushNow();
    this.#setEnd(end, this.#recordEndBefore(end));
    this.#min = Math.min(this.#min, end);
    this.#files.truncateAfter(end);
    this.#writeEndMark();
  }

  /** Recomputes {@link minQueueOffset} after the CommitLog lost its oldest part (store.md 4). */
  correctMinOffset(commitLogMinOffset: number): void {
    const from = Math.max(this.#min, this.#files.segmentCount > 0 ? this.#files.minOffset : this.#tailStart);
    const row = this.#lowerBound(from / UNIT, this.#end / UNIT, (physicalOffset) => physicalOffset < commitLogMinOffset);
    this.#min = row * UNIT;
  }

  /** Removes the files, but the last, that hold no row of a record still in the CommitLog; answers how many. */
  async deleteExpired(commitLogMinOffset: number): Promise<number> {
    let removed = 0;
    while (this.#files.segmentCount > 1) {
      const lastRowEnd = this.#files.segmentStart(1);
      if (lastRowEnd > this.#end || this.#physicalOffsetAtOrBefore(lastRowEnd / UNIT - 1, 0) >= commitLogMinOffset) {
        break;
      }
      await this.#files.removeFirst();
      removed++;
    }
    this.#min = Math.max(this.#min, this.#files.minOffset);
    this.correctMinOffset(commitLogMinOffset);
    return removed;
  }

  /**
   * Queue offset around a store time (store.md 4): `lower` = first message not older, `upper` = last message not newer;
   * clamped to [min, max]. `storeTimestampAt` reads the store time of the record at a physical offset, -1 when it is gone.
   */
  queueOffsetByTime(timestampMs: number, boundary: 'lower' | 'upper', storeTimestampAt: (physicalOffset: number) => number): number {
    const first = this.minQueueOffset;
    const last = this.maxQueueOffset;
    if (boundary === 'lower') {
      return this.#lowerBound(first, last, (physicalOffset) => storeTimestampAt(physicalOffset) < timestampMs);
    }
    const next = this.#lowerBound(first, last, (physicalOffset) => storeTimestampAt(physicalOffset) <= timestampMs);
    return Math.max(first, next - 1);
  }

  /** Start of the first record at or behind a physical offset that has a row here; undefined when there is none. */
  firstRecordFrom(physicalOffset: number): number | undefined {
    const row = this.#lowerBound(this.minQueueOffset, this.maxQueueOffset, (candidate) => candidate < physicalOffset);
    const found = this.#physicalOffsetAtOrBefore(row, row);
    return found < 0 ? undefined : found;
  }

  /** Physical offset and size of the row at a queue offset; undefined when there is none or it stands for no message. */
  rowAt(queueOffset: number): { readonly physicalOffset: number; readonly sizeBytes: number; readonly tagsCode: bigint } | undefined {
    const view = this.#context.view;
    if (queueOffset < this.minQueueOffset || this.readRows(queueOffset, 1, view) === 0 || view.isBlank(0)) {
      return undefined;
    }
    return { physicalOffset: view.physicalOffset(0), sizeBytes: view.sizeBytes(0), tagsCode: view.tagsCodeBig(0) };
  }

  /** Closes the files; rows not flushed are dropped (they are in the CommitLog). */
  closeNow(): void {
    this.#files.closeNow();
  }

  /** Removes the files of the queue; the directory is the table's to remove. */
  async destroy(): Promise<void> {
    this.#setEnd(0, -1);
    this.#min = 0;
    this.#needsSync = false;
    await this.#files.destroy();
  }

  #push(physicalOffset: number, sizeBytes: number, tagsHigh: number, tagsLow: number): void {
    let at = this.#end - this.#tailStart;
    let tail = this.#tail;
    // One row of room is kept for the end mark.
    if (tail === undefined || at + 2 * UNIT > tail.length) {
      tail = this.#makeRoom();
      at = this.#end - this.#tailStart;
    }
    writeInt64(tail, at, physicalOffset);
    writeInt32(tail, at + 8, sizeBytes);
    writeInt32(tail, at + 12, tagsHigh);
    writeInt32(tail, at + 16, tagsLow);
    this.#end += UNIT;
    if (!this.isDirty) {
      this.isDirty = true;
      this.#context.onDirty(this);
    }
  }

  #makeRoom(): Buffer {
    const tail = this.#tail;
    if (tail === undefined) {
      this.#tailStart = this.#end;
      this.#tail = Buffer.allocUnsafe(TAIL_BYTES_MIN);
      return this.#tail;
    }
    if (tail.length >= TAIL_BYTES_MAX && (this.#end - this.#written) * 2 > tail.length) {
      try {
        this.flushNow();
      } catch (error) {
        if (tail.length >= TAIL_BYTES_STUCK_MAX) {
          throw error;
        }
      }
    }
    const half = Math.floor(tail.length / UNIT / 2) * UNIT;
    const unwritten = this.#end - this.#written;
    if (unwritten <= half) {
      // The newest half stays: consumers that keep up read it from memory.
      const keptFrom = this.#end - half;
      tail.copyWithin(0, keptFrom - this.#tailStart, this.#end - this.#tailStart);
      this.#tailStart = keptFrom;
      return tail;
    }
    const larger = Buffer.allocUnsafe(tail.length * 2);
    tail.copy(larger, 0, 0, this.#end - this.#tailStart);
    this.#tail = larger;
    return larger;
  }

  /** The next row does not follow the last one: makes the queue end where it belongs, or answers false (it has no place). */
  #moveEndTo(queueOffset: number, physicalOffset: number): boolean {
    const { log } = this.#context;
    const position = queueOffset * UNIT;
    if (this.#end === this.#min) {
      this.#restartAt(position);
      return true;
    }
    if (queueOffset === 0) {
      log.warn('queue starts again at 0: the rows before belong to a deleted topic', {
        topic: this.topic,
        queueId: this.queueId,
        droppedRows: (this.#end - this.#min) / UNIT,
        physicalOffset,
      });
      this.#restartAt(0);
      return true;
    }
    if (position < this.#end) {
      return false;
    }
    const missing = (position - this.#end) / UNIT;
    log.error('rows of a queue are missing before a record', {
      topic: this.topic,
      queueId: this.queueId,
      physicalOffset,
      expectedQueueOffset: this.#end / UNIT,
      foundQueueOffset: queueOffset,
      decision: missing <= GAP_ROWS_MAX ? 'the gap is filled with blank rows' : 'the row is appended at the end of the queue',
    });
    for (let row = 0; missing <= GAP_ROWS_MAX && row < missing; row++) {
      this.#push(0, BLANK_ROW_BYTES, 0, 0);
    }
    return true;
  }

  /** Forgets all rows and goes on at a position; the file before it is filled with blank rows (store.md 4, put rule 3). */
  #restartAt(position: number): void {
    this.#files.truncateAfter(-1);
    const fileStart = position - (position % this.#files.segmentBytes);
    this.#setEnd(fileStart, this.#maxPhysicalOffset);
    while (this.#end < position) {
      this.#push(0, BLANK_ROW_BYTES, 0, 0);
    }
    this.#min = position;
  }

  /** The queue ends at a position, all before it is in the page cache. */
  #setEnd(end: number, maxPhysicalOffset: number): void {
    this.#end = end;
    this.#written = end;
    this.#synced = Math.min(this.#synced, end);
    this.#maxPhysicalOffset = maxPhysicalOffset;
    this.#dropTail();
  }

  #dropTail(): void {
    this.#tail = undefined;
    this.#tailStart = this.#end;
  }

  #writeEndMark(): void {
    if (this.#files.has(this.#end)) {
      this.#files.writeNow(Buffer.alloc(UNIT), 0, UNIT, this.#end);
      this.#needsSync = true;
    }
  }

  /**
   * Position of the first row of a record at or behind a physical offset, searched from the end. Blank rows right behind an
   * earlier record stay before it: the queue offsets that they stand for were given away.
   */
  #positionOf(physicalOffset: number): number {
    const view = this.#context.view;
    const first = this.#files.segmentCount > 0 ? this.#files.minOffset : this.#tailStart;
    let end = this.#end;
    for (let from = end; from > first; ) {
      const to = from;
      from = Math.max(first, to - SCAN_ROWS * UNIT);
      const count = this.readRows(from / UNIT, (to - from) / UNIT, view);
      if (count < (to - from) / UNIT) {
        // A file is missing: what is behind the hole cannot stay.
        end = from + count * UNIT;
      }
      for (let place = count - 1; place >= 0; place--) {
        // A row that a power failure took has no size; it goes with the rows behind it.
        if (view.sizeBytes(place) <= 0 || (!view.isBlank(place) && view.physicalOffset(place) >= physicalOffset)) {
          end = from + place * UNIT;
        } else if (!view.isBlank(place)) {
          return end;
        }
      }
    }
    return end;
  }

  #startsWithRow(position: number): boolean {
    const row = this.#context.view.scratch(UNIT);
    return this.#files.readNow(row, 0, UNIT, position) === UNIT && isRow(row, 0);
  }

  /** Walks valid rows in the files from a position on. Their physical offsets grow; an old row behind a cut shows by that. */
  #scanForward(start: number): { end: number; lastRecordEnd: number } {
    let end = start;
    let lastRecordEnd = -1;
    let lastPhysicalOffset = -1;
    const chunk = this.#context.view.scratch(SCAN_ROWS * UNIT);
    for (;;) {
      const read = this.#files.readNow(chunk, 0, SCAN_ROWS * UNIT, end);
      const rows = Math.floor(read / UNIT);
      for (let at = 0; at < rows * UNIT; at += UNIT) {
        if (!isRow(chunk, at)) {
          return { end: end + at, lastRecordEnd };
        }
        const sizeBytes = readInt32(chunk, at + 8);
        if (sizeBytes !== BLANK_ROW_BYTES) {
          const physicalOffset = readInt64(chunk, at);
          if (physicalOffset <= lastPhysicalOffset) {
            return { end: end + at, lastRecordEnd };
          }
          lastPhysicalOffset = physicalOffset;
          lastRecordEnd = physicalOffset + sizeBytes;
        }
      }
      end += rows * UNIT;
      if (rows === 0) {
        return { end, lastRecordEnd };
      }
    }
  }

  /** End of the record of the last row before a position that stands for a message; -1 when there is none. */
  #recordEndBefore(position: number): number {
    const view = this.#context.view;
    for (let row = position / UNIT - 1; row >= 0 && this.readRows(row, 1, view) === 1; row--) {
      if (!view.isBlank(0)) {
        return view.physicalOffset(0) + view.sizeBytes(0);
      }
    }
    return -1;
  }

  /** Physical offset of the row, or of the nearest one before it that stands for a message, down to `floorRow`; -1 if none. */
  #physicalOffsetAtOrBefore(row: number, floorRow: number): number {
    const view = this.#context.view;
    for (let candidate = row; candidate >= floorRow && this.readRows(candidate, 1, view) === 1; candidate--) {
      if (!view.isBlank(0)) {
        return view.physicalOffset(0);
      }
    }
    return -1;
  }

  /** First row in [from, to) whose record is not before the wanted one; `to` when all are. Blank rows count as the row before. */
  #lowerBound(from: number, to: number, isBefore: (physicalOffset: number) => boolean): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const physicalOffset = this.#physicalOffsetAtOrBefore(middle, low);
      if (physicalOffset < 0 || isBefore(physicalOffset)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}

function isRow(buffer: Buffer, at: number): boolean {
  return readInt32(buffer, at) >= 0 && readInt32(buffer, at + 8) > 0;
}
