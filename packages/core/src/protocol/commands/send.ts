/** Sending messages (remoting.md 7.1). The long and the short form declare the same fields in the same order. */
import { bool, command, int, long, str } from '../command.ts';

/** Field names in full (10, 324). Apache does without a group and, for a topic that exists, without a template. */
export const longForm = {
  producerGroup: str('group of the sender').optional(),
  topic: str('target topic'),
  defaultTopic: str('template topic for auto-creation, TBW102').optional(),
  defaultTopicQueueNums: int('queues wanted when the topic is created').optional(),
  queueId: int('target queue; below 0 the broker chooses a write queue'),
  sysFlag: int('bits of remoting.md 11'),
  bornTimestamp: long('when the client built the message', 'ms'),
  flag: int('free for the application'),
  properties: str('name U+0001 value U+0002 …').optional(),
  reconsumeTimes: int('times consumed before, for retry topics').optional(),
  unitMode: bool('unit mode').optional(),
  maxReconsumeTimes: int('retries before the dead-letter queue').optional(),
  batch: bool('the body holds several messages').optional(),
  brokerName: str('name of the broker addressed').as('bname').optional(),
  lo: bool('false: the queue id is not that of a logical queue').optional(),
};

export const sendResponse = {
  msgId: str('offset message id; comma-joined for a batch'),
  queueId: int('queue it was stored in'),
  queueOffset: long('queue offset, of the first message of a batch'),
  transactionId: str('UNIQ_KEY of the message').optional(),
  batchUniqId: str('UNIQ_KEY of an inner batch').optional(),
  recallHandle: str('handle to cancel a timer message').optional(),
};

export const sendMessage = command({
  code: 10,
  name: 'SEND_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'Stores a message; long field names.',
  request: longForm,
  response: sendResponse,
  requestBody: 'message body',
  access: 'PUB topic (to %RETRY%group: SUB group)',
});

/** The same with one-letter names (310, 320, 325). */
export const shortForm = {
  producerGroup: longForm.producerGroup.as('a'),
  topic: longForm.topic.as('b'),
  defaultTopic: longForm.defaultTopic.as('c'),
  defaultTopicQueueNums: longForm.defaultTopicQueueNums.as('d'),
  queueId: longForm.queueId.as('e'),
  sysFlag: longForm.sysFlag.as('f'),
  bornTimestamp: longForm.bornTimestamp.as('g'),
  flag: longForm.flag.as('h'),
  properties: longForm.properties.as('i'),
  reconsumeTimes: longForm.reconsumeTimes.as('j'),
  unitMode: longForm.unitMode.as('k'),
  maxReconsumeTimes: longForm.maxReconsumeTimes.as('l'),
  batch: longForm.batch.as('m'),
  brokerName: longForm.brokerName.as('n'),
  lo: longForm.lo,
};

export const sendMessageV2 = command({
  code: 310,
  name: 'SEND_MESSAGE_V2',
  from: 'client',
  to: 'broker',
  doc: 'Stores a message; one-letter field names.',
  request: shortForm,
  response: sendResponse,
  requestBody: 'message body',
  access: 'PUB topic (to %RETRY%group: SUB group)',
});

export const sendBatchMessage = command({
  code: 320,
  name: 'SEND_BATCH_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'Stores several messages of one queue; one-letter field names.',
  request: shortForm,
  response: sendResponse,
  requestBody: 'messages as remoting.md 10.4',
  access: 'PUB topic',
});
