/**
 * Inner batches (store.md 3.5): a client batch to a topic with `queue.type=BatchCQ` is stored as one record, its body as
 * the client encoded it, and takes one queue offset for each message in it.
 */
import { DECODED_PROPERTIES_BUCKETS } from '@perigee/core/kit/java-map-order';
import { type PropertySet, sortProperties } from '@perigee/core/message/property-bytes';
import { SYS_FLAG_INNER_BATCH, SYS_FLAG_NEED_UNWRAP } from '@perigee/core/message/sys-flag';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { INNER_BATCH_MESSAGES_MAX, type RecordExtras } from '../../store/record-extras.ts';
import type { StoreQueue } from '../../store/store-queue.ts';
import type { MessageDraft } from '../message-put.ts';
import type { InnerBatchRefusals } from './inner-batch-refusals.ts';

/** Both bits that mark an inner batch. */
export const INNER_BATCH_FLAGS = SYS_FLAG_INNER_BATCH | SYS_FLAG_NEED_UNWRAP;

/** True when a message claims to be an inner batch. */
export function isInnerBatch(sysFlag: number): boolean {
  return (sysFlag & SYS_FLAG_INNER_BATCH) !== 0;
}

/**
 * Gives the properties of an inner batch of `messageCount` messages its place at the end of `queue` and brings them into
 * the order in which Apache stores them. Nothing may be appended to the queue before the batch is.
 */
export function placeInnerBatch(properties: PropertySet, queue: StoreQueue, messageCount: number): RecordExtras {
  properties.set('INNER_NUM', String(messageCount));
  properties.set('INNER_BASE', String(queue.nextQueueOffset));
  sortProperties(properties, DECODED_PROPERTIES_BUCKETS);
  return { messageCount, lightRows: [] };
}

/** INNER_NUM of a stored inner batch: 1 without, or with one that is no number (broker.md 6.5). */
function storedCount(properties: PropertySet): number {
  const count = Number(properties.get('INNER_NUM'));
  return Number.isInteger(count) && count >= 1 && count <= INNER_BATCH_MESSAGES_MAX ? count : 1;
}

/**
 * The check that every message passes before it is stored (broker.md 6.5, innerBatchChecker); runs before all that may
 * change its topic. An inner batch that the broker itself puts gets its place.
 */
export function innerBatchCheck(parts: {
  readonly refusals: InnerBatchRefusals;
  readonly queue: (topic: string, queueId: number) => StoreQueue;
}): (draft: MessageDraft) => Refusal | undefined {
  return (draft) => {
    const { properties, topic, queueId, sysFlag } = draft;
    if (!isInnerBatch(sysFlag)) return properties.has('INNER_NUM') ? parts.refusals.countWithoutFlag() : undefined;
    const queue = parts.queue(topic, queueId);
    if (queue.batch === undefined) return parts.refusals.topicHasNoBatches(topic);
    if (Number(properties.get('DELAY') ?? 0) > 0) return parts.refusals.delayed();
    draft.extras = placeInnerBatch(properties, queue, storedCount(properties));
    return undefined;
  };
}
