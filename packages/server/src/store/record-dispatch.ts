/**
 * From a record of the CommitLog to its ConsumeQueue row and its index entries (store.md 4, 5, 8), for recovery. The append
 * path knows all this without reading the record; both must come to the same result.
 */
import { javaStringHash, javaStringHashOfUtf8 } from '@perigee/core/kit/java-hash';
import { PropertyScanner } from '@perigee/core/message/properties';
import {
  recordPhysicalOffsetAt,
  recordPropertiesEnd,
  recordPropertiesStart,
  recordQueueIdAt,
  recordQueueOffsetAt,
  recordSizeAt,
  recordStoreTimestampAt,
  recordSysFlagAt,
  recordTopicEnd,
  recordTopicStart,
} from '@perigee/core/message/record';
import {
  SYS_FLAG_INNER_BATCH,
  TRANSACTION_COMMIT,
  TRANSACTION_NOT,
  TRANSACTION_ROLLBACK,
  transactionTypeOf,
} from '@perigee/core/message/sys-flag';
import type { ConsumeQueueTable } from './consume-queue-table.ts';
import type { IndexStore } from './index-store.ts';
import { LIGHT_QUEUE_PREFIX, mayHaveLightQueues } from './record-extras.ts';

const SCHEDULE_TOPIC = 'SCHEDULE_TOPIC_XXXX';
/** Delay of a level that the configuration does not have. */
const UNKNOWN_LEVEL_DELAY_MS = 1000;
/** Topics whose hash is remembered; they are forgotten all at once beyond. */
const REMEMBERED_TOPICS_MAX = 10_000;

const NAMES = ['TAGS', 'DELAY', 'INNER_NUM', 'INNER_BASE', 'INNER_MULTI_DISPATCH', 'INNER_MULTI_QUEUE_OFFSET'];
const TAGS = 0;
const DELAY = 1;
const INNER_NUM = 2;
const INNER_BASE = 3;
const MULTI_DISPATCH = 4;
const MULTI_QUEUE_OFFSET = 5;

export interface RecordDispatchParts {
  readonly queues: ConsumeQueueTable;
  /** undefined: `messageIndexEnable` is off. */
  readonly index: IndexStore | undefined;
  /** Delay (ms) of each level from 1 on (`messageDelayLevel`). */
  readonly delayLevelsMs: readonly number[];
  /** Topics with `queue.type=BatchCQ`; those that have such queues already need not be named. */
  readonly isBatchTopic?: (topic: string) => boolean;
  /** `enableLmq` and `enableMultiDispatch`. */
  readonly multiDispatch?: boolean;
}

/** What is wanted from a record: rows, index entries or both. */
export interface DispatchTargets {
  readonly rows: boolean;
  readonly index: boolean;
}

export class RecordDispatch {
  readonly #parts: RecordDispatchParts;
  readonly #scanner = new PropertyScanner(NAMES);
  readonly #prefixHashes = new Map<string, number>();

  constructor(parts: RecordDispatchParts) {
    this.#parts = parts;
  }

  /** Dispatches the checked record at `bytes[at]`. Records dispatched before are ignored by queues and index. */
  dispatch(bytes: Buffer, at: number, targets: DispatchTargets): void {
    const topic = bytes.toString('utf8', recordTopicStart(bytes, at), recordTopicEnd(bytes, at));
    const type = transactionTypeOf(recordSysFlagAt(bytes, at));
    if (targets.rows && (type === TRANSACTION_NOT || type === TRANSACTION_COMMIT)) {
      this.#putRow(topic, bytes, at);
    }
    if (targets.index && this.#parts.index !== undefined && type !== TRANSACTION_ROLLBACK) {
      this.#parts.index.put(
        this.#prefixHashOf(topic),
        bytes,
        recordPropertiesStart(bytes, at),
        recordPropertiesEnd(bytes, at),
        recordPhysicalOffsetAt(bytes, at),
        recordStoreTimestampAt(bytes, at),
      );
    }
  }

  #putRow(topic: string, bytes: Buffer, at: number): void {
    const { queues } = this.#parts;
    const scanner = this.#scanner;
    scanner.scan(bytes, recordPropertiesStart(bytes, at), recordPropertiesEnd(bytes, at));
    const queueId = recordQueueIdAt(bytes, at);
    const queueOffset = recordQueueOffsetAt(bytes, at);
    const physicalOffset = recordPhysicalOffsetAt(bytes, at);
    const sizeBytes = recordSizeAt(bytes, at);
    const tagsCode = this.#tagsCode(topic, bytes, at);
    const isInnerBatch = (recordSysFlagAt(bytes, at) & SYS_FLAG_INNER_BATCH) !== 0;
    if (isInnerBatch || queues.isBatchTopic(topic) || this.#parts.isBatchTopic?.(topic) === true) {
      queues.getOrCreateBatch(topic, queueId).appendRow({
        baseQueueOffset: this.#number(bytes, INNER_BASE, queueOffset),
        messageCount: this.#number(bytes, INNER_NUM, 1),
        physicalOffset,
        sizeBytes,
        tagsCode,
        storeTimestampMs: recordStoreTimestampAt(bytes, at),
      });
      return;
    }
    queues.getOrCreate(topic, queueId).appendRow(queueOffset, physicalOffset, sizeBytes, tagsCode);
    if (this.#parts.multiDispatch === true && scanner.start(MULTI_DISPATCH) >= 0 && mayHaveLightQueues(topic)) {
      this.#putLightRows(bytes, physicalOffset, sizeBytes, tagsCode);
    }
  }

  /** Rows of light queues (store.md 3.5, LMQ): a list of names and one of offsets, which must be as long. */
  #putLightRows(bytes: Buffer, physicalOffset: number, sizeBytes: number, tagsCode: number): void {
    const names = this.#text(bytes, MULTI_DISPATCH).split(',');
    const offsets = this.#text(bytes, MULTI_QUEUE_OFFSET).split(',');
    if (names.length !== offsets.length) {
      return;
    }
    for (const [place, name] of names.entries()) {
      const offset = offsets[place] ?? '';
      if (name.startsWith(LIGHT_QUEUE_PREFIX) && !name.includes('/') && /^\d+$/.test(offset)) {
        this.#parts.queues.getOrCreate(name, 0).appendRow(Number(offset), physicalOffset, sizeBytes, tagsCode);
      }
    }
  }

  #tagsCode(topic: string, bytes: Buffer, at: number): number {
    const scanner = this.#scanner;
    if (topic === SCHEDULE_TOPIC && scanner.start(DELAY) >= 0) {
      const levels = this.#parts.delayLevelsMs;
      const level = Math.min(this.#number(bytes, DELAY, 0), levels.length);
      if (level > 0) {
        return recordStoreTimestampAt(bytes, at) + (levels[level - 1] ?? UNKNOWN_LEVEL_DELAY_MS);
      }
    }
    return scanner.start(TAGS) < 0 ? 0 : javaStringHashOfUtf8(bytes, scanner.start(TAGS), scanner.end(TAGS));
  }

  #text(bytes: Buffer, name: number): string {
    const start = this.#scanner.start(name);
    return start < 0 ? '' : bytes.toString('utf8', start, this.#scanner.end(name));
  }

  #number(bytes: Buffer, name: number, missing: number): number {
    const value = Number(this.#text(bytes, name) || Number.NaN);
    return Number.isSafeInteger(value) ? value : missing;
  }

  #prefixHashOf(topic: string): number {
    let hash = this.#prefixHashes.get(topic);
    if (hash === undefined) {
      if (this.#prefixHashes.size >= REMEMBERED_TOPICS_MAX) {
        this.#prefixHashes.clear();
      }
      hash = javaStringHash(`${topic}#`);
      this.#prefixHashes.set(topic, hash);
    }
    return hash;
  }
}
