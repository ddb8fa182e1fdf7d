import { javaStringHash } from '@perigee/core/kit/java-hash';
import type { BatchConsumeQueue } from './batch-consume-queue.ts';
import type { ConsumeQueue } from './consume-queue.ts';

/** Hears of a message that became visible. */
export interface QueueArrival {
  arrived(queue: StoreQueue, queueOffset: number, tagsCode: number): void;
}

/** Several who wait at one queue. The list is replaced, never changed: a listener may leave while it is told. */
class SharedArrival implements QueueArrival {
  readonly listeners: readonly QueueArrival[];

  constructor(listeners: readonly QueueArrival[]) {
    this.listeners = listeners;
  }

  arrived(queue: StoreQueue, queueOffset: number, tagsCode: number): void {
    for (const listener of this.listeners) listener.arrived(queue, queueOffset, tagsCode);
  }
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
  /** Who waits for a message here (held pulls and pops); the store only calls it. `undefined` when nobody does. */
  arrival: QueueArrival | undefined = undefined;
  /** A part of the broker that reads everything here (delays, timer); the store only calls it. */
  follower: QueueArrival | undefined = undefined;

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
  /** Tells `listener` of every message from now on. */
  addArrival(listener: QueueArrival): void {
    const { arrival } = this;
    if (arrival === undefined) this.arrival = listener;
    else this.arrival = new SharedArrival([...(arrival instanceof SharedArrival ? arrival.listeners : [arrival]), listener]);
  }

  /** Tells `listener` nothing more. */
  removeArrival(listener: QueueArrival): void {
    const { arrival } = this;
    if (arrival === listener) this.arrival = undefined;
    if (!(arrival instanceof SharedArrival)) return;
    const left = arrival.listeners.filter((other) => other !== listener);
    this.arrival = left.length > 1 ? new SharedArrival(left) : left[0];
  }
}
