/** HEART_BEAT 34, UNREGISTER_CLIENT 35, GET_CONSUMER_LIST_BY_GROUP 38, CHECK_CLIENT_CONFIG 46 (broker.md 13). */
import { EXPRESSION_SQL92, isTagType } from '@perigee/core/filter/tag-filter';
import {
  type CheckClientRequest,
  type ConsumerData,
  decodeCheckClientRequest,
  decodeHeartbeatData,
  encodeConsumerList,
  type HeartbeatData,
} from '@perigee/core/protocol/bodies/heartbeat';
import { PERM_READ, PERM_WRITE, TOPIC_FLAG_UNIT_SUB } from '@perigee/core/protocol/bodies/topic-config';
import { type clientCommands, getConsumerListByGroup, heartBeat } from '@perigee/core/protocol/commands/client';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable, type IncomingRequest, ok } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';
import type { ClientIdentity } from '../client-channel.ts';
import { CONSUMER_GROUPS_PER_CONNECTION_MAX } from '../consumer-table.ts';
import { retryTopicOf } from '../names.ts';
import { PRODUCER_GROUPS_PER_CONNECTION_MAX } from '../producer-table.ts';
import { withBody } from './request-body.ts';

/** Handlers of heartbeats and memberships. */
export function clientHandlers(broker: BrokerParts): HandlerTable<typeof clientCommands> {
  return {
    heartBeat: (_header, request) => withBody(request.body, decodeHeartbeatData, (heartbeat) => takeHeartbeat(broker, heartbeat, request)),

    unregisterClient: (header, request) => {
      if (header.producerGroup !== undefined) broker.producers.unregister(header.producerGroup, request.peer);
      if (header.consumerGroup !== undefined) broker.consumers.unregister(header.consumerGroup, request.peer);
      return { code: ResponseCode.SUCCESS, ext: {} };
    },

    getConsumerListByGroup: (header) => {
      const clientIds = broker.consumers.group(header.consumerGroup)?.clientIds() ?? [];
      if (clientIds.length > 0) return ok(getConsumerListByGroup, {}, encodeConsumerList(clientIds));
      return refusal({
        slug: 'no-consumer',
        code: ResponseCode.SYSTEM_ERROR,
        legacy: `no consumer for this group, ${header.consumerGroup}`,
        cause: 'no client of the group has sent a heartbeat on a live connection',
        remedy: 'start a consumer of the group',
        ext: {},
      });
    },

    checkClientConfig: (_header, request) => withBody(request.body, decodeCheckClientRequest, (check) => checkFilter(broker, check)),
  };
}

function takeHeartbeat(broker: BrokerParts, heartbeat: HeartbeatData, request: IncomingRequest): Answer {
  const client: ClientIdentity = {
    peer: request.peer,
    clientId: heartbeat.clientID,
    language: request.language,
    version: request.version,
  };
  const fingerprint = heartbeat.heartbeatFingerprint;
  // Version 1 always says that it wants the subscriptions: it sends them each time.
  let subscriptionChanged = fingerprint === 0;
  if (
    !broker.consumers.mayJoin(
      request.peer,
      heartbeat.consumerDataSet.map(({ groupName }) => groupName),
    )
  )
    return refusal({
      slug: 'too-many-consumer-groups',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `client ${client.clientId} has too many consumer groups`,
      measured: `at most ${CONSUMER_GROUPS_PER_CONNECTION_MAX} for a connection`,
      remedy: 'spread them over several clients',
    });
  const { clock } = broker.platform;
  const cluster = broker.settings.brokerClusterName;
  for (const consumer of heartbeat.consumerDataSet) {
    const startedMs = clock.monotonicMs();
    const isRegistered = registerConsumer(broker, client, consumer, fingerprint !== 0 && heartbeat.withoutSub);
    broker.stats.count('CONSUMER_REGISTER_TIME', cluster, clock.monotonicMs() - startedMs);
    if (!isRegistered) continue;
    if (fingerprint === 0) continue;
    if (broker.consumers.noteFingerprint(consumer.groupName, fingerprint, heartbeat.withoutSub)) subscriptionChanged = true;
  }
  for (const group of heartbeat.producerDataSet) {
    const startedMs = clock.monotonicMs();
    const isRegistered = broker.producers.register(group, client);
    broker.stats.count('PRODUCER_REGISTER_TIME', cluster, clock.monotonicMs() - startedMs);
    if (!isRegistered)
      return refusal({
        slug: 'too-many-producer-groups',
        code: ResponseCode.SYSTEM_ERROR,
        legacy: `client ${client.clientId} has too many producer groups`,
        measured: `at most ${PRODUCER_GROUPS_PER_CONNECTION_MAX} for a connection`,
        remedy: 'share producer groups, or spread them over several clients',
      });
  }
  return ok(heartBeat, { supportsV2: true, subscriptionChanged });
}

/** Answers false for a group that this broker does not take (broker.md 13.1: the client hears nothing of it). */
function registerConsumer(broker: BrokerParts, client: ClientIdentity, consumer: ConsumerData, isLight: boolean): boolean {
  if (broker.settings.rejectPullConsumerEnable && consumer.consumeType === 'CONSUME_ACTIVELY') return false;
  const config = broker.groups.findOrCreate(consumer.groupName);
  if (config === undefined) return false;
  broker.topics.createInternal({
    topic: retryTopicOf(consumer.groupName),
    queueNums: config.retryQueueNums,
    perm: PERM_READ | PERM_WRITE,
    topicSysFlag: consumer.unitMode ? TOPIC_FLAG_UNIT_SUB : 0,
    // A light heartbeat has no subscriptions to tell whether the group reads an ordered topic.
    order: isLight ? undefined : consumer.subscriptionDataSet.some((data) => broker.topics.topic(data.topic)?.order === true),
  });
  broker.consumers.register({
    group: consumer.groupName,
    client,
    consumeType: consumer.consumeType,
    messageModel: consumer.messageModel,
    consumeFromWhere: consumer.consumeFromWhere,
    subscriptions: isLight ? undefined : consumer.subscriptionDataSet,
    notify: config.notifyConsumerIdsChangedEnable,
  });
  if (!isLight && !client.peer.closed) broker.filters.register(consumer.groupName, consumer.subscriptionDataSet);
  return true;
}

function checkFilter(broker: BrokerParts, { subscriptionData }: CheckClientRequest): Answer {
  if (subscriptionData === undefined || isTagType(subscriptionData.expressionType)) return done();
  const { expressionType, subString } = subscriptionData;
  if (!broker.settings.enablePropertyFilter || expressionType !== EXPRESSION_SQL92)
    return refusal({
      slug: 'property-filter-off',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `The broker does not support consumer to filter message by ${expressionType}`,
      cause: broker.settings.enablePropertyFilter ? 'only TAG and SQL92 are known' : 'enablePropertyFilter is false',
      remedy: broker.settings.enablePropertyFilter ? 'filter by SQL92' : 'set enablePropertyFilter=true on the broker',
    });
  const compiled = broker.compiledFilters.get(subString);
  if (compiled.valid) return done();
  return refusal({
    slug: 'sql-syntax',
    code: ResponseCode.SUBSCRIPTION_PARSE_FAILED,
    legacy: compiled.legacy,
    cause: compiled.cause,
    remedy: 'correct the expression of the subscription',
  });
}
