/** Lite topics (remoting.md 7.10; since-5.4.md 6): light queues of a parent topic that clients subscribe to one by one. */
import { command, int, long, str } from '../command.ts';

export const popLiteMessage = command({
  code: 200070,
  name: 'POP_LITE_MESSAGE',
  from: 'client',
  to: 'broker',
  doc: 'Takes messages of the lite topics that a client is subscribed to, one batch of each at a time.',
  request: {
    clientId: str('client'),
    consumerGroup: str('group'),
    topic: str('parent topic'),
    maxMsgNum: int('most messages wanted, 1 to 32'),
    invisibleTime: long('how long the messages stay invisible', 'ms'),
    pollTime: long('how long the request may be held while there is no message', 'ms'),
    bornTime: long('when the client sent the request', 'ms'),
    attemptId: str('a repeated pop with the same id gets its messages again at once').optional(),
  },
  response: {
    popTime: long('when the messages were taken; part of every receipt handle', 'ms'),
    invisibleTime: long('how long they stay invisible to others', 'ms'),
    reviveQid: int('always 999'),
    orderCountInfo: str('per message, joined by ;: how often it was taken before').optional(),
  },
  responseBody: 'records (remoting.md 10.5), concatenated',
  access: 'SUB topic and group',
});

export const liteSubscriptionCtl = command({
  code: 200071,
  name: 'LITE_SUBSCRIPTION_CTL',
  from: 'client',
  to: 'broker',
  doc: 'Changes which lite topics clients are subscribed to; repeated, it keeps their subscriptions alive.',
  request: {},
  response: {},
  requestBody: 'LiteSubscriptionCtlRequestBody JSON',
  access: 'SUB topics and groups of the body',
});

/** To clients: another client of an exclusive group took a lite topic over. */
export const notifyUnsubscribeLite = command({
  code: 200073,
  name: 'NOTIFY_UNSUBSCRIBE_LITE',
  from: 'broker',
  to: 'client',
  doc: 'Tells a client that it is not subscribed to a lite topic any more.',
  request: { liteTopic: str('lite topic'), consumerGroup: str('group'), clientId: str('client') },
  response: {},
});

export const getBrokerLiteInfo = command({
  code: 200074,
  name: 'GET_BROKER_LITE_INFO',
  from: 'admin',
  to: 'broker',
  doc: 'Counts light queues, subscriptions and events, and lists parent topics and lite groups.',
  request: {},
  response: {},
  responseBody: 'GetBrokerLiteInfoResponseBody JSON',
  access: 'GET cluster',
});

export const getParentTopicInfo = command({
  code: 200075,
  name: 'GET_PARENT_TOPIC_INFO',
  from: 'admin',
  to: 'broker',
  doc: 'Counts the lite topics of a parent topic and lists its groups.',
  request: { topic: str('parent topic') },
  response: {},
  responseBody: 'GetParentTopicInfoResponseBody JSON',
  access: 'GET topic',
});

export const getLiteTopicInfo = command({
  code: 200076,
  name: 'GET_LITE_TOPIC_INFO',
  from: 'admin',
  to: 'broker',
  doc: 'Bounds and subscribers of a lite topic.',
  request: { parentTopic: str('parent topic'), liteTopic: str('lite topic') },
  response: {},
  responseBody: 'GetLiteTopicInfoResponseBody JSON',
  access: 'GET topic',
});

export const getLiteClientInfo = command({
  code: 200077,
  name: 'GET_LITE_CLIENT_INFO',
  from: 'admin',
  to: 'broker',
  doc: 'The lite topics that a client is subscribed to.',
  request: {
    parentTopic: str('parent topic'),
    group: str('group'),
    clientId: str('client'),
    maxCount: int('most names listed').optional(),
  },
  response: {},
  responseBody: 'GetLiteClientInfoResponseBody JSON',
  access: 'GET topic and group',
});

export const getLiteGroupInfo = command({
  code: 200078,
  name: 'GET_LITE_GROUP_INFO',
  from: 'admin',
  to: 'broker',
  doc: 'How far a lite group is behind, in one lite topic or in all.',
  request: { group: str('group'), liteTopic: str('lite topic; missing: all').optional(), topK: int('lite topics listed').optional() },
  response: {},
  responseBody: 'GetLiteGroupInfoResponseBody JSON',
  access: 'GET group',
});

export const triggerLiteDispatch = command({
  code: 200079,
  name: 'TRIGGER_LITE_DISPATCH',
  from: 'admin',
  to: 'broker',
  doc: 'Tells the clients of a lite group, or one of them, again of every lite topic that has messages for them.',
  request: { group: str('group'), clientId: str('client; missing: all').optional() },
  response: {},
  access: 'UPDATE group',
});

/** What a broker serves of this file. */
export const liteCommands = {
  popLiteMessage,
  liteSubscriptionCtl,
  getBrokerLiteInfo,
  getParentTopicInfo,
  getLiteTopicInfo,
  getLiteClientInfo,
  getLiteGroupInfo,
  triggerLiteDispatch,
} as const;
