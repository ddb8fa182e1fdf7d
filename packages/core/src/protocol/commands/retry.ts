/** Messages that a consumer could not handle (remoting.md 7.6). */
import { bool, command, int, long, str } from '../command.ts';

const consumerSendMsgBack = command({
  code: 36,
  name: 'CONSUMER_SEND_MSG_BACK',
  from: 'client',
  to: 'broker',
  doc: 'Puts a message back to be consumed later, or into the dead-letter queue.',
  request: {
    offset: long('physical offset of the message'),
    group: str('consumer group'),
    delayLevel: int('0 the broker decides, below 0 dead-letter queue, else the delay level'),
    originMsgId: str('id of the message').optional(),
    originTopic: str('topic of the message').optional(),
    unitMode: bool('unit mode').optional(),
    maxReconsumeTimes: int('retries before the dead-letter queue').optional(),
    brokerName: str('name of the broker addressed').as('bname').optional(),
  },
  response: {},
  access: 'SUB group',
});

export const retryCommands = { consumerSendMsgBack } as const;
