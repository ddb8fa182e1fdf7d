/**
 * Messages that wait for a time of their own, on files that a Java broker reads and writes too (store.md 11): the wheel
 * (`timerwheel`), the units of its chains (`timerlog/`) and how far all is (`config/timercheck`).
 *
 * The core is here, without clocks of its own: the caller says what time it is, reads what is due, delivers it, and says
 * that it is done. Nothing here waits but {@link flush}.
 */
import type { Disk, Log } from '@perigee/core/platform/ports';
import type { DataVersion } from '@perigee/core/protocol/bodies/data-version';
import type { CommitLog } from './commit-log.ts';
import type { OpenFiles } from './open-files.ts';
import { RecordCursor } from './record-cursor.ts';
import type { StoreQueue } from './store-queue.ts';
import { TimerChain } from './timer-chain.ts';
import { encodeTimerProgress, TimerCheckpoint, type TimerProgress } from './timer-checkpoint.ts';
import { TimerLog, type TimerUnit, timerUnit } from './timer-log.ts';
import { recoverTimer } from './timer-recovery.ts';
import { floorToTick, isSlotDue, placeTimer, rollWindowSlots, UNIT_DELETE, WHEEL_SLOTS } from './timer-rules.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface TimerStoreParts {
  readonly disk: Disk;
  readonly log: Log;
  readonly openFiles: OpenFiles;
  readonly commitLog: CommitLog;
  /** Makes the CommitLog durable up to a physical offset that is written. */
  readonly syncCommitLog: (physicalOffset: number) => Promise<void>;
}

export interface TimerStoreSettings {
  readonly storePathRootDir: string;
  readonly timerPrecisionMs: number;
  readonly timerRollWindowSlot: number;
  readonly mappedFileSizeTimerLog: number;
}

/** A message to put into the wheel. */
export interface TimerMessage {
  readonly physicalOffset: number;
  readonly sizeBytes: number;
  /** TIMER_OUT_MS. */
  readonly outMs: number;
  readonly isDelete: boolean;
  readonly topicHash: number;
}

/**
 * - `placed`: it is in the wheel.
 * - `late`: its slot has passed; it is to be delivered at once.
 * - `blocked`: its slot is being delivered, or holds messages of a turn of the wheel before (after a long stop or a clock
 *   that was set back): those come first.
 */
export type Placed = 'placed' | 'late' | 'blocked';

export class TimerStore {
  readonly tickMs: number;
  readonly #parts: TimerStoreParts;
  readonly #settings: TimerStoreSettings;
  readonly #wheel: TimerWheel;
  readonly #timerLog: TimerLog;
  readonly #checkpoint: TimerCheckpoint;
  readonly #unit = timerUnit();
  #readTimeMs = 0;
  #writeTimeMs = 0;
  #queueOffset = 0;
  /** The slot that a chain was handed out of. */
  #deliveringMs: number | undefined;
  #version: DataVersion = { counter: 0, stateVersion: 0, timestamp: 0 };
  #flushing: Promise<void> | undefined;
  #areNamesDurable = false;

  constructor(parts: TimerStoreParts, settings: TimerStoreSettings, wheelSlots: number = WHEEL_SLOTS) {
    this.#parts = parts;
    this.#settings = settings;
    this.tickMs = settings.timerPrecisionMs;
    const root = settings.storePathRootDir;
    this.#wheel = new TimerWheel(parts.disk, `${root}/timerwheel`, { tickMs: this.tickMs, slots: wheelSlots });
    this.#timerLog = new TimerLog(parts.disk, parts.openFiles, `${root}/timerlog`, settings.mappedFileSizeTimerLog);
    this.#checkpoint = new TimerCheckpoint(parts.disk, `${root}/config/timercheck`);
  }

  /** Loads and recovers. `queue` is that of the timer topic, recovered. Throws StoreLoadError. */
  open(queue: StoreQueue | undefined, nowMs: number): void {
    const { log, commitLog } = this.#parts;
    this.#timerLog.load();
    this.#checkpoint.load();
    const hadWheel = this.#wheel.load();
    const { progress } = this.#checkpoint;
    const files = { wheel: this.#wheel, timerLog: this.#timerLog, progress, hadWheel };
    const records = new RecordCursor(commitLog);
    const recovered = recoverTimer(files, { log, records, commitLogEnd: commitLog.writtenTo, queue, nowMs, tickMs: this.tickMs });
    this.#version = progress.dataVersion;
    this.#queueOffset = recovered.queueOffset;
    this.#readTimeMs = recovered.readTimeMs;
    this.moveTo(nowMs);
    log.info('the timer is recovered', {
      messages: this.#wheel.messages,
      slots: this.#wheel.liveSlots,
      unitsReplayed: recovered.unitsReplayed,
      queueOffset: this.#queueOffset,
    });
  }

  /** Next message of the timer topic to put into the wheel. */
  get queueOffset(): number {
    return this.#queueOffset;
  }

  /** Every message before has been put or delivered. */
  advanceQueue(queueOffset: number): void {
    this.#queueOffset = queueOffset;
  }

  /** Messages in the wheel. */
  get messages(): number {
    return Math.max(0, this.#wheel.messages);
  }

  /** The tick that messages are put at. */
  get writeTimeMs(): number {
    return this.#writeTimeMs;
  }

  /** Slots before are delivered. */
  get readTimeMs(): number {
    return this.#readTimeMs;
  }

  /** Messages in the slot of a time. */
  messagesAt(timeMs: number): number {
    return this.#wheel.get(timeMs)?.count ?? 0;
  }

  /**
   * It is `nowMs`. When the clock was set back, slots between are filled again: what was delivered is not in them any more.
   */
  moveTo(nowMs: number): void {
    this.#writeTimeMs = floorToTick(nowMs, this.tickMs);
    this.#readTimeMs = Math.min(this.#readTimeMs, this.#writeTimeMs);
    const first = this.#wheel.firstLive(this.#readTimeMs);
    this.#readTimeMs = first === undefined ? this.#writeTimeMs : Math.min(first, this.#writeTimeMs);
  }

  /** Puts a message into the wheel. Throws the disk's error when its unit cannot be written; nothing is changed then. */
  put(message: TimerMessage): Placed {
    const { outMs, isDelete } = message;
    if (outMs < this.#writeTimeMs) return 'late';
    const windowSlots = rollWindowSlots(this.#settings.timerRollWindowSlot, this.#wheel.slots);
    const { timeMs, magic } = placeTimer({ outMs, isDelete }, { writeTimeMs: this.#writeTimeMs, windowSlots, tickMs: this.tickMs });
    if (timeMs === this.#deliveringMs || !this.#wheel.isFree(timeMs)) return 'blocked';
    const slot = this.#wheel.get(timeMs);
    const unit = this.#unit;
    unit.prevPos = slot?.lastPos ?? -1;
    unit.magic = magic;
    unit.writeTimeMs = this.#writeTimeMs;
    unit.timeMs = timeMs;
    unit.physicalOffset = message.physicalOffset;
    unit.sizeBytes = message.sizeBytes;
    unit.topicHash = message.topicHash;
    const pos = this.#timerLog.append(unit);
    const change = (magic & UNIT_DELETE) === 0 ? 1 : -1;
    this.#wheel.put(timeMs, { firstPos: slot?.firstPos ?? pos, lastPos: pos, count: (slot?.count ?? 0) + change });
    return 'placed';
  }

  /** Gives what was put to the page cache, safe from a crash of the process. Throws the disk's error. */
  writeNow(): void {
    this.#timerLog.writeNow();
  }

  /** The earliest slot that holds messages; undefined when none does. */
  firstSlot(): number | undefined {
    return this.#wheel.firstLive(this.#readTimeMs);
  }

  /** When the messages of a slot are due. */
  dueAt(slotTimeMs: number): number {
    return slotTimeMs + this.tickMs;
  }

  /** The chain of the earliest slot if it is due, until {@link delivered}; undefined when none is. Throws the disk's error. */
  dueChain(nowMs: number): TimerChain | undefined {
    const timeMs = this.firstSlot();
    if (timeMs === undefined || !isSlotDue(timeMs, nowMs, this.tickMs)) return undefined;
    this.#timerLog.writeNow();
    this.#deliveringMs = timeMs;
    return new TimerChain(this.#timerLog, timeMs, this.#wheel.get(timeMs)?.lastPos ?? -1);
  }

  /** Reads the unit at a position of a chain. */
  readUnit(pos: number, unit: TimerUnit): boolean {
    return this.#timerLog.read(pos, unit);
  }

  /** The messages of a slot are delivered: written to the page cache. */
  delivered(slotTimeMs: number): void {
    this.#deliveringMs = undefined;
    this.#wheel.clear(slotTimeMs);
  }

  /** How far it is, as a slave asks for it and as the file will say. */
  encodeProgress(): Buffer {
    return encodeTimerProgress(this.#progress(this.#timerLog.syncedPos, this.#version));
  }

  #progress(logPos: number, dataVersion: DataVersion): TimerProgress {
    return { readTimeMs: this.#readTimeMs, logPos, queueOffset: this.#queueOffset, masterQueueOffset: this.#queueOffset, dataVersion };
  }

  /**
   * Makes everything up to now durable, first the messages that were delivered. Resolves at once when nothing changed.
   * Rejects with the disk's error; the files then say what they said before, or less than is durable.
   */
  flush(nowMs: number): Promise<void> {
    this.#flushing ??= this.#flush(nowMs).finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flush(nowMs: number): Promise<void> {
    const known = this.#checkpoint.progress;
    this.moveTo(nowMs);
    this.#timerLog.writeNow();
    const logPos = this.#timerLog.endPos;
    const writtenTo = this.#parts.commitLog.writtenTo;
    const pages = this.#wheel.takeDirty();
    const isMoved = known.queueOffset !== this.#queueOffset || known.masterQueueOffset !== this.#queueOffset;
    if (pages.size === 0 && !isMoved && known.logPos === logPos && known.readTimeMs === this.#readTimeMs) return;
    if (isMoved) this.#version = { counter: this.#version.counter + 1, stateVersion: this.#version.stateVersion, timestamp: nowMs };
    const progress = this.#progress(logPos, this.#version);
    try {
      await this.#parts.syncCommitLog(writtenTo);
      await this.#timerLog.sync(logPos);
      await this.#wheel.write(pages);
      await this.#syncNames();
    } catch (error) {
      this.#wheel.giveBack(pages);
      throw error;
    }
    await this.#checkpoint.write(progress);
  }

  /** Once per process: the wheel and the directories of the other files have durable names. */
  async #syncNames(): Promise<void> {
    if (this.#areNamesDurable) return;
    await this.#wheel.sync();
    await this.#parts.disk.syncDirectory(this.#settings.storePathRootDir);
    this.#areNamesDurable = true;
  }

  /** A slot is being delivered: {@link dueChain} handed its chain out. */
  get isDelivering(): boolean {
    return this.#deliveringMs !== undefined;
  }

  /** Slots of the wheel. */
  get slots(): number {
    return this.#wheel.slots;
  }

  /** The least position of a unit that waits in the slots with the numbers `[from, to)`; infinity when none does. */
  firstPosOfSlots(from: number, to: number): number {
    return this.#wheel.minFirstPos(from, to);
  }

  /** Where the next unit goes. */
  get logEndPos(): number {
    return this.#timerLog.endPos;
  }

  /** Hands out some written units from `fromPos` on; see TimerLog.readUnits. */
  readUnits(fromPos: number, toPos: number, take: (unit: TimerUnit) => void): number {
    return this.#timerLog.readUnits(Math.max(fromPos, this.#timerLog.minPos), toPos, take);
  }

  /** Files of the timer log; the last one stays whatever happens. */
  get logFileCount(): number {
    return this.#timerLog.fileCount;
  }

  /** Removes timer log files whose messages are no longer in the CommitLog. */
  async removeExpired(): Promise<number> {
    return await this.#timerLog.removeExpired(this.#parts.commitLog.minOffset);
  }

  /** Flushes and closes the files. */
  async close(nowMs: number): Promise<void> {
    await this.#flushing?.catch(() => {});
    try {
      await this.flush(nowMs);
    } finally {
      this.#timerLog.closeNow();
      this.#wheel.closeNow();
      this.#checkpoint.closeNow();
    }
  }
}
