/** What the parts of lite topics share. */
import type { Platform } from '@perigee/core/platform/ports';
import type { MessageStore } from '../../store/message-store.ts';
import type { BrokerParts } from '../broker-parts.ts';
import { isLightQueue } from '../lmq/light-dispatch.ts';
import type { LiteEvents } from './lite-events.ts';
import { liteTopicOf } from './lite-name.ts';
import type { LiteOrders } from './lite-orders.ts';
import type { LiteSubscriptions } from './lite-subscriptions.ts';

/** A light queue has one queue. */
export const LITE_QUEUE_ID = 0;

export interface LiteSettings {
  readonly brokerIP1: string;
  readonly brokerName: string;
  readonly brokerPermission: number;
  readonly enableLmq: boolean;
  readonly enableMultiDispatch: boolean;
  readonly maxLmqConsumeQueueNum: number;
  readonly popPollingSize: number;
  readonly maxPopPollingSize: number;
  readonly useServerSideResetOffset: boolean;
  readonly enableLiteEventMode: boolean;
  readonly liteEventCheckInterval: number;
  readonly liteTtlCheckInterval: number;
  readonly minLiteTTl: number;
  readonly liteSubscriptionCheckInterval: number;
  readonly liteSubscriptionCheckTimeoutMills: number;
  readonly maxLiteSubscriptionCount: number;
  readonly maxClientEventCount: number;
  readonly liteEventFullDispatchDelayTime: number;
  readonly liteEventFullDispatchDelayTimeForWildcardGroup: number;
}

export interface LiteContext {
  readonly platform: Pick<Platform, 'clock' | 'log' | 'random'>;
  readonly settings: LiteSettings;
  readonly broker: Pick<BrokerParts, 'topics' | 'groups' | 'offsets' | 'stats'>;
  readonly store: Pick<MessageStore, 'queueIfExists' | 'queries' | 'reader' | 'commitLog'>;
  readonly subscriptions: LiteSubscriptions;
  readonly events: LiteEvents;
  readonly orders: LiteOrders;
}

/** Next queue offset of a light queue; 0 when it has no message. */
export function endOf({ store }: Pick<LiteContext, 'store'>, queue: string): number {
  return store.queueIfExists(queue, LITE_QUEUE_ID)?.rows.maxQueueOffset ?? 0;
}

/** Light queues of lite topics that have had messages, all or those of one parent topic. */
export function liteQueues({ store }: Pick<LiteContext, 'store'>, parentTopic?: string): string[] {
  return store.queries.topicsWithQueues().filter((topic) => {
    if (!isLightQueue(topic)) return false;
    const lite = liteTopicOf(topic);
    if (lite === undefined || (parentTopic !== undefined && lite.parentTopic !== parentTopic)) return false;
    return endOf({ store }, topic) > 0;
  });
}

/** Whether a group has messages to come in a light queue. A group without a position has all of them. */
export function hasMore({ store, broker }: Pick<LiteContext, 'store' | 'broker'>, queue: string, group: string): boolean {
  const end = endOf({ store }, queue);
  return end > 0 && broker.offsets.position(group, queue, LITE_QUEUE_ID) < end;
}
