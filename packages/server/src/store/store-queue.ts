import { javaStringHash } from '@perigee/core/kit/java-hash';
import type { BatchConsumeQueue } from './batch-consume-queue.ts';
import type { ConsumeQueue } from './consume-queue.ts';

/** Hears of a message that became visible. */
export interface QueueArrival {
  arrived(queue: StoreQueue, queueOffset: number, tagsCode: number): void;
}

/** A queue of a topic as the append and read paths see it. One object per queue for the life of the store. */
export class StoreQueue {
  readonly topic: string;
  readonly topicBytes: Buffer;
  readonly queueId: number;
  /** Java hash of `topic#`, on which the hash of an index key goes on. */
  readonly indexPrefixHash: number;
  /** Its rows; exactly one of the two kinds. */
  readonly simple: ConsumeQueue | undefined;
  readonly batch: BatchConsumeQueue | undefined;
  readonly rows: ConsumeQueue | BatchConsumeQueue;
  /** Next queue offset to assign. Runs ahead of `rows.maxQueueOffset` by what is not visible yet. */
  nextQueueOffset: number;
  /** Who waits for a message here (long polls); the store only calls it. `undefined` when nobody does. */
  arrival: QueueArrival | undefined = undefined;

  constructor(topic: string, queueId: number, rows: { simple: ConsumeQueue } | { batch: BatchConsumeQueue }) {
    this.topic = topic;
    this.topicBytes = Buffer.from(topic, 'utf8');
    this.queueId = queueId;
    this.indexPrefixHash = javaStringHash(`${topic}#`);
    this.simple = 'simple' in rows ? rows.simple : undefined;
    this.batch = 'batch' in rows ? rows.batch : undefined;
    this.rows = 'simple' in rows ? rows.simple : rows.batch;
    this.nextQueueOffset = this.rows.maxQueueOffset;
  }
}
