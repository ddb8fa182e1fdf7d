/**
 * Brings wheel, log, check point and timer topic together after a start (store.md 11.5), whoever wrote them.
 *
 * What the check point says is durable was made so in the order CommitLog, log, wheel, check point. Units behind it are put
 * into the wheel from the log; messages behind the last unit are put there again from the timer topic.
 */
import { recordQueueOffsetAt } from '@perigee/core/message/record';
import type { Log } from '@perigee/core/platform/ports';
import { RowsView } from './queue-rows.ts';
import type { RecordCursor } from './record-cursor.ts';
import type { StoreQueue } from './store-queue.ts';
import type { TimerProgress } from './timer-checkpoint.ts';
import { TIMER_UNIT_BYTES, type TimerLog, type TimerUnit, timerUnit } from './timer-log.ts';
import { floorToTick, oldestReadTimeMs, UNIT_DELETE } from './timer-rules.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** Rows looked back for the row of the last unit, as in Java: the queue offset in its record may be wrong. */
const ROWS_SEARCHED_MAX = 20_000;

export interface TimerFiles {
  readonly wheel: TimerWheel;
  readonly timerLog: TimerLog;
  readonly progress: TimerProgress;
  /** The wheel file was there. */
  readonly hadWheel: boolean;
}

export interface TimerSurroundings {
  readonly log: Log;
  readonly records: RecordCursor;
  /** End of the CommitLog: units of messages behind it are not valid. */
  readonly commitLogEnd: number;
  /** The queue of the timer topic. */
  readonly queue: StoreQueue | undefined;
  readonly nowMs: number;
  readonly tickMs: number;
}

export interface RecoveredTimer {
  /** Slots before are delivered. */
  readonly readTimeMs: number;
  /** Next message of the timer topic to put into the wheel. */
  readonly queueOffset: number;
  /** Units put into the wheel from the log. */
  readonly unitsReplayed: number;
}

/** Loads the live slots and replays the log. The files are loaded. */
export function recoverTimer(files: TimerFiles, at: TimerSurroundings): RecoveredTimer {
  const { wheel, timerLog, progress, hadWheel } = files;
  const knowsReadTime = progress.readTimeMs > 0;
  const readTimeMs = knowsReadTime ? floorToTick(progress.readTimeMs, at.tickMs) : oldestReadTimeMs(at.nowMs, at.tickMs, wheel.slots);
  // Without a log no slot holds anything, and the wheel's 38 MB need not be looked through.
  const liveTimes = timerLog.isEmpty ? [] : wheel.markLive(readTimeMs);
  const from = hadWheel && knowsReadTime ? scanStart(timerLog, progress.logPos) : timerLog.minPos;
  let unitsReplayed = 0;
  timerLog.scan(from, (pos, unit) => {
    if (unit.physicalOffset + unit.sizeBytes > at.commitLogEnd || unit.timeMs % at.tickMs !== 0) return false;
    if (unit.timeMs >= readTimeMs && revise(wheel, pos, unit)) unitsReplayed++;
    return true;
  });
  rebuildBroken(files, liveTimes, readTimeMs, at);
  const isLogWhole = timerLog.endPos >= progress.logPos;
  return { readTimeMs, queueOffset: nextQueueOffset(timerLog, isLogWhole ? progress : undefined, at), unitsReplayed };
}

/** The check point's position, or the start of its file when it is no unit's. */
function scanStart(timerLog: TimerLog, logPos: number): number {
  if (logPos < timerLog.minPos || logPos >= timerLog.filesEnd)
    return timerLog.isEmpty || logPos < timerLog.minPos ? timerLog.minPos : lastFile(timerLog);
  const inFile = logPos % timerLog.fileBytes;
  return inFile % TIMER_UNIT_BYTES === 0 ? logPos : logPos - inFile;
}

function lastFile(timerLog: TimerLog): number {
  return timerLog.filesEnd - timerLog.fileBytes;
}

/** Adds a unit to its slot; false when it is in already. */
function revise(wheel: TimerWheel, pos: number, unit: TimerUnit): boolean {
  if (!wheel.isFree(unit.timeMs)) return false;
  const slot = wheel.get(unit.timeMs);
  const change = (unit.magic & UNIT_DELETE) === 0 ? 1 : -1;
  if (slot === undefined) wheel.put(unit.timeMs, { firstPos: pos, lastPos: pos, count: change });
  else if (pos > slot.lastPos) wheel.put(unit.timeMs, { firstPos: slot.firstPos, lastPos: pos, count: slot.count + change });
  else return false;
  return true;
}

/** A slot whose newest unit is not in the log (the log was damaged) gets the units that are. */
function rebuildBroken({ wheel, timerLog }: TimerFiles, times: readonly number[], readTimeMs: number, { log }: TimerSurroundings): void {
  const broken = new Set(times.filter((timeMs) => (wheel.get(timeMs)?.lastPos ?? -1) >= timerLog.endPos));
  if (broken.size === 0) return;
  log.error('the timer wheel names units that the timer log does not have; those slots are made anew from the log', {
    slots: broken.size,
    logEnd: timerLog.endPos,
  });
  for (const timeMs of broken) wheel.clear(timeMs);
  const endPos = timerLog.endPos;
  timerLog.scan(timerLog.minPos, (pos, unit) => {
    if (pos >= endPos) return false;
    if (broken.has(unit.timeMs) && unit.timeMs >= readTimeMs) revise(wheel, pos, unit);
    return true;
  });
}

/** The next queue offset: behind the last unit's message, and not before what the check point knows to be done. */
function nextQueueOffset(timerLog: TimerLog, progress: TimerProgress | undefined, at: TimerSurroundings): number {
  const { queue } = at;
  if (queue === undefined) return 0;
  const ofUnit = queueOffsetOfLastUnit(timerLog, queue, at.records);
  let next = progress === undefined ? 0 : Math.min(progress.queueOffset, progress.masterQueueOffset);
  if (ofUnit !== undefined) next = Math.max(next, ofUnit + 1);
  return Math.max(queue.rows.minQueueOffset, Math.min(next, queue.rows.maxQueueOffset));
}

function queueOffsetOfLastUnit(timerLog: TimerLog, queue: StoreQueue, records: RecordCursor): number | undefined {
  const unit = timerUnit();
  if (!readLast(timerLog, unit) || !records.load(unit.physicalOffset, unit.sizeBytes)) return undefined;
  const inRecord = recordQueueOffsetAt(records.bytes, records.start);
  const rows = new RowsView();
  for (let back = 0; back < ROWS_SEARCHED_MAX && inRecord - back >= queue.rows.minQueueOffset; back++) {
    if (queue.rows.readRows(inRecord - back, 1, rows) === 0) continue;
    if (rows.physicalOffset(0) === unit.physicalOffset && rows.sizeBytes(0) === unit.sizeBytes) return inRecord - back;
  }
  return inRecord;
}

/** The last unit; the log may end at the start of a file that has none yet. */
function readLast(timerLog: TimerLog, unit: TimerUnit): boolean {
  if (timerLog.isEmpty) return false;
  if (timerLog.read(timerLog.endPos - TIMER_UNIT_BYTES, unit) && timerLog.endPos % timerLog.fileBytes !== 0) return true;
  return timerLog.endPos % timerLog.fileBytes === 0 && timerLog.read(timerLog.lastUnitBefore(timerLog.endPos), unit);
}
