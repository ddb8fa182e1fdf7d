/** Every key of a broker (broker.md 1.3, store.md 19, since-5.4.md 3–8, GET_BROKER_CONFIG of 5.5.0), by family. */

import { identityEntries } from './broker-entries-identity.ts';
import { authEntries, deadEntries, metricsEntries } from './broker-entries-observe.ts';
import { liteEntries, popEntries } from './broker-entries-pop.ts';
import { replicationEntries } from './broker-entries-replication.ts';
import { rocksdbEntries } from './broker-entries-rocksdb.ts';
import {
  expiryEntries,
  flushEntries,
  mappedFileEntries,
  queueKindEntries,
  recoveryEntries,
  storePathEntries,
  storeSizeEntries,
} from './broker-entries-store.ts';
import { nettyEntries, remotingClientEntries, threadEntries } from './broker-entries-threads.ts';
import { delayEntries, transactionEntries } from './broker-entries-timer.ts';
import { topicEntries } from './broker-entries-topics.ts';
import type { ConfigOf } from './config-entry.ts';

/** The families in the order of the docs page. */
export const brokerFamilies = [
  { title: 'Identity, addresses, registration', entries: identityEntries },
  { title: 'Topics, groups, sends and pulls', entries: topicEntries },
  { title: 'Store: paths', entries: storePathEntries },
  { title: 'Store: sizes and limits', entries: storeSizeEntries },
  { title: 'Store: flush', entries: flushEntries },
  { title: 'Store: expiry and disk protection', entries: expiryEntries },
  { title: 'Store: recovery', entries: recoveryEntries },
  { title: 'Store: queues of other kinds', entries: queueKindEntries },
  { title: 'Store: mapped files', entries: mappedFileEntries },
  { title: 'Store: RocksDB', entries: rocksdbEntries },
  { title: 'Roles and replication', entries: replicationEntries },
  { title: 'Delayed messages', entries: delayEntries },
  { title: 'Transactions', entries: transactionEntries },
  { title: 'Pop', entries: popEntries },
  { title: 'Lite topics', entries: liteEntries },
  { title: 'Metrics', entries: metricsEntries },
  { title: 'Access control', entries: authEntries },
  { title: 'Threads and queues', entries: threadEntries },
  { title: 'Network server', entries: nettyEntries },
  { title: 'Network client', entries: remotingClientEntries },
  { title: 'Keys of old versions and tutorials', entries: deadEntries },
] as const;

export const brokerEntries = [
  ...identityEntries,
  ...topicEntries,
  ...storePathEntries,
  ...storeSizeEntries,
  ...flushEntries,
  ...expiryEntries,
  ...recoveryEntries,
  ...queueKindEntries,
  ...mappedFileEntries,
  ...rocksdbEntries,
  ...replicationEntries,
  ...delayEntries,
  ...transactionEntries,
  ...popEntries,
  ...liteEntries,
  ...metricsEntries,
  ...authEntries,
  ...threadEntries,
  ...nettyEntries,
  ...remotingClientEntries,
  ...deadEntries,
] as const;

type DeclaredConfig = ConfigOf<typeof brokerEntries>;

/**
 * A broker's configuration by key. Live: UPDATE_BROKER_CONFIG changes reloadable keys in place, so read a key when it is
 * needed (or listen through LiveConfig.onChange) instead of keeping a copy.
 */
export type BrokerConfig = Readonly<Omit<DeclaredConfig, 'storePathCommitLog'> & { storePathCommitLog: string }>;
