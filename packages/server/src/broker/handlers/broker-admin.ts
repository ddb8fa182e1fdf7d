/** Configuration and run-time information: 25, 26, 28 (broker.md 23, 24). */

import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import { encodeKvTable } from '@perigee/core/protocol/bodies/kv-table';
import { type brokerAdminCommands, getBrokerConfig } from '@perigee/core/protocol/commands/broker-admin';
import { done, type HandlerTable, ok } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';
import { runtimeInfo } from '../runtime-info.ts';

/** Handlers of configuration and run-time information. */
export function brokerAdminHandlers(broker: BrokerParts): HandlerTable<typeof brokerAdminCommands> {
  const { config } = broker;
  return {
    updateBrokerConfig: (_header, request) => (request.body.length === 0 ? done() : config.update(request.body.toString('utf8'))),
    getBrokerConfig: () => ok(getBrokerConfig, { version: stringifyJavaJson({ ...config.version }, 'plain') }, Buffer.from(config.print())),
    getBrokerRuntimeInfo: () => done(encodeKvTable(runtimeInfo(broker))),
  };
}
