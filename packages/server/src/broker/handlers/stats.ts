/** Connections and progress: 202, 203, 204, 208, 300, 315, 328 (broker.md 23, 24). */
import {
  type ClientConnection,
  encodeConsumerConnection,
  encodeGroupList,
  encodeProducerConnection,
  encodeProducerTable,
  type ProducerInfo,
} from '@perigee/core/protocol/bodies/connection';
import { type ConsumeQueueProgress, encodeConsumeStats } from '@perigee/core/protocol/bodies/consume-stats';
import { encodeBrokerStatsData, encodeTopicStats, type QueueBounds, type StatsFigure } from '@perigee/core/protocol/bodies/topic-stats';
import type { RequestOf } from '@perigee/core/protocol/command';
import type { getConsumeStats, statsCommands } from '@perigee/core/protocol/commands/stats';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';
import type { ClientChannel } from '../client-channel.ts';

/** Handlers of connections and progress. */
export function statsHandlers(broker: BrokerParts): HandlerTable<typeof statsCommands> {
  const { consumers, producers, offsets, stats, settings } = broker;
  return {
    getTopicStatsInfo: (header) => topicStats(broker, header.topic),
    getConsumeStats: (header) => consumeStats(broker, header),

    getConsumerConnectionList: ({ consumerGroup }) => {
      const group = consumers.group(consumerGroup);
      if (group === undefined)
        return refuse(
          'consumer-not-online',
          ResponseCode.CONSUMER_NOT_ONLINE,
          `the consumer group[${consumerGroup}] not online`,
          'start a consumer of the group; offline groups show in mqadmin consumerProgress -g <group>',
        );
      return done(
        encodeConsumerConnection({
          ...group,
          connections: [...group.channels.values()].map(connectionOf),
          subscriptions: group.subscriptions,
          subscriptionConflicts: consumers.conflicts(consumerGroup),
        }),
      );
    },

    getProducerConnectionList: ({ producerGroup }) => {
      const channels = producers.channels(producerGroup);
      if (channels === undefined)
        return refuse(
          'producer-not-exist',
          ResponseCode.SYSTEM_ERROR,
          `the producer group[${producerGroup}] not exist`,
          'mqadmin producer lists the groups whose clients are connected',
        );
      return done(encodeProducerConnection([...channels.values()].map(connectionOf)));
    },

    queryTopicConsumeByWho: ({ topic }) => done(encodeGroupList([...new Set([...consumers.groupsOf(topic), ...offsets.groupsOf(topic)])])),

    viewBrokerStatsData: ({ statsName, statsKey }) => {
      const moment = momentFigure(broker, statsName, statsKey);
      if (moment !== undefined) return done(encodeBrokerStatsData({ minute: moment, hour: moment, day: moment }));
      const item = stats.item(statsName, statsKey, settings.brokerClusterName);
      if (item === undefined)
        return refuse(
          'stats-not-exist',
          ResponseCode.SYSTEM_ERROR,
          `The stats <${statsName}> <${statsKey}> not exist`,
          'a counter exists from its first event on; docs/messages/figures.md lists names and keys',
        );
      return done(encodeBrokerStatsData({ minute: item.figure('minute'), hour: item.figure('hour'), day: item.figure('day') }));
    },

    getAllProducerInfo: () => done(encodeProducerTable(producerTable(broker))),
  };
}

/**
 * How far a group reads behind in a queue, now: bytes to the end of the CommitLog, or ms since the next message was stored.
 * Key `queueId@topic@group`. Apache keeps these two as of the last read, for its log alone.
 */
function momentFigure(broker: BrokerParts, name: string, key: string): StatsFigure | undefined {
  if (name !== 'GROUP_GET_FALL_SIZE' && name !== 'GROUP_GET_FALL_TIME') return undefined;
  const [queueText, topic, group] = key.split('@');
  const queueId = Number(queueText);
  if (topic === undefined || group === undefined || broker.stats.getsOf(topic, group) === undefined) return undefined;
  const { store, offsets, platform } = broker;
  const next = offsets.pullPosition(group, topic, queueId);
  if (next < 0) return undefined;
  const row = store.consumeQueueRow(topic, queueId, next);
  if (row === undefined) return { sum: 0, tps: 0, avgpt: 0 };
  const sum =
    name === 'GROUP_GET_FALL_SIZE'
      ? store.maxPhysicalOffset - row.physicalOffset
      : platform.clock.wallMs() - store.storeTimestampAt(topic, queueId, next);
  return { sum: Math.max(0, sum), tps: 0, avgpt: 0 };
}

function refuse(slug: string, code: number, legacy: string, remedy: string): Answer {
  return refusal({ slug, code, legacy, remedy });
}

function connectionOf(channel: ClientChannel): ClientConnection {
  return { clientId: channel.clientId, clientAddr: channel.peer.address, language: channel.language, version: channel.version };
}

function producerTable({ producers, platform }: BrokerParts): Map<string, ProducerInfo[]> {
  const { clock } = platform;
  const wallMs = clock.wallMs();
  const nowMs = clock.monotonicMs();
  const table = new Map<string, ProducerInfo[]>();
  for (const group of producers.groups()) {
    const infos: ProducerInfo[] = [];
    for (const channel of producers.channels(group)?.values() ?? [])
      infos.push({ ...connectionOf(channel), lastUpdateTimestamp: Math.round(wallMs - (nowMs - channel.lastHeartbeatMs)) });
    table.set(group, infos);
  }
  return table;
}

function topicStats(broker: BrokerParts, name: string): Answer {
  const { store, stats, settings } = broker;
  const topic = broker.topics.topic(name);
  if (topic === undefined)
    return refuse('topic-not-exist', ResponseCode.TOPIC_NOT_EXIST, `topic[${name}] not exist`, `create it: mqadmin updateTopic -t ${name}`);
  const queues: QueueBounds[] = [];
  for (let queueId = 0; queueId < Math.max(topic.writeQueueNums, topic.readQueueNums); queueId++) {
    const maxOffset = store.maxQueueOffset(name, queueId);
    const lastMs = maxOffset > 0 ? store.storeTimestampAt(name, queueId, maxOffset - 1) : 0;
    queues.push({
      queue: { brokerName: settings.brokerName, queueId, topic: name },
      minOffset: store.minQueueOffset(name, queueId),
      maxOffset,
      lastUpdateTimestamp: Math.max(0, lastMs),
    });
  }
  return done(encodeTopicStats({ queues, topicPutTps: stats.putsOf(name)?.count.figure('minute').tps ?? 0 }));
}

function consumeStats(broker: BrokerParts, header: RequestOf<typeof getConsumeStats>): Answer {
  const group = header.consumerGroup;
  const queues: ConsumeQueueProgress[] = [];
  let consumeTps = 0;
  for (const name of askedTopics(broker, header)) {
    const topic = broker.topics.topic(name);
    if (topic === undefined) continue;
    // A group that is online is measured by what it subscribes to now (broker.md 23).
    if (broker.consumers.subscriptionCount(group) > 0 && broker.consumers.subscription(group, name) === undefined) continue;
    for (let queueId = 0; queueId < topic.readQueueNums; queueId++) queues.push(progressOf(broker, { group, topic: name, queueId }));
    consumeTps += broker.stats.getsOf(name, group)?.count.figure('minute').tps ?? 0;
  }
  return done(encodeConsumeStats({ consumeTps, queues }));
}

function askedTopics({ offsets }: BrokerParts, header: RequestOf<typeof getConsumeStats>): string[] {
  const listed = (header.topicList ?? '').split(';').filter((topic) => topic !== '');
  if (listed.length > 0) return listed;
  if (header.topic !== undefined && header.topic !== '') return [header.topic];
  return offsets.topicsOf(header.consumerGroup);
}

function progressOf(broker: BrokerParts, at: { group: string; topic: string; queueId: number }): ConsumeQueueProgress {
  const { store, offsets, settings } = broker;
  const { group, topic, queueId } = at;
  // Where a logical queue is consumed now shows by the part that has a position: the others must not look like the beginning.
  const least = broker.staticTopics?.mappings.mapping(topic) === undefined ? 0 : -1;
  const consumerOffset = Math.max(least, offsets.position(group, topic, queueId));
  const lastMs = consumerOffset > 0 ? store.storeTimestampAt(topic, queueId, consumerOffset - 1) : 0;
  return {
    queue: { brokerName: settings.brokerName, queueId, topic },
    brokerOffset: store.maxQueueOffset(topic, queueId),
    consumerOffset,
    pullOffset: Math.max(0, offsets.pullPosition(group, topic, queueId)),
    lastTimestamp: Math.max(0, lastMs),
  };
}
