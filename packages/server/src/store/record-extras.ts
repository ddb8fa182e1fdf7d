/**
 * What a record brings along that is more than one message of one queue: an inner batch (store.md 3.5) counts for all its
 * messages in its queue, and a message with `INNER_MULTI_DISPATCH` gets a row in each of its light queues as well.
 */
import type { QueueArrival, StoreQueue } from './store-queue.ts';

/** A row beside that of the message's own queue. */
export interface LightRow {
  readonly queue: StoreQueue;
  /** Its place there: the queue's `nextQueueOffset` at the time of the append. */
  readonly queueOffset: number;
}

export interface RecordExtras {
  /** Messages in the record, 1 to {@link INNER_BATCH_MESSAGES_MAX}. */
  readonly messageCount: number;
  readonly lightRows: readonly LightRow[];
}

/** What the names of light queues start with. */
export const LIGHT_QUEUE_PREFIX = '%LMQ%';

/** Topics of the broker itself whose messages were, or will be, dispatched to light queues under their real topic. */
const WITHOUT_LIGHT_QUEUES: ReadonlySet<string> = new Set([
  'SCHEDULE_TOPIC_XXXX',
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
]);

/**
 * Whether messages of a topic go to light queues (since-5.4.md 3.3). Apache dispatches half messages too, so that the
 * consumers of a light queue see a transaction that is not committed; here they do not.
 */
export function mayHaveLightQueues(topic: string): boolean {
  return !topic.startsWith('%RETRY%') && !topic.startsWith('%DLQ%') && !topic.startsWith('rmq_sys_') && !WITHOUT_LIGHT_QUEUES.has(topic);
}

/** A BatchCQ row counts in a signed 16-bit number. */
export const INNER_BATCH_MESSAGES_MAX = 32_767;

/** Counts what was just appended: its own queue has counted one message already. */
export function takeOffsets(queue: StoreQueue, extras: RecordExtras): void {
  queue.nextQueueOffset += extras.messageCount - 1;
  for (const row of extras.lightRows) row.queue.nextQueueOffset = row.queueOffset + 1;
}

/** Takes back what {@link takeOffsets} counted; the disk did not take the record. */
export function giveBackOffsets(extras: RecordExtras): void {
  for (const row of extras.lightRows) row.queue.nextQueueOffset = Math.min(row.queue.nextQueueOffset, row.queueOffset);
}

/** Adds the rows of the light queues and tells who waits there. */
export function dispatchLightRows(
  extras: RecordExtras,
  record: { readonly physicalOffset: number; readonly sizeBytes: number; readonly tagsCode: number },
  arrival: QueueArrival | undefined,
): void {
  for (const { queue, queueOffset } of extras.lightRows) {
    queue.simple?.appendRow(queueOffset, record.physicalOffset, record.sizeBytes, record.tagsCode);
    queue.arrival?.arrived(queue, queueOffset, record.tagsCode);
    arrival?.arrived(queue, queueOffset, record.tagsCode);
  }
}
