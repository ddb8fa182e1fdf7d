/** Roles, replicas, HA, DLedger and controller mode (store.md 19, ha.md). */
import { bool, inert, int, LIVE, long, nullable, oneOf, START, string } from './config-entry.ts';

const HA = 'a slave is not built yet, and a master does not need it';
const ACTING_MASTER = 'it counts only with enableSlaveActingMaster or a controller, which are not built yet';
const CONTROLLER = 'controller mode is not built yet';
const DLEDGER = 'DLedger is not built';
const PACE = 'slaves and the network set the pace of the transfer';
const MS = { unit: 'ms' };

export const replicationEntries = [
  oneOf(
    'brokerRole',
    ['ASYNC_MASTER', 'SYNC_MASTER', 'SLAVE'],
    'ASYNC_MASTER',
    START,
    'SYNC_MASTER answers a send when inSyncReplicas replicas have it.',
  ),
  int('slaveTimeout', 3000, LIVE, 'After how long a SYNC_MASTER send is answered FLUSH_SLAVE_TIMEOUT.', { unit: 'ms', min: 1 }),
  int('totalReplicas', 1, inert('the slaves that are connected count, not those that should be'), 'Replicas that the broker should have.', {
    min: 1,
  }),
  int('inSyncReplicas', 1, LIVE, 'Replicas, this broker included, that must have a message of a SYNC_MASTER before its ack.', { min: 1 }),
  int('minInSyncReplicas', 1, inert(ACTING_MASTER), 'Below so many replicas a SYNC_MASTER refuses sends.', { min: 1 }),
  bool('allAckInSyncStateSet', false, inert(CONTROLLER), 'Wait for the whole SyncStateSet.'),
  bool('enableAutoInSyncReplicas', false, inert(ACTING_MASTER), 'Ask for fewer replicas while some are missing.'),
  nullable('haMasterAddress', undefined, inert(HA), 'The master of a slave.'),
  int('haSendHeartbeatInterval', 5000, START, 'Heartbeat between master and slave.', { unit: 'ms', min: 1 }),
  int('haHousekeepingInterval', 20000, START, 'When a silent connection is dropped.', { unit: 'ms', min: 1 }),
  int('haTransferBatchSize', 32768, LIVE, 'Bytes per transfer.', { unit: 'bytes', min: 1 }),
  int('haMaxGapNotInSync', 268435456, LIVE, 'A slave further behind is not in sync.', { unit: 'bytes' }),
  long('haMaxTimeSlaveNotCatchup', 15000, inert(CONTROLLER), 'A slave behind for longer leaves the SyncStateSet.', MS),
  bool('haFlowControlEnable', false, inert(PACE), 'Limit the transfer.'),
  long('maxHaTransferByteInSecond', 104857600, inert(PACE), 'To so many bytes per second.', { unit: 'bytes' }),
  long('maxSlaveResendLength', 268435456, inert(HA), 'Bytes sent again after a reconnect.', { unit: 'bytes' }),
  bool('syncMasterFlushOffsetWhenStartup', false, inert(HA), 'Take the flushed position from the master at start.'),
  bool('syncFromLastFile', false, inert(HA), 'Start an empty slave at the last file.'),
  int('replicasPerDiskPartition', 1, inert('the whole disk counts for each broker on it'), 'Brokers that share a disk.'),
  bool('asyncLearner', false, inert(CONTROLLER), 'A slave that never joins the SyncStateSet.'),
  long('syncBrokerMetadataPeriod', 5000, inert(CONTROLLER), 'How often a slave copies tables.', MS),
  long('checkSyncStateSetPeriod', 5000, inert(CONTROLLER), 'How often the SyncStateSet is checked.', MS),
  long('syncControllerMetadataPeriod', 10000, inert(CONTROLLER), 'How often the leading controller is asked for.', MS),
  long('controllerHeartBeatTimeoutMills', 10000, inert(CONTROLLER), 'When the controller counts the broker as gone.', MS),
  bool('enableControllerMode', false, inert(CONTROLLER), 'Let a controller choose the master.'),
  string('controllerAddr', '', inert(CONTROLLER), 'The controllers.'),
  bool('fetchControllerAddrByDnsLookup', false, inert(CONTROLLER), 'Resolve them through DNS.'),
  int('brokerElectionPriority', 2147483647, inert(CONTROLLER), 'Smaller is elected first.'),
  bool('enableDLegerCommitLog', false, inert(DLEDGER), 'Replicate through DLedger.'),
  nullable('dLegerGroup', undefined, inert(DLEDGER), 'The DLedger group.'),
  nullable('dLegerPeers', undefined, inert(DLEDGER), 'Its members.'),
  nullable('dLegerSelfId', undefined, inert(DLEDGER), 'Which of them this broker is.'),
  nullable('preferredLeaderId', undefined, inert(DLEDGER), 'Which should lead.'),
] as const;
