/** Positions and queue bounds: 14, 15, 29 to 32, 43 (broker.md 12). */
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import { consumerOffsetsValue } from '@perigee/core/protocol/bodies/consumer-offsets';
import type { RequestOf } from '@perigee/core/protocol/command';
import {
  getEarliestMsgStoretime,
  getMaxOffset,
  getMinOffset,
  type offsetCommands,
  queryConsumerOffset,
  searchOffsetByTimestamp,
  type updateConsumerOffset,
} from '@perigee/core/protocol/commands/offset';
import { type RefusalParts, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable, ok } from '@perigee/core/remoting/handler';
import type { TimeBoundary } from '../../store/store-view.ts';
import type { BrokerParts } from '../broker-parts.ts';
import { liteQueueOf } from '../lite/lite-name.ts';

/** Handlers of positions and bounds. */
export function offsetHandlers(broker: BrokerParts): HandlerTable<typeof offsetCommands> {
  const { store, offsets } = broker;
  const logical = broker.staticTopics?.offsets;
  return {
    queryConsumerOffset: (header) => {
      const local = (physical: typeof header): Answer => queryPosition(broker, physical);
      return logical?.query(header, local) ?? local(header);
    },
    updateConsumerOffset: (header) => {
      const local = (physical: typeof header): Answer => commitPosition(broker, physical);
      return logical?.update(header, local) ?? local(header);
    },

    searchOffsetByTimestamp: (header) => {
      if (header.liteTopic !== undefined && header.liteTopic.trim().length > 0) return searchLite(broker, header, header.liteTopic);
      const found = logical?.search(header);
      if (found !== undefined) return found;
      const boundary = boundaryOf(header.boundaryType);
      return ok(searchOffsetByTimestamp, { offset: store.queueOffsetByTime(header.topic, header.queueId, header.timestamp, boundary) });
    },
    getMaxOffset: (header) => logical?.max(header) ?? ok(getMaxOffset, { offset: store.maxQueueOffset(header.topic, header.queueId) }),
    getMinOffset: (header) => logical?.min(header) ?? ok(getMinOffset, { offset: store.minQueueOffset(header.topic, header.queueId) }),
    getEarliestMsgStoretime: (header) =>
      logical?.earliest(header) ?? ok(getEarliestMsgStoretime, { timestamp: store.earliestStoreTimestamp(header.topic, header.queueId) }),

    // Quoted queue ids: the fastjson2 of a 5.5.0 slave cannot skip `pullOffsetTable`, which its class lacks, when ids stand bare;
    // from a 5.5.0 master, which writes them bare, it gets no positions at all.
    getAllConsumerOffset: () => done(Buffer.from(stringifyJavaJson(consumerOffsetsValue(offsets.dump()), 'standard'))),
  };
}

function boundaryOf(text: string | undefined): TimeBoundary {
  return text?.toLowerCase() === 'upper' ? 'upper' : 'lower';
}

/** A lite topic has one queue; any other, and an empty one, answers 0 (since-5.4.md 2). */
function searchLite({ store }: BrokerParts, header: RequestOf<typeof searchOffsetByTimestamp>, liteTopic: string): Answer {
  const queue = liteQueueOf(header.topic, liteTopic);
  const offset = header.queueId === 0 ? store.queueOffsetByTime(queue, 0, header.timestamp, boundaryOf(header.boundaryType)) : 0;
  return ok(searchOffsetByTimestamp, { offset });
}

function queryPosition(broker: BrokerParts, header: RequestOf<typeof queryConsumerOffset>): Answer {
  const { consumerGroup, topic, queueId } = header;
  const position = broker.offsets.pendingReset(consumerGroup, topic, queueId) ?? broker.offsets.position(consumerGroup, topic, queueId);
  if (position >= 0) return ok(queryConsumerOffset, { offset: position });
  if (header.setZeroIfNotFound === false)
    return notFound('Not found, do not set to zero, maybe this group boot first', 'setZeroIfNotFound is false');
  if (startsFromFirst(broker, topic, queueId)) return ok(queryConsumerOffset, { offset: 0 });
  return notFound('Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first', 'the head of the queue is deleted or on disk');
}

/**
 * Whether a group without a position reads a queue from its first message: the message is still in memory (broker.md
 * 12.1), or there is none yet. Apache says "not found" for the empty queue; its client then asks for the end of the
 * queue, and a message that arrives between the two questions is never consumed.
 */
function startsFromFirst({ store, topics }: BrokerParts, topic: string, queueId: number): boolean {
  if (store.minQueueOffset(topic, queueId) > 0) return false;
  if (store.maxQueueOffset(topic, queueId) === 0) {
    const config = topics.topic(topic);
    return config !== undefined && queueId >= 0 && queueId < Math.max(config.readQueueNums, config.writeQueueNums);
  }
  const first = store.consumeQueueRow(topic, queueId, 0);
  return first !== undefined && store.isInMemory(first.physicalOffset);
}

/** No position: a client library goes on by its own consume-from rule. */
function notFound(legacy: string, cause: string): Answer {
  return refusal({
    slug: 'position-not-stored',
    code: ResponseCode.QUERY_NOT_FOUND,
    legacy,
    cause: `the group has committed no position in this queue, and ${cause}`,
    remedy: 'begin where your consume-from rule says, then commit',
    ext: {},
  });
}

function commitPosition(broker: BrokerParts, header: RequestOf<typeof updateConsumerOffset>): Answer {
  const { consumerGroup, topic, queueId, commitOffset } = header;
  if (broker.groups.group(consumerGroup) === undefined)
    return refuse('group-not-exist', ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `Group ${consumerGroup} not exist!`, {
      remedy: `create it: mqadmin updateSubGroup -g ${consumerGroup}`,
    });
  if (broker.topics.topic(topic) === undefined)
    return refuse('topic-not-exist', ResponseCode.TOPIC_NOT_EXIST, `Topic ${topic} not exist!`, {
      remedy: `create it: mqadmin updateTopic -t ${topic}`,
    });
  if (queueId === undefined)
    return refuse('queue-id-missing', ResponseCode.INVALID_PARAMETER, `QueueId is null, topic is ${topic}`, { remedy: 'send queueId' });
  if (commitOffset === undefined)
    return refuse('offset-missing', ResponseCode.INVALID_PARAMETER, `Offset is null, topic is ${topic}`, { remedy: 'send commitOffset' });
  if (queueId < 0 || commitOffset < 0)
    return refuse('position-negative', ResponseCode.INVALID_PARAMETER, `Queue id or offset is negative, topic is ${topic}`, {
      measured: `queueId ${queueId}, commitOffset ${commitOffset}`,
      remedy: 'positions begin at 0',
    });
  if (broker.offsets.pendingReset(consumerGroup, topic, queueId) !== undefined)
    return { code: ResponseCode.SUCCESS, remark: 'Offset has been previously reset', ext: {} };
  broker.offsets.commit(consumerGroup, topic, queueId, commitOffset);
  return { code: ResponseCode.SUCCESS, ext: {} };
}

function refuse(slug: string, code: number, legacy: string, more: Pick<RefusalParts, 'cause' | 'measured' | 'remedy'>): Answer {
  return refusal({ ...more, slug, code, legacy, ext: {} });
}
