/** What the handlers of pop consumption share: the checks of every request, and the parts that they work on. */

import type { Clock, Log, Random } from '@perigee/core/platform/ports';
import type { ConsumeType, MessageModel, SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import type { SubscriptionGroupConfig } from '@perigee/core/protocol/bodies/subscription-group';
import { PERM_READ, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { Refusal } from '@perigee/core/protocol/refusal';
import type { MessageReader } from '../../store/message-reader.ts';
import type { StoreQueue } from '../../store/store-queue.ts';
import type { ConsumerOffsetTable } from '../consumer-offset-table.ts';
import type { LiteAcks } from '../lite/lite-acks.ts';
import { LIGHT_QUEUE_PREFIX } from '../names.ts';
import type { OrderInfoTable } from './order-info-table.ts';
import type { PopFilters } from './pop-filter.ts';
import type { PollingSettings, PopPollingTable } from './pop-polling-table.ts';
import type { PopPuts } from './pop-puts.ts';
import type { PopQueueTable } from './pop-queue-table.ts';
import type { PopReader, PopReadSettings } from './pop-read.ts';
import type { PopRefusals } from './pop-refusals.ts';
import type { CopyRecord } from './pop-reply.ts';
import { popRetryTopic } from './receipt-handle.ts';
import type { TurnAcks } from './turn-acks.ts';

/** A request may be held this long, whatever the client asks. */
export const POLL_MAX_MS = 300_000;
/** A held request ends this long before its client gives up. */
export const POLL_MARGIN_MS = 50;
/** A pop that reaches the broker this long after its client gave up is refused. */
export const POP_LATE_MAX_MS = 500;

/** The configuration values that pop consumption reads, by Apache's names. Values may change while the broker runs. */
export interface PopSettings extends PopReadSettings, PollingSettings {
  readonly brokerIP1: string;
  readonly brokerClusterName: string;
  readonly brokerPermission: number;
  readonly timerWheelEnable: boolean;
  readonly timerMaxDelaySec: number;
  readonly reviveQueueNum: number;
  readonly reviveInterval: number;
  readonly reviveMaxSlow: number;
  readonly skipWhenCKRePutReachMaxTimes: boolean;
  readonly popFromRetryProbability: number;
  readonly popFromRetryProbabilityForPriority: number;
  readonly priorityOrderAsc: boolean;
  readonly enableRetryTopicV2: boolean;
  readonly retrieveMessageFromPopRetryTopicV1: boolean;
  readonly useSeparateRetryQueue: boolean;
  readonly popResponseReturnActualRetryTopic: boolean;
  readonly useMessageFilterForNotification: boolean;
  readonly maxMessageFilterNumForNotification: number;
  readonly enableNotifyAfterPopOrderLockRelease: boolean;
}

export interface PopContext {
  /** Acks of lite messages. */
  readonly lite: Pick<LiteAcks, 'ack' | 'changeInvisible'>;
  readonly platform: { readonly clock: Clock; readonly log: Log; readonly random: Random };
  readonly settings: PopSettings;
  readonly topic: (name: string) => TopicConfig | undefined;
  /** Makes the retry topic of a group, with a position at its beginning. */
  readonly makeRetryTopic: (retryTopic: string, group: string, queueNums: number) => void;
  readonly group: (name: string) => SubscriptionGroupConfig | undefined;
  /** What this broker measured when it took a group's permission to consume. */
  readonly whyDisabled: (group: string) => string | undefined;
  /** Makes a light queue that does not exist, for somebody to wait at; answers why it cannot be made. */
  readonly prepareLightQueue: (topic: string) => string | undefined;
  readonly offsets: ConsumerOffsetTable;
  readonly consumers: {
    compensate(group: string, consumeType: ConsumeType, messageModel: MessageModel, subscription?: SubscriptionData): void;
  };
  readonly queueIfExists: (topic: string, queueId: number) => StoreQueue | undefined;
  readonly storeReader: MessageReader;
  readonly copy: CopyRecord;
  readonly filters: PopFilters;
  readonly queues: PopQueueTable;
  readonly orders: OrderInfoTable;
  readonly reader: PopReader;
  readonly puts: PopPuts;
  readonly acks: TurnAcks;
  readonly pops: PopPollingTable;
  readonly notifications: PopPollingTable;
  readonly reviveQueueNums: () => number;
  /** Counts a look for messages. */
  readonly looked: (found: boolean) => void;
}

/** The retry topics of a group that are read, the one that is written first. */
export function readableRetryTopics(settings: PopSettings, topic: string, group: string): string[] {
  if (!settings.enableRetryTopicV2) return [popRetryTopic(topic, group, 1)];
  const second = popRetryTopic(topic, group, 2);
  return settings.retrieveMessageFromPopRetryTopicV1 ? [second, popRetryTopic(topic, group, 1)] : [second];
}

/** The topic that redeliveries are put into. */
export function writtenRetryTopic(settings: Pick<PopSettings, 'enableRetryTopicV2'>, topic: string, group: string): string {
  return popRetryTopic(topic, group, settings.enableRetryTopicV2 ? 2 : 1);
}

/**
 * A retry topic's settings. A crash may have lost them while its messages are there: then they are made again, or the
 * messages would wait for the next redelivery of the group to be found.
 */
export function retryTopicConfig(context: PopContext, retryTopic: string, group: string): TopicConfig | undefined {
  const known = context.topic(retryTopic);
  if (known !== undefined) return known;
  if ((context.queueIfExists(retryTopic, 0)?.rows.maxQueueOffset ?? 0) === 0) return undefined;
  context.makeRetryTopic(retryTopic, group, 1);
  return context.topic(retryTopic);
}

/** Order in which the queues of a topic are tried (since-5.4.md 4.1). */
export function queueAt(place: number, queueNums: number, spin: number, isAscending: boolean): number {
  return ((isAscending ? queueNums - 1 - place : place) + spin) % queueNums;
}

export interface AskedQueue {
  readonly topic: string;
  readonly group: string;
  /** Negative: all. */
  readonly queueId: number;
  /** `ip:port` of the client. */
  readonly consumer: string;
}

/** Topic and group of a request that reads, or why it may not (broker.md 18.2, step 6). */
export function checkReadable(
  context: PopContext,
  refusals: PopRefusals,
  asked: AskedQueue,
): { readonly topic: TopicConfig; readonly group: SubscriptionGroupConfig } | Refusal {
  const topic = context.topic(asked.topic);
  if (topic === undefined) return refusals.topicNotExist(asked.topic);
  if ((topic.perm & PERM_READ) === 0) return refusals.topicNotReadable(asked.topic);
  if (asked.queueId >= topic.readQueueNums) return refusals.queueIllegal(asked.queueId, topic, asked.consumer);
  const group = context.group(asked.group);
  if (group === undefined) return refusals.groupNotExist(asked.group);
  if (!group.consumeEnable) return refusals.groupForbidden(asked.group, context.whyDisabled(asked.group));
  return { topic, group };
}

/**
 * Why nobody may wait at a light queue, which need not exist to be asked for: a client that invents names must not fill the
 * memory with queues and positions.
 */
export function checkLightQueue(context: PopContext, refusals: PopRefusals, topic: string): Refusal | undefined {
  const problem = topic.startsWith(LIGHT_QUEUE_PREFIX) ? context.prepareLightQueue(topic) : undefined;
  return problem === undefined ? undefined : refusals.lightQueue(topic, problem);
}

/**
 * When a request was born (wall ms): what the client says, but never later than it arrives: a client whose clock is ahead
 * gives up no later than one whose clock is right.
 */
export function birthMs(nowMs: number, bornMs: number | undefined): number {
  return bornMs === undefined || bornMs <= 0 ? nowMs : Math.min(bornMs, nowMs);
}

/** How long a request may be held from now on, ms; 0 or less: it is over. */
export function pollRestMs(nowMs: number, bornMs: number, pollTimeMs: number): number {
  return Math.min(bornMs + pollTimeMs - nowMs, POLL_MAX_MS) - POLL_MARGIN_MS;
}
