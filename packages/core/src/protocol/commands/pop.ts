/** Pop consumption (remoting.md 7.9; broker.md 18). Client and broker speak it in JSON headers only: the codes do not fit into 16 bits. */
import { bool, command, int, long, str } from '../command.ts';

/** `initMode` of a group that starts at the first message; any other value starts it at the newest. */
export const POP_INIT_MIN = 0;
/** Most messages of one pop. */
export const POP_MESSAGES_MAX = 32;

const popResponse = {
  popTime: long('when the messages were taken; part of every receipt handle', 'ms'),
  invisibleTime: long('how long they stay invisible to others', 'ms'),
  reviveQid: int('queue of the revive topic; 999 for ordered pops'),
  restNum: long('messages left that the group could take'),
  startOffsetInfo: str('per queue: `mark queueId startOffset`, joined by ;').optional(),
  msgOffsetInfo: str('per queue: `mark queueId offset,offset…`, joined by ;').optional(),
  orderCountInfo: str('ordered pops: how often each message was taken before').optional(),
};

export const popMessage = command({
  code: 200050,
  name: 'POP_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'Takes messages that then stay invisible to the group until they are acknowledged or their time is over.',
  request: {
    consumerGroup: str('group'),
    topic: str('topic'),
    queueId: int('queue, -1 for all'),
    maxMsgNums: int('most messages wanted, 1 to 32'),
    invisibleTime: long('how long the messages stay invisible', 'ms'),
    pollTime: long('how long the request may be held while there is no message', 'ms'),
    bornTime: long('when the client sent the request; missing or 0: now', 'ms').optional(),
    initMode: int('where a new group starts: 0 first message, 1 newest'),
    expType: str('TAG (default) or SQL92').optional(),
    exp: str('filter expression; missing: every message').optional(),
    order: bool('one batch of a queue at a time').optional(),
    attemptId: str('a repeated ordered pop with the same id gets its messages again at once').optional(),
    brokerName: str('name of the broker addressed').as('bname').optional(),
  },
  response: popResponse,
  responseBody: 'records (remoting.md 10.5), concatenated',
  access: 'SUB topic and group',
});

export const ackMessage = command({
  code: 200051,
  name: 'ACK_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'Acknowledges one popped message.',
  request: {
    consumerGroup: str('group'),
    topic: str('topic that the message was read from; for a redelivery the retry topic'),
    queueId: int('queue'),
    extraInfo: str('receipt handle'),
    offset: long('queue offset of the message'),
    liteTopic: str('lite topic that the message belongs to').optional(),
    brokerName: str('name of the broker addressed').as('bname').optional(),
  },
  response: {},
  access: 'SUB topic and group',
});

export const batchAckMessage = command({
  code: 200151,
  name: 'BATCH_ACK_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'Acknowledges popped messages of several pops.',
  request: {},
  response: {},
  requestBody: 'BatchAckMessageRequestBody JSON',
  access: 'SUB topics and groups of the body',
});

export const changeMessageInvisibleTime = command({
  code: 200053,
  name: 'CHANGE_MESSAGE_INVISIBLETIME',
  from: 'client',
  to: 'broker',
  doc: 'Sets anew how long a popped message stays invisible; the old receipt handle is void after it.',
  request: {
    consumerGroup: str('group'),
    topic: str('topic that the message was read from'),
    queueId: int('queue'),
    extraInfo: str('receipt handle'),
    offset: long('queue offset of the message'),
    invisibleTime: long('from now on', 'ms'),
    liteTopic: str('lite topic that the message belongs to').optional(),
    suspend: bool('redelivery does not count as a failed attempt').optional(),
    brokerName: str('name of the broker addressed').as('bname').optional(),
  },
  response: {
    popTime: long('of the new receipt handle', 'ms'),
    invisibleTime: long('of the new receipt handle', 'ms'),
    reviveQid: int('of the new receipt handle'),
  },
  access: 'SUB topic and group',
});

export const peekMessage = command({
  code: 200052,
  name: 'PEEK_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'Reads what a pop would take, and takes nothing.',
  request: {
    consumerGroup: str('group'),
    topic: str('topic'),
    queueId: int('queue, -1 for all'),
    maxMsgNums: int('most messages wanted'),
    brokerName: str('name of the broker addressed').as('bname').optional(),
  },
  response: popResponse,
  responseBody: 'records (remoting.md 10.5), concatenated',
  access: 'SUB topic and group',
});

export const notification = command({
  code: 200054,
  name: 'NOTIFICATION',
  from: 'client',
  to: 'broker',
  doc: 'Asks whether a pop would find a message; held until there is one.',
  request: {
    consumerGroup: str('group'),
    topic: str('topic'),
    queueId: int('queue, -1 for all'),
    pollTime: long('how long the request may be held', 'ms'),
    bornTime: long('when the client sent it', 'ms').optional(),
    order: bool('queues whose batch is not acknowledged do not count').optional(),
    attemptId: str('of the ordered pop that follows').optional(),
    expType: str('TAG (default) or SQL92').optional(),
    exp: str('only messages that pass this filter count').optional(),
    brokerName: str('name of the broker addressed').as('bname').optional(),
  },
  response: { hasMsg: bool('there is a message'), pollingFull: bool('too many requests are held already') },
  access: 'SUB topic and group',
});

export const pollingInfo = command({
  code: 200055,
  name: 'POLLING_INFO',
  from: ['client', 'admin'],
  to: 'broker',
  doc: 'Counts the pops that are held for a group and queue.',
  request: {
    consumerGroup: str('group'),
    topic: str('topic'),
    queueId: int('queue, -1: pops of all queues'),
    brokerName: str('name of the broker addressed').as('bname').optional(),
  },
  response: { pollingNum: int('held pops') },
  access: 'SUB topic and group',
});

/** Served from the bytes of the request, without an object per header. */
export const popHotCommands = { popMessage, ackMessage } as const;
/** The other ones. */
export const popTableCommands = { batchAckMessage, changeMessageInvisibleTime, peekMessage, notification, pollingInfo } as const;
/** What a broker serves of this file. */
export const popCommands = { ...popHotCommands, ...popTableCommands } as const;
