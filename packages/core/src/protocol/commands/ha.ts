/** Replication between the brokers of a set (ha.md 1.5; remoting.md 4). */
import { command, unsupported } from '../command.ts';

export const exchangeBrokerHaInfo = unsupported(
  906,
  'EXCHANGE_BROKER_HA_INFO',
  'broker',
  'only a slave that may act as master asks for it, and enableSlaveActingMaster is not built',
);

export const getBrokerHaStatus = command({
  code: 907,
  name: 'GET_BROKER_HA_STATUS',
  from: 'admin',
  to: 'broker',
  doc: 'Reads how far the slaves of a broker are, or how far this slave is.',
  request: {},
  response: {},
  responseBody: 'HARuntimeInfo JSON',
  access: 'GET cluster',
});

export const resetMasterFlushOffset = unsupported(
  908,
  'RESET_MASTER_FLUSH_OFFSET',
  'broker',
  'it changes a slave, and this broker is a master',
);

/** What a broker serves of this file. */
export const haCommands = { exchangeBrokerHaInfo, getBrokerHaStatus, resetMasterFlushOffset } as const;
