/** Subscription groups: 200, 201, 207, 225, 352, 353 (broker.md 5, 24). */
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import {
  decodeSubscriptionGroup,
  decodeSubscriptionGroupList,
  encodeGroupForbidden,
  encodeSubscriptionGroup,
  type SubscriptionGroupConfig,
  subscriptionGroupsValue,
} from '@perigee/core/protocol/bodies/subscription-group';
import { getAllSubscriptionGroupConfig, type groupCommands } from '@perigee/core/protocol/commands/group';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable, ok } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';
import { notPersisted, withBody } from './request-body.ts';
import { pagingVersion } from './topic.ts';

/** Handlers of subscription groups. */
export function groupHandlers(broker: BrokerParts): HandlerTable<typeof groupCommands> {
  return {
    updateAndCreateSubscriptionGroup: (_header, request) =>
      withBody(request.body, decodeSubscriptionGroup, (config) => updateGroups(broker, [config])),

    updateAndCreateSubscriptionGroupList: (_header, request) =>
      withBody(request.body, decodeSubscriptionGroupList, (configs) => updateGroups(broker, configs)),

    getAllSubscriptionGroupConfig: (header) =>
      pagingVersion(header.dataVersion, (version) => {
        const page = broker.groups.page({ seq: header.groupSeq, max: header.maxGroupNum, version });
        const body = Buffer.from(stringifyJavaJson(subscriptionGroupsValue(page), 'plain'));
        return ok(getAllSubscriptionGroupConfig, { totalGroupNum: broker.groups.size }, body);
      }),

    deleteSubscriptionGroup: (header) => deleteGroup(broker, header.groupName, header.cleanOffset ?? false),

    getSubscriptionGroupConfig: (header) => {
      const config = broker.groups.findOrCreate(header.group);
      if (config !== undefined) return done(encodeSubscriptionGroup(config));
      return refusal({
        slug: 'group-not-exist',
        code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        legacy: 'No group in this broker',
        measured: `group ${header.group}`,
        remedy: `create it: mqadmin updateSubGroup -g ${header.group}`,
      });
    },

    updateAndGetGroupForbidden: async ({ group, topic, readable }) => {
      if (readable !== undefined) broker.groups.setReadable(group, topic, readable);
      const failure = await broker.groups.settled();
      if (failure !== undefined) return notPersisted('the subscription group configuration', failure);
      return done(encodeGroupForbidden({ group, topic, readable: !broker.groups.isReadForbidden(group, topic) }));
    },
  };
}

/** All or nothing. */
async function updateGroups(broker: BrokerParts, configs: readonly SubscriptionGroupConfig[]): Promise<Answer> {
  for (const config of configs) {
    const refused = broker.groups.check(config);
    if (refused !== undefined) return refused;
  }
  for (const config of configs) {
    const refused = broker.groups.update(config);
    if (refused !== undefined) return refused;
  }
  const failure = await broker.groups.settled();
  return failure === undefined ? done() : notPersisted('the subscription group configuration', failure);
}

async function deleteGroup(broker: BrokerParts, group: string, cleanOffset: boolean): Promise<Answer> {
  broker.groups.remove(group);
  broker.stats.removeGroup(group);
  if (cleanOffset) broker.offsets.removeGroup(group);
  const failure = await broker.groups.settled();
  return failure === undefined ? done() : notPersisted('the subscription group configuration', failure);
}
