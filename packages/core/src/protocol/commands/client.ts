/** Heartbeats and client membership (remoting.md 7.5, 8.1; broker.md 13). */
import { bool, command, str } from '../command.ts';

export const heartBeat = command({
  code: 34,
  name: 'HEART_BEAT',
  from: 'client',
  to: 'broker',
  doc: 'Registers the producer and consumer groups of a connection, with their subscriptions.',
  request: {},
  response: {
    supportsV2: bool('the broker stores heartbeat fingerprints').as('IS_SUPPORT_HEART_BEAT_V2'),
    subscriptionChanged: bool('the client has to send its subscriptions again').as('IS_SUB_CHANGE'),
  },
  requestBody: 'HeartbeatData JSON',
  access: 'SUB topic and group of every subscription',
});

export const unregisterClient = command({
  code: 35,
  name: 'UNREGISTER_CLIENT',
  from: 'client',
  to: 'broker',
  doc: 'Takes this connection out of a producer group, a consumer group or both.',
  request: {
    clientID: str('client id').optional(),
    producerGroup: str('producer group to leave').optional(),
    consumerGroup: str('consumer group to leave').optional(),
  },
  response: {},
  access: 'SUB group',
});

export const getConsumerListByGroup = command({
  code: 38,
  name: 'GET_CONSUMER_LIST_BY_GROUP',
  from: 'client',
  to: 'broker',
  doc: 'Lists the client ids of a consumer group.',
  request: { consumerGroup: str('consumer group') },
  response: {},
  responseBody: 'GetConsumerListByGroup JSON',
  access: 'SUB group',
});

export const notifyConsumerIdsChanged = command({
  code: 40,
  name: 'NOTIFY_CONSUMER_IDS_CHANGED',
  from: 'broker',
  to: 'client',
  doc: 'Tells a consumer that its group changed and that it should rebalance now.',
  request: { consumerGroup: str('consumer group') },
  response: {},
  oneway: true,
});

export const checkClientConfig = command({
  code: 46,
  name: 'CHECK_CLIENT_CONFIG',
  from: 'client',
  to: 'broker',
  doc: 'Asks whether the broker accepts a filter expression.',
  request: {},
  response: {},
  requestBody: 'CheckClientRequestBody JSON',
  access: 'SUB topic and group of the body',
});

/** What a broker serves of this file. */
export const clientCommands = { heartBeat, unregisterClient, getConsumerListByGroup, checkClientConfig } as const;
