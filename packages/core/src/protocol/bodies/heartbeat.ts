/** The heartbeat of a client and what hangs on it (remoting.md 7.5). */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';

/** How a group takes its messages: pull, push (which pulls by itself), pop. */
export const CONSUME_TYPES = ['CONSUME_ACTIVELY', 'CONSUME_PASSIVELY', 'CONSUME_POP'] as const;
export type ConsumeType = (typeof CONSUME_TYPES)[number];

export const MESSAGE_MODELS = ['BROADCASTING', 'CLUSTERING', 'LITE_SELECTIVE'] as const;
export type MessageModel = (typeof MESSAGE_MODELS)[number];

/** Where a group without a position starts; in the order of Java's ordinals. */
export const CONSUME_FROM_WHERES = [
  'CONSUME_FROM_LAST_OFFSET',
  'CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST',
  'CONSUME_FROM_MIN_OFFSET',
  'CONSUME_FROM_MAX_OFFSET',
  'CONSUME_FROM_FIRST_OFFSET',
  'CONSUME_FROM_TIMESTAMP',
] as const;
export type ConsumeFromWhere = (typeof CONSUME_FROM_WHERES)[number];

export interface SubscriptionData {
  readonly topic: string;
  /** The filter expression: `*`, `A || B`, or SQL92. */
  readonly subString: string;
  readonly tagsSet: readonly string[];
  /** Java's `String.hashCode` of each tag, int32. */
  readonly codeSet: readonly number[];
  /** When the client built it, ms; the larger one wins. */
  readonly subVersion: number;
  /** TAG or SQL92. */
  readonly expressionType: string;
  readonly classFilterMode: boolean;
}

export interface ConsumerData {
  readonly groupName: string;
  readonly consumeType: ConsumeType;
  readonly messageModel: MessageModel;
  readonly consumeFromWhere: ConsumeFromWhere;
  readonly subscriptionDataSet: readonly SubscriptionData[];
  readonly unitMode: boolean;
}

export interface HeartbeatData {
  readonly clientID: string;
  readonly consumerDataSet: readonly ConsumerData[];
  /** Group names. */
  readonly producerDataSet: readonly string[];
  /** 0: version 1 of the heartbeat; else a hash of its subscriptions. */
  readonly heartbeatFingerprint: number;
  /** The subscriptions are left out because the broker has them. */
  readonly withoutSub: boolean;
}

/** An enum by name, or by ordinal as old clients send it; `absent` for anything else (Java reads null). */
function readEnum<V extends string>(at: JsonShape, values: readonly V[], absent: V): V {
  const text = at.stringOr(undefined);
  if (text === undefined) return absent;
  const named = values.find((value) => value === text);
  if (named !== undefined) return named;
  return (/^\d{1,2}$/.test(text) ? values[Number(text)] : undefined) ?? absent;
}

/** Reads it. Throws BodyError. */
function readSubscriptionData(at: JsonShape): SubscriptionData {
  const codeSet: number[] = [];
  for (const item of at.field('codeSet').items()) codeSet.push(item.int());
  return {
    topic: at.field('topic').string(),
    subString: at.field('subString').stringOr('*'),
    tagsSet: at.field('tagsSet').strings(),
    codeSet,
    subVersion: at.field('subVersion').longOr(0),
    expressionType: at.field('expressionType').stringOr('TAG'),
    classFilterMode: at.field('classFilterMode').boolOr(false),
  };
}

export function subscriptionDataValue(data: SubscriptionData): { readonly [key: string]: JavaJsonInput } {
  return {
    classFilterMode: data.classFilterMode,
    codeSet: data.codeSet,
    expressionType: data.expressionType,
    subString: data.subString,
    subVersion: data.subVersion,
    tagsSet: data.tagsSet,
    topic: data.topic,
  };
}

function readConsumerData(at: JsonShape): ConsumerData {
  const subscriptionDataSet: SubscriptionData[] = [];
  for (const item of at.field('subscriptionDataSet').items()) subscriptionDataSet.push(readSubscriptionData(item));
  return {
    groupName: at.field('groupName').string(),
    consumeType: readEnum(at.field('consumeType'), CONSUME_TYPES, 'CONSUME_PASSIVELY'),
    messageModel: readEnum(at.field('messageModel'), MESSAGE_MODELS, 'CLUSTERING'),
    consumeFromWhere: readEnum(at.field('consumeFromWhere'), CONSUME_FROM_WHERES, 'CONSUME_FROM_LAST_OFFSET'),
    subscriptionDataSet,
    unitMode: at.field('unitMode').boolOr(false),
  };
}

/** Reads the body of HEART_BEAT. Throws BodyError. */
export function decodeHeartbeatData(body: Buffer | string): HeartbeatData {
  const root = JsonShape.parse(body, 'HeartbeatData');
  const consumerDataSet: ConsumerData[] = [];
  for (const item of root.field('consumerDataSet').items()) consumerDataSet.push(readConsumerData(item));
  const producerDataSet: string[] = [];
  for (const item of root.field('producerDataSet').items()) producerDataSet.push(item.field('groupName').string());
  return {
    clientID: root.field('clientID').string(),
    consumerDataSet,
    producerDataSet,
    heartbeatFingerprint: root.field('heartbeatFingerprint').intOr(0),
    withoutSub: root.field('withoutSub').boolOr(false),
  };
}

export function encodeHeartbeatData(data: HeartbeatData): Buffer {
  const value = {
    clientID: data.clientID,
    consumerDataSet: data.consumerDataSet.map((consumer) => ({
      consumeFromWhere: consumer.consumeFromWhere,
      consumeType: consumer.consumeType,
      groupName: consumer.groupName,
      messageModel: consumer.messageModel,
      subscriptionDataSet: consumer.subscriptionDataSet.map(subscriptionDataValue),
      unitMode: consumer.unitMode,
    })),
    heartbeatFingerprint: data.heartbeatFingerprint,
    producerDataSet: data.producerDataSet.map((groupName) => ({ groupName })),
    withoutSub: data.withoutSub,
  };
  return Buffer.from(stringifyJavaJson(value, 'plain'));
}

/** The answer to GET_CONSUMER_LIST_BY_GROUP. */
export function encodeConsumerList(clientIds: readonly string[]): Buffer {
  return Buffer.from(stringifyJavaJson({ consumerIdList: clientIds }, 'plain'));
}

/** Throws BodyError. */
export function decodeConsumerList(body: Buffer | string): string[] {
  return JsonShape.parse(body, 'GetConsumerListByGroupResponseBody').field('consumerIdList').strings();
}

/** What CHECK_CLIENT_CONFIG asks about. */
export interface CheckClientRequest {
  readonly clientId: string;
  readonly group: string;
  readonly subscriptionData: SubscriptionData | undefined;
}

/** Throws BodyError. */
export function decodeCheckClientRequest(body: Buffer | string): CheckClientRequest {
  const root = JsonShape.parse(body, 'CheckClientRequestBody');
  const subscription = root.field('subscriptionData');
  return {
    clientId: root.field('clientId').stringOr(''),
    group: root.field('group').stringOr(''),
    subscriptionData: subscription.absent ? undefined : readSubscriptionData(subscription),
  };
}
