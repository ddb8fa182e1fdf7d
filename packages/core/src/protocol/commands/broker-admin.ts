/** Configuration and run-time information of a broker (broker.md 23, 24). */
import { command, str } from '../command.ts';

export const updateBrokerConfig = command({
  code: 25,
  name: 'UPDATE_BROKER_CONFIG',
  from: 'admin',
  to: 'broker',
  doc: 'Changes configuration values and writes them to the configuration file.',
  request: {},
  response: {},
  requestBody: 'properties text, UTF-8',
  access: 'UPDATE cluster',
});

export const getBrokerConfig = command({
  code: 26,
  name: 'GET_BROKER_CONFIG',
  from: 'admin',
  to: 'broker',
  doc: 'Reads the whole configuration.',
  request: {},
  response: { version: str('DataVersion JSON') },
  responseBody: 'properties text, sorted by key',
  access: 'GET cluster',
});

export const getBrokerRuntimeInfo = command({
  code: 28,
  name: 'GET_BROKER_RUNTIME_INFO',
  from: 'admin',
  to: 'broker',
  doc: 'Reads counters, rates and the state of the store.',
  request: {},
  response: {},
  responseBody: 'KVTable JSON',
  access: 'GET cluster',
});

/** What a broker serves of this file. */
export const brokerAdminCommands = { updateBrokerConfig, getBrokerConfig, getBrokerRuntimeInfo } as const;
