/** Consumer positions and queue bounds (remoting.md 7.3, broker.md 12). */
import { bool, command, int, long, str } from '../command.ts';

/** The queue id is a physical one where this is false (static topics). */
const LOGICAL = bool('false: the queue id is not that of a logical queue').optional();

export const queryConsumerOffset = command({
  code: 14,
  name: 'QUERY_CONSUMER_OFFSET',
  from: 'client',
  to: 'broker',
  doc: 'Reads the committed position of a group in one queue.',
  request: {
    consumerGroup: str('consumer group'),
    topic: str('topic'),
    queueId: int('queue'),
    setZeroIfNotFound: bool('answer 0 for a queue that can be read from its first message (default true)').optional(),
    lo: LOGICAL,
  },
  response: { offset: long('next queue offset to consume') },
  access: 'SUB topic, group',
});

export const updateConsumerOffset = command({
  code: 15,
  name: 'UPDATE_CONSUMER_OFFSET',
  from: ['client', 'admin'],
  to: 'broker',
  doc: 'Commits the position of a group in one queue.',
  request: {
    consumerGroup: str('consumer group'),
    topic: str('topic'),
    queueId: int('queue').optional(),
    commitOffset: long('next queue offset to consume').optional(),
    lo: LOGICAL,
  },
  response: {},
  access: 'SUB topic, group',
});

export const searchOffsetByTimestamp = command({
  code: 29,
  name: 'SEARCH_OFFSET_BY_TIMESTAMP',
  from: ['client', 'admin'],
  to: 'broker',
  doc: 'Finds the queue offset of the message around a store time.',
  request: {
    topic: str('topic'),
    queueId: int('queue'),
    timestamp: long('store time looked for', 'ms'),
    boundaryType: str('LOWER (default): first message at or after the time; UPPER: last at or before').optional(),
    liteTopic: str('lite topic of the topic to look into').optional(),
    lo: LOGICAL,
  },
  response: { offset: long('queue offset') },
  access: 'SUB|PUB|GET topic',
});

export const getMaxOffset = command({
  code: 30,
  name: 'GET_MAX_OFFSET',
  from: ['client', 'admin', 'broker'],
  to: 'broker',
  doc: 'Reads the end of a queue: the queue offset of its next message.',
  request: { topic: str('topic'), queueId: int('queue'), committed: bool('ignored: always the visible end').optional(), lo: LOGICAL },
  response: { offset: long('queue offset of the next message') },
  access: 'SUB|PUB|GET topic',
});

export const getMinOffset = command({
  code: 31,
  name: 'GET_MIN_OFFSET',
  from: ['client', 'admin', 'broker'],
  to: 'broker',
  doc: 'Reads the start of a queue: the queue offset of its oldest message.',
  request: { topic: str('topic'), queueId: int('queue'), lo: LOGICAL },
  response: { offset: long('queue offset of the oldest message') },
  access: 'SUB|PUB|GET topic',
});

export const getEarliestMsgStoretime = command({
  code: 32,
  name: 'GET_EARLIEST_MSG_STORETIME',
  from: ['client', 'admin'],
  to: 'broker',
  doc: 'Reads the store time of the oldest message of a queue.',
  request: { topic: str('topic'), queueId: int('queue'), lo: LOGICAL },
  response: { timestamp: long('store time, -1 when the queue is empty', 'ms') },
  access: 'SUB|PUB|GET topic',
});

export const getAllConsumerOffset = command({
  code: 43,
  name: 'GET_ALL_CONSUMER_OFFSET',
  from: ['broker', 'admin'],
  to: 'broker',
  doc: 'Dumps the committed positions of all groups, for a slave.',
  request: {},
  response: {},
  responseBody: 'consumer offsets JSON',
  access: 'GET cluster',
});

/** What a broker serves of this file. */
export const offsetCommands = {
  queryConsumerOffset,
  updateConsumerOffset,
  searchOffsetByTimestamp,
  getMaxOffset,
  getMinOffset,
  getEarliestMsgStoretime,
  getAllConsumerOffset,
} as const;
