/** Subscription groups as brokers keep, register and dump them (remoting.md 6; broker.md 5). */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { type DataVersion, dataVersionValue, readDataVersion } from './data-version.ts';
import { JsonShape } from './json-shape.ts';

/** A subscription written into a group's settings. */
export interface SimpleSubscription {
  readonly topic: string;
  readonly expressionType: string;
  readonly expression: string;
  readonly version: number;
}

/** How long a message of the group waits before its n-th redelivery, ms. Used by clients and proxies. */
export interface GroupRetryPolicy {
  readonly type: 'CUSTOMIZED' | 'EXPONENTIAL';
  readonly exponentialRetryPolicy?: { readonly initial: number; readonly max: number; readonly multiplier: number } | undefined;
  readonly customizedRetryPolicy?: { readonly next: readonly number[] } | undefined;
}

export interface SubscriptionGroupConfig {
  readonly groupName: string;
  readonly consumeEnable: boolean;
  readonly consumeFromMinEnable: boolean;
  readonly consumeBroadcastEnable: boolean;
  readonly consumeMessageOrderly: boolean;
  readonly retryQueueNums: number;
  readonly retryMaxTimes: number;
  readonly groupRetryPolicy: GroupRetryPolicy;
  readonly brokerId: number;
  readonly whichBrokerWhenConsumeSlowly: number;
  readonly notifyConsumerIdsChangedEnable: boolean;
  readonly groupSysFlag: number;
  readonly consumeTimeoutMinute: number;
  readonly subscriptionDataSet: readonly SimpleSubscription[] | undefined;
  readonly attributes: ReadonlyMap<string, string>;
}

const RETRY_POLICY_NONE: GroupRetryPolicy = { type: 'CUSTOMIZED', exponentialRetryPolicy: undefined, customizedRetryPolicy: undefined };

/** The settings of a group that nobody configured. */
export function newSubscriptionGroup(groupName: string): SubscriptionGroupConfig {
  return {
    groupName,
    consumeEnable: true,
    consumeFromMinEnable: true,
    consumeBroadcastEnable: true,
    consumeMessageOrderly: false,
    retryQueueNums: 1,
    retryMaxTimes: 16,
    groupRetryPolicy: RETRY_POLICY_NONE,
    brokerId: 0,
    whichBrokerWhenConsumeSlowly: 1,
    notifyConsumerIdsChangedEnable: true,
    groupSysFlag: 0,
    consumeTimeoutMinute: 15,
    subscriptionDataSet: undefined,
    attributes: new Map(),
  };
}

function simpleSubscriptionValue(simple: SimpleSubscription): JavaJsonInput {
  return { expression: simple.expression, expressionType: simple.expressionType, topic: simple.topic, version: simple.version };
}

/** The JSON value, members in Java's order. */
function subscriptionGroupValue(config: SubscriptionGroupConfig): { readonly [key: string]: JavaJsonInput } {
  const policy = config.groupRetryPolicy;
  return {
    attributes: config.attributes,
    brokerId: config.brokerId,
    consumeBroadcastEnable: config.consumeBroadcastEnable,
    consumeEnable: config.consumeEnable,
    consumeFromMinEnable: config.consumeFromMinEnable,
    consumeMessageOrderly: config.consumeMessageOrderly,
    consumeTimeoutMinute: config.consumeTimeoutMinute,
    groupName: config.groupName,
    groupRetryPolicy: {
      customizedRetryPolicy: policy.customizedRetryPolicy === undefined ? undefined : { next: policy.customizedRetryPolicy.next },
      exponentialRetryPolicy: policy.exponentialRetryPolicy === undefined ? undefined : { ...policy.exponentialRetryPolicy },
      type: policy.type,
    },
    groupSysFlag: config.groupSysFlag,
    notifyConsumerIdsChangedEnable: config.notifyConsumerIdsChangedEnable,
    retryMaxTimes: config.retryMaxTimes,
    retryQueueNums: config.retryQueueNums,
    subscriptionDataSet: config.subscriptionDataSet?.map(simpleSubscriptionValue),
    whichBrokerWhenConsumeSlowly: config.whichBrokerWhenConsumeSlowly,
  };
}

function readRetryPolicy(at: JsonShape): GroupRetryPolicy {
  if (at.absent) return RETRY_POLICY_NONE;
  const exponential = at.field('exponentialRetryPolicy');
  const customized = at.field('customizedRetryPolicy');
  const next: number[] = [];
  if (!customized.absent) for (const item of customized.field('next').items()) next.push(item.long());
  return {
    type: at.field('type').stringOr('CUSTOMIZED') === 'EXPONENTIAL' ? 'EXPONENTIAL' : 'CUSTOMIZED',
    exponentialRetryPolicy: exponential.absent
      ? undefined
      : {
          initial: exponential.field('initial').longOr(5000),
          max: exponential.field('max').longOr(7_200_000),
          multiplier: exponential.field('multiplier').longOr(2),
        },
    customizedRetryPolicy: customized.absent ? undefined : { next },
  };
}

function readSubscriptions(at: JsonShape): SimpleSubscription[] | undefined {
  if (at.absent) return undefined;
  const subscriptions: SimpleSubscription[] = [];
  for (const item of at.items()) {
    subscriptions.push({
      topic: item.field('topic').string(),
      expressionType: item.field('expressionType').stringOr('TAG'),
      expression: item.field('expression').stringOr('*'),
      version: item.field('version').longOr(0),
    });
  }
  return subscriptions;
}

/** Reads it; `name` stands in where the member groupName is missing ('' when that is not given either). Throws BodyError. */
function readSubscriptionGroup(at: JsonShape, name = ''): SubscriptionGroupConfig {
  const fresh = newSubscriptionGroup(at.field('groupName').stringOr(name));
  const attributes = new Map<string, string>();
  for (const [key, value] of at.field('attributes').members()) if (!value.absent) attributes.set(key, value.string());
  return {
    groupName: fresh.groupName,
    consumeEnable: at.field('consumeEnable').boolOr(fresh.consumeEnable),
    consumeFromMinEnable: at.field('consumeFromMinEnable').boolOr(fresh.consumeFromMinEnable),
    consumeBroadcastEnable: at.field('consumeBroadcastEnable').boolOr(fresh.consumeBroadcastEnable),
    consumeMessageOrderly: at.field('consumeMessageOrderly').boolOr(fresh.consumeMessageOrderly),
    retryQueueNums: at.field('retryQueueNums').intOr(fresh.retryQueueNums),
    retryMaxTimes: at.field('retryMaxTimes').intOr(fresh.retryMaxTimes),
    groupRetryPolicy: readRetryPolicy(at.field('groupRetryPolicy')),
    brokerId: at.field('brokerId').longOr(fresh.brokerId),
    whichBrokerWhenConsumeSlowly: at.field('whichBrokerWhenConsumeSlowly').longOr(fresh.whichBrokerWhenConsumeSlowly),
    notifyConsumerIdsChangedEnable: at.field('notifyConsumerIdsChangedEnable').boolOr(fresh.notifyConsumerIdsChangedEnable),
    groupSysFlag: at.field('groupSysFlag').intOr(fresh.groupSysFlag),
    consumeTimeoutMinute: at.field('consumeTimeoutMinute').intOr(fresh.consumeTimeoutMinute),
    subscriptionDataSet: readSubscriptions(at.field('subscriptionDataSet')),
    attributes,
  };
}

export function encodeSubscriptionGroup(config: SubscriptionGroupConfig): Buffer {
  return Buffer.from(stringifyJavaJson(subscriptionGroupValue(config), 'plain'));
}

/** Throws BodyError. */
export function decodeSubscriptionGroup(body: Buffer | string): SubscriptionGroupConfig {
  return readSubscriptionGroup(JsonShape.parse(body, 'SubscriptionGroupConfig'));
}

/** `{"groupConfigList":[…]}`. Throws BodyError. */
export function decodeSubscriptionGroupList(body: Buffer | string): SubscriptionGroupConfig[] {
  const configs: SubscriptionGroupConfig[] = [];
  for (const item of JsonShape.parse(body, 'SubscriptionGroupList').field('groupConfigList').items())
    configs.push(readSubscriptionGroup(item));
  return configs;
}

/** All groups of a broker. `forbiddenTable`: group → topic → bits. */
export interface SubscriptionGroups {
  readonly dataVersion: DataVersion;
  readonly forbiddenTable: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly subscriptionGroupTable: ReadonlyMap<string, SubscriptionGroupConfig>;
}

/** The JSON value, members in Java's order; the same on the wire (201) and in subscriptionGroup.json. */
export function subscriptionGroupsValue(groups: SubscriptionGroups): { readonly [key: string]: JavaJsonInput } {
  const table = new Map<string, JavaJsonInput>();
  for (const [name, config] of groups.subscriptionGroupTable) table.set(name, subscriptionGroupValue(config));
  return {
    dataVersion: dataVersionValue(groups.dataVersion) as JavaJsonInput,
    forbiddenTable: groups.forbiddenTable,
    subscriptionGroupTable: table,
  };
}

/** Reads it. Throws BodyError. */
export function readSubscriptionGroups(root: JsonShape): SubscriptionGroups {
  const subscriptionGroupTable = new Map<string, SubscriptionGroupConfig>();
  for (const [name, at] of root.field('subscriptionGroupTable').members())
    subscriptionGroupTable.set(name, readSubscriptionGroup(at, name));
  const forbiddenTable = new Map<string, Map<string, number>>();
  for (const [group, topics] of root.field('forbiddenTable').members()) {
    const bits = new Map<string, number>();
    for (const [topic, value] of topics.members()) bits.set(topic, value.int());
    forbiddenTable.set(group, bits);
  }
  return { dataVersion: readDataVersion(root.field('dataVersion')), forbiddenTable, subscriptionGroupTable };
}

/** `{"group","readable","topic"}`, the answer to UPDATE_AND_GET_GROUP_FORBIDDEN. */
export function encodeGroupForbidden(forbidden: { readonly group: string; readonly readable: boolean; readonly topic: string }): Buffer {
  return Buffer.from(stringifyJavaJson({ group: forbidden.group, readable: forbidden.readable, topic: forbidden.topic }, 'plain'));
}
