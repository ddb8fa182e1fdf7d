/** The figures of GET_BROKER_RUNTIME_INFO (broker.md 23): all values are text, in Apache's formats. */
import { javaDoubleText } from '@perigee/core/kit/java-json';
import type { ServerFlow } from '@perigee/core/remoting/remoting-server';
import type { BrokerParts } from './broker-parts.ts';

/** Name of the version ordinal that we report (core's VERSION_ORDINAL). */
const VERSION_NAME = 'V5_5_0';
/** Java's "no pool of direct buffers" (`transientStorePoolEnable`), which is not built. */
const NO_BUFFER_POOL = '2147483647';
const KIBI = 1024;

/** Bytes as Apache prints them: `0 B`, `98.3 GiB`. */
export function readableBytes(bytes: number): string {
  if (bytes < KIBI) return `${bytes} B`;
  let value = bytes / KIBI;
  let unit = 0;
  for (; value >= KIBI && unit < 5; unit++) value /= KIBI;
  return `${value.toFixed(1)} ${'KMGTPE'[unit]}iB`;
}

/** A span as Apache prints it: `[ 0 days, 1 hours, 2 minutes, 3 seconds ]`. */
export function readableSpan(spanMs: number): string {
  const seconds = Math.floor(spanMs / 1000);
  const days = Math.floor(seconds / 86_400);
  return `[ ${days} days, ${Math.floor(seconds / 3600) % 24} hours, ${Math.floor(seconds / 60) % 60} minutes, ${seconds % 60} seconds ]`;
}

function ratio(value: number): string {
  return javaDoubleText(Math.round(value * 100) / 100);
}

/** All figures, by Apache's keys. */
export function runtimeInfo(broker: BrokerParts): Map<string, string> {
  return new Map([...putAndGet(broker), ...storeState(broker), ...queues(broker), ...flow(broker), ...timers(broker), ...identity(broker)]);
}

function* identity({ platform, settings, bootTimestampMs }: BrokerParts): Generator<[string, string]> {
  yield ['brokerVersionDesc', VERSION_NAME];
  // Delivery of delayed messages and transaction checks run where brokerId is 0 (broker.md 1.4).
  yield ['brokerActive', String(settings.brokerId === 0)];
  yield ['bootTimestamp', String(bootTimestampMs)];
  yield ['runtime', readableSpan(platform.clock.wallMs() - bootTimestampMs)];
  yield ['startAcceptSendRequestTimeStamp', String(settings.startAcceptSendRequestTimeStamp)];
}

function* putAndGet({ stats }: BrokerParts): Generator<[string, string]> {
  const { putToday, getToday, putLatencies } = stats;
  const times = Math.max(1, stats.putTimesTotal);
  yield ['putMessageTimesTotal', String(times)];
  yield ['putMessageFailedTimes', String(stats.putFailedTimes)];
  yield ['putMessageSizeTotal', String(stats.putBytes)];
  yield ['putMessageAverageSize', javaDoubleText(stats.putBytes / times)];
  yield ['putMessageEntireTimeMax', String(putLatencies.maxMs)];
  yield ['putMessageDistributeTime', putLatencies.distribution()];
  yield ['putLatency99', putLatencies.percentile(0.99).toFixed(2)];
  yield ['putLatency999', putLatencies.percentile(0.999).toFixed(2)];
  yield ['getMessageEntireTimeMax', String(stats.getEntireTimeMaxMs)];
  yield ['putTps', stats.rateText('put')];
  yield ['getFoundTps', stats.rateText('getFound')];
  yield ['getMissTps', stats.rateText('getMiss')];
  yield ['getTotalTps', stats.rateText('getFound', 'getMiss')];
  yield ['getTransferredTps', stats.rateText('getTransferred')];
  yield ['msgPutTotalYesterdayMorning', String(putToday.yesterdayMorning)];
  yield ['msgPutTotalTodayMorning', String(putToday.todayMorning)];
  yield ['msgPutTotalTodayNow', String(putToday.now)];
  yield ['msgGetTotalYesterdayMorning', String(getToday.yesterdayMorning)];
  yield ['msgGetTotalTodayMorning', String(getToday.todayMorning)];
  yield ['msgGetTotalTodayNow', String(getToday.now)];
}

function* storeState({ store, settings, commitLog }: BrokerParts): Generator<[string, string]> {
  const use = store.diskUse();
  yield ['commitLogDiskRatio', ratio(use.commitLog)];
  if (settings.storePathCommitLog !== undefined) yield [`commitLogDiskRatio_${settings.storePathCommitLog}`, ratio(use.commitLog)];
  yield ['consumeQueueDiskRatio', ratio(use.consumeQueue)];
  yield ['commitLogDirCapacity', `Total : ${readableBytes(use.totalBytes)}, Free : ${readableBytes(use.usableBytes)}.`];
  // Java says -1 for a CommitLog without files.
  yield ['commitLogMinOffset', String(store.maxPhysicalOffset === 0 ? -1 : store.minPhysicalOffset)];
  yield ['commitLogMaxOffset', String(store.maxPhysicalOffset)];
  yield ['earliestMessageTimeStamp', String(store.earliestStoreTimestampOfLog())];
  yield ['remainHowManyDataToFlush', readableBytes(Math.max(0, store.maxPhysicalOffset - commitLog.flushedTo))];
  // Ours: how often the page cache was slow, so that writes went through the thread pool for a while.
  yield ['slowPageCacheWriteTimes', String(commitLog.counters.slowWrites)];
  yield ['remainTransientStoreBufferNumbs', NO_BUFFER_POOL];
  // A message is dispatched in the same turn as it is appended, and appends wait for no lock.
  yield ['dispatchBehindBytes', '0'];
  yield ['dispatchMaxBuffer', '0'];
  yield ['pageCacheLockTimeMills', '0'];
}

/** Requests run to completion as they arrive: no request waits in a queue of a thread pool. */
function* queues({ settings }: BrokerParts): Generator<[string, string]> {
  const capacities: [name: string, capacity: number][] = [
    ['send', settings.sendThreadPoolQueueCapacity],
    ['pull', settings.pullThreadPoolQueueCapacity],
    ['litePull', settings.litePullThreadPoolQueueCapacity],
    ['query', settings.queryThreadPoolQueueCapacity],
    ['ack', settings.ackThreadPoolQueueCapacity],
  ];
  for (const [name, capacity] of capacities) {
    yield [`${name}ThreadPoolQueueSize`, '0'];
    yield [`${name}ThreadPoolQueueCapacity`, String(capacity)];
    yield [`${name}ThreadPoolQueueHeadWaitTimeMills`, '0'];
  }
  yield ['EndTransactionQueueSize', '0'];
  yield ['EndTransactionThreadPoolQueueCapacity', String(settings.endTransactionPoolQueueCapacity)];
}

/** Ours: what waits for consumers, for whom the most waits, and what was refused or cut off for it. */
function* flow({ flow, groups, stats }: BrokerParts): Generator<[string, string]> {
  yield ['sendBusyTimes', String(stats.sendBusyTimes)];
  if (stats.sendBusyCause !== undefined) yield ['sendBusyCause', stats.sendBusyCause];
  yield ['slowGroupsDisabled', String(groups.disabledCount)];
  const figures = flow?.();
  if (figures === undefined) return;
  const { listeners, heldPulls, heldPops, heldNotifications } = figures;
  const sum = (of: (listener: ServerFlow) => number): number => listeners.reduce((total, listener) => total + of(listener), 0);
  yield ['heldPulls', String(heldPulls)];
  yield ['heldPops', String(heldPops)];
  yield ['heldNotifications', String(heldNotifications)];
  yield ['connections', String(sum(({ connections }) => connections))];
  yield ['unreadReplyBytes', readableBytes(sum(({ pendingBytes }) => pendingBytes))];
  yield ['connectionsStoppedReading', String(sum(({ stopped }) => stopped))];
  yield ['connectionsCutSlowReader', String(sum(({ cuts }) => cuts))];
  yield ['unfinishedRequestBytes', readableBytes(sum(({ unfinishedBytes }) => unfinishedBytes))];
  yield ['connectionsCutUnfinished', String(sum(({ unfinishedCuts }) => unfinishedCuts))];
  const slowest = listeners.flatMap((listener) => listener.slowest ?? []).sort((a, b) => b.pendingBytes - a.pendingBytes)[0];
  if (slowest !== undefined) yield ['slowestReader', `${slowest.address} ${readableBytes(slowest.pendingBytes)}`];
}

/** Delay levels and the timer; mqadmin clusterList prints the latter. */
function* timers({ delays }: BrokerParts): Generator<[string, string]> {
  const figures = delays?.figures();
  yield ['timerReadBehind', String(Math.floor((figures?.readBehindMs ?? 0) / 1000))];
  yield ['timerOffsetBehind', String(figures?.queueBehind ?? 0)];
  yield ['timerCongestNum', String(figures?.messages ?? 0)];
  yield ['timerEnqueueTps', javaDoubleText(Math.round((figures?.enqueueRate ?? 0) * 10) / 10)];
  yield ['timerDequeueTps', javaDoubleText(Math.round((figures?.dequeueRate ?? 0) * 10) / 10)];
  for (const [level, position, end] of delays?.levelProgress() ?? []) yield [`scheduleMessageOffset_${level}`, `${position},${end}`];
}
