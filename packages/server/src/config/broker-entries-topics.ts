/** Topics, groups, offsets, sends and pulls as far as they concern clients (broker.md 1.3). */
import { bool, inert, int, LIVE, long, oneOf, START, string } from './config-entry.ts';

const SLAVES = 'consumers are not sent to slaves';
const COLD_DATA = 'reads go through a bounded cache: cold data is not limited per group';
const BIT_MAPS = 'bit maps that an Apache broker left are used, none are written: filters are evaluated by bytes when a message is pulled';
const STATS = 'statistics are plain counters without background threads';

export const topicEntries = [
  int('brokerPermission', 6, LIVE, '6 read and write, 4 read only, 2 write only: takes a broker out of traffic.', { min: 0, max: 7 }),
  int('defaultTopicQueueNums', 8, LIVE, 'Queues of an automatically created topic at most.', { min: 1 }),
  bool('autoCreateTopicEnable', true, LIVE, 'Create a topic at its first message; production clusters usually say false.', {
    important: true,
  }),
  bool('autoCreateSubscriptionGroup', true, LIVE, 'Create a consumer group at its first heartbeat or pull.', { important: true }),
  bool('clusterTopicEnable', true, START, 'Keep a topic named as the cluster.'),
  bool('brokerTopicEnable', true, START, 'Keep a topic named as the broker.'),
  bool('enableCreateSysGroup', true, START, 'Keep the system consumer groups.'),
  bool('traceTopicEnable', false, START, 'Keep the topic for message traces.', { important: true }),
  string('msgTraceTopicName', 'RMQ_SYS_TRACE_TOPIC', START, 'Its name.', { important: true }),
  bool('traceOn', true, LIVE, 'Tell clients to record traces.'),
  bool('validateSystemTopicWhenUpdateTopic', true, LIVE, 'Refuse to change system topics.'),
  bool('enableMixedMessageType', false, LIVE, 'Allow topics with message.type MIXED.'),
  bool('clearRetryTopicWhenDeleteTopic', true, LIVE, 'Delete the pop retry topics with their topic.'),
  bool('asyncSendEnable', true, inert('every send is asynchronous'), 'Answer sends when the store is done, without holding a thread.'),
  bool('storeReplyMessageEnable', true, LIVE, 'Store reply messages.'),
  bool('rejectPullConsumerEnable', false, LIVE, 'Answer consumer-list requests of pull consumers with an error.'),
  bool('enableSplitMetadata', true, LIVE, 'Answer large topic and group tables page by page.'),
  int('splitMetadataSize', 2000, inert("a page has 2000 entries, as Apache's default"), 'Entries per page.'),

  bool('longPollingEnable', true, LIVE, 'Hold a pull that finds nothing until a message arrives or its time is over.'),
  long('shortPollingTimeMills', 1000, LIVE, 'How long such a pull is held when longPollingEnable is false.', { unit: 'ms', min: 1 }),
  bool('notifyConsumerIdsChangedEnable', true, LIVE, 'Tell the consumers of a group at once when one joins or leaves.'),
  bool('realTimeNotifyConsumerChange', true, LIVE, 'Tell it at once instead of every 15 s.'),
  bool('litePullMessageEnable', true, LIVE, 'Accept lite pulls (code 361).'),
  bool('useServerSideResetOffset', true, LIVE, 'Reset offsets in the broker, so that offline groups can be reset too.'),
  bool(
    'transferMsgByHeap',
    true,
    inert('records are sent from memory: copied when small, as views when large'),
    'Copy messages to the heap before sending.',
  ),
  bool('slaveReadEnable', false, inert(SLAVES), 'Send consumers that lag far behind to a slave.'),
  bool('offsetCheckInSlave', false, inert(SLAVES), 'Let a slave correct offsets of consumers.'),
  bool(
    'enableNetWorkFlowControl',
    false,
    inert('each connection has its own bound on unread answers'),
    'Limit the traffic of all connections together.',
  ),
  bool(
    'disableConsumeIfConsumerReadSlowly',
    false,
    LIVE,
    'Take the permission to consume from a group that reads farther behind than consumerFallbehindThreshold.',
  ),
  long('consumerFallbehindThreshold', 17179869184, LIVE, 'How far a group may read behind the end of the CommitLog.', {
    unit: 'bytes',
  }),
  int('pullBatchMaxMessageCount', 160, inert('no version of Apache reads it either'), 'Messages of a batch queue per pull.'),
  bool('coldCtrStrategyEnable', false, inert(COLD_DATA), 'Limit reads of cold data by group.'),
  bool('usePIDColdCtrStrategy', true, inert(COLD_DATA), 'How the limit moves.'),
  long('cgColdReadThreshold', 3145728, inert(COLD_DATA), 'Cold bytes per group and second.', { unit: 'bytes' }),
  long('globalColdReadThreshold', 104857600, inert(COLD_DATA), 'Cold bytes of all groups per second.', { unit: 'bytes' }),
  bool('coldDataFlowControlEnable', false, inert(COLD_DATA), 'Switch the limit on in the store.'),
  bool('coldDataScanEnable', false, inert(COLD_DATA), 'Ask the system which pages are in memory.'),

  int('flushConsumerOffsetInterval', 5000, START, 'How often committed offsets are written to consumerOffset.json.', {
    unit: 'ms',
    min: 1,
  }),
  int('flushConsumerOffsetHistoryInterval', 60000, inert('no version of Apache reads it either'), 'Once wrote offset history.', {
    unit: 'ms',
  }),
  long('consumerOffsetUpdateVersionStep', 500, LIVE, 'Commits per step of the offset version.'),
  long('delayOffsetUpdateVersionStep', 200, LIVE, 'Deliveries per step of the delay offset version.'),
  bool(
    'persistConsumerOffsetIncrementally',
    false,
    inert('offsets are kept in consumerOffset.json'),
    'Write each commit at once (RocksDB).',
  ),
  bool(
    'enableBroadcastOffsetStore',
    true,
    inert('broadcast offsets stay with the clients'),
    'Keep offsets of broadcast consumers behind a proxy.',
  ),
  long('broadcastOffsetExpireSecond', 120, inert('broadcast offsets stay with the clients'), 'When an unused one is dropped.', {
    unit: 's',
  }),
  long('broadcastOffsetExpireMaxSecond', 300, inert('broadcast offsets stay with the clients'), 'When any is dropped.', { unit: 's' }),
  bool('lockInStrictMode', false, inert('queue locks live on the broker that was asked'), 'Lock queues on all brokers of a group.'),
  bool('serverLoadBalancerEnable', true, LIVE, 'Let the broker assign queues.'),
  oneOf('defaultMessageRequestMode', ['PULL', 'POP'], 'PULL', LIVE, 'How groups consume unless told otherwise.'),
  int('defaultPopShareQueueNum', -1, LIVE, 'Queues shared by consumers in pop mode.'),
  long('loadBalancePollNameServerInterval', 30000, LIVE, 'How often routes are refreshed for it.', {
    unit: 'ms',
  }),
  int(
    'cleanOfflineBrokerInterval',
    30000,
    inert('routes are asked for anew instead, every loadBalancePollNameServerInterval'),
    'How often vanished brokers are dropped from them.',
    { unit: 'ms' },
  ),
  long('forwardTimeout', 3000, LIVE, 'How long a request for an older part of a static topic may take at the broker that has it.', {
    unit: 'ms',
  }),

  bool('enablePropertyFilter', false, LIVE, 'Accept SQL92 subscriptions.'),
  bool('enableCalcFilterBitMap', false, inert(BIT_MAPS), 'Evaluate filters when a message is stored.'),
  int('expectConsumerNumUseFilter', 32, START, 'Groups per topic that the bit maps of filters are sized for.'),
  int('maxErrorRateOfBloomFilter', 20, START, 'Error rate of the bit maps of filters.', { unit: '%' }),
  long('filterDataCleanTimeSpan', 86400000, LIVE, 'How long filters of vanished groups are kept.', { unit: 'ms' }),
  bool(
    'filterSupportRetry',
    false,
    LIVE,
    'Filter a SQL92 subscription of a retry topic by the expression for the topic that a message came from.',
  ),

  bool('accountStatsEnable', true, inert(STATS), 'Commercial statistics.'),
  bool('accountStatsPrintZeroValues', true, inert(STATS), 'Print zeros in them.'),
  int('maxStatsIdleTimeInMinutes', -1, inert(STATS), 'When idle statistics are dropped.', { unit: 'min' }),
  bool('enableDetailStat', true, inert(STATS), 'Statistics per queue and group.'),
  bool('autoDeleteUnusedStats', true, inert(STATS), 'Drop statistics with their topic or group.'),
  int('commercialBaseCount', 1, inert(STATS), 'Commercial statistics.'),
  int('commercialSizePerMsg', 4096, inert(STATS), 'Commercial statistics.', { unit: 'bytes' }),
  bool('estimateAccumulation', true, inert(STATS), 'Estimate the lag of filtering groups.'),
  bool('highSpeedMode', false, inert('no version of Apache reads it either'), 'Without meaning today.'),
  bool('recallMessageEnable', false, LIVE, 'Accept recalls of timer messages.'),
  bool('allowRecallWhenBrokerNotWriteable', true, LIVE, 'Accept them on a read-only broker.'),
] as const;
