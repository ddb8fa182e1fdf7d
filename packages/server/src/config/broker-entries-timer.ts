/** Delay levels, timer wheel and transactions (store.md 11, 12, 16; since-5.4.md 3.4). */
import { bool, inert, int, LIVE, long, START, string } from './config-entry.ts';

const DELAY = 'delayed messages are not built yet';
const MS = { unit: 'ms' };

export const delayEntries = [
  string(
    'messageDelayLevel',
    '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h',
    inert(DELAY),
    'The delay levels, from level 1 on.',
  ),
  long('flushDelayOffsetInterval', 10000, inert(DELAY), 'How often delivery positions are written.', MS),
  bool('enableScheduleAsyncDeliver', false, inert(DELAY), 'Deliver without waiting for each put.'),
  int('scheduleAsyncDeliverMaxPendingLimit', 2000, inert(DELAY), 'Deliveries in flight.'),
  int('scheduleAsyncDeliverMaxResendNum2Blocked', 3, inert(DELAY), 'Failures before a level blocks.'),
  bool('enableScheduleMessageStats', true, inert(DELAY), 'Statistics of delay levels.'),
  bool('timerWheelEnable', true, START, 'Keep the system topic for delays of any length.'),
  int('mappedFileSizeTimerLog', 104857600, inert(DELAY), 'Size of a timer log file.', { unit: 'bytes' }),
  int('timerPrecisionMs', 1000, inert(DELAY), 'Width of a slot of the wheel.', MS),
  int('timerRollWindowSlot', 172800, inert(DELAY), 'Slots after which a far timer is written again.'),
  int('timerMaxDelaySec', 259200, inert(DELAY), 'Longest delay.', { unit: 's' }),
  int('timerFlushIntervalMs', 1000, inert(DELAY), 'How often the wheel is written.', MS),
  int('timerGetMessageThreadNum', 3, inert(DELAY), 'Threads that read due messages.'),
  int('timerPutMessageThreadNum', 3, inert(DELAY), 'Threads that deliver them.'),
  int('timerCongestNumEachSlot', 2147483647, inert(DELAY), 'Timers per slot.'),
  bool('timerEnableRetryUntilSuccess', false, inert(DELAY), 'Retry a delivery for ever.'),
  bool('timerStopEnqueue', false, inert(DELAY), 'Take no new timers.'),
  bool('timerStopDequeue', false, inert(DELAY), 'Deliver none.'),
  bool('timerSkipUnknownError', false, inert(DELAY), 'Drop a timer that fails for an unknown reason.'),
  bool('timerEnableCheckMetrics', true, inert(DELAY), 'Count timers per topic afresh.'),
  string('timerCheckMetricsWhen', '05', inert(DELAY), 'At which hour.'),
  int('timerMetricSmallThreshold', 1000000, inert(DELAY), 'Up to how many.'),
  int('timerProgressLogIntervalMs', 10000, inert(DELAY), 'How often progress is logged.', MS),
  bool('timerInterceptDelayLevel', false, inert('no version of Apache reads it either'), 'Without meaning today.'),
  bool('timerEnableDisruptor', false, inert('no version of Apache reads it either'), 'Without meaning today.'),
  bool('timerWarmEnable', false, inert(DELAY), 'Read timer log pages in advance.'),
  int('timerColdDataCheckIntervalMs', 60000, inert(DELAY), 'How often cold pages are looked for.', MS),
  bool('timerWheelSnapshotFlush', false, inert(DELAY), 'Write the wheel as snapshots.'),
  int('timerWheelSnapshotIntervalMs', 10000, inert(DELAY), 'How often.', MS),
  bool('appendTopicForTimerDeleteKey', false, inert(DELAY), 'Recall by topic and key instead of key alone.'),
  int('disappearTimeAfterStart', -1, inert(DELAY), 'Hide a fresh slave from consumers for so long.', { unit: 's' }),
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
