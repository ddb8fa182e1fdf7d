/** Removes old files and watches the disks, every ten seconds (store.md 10). The rules are in `cleaning.ts`. */
import type { Cancel, Clock, Disk, Log } from '@perigee/core/platform/ports';
import { type CleaningPlan, type CleaningSettings, diskUseRatio, isFileDue, planCleaning } from './cleaning.ts';
import type { ConsumeQueueTable } from './consume-queue-table.ts';
import type { IndexStore } from './index-store.ts';
import { LocalTime } from './local-time.ts';
import type { SegmentFiles } from './segment-files.ts';

/** Rounds for which an operator's request to clean stands (Java: 20). */
export const MANUAL_ROUNDS = 20;
/** Pause after so many queues, so that ten thousand of them do not hold up a turn. */
const QUEUES_PER_TURN = 64;

export interface CleaningLoopParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly segments: SegmentFiles;
  readonly queues: ConsumeQueueTable;
  readonly index: IndexStore | undefined;
  /** Read anew each round: the keys can be changed at run time. */
  readonly settings: () => CleaningSettings;
  /** Directories of the CommitLog; the emptiest counts. */
  readonly commitLogDirectories: readonly string[];
  readonly consumeQueueDirectory: string;
  /** Told after each round, and at once when the disk fills up or has room again. */
  readonly setDiskFull: (isFull: boolean, useRatio: number) => void;
  /** The CommitLog starts later now. */
  readonly minOffsetMoved: (minPhysicalOffset: number) => void;
  /** IANA zone of `deleteWhen`; the machine's when left out. */
  readonly timeZone?: string;
}

export interface CleaningLoopOptions {
  /** `cleanResourceInterval`. */
  readonly periodMs: number;
  /** First round, 60 s after the start. */
  readonly firstMs: number;
  /** `deleteCommitLogFilesInterval`: pause between two files. */
  readonly pauseMs: number;
}

export class CleaningLoop {
  readonly #parts: CleaningLoopParts;
  readonly #options: CleaningLoopOptions;
  #manualRoundsLeft = 0;
  #wasFull = false;
  /** Smallest offset for which queues and index were cleaned. */
  #cleanedFor = -1;
  #running: Promise<void> | undefined;
  #stopped = false;
  #cancel: Cancel | undefined;
  readonly #localTime: LocalTime;

  constructor(parts: CleaningLoopParts, options: CleaningLoopOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#localTime = new LocalTime(parts.timeZone);
  }

  start(): void {
    this.#cancel = this.#parts.clock.every(
      this.#options.periodMs,
      () => {
        this.#roundIfNeeded()?.catch((error: unknown) => this.#parts.log.error('old files could not be removed', { error: String(error) }));
      },
      this.#options.firstMs,
    );
  }

  /** Ends the loop; resolves when a round that is under way has ended after the file it was at. */
  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#stopped = true;
    await this.#running?.catch(() => undefined);
  }

  /** An operator asks for expired files to go now: the next rounds do it. */
  requestCleaning(): void {
    this.#manualRoundsLeft = MANUAL_ROUNDS;
  }

  /** One round; a round under way is joined. */
  runOnce(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Looks at the disk; a round follows only when it has something to do, since most ticks of most brokers have nothing. */
  #roundIfNeeded(): Promise<void> | undefined {
    if (this.#running !== undefined) return this.#running;
    try {
      const plan = this.#plan();
      const isNeeded = plan.clean || this.#manualRoundsLeft > 0 || this.#parts.segments.minOffset > this.#cleanedFor;
      return isNeeded ? this.runOnce() : undefined;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #round(): Promise<void> {
    const plan = this.#plan();
    if (plan.clean) {
      await this.#removeLogFiles(plan);
    }
    this.#manualRoundsLeft = Math.max(0, this.#manualRoundsLeft - 1);
    await this.#cleanQueues();
  }

  #plan(): CleaningPlan {
    const { clock, disk, commitLogDirectories, consumeQueueDirectory, settings } = this.#parts;
    const commitLogUseRatio = Math.min(...commitLogDirectories.map((directory) => diskUseRatio(disk.spaceNow(directory))));
    const consumeQueueUseRatio = diskUseRatio(disk.spaceNow(consumeQueueDirectory));
    const hour = this.#localTime.at(clock.wallMs()).hour;
    const plan = planCleaning({ hour, commitLogUseRatio, consumeQueueUseRatio, manualRoundsLeft: this.#manualRoundsLeft }, settings());
    if (plan.diskFull !== this.#wasFull) {
      this.#wasFull = plan.diskFull;
      this.#parts.setDiskFull(plan.diskFull, Math.max(commitLogUseRatio, consumeQueueUseRatio));
    }
    return plan;
  }

  async #removeLogFiles(plan: CleaningPlan): Promise<void> {
    const { clock, segments, settings, log } = this.#parts;
    for (let removed = 0; removed < settings().deleteFileBatchMax && !this.#stopped; removed++) {
      const modifiedMs = segments.firstModifiedMs();
      const isLast = segments.segmentCount <= 1;
      if (modifiedMs === undefined || !isFileDue({ modifiedMs, isLast }, clock.wallMs(), plan, settings())) {
        return;
      }
      const path = segments.pathOf(segments.minOffset);
      await segments.removeFirst();
      log.info('a CommitLog file was removed', { path, reason: plan.reason, forcibly: plan.forcibly });
      this.#parts.minOffsetMoved(segments.minOffset);
      await clock.sleep(this.#options.pauseMs);
    }
  }

  /** Queues and index follow the log. */
  async #cleanQueues(): Promise<void> {
    const { clock, segments, queues, index } = this.#parts;
    const minOffset = segments.minOffset;
    if (minOffset <= this.#cleanedFor) {
      return;
    }
    let done = 0;
    for (const queue of [...queues.all()]) {
      if (this.#stopped) {
        return;
      }
      await queue.deleteExpired(minOffset);
      await queues.deleteExpiredExt(queue.topic, queue.queueId);
      if (++done % QUEUES_PER_TURN === 0) {
        await clock.sleep(0);
      }
    }
    await index?.deleteExpired(minOffset);
    this.#cleanedFor = minOffset;
  }
}
