/** What administrators ask about lite topics: 200074 to 200079 (since-5.4.md 6.6). */
import {
  encodeBrokerLiteInfo,
  encodeLiteClientInfo,
  encodeLiteGroupInfo,
  encodeLiteTopicInfo,
  encodeParentTopicInfo,
  type LiteLag,
  type LiteSubscriber,
} from '@perigee/core/protocol/bodies/lite';
import type { RequestOf } from '@perigee/core/protocol/command';
import type { getLiteClientInfo, getLiteGroupInfo, getLiteTopicInfo, triggerLiteDispatch } from '@perigee/core/protocol/commands/lite';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { type Answer, done } from '@perigee/core/remoting/handler';
import { isLightQueue } from '../lmq/light-dispatch.ts';
import type { Topic } from '../topic-table.ts';
import { endOf, LITE_QUEUE_ID, type LiteContext, liteQueues } from './lite-context.ts';
import { boundTopic, expirationMinutes, isParentTopic } from './lite-metadata.ts';
import { liteQueueOf, liteTopicOf } from './lite-name.ts';
import { liteRefusals } from './lite-refusals.ts';

/** Names listed in one answer, whatever is asked. */
const NAMES_MAX = 10_000;
const TOP_DEFAULT = 20;
const NOT_KNOWN = -1;

export class LiteQuestions {
  readonly #context: LiteContext;
  readonly #isOwner: (parentTopic: string, liteTopic: string) => Promise<boolean>;

  constructor(context: LiteContext, isOwner: (parentTopic: string, liteTopic: string) => Promise<boolean>) {
    this.#context = context;
    this.#isOwner = isOwner;
  }

  broker(): Answer {
    const { broker, store, settings, subscriptions, orders, events } = this.#context;
    const topicMeta = new Map<string, number>();
    for (const topic of broker.topics.topics()) if (isParentTopic(topic)) topicMeta.set(topic.topicName, expirationMinutes(topic));
    const groupMeta = new Map<string, string[]>();
    for (const name of broker.groups.names()) {
      const topic = boundTopic(broker.groups.group(name));
      if (topic !== undefined) groupMeta.set(topic, [...(groupMeta.get(topic) ?? []), name]);
    }
    return done(
      encodeBrokerLiteInfo({
        maxLmqNum: settings.maxLmqConsumeQueueNum,
        currentLmqNum: store.queries.topicsWithQueues().filter((topic) => isLightQueue(topic) && endOf(this.#context, topic) > 0).length,
        liteSubscriptionCount: subscriptions.count,
        orderInfoCount: orders.size,
        cqTableSize: store.queries.topicsWithQueues().length,
        offsetTableSize: broker.offsets.dump().offsetTable.size,
        eventMapSize: events.size,
        topicMeta,
        groupMeta,
      }),
    );
  }

  parentTopic(name: string): Answer {
    const topic = this.#topic(name);
    if ('remark' in topic) return topic;
    const { groups } = this.#context.broker;
    const queues = liteQueues(this.#context, name);
    return done(
      encodeParentTopicInfo({
        topic: name,
        ttlMinutes: expirationMinutes(topic),
        groups: [...groups.names()].filter((group) => boundTopic(groups.group(group)) === name),
        liteTopicCount: queues.length,
        lmqNum: queues.length,
      }),
    );
  }

  async liteTopic({ parentTopic, liteTopic }: RequestOf<typeof getLiteTopicInfo>): Promise<Answer> {
    const topic = this.#topic(parentTopic);
    if ('remark' in topic) return topic;
    const shardingToBroker = await this.#isOwner(parentTopic, liteTopic);
    const { store, subscriptions } = this.#context;
    const queue = liteQueueOf(parentTopic, liteTopic);
    const maxOffset = endOf(this.#context, queue);
    const subscribers: LiteSubscriber[] = [];
    for (const [group, clients] of subscriptions.subscribers(queue)) {
      if (clients.some(({ isWildcard }) => isWildcard)) subscribers.push({ clientId: '*', group });
      else for (const { clientId } of clients) subscribers.push({ clientId, group });
    }
    return done(
      encodeLiteTopicInfo({
        parentTopic,
        liteTopic,
        shardingToBroker,
        subscribers,
        minOffset: store.queries.minQueueOffset(queue, LITE_QUEUE_ID),
        maxOffset,
        lastUpdateTimestamp: maxOffset === 0 ? 0 : Math.max(0, store.queries.storeTimestampAt(queue, LITE_QUEUE_ID, maxOffset - 1)),
      }),
    );
  }

  client({ parentTopic, group, clientId, maxCount }: RequestOf<typeof getLiteClientInfo>): Answer {
    const topic = this.#topic(parentTopic);
    if ('remark' in topic) return topic;
    const { broker, subscriptions, events, platform } = this.#context;
    const config = broker.groups.group(group);
    if (config === undefined) return liteRefusals.askGroupNotExist(group);
    if (boundTopic(config) !== parentTopic) return liteRefusals.askBinding(group, parentTopic);
    const client = subscriptions.client(clientId);
    const accessedMs = events.accessedMs(clientId);
    const { clock } = platform;
    return done(
      encodeLiteClientInfo({
        parentTopic,
        group,
        clientId,
        lastAccessTime: accessedMs === undefined ? NOT_KNOWN : Math.round(clock.wallMs() - (clock.monotonicMs() - accessedMs)),
        liteTopicSet: [...(client?.queues ?? [])].slice(0, Math.min(maxCount ?? NAMES_MAX, NAMES_MAX)),
        liteTopicCount: client?.queues.size ?? NOT_KNOWN,
      }),
    );
  }

  /** Counted when it is asked; Apache keeps the figures only with `liteLagLatencyCollectEnable`. */
  group({ group, liteTopic, topK }: RequestOf<typeof getLiteGroupInfo>): Answer {
    const parentTopic = this.#bound(group);
    if (typeof parentTopic !== 'string') return parentTopic;
    if (liteTopic !== undefined && liteTopic !== '') return this.#groupInTopic(group, parentTopic, liteTopic);
    const lags = liteQueues(this.#context, parentTopic)
      .map((queue) => this.#lag(queue, group))
      .filter(({ lagCount }) => lagCount > 0);
    const times = lags.map((lag) => lag.earliestUnconsumedTimestamp).filter((time) => time >= 0);
    const top = (compare: (a: LiteLag, b: LiteLag) => number) => lags.toSorted(compare).slice(0, Math.min(topK ?? TOP_DEFAULT, NAMES_MAX));
    return done(
      encodeLiteGroupInfo({
        group,
        parentTopic,
        liteTopic: undefined,
        earliestUnconsumedTimestamp: times.length === 0 ? NOT_KNOWN : Math.min(...times),
        totalLagCount: lags.reduce((sum, { lagCount }) => sum + lagCount, 0),
        topByCount: top((a, b) => b.lagCount - a.lagCount),
        topByTime: top((a, b) => a.earliestUnconsumedTimestamp - b.earliestUnconsumedTimestamp),
      }),
    );
  }

  #groupInTopic(group: string, parentTopic: string, liteTopic: string): Answer {
    const { broker, store } = this.#context;
    const queue = liteQueueOf(parentTopic, liteTopic);
    const brokerOffset = endOf(this.#context, queue);
    const shared = { group, parentTopic, liteTopic, topByCount: [], topByTime: [] };
    if (brokerOffset === 0)
      return done(encodeLiteGroupInfo({ ...shared, earliestUnconsumedTimestamp: NOT_KNOWN, totalLagCount: NOT_KNOWN }));
    const lag = this.#lag(queue, group);
    const consumerOffset = broker.offsets.position(group, queue, LITE_QUEUE_ID);
    return done(
      encodeLiteGroupInfo({
        ...shared,
        earliestUnconsumedTimestamp: lag.earliestUnconsumedTimestamp,
        totalLagCount: lag.lagCount,
        offsets: {
          brokerOffset,
          consumerOffset,
          lastTimestamp: consumerOffset <= 0 ? 0 : Math.max(0, store.queries.storeTimestampAt(queue, LITE_QUEUE_ID, consumerOffset - 1)),
        },
      }),
    );
  }

  #lag(queue: string, group: string): LiteLag {
    const { broker, store } = this.#context;
    const from = Math.max(store.queries.minQueueOffset(queue, LITE_QUEUE_ID), broker.offsets.position(group, queue, LITE_QUEUE_ID));
    const lagCount = Math.max(0, endOf(this.#context, queue) - from);
    const earliestUnconsumedTimestamp = lagCount === 0 ? NOT_KNOWN : store.queries.storeTimestampAt(queue, LITE_QUEUE_ID, from);
    return { liteTopic: liteTopicOf(queue)?.liteTopic ?? queue, lagCount, earliestUnconsumedTimestamp };
  }

  trigger({ group, clientId }: RequestOf<typeof triggerLiteDispatch>): Answer {
    const bound = this.#bound(group);
    if (typeof bound !== 'string') return bound;
    const { subscriptions, events } = this.#context;
    for (const client of subscriptions.clients())
      if (client.group === group && (clientId === undefined || clientId === '' || client.clientId === clientId)) events.dispatchAll(client);
    return done();
  }

  #topic(name: string): Topic | Refusal {
    const topic = this.#context.broker.topics.topic(name);
    if (topic === undefined) return liteRefusals.askTopicNotExist(name);
    return isParentTopic(topic) ? topic : liteRefusals.askTopicType(name);
  }

  #bound(group: string): string | Refusal {
    const config = this.#context.broker.groups.group(group);
    if (config === undefined) return liteRefusals.askGroupNotExist(group);
    return boundTopic(config) ?? liteRefusals.askGroupType(group);
  }
}
