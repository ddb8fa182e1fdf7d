/** Reading messages of a queue (broker.md 9.2): which rows, then their bytes straight into the caller's output. */
import type { CommitLog } from './commit-log.ts';
import type { ConsumeQueueExt, ConsumeQueueExtUnit } from './consume-queue-ext.ts';
import { BLANK_ROW_BYTES, RowsView } from './queue-rows.ts';
import type { StoreQueue } from './store-queue.ts';

/** How a read ended; the names are what a pull answers as its remark. */
export type ReadStatus =
  | 'FOUND'
  | 'NO_MATCHED_MESSAGE'
  | 'MESSAGE_WAS_REMOVING'
  | 'OFFSET_FOUND_NULL'
  | 'OFFSET_OVERFLOW_BADLY'
  | 'OFFSET_OVERFLOW_ONE'
  | 'OFFSET_TOO_SMALL'
  | 'NO_MATCHED_LOGIC_QUEUE'
  | 'NO_MESSAGE_IN_QUEUE';

export interface ReadSettings {
  readonly maxTransferBytesOnMessageInMemory: number;
  readonly maxTransferCountOnMessageInMemory: number;
  readonly maxTransferBytesOnMessageInDisk: number;
  readonly maxTransferCountOnMessageInDisk: number;
  readonly maxFilterMessageSize: number;
}

/** Decides by the row alone whether a message may be of interest. */
export type RowFilter = (tagsHash: number, isExact: boolean) => boolean;
/** Decides by the unit that an Apache broker wrote beside a row. */
export type UnitFilter = (unit: ConsumeQueueExtUnit) => boolean;
/** Decides by the record; `bytes[start, end)` is good during the call only. */
export type RecordFilter = (bytes: Buffer, start: number, end: number) => boolean;

export interface ReadRequest {
  readonly queue: StoreQueue | undefined;
  readonly queueOffset: number;
  readonly messagesMax: number;
  readonly bytesMax: number;
  /** undefined: every row. */
  readonly rowFilter: RowFilter | undefined;
  /** undefined: every record whose row passed. */
  readonly recordFilter: RecordFilter | undefined;
  /** Asked where a row has a unit, after `rowFilter`. */
  readonly unitFilter?: UnitFilter | undefined;
}

/** Records that one read can find; more are never sent in one answer. */
const RECORDS_MAX = 1024;
/** Rows that are scanned at least before a filter gives up: 16,000 bytes of rows (`maxFilterMessageSize`). */
const ROW_BYTES = 20;

/** What a read found. Reused: use it before the next read. */
export class ReadResult {
  status: ReadStatus = 'NO_MATCHED_LOGIC_QUEUE';
  nextBeginOffset = 0;
  minOffset = 0;
  maxOffset = 0;
  /** Records found. */
  count = 0;
  /** Messages in them (inner batches count their messages). */
  messageCount = 0;
  bytes = 0;
  readonly physicalOffsets = new Float64Array(RECORDS_MAX);
  /** Queue offset of each record's (first) message. */
  readonly queueOffsets = new Float64Array(RECORDS_MAX);
  readonly sizes = new Int32Array(RECORDS_MAX);
}

export class MessageReader {
  readonly #commitLog: CommitLog;
  readonly #settings: ReadSettings;
  readonly #isInMemory: (physicalOffset: number) => boolean;
  readonly #ext: (topic: string, queueId: number) => ConsumeQueueExt | undefined;
  readonly #rows = new RowsView();
  #scratch = Buffer.alloc(0);
  readonly result = new ReadResult();

  /** `ext`: the units beside a queue, of which few have any. */
  constructor(
    commitLog: CommitLog,
    settings: ReadSettings,
    isInMemory: (physicalOffset: number) => boolean,
    ext: (topic: string, queueId: number) => ConsumeQueueExt | undefined = () => undefined,
  ) {
    this.#ext = ext;
    this.#commitLog = commitLog;
    this.#settings = settings;
    this.#isInMemory = isInMemory;
  }

  /** Finds the messages to send. Nothing is copied yet; see {@link copyTo}. */
  read(request: ReadRequest): ReadResult {
    const result = this.result;
    result.count = 0;
    result.messageCount = 0;
    result.bytes = 0;
    const { queue, queueOffset } = request;
    if (queue === undefined) return this.#end('NO_MATCHED_LOGIC_QUEUE', 0, 0, 0);
    const minOffset = queue.rows.minQueueOffset;
    const maxOffset = queue.rows.maxQueueOffset;
    if (maxOffset === 0) return this.#end('NO_MESSAGE_IN_QUEUE', 0, minOffset, maxOffset);
    if (queueOffset < minOffset) return this.#end('OFFSET_TOO_SMALL', minOffset, minOffset, maxOffset);
    if (queueOffset === maxOffset) return this.#end('OFFSET_OVERFLOW_ONE', queueOffset, minOffset, maxOffset);
    if (queueOffset > maxOffset) return this.#end('OFFSET_OVERFLOW_BADLY', maxOffset, minOffset, maxOffset);
    result.minOffset = minOffset;
    result.maxOffset = maxOffset;
    this.#scan(request, queue);
    return result;
  }

  #end(status: ReadStatus, nextBeginOffset: number, minOffset: number, maxOffset: number): ReadResult {
    const result = this.result;
    result.status = status;
    result.nextBeginOffset = nextBeginOffset;
    result.minOffset = minOffset;
    result.maxOffset = maxOffset;
    return result;
  }

  #scan(request: ReadRequest, queue: StoreQueue): void {
    const result = this.result;
    const rows = this.#rows;
    const { rowFilter, recordFilter, messagesMax } = request;
    const rowsMax = Math.max(Math.floor(this.#settings.maxFilterMessageSize / ROW_BYTES), messagesMax);
    const isFiltered = rowFilter !== undefined || recordFilter !== undefined;
    const count = queue.rows.readRows(request.queueOffset, isFiltered ? rowsMax : Math.min(rowsMax, messagesMax), rows);
    const ext = isFiltered ? this.#ext(queue.topic, queue.queueId) : undefined;
    let status: ReadStatus = 'OFFSET_FOUND_NULL';
    let next = request.queueOffset;
    for (let place = 0; place < count; place++) {
      const physicalOffset = rows.physicalOffset(place);
      const size = rows.sizeBytes(place);
      const messages = rows.messageCount(place);
      if (this.#isFull(request, physicalOffset, size, messages)) break;
      next = rows.queueOffset(place) + messages;
      if (size === BLANK_ROW_BYTES) continue;
      const passes =
        ext !== undefined && rows.isExtAddress(place)
          ? passesUnit(request, ext.unitAt(rows.extOffset(place)))
          : rowFilter === undefined || rowFilter(rows.tagsHash(place), isTagExact(rows, place, queue));
      if (!passes) {
        if (result.count === 0) status = 'NO_MATCHED_MESSAGE';
        continue;
      }
      if (physicalOffset < this.#commitLog.minOffset) {
        if (result.count === 0) status = 'MESSAGE_WAS_REMOVING';
        continue;
      }
      if (recordFilter !== undefined && !this.#passes(recordFilter, physicalOffset, size)) {
        if (result.count === 0) status = 'NO_MATCHED_MESSAGE';
        continue;
      }
      result.physicalOffsets[result.count] = physicalOffset;
      result.queueOffsets[result.count] = rows.queueOffset(place);
      result.sizes[result.count] = size;
      result.count++;
      result.messageCount += messages;
      result.bytes += size;
      status = 'FOUND';
    }
    // Only blank rows, or a hole in the files: the caller goes on behind it.
    if (next === request.queueOffset && result.count === 0) next = Math.min(result.maxOffset, next + 1);
    result.status = status;
    result.nextBeginOffset = next;
  }

  #isFull(request: ReadRequest, physicalOffset: number, size: number, messages: number): boolean {
    const result = this.result;
    if (result.count === 0) return false;
    if (result.messageCount + messages > request.messagesMax || result.count === RECORDS_MAX) return true;
    const bytes = result.bytes + size;
    if (bytes > request.bytesMax) return true;
    const settings = this.#settings;
    if (this.#isInMemory(physicalOffset))
      return bytes > settings.maxTransferBytesOnMessageInMemory || result.messageCount > settings.maxTransferCountOnMessageInMemory - 1;
    return bytes > settings.maxTransferBytesOnMessageInDisk || result.messageCount > settings.maxTransferCountOnMessageInDisk - 1;
  }

  #passes(filter: RecordFilter, physicalOffset: number, size: number): boolean {
    const block = this.#commitLog.tailBlock(physicalOffset, size);
    if (block !== undefined) {
      const start = physicalOffset - block.base;
      return filter(block.bytes, start, start + size);
    }
    if (this.#scratch.length < size) this.#scratch = Buffer.allocUnsafeSlow(Math.max(size, 65_536));
    return this.#commitLog.copy(this.#scratch, 0, physicalOffset, size) && filter(this.#scratch, 0, size);
  }

  /** Copies the records found into `target` at `at`; false when a record is gone meanwhile (`bytes` of room are needed). */
  copyTo(target: Buffer, at: number): boolean {
    const result = this.result;
    const log = this.#commitLog;
    let to = at;
    for (let i = 0; i < result.count; i++) {
      const size = result.sizes[i] as number;
      if (!log.copy(target, to, result.physicalOffsets[i] as number, size)) return false;
      to += size;
    }
    return true;
  }
}

/** A unit that is gone says nothing: the consumer looks at the tag itself. */
function passesUnit({ rowFilter, unitFilter }: ReadRequest, unit: ConsumeQueueExtUnit | undefined): boolean {
  if (unit === undefined) return true;
  if (rowFilter !== undefined && !rowFilter(unit.tagsCode | 0, true)) return false;
  return unitFilter === undefined || unitFilter(unit);
}

/**
 * Whether a row says which tag its messages have. That of an inner batch has none: the tags are with the messages in it,
 * and the consumer looks at them. (Apache compares its 0 and so hides every batch from consumers that ask for a tag.)
 */
function isTagExact(rows: RowsView, place: number, queue: StoreQueue): boolean {
  return !rows.isExtAddress(place) && (queue.batch === undefined || rows.tagsHash(place) !== 0);
}
