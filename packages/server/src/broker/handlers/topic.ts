/** Topic administration: 17, 18, 21, 215, 305, 351 (broker.md 24). */
import { type DataVersion, decodeDataVersion } from '@perigee/core/protocol/bodies/data-version';
import { BodyError, JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { encodeTopicConfig, encodeTopicConfigTable, readTopicConfig, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import { encodeTopicList } from '@perigee/core/protocol/bodies/topic-list';
import type { TopicQueueMappingDetail } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import type { RequestOf } from '@perigee/core/protocol/command';
import { getAllTopicConfig, type topicCommands, type updateAndCreateTopic } from '@perigee/core/protocol/commands/topic';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable, ok } from '@perigee/core/remoting/handler';
import { ATTRIBUTES_REMEDY, parseAttributes } from '../attributes.ts';
import type { BrokerParts } from '../broker-parts.ts';
import { popRetryTopicsOf, TOPIC_NAME_REMEDY, topicNameProblem } from '../names.ts';
import { bodyRefusal, notPersisted, withBody } from './request-body.ts';

/** Topics in one UPDATE_AND_CREATE_TOPIC_LIST. */
const TOPICS_PER_LIST_MAX = 10_000;

/** Handlers of topic administration. */
export function topicHandlers(broker: BrokerParts): HandlerTable<typeof topicCommands> {
  return {
    updateAndCreateTopic: (header) => updateTopic(broker, header),

    updateAndCreateTopicList: (_header, request) =>
      withBody(request.body, decodeTopicConfigList, (configs) => updateTopics(broker, configs)),

    deleteTopicInBroker: (header) => deleteTopic(broker, header.topic ?? ''),

    getAllTopicConfig: (header) =>
      pagingVersion(header.dataVersion, (version) => {
        const topicConfigTable = broker.topics.page({ seq: header.topicSeq, max: header.maxTopicNum, version });
        const body = encodeTopicConfigTable({
          dataVersion: broker.topics.dataVersion,
          mappingDataVersion: broker.staticTopics?.mappings.dataVersion ?? {
            counter: 0,
            stateVersion: 0,
            timestamp: broker.bootTimestampMs,
          },
          topicConfigTable,
          topicQueueMappingInfoMap: new Map(),
          topicQueueMappingDetailMap: mappingsOf(broker, topicConfigTable.keys()),
        });
        return ok(getAllTopicConfig, { totalTopicNum: broker.topics.size }, body);
      }),

    getTopicConfig: (header) => {
      const topic = broker.topics.topic(header.topic);
      const mapping = header.lo === true ? broker.staticTopics?.mappings.mapping(header.topic) : undefined;
      if (topic !== undefined) return done(encodeTopicConfig(topic, mapping));
      return refusal({
        slug: 'topic-not-exist',
        code: ResponseCode.TOPIC_NOT_EXIST,
        legacy: `No topic in this broker. topic: ${header.topic}`,
        remedy: `create it: mqadmin updateTopic -t ${header.topic}`,
      });
    },

    getSystemTopicListFromBroker: () => done(encodeTopicList({ topicList: broker.topics.systemNames() })),
  };
}

/** The mappings of those topics that are static. */
function mappingsOf({ staticTopics }: BrokerParts, topics: Iterable<string>): Map<string, TopicQueueMappingDetail> {
  const found = new Map<string, TopicQueueMappingDetail>();
  if (staticTopics === undefined || staticTopics.mappings.size === 0) return found;
  for (const topic of topics) {
    const mapping = staticTopics.mappings.mapping(topic);
    if (mapping !== undefined) found.set(topic, mapping);
  }
  return found;
}

/**
 * Reads the DataVersion in the header of a dump in pages (21, 201): '' on the first page, undefined when the header
 * lacks it; then serves the request.
 */
export function pagingVersion(text: string | undefined, serve: (version: DataVersion | '' | undefined) => Answer): Answer {
  if (text === undefined || text === '') return serve(text);
  let version: DataVersion;
  try {
    version = decodeDataVersion(text);
  } catch (error) {
    if (error instanceof BodyError) return bodyRefusal(error);
    throw error;
  }
  return serve(version);
}

function decodeTopicConfigList(body: Buffer): TopicConfig[] {
  const list = JsonShape.parse(body, 'CreateTopicListRequestBody').field('topicConfigList');
  const configs: TopicConfig[] = [];
  for (const item of list.items()) {
    if (configs.length >= TOPICS_PER_LIST_MAX) list.fail(`has more than ${TOPICS_PER_LIST_MAX} topics`);
    configs.push(readTopicConfig(item));
  }
  return configs;
}

async function updateTopic(broker: BrokerParts, header: RequestOf<typeof updateAndCreateTopic>): Promise<Answer> {
  const attributes = parseAttributes(header.attributes ?? '');
  if (typeof attributes === 'string')
    return refusal({ slug: 'topic-attribute', code: ResponseCode.SYSTEM_ERROR, legacy: attributes, remedy: ATTRIBUTES_REMEDY });
  return updateTopics(broker, [
    {
      topicName: header.topic ?? '',
      readQueueNums: header.readQueueNums,
      writeQueueNums: header.writeQueueNums,
      perm: header.perm,
      topicFilterType: header.topicFilterType === 'MULTI_TAG' ? 'MULTI_TAG' : 'SINGLE_TAG',
      topicSysFlag: header.topicSysFlag ?? 0,
      order: header.order ?? false,
      attributes,
    },
  ]);
}

/** All or nothing. Apache skips the rest of a list after the first topic that is equal to what is stored; that is not kept. */
async function updateTopics(broker: BrokerParts, configs: readonly TopicConfig[]): Promise<Answer> {
  for (const config of configs) {
    const refused = broker.topics.check(config);
    if (refused !== undefined) return refused;
  }
  for (const config of configs) {
    const refused = broker.topics.update(config);
    if (refused !== undefined) return refused;
  }
  const failure = await broker.topics.settled();
  return failure === undefined ? done() : notPersisted('the topic configuration', failure);
}

async function deleteTopic(broker: BrokerParts, topic: string): Promise<Answer> {
  if (topic.trim() === '') {
    const legacy = topicNameProblem(topic) as string;
    return refusal({ slug: 'topic-name', code: ResponseCode.INVALID_PARAMETER, legacy, remedy: TOPIC_NAME_REMEDY });
  }
  if (broker.settings.validateSystemTopicWhenUpdateTopic && broker.topics.isSystem(topic))
    return refusal({
      slug: 'system-topic',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `The topic[${topic}] is conflict with system topic.`,
      cause: 'the topic belongs to the broker itself',
      remedy: 'leave it; the broker needs it',
    });
  const names = [topic];
  if (broker.settings.clearRetryTopicWhenDeleteTopic)
    for (const group of broker.offsets.groupsOf(topic))
      for (const retryTopic of popRetryTopicsOf(topic, group)) if (broker.topics.topic(retryTopic) !== undefined) names.push(retryTopic);
  // The tables first: a send that arrives while the files go must find no topic (no await before this is done).
  for (const name of names) {
    broker.topics.remove(name);
    broker.offsets.removeTopic(name);
    broker.stats.removeTopic(name);
  }
  await Promise.all(names.map((name) => broker.store.removeTopic(name)));
  const failure = (await broker.topics.settled()) ?? (await broker.staticTopics?.mappings.settled());
  return failure === undefined ? done() : notPersisted('the topic configuration', failure);
}
