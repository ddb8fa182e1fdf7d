import type { ConsumeQueue } from '../../src/store/consume-queue.ts';
import { StoreQueue } from '../../src/store/store-queue.ts';

/** A queue without rows, for those who only wait at it. */
export function storeQueue(topic: string, queueId: number): StoreQueue {
  return new StoreQueue(topic, queueId, { simple: { maxQueueOffset: 0, minQueueOffset: 0 } as ConsumeQueue });
}
