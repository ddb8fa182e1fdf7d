/** Sends to logical queues (broker.md 25): the queue that is led here takes them, under its physical id. */
import type { LogicQueueMappingItem, TopicQueueMappingDetail } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { ledItem, ledQueues } from './queue-mapping.ts';
import { notLeaderForRequest } from './static-topic-refusals.ts';

/** Where a message to a logical queue goes. */
export interface SendPlace {
  /** Logical. */
  readonly queueId: number;
  /** Its queueId is the physical one. */
  readonly item: LogicQueueMappingItem;
}

/** The place of a send; below 0 any queue that is led here (Apache takes the first that it knows, and may not lead it). */
export function sendPlace(detail: TopicQueueMappingDetail, queueId: number, random: (bound: number) => number): SendPlace | Refusal {
  let logicalQueueId = queueId;
  if (queueId < 0) {
    const led = [...ledQueues(detail).keys()];
    logicalQueueId = led[random(Math.max(1, led.length))] ?? queueId;
  }
  const item = ledItem(detail, logicalQueueId);
  if (item === undefined) return notLeaderForRequest({ topic: detail.topic, queueId: logicalQueueId, brokerName: detail.bname });
  return { queueId: logicalQueueId, item };
}
