/** Requests that a broker passes on to a client (remoting.md 8, broker.md 15). */
import { bool, command, str } from '../command.ts';

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

/** What a broker serves of this file. */
export const relayCommands = { getConsumerRunningInfo } as const;
