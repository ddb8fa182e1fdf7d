/** Bodies of lite topics (remoting.md 7.10; since-5.4.md 6.2, 6.6). */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';

export const LITE_ACTIONS = ['PARTIAL_ADD', 'PARTIAL_REMOVE', 'COMPLETE_ADD', 'COMPLETE_REMOVE'] as const;
export type LiteAction = (typeof LITE_ACTIONS)[number];

export const LITE_OFFSET_TYPES = ['POLICY', 'OFFSET', 'TAIL_N', 'TIMESTAMP'] as const;
/** Where a group starts in a lite topic that is added. POLICY: 0 where it was, 1 first message, 2 newest. */
export interface LiteOffsetOption {
  readonly type: (typeof LITE_OFFSET_TYPES)[number];
  readonly value: number;
}

export interface LiteSubscriptionChange {
  readonly action: LiteAction;
  readonly clientId: string;
  readonly group: string;
  /** Parent topic. */
  readonly topic: string;
  readonly liteTopics: readonly string[];
  readonly offsetOption: LiteOffsetOption | undefined;
  readonly version: number;
}

/** Subscriptions changed in one request. */
const CHANGES_MAX = 10_000;

function oneOf<T extends string>(at: JsonShape, values: readonly T[]): T {
  const text = at.string();
  return values.find((value) => value === text) ?? at.fail(`is ${text}, expected one of ${values.join(', ')}`);
}

function readOption(at: JsonShape): LiteOffsetOption | undefined {
  if (at.absent) return undefined;
  return { type: oneOf(at.field('type'), LITE_OFFSET_TYPES), value: at.field('value').longOr(0) };
}

/** Reads the body of 200071. Throws BodyError. */
export function decodeLiteSubscriptionCtl(body: Buffer): LiteSubscriptionChange[] {
  const changes: LiteSubscriptionChange[] = [];
  const root = JsonShape.parse(body, 'LiteSubscriptionCtlRequestBody');
  for (const at of root.field('subscriptionSet').items()) {
    if (changes.length >= CHANGES_MAX) at.fail(`is one of more than ${CHANGES_MAX}`);
    changes.push({
      action: oneOf(at.field('action'), LITE_ACTIONS),
      clientId: at.field('clientId').stringOr(''),
      group: at.field('group').stringOr(''),
      topic: at.field('topic').stringOr(''),
      liteTopics: at.field('liteTopicSet').strings(),
      offsetOption: readOption(at.field('offsetOption')),
      version: at.field('version').longOr(0),
    });
  }
  return changes;
}

export interface LiteSubscriber {
  readonly clientId: string;
  readonly group: string;
}

export interface BrokerLiteInfo {
  readonly maxLmqNum: number;
  readonly currentLmqNum: number;
  readonly liteSubscriptionCount: number;
  readonly orderInfoCount: number;
  readonly cqTableSize: number;
  readonly offsetTableSize: number;
  readonly eventMapSize: number;
  /** Parent topic → minutes after which its lite topics expire. */
  readonly topicMeta: ReadonlyMap<string, number>;
  /** Parent topic → lite groups. */
  readonly groupMeta: ReadonlyMap<string, readonly string[]>;
}

function json(value: { readonly [key: string]: JavaJsonInput | undefined }): Buffer {
  return Buffer.from(stringifyJavaJson(value, 'plain'));
}

/** Keys in the order in which Apache writes them: alphabetical. */
export function encodeBrokerLiteInfo(info: BrokerLiteInfo): Buffer {
  return json({
    cqTableSize: info.cqTableSize,
    currentLmqNum: info.currentLmqNum,
    eventMapSize: info.eventMapSize,
    groupMeta: info.groupMeta,
    liteSubscriptionCount: info.liteSubscriptionCount,
    maxLmqNum: info.maxLmqNum,
    offsetTableSize: info.offsetTableSize,
    orderInfoCount: info.orderInfoCount,
    storeType: 'default',
    topicMeta: info.topicMeta,
  });
}

export function encodeParentTopicInfo(info: {
  readonly topic: string;
  readonly ttlMinutes: number;
  readonly groups: readonly string[];
  readonly liteTopicCount: number;
  readonly lmqNum: number;
}): Buffer {
  return json({
    groups: info.groups.length === 0 ? undefined : info.groups,
    liteTopicCount: info.liteTopicCount,
    lmqNum: info.lmqNum,
    topic: info.topic,
    ttl: info.ttlMinutes,
  });
}

export function encodeLiteTopicInfo(info: {
  readonly parentTopic: string;
  readonly liteTopic: string;
  readonly shardingToBroker: boolean;
  readonly subscribers: readonly LiteSubscriber[];
  readonly minOffset: number;
  readonly maxOffset: number;
  readonly lastUpdateTimestamp: number;
}): Buffer {
  return json({
    liteTopic: info.liteTopic,
    parentTopic: info.parentTopic,
    shardingToBroker: info.shardingToBroker,
    subscriber: info.subscribers.map(({ clientId, group }) => ({ clientId, group })),
    topicOffset: { lastUpdateTimestamp: info.lastUpdateTimestamp, maxOffset: info.maxOffset, minOffset: info.minOffset },
  });
}

export function encodeLiteClientInfo(info: {
  readonly parentTopic: string;
  readonly group: string;
  readonly clientId: string;
  readonly lastAccessTime: number;
  /** Names of light queues. */
  readonly liteTopicSet: readonly string[];
  /** -1: the client is not known. */
  readonly liteTopicCount: number;
}): Buffer {
  return json({
    clientId: info.clientId,
    group: info.group,
    lastAccessTime: info.lastAccessTime,
    lastConsumeTime: 0,
    liteTopicCount: info.liteTopicCount,
    liteTopicSet: info.liteTopicCount < 0 ? undefined : info.liteTopicSet,
    parentTopic: info.parentTopic,
  });
}

/** How far a group is behind in one lite topic. */
export interface LiteLag {
  readonly liteTopic: string;
  readonly lagCount: number;
  /** Store time (ms) of the first message not consumed, -1 for none. */
  readonly earliestUnconsumedTimestamp: number;
}

function lagValue(lag: LiteLag): { readonly [key: string]: JavaJsonInput } {
  return { earliestUnconsumedTimestamp: lag.earliestUnconsumedTimestamp, lagCount: lag.lagCount, liteTopic: lag.liteTopic };
}

export function encodeLiteGroupInfo(info: {
  readonly group: string;
  readonly parentTopic: string;
  readonly liteTopic: string | undefined;
  readonly earliestUnconsumedTimestamp: number;
  readonly totalLagCount: number;
  /** Positions in the one lite topic that was asked for. */
  readonly offsets?: { readonly brokerOffset: number; readonly consumerOffset: number; readonly lastTimestamp: number } | undefined;
  readonly topByCount: readonly LiteLag[];
  readonly topByTime: readonly LiteLag[];
}): Buffer {
  const isOne = info.liteTopic !== undefined;
  return json({
    earliestUnconsumedTimestamp: info.earliestUnconsumedTimestamp,
    group: info.group,
    lagCountTopK: isOne ? undefined : info.topByCount.map(lagValue),
    lagTimestampTopK: isOne ? undefined : info.topByTime.map(lagValue),
    liteTopic: info.liteTopic,
    liteTopicOffsetWrapper: info.offsets === undefined ? undefined : { ...info.offsets, pullOffset: 0 },
    parentTopic: info.parentTopic,
    totalLagCount: info.totalLagCount,
  });
}
