/** Metrics, access control, and keys that Apache itself no longer reads (broker.md 1.3, 26, 27). */
import { bool, inert, int, long, nullable, oneOf, string } from './config-entry.ts';

const METRICS = inert('metrics are not exported yet');
const AUTH = inert('authentication and authorization are not built yet');
const MS = { unit: 'ms' };
/** AuthConfig is not among the objects that GET_BROKER_CONFIG lists. */
const UNLISTED = { shownWhenSet: true };

export const metricsEntries = [
  oneOf(
    'metricsExporterType',
    ['DISABLE', 'OTLP_GRPC', 'PROM', 'LOG'],
    'DISABLE',
    METRICS,
    'How metrics leave the broker; 0 to 3 are accepted too.',
    { ordinals: true },
  ),
  int('metricsPromExporterPort', 5557, METRICS, 'Port for Prometheus.'),
  string('metricsPromExporterHost', '', METRICS, 'Address for Prometheus.'),
  string('metricsGrpcExporterTarget', '', METRICS, 'OTLP collector.'),
  string('metricsGrpcExporterHeader', '', METRICS, 'Headers for it.'),
  long('metricGrpcExporterTimeOutInMills', 3000, METRICS, 'How long an export may take.', MS),
  long('metricGrpcExporterIntervalInMills', 60000, METRICS, 'How often.', MS),
  long('metricLoggingExporterIntervalInMills', 10000, METRICS, 'How often metrics are logged.', MS),
  int('metricsExportBatchMaxDataPoints', 1000, METRICS, 'Points per export.'),
  string('metricsLabel', '', METRICS, 'Labels added to every series.'),
  bool('metricsInDelta', false, METRICS, 'Export differences.'),
  int('metricsOtelCardinalityLimit', 50000, METRICS, 'Series per instrument.'),
  bool('enableRemotingMetrics', true, METRICS, 'Requests and connections.'),
  bool('enableMessageStoreMetrics', true, METRICS, 'The store.'),
  bool('enablePopMetrics', true, METRICS, 'Pop.'),
  bool('enableConnectionMetrics', true, METRICS, 'Connections.'),
  bool('enableTransactionMetrics', true, METRICS, 'Transactions.'),
  bool('enableStatsMetrics', true, METRICS, 'Throughput.'),
  bool('enableRequestMetrics', true, METRICS, 'Requests.'),
  bool('enableLagAndDlqMetrics', true, METRICS, 'Lag and dead letters.'),
] as const;

export const authEntries = [
  bool('aclEnable', false, inert('it switched ACL 1.0 on, which no 5.3 or later broker has; nobody is asked for a password'), 'ACL 1.0.', {
    important: true,
  }),
  nullable('configName', undefined, AUTH, 'Set to brokerName at start.', UNLISTED),
  nullable('clusterName', undefined, AUTH, 'Set to brokerClusterName at start.', UNLISTED),
  nullable('authConfigPath', undefined, AUTH, 'Where users and rules are kept.'),
  bool('authenticationEnabled', false, AUTH, 'Ask for user and password.', UNLISTED),
  nullable('authenticationProvider', undefined, AUTH, 'Java class.', UNLISTED),
  nullable('authenticationMetadataProvider', undefined, AUTH, 'Java class.'),
  nullable('authenticationStrategy', undefined, AUTH, 'Java class.', UNLISTED),
  nullable('authenticationWhitelist', undefined, AUTH, 'Requests that need no password.', UNLISTED),
  nullable('initAuthenticationUser', undefined, AUTH, 'The first user.', UNLISTED),
  nullable('innerClientAuthenticationCredentials', undefined, AUTH, 'What the broker itself shows to others.', UNLISTED),
  bool('authorizationEnabled', false, AUTH, 'Check what a user may do.', UNLISTED),
  nullable('authorizationProvider', undefined, AUTH, 'Java class.', UNLISTED),
  nullable('authorizationMetadataProvider', undefined, AUTH, 'Java class.'),
  nullable('authorizationStrategy', undefined, AUTH, 'Java class.', UNLISTED),
  nullable('authorizationWhitelist', undefined, AUTH, 'Requests that need no right.', UNLISTED),
  bool('migrateAuthFromV1Enabled', false, AUTH, 'Take over ACL 1.0 rules.', UNLISTED),
  int('userCacheMaxNum', 1000, AUTH, 'Cached users.', UNLISTED),
  int('userCacheExpiredSecond', 600, AUTH, 'When one expires.', { ...UNLISTED, unit: 's' }),
  int('userCacheRefreshSecond', 60, AUTH, 'When one is read again.', { ...UNLISTED, unit: 's' }),
  int('aclCacheMaxNum', 1000, AUTH, 'Cached rules.', UNLISTED),
  int('aclCacheExpiredSecond', 600, AUTH, 'When one expires.', { ...UNLISTED, unit: 's' }),
  int('aclCacheRefreshSecond', 60, AUTH, 'When one is read again.', { ...UNLISTED, unit: 's' }),
  int('statefulAuthenticationCacheMaxNum', 10000, AUTH, 'Remembered logins.', UNLISTED),
  int('statefulAuthenticationCacheExpiredSecond', 60, AUTH, 'When one expires.', { ...UNLISTED, unit: 's' }),
  int('statefulAuthorizationCacheMaxNum', 10000, AUTH, 'Remembered decisions.', UNLISTED),
  int('statefulAuthorizationCacheExpiredSecond', 60, AUTH, 'When one expires.', { ...UNLISTED, unit: 's' }),
] as const;

const DEAD = { shownWhenSet: true };
const MAPPED = 'was renamed in Apache 4.5.2, which no longer reads the old spelling';

/** Keys of old versions and of tutorials: nothing of Apache 5 reads them, so nothing here does. */
export const deadEntries = [
  nullable(
    'mapedFileSizeCommitLog',
    undefined,
    inert(`it ${MAPPED}: write mappedFileSizeCommitLog`),
    'Old spelling of mappedFileSizeCommitLog.',
    DEAD,
  ),
  nullable(
    'mapedFileSizeConsumeQueue',
    undefined,
    inert(`it ${MAPPED}: write mappedFileSizeConsumeQueue`),
    'Old spelling of mappedFileSizeConsumeQueue.',
    DEAD,
  ),
  nullable(
    'mappedFileSizeIndex',
    undefined,
    inert('maxHashSlotNum and maxIndexNum make the size of an IndexFile'),
    'From tutorials.',
    DEAD,
  ),
  nullable('storePathConsumeQueue', undefined, inert('ConsumeQueues are always in storePathRootDir/consumequeue'), 'From tutorials.', DEAD),
  nullable('storePathIndex', undefined, inert('IndexFiles are always in storePathRootDir/index'), 'From tutorials.', DEAD),
  nullable('storeCheckpoint', undefined, inert('the checkpoint is always storePathRootDir/checkpoint'), 'From tutorials.', DEAD),
  nullable('storePathCheckpoint', undefined, inert('the checkpoint is always storePathRootDir/checkpoint'), 'From tutorials.', DEAD),
  nullable('abortFile', undefined, inert('the abort file is always storePathRootDir/abort'), 'From tutorials.', DEAD),
  nullable('abortPath', undefined, inert('the abort file is always storePathRootDir/abort'), 'From tutorials.', DEAD),
  nullable('checkTransactionMessageEnable', undefined, inert('transactions are always checked, since Apache 4.3'), 'From tutorials.', DEAD),
  nullable('filterServerNums', undefined, inert('filter servers were removed in Apache 5.1'), 'Java filter servers.', DEAD),
  nullable('maxDelayTime', undefined, inert('it was removed in Apache 5.1'), 'Longest delay in days.', DEAD),
  nullable(
    'haSlaveFallbehindMax',
    undefined,
    inert('haMaxGapNotInSync took its place in Apache 5.0'),
    'A slave further behind was not in sync.',
    DEAD,
  ),
  nullable('commercialEnable', undefined, inert('it was removed in Apache 5.0'), 'Commercial statistics.', DEAD),
  nullable('commercialBigCount', undefined, inert('it was removed in Apache 5.0'), 'Commercial statistics.', DEAD),
  nullable('commercialTimerCount', undefined, inert('it was removed in Apache 5.0'), 'Commercial statistics.', DEAD),
  nullable('commercialTransCount', undefined, inert('it was removed in Apache 5.0'), 'Commercial statistics.', DEAD),
  nullable('serverLoadBalancerEnabled', undefined, inert('it is serverLoadBalancerEnable since Apache 5.0'), 'Old spelling.', DEAD),
  nullable('rmqClusterName', undefined, inert('write brokerClusterName'), 'From tutorials.', DEAD),
] as const;
