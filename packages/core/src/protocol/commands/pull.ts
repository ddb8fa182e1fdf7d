/** Pulling messages (remoting.md 7.2). */
import { bool, command, int, long, str } from '../command.ts';

/** Bits of the pull's sysFlag. */
export const PULL_COMMIT_OFFSET = 1;
export const PULL_SUSPEND = 2;
export const PULL_SUBSCRIPTION = 4;

const request = {
  consumerGroup: str('group'),
  topic: str('topic'),
  queueId: int('queue'),
  queueOffset: long('first queue offset wanted'),
  maxMsgNums: int('most messages wanted'),
  sysFlag: int('1 commit, 2 may suspend, 4 subscription is in this header, 8 class filter, 16 lite pull'),
  commitOffset: long('queue offset to commit when bit 1 is set'),
  suspendTimeoutMillis: long('how long the pull may be held', 'ms'),
  subscription: str('filter expression when bit 4 is set').optional(),
  subVersion: long('version of the subscription', 'ms'),
  expressionType: str('TAG (default) or SQL92').optional(),
  maxMsgBytes: int('most bytes wanted', 'bytes').optional(),
  requestSource: int('-1 SDK, 0 to 2 a proxy').optional(),
  proxyFrowardClientId: str('client behind a proxy (spelt so on the wire)').optional(),
  brokerName: str('name of the broker addressed').as('bname').optional(),
  liteTopic: str('light topic to read instead').optional(),
  lo: bool('false: the queue id is not that of a logical queue').optional(),
};

const response = {
  suggestWhichBrokerId: long('broker id to pull from next'),
  nextBeginOffset: long('queue offset to pull next'),
  minOffset: long('smallest queue offset'),
  maxOffset: long('next queue offset to be assigned'),
  offsetDelta: long('static topics: add to each queue offset').optional(),
  topicSysFlag: int('of the topic').optional(),
  groupSysFlag: int('of the group').optional(),
  forbiddenType: int('with code 16: 1 broker, 2 group, 3 topic, 4 broadcasting, 5 subscription').optional(),
};

export const pullMessage = command({
  code: 11,
  name: 'PULL_MESSAGE',
  from: ['client', 'broker'],
  to: 'broker',
  doc: 'Reads messages of a queue; held until one arrives when there is none.',
  request,
  response,
  responseBody: 'records (remoting.md 10.5), concatenated',
  access: 'SUB topic and group',
});

export const litePullMessage = command({
  code: 361,
  name: 'LITE_PULL_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'PULL_MESSAGE of a lite pull consumer.',
  request,
  response,
  responseBody: 'records (remoting.md 10.5), concatenated',
  access: 'SUB topic and group',
});
