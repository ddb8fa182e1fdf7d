/**
 * Delivers the delay levels (broker.md 17.1). The rows of a level are in order of their time, so only the first one that is
 * not delivered matters: the loop sleeps until the earliest of them is due, and not at all while nothing waits.
 */
import { recordStoreTimestampAt } from '@perigee/core/message/record';
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import { RowsView } from '../../store/queue-rows.ts';
import type { RecordCursor } from '../../store/record-cursor.ts';
import type { QueueArrival, StoreQueue } from '../../store/store-queue.ts';
import { SCHEDULE_TOPIC } from '../names.ts';
import type { DelayOffsetTable } from './delay-offset-table.ts';
import { type Due, DueGroup, type DuePut } from './due-put.ts';

/** Messages of a level that are put in one turn: some 2 ms, so that others' requests are not held up. */
const PUTS_PER_TURN = 256;
/** Messages of a level whose puts are under way. */
const PENDING_MAX = 2048;
/** Pause after a put that was refused (store.md 12). */
const RETRY_MS = 100;
/** Rows read at once. */
const ROWS_READ = 64;
/** How long a stop waits for puts under way. */
const STOP_WAIT_MS = 5000;

export interface LevelLoopParts {
  readonly queue: (topic: string, queueId: number) => StoreQueue;
  readonly queuesOf: (topic: string) => number[];
  readonly records: RecordCursor;
  readonly put: DuePut;
  readonly offsets: DelayOffsetTable;
  /** Delay of each level from 1 on, ms. */
  readonly levelsMs: readonly number[];
}

/** The first row that is not delivered. */
interface Head {
  readonly queueOffset: number;
  readonly deliverMs: number;
  /** It is due then whatever the wall clock says: a clock that was set back makes nobody wait longer than the level's delay. */
  readonly latestMonotonicMs: number;
}

class Level implements QueueArrival {
  readonly level: number;
  readonly delayMs: number;
  readonly queue: StoreQueue;
  readonly group: DueGroup;
  readonly #loop: LevelLoop;
  /** Next row to look at. */
  next: number;
  head: Head | undefined;
  retryAtMonotonicMs = 0;

  constructor(loop: LevelLoop, level: number, delayMs: number, queue: StoreQueue, next: number) {
    this.#loop = loop;
    this.level = level;
    this.delayMs = delayMs;
    this.queue = queue;
    this.next = next;
    this.group = new DueGroup(() => loop.settled(this));
  }

  arrived(_queue: StoreQueue, queueOffset: number): void {
    if (queueOffset === this.next) this.#loop.wake();
  }
}

export class LevelLoop {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: LevelLoopParts;
  readonly #levels: Level[] = [];
  readonly #rows = new RowsView();
  #cancel: Cancel | undefined;
  #cancelWall: Cancel | undefined;
  /** When the first row of a level is due, as far as this run has seen. */
  #dueMs = Number.POSITIVE_INFINITY;
  #isWoken = false;
  #isRunning = false;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, parts: LevelLoopParts) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#parts = parts;
  }

  /** Takes up every level where it was. The store is open and the offsets are loaded. */
  start(): void {
    const { levelsMs, queuesOf, queue, offsets } = this.#parts;
    const queueIds = new Set([...levelsMs.keys(), ...queuesOf(SCHEDULE_TOPIC)]);
    for (const queueId of [...queueIds].sort((left, right) => left - right)) {
      const storeQueue = queue(SCHEDULE_TOPIC, queueId);
      const { minQueueOffset, maxQueueOffset } = storeQueue.rows;
      const known = offsets.position(queueId + 1);
      const next = Math.max(minQueueOffset, Math.min(known ?? 0, maxQueueOffset));
      if (known !== undefined) offsets.move(queueId + 1, next);
      // A level that the configuration does not have any more keeps the times that are in its rows.
      const level = new Level(this, queueId + 1, levelsMs[queueId] ?? Number.POSITIVE_INFINITY, storeQueue, next);
      this.#levels.push(level);
      storeQueue.follower = level;
    }
    this.#isRunning = true;
    this.wake();
  }

  /** Looks at all levels at the end of this turn. */
  wake(): void {
    if (this.#isWoken || !this.#isRunning) return;
    this.#isWoken = true;
    this.#clock.atTurnEnd(() => {
      this.#isWoken = false;
      this.#run();
    });
  }

  /** A put of a level is done. */
  settled(level: Level): void {
    if (level.group.isEmpty) this.#parts.offsets.move(level.level, level.next);
    if (level.group.failed.length > 0 || level.group.pending === PENDING_MAX / 2) this.wake();
  }

  #run(): void {
    if (!this.#isRunning) return;
    this.#cancel?.();
    this.#cancelWall?.();
    this.#dueMs = Number.POSITIVE_INFINITY;
    let waitMs = Number.POSITIVE_INFINITY;
    for (const level of this.#levels) waitMs = Math.min(waitMs, this.#runLevel(level));
    if (waitMs <= 0) {
      this.wake();
      return;
    }
    if (waitMs < Number.POSITIVE_INFINITY) this.#cancel = this.#clock.after(waitMs, () => this.#run());
    if (this.#dueMs < Number.POSITIVE_INFINITY) this.#cancelWall = this.#clock.atWall(this.#dueMs, () => this.#run());
  }

  /** Delivers what is due. Answers after how long the level wants to be looked at again, whatever the wall clock does. */
  #runLevel(level: Level): number {
    const monotonicMs = this.#clock.monotonicMs();
    if (level.retryAtMonotonicMs > monotonicMs) return level.retryAtMonotonicMs - monotonicMs;
    const { group } = level;
    if (group.failed.length > 0 && !this.#retryFailed(level)) return RETRY_MS;
    for (let puts = 0; puts < PUTS_PER_TURN; ) {
      if (group.pending >= PENDING_MAX) return Number.POSITIVE_INFINITY;
      const head = this.#headOf(level);
      if (head === undefined) return Number.POSITIVE_INFINITY;
      const waitMs = head.latestMonotonicMs - this.#clock.monotonicMs();
      if (waitMs > 0 && head.deliverMs > this.#clock.wallMs()) {
        this.#dueMs = Math.min(this.#dueMs, head.deliverMs);
        return waitMs;
      }
      const took = this.#deliverRows(level, PUTS_PER_TURN - puts);
      if (took < 0) return RETRY_MS;
      puts += took;
    }
    return 0;
  }

  /** Puts again what the disk refused; false when it does so still. */
  #retryFailed(level: Level): boolean {
    const { failed } = level.group;
    for (const due of failed.splice(0)) {
      const isThere = this.#parts.put.load(due.physicalOffset, due.sizeBytes);
      if (!isThere || this.#parts.put.put(due, level.group) !== 'busy') continue;
      failed.push(due);
      level.retryAtMonotonicMs = this.#clock.monotonicMs() + RETRY_MS;
    }
    return failed.length === 0;
  }

  #headOf(level: Level): Head | undefined {
    const { rows } = level.queue;
    if (level.next < rows.minQueueOffset) this.#advance(level, rows.minQueueOffset);
    if (level.head?.queueOffset === level.next) return level.head;
    // Rows of a file that was lost are passed over.
    while (level.next < rows.maxQueueOffset && rows.readRows(level.next, 1, this.#rows) === 0) this.#advance(level, level.next + 1);
    if (level.next >= rows.maxQueueOffset) return undefined;
    const deliverMs = this.#deliverMs(level, 0);
    const aheadMs = Math.min(deliverMs - this.#clock.wallMs(), level.delayMs);
    level.head = { queueOffset: level.next, deliverMs, latestMonotonicMs: this.#clock.monotonicMs() + Math.max(0, aheadMs) };
    return level.head;
  }

  /** When the row at `place` is due. */
  #deliverMs(level: Level, place: number): number {
    const rows = this.#rows;
    if (rows.isBlank(place)) return 0;
    if (!rows.isExtAddress(place)) return rows.tagsCode(place);
    const { records } = this.#parts;
    if (!records.load(rows.physicalOffset(place), rows.sizeBytes(place))) return 0;
    return recordStoreTimestampAt(records.bytes, records.start) + level.delayMs;
  }

  /** Puts due rows, the first of which is the head; answers how many rows, -1 when the store is busy. */
  #deliverRows(level: Level, rowsMax: number): number {
    const rows = this.#rows;
    const { put } = this.#parts;
    const count = level.queue.rows.readRows(level.next, Math.min(rowsMax, ROWS_READ), rows);
    const nowMs = this.#clock.wallMs();
    for (let place = 0; place < count; place++) {
      if (place > 0 && this.#deliverMs(level, place) > nowMs) return place;
      const sizeBytes = rows.sizeBytes(place);
      const physicalOffset = rows.physicalOffset(place);
      const due: Due = { physicalOffset, sizeBytes, kind: 'level', enqueueMs: '' };
      if (!rows.isBlank(place) && put.load(physicalOffset, sizeBytes) && put.put(due, level.group) === 'busy') {
        level.retryAtMonotonicMs = this.#clock.monotonicMs() + RETRY_MS;
        return -1;
      }
      this.#advance(level, level.next + 1);
    }
    return Math.max(1, count);
  }

  #advance(level: Level, next: number): void {
    level.next = next;
    if (level.group.isEmpty) this.#parts.offsets.move(level.level, next);
  }

  /** Delivers no more; resolves when what is under way has reached the page cache. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#cancel?.();
    this.#cancelWall?.();
    for (const level of this.#levels) level.queue.follower = undefined;
    for (let waitedMs = 0; this.#levels.some(({ group }) => group.pending > 0); waitedMs++) {
      if (waitedMs >= STOP_WAIT_MS) {
        this.#log.warn('delayed messages were still being delivered at the stop: they will be delivered again');
        return;
      }
      await this.#clock.sleep(1);
    }
  }
}
