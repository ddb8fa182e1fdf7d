/** Every command that a broker knows: the served ones by family, and those that it refuses with a reason. */
import type { UnsupportedCommand } from '@perigee/core/protocol/command';
import { assignmentCommands } from '@perigee/core/protocol/commands/assignment';
import { brokerAdminCommands } from '@perigee/core/protocol/commands/broker-admin';
import { clientCommands } from '@perigee/core/protocol/commands/client';
import { delayCommands } from '@perigee/core/protocol/commands/delay';
import { groupCommands } from '@perigee/core/protocol/commands/group';
import { haCommands } from '@perigee/core/protocol/commands/ha';
import { liteCommands } from '@perigee/core/protocol/commands/lite';
import { lockCommands } from '@perigee/core/protocol/commands/lock';
import { offsetCommands } from '@perigee/core/protocol/commands/offset';
import { popCommands } from '@perigee/core/protocol/commands/pop';
import { positionCommands } from '@perigee/core/protocol/commands/position';
import { litePullMessage, pullMessage } from '@perigee/core/protocol/commands/pull';
import { queryCommands } from '@perigee/core/protocol/commands/query';
import { relayCommands } from '@perigee/core/protocol/commands/relay';
import { replyCommands } from '@perigee/core/protocol/commands/reply';
import { retryCommands } from '@perigee/core/protocol/commands/retry';
import { sendBatchMessage, sendMessage, sendMessageV2 } from '@perigee/core/protocol/commands/send';
import { statsCommands } from '@perigee/core/protocol/commands/stats';
import { staticTopicCommands, topicCommands } from '@perigee/core/protocol/commands/topic';
import { transactionCommands } from '@perigee/core/protocol/commands/transaction';
import { unsupportedBy } from '@perigee/core/protocol/commands/unsupported';
import type { HandlerTable } from '@perigee/core/remoting/handler';
import type { BrokerParts } from './broker-parts.ts';
import { brokerAdminHandlers } from './handlers/broker-admin.ts';
import { clientHandlers } from './handlers/client.ts';
import { groupHandlers } from './handlers/group.ts';
import { lockHandlers } from './handlers/lock.ts';
import { offsetHandlers } from './handlers/offset.ts';
import { positionHandlers } from './handlers/position.ts';
import { queryHandlers } from './handlers/query.ts';
import { relayHandlers } from './handlers/relay.ts';
import { statsHandlers } from './handlers/stats.ts';
import { topicHandlers } from './handlers/topic.ts';

/** Commands that work on the broker's tables; served by {@link tableHandlers}. */
export const tableCommands = {
  ...clientCommands,
  ...offsetCommands,
  ...lockCommands,
  ...queryCommands,
  ...topicCommands,
  ...groupCommands,
  ...brokerAdminCommands,
  ...statsCommands,
  ...relayCommands,
  ...positionCommands,
} as const;

/** All commands that a broker serves: the tables', sends, pulls and replication. */
export const brokerCommands = {
  ...tableCommands,
  ...haCommands,
  ...assignmentCommands,
  ...delayCommands,
  ...popCommands,
  ...replyCommands,
  ...retryCommands,
  ...staticTopicCommands,
  ...transactionCommands,
  ...liteCommands,
  sendMessage,
  sendMessageV2,
  sendBatchMessage,
  pullMessage,
  litePullMessage,
} as const;

/** Handlers of {@link tableCommands}. */
export function tableHandlers(broker: BrokerParts): HandlerTable<typeof tableCommands> {
  return {
    ...clientHandlers(broker),
    ...offsetHandlers(broker),
    ...lockHandlers(broker),
    ...queryHandlers(broker),
    ...topicHandlers(broker),
    ...groupHandlers(broker),
    ...brokerAdminHandlers(broker),
    ...statsHandlers(broker),
    ...relayHandlers(broker),
    ...positionHandlers(broker),
  };
}

/** The codes of the specification that a broker refuses, with the reason; none that {@link brokerCommands} has. */
export function brokerUnsupported(): Readonly<Record<string, UnsupportedCommand>> {
  const served = new Set<number>(Object.values(brokerCommands).map((declared) => declared.code));
  return Object.fromEntries(Object.entries(unsupportedBy('broker')).filter(([, declared]) => !served.has(declared.code)));
}
