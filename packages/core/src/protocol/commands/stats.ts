/** Who is connected and how far everybody is (broker.md 23, 24; remoting.md 9.5). */
import { command, str } from '../command.ts';

export const getTopicStatsInfo = command({
  code: 202,
  name: 'GET_TOPIC_STATS_INFO',
  from: ['admin', 'broker'],
  to: 'broker',
  doc: 'Reads the bounds and the last store time of every queue of a topic.',
  request: { topic: str('topic') },
  response: {},
  responseBody: 'TopicStatsTable JSON',
  access: 'GET topic',
});

export const getConsumerConnectionList = command({
  code: 203,
  name: 'GET_CONSUMER_CONNECTION_LIST',
  from: ['admin', 'client'],
  to: 'broker',
  doc: 'Lists the connections and subscriptions of a consumer group.',
  request: { consumerGroup: str('consumer group') },
  response: {},
  responseBody: 'ConsumerConnection JSON',
  access: 'GET group',
});

export const getProducerConnectionList = command({
  code: 204,
  name: 'GET_PRODUCER_CONNECTION_LIST',
  from: 'admin',
  to: 'broker',
  doc: 'Lists the connections of a producer group.',
  request: { producerGroup: str('producer group') },
  response: {},
  responseBody: 'ProducerConnection JSON',
  access: 'GET cluster',
});

export const getConsumeStats = command({
  code: 208,
  name: 'GET_CONSUME_STATS',
  from: 'admin',
  to: 'broker',
  doc: 'Reads how far a group is in every queue that it reads.',
  request: {
    consumerGroup: str('consumer group'),
    topic: str('only this topic').optional(),
    topicList: str('only these topics, separated by ";"').optional(),
  },
  response: {},
  responseBody: 'ConsumeStats JSON',
  access: 'GET group',
});

export const queryTopicConsumeByWho = command({
  code: 300,
  name: 'QUERY_TOPIC_CONSUME_BY_WHO',
  from: 'admin',
  to: 'broker',
  doc: 'Lists the groups that read a topic, now or before.',
  request: { topic: str('topic') },
  response: {},
  responseBody: 'GroupList JSON',
  access: 'GET topic',
});

export const viewBrokerStatsData = command({
  code: 315,
  name: 'VIEW_BROKER_STATS_DATA',
  from: 'admin',
  to: 'broker',
  doc: 'Reads one figure over the last minute, hour and day.',
  request: { statsName: str('name of the figure, e.g. TOPIC_PUT_NUMS'), statsKey: str('topic, or topic@group, or cluster') },
  response: {},
  responseBody: 'BrokerStatsData JSON',
  access: 'GET cluster',
});

export const getAllProducerInfo = command({
  code: 328,
  name: 'GET_ALL_PRODUCER_INFO',
  from: 'admin',
  to: 'broker',
  doc: 'Lists the connections of all producer groups.',
  request: {},
  response: {},
  responseBody: 'ProducerTableInfo JSON',
  access: 'GET cluster',
});

/** What a broker serves of this file. */
export const statsCommands = {
  getTopicStatsInfo,
  getConsumerConnectionList,
  getProducerConnectionList,
  getConsumeStats,
  queryTopicConsumeByWho,
  viewBrokerStatsData,
  getAllProducerInfo,
} as const;
