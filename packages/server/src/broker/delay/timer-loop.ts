/**
 * Moves messages with a time of their own (broker.md 17.2): from the timer topic into the wheel, and when their tick is over
 * to the queue that they were meant for, or, when the wheel does not reach as far as their time, into the timer topic again.
 *
 * The state and its files are `store/timer-store.ts`. The loop sleeps until the earliest slot is due, and not at all while
 * nothing waits.
 */
import { javaStringHash } from '@perigee/core/kit/java-hash';
import { Ticker } from '@perigee/core/kit/ticker';
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import { RowsView } from '../../store/queue-rows.ts';
import type { QueueArrival, StoreQueue } from '../../store/store-queue.ts';
import type { TimerChain } from '../../store/timer-chain.ts';
import { timerUnit } from '../../store/timer-log.ts';
import { UNIT_ROLL } from '../../store/timer-rules.ts';
import type { TimerStore } from '../../store/timer-store.ts';
import { type Due, DueGroup, type DuePut, NEVER_ENQUEUED } from './due-put.ts';
import { EventRate } from './event-rate.ts';
import type { TimerHints } from './timer-hints.ts';
import type { TimerMetrics } from './timer-metrics.ts';

/** Rows read at once, and messages put into the wheel in one turn: some 4 ms. */
const ROWS_READ = 512;
const ROWS_PER_TURN = 2048;
/** Messages delivered in one turn: some 2 ms, so that others' requests are not held up. */
const PUTS_PER_TURN = 256;
/** Deliveries under way. */
const PENDING_MAX = 2048;
/** Units of a chain read in one turn. */
const UNITS_PER_TURN = 16_384;
/** Pause after a put that was refused (Java's too). */
const RETRY_MS = 500;
/** How often a loop that an operator stopped looks whether it may go on. */
const STOPPED_MS = 1000;
/** How often files of the timer log are looked at that nobody needs. */
const CLEANING_PERIOD_MS = 30_000;
/** After a quiet time the files are made durable as soon as this, so that what belongs together gets there together. */
const FLUSH_SOON_MS = 100;
/** How often the counts are written, at most. */
const METRICS_PERIOD_MS = 10_000;
/** How long a stop waits for puts under way. */
const STOP_WAIT_MS = 5000;

export interface TimerLoopSettings {
  readonly timerStopEnqueue: boolean;
  readonly timerStopDequeue: boolean;
  readonly timerFlushIntervalMs: number;
}

export interface TimerLoopParts {
  readonly settings: TimerLoopSettings;
  readonly timer: TimerStore;
  /** The queue of the timer topic. */
  readonly queue: StoreQueue;
  /** Reads and puts what is on its way into the wheel. */
  readonly intake: DuePut;
  /** Reads and puts what is due: far from the other in the CommitLog, so that each keeps its window of it. */
  readonly delivery: DuePut;
  readonly metrics: TimerMetrics;
  readonly hints: TimerHints;
}

export class TimerLoop implements QueueArrival {
  readonly enqueued: EventRate;
  readonly dequeued: EventRate;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: TimerLoopParts;
  readonly #rows = new RowsView();
  readonly #unit = timerUnit();
  /** Next row of the timer topic; ahead of the timer's own while late messages are on their way. */
  #nextRow = 0;
  /** Messages that were late when they were seen. */
  readonly #late = new DueGroup(() => this.#settled());
  /** The slot that is being delivered. */
  #chain: TimerChain | undefined;
  #isCollected = false;
  /** Messages put in this run. */
  #delivered = 0;
  readonly #deleteKeys = new Set<string>();
  #deletesRead = 0;
  readonly #delivery = new DueGroup(() => this.#settled());
  #retryAtMonotonicMs = 0;
  #cancel: Cancel | undefined;
  #cancelDue: Cancel | undefined;
  /** Wall clock of this run, ms. */
  #nowMs = 0;
  /** When the earliest slot is due, if this run waits for it. */
  #dueMs = Number.POSITIVE_INFINITY;
  #cancelFlush: Cancel | undefined;
  readonly #cleaning: Ticker;
  #metricsAtMonotonicMs = 0;
  #flushedAtMonotonicMs = Number.NEGATIVE_INFINITY;
  /** Something is not in the files yet. */
  #isDirty = false;
  #isWoken = false;
  #isRunning = false;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, parts: TimerLoopParts) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#parts = parts;
    this.enqueued = new EventRate(platform.clock);
    this.dequeued = new EventRate(platform.clock);
    this.#cleaning = new Ticker(platform.clock, { periodMs: CLEANING_PERIOD_MS }, () => {
      if (parts.timer.logFileCount <= 1) return false;
      this.#clean();
      return true;
    });
  }

  /** The timer is open. */
  start(): void {
    const { timer, queue } = this.#parts;
    this.#nextRow = timer.queueOffset;
    this.#parts.hints.clear();
    queue.follower = this;
    this.#isRunning = true;
    this.#cleaning.start();
    this.wake();
  }

  /** Messages of the timer topic that are not in the wheel yet. */
  get enqueueBehind(): number {
    return Math.max(0, this.#parts.queue.rows.maxQueueOffset - this.#parts.timer.queueOffset);
  }

  /** How long ago the oldest slot that is not delivered was due, ms; 0 when none is overdue. */
  get dequeueBehindMs(): number {
    const { timer } = this.#parts;
    const first = this.#chain?.timeMs ?? timer.firstSlot();
    return first === undefined ? 0 : Math.max(0, this.#clock.wallMs() - timer.dueAt(first));
  }

  arrived(): void {
    this.wake();
  }

  /** Looks at everything at the end of this turn. */
  wake(): void {
    if (this.#isWoken || !this.#isRunning) return;
    this.#isWoken = true;
    this.#clock.atTurnEnd(() => {
      this.#isWoken = false;
      this.#run();
    });
  }

  #settled(): void {
    if (this.#late.isEmpty && this.#parts.timer.queueOffset !== this.#nextRow) this.#advanceQueue();
    const { pending, failed } = this.#delivery;
    if (pending === 0 || failed.length > 0 || pending === PENDING_MAX / 2 || this.#late.failed.length > 0) this.wake();
  }

  #advanceQueue(): void {
    this.#parts.timer.advanceQueue(this.#nextRow);
    this.#changed();
  }

  #run(): void {
    if (!this.#isRunning) return;
    this.#cancel?.();
    this.#cancelDue?.();
    this.#dueMs = Number.POSITIVE_INFINITY;
    let waitMs: number;
    try {
      this.#nowMs = this.#clock.wallMs();
      this.#parts.timer.moveTo(this.#nowMs);
      let enqueueMs = this.#enqueue();
      for (let rows = ROWS_READ; rows < ROWS_PER_TURN && enqueueMs === 0; rows += ROWS_READ) enqueueMs = this.#enqueue();
      waitMs = Math.min(enqueueMs, this.#deliver());
      this.dequeued.add(this.#delivered);
      this.#delivered = 0;
    } catch (error) {
      this.#log.error('the timer cannot write its files; it tries again', { error: String(error) });
      waitMs = RETRY_MS;
    }
    if (waitMs <= 0) {
      this.wake();
      return;
    }
    if (waitMs < Number.POSITIVE_INFINITY) this.#cancel = this.#clock.after(waitMs, () => this.#run());
    if (this.#dueMs < Number.POSITIVE_INFINITY) this.#cancelDue = this.#clock.atWall(this.#dueMs, () => this.#run());
  }

  // --- from the timer topic into the wheel ---

  /** Answers after how long it wants to be called again. */
  #enqueue(): number {
    const { settings, queue, timer } = this.#parts;
    if (settings.timerStopEnqueue) return STOPPED_MS;
    if (this.#late.failed.length > 0 && !this.#putAgain(this.#late)) return RETRY_MS;
    if (this.#late.pending >= PENDING_MAX) return Number.POSITIVE_INFINITY;
    this.#nextRow = Math.max(this.#nextRow, queue.rows.minQueueOffset);
    const count = queue.rows.readRows(this.#nextRow, ROWS_READ, this.#rows);
    if (count === 0) return this.#passHole();
    let place = 0;
    let waitMs = 0;
    try {
      while (place < count && waitMs === 0) {
        waitMs = this.#enqueueRow(place);
        if (waitMs === 0) place++;
      }
    } finally {
      // What is in the wheel must not get there twice, even if the next one failed.
      this.#nextRow += place;
      this.enqueued.add(place);
    }
    timer.writeNow();
    if (this.#late.isEmpty) this.#advanceQueue();
    return waitMs;
  }

  /** No rows: none are there, or a file of them was lost, which is passed over. */
  #passHole(): number {
    if (this.#nextRow >= this.#parts.queue.rows.maxQueueOffset) return Number.POSITIVE_INFINITY;
    this.#nextRow++;
    return 0;
  }

  /** Puts the message of a row into the wheel; answers 0, or after how long to try again. */
  #enqueueRow(place: number): number {
    const { timer, intake, metrics, hints } = this.#parts;
    const rows = this.#rows;
    const physicalOffset = rows.physicalOffset(place);
    const sizeBytes = rows.sizeBytes(place);
    if (rows.isBlank(place)) return 0;
    const hint = hints.find(this.#nextRow + place, physicalOffset) ?? (intake.load(physicalOffset, sizeBytes) ? intake.hint : undefined);
    if (hint === undefined) return 0;
    const { outMs, topic, isDelete } = hint;
    if (Number.isNaN(outMs)) {
      this.#log.warn('a message in the timer topic has no time; it is passed over', { physicalOffset });
      return 0;
    }
    const topicHash = javaStringHash(topic);
    const placed = timer.put({ physicalOffset, sizeBytes, outMs: outMs - (outMs % timer.tickMs), isDelete, topicHash });
    if (placed === 'blocked') return RETRY_MS;
    if (placed === 'placed') metrics.add(topic, isDelete ? -1 : 1, this.#nowMs);
    else if (!isDelete) return this.#putLate({ physicalOffset, sizeBytes, kind: 'timer', enqueueMs: NEVER_ENQUEUED });
    return 0;
  }

  /** Delivers a message past the wheel; answers 0, or after how long to try again. */
  #putLate(due: Due): number {
    const { settings, intake } = this.#parts;
    if (settings.timerStopDequeue) return STOPPED_MS;
    return intake.load(due.physicalOffset, due.sizeBytes) && intake.put(due, this.#late) === 'busy' ? RETRY_MS : 0;
  }

  // --- from the wheel to where they were meant for ---

  /** Answers after how long it wants to be called again. */
  #deliver(): number {
    const { settings, timer } = this.#parts;
    if (settings.timerStopDequeue) return STOPPED_MS;
    const monotonicMs = this.#clock.monotonicMs();
    if (this.#retryAtMonotonicMs > monotonicMs) return this.#retryAtMonotonicMs - monotonicMs;
    this.#chain ??= timer.dueChain(this.#nowMs);
    const chain = this.#chain;
    if (chain === undefined) {
      const first = timer.firstSlot();
      if (first !== undefined) this.#dueMs = timer.dueAt(first);
      return Number.POSITIVE_INFINITY;
    }
    if (!this.#collect(chain)) return 0;
    if (this.#delivery.failed.length > 0 && !this.#putAgain(this.#delivery)) return this.#retryLater();
    for (let puts = 0; puts < PUTS_PER_TURN && this.#delivery.pending < PENDING_MAX; puts++) {
      const pos = chain.next();
      if (pos === undefined) return this.#finish(chain);
      if (this.#deliverUnit(pos) !== 'busy') continue;
      chain.putBack();
      return this.#retryLater();
    }
    return this.#delivery.pending < PENDING_MAX ? 0 : Number.POSITIVE_INFINITY;
  }

  #retryLater(): number {
    this.#retryAtMonotonicMs = this.#clock.monotonicMs() + RETRY_MS;
    return RETRY_MS;
  }

  /** Reads the chain of a slot and what its messages take back; false while there is more to read. */
  #collect(chain: TimerChain): boolean {
    if (!this.#isCollected) {
      if (!chain.collect(UNITS_PER_TURN)) return false;
      this.#isCollected = true;
      if (chain.brokenAt !== undefined)
        this.#log.error('a chain of the timer log is broken; the messages before are not found', {
          slotMs: chain.timeMs,
          at: chain.brokenAt,
        });
    }
    const { timer, delivery, metrics } = this.#parts;
    const { deletePositions } = chain;
    for (let n = 0; n < PUTS_PER_TURN && this.#deletesRead < deletePositions.length; n++) {
      const pos = deletePositions[this.#deletesRead++] as number;
      const unit = this.#unit;
      if (!timer.readUnit(pos, unit) || !delivery.load(unit.physicalOffset, unit.sizeBytes) || !delivery.hasDeleteKey) continue;
      // Balanced by the message that it takes back, if that is there.
      metrics.add(delivery.realTopic, 1, this.#nowMs);
      this.#deleteKeys.add(delivery.deleteKey);
    }
    return this.#deletesRead === deletePositions.length;
  }

  #deliverUnit(pos: number): 'appended' | 'busy' | 'skipped' {
    const { timer, delivery, metrics } = this.#parts;
    const unit = this.#unit;
    // An expired message is gone with its file.
    if (!timer.readUnit(pos, unit) || !delivery.load(unit.physicalOffset, unit.sizeBytes)) return 'skipped';
    if (!delivery.isTimer) {
      this.#log.error('the timer log names a record that is no timer message', { position: pos, physicalOffset: unit.physicalOffset });
      return 'skipped';
    }
    const { realTopic } = delivery;
    const isRoll = (unit.magic & UNIT_ROLL) !== 0;
    if (!isRoll && this.#isTakenBack(realTopic)) {
      metrics.add(realTopic, -1, this.#nowMs);
      return 'skipped';
    }
    const due: Due = {
      physicalOffset: unit.physicalOffset,
      sizeBytes: unit.sizeBytes,
      kind: isRoll ? 'roll' : 'timer',
      enqueueMs: String(unit.writeTimeMs),
    };
    const result = delivery.put(due, this.#delivery);
    if (result === 'appended') {
      metrics.add(realTopic, -1, this.#nowMs);
      this.#delivered++;
    }
    return result;
  }

  /** Recalls name the message by its key (5.5.0) or by topic and key (5.3.3): both are taken. */
  #isTakenBack(realTopic: string): boolean {
    if (this.#deleteKeys.size === 0) return false;
    const { uniqueKey } = this.#parts.delivery;
    return this.#deleteKeys.has(uniqueKey) || this.#deleteKeys.has(`${realTopic}+${uniqueKey}`);
  }

  /** All units are taken: the slot is done when the last of its messages is in the page cache. */
  #finish(chain: TimerChain): number {
    if (!this.#delivery.isEmpty) return Number.POSITIVE_INFINITY;
    const { timer } = this.#parts;
    timer.delivered(chain.timeMs);
    timer.moveTo(this.#clock.wallMs());
    this.#chain = undefined;
    this.#isCollected = false;
    this.#deletesRead = 0;
    this.#deleteKeys.clear();
    this.#changed();
    return 0;
  }

  /** Puts again what the disk refused; false when it does so still. */
  #putAgain(group: DueGroup): boolean {
    const { delivery } = this.#parts;
    for (const due of group.failed.splice(0)) {
      if (delivery.load(due.physicalOffset, due.sizeBytes) && delivery.put(due, group) === 'busy') group.failed.push(due);
    }
    return group.failed.length === 0;
  }

  // --- the files ---

  #changed(): void {
    this.#isDirty = true;
    this.#cleaning.wake();
    if (this.#cancelFlush !== undefined || !this.#isRunning) return;
    const sinceMs = this.#clock.monotonicMs() - this.#flushedAtMonotonicMs;
    const waitMs = Math.max(FLUSH_SOON_MS, this.#parts.settings.timerFlushIntervalMs - sinceMs);
    this.#cancelFlush = this.#clock.after(waitMs, () => void this.#flush());
  }

  async #flush(): Promise<void> {
    const { timer, metrics } = this.#parts;
    this.#isDirty = false;
    this.#flushedAtMonotonicMs = this.#clock.monotonicMs();
    try {
      await timer.flush(this.#clock.wallMs());
      if (metrics.isDirty && this.#clock.monotonicMs() - this.#metricsAtMonotonicMs >= METRICS_PERIOD_MS) {
        this.#metricsAtMonotonicMs = this.#clock.monotonicMs();
        await metrics.persist();
      }
    } catch (error) {
      this.#isDirty = true;
      this.#log.error('the timer files could not be made durable', { error: String(error) });
    }
    this.#cancelFlush = undefined;
    if (this.#isDirty) this.#changed();
  }

  #clean(): void {
    this.#parts.timer.removeExpired().catch((error: unknown) => {
      this.#log.error('old files of the timer log could not be removed', { error: String(error) });
    });
  }

  /** Takes and delivers no more; the files are durable and closed when it resolves. What could not be written is logged. */
  async stop(): Promise<void> {
    const { timer, queue, metrics } = this.#parts;
    this.#isRunning = false;
    this.#cancel?.();
    this.#cancelDue?.();
    this.#cancelFlush?.();
    this.#cleaning.stop();
    queue.follower = undefined;
    for (let waitedMs = 0; this.#late.pending + this.#delivery.pending > 0; waitedMs++) {
      if (waitedMs >= STOP_WAIT_MS) {
        this.#log.warn('timer messages were still being delivered at the stop: they will be delivered again');
        break;
      }
      await this.#clock.sleep(1);
    }
    if (this.#chain?.isDelivered === true && this.#delivery.isEmpty) this.#finish(this.#chain);
    try {
      await timer.close(this.#clock.wallMs());
      await metrics.persist();
    } catch (error) {
      this.#log.error('the timer files could not be made durable at the stop', { error: String(error) });
    }
  }
}
