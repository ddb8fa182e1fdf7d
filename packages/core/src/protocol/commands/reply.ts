/** Answers of consumers to requests (remoting.md 7.1, 8.7). */
import { bool, command, int, long, str } from '../command.ts';
import { longForm, sendResponse, shortForm } from './send.ts';

const sendReplyMessage = command({
  code: 324,
  name: 'SEND_REPLY_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'A reply to a request; long field names. The broker pushes it to the requesting client.',
  request: longForm,
  response: sendResponse,
  requestBody: 'reply body',
  access: 'PUB topic',
});

const sendReplyMessageV2 = command({
  code: 325,
  name: 'SEND_REPLY_MESSAGE_V2',
  from: 'client',
  to: 'broker',
  doc: 'A reply to a request; one-letter field names.',
  request: shortForm,
  response: sendResponse,
  requestBody: 'reply body',
  access: 'PUB topic',
});

/** Broker → requesting client; answered with 0 or 1. */
export const pushReplyMessageToClient = command({
  code: 326,
  name: 'PUSH_REPLY_MESSAGE_TO_CLIENT',
  from: 'broker',
  to: 'client',
  doc: 'Hands a reply to the client that asked.',
  request: {
    producerGroup: str('group of the replier'),
    topic: str('reply topic'),
    defaultTopic: str('template topic'),
    defaultTopicQueueNums: int('queues of the template'),
    queueId: int('queue'),
    sysFlag: int('bits of remoting.md 11'),
    bornTimestamp: long('when the replier built it', 'ms'),
    flag: int('free for the application'),
    properties: str('name U+0001 value U+0002 …').optional(),
    reconsumeTimes: int('0').optional(),
    unitMode: bool('unit mode'),
    bornHost: str('ip:port of the replier'),
    storeHost: str('ip:port of the broker'),
    storeTimestamp: long('when the broker had it', 'ms'),
  },
  response: {},
  requestBody: 'reply body',
});

export const replyCommands = { sendReplyMessage, sendReplyMessageV2 } as const;
