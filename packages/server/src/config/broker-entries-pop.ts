/** Pop consumption and lite topics (broker.md 18; since-5.4.md 4–6). */
import { bool, inert, int, LIVE, long, START } from './config-entry.ts';

const BUFFER = inert('check points go to the store at once; keeping them in memory first (enablePopBufferMerge) is not built');
const ROCKSDB = inert('check points are kept in topics, never in RocksDB');
const LOG = inert('the log tells what went wrong; what went right is counted');
const LITE_LAG = inert('how far lite groups are behind is counted when it is asked for');
const LITE_EVENTS = inert('lite clients are always told which lite topics have messages');
const MS = { unit: 'ms' };

export const popEntries = [
  int('reviveQueueNum', 8, START, 'Queues of the revive topic.', { min: 1 }),
  long('reviveInterval', 1000, LIVE, 'Pause of the revive loop.', MS),
  long('reviveMaxSlow', 3, LIVE, 'Most pauses that it makes in a row while nothing is popped.'),
  long('reviveScanTime', 10000, inert('each record is read once, in steps that give others a turn'), 'Longest scan.', MS),
  bool(
    'enableSkipLongAwaitingAck',
    false,
    inert('the position of the revive loop moves over acks by itself'),
    'Skip check points that wait too long for an ack.',
  ),
  long('reviveAckWaitMs', 180000, inert('the position of the revive loop moves over acks by itself'), 'How long that is.', MS),
  bool('enablePopLog', false, LOG, 'Log pops.'),
  bool('enablePopBufferMerge', false, BUFFER, 'Keep check points in memory first.'),
  int('popCkStayBufferTime', 10000, BUFFER, 'How long they stay there.', MS),
  int('popCkStayBufferTimeOut', 3000, BUFFER, 'How long before they are due they leave.', MS),
  int('popCkMaxBufferSize', 200000, BUFFER, 'How many.'),
  int('popCkOffsetMaxQueueSize', 20000, BUFFER, 'How many per queue.'),
  bool('enablePopBatchAck', false, BUFFER, 'Merge acks.'),
  bool(
    'appendAckAsync',
    false,
    inert('nothing waits in a thread here; an ack is answered when it is stored'),
    'Store acks without waiting.',
  ),
  bool(
    'appendCkAsync',
    false,
    inert('nothing waits in a thread here; a pop is answered when its check points are stored'),
    'Store check points without waiting.',
  ),
  bool('skipWhenCKRePutReachMaxTimes', false, LIVE, 'Drop a check point that fails too often.'),
  int('popPollingSize', 1024, LIVE, 'Held pops per queue and group.'),
  long('maxPopPollingSize', 100000, LIVE, 'Held pops.'),
  int('popPollingMapSize', 100000, inert('the memory of held pops ends with the last of them'), 'Queues with held pops.'),
  int('popPollingMapExpireTimeSeconds', 600, inert('the memory of held pops ends with the last of them'), 'When an idle one is dropped.', {
    unit: 's',
  }),
  long('popLongPollingForceNotifyInterval', 800, LIVE, 'Every so many messages a held pop is woken whatever its filter says; 0 never.'),
  bool('enableNotifyBeforePopCalculateLag', true, inert('lag is not counted per pop'), 'Look for messages before waking.'),
  bool('enableNotifyAfterPopOrderLockRelease', true, LIVE, 'Wake when an order lock ends.'),
  bool('initPopOffsetByCheckMsgInMem', true, LIVE, 'Start a new group at the first message while it is in memory.'),
  bool('retrieveMessageFromPopRetryTopicV1', true, LIVE, 'Read retry topics of the old name too.'),
  bool('enableRetryTopicV2', false, LIVE, 'Write retry topics of the new name.'),
  int('popFromRetryProbability', 20, LIVE, 'How often the retry topic is read first.', { unit: '%' }),
  int('popFromRetryProbabilityForPriority', 0, LIVE, 'The same for priority topics.', { unit: '%' }),
  bool('priorityOrderAsc', true, LIVE, '0 is the lowest priority.'),
  bool('popResponseReturnActualRetryTopic', false, LIVE, 'Answer with the name of the retry topic.'),
  bool('useSeparateRetryQueue', false, LIVE, 'A retry queue per queue.'),
  bool('popConsumerFSServiceInit', true, ROCKSDB, 'Keep check points in topics.'),
  bool('popConsumerKVServiceInit', false, ROCKSDB, 'Keep check points in RocksDB.'),
  bool('popConsumerKVServiceEnable', false, ROCKSDB, 'Use those in RocksDB.'),
  bool('popConsumerKVServiceLog', false, ROCKSDB, 'Log them.'),
  int('popReviveMaxReturnSizePerRead', 16384, ROCKSDB, 'Check points per read.'),
  int('popReviveMaxAttemptTimes', 16, ROCKSDB, 'Attempts of a revive.'),
  int('popReviveConcurrency', 32, ROCKSDB, 'Revives in flight.'),
  bool('popReviveSkipIfGroupAbsent', true, ROCKSDB, 'Drop check points of deleted groups.'),
  bool('enablePopMessageThreshold', false, LIVE, 'Limit messages in flight.'),
  long('popInflightMessageThreshold', 10000, LIVE, 'To so many per queue and group.'),
  bool('useMessageFilterForNotification', true, LIVE, 'Filter notifications by tag.'),
  int('maxMessageFilterNumForNotification', 64, LIVE, 'Entries that such a filter looks at.'),
] as const;

export const liteEntries = [
  bool('enableLiteEventMode', true, LITE_EVENTS, 'Tell clients which lite topics have messages.'),
  bool('enableLitePopLog', false, inert('requests are not logged one by one'), 'Log pops of lite topics.'),
  long('liteEventCheckInterval', 10000, START, 'How often silent clients are looked for.', MS),
  long('liteTtlCheckInterval', 120000, START, 'How often lite topics expire.', MS),
  long('minLiteTTl', 900000, START, 'Shortest life of a lite topic.', MS),
  long('liteSubscriptionCheckInterval', 120000, START, 'How often subscriptions are checked.', MS),
  long('liteSubscriptionCheckTimeoutMills', 180000, LIVE, 'When one expires.', MS),
  int('maxLiteSubscriptionCount', 100000, LIVE, 'Most subscriptions.'),
  int('maxClientEventCount', 100, LIVE, 'Events kept per client.'),
  long('liteEventFullDispatchDelayTime', 10000, LIVE, 'Pause after a client was full.', MS),
  long('liteEventFullDispatchDelayTimeForWildcardGroup', 10000, LIVE, 'The same for wildcard groups.', MS),
  bool('liteLagLatencyCollectEnable', false, LITE_LAG, 'Measure latency of lite topics.'),
  bool('liteLagLatencyMetricsEnable', false, LITE_LAG, 'Export it.'),
  bool('liteLagCountMetricsEnable', false, LITE_LAG, 'Export lag of lite topics.'),
  int('liteLagLatencyTopK', 50, LITE_LAG, 'Topics exported.'),
] as const;
