/**
 * The store of one broker: CommitLog, ConsumeQueues, key index, checkpoint, and the life of them all from lock to close.
 * The write path is `message-append.ts`, the read path `message-reader.ts`, questions off the hot path `store-queries.ts`.
 */

import { Ticker } from '@perigee/core/kit/ticker';
import type { IndexedRanges } from '@perigee/core/message/property-bytes';
import type { Platform } from '@perigee/core/platform/ports';
import { AbortFile } from './abort-file.ts';
import type { AppendRing } from './append-ring.ts';
import { StoreCheckpoint } from './checkpoint.ts';
import { type CleaningConfig, cleaningSettings } from './cleaning.ts';
import { CleaningLoop } from './cleaning-loop.ts';
import { CommitLog } from './commit-log.ts';
import { ConsumeQueueFlushLoop, type DispatchedTo } from './consume-queue-flush.ts';
import { ConsumeQueueTable } from './consume-queue-table.ts';
import { IndexStore } from './index-store.ts';
import { type AppendSettings, type Dispatch, MessageAppend } from './message-append.ts';
import { MessageReader, type ReadSettings } from './message-reader.ts';
import { RecordDispatch } from './record-dispatch.ts';
import { dispatchLightRows } from './record-extras.ts';
import { type RecoveryReport, recoverStore } from './recovery.ts';
import type { LogSource } from './replica-acks.ts';
import { OpenFiles, SegmentFiles } from './segment-files.ts';
import { StoreLock } from './store-lock.ts';
import { StoreQueries } from './store-queries.ts';
import { type QueueArrival, StoreQueue } from './store-queue.ts';

/** How often appended bytes go to the device when nobody waits for it (DESIGN 5; also flushIntervalCommitLog). */
const CHECKPOINT_PERIOD_MS = 1_000;
/** How often a store that the disk refused looks whether it can go on. */
const RECHECK_PERIOD_MS = 1_000;
/** Free bytes that end the "disk full" state; below this a sender would be refused again at once. */
const ROOM_BYTES_MIN = 16 * 1024 * 1024;
/** When old files are looked for first (store.md 10). */
const CLEANING_FIRST_MS = 60_000;

export interface StoreConfig extends AppendSettings, ReadSettings, CleaningConfig {
  readonly cleanResourceInterval: number;
  readonly deleteCommitLogFilesInterval: number;
  readonly storePathRootDir: string;
  /** Empty: `<root>/commitlog`; several joined by `,`. */
  readonly storePathCommitLog: string;
  readonly readOnlyCommitLogStorePaths: string;
  readonly mappedFileSizeCommitLog: number;
  readonly mappedFileSizeConsumeQueue: number;
  readonly mapperFileSizeBatchConsumeQueue: number;
  readonly mappedFileSizeConsumeQueueExt: number;
  readonly maxHashSlotNum: number;
  readonly maxIndexNum: number;
  readonly maxMsgsNumBatch: number;
  readonly messageIndexEnable: boolean;
  readonly flushIntervalCommitLog: number;
  readonly flushIntervalConsumeQueue: number;
  readonly flushConsumeQueueThoroughInterval: number;
  readonly accessMessageInMemoryMaxRatio: number;
  readonly checkCRCOnRecover: boolean;
  readonly forceVerifyPropCRC: boolean;
  readonly messageDelayLevel: string;
  readonly enableLmq: boolean;
  readonly enableMultiDispatch: boolean;
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `messageDelayLevel` (`1s 5s …`) in ms, level 1 first. */
export function delayLevelsMs(text: string): number[] {
  return text
    .trim()
    .split(/\s+/)
    .map((level) => Number(level.slice(0, -1)) * (UNIT_MS[level.slice(-1)] ?? Number.NaN));
}

export interface StoreParts {
  /** STOREHOST of new records: 8 or 20 bytes. */
  readonly storeHost: Buffer;
  /** Asks for `endTurn` at the end of this turn. */
  readonly scheduleTurn: () => void;
  /** Ends a turn now: sends what was answered after a sync. */
  readonly runTurn: () => void;
  /** Process that holds a Java broker's lock on a file. */
  readonly javaLockHolder: (path: string) => number | undefined;
  /** `count` messages were answered; the oldest of them was appended at `since` (wall ms). */
  readonly answered: (count: number, since: number) => void;
  /** True for topics with `queue.type=BatchCQ`. */
  readonly isBatchTopic: (topic: string) => boolean;
}

/** Why appends are refused at the moment. */
export interface NotWritable {
  readonly cause: string;
  /** Goes away when there is room again. */
  readonly isDiskFull: boolean;
  readonly isShutdown?: boolean;
}

export class MessageStore implements LogSource {
  readonly commitLog: CommitLog;
  readonly append: MessageAppend;
  readonly reader: MessageReader;
  readonly queries: StoreQueries;
  readonly index: IndexStore;
  readonly queues: ConsumeQueueTable;
  readonly checkpoint: StoreCheckpoint;
  readonly openFiles: OpenFiles;
  readonly segmentBytes: number;
  readonly #platform: Platform;
  readonly #config: StoreConfig;
  readonly #parts: StoreParts;
  readonly #lock: StoreLock;
  readonly #abort: AbortFile;
  readonly #flushLoop: ConsumeQueueFlushLoop;
  readonly #cleaning: CleaningLoop;
  readonly #storeQueues = new Map<string, (StoreQueue | undefined)[]>();
  readonly #appendListeners: (() => void)[] = [];
  #notWritable: NotWritable | undefined;
  /** The disk failed otherwise than for lack of room. */
  #mustCheck = false;
  /** The partition is used beyond diskSpaceWarningLevelRatio. */
  #isOverWarningLevel = false;
  readonly #syncTicker: Ticker;
  readonly #checkpointTicker: Ticker;
  readonly #roomTicker: Ticker;
  #bootedCleanly = true;
  #isOpen = false;
  #recovery: RecoveryReport | undefined;

  constructor(platform: Platform, config: StoreConfig, parts: StoreParts) {
    this.#platform = platform;
    this.#config = config;
    this.#parts = parts;
    const { disk, log, clock } = platform;
    const root = config.storePathRootDir;
    this.openFiles = new OpenFiles(disk);
    this.segmentBytes = config.mappedFileSizeCommitLog;
    const commitLogPaths = (config.storePathCommitLog || `${root}/commitlog`).split(',');
    const segments = new SegmentFiles(disk, this.openFiles, commitLogPaths, this.segmentBytes, {
      readOnlyDirectories: config.readOnlyCommitLogStorePaths.split(',').filter((path) => path.length > 0),
    });
    this.commitLog = new CommitLog(clock, log, segments);
    this.queues = new ConsumeQueueTable({
      disk,
      openFiles: this.openFiles,
      log,
      rootDirectory: root,
      fileBytes: config.mappedFileSizeConsumeQueue,
      batchFileBytes: config.mapperFileSizeBatchConsumeQueue,
      extFileBytes: config.mappedFileSizeConsumeQueueExt,
    });
    this.checkpoint = new StoreCheckpoint(disk, `${root}/checkpoint`);
    this.index = new IndexStore(
      { disk, openFiles: this.openFiles, clock, log, checkpoint: this.checkpoint },
      { directory: `${root}/index`, hashSlotNum: config.maxHashSlotNum, indexNumMax: config.maxIndexNum },
    );
    this.#lock = new StoreLock({ disk, rootDirectory: root, javaLockHolder: parts.javaLockHolder });
    this.#abort = new AbortFile(disk, `${root}/abort`);
    this.append = new MessageAppend(
      {
        clock,
        log,
        commitLog: this.commitLog,
        storeHost: parts.storeHost,
        dispatch: this.#dispatch,
        scheduleTurn: parts.scheduleTurn,
        runTurn: parts.runTurn,
        notWritable: () => this.#notWritable?.cause,
        diskFailed: (error) => this.#diskFailed(error),
        syncFailed: (error) => this.#fail(error, false),
        answered: (count, since) => parts.answered(count, since),
        written: () => this.#written(),
        synced: (storeTimestamp) => {
          this.checkpoint.physicMsgTimestamp = storeTimestamp;
          this.#checkpointTicker.wake();
        },
      },
      config,
    );
    this.reader = new MessageReader(
      this.commitLog,
      config,
      (physicalOffset) => this.isInMemory(physicalOffset),
      (topic, queueId) => this.queues.ext(topic, queueId),
    );
    this.queries = new StoreQueries(platform, config, this);
    this.#flushLoop = new ConsumeQueueFlushLoop(
      {
        clock,
        log,
        table: this.queues,
        checkpoint: this.checkpoint,
        dispatchedTo: () => this.#dispatchedTo(),
        logSyncedTo: () => this.commitLog.flushedTo,
        ...(config.messageIndexEnable ? { syncIndex: () => this.index.sync() } : {}),
        diskFailed: (error) => this.#diskFailed(error),
      },
      { flushPeriodMs: config.flushIntervalConsumeQueue, syncPeriodMs: config.flushConsumeQueueThoroughInterval },
    );
    this.#cleaning = this.#makeCleaning(commitLogPaths);
    this.#syncTicker = new Ticker(clock, { periodMs: config.flushIntervalCommitLog }, () => this.#syncTick());
    this.#checkpointTicker = new Ticker(clock, { periodMs: CHECKPOINT_PERIOD_MS }, () => this.#checkpointTick());
    this.#roomTicker = new Ticker(clock, { periodMs: RECHECK_PERIOD_MS }, () => this.#recheckRoom());
  }

  #makeCleaning(commitLogDirectories: readonly string[]): CleaningLoop {
    const config = this.#config;
    const { clock, disk, log } = this.#platform;
    return new CleaningLoop(
      {
        clock,
        disk,
        log,
        segments: this.commitLog.segments,
        queues: this.queues,
        index: config.messageIndexEnable ? this.index : undefined,
        settings: cleaningSettings(config),
        commitLogDirectories,
        consumeQueueDirectory: `${config.storePathRootDir}/consumequeue`,
        setDiskFull: (isFull, useRatio) => this.#overWarningLevel(isFull, useRatio),
        minOffsetMoved: () => {},
      },
      { periodMs: config.cleanResourceInterval, firstMs: CLEANING_FIRST_MS, pauseMs: config.deleteCommitLogFilesInterval },
    );
  }

  // --- queues ---

  /** The queue, made when it does not exist. Nothing is created on disk before its first message. */
  queue(topic: string, queueId: number): StoreQueue {
    let queues = this.#storeQueues.get(topic);
    if (queues === undefined) {
      queues = [];
      this.#storeQueues.set(topic, queues);
    }
    let queue = queues[queueId];
    if (queue === undefined) {
      const isBatch = this.queues.isBatchTopic(topic) || (this.#parts.isBatchTopic(topic) && this.queues.queueIds(topic).length === 0);
      queue = new StoreQueue(
        topic,
        queueId,
        isBatch ? { batch: this.queues.getOrCreateBatch(topic, queueId) } : { simple: this.queues.getOrCreate(topic, queueId) },
      );
      queues[queueId] = queue;
    }
    return queue;
  }

  /** The queue if it has ever been written to or waited on. */
  queueIfExists(topic: string, queueId: number): StoreQueue | undefined {
    const known = this.#storeQueues.get(topic)?.[queueId];
    if (known !== undefined) return known;
    if (this.queues.get(topic, queueId) === undefined && this.queues.getBatch(topic, queueId) === undefined) return undefined;
    return this.queue(topic, queueId);
  }

  /** Forgets the queues of a topic and removes their files; the CommitLog stays. */
  async removeTopic(topic: string): Promise<void> {
    this.#storeQueues.delete(topic);
    await this.queues.removeTopic(topic);
  }

  // --- dispatch ---

  readonly #ranges: IndexedRanges = { uniqueKeyStart: -1, uniqueKeyEnd: -1, keysStart: -1, keysEnd: -1, tagsStart: -1, tagsEnd: -1 };

  /** Hears of every message that comes into a light queue. */
  lightArrival: QueueArrival | undefined = undefined;

  readonly #dispatch: Dispatch = (ring, slot) => {
    const queue = ring.queue[slot]!;
    const queueOffset = ring.queueOffset[slot] as number;
    const physicalOffset = ring.physicalOffset[slot] as number;
    const sizeBytes = ring.size[slot] as number;
    const tagsCode = ring.tagsCode[slot] as number;
    const storeTimestampMs = ring.storeTimestamp[slot] as number;
    if (queue.simple !== undefined) queue.simple.appendRow(queueOffset, physicalOffset, sizeBytes, tagsCode);
    else {
      const messageCount = ring.extras[slot]?.messageCount ?? 1;
      queue.batch!.appendRow({ baseQueueOffset: queueOffset, messageCount, physicalOffset, sizeBytes, tagsCode, storeTimestampMs });
    }
    if (this.#config.messageIndexEnable) this.#index(ring, slot);
    this.#flushLoop.wake();
    this.#lastDispatchedTimestamp = storeTimestampMs;
    this.#lastDispatchedOffset = physicalOffset;
    if (queue.arrival !== undefined) queue.arrival.arrived(queue, queueOffset, tagsCode);
    const extras = ring.extras[slot];
    if (extras !== undefined) {
      ring.extras[slot] = undefined;
      if (this.#config.enableMultiDispatch) dispatchLightRows(extras, { physicalOffset, sizeBytes, tagsCode }, this.lightArrival);
    }
    if (queue.follower !== undefined) queue.follower.arrived(queue, queueOffset, tagsCode);
  };

  #index(ring: AppendRing, slot: number): void {
    const ranges = this.#ranges;
    ranges.uniqueKeyStart = ring.uniqueKeyAt[slot] as number;
    ranges.uniqueKeyEnd = ranges.uniqueKeyStart + (ring.uniqueKeyLength[slot] as number);
    ranges.keysStart = ring.keysAt[slot] as number;
    ranges.keysEnd = ranges.keysStart + (ring.keysLength[slot] as number);
    ranges.tagsStart = ring.tagsAt[slot] as number;
    ranges.tagsEnd = ranges.tagsStart + (ring.tagsLength[slot] as number);
    const { bytes } = ring.block[slot]!;
    this.index.putRanges(
      ring.queue[slot]!.indexPrefixHash,
      bytes,
      ranges,
      ring.physicalOffset[slot] as number,
      ring.storeTimestamp[slot] as number,
    );
  }

  #lastDispatchedTimestamp = 0;
  #lastDispatchedOffset = -1;

  #dispatchedTo(): DispatchedTo | undefined {
    if (this.#lastDispatchedOffset < 0) return undefined;
    return { storeTimestampMs: this.#lastDispatchedTimestamp, physicalOffset: this.#lastDispatchedOffset };
  }

  #written(): void {
    this.#syncTicker.wake();
    for (const listener of this.#appendListeners) listener();
  }

  /** Work of a turn's end. */
  endTurn(): void {
    this.append.endTurn();
  }

  /** Resolves when everything below `physicalOffset`, which is written, is on the device. Rejects with the disk's error. */
  async syncTo(physicalOffset: number): Promise<void> {
    while (this.commitLog.flushedTo < physicalOffset) {
      // Started by the append path, so that whoever waits there for the device is answered too.
      this.append.sync();
      await this.commitLog.sync();
    }
  }

  // --- the log as others read it ---

  get minPhysicalOffset(): number {
    return this.commitLog.minOffset;
  }

  get maxPhysicalOffset(): number {
    return this.commitLog.writtenTo;
  }

  readLog(target: Buffer, targetStart: number, length: number, physicalOffset: number): number {
    const fileEnd = physicalOffset - (physicalOffset % this.segmentBytes) + this.segmentBytes;
    return this.commitLog.readWritten(target, targetStart, Math.min(length, fileEnd - physicalOffset), physicalOffset);
  }

  onAppend(listener: () => void): void {
    this.#appendListeners.push(listener);
  }

  /** True when a message is near enough to the end to count as "in memory" (broker.md 9.2). */
  isInMemory(physicalOffset: number): boolean {
    return this.commitLog.appendedTo - physicalOffset <= this.#inMemoryBytes();
  }

  #inMemoryBytes(): number {
    return (this.#platform.host.totalMemoryBytes * this.#config.accessMessageInMemoryMaxRatio) / 100;
  }

  // --- disk trouble ---

  /** Why appends are refused now; undefined when they are not. */
  get notWritable(): NotWritable | undefined {
    return this.#notWritable;
  }

  /** Refuses appends from now on, or takes them again (disk protection, shutdown). */
  setNotWritable(reason: NotWritable | undefined): void {
    if (reason?.cause === this.#notWritable?.cause) return;
    this.#notWritable = reason;
    if (reason?.isDiskFull === true) this.#roomTicker.wake();
    if (reason === undefined) this.#platform.log.info('the store takes messages again');
    else if (reason.isShutdown === true) this.#platform.log.info('the store takes no messages', { cause: reason.cause });
    else this.#platform.log.error('the store takes no messages', { cause: reason.cause });
  }

  #diskFailed(error: Error): void {
    const code = (error as { code?: string }).code;
    this.#fail(error, code === 'ENOSPC' || code === 'EDQUOT');
  }

  /** `isDiskFull`: nothing but room is missing. Otherwise the files are checked by the next start, as after a crash. */
  #fail(error: Error, isDiskFull: boolean): void {
    if (!isDiskFull) this.#mustCheck = true;
    else if (this.#mustCheck) return;
    this.setNotWritable({
      cause: isDiskFull ? `the disk is full (${error.message})` : `the disk failed (${error.message}); a restart checks the files`,
      isDiskFull,
    });
  }

  /** Disk protection (store.md 10): writing stops before the partition is full. */
  #overWarningLevel(isOver: boolean, useRatio: number): void {
    this.#isOverWarningLevel = isOver;
    if (!isOver) this.#recheckRoom();
    else if (this.#notWritable === undefined) {
      const percent = Math.round(useRatio * 100);
      const limit = this.#config.diskSpaceWarningLevelRatio;
      this.setNotWritable({ cause: `the disk is full (${percent} % used, diskSpaceWarningLevelRatio is ${limit} %)`, isDiskFull: true });
    }
  }

  /** Answers whether to look again. */
  #recheckRoom(): boolean {
    if (this.#notWritable?.isDiskFull !== true) return false;
    if (this.#isOverWarningLevel) return true;
    try {
      if (this.#platform.disk.spaceNow(this.#config.storePathRootDir).usableBytes >= ROOM_BYTES_MIN) this.setNotWritable(undefined);
    } catch (error) {
      this.#platform.log.warn('the free space cannot be read', { error: String(error) });
    }
    return this.#notWritable?.isDiskFull === true;
  }

  /** The time that the log waits for the device at most, under ASYNC_FLUSH. */
  #syncTick(): boolean {
    const { commitLog } = this;
    if (commitLog.syncFailure !== undefined || commitLog.flushedTo === commitLog.writtenTo) return false;
    this.append.sync();
    return true;
  }

  #checkpointTick(): boolean {
    this.checkpoint.flush().catch((error: unknown) => {
      this.#diskFailed(error as Error);
      this.#checkpointTicker.wake();
    });
    return false;
  }

  // --- life ---

  /** True when the last process on this directory had stopped cleanly. */
  get bootedCleanly(): boolean {
    return this.#bootedCleanly;
  }

  /** Takes the directory for this process; before anything in it is read. Throws StoreInUseError. */
  async lock(): Promise<void> {
    await this.#lock.take();
  }

  /** Loads the locked directory, recovers, and starts the background work. Throws StoreLoadError. */
  async open(): Promise<void> {
    this.#bootedCleanly = !this.#abort.exists();
    this.commitLog.segments.load();
    this.queues.load();
    this.checkpoint.load();
    this.index.load(this.#bootedCleanly);
    await this.#recover();
    await this.#abort.create(this.#platform.host.pid);
    this.#isOpen = true;
    this.#start();
  }

  async #recover(): Promise<void> {
    const { clock, disk, log } = this.#platform;
    const config = this.#config;
    const index = config.messageIndexEnable ? this.index : undefined;
    const dispatch = new RecordDispatch({
      queues: this.queues,
      index,
      delayLevelsMs: delayLevelsMs(config.messageDelayLevel),
      isBatchTopic: this.#parts.isBatchTopic,
      multiDispatch: config.enableLmq && config.enableMultiDispatch,
    });
    const report = await recoverStore(
      { clock, disk, log, segments: this.commitLog.segments, queues: this.queues, index, checkpoint: this.checkpoint, dispatch },
      {
        rootDirectory: config.storePathRootDir,
        exitWasClean: this.#bootedCleanly,
        check: { checkCrc: config.checkCRCOnRecover, forcePropCrc: config.forceVerifyPropCRC },
      },
    );
    this.commitLog.open(report.validTo);
    this.#recovery = report;
    if (report.lastStoreTimestamp > 0) {
      this.#lastDispatchedTimestamp = report.lastStoreTimestamp;
      this.#lastDispatchedOffset = report.lastRecordAt;
    }
    log.info('the store is recovered', {
      exitWasClean: report.exitWasClean,
      replayedFrom: report.replayedFrom,
      validTo: report.validTo,
      recordsDispatched: report.recordsDispatched,
      damages: report.damageCount,
      tookMs: Math.round(report.tookMs),
    });
  }

  /** What the last start found; undefined before {@link open}. */
  get recovery(): RecoveryReport | undefined {
    return this.#recovery;
  }

  #start(): void {
    this.index.start();
    this.#flushLoop.start();
    this.#cleaning.start();
    for (const ticker of [this.#syncTicker, this.#checkpointTicker, this.#roomTicker]) ticker.start();
  }

  /**
   * Makes everything durable and leaves the directory as after a clean exit. No append may follow. Rejects with the disk's
   * error when it could not; all is closed then too, and the next start checks the files as after a crash.
   */
  async close(): Promise<void> {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    try {
      if (wasOpen) await this.#closeFiles();
    } finally {
      this.#lock.release();
    }
  }

  async #closeFiles(): Promise<void> {
    this.setNotWritable({ cause: 'the store is shutting down', isDiskFull: false, isShutdown: true });
    for (const ticker of [this.#syncTicker, this.#checkpointTicker, this.#roomTicker]) ticker.stop();
    this.#flushLoop.stop();
    this.index.stop();
    this.append.stop();
    await this.#cleaning.stop();
    try {
      await this.append.drain();
      await this.#flushLoop.sync();
      await this.queues.sync();
      await this.index.flush();
      await this.checkpoint.flush();
    } finally {
      this.commitLog.segments.closeNow();
      this.queues.closeNow();
      this.index.closeNow();
      this.checkpoint.closeNow();
    }
    if (!this.#mustCheck) await this.#abort.remove();
  }
}
