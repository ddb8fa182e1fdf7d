/** Questions to the store off the hot path: bounds, times, keys, single records (StoreView). */

import { readInt32 } from '@perigee/core/kit/bytes';
import { MAGIC_V1, MAGIC_V2, recordMagicAt, recordStoreTimestampAt } from '@perigee/core/message/record';
import type { Platform } from '@perigee/core/platform/ports';
import type { CommitLog } from './commit-log.ts';
import type { ConsumeQueueTable } from './consume-queue-table.ts';
import type { IndexStore } from './index-store.ts';
import { RowsView } from './queue-rows.ts';
import type { StoreQueue } from './store-queue.ts';
import type { IndexType, KeyQueryResult, StoreView, TimeBoundary } from './store-view.ts';

/** Bytes of a record up to and including STORETIMESTAMP with an IPv6 born host. */
const RECORD_HEAD_BYTES = 76;
/** A record longer than this is not one (the frame's own bound). */
const RECORD_BYTES_MAX = 16_777_216;
/** How often a query moves its end back when nothing could be read (store.md 5). */
const QUERY_ROUNDS_MAX = 3;

export interface QuerySettings {
  readonly storePathRootDir: string;
  readonly storePathCommitLog: string;
  readonly maxMsgsNumBatch: number;
}

/** The parts of a store that questions are put to. */
export interface QuerySource {
  readonly commitLog: CommitLog;
  readonly index: IndexStore;
  readonly queues: ConsumeQueueTable;
  queueIfExists(topic: string, queueId: number): StoreQueue | undefined;
  removeTopic(topic: string): Promise<void>;
  isInMemory(physicalOffset: number): boolean;
}

export class StoreQueries implements StoreView {
  readonly #platform: Platform;
  readonly #settings: QuerySettings;
  readonly #store: QuerySource;
  readonly #head = Buffer.alloc(RECORD_HEAD_BYTES);
  readonly #rows = new RowsView();

  constructor(platform: Platform, settings: QuerySettings, store: QuerySource) {
    this.#platform = platform;
    this.#settings = settings;
    this.#store = store;
  }

  minQueueOffset(topic: string, queueId: number): number {
    return this.#store.queueIfExists(topic, queueId)?.rows.minQueueOffset ?? 0;
  }

  maxQueueOffset(topic: string, queueId: number): number {
    return this.#store.queueIfExists(topic, queueId)?.rows.maxQueueOffset ?? 0;
  }

  storeTimestampAt(topic: string, queueId: number, queueOffset: number): number {
    const row = this.consumeQueueRow(topic, queueId, queueOffset);
    return row === undefined ? -1 : this.#storeTimestamp(row.physicalOffset);
  }

  earliestStoreTimestamp(topic: string, queueId: number): number {
    return this.storeTimestampAt(topic, queueId, this.minQueueOffset(topic, queueId));
  }

  earliestStoreTimestampOfLog(): number {
    const log = this.#store.commitLog;
    return log.writtenTo > log.minOffset ? this.#storeTimestamp(log.minOffset) : -1;
  }

  queueOffsetByTime(topic: string, queueId: number, timestampMs: number, boundary: TimeBoundary): number {
    const queue = this.#store.queueIfExists(topic, queueId);
    if (queue === undefined) return 0;
    if (queue.batch !== undefined) return queue.batch.queueOffsetByTime(timestampMs, boundary);
    return queue.simple!.queueOffsetByTime(timestampMs, boundary, (physicalOffset) => this.#storeTimestamp(physicalOffset));
  }

  /** Store time of the record at a physical offset, -1 when it is not there. */
  #storeTimestamp(physicalOffset: number): number {
    const head = this.#head;
    const available = Math.min(RECORD_HEAD_BYTES, this.#store.commitLog.writtenTo - physicalOffset);
    if (
      available < RECORD_HEAD_BYTES ||
      !this.#store.commitLog.copy(head, 0, physicalOffset, RECORD_HEAD_BYTES) ||
      !isRecordMagic(recordMagicAt(head, 0))
    )
      return -1;
    return recordStoreTimestampAt(head, 0);
  }

  recordAt(physicalOffset: number): Buffer | undefined {
    const log = this.#store.commitLog;
    if (!Number.isSafeInteger(physicalOffset) || physicalOffset < log.minOffset || !log.copy(this.#head, 0, physicalOffset, 8))
      return undefined;
    const size = readInt32(this.#head, 0);
    if (!isRecordMagic(recordMagicAt(this.#head, 0)) || size <= 0 || size > RECORD_BYTES_MAX) return undefined;
    const record = Buffer.allocUnsafe(size);
    return log.copy(record, 0, physicalOffset, size) ? record : undefined;
  }

  queryByKey(query: {
    readonly topic: string;
    readonly key: string;
    readonly indexType: IndexType;
    readonly messagesMax: number;
    readonly beginTimestampMs: number;
    readonly endTimestampMs: number;
  }): KeyQueryResult {
    const { index } = this.#store;
    const records: Buffer[] = [];
    let endTimestampMs = query.endTimestampMs;
    for (let round = 0; round < QUERY_ROUNDS_MAX && records.length === 0; round++) {
      const found = index.query({
        topic: query.topic,
        key: query.key,
        indexType: query.indexType,
        matchesMax: Math.min(query.messagesMax, this.#settings.maxMsgsNumBatch),
        beginTimestampMs: query.beginTimestampMs,
        endTimestampMs,
      });
      if (found.length === 0) break;
      for (const physicalOffset of found.sort((left, right) => left - right)) {
        const record = this.recordAt(physicalOffset);
        if (record === undefined) endTimestampMs = Math.min(endTimestampMs, endTimestampMs - 1);
        else records.push(record);
      }
    }
    return { records, indexLastUpdateTimestamp: index.lastUpdateTimestamp, indexLastUpdatePhysicalOffset: index.lastUpdatePhysicalOffset };
  }

  consumeQueueRow(
    topic: string,
    queueId: number,
    queueOffset: number,
  ): { readonly physicalOffset: number; readonly sizeBytes: number; readonly tagsCode: bigint } | undefined {
    const queue = this.#store.queueIfExists(topic, queueId);
    if (queue === undefined) return undefined;
    const rows = this.#rows;
    if (queueOffset < queue.rows.minQueueOffset || queue.rows.readRows(queueOffset, 1, rows) === 0 || rows.isBlank(0)) return undefined;
    const unit = rows.isExtAddress(0) ? this.#store.queues.ext(topic, queueId)?.unitAt(rows.extOffset(0)) : undefined;
    const tagsCode = unit === undefined ? rows.tagsCodeBig(0) : BigInt(unit.tagsCode);
    return { physicalOffset: rows.physicalOffset(0), sizeBytes: rows.sizeBytes(0), tagsCode };
  }

  queuesOf(topic: string): number[] {
    return this.#store.queues.queueIds(topic);
  }

  topicsWithQueues(): string[] {
    return this.#store.queues.topics();
  }

  removeTopic(topic: string): Promise<void> {
    return this.#store.removeTopic(topic);
  }

  get minPhysicalOffset(): number {
    return this.#store.commitLog.minOffset;
  }

  get maxPhysicalOffset(): number {
    return this.#store.commitLog.writtenTo;
  }

  isInMemory(physicalOffset: number): boolean {
    return this.#store.isInMemory(physicalOffset);
  }

  diskUse(): { readonly commitLog: number; readonly consumeQueue: number; readonly totalBytes: number; readonly usableBytes: number } {
    const { disk } = this.#platform;
    const paths = (this.#settings.storePathCommitLog || `${this.#settings.storePathRootDir}/commitlog`).split(',');
    const spaces = paths.map((path) => disk.spaceNow(path));
    const used = (space: { totalBytes: number; usableBytes: number }): number =>
      space.totalBytes === 0 ? 0 : 1 - space.usableBytes / space.totalBytes;
    const root = disk.spaceNow(this.#settings.storePathRootDir);
    return {
      commitLog: Math.min(...spaces.map(used)),
      consumeQueue: used(root),
      totalBytes: spaces.reduce((sum, space) => sum + space.totalBytes, 0),
      usableBytes: spaces.reduce((sum, space) => sum + space.usableBytes, 0),
    };
  }
}

function isRecordMagic(magic: number): boolean {
  return magic === MAGIC_V1 || magic === MAGIC_V2;
}
