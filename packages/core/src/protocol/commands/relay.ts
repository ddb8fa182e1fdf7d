/** Requests that a broker passes on to a client (remoting.md 8, broker.md 15). */
import { bool, command, int, str } from '../command.ts';

export const getConsumerRunningInfo = command({
  code: 307,
  name: 'GET_CONSUMER_RUNNING_INFO',
  from: ['admin', 'broker'],
  to: ['broker', 'client'],
  doc: 'Reads what a consumer is doing; the broker passes question and answer on.',
  request: {
    consumerGroup: str('consumer group'),
    clientId: str('client id'),
    jstackEnable: bool('with the stacks of its threads').optional(),
  },
  response: {},
  responseBody: 'ConsumerRunningInfo JSON',
  access: 'GET group',
});

const consumeMessageDirectly = command({
  code: 309,
  name: 'CONSUME_MESSAGE_DIRECTLY',
  from: ['admin', 'broker'],
  to: ['broker', 'client'],
  doc: 'Hands one stored message to a chosen consumer; the broker adds the record and passes the answer on.',
  request: {
    consumerGroup: str('consumer group'),
    clientId: str('client id').optional(),
    msgId: str('offset message id').optional(),
    brokerName: str('name of the broker').optional(),
    topic: str('topic').optional(),
    topicSysFlag: int('set by the broker').optional(),
    groupSysFlag: int('set by the broker').optional(),
  },
  response: {},
  responseBody: 'ConsumeMessageDirectlyResult JSON',
  access: 'UPDATE group',
});

/** What a broker serves of this file. */
export const relayCommands = { getConsumerRunningInfo, consumeMessageDirectly } as const;
