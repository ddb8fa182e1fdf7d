/** Topic administration on a broker (remoting.md 7.8, 9.3, 9.5; broker.md 24). */
import { bool, command, int, str } from '../command.ts';

export const updateAndCreateTopic = command({
  code: 17,
  name: 'UPDATE_AND_CREATE_TOPIC',
  from: ['client', 'admin'],
  to: 'broker',
  doc: 'Creates a topic or replaces its settings.',
  request: {
    topic: str('topic').optional(),
    defaultTopic: str('not used by the broker').optional(),
    readQueueNums: int('queues that can be read'),
    writeQueueNums: int('queues that can be written'),
    perm: int('2 write, 4 read, 1 inherit'),
    topicFilterType: str('SINGLE_TAG (default) or MULTI_TAG').optional(),
    topicSysFlag: int('1 unit, 2 has a unit subscription').optional(),
    order: bool('ordered topic').optional(),
    attributes: str('+key=value,-key').optional(),
    force: bool('not used by the broker').optional(),
  },
  response: {},
  access: 'CREATE topic',
});

export const updateAndCreateTopicList = command({
  code: 18,
  name: 'UPDATE_AND_CREATE_TOPIC_LIST',
  from: 'admin',
  to: 'broker',
  doc: 'Creates or updates several topics.',
  request: {},
  response: {},
  requestBody: '{"topicConfigList":[TopicConfig]} JSON',
  access: 'CREATE topics of the body',
});

export const updateAndCreateStaticTopic = command({
  code: 513,
  name: 'UPDATE_AND_CREATE_STATIC_TOPIC',
  from: 'admin',
  to: 'broker',
  doc: 'Creates a static topic or replaces its settings and its logical queues on this broker.',
  request: {
    ...updateAndCreateTopic.request,
    force: bool('take the mapping whatever the broker has').optional(),
  },
  response: {},
  requestBody: 'TopicQueueMappingDetail JSON',
  access: 'CREATE topic',
});

export const deleteTopicInBroker = command({
  code: 215,
  name: 'DELETE_TOPIC_IN_BROKER',
  from: 'admin',
  to: 'broker',
  doc: 'Deletes a topic, its queues and the positions in it; the CommitLog keeps its bytes.',
  request: { topic: str('topic').optional() },
  response: {},
  access: 'DELETE topic',
});

export const getAllTopicConfig = command({
  code: 21,
  name: 'GET_ALL_TOPIC_CONFIG',
  from: ['broker', 'admin'],
  to: 'broker',
  doc: 'Dumps the topics of the broker, in pages when all three header fields are there.',
  request: {
    topicSeq: int('first topic of the page, by name').optional(),
    dataVersion: str('DataVersion JSON of the page before, empty first').optional(),
    maxTopicNum: int('largest page').optional(),
  },
  response: { totalTopicNum: int('number of topics').optional() },
  responseBody: 'TopicConfigAndMappingSerializeWrapper JSON',
  access: 'LIST topic',
});

export const getTopicConfig = command({
  code: 351,
  name: 'GET_TOPIC_CONFIG',
  from: ['admin', 'broker'],
  to: 'broker',
  doc: 'Reads the settings of one topic.',
  request: { topic: str('topic'), lo: bool('with the logical queue mapping').optional() },
  response: {},
  responseBody: 'TopicConfig JSON, with mappingDetail for a static topic',
  access: 'GET topic',
});

export const getSystemTopicListFromBroker = command({
  code: 305,
  name: 'GET_SYSTEM_TOPIC_LIST_FROM_BROKER',
  from: 'admin',
  to: 'broker',
  doc: 'Lists the names of the system topics.',
  request: {},
  response: {},
  responseBody: 'TopicList JSON',
  access: 'LIST topic',
});

/** What a broker serves of this file for static topics. */
export const staticTopicCommands = { updateAndCreateStaticTopic } as const;

/** What a broker serves of this file. */
export const topicCommands = {
  updateAndCreateTopic,
  updateAndCreateTopicList,
  deleteTopicInBroker,
  getAllTopicConfig,
  getTopicConfig,
  getSystemTopicListFromBroker,
} as const;
