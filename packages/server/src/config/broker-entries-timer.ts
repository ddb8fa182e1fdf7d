/** Delay levels, timer wheel and transactions (store.md 11, 12, 16; since-5.4.md 3.4). */
import { bool, inert, int, LIVE, long, START, string } from './config-entry.ts';

const THREADS = 'one thread does it all; a turn delivers so many that others are not held up';
const ASYNC_DELIVERY = 'deliveries never wait for each other here';
const NO_MAPPED_MEMORY = 'the timer files are not mapped into memory';
const NOT_READ = 'no version of Apache reads it either';
const MS = { unit: 'ms' };

export const delayEntries = [
  string(
    'messageDelayLevel',
    '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h',
    START,
    'The delay levels, from level 1 on; units s, m, h, d.',
  ),
  long('flushDelayOffsetInterval', 10000, START, 'How often the positions of the delay levels are written.', { unit: 'ms', min: 1 }),
  bool('enableScheduleAsyncDeliver', false, inert(ASYNC_DELIVERY), 'Deliver without waiting for each put.'),
  int('scheduleAsyncDeliverMaxPendingLimit', 2000, inert(ASYNC_DELIVERY), 'Deliveries in flight.'),
  int('scheduleAsyncDeliverMaxResendNum2Blocked', 3, inert(ASYNC_DELIVERY), 'Failures before a level blocks.'),
  bool('enableScheduleMessageStats', true, inert('statistics of delay levels are not built yet'), 'Statistics of delay levels.'),
  bool('timerWheelEnable', true, LIVE, 'Take delays of any length. Off at the start: there is no timer until the next start.'),
  int('mappedFileSizeTimerLog', 104857600, START, 'Size of a timer log file.', { unit: 'bytes', min: 136 }),
  int('timerPrecisionMs', 1000, START, 'Width of a slot of the wheel: so late may a delivery be. Never change it on a store with timers.', {
    unit: 'ms',
    min: 100,
  }),
  int(
    'timerRollWindowSlot',
    172800,
    START,
    'Slots after which a far timer is written again; times timerPrecisionMs well below fileReservedTime.',
  ),
  int('timerMaxDelaySec', 259200, LIVE, 'Longest delay; far ones are written again every timerRollWindowSlot.', { unit: 's', min: 1 }),
  int('timerFlushIntervalMs', 1000, START, 'How often the timer files are made durable.', { unit: 'ms', min: 1 }),
  int('timerGetMessageThreadNum', 3, inert(THREADS), 'Threads that read due messages.'),
  int('timerPutMessageThreadNum', 3, inert(THREADS), 'Threads that deliver them.'),
  int('timerCongestNumEachSlot', 2147483647, LIVE, 'Timers per slot from which on some are refused; twice as many: all.'),
  bool('timerEnableRetryUntilSuccess', false, inert('a delivery is always retried until it succeeds'), 'Retry a delivery for ever.'),
  bool('timerStopEnqueue', false, LIVE, 'Put no messages into the wheel.'),
  bool('timerStopDequeue', false, LIVE, 'Deliver none.'),
  bool(
    'timerSkipUnknownError',
    false,
    inert('what cannot be delivered is logged and passed over'),
    'Drop a timer that fails for an unknown reason.',
  ),
  bool('timerEnableCheckMetrics', true, LIVE, 'Count once a day what waits in the timer, per topic (config/timermetrics).'),
  string(
    'timerCheckMetricsWhen',
    '05',
    LIVE,
    'At which hours, local time, "05" or "05;17"; a change counts from the next hour on that was named before.',
  ),
  int('timerMetricSmallThreshold', 1000000, inert('topics of every size are counted'), 'Topics with more timers are left out.'),
  int('timerProgressLogIntervalMs', 10000, inert('the progress is in the run-time info'), 'How often progress is logged.', MS),
  bool('timerInterceptDelayLevel', false, inert(NOT_READ), 'Without meaning today.'),
  bool('timerEnableDisruptor', false, inert(NOT_READ), 'Without meaning today.'),
  bool('timerWarmEnable', false, inert(NO_MAPPED_MEMORY), 'Read timer log pages in advance.'),
  int('timerColdDataCheckIntervalMs', 60000, inert(NO_MAPPED_MEMORY), 'How often cold pages are looked for.', MS),
  bool('timerWheelSnapshotFlush', false, inert(NO_MAPPED_MEMORY), 'Write the wheel as snapshots.'),
  int('timerWheelSnapshotIntervalMs', 10000, inert(NO_MAPPED_MEMORY), 'How often.', MS),
  bool('appendTopicForTimerDeleteKey', false, LIVE, 'Recall by topic and key, as 5.3.3 does; both are understood.'),
  int('disappearTimeAfterStart', -1, inert('slaves are not built yet'), 'Hide a fresh slave from consumers for so long.', { unit: 's' }),
] as const;

export const transactionEntries = [
  bool('rejectTransactionMessage', false, LIVE, 'Refuse half messages.', { important: true }),
  long('transactionTimeOut', 6000, LIVE, 'After how long a half message is checked.', { unit: 'ms', important: true }),
  int('transactionCheckMax', 15, LIVE, 'Checks before it is dropped.', { important: true }),
  long('transactionCheckInterval', 30000, START, 'Pause between checks.', { unit: 'ms', important: true }),
  long('transactionMetricFlushInterval', 10000, START, 'How often its counters are written.', MS),
  int('transactionOpMsgMaxSize', 4096, START, 'Largest op message.', { unit: 'bytes' }),
  int(
    'transactionOpBatchInterval',
    3000,
    inert('an op message is written in the turn of the end that it records'),
    'How long op messages are collected.',
    MS,
  ),
] as const;
