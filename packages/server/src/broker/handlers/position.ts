/** Setting, copying and comparing positions: 222, 223, 303, 308, 314, 321, 343, 345 (broker.md 12.4, 12.5, 15, 24). */
import { isTagType } from '@perigee/core/filter/tag-filter';
import { civilFromMs } from '@perigee/core/kit/calendar';
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import { consumerFilterValue } from '@perigee/core/protocol/bodies/consumer-filters';
import type { SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import {
  decodeClientStatus,
  encodeConsumeQueueRows,
  encodeConsumerStatus,
  encodeCorrectionOffsets,
  encodeResetOffset,
  encodeResetOffsetForC,
  encodeSubscriptionOfGroup,
  encodeTimeSpans,
  type QueuePosition,
  type ShownRow,
} from '@perigee/core/protocol/bodies/positions';
import { encodeTopicList } from '@perigee/core/protocol/bodies/topic-list';
import { type RequestOf, writeHeader } from '@perigee/core/protocol/command';
import { getConsumerStatusFromClient, type positionCommands, resetConsumerClientOffset } from '@perigee/core/protocol/commands/position';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable, type IncomingRequest } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';
import { queuesRemedy, queuesText } from '../send-refusals.ts';

/** How long a client may take to say how far it is, ms. */
const STATUS_TIMEOUT_MS = 5_000;
/** V3_0_7_SNAPSHOT: the first client that can be told new positions. */
const VERSION_RESET = 28;
const LONG_MAX = 9_223_372_036_854_775_807n;
/** Rows shown at once. */
const ROWS_SHOWN_MAX = 10_000;

type Commands = typeof positionCommands;
type Reset = RequestOf<Commands['invokeBrokerToResetOffset']>;

function refuse(slug: string, code: number, legacy: string, more: { cause?: string; measured?: string; remedy: string }): Refusal {
  return refusal({ slug, code, legacy, ...more });
}

/** Handlers of positions. */
export function positionHandlers(broker: BrokerParts): HandlerTable<Commands> {
  return {
    invokeBrokerToResetOffset: (header, request) =>
      broker.settings.useServerSideResetOffset ? resetHere(broker, header) : resetAtClients(broker, header, request),
    invokeBrokerToGetConsumerStatus: (header) => consumerStatus(broker, header),
    queryConsumeTimeSpan: (header) => timeSpans(broker, header),
    queryCorrectionOffset: (header) => correctionOffsets(broker, header),
    cloneGroupOffset: (header) => clonePositions(broker, header),
    queryTopicsByConsumer: ({ group }) =>
      done(
        encodeTopicList({
          brokerAddr: `${broker.settings.brokerIP1}:${broker.settings.listenPort}`,
          topicList: broker.offsets.topicsOf(group),
        }),
      ),
    querySubscriptionByConsumer: ({ group, topic }) =>
      done(encodeSubscriptionOfGroup(group, topic, broker.consumers.subscription(group, topic))),
    queryConsumeQueue: (header) => consumeQueueRows(broker, header),
  };
}

function topicRemedy(topic: string): string {
  return `create it: mqadmin updateTopic -t ${topic}`;
}

function clientTooOld(version: number): Refusal {
  return refuse('consumer-too-old', ResponseCode.SYSTEM_ERROR, `the client does not support this feature. version=${version}`, {
    remedy: 'upgrade the client, or set useServerSideResetOffset=true',
  });
}

/** Where a queue of the topic is to go on: by queue offset or by time (-1: the end). */
function targetOf({ store }: BrokerParts, topic: string, queueId: number, timestamp: number): number {
  return timestamp < 0 ? store.maxQueueOffset(topic, queueId) : store.queueOffsetByTime(topic, queueId, timestamp, 'lower');
}

/** The broker's own way: the position is set here, the consumer learns it with its next pull (12.4). */
function resetHere(broker: BrokerParts, header: Reset): Answer {
  const { topic, group } = header;
  const config = broker.topics.topic(topic);
  if (config === undefined)
    return refuse('topic-not-exist', ResponseCode.TOPIC_NOT_EXIST, `Topic ${topic} does not exist`, { remedy: topicRemedy(topic) });
  if (broker.groups.group(group) === undefined)
    return refuse('group-not-exist', ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `Group ${group} does not exist`, {
      remedy: `create it: mqadmin updateSubGroup -g ${group}`,
    });
  const positions: QueuePosition[] = [];
  const queueId = header.queueId ?? -1;
  const add = (id: number, queueOffset: number): number =>
    positions.push({ queue: { brokerName: broker.settings.brokerName, queueId: id, topic }, queueOffset });
  if (queueId >= 0) {
    const wanted = header.offset ?? -1;
    const queueNums = Math.max(config.readQueueNums, config.writeQueueNums);
    if (queueId >= queueNums && !broker.store.queuesOf(topic).includes(queueId))
      return refuse('queue-not-exist', ResponseCode.INVALID_PARAMETER, `Queue ${queueId} of topic ${topic} does not exist`, {
        measured: queuesText(queueNums),
        remedy: queuesRemedy(topic, queueNums),
      });
    const min = broker.store.minQueueOffset(topic, queueId);
    const max = broker.store.maxQueueOffset(topic, queueId);
    if (wanted !== -1 && ((min >= 0 && wanted < min) || wanted > max + 1))
      return refuse(
        'offset-out-of-range',
        ResponseCode.SYSTEM_ERROR,
        `Target offset ${wanted} not in consume queue range [${min}-${max}]`,
        {
          remedy: 'choose an offset in the range, or reset by time',
        },
      );
    add(queueId, wanted === -1 ? targetOf(broker, topic, queueId, header.timestamp) : wanted);
  } else for (let id = 0; id < config.readQueueNums; id++) add(id, targetOf(broker, topic, id, header.timestamp));
  for (const { queue, queueOffset } of positions) broker.offsets.setReset(group, topic, queue.queueId, queueOffset);
  return done(encodeResetOffset(positions));
}

/** The old way: every consumer of the group is told (12.4, client-side mode). */
function resetAtClients(broker: BrokerParts, header: Reset, request: IncomingRequest): Answer {
  const { topic, group, timestamp, isForce } = header;
  const config = broker.topics.topic(topic);
  if (config === undefined)
    return refuse(
      'topic-not-exist',
      ResponseCode.SYSTEM_ERROR,
      `[reset-offset] reset offset failed, no topic in this broker. topic=${topic}`,
      { remedy: topicRemedy(topic) },
    );
  const positions: QueuePosition[] = [];
  for (let queueId = 0; queueId < config.writeQueueNums; queueId++) {
    const current = broker.offsets.position(group, topic, queueId);
    if (current < 0)
      return refuse('position-not-stored', ResponseCode.SYSTEM_ERROR, `THe consumer group <${group}> not exist`, {
        cause: `it has committed no position in queue ${queueId} of topic ${topic}`,
        remedy: 'consume first, or set useServerSideResetOffset=true',
      });
    const target = Math.max(0, targetOf(broker, topic, queueId, timestamp));
    const queueOffset = isForce || target < current ? target : current;
    positions.push({ queue: { brokerName: broker.settings.brokerName, queueId, topic }, queueOffset });
  }
  const channels = [...(broker.consumers.group(group)?.channels.values() ?? [])];
  const old = channels.find((channel) => channel.version < VERSION_RESET);
  if (old !== undefined) return clientTooOld(old.version);
  if (channels.length === 0)
    return refuse(
      'consumer-not-online',
      ResponseCode.CONSUMER_NOT_ONLINE,
      `Consumer not online, so can not reset offset, Group: ${group} Topic: ${topic} Timestamp: ${timestamp}`,
      { remedy: 'start a consumer of the group, or set useServerSideResetOffset=true' },
    );
  const body = request.language === 'CPP' ? encodeResetOffsetForC(positions) : encodeResetOffset(positions);
  const ext = writeHeader(resetConsumerClientOffset.request, { topic, group, timestamp, isForce: false, queueId: -1 });
  for (const channel of channels) channel.peer.oneway({ code: resetConsumerClientOffset.code, ext, body });
  return done(encodeResetOffset(positions));
}

async function consumerStatus(broker: BrokerParts, header: RequestOf<Commands['invokeBrokerToGetConsumerStatus']>): Promise<Answer> {
  const { topic, group } = header;
  const wanted = header.clientAddr ?? '';
  const channels = [...(broker.consumers.group(group)?.channels.values() ?? [])].filter(
    (channel) => wanted === '' || channel.clientId === wanted,
  );
  if (channels.length === 0)
    return refuse('consumer-not-online', ResponseCode.SYSTEM_ERROR, `No Any Consumer online in the consumer group: [${group}]`, {
      remedy: 'start a consumer of the group, or ask for one that is online: mqadmin consumerConnection -g <group>',
    });
  const old = channels.find((channel) => channel.version < VERSION_RESET);
  if (old !== undefined) return clientTooOld(old.version);
  const request = { code: getConsumerStatusFromClient.code, ext: writeHeader(getConsumerStatusFromClient.request, { topic, group }) };
  const byClient = new Map<string, QueuePosition[]>();
  await Promise.all(
    channels.map(async (channel) => {
      try {
        const answer = await channel.peer.request(request, STATUS_TIMEOUT_MS);
        if (answer.code === ResponseCode.SUCCESS) byClient.set(channel.clientId, decodeClientStatus(answer.body));
      } catch (error) {
        broker.platform.log.warn('a consumer did not say how far it is', { group, clientId: channel.clientId, error: String(error) });
      }
    }),
  );
  return done(encodeConsumerStatus(byClient));
}

/** `yyyy-MM-dd#HH:mm:ss:SSS`, UTC. */
function timeText(timestampMs: number): string {
  const { year, month, day, hour, minute, second, millisecond } = civilFromMs(timestampMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${year}-${two(month)}-${two(day)}#${two(hour)}:${two(minute)}:${two(second)}:${String(millisecond).padStart(3, '0')}`;
}

function timeSpans(broker: BrokerParts, { topic, group }: RequestOf<Commands['queryConsumeTimeSpan']>): Answer {
  const config = broker.topics.topic(topic);
  if (config === undefined)
    return refuse('topic-not-exist', ResponseCode.TOPIC_NOT_EXIST, `topic[${topic}] not exist`, { remedy: topicRemedy(topic) });
  const { store } = broker;
  const nowMs = broker.platform.clock.wallMs();
  const spans = Array.from({ length: config.writeQueueNums }, (_, queueId) => {
    const max = store.maxQueueOffset(topic, queueId);
    const consumed = broker.offsets.position(group, topic, queueId);
    const minTimeStamp = store.earliestStoreTimestamp(topic, queueId);
    const consumeTimeStamp = consumed > 0 ? store.storeTimestampAt(topic, queueId, consumed - 1) : minTimeStamp;
    return {
      queue: { brokerName: broker.settings.brokerName, queueId, topic },
      minTimeStamp,
      maxTimeStamp: store.storeTimestampAt(topic, queueId, max - 1),
      consumeTimeStamp,
      delayTime: consumed >= 0 && consumed < max ? nowMs - store.storeTimestampAt(topic, queueId, consumed) : 0,
    };
  });
  return done(encodeTimeSpans(spans, timeText));
}

/** Smallest position over the groups of a topic, per queue; Long.MAX_VALUE where the compared group is behind it (12.5). */
function correctionOffsets(broker: BrokerParts, header: RequestOf<Commands['queryCorrectionOffset']>): Answer {
  const { topic, compareGroup } = header;
  const left = new Set((header.filterGroups ?? '').split(',').filter((group) => group.length > 0));
  const smallest = new Map<number, number>();
  const corrections = new Map<number, number | bigint>();
  for (const group of broker.offsets.groupsOf(topic)) {
    if (left.has(group)) continue;
    for (const [queueId, queueOffset] of broker.offsets.positionsOf(group, topic) ?? []) {
      if (queueOffset < broker.store.minQueueOffset(topic, queueId)) continue;
      smallest.set(queueId, Math.min(smallest.get(queueId) ?? Number.POSITIVE_INFINITY, queueOffset));
    }
  }
  const compared = broker.offsets.positionsOf(compareGroup, topic);
  for (const [queueId, queueOffset] of smallest) {
    const isAhead = compared !== undefined && queueOffset > (compared.get(queueId) ?? Number.POSITIVE_INFINITY);
    corrections.set(queueId, isAhead ? LONG_MAX : queueOffset);
  }
  return done(encodeCorrectionOffsets(corrections));
}

function clonePositions(broker: BrokerParts, header: RequestOf<Commands['cloneGroupOffset']>): Answer {
  const { srcGroup, destGroup } = header;
  const topics = header.topic === undefined || header.topic === '' ? broker.offsets.topicsOf(srcGroup) : [header.topic];
  for (const topic of topics) {
    if (broker.topics.topic(topic) === undefined) continue;
    const isSubscribed = broker.consumers.subscription(srcGroup, topic) !== undefined;
    if (header.offline !== true && broker.consumers.subscriptionCount(srcGroup) > 0 && !isSubscribed) continue;
    broker.offsets.clone({ group: srcGroup, topic }, destGroup);
  }
  return done();
}

function consumeQueueRows(broker: BrokerParts, header: RequestOf<Commands['queryConsumeQueue']>): Answer {
  const { topic, queueId } = header;
  const { store } = broker;
  if (!store.queuesOf(topic).includes(queueId))
    return refuse('queue-not-exist', ResponseCode.SYSTEM_ERROR, `${queueId}@${topic} is not exist!`, {
      cause: 'nothing was ever stored in that queue',
      remedy: 'mqadmin topicStatus -t <topic> lists the queues',
    });
  const minQueueIndex = store.minQueueOffset(topic, queueId);
  const maxQueueIndex = store.maxQueueOffset(topic, queueId);
  const first = header.index < 0 ? Math.max(minQueueIndex, maxQueueIndex + header.index) : header.index;
  const group = header.consumerGroup ?? '';
  const subscription = group === '' ? undefined : broker.consumers.subscription(group, topic);
  const rows: ShownRow[] = [];
  const end = Math.min(maxQueueIndex, first + Math.min(Math.max(0, header.count), ROWS_SHOWN_MAX));
  for (let queueOffset = first; queueOffset < end; queueOffset++) {
    const row = store.consumeQueueRow(topic, queueId, queueOffset);
    if (row === undefined) continue;
    const { physicalOffset, sizeBytes, tagsCode } = row;
    rows.push({
      eval: subscription !== undefined && passesByTag(subscription, tagsCode),
      physicOffset: physicalOffset,
      physicSize: sizeBytes,
      tagsCode,
    });
  }
  const filterData = filterText(broker, group, topic, subscription);
  return done(encodeConsumeQueueRows({ filterData, subscription, minQueueIndex, maxQueueIndex, rows }));
}

/** Whether a row lets the message through; what a SQL92 filter says stands in the message, not in the row. */
function passesByTag({ expressionType, subString, codeSet }: SubscriptionData, tagsCode: bigint): boolean {
  return !isTagType(expressionType) || subString === '*' || codeSet.includes(Number(tagsCode));
}

/** The filter of a group as text; without a SQL92 filter Java prints null. */
function filterText(broker: BrokerParts, group: string, topic: string, subscription: SubscriptionData | undefined): string | undefined {
  if (group === '') return undefined;
  if (subscription === undefined) return `${group}@${topic} is not online!`;
  const entry = broker.filters.get(topic, group);
  return entry === undefined ? 'null' : stringifyJavaJson(consumerFilterValue(entry), 'pretty');
}
