/** Subscription groups on a broker (remoting.md 9.3, 9.5; broker.md 5, 24). */
import { bool, command, int, str } from '../command.ts';

export const updateAndCreateSubscriptionGroup = command({
  code: 200,
  name: 'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP',
  from: 'admin',
  to: 'broker',
  doc: 'Creates a subscription group or replaces its settings.',
  request: {},
  response: {},
  requestBody: 'SubscriptionGroupConfig JSON',
  access: 'CREATE group of the body',
});

export const updateAndCreateSubscriptionGroupList = command({
  code: 225,
  name: 'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST',
  from: 'admin',
  to: 'broker',
  doc: 'Creates or updates several subscription groups.',
  request: {},
  response: {},
  requestBody: '{"groupConfigList":[SubscriptionGroupConfig]} JSON',
  access: 'CREATE groups of the body',
});

export const getAllSubscriptionGroupConfig = command({
  code: 201,
  name: 'GET_ALL_SUBSCRIPTIONGROUP_CONFIG',
  from: ['broker', 'admin'],
  to: 'broker',
  doc: 'Dumps the subscription groups of the broker, in pages when all three header fields are there.',
  request: {
    groupSeq: int('first group of the page, by name').optional(),
    dataVersion: str('DataVersion JSON of the page before, empty first').optional(),
    maxGroupNum: int('largest page').optional(),
  },
  response: { totalGroupNum: int('number of groups').optional() },
  responseBody: 'SubscriptionGroupWrapper JSON',
  access: 'LIST group',
});

export const deleteSubscriptionGroup = command({
  code: 207,
  name: 'DELETE_SUBSCRIPTIONGROUP',
  from: 'admin',
  to: 'broker',
  doc: 'Deletes a subscription group and, when asked, its positions.',
  request: { groupName: str('subscription group'), cleanOffset: bool('delete the positions too (default false)').optional() },
  response: {},
  access: 'DELETE group',
});

export const getSubscriptionGroupConfig = command({
  code: 352,
  name: 'GET_SUBSCRIPTIONGROUP_CONFIG',
  from: ['admin', 'broker'],
  to: 'broker',
  doc: 'Reads the settings of one subscription group; creates it where groups are created on demand.',
  request: { group: str('subscription group') },
  response: {},
  responseBody: 'SubscriptionGroupConfig JSON',
  access: 'GET group',
});

export const updateAndGetGroupForbidden = command({
  code: 353,
  name: 'UPDATE_AND_GET_GROUP_FORBIDDEN',
  from: 'admin',
  to: 'broker',
  doc: 'Reads, and sets when asked, whether a group may read a topic.',
  request: { group: str('subscription group'), topic: str('topic'), readable: bool('allow reading').optional() },
  response: {},
  responseBody: '{"group","readable","topic"} JSON',
  access: 'UPDATE group',
});

/** What a broker serves of this file. */
export const groupCommands = {
  updateAndCreateSubscriptionGroup,
  updateAndCreateSubscriptionGroupList,
  getAllSubscriptionGroupConfig,
  deleteSubscriptionGroup,
  getSubscriptionGroupConfig,
  updateAndGetGroupForbidden,
} as const;
