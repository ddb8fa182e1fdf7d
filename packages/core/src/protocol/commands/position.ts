/** Setting, copying and comparing the positions of groups (remoting.md 8.5, 8.6, 9.5). */
import { bool, command, int, long, str } from '../command.ts';

const invokeBrokerToResetOffset = command({
  code: 222,
  name: 'INVOKE_BROKER_TO_RESET_OFFSET',
  from: 'admin',
  to: 'broker',
  doc: 'Sets where a group goes on, by time or by queue offset.',
  request: {
    topic: str('topic'),
    group: str('consumer group'),
    timestamp: long('go on at this store time; -1: at the end', 'ms'),
    isForce: bool('also forward (client-side reset only)'),
    queueId: int('one queue; -1 or absent: all').optional(),
    offset: long('queue offset for that queue; -1 or absent: by time').optional(),
  },
  response: {},
  responseBody: 'ResetOffsetBody JSON',
  access: 'UPDATE topic and group',
});

/** Broker → consumer. */
export const resetConsumerClientOffset = command({
  code: 220,
  name: 'RESET_CONSUMER_CLIENT_OFFSET',
  from: 'broker',
  to: 'client',
  doc: 'Tells a consumer to go on at other positions.',
  request: {
    topic: str('topic'),
    group: str('consumer group'),
    timestamp: long('as asked', 'ms'),
    isForce: bool('false'),
    queueId: int('-1'),
  },
  response: {},
  requestBody: 'ResetOffsetBody JSON; for C++ clients a list',
  oneway: true,
});

const invokeBrokerToGetConsumerStatus = command({
  code: 223,
  name: 'INVOKE_BROKER_TO_GET_CONSUMER_STATUS',
  from: 'admin',
  to: 'broker',
  doc: 'Asks the consumers of a group how far they are.',
  request: { topic: str('topic'), group: str('consumer group'), clientAddr: str('client id; empty: all').optional() },
  response: {},
  responseBody: 'GetConsumerStatusBody JSON',
  access: 'GET topic and group',
});

/** Broker → consumer. */
export const getConsumerStatusFromClient = command({
  code: 221,
  name: 'GET_CONSUMER_STATUS_FROM_CLIENT',
  from: 'broker',
  to: 'client',
  doc: 'Asks a consumer how far it is.',
  request: { topic: str('topic'), group: str('consumer group') },
  response: {},
  responseBody: 'GetConsumerStatusBody JSON',
});

const queryConsumeTimeSpan = command({
  code: 303,
  name: 'QUERY_CONSUME_TIME_SPAN',
  from: 'admin',
  to: 'broker',
  doc: 'Reads oldest, newest and consumed store time of each queue.',
  request: { topic: str('topic'), group: str('consumer group') },
  response: {},
  responseBody: 'QueryConsumeTimeSpanBody JSON',
  access: 'GET topic and group',
});

const queryCorrectionOffset = command({
  code: 308,
  name: 'QUERY_CORRECTION_OFFSET',
  from: 'admin',
  to: 'broker',
  doc: 'Reads the smallest positions over groups.',
  request: {
    filterGroups: str('groups to leave out, joined by commas').optional(),
    compareGroup: str('group to compare with'),
    topic: str('topic'),
  },
  response: {},
  responseBody: 'QueryCorrectionOffsetBody JSON',
});

const cloneGroupOffset = command({
  code: 314,
  name: 'CLONE_GROUP_OFFSET',
  from: 'admin',
  to: 'broker',
  doc: 'Copies the positions of one group to another.',
  request: {
    srcGroup: str('group to copy from'),
    destGroup: str('group to copy to'),
    topic: str('one topic; empty: all of the group').optional(),
    offline: bool('also topics that the group does not subscribe to now').optional(),
  },
  response: {},
});

const queryTopicsByConsumer = command({
  code: 343,
  name: 'QUERY_TOPICS_BY_CONSUMER',
  from: 'admin',
  to: 'broker',
  doc: 'Lists the topics in which a group has positions.',
  request: { group: str('consumer group') },
  response: {},
  responseBody: 'TopicList JSON',
});

const querySubscriptionByConsumer = command({
  code: 345,
  name: 'QUERY_SUBSCRIPTION_BY_CONSUMER',
  from: 'admin',
  to: 'broker',
  doc: 'Reads the subscription of a group to a topic.',
  request: { group: str('consumer group'), topic: str('topic') },
  response: {},
  responseBody: 'QuerySubscriptionResponseBody JSON',
});

const queryConsumeQueue = command({
  code: 321,
  name: 'QUERY_CONSUME_QUEUE',
  from: 'admin',
  to: 'broker',
  doc: 'Reads rows of a ConsumeQueue.',
  request: {
    topic: str('topic'),
    queueId: int('queue'),
    index: long('first queue offset; below 0: counted from the end'),
    count: int('rows'),
    consumerGroup: str('group whose filter is evaluated').optional(),
  },
  response: {},
  responseBody: 'QueryConsumeQueueResponseBody JSON',
});

/** What a broker serves of this file. */
export const positionCommands = {
  invokeBrokerToResetOffset,
  invokeBrokerToGetConsumerStatus,
  queryConsumeTimeSpan,
  queryCorrectionOffset,
  cloneGroupOffset,
  queryTopicsByConsumer,
  querySubscriptionByConsumer,
  queryConsumeQueue,
} as const;
