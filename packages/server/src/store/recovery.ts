/**
 * From the files of a store to a consistent one (store.md 7, since-5.4 3.1).
 *
 * | | after a clean exit | after an unclean one (`abort` is there) |
 * |---|---|---|
 * | walk from | near the end: the last 64 MB at most | the file that the checkpoint says is behind everything durable |
 * | rows | those of records behind the queues' end | all from the start of the walk on, written anew |
 * | index | – | completed from where it is whole (IndexStore.resumeFrom) |
 *
 * Where a walk ends in something that is not a record, and why that differs from Apache on purpose: Apache cuts the log at
 * the first bad record and throws away what is behind it, whole files included. Here the next good record is looked for.
 * If there is one, the bad stretch is closed with a filler record that every broker walks over and nobody dispatches
 * (transaction type ROLLBACK, topic {@link FILLER_TOPIC}), so what is behind stays; the lost record's row is blank. If
 * there is none, the log ends there as with Apache. Either way the bytes are kept aside (CutStore), the file is left
 * without old bytes behind its end, and the report says what happened.
 */
import {
  BLANK_BYTES,
  encodeBlank,
  encodeRecord,
  RECORD_OVERHEAD_V4_BYTES,
  recordSource,
  recordStoreTimestampAt,
} from '@perigee/core/message/record';
import type { BadRecord, RecordCheckOptions } from '@perigee/core/message/record-check';
import { TRANSACTION_ROLLBACK } from '@perigee/core/message/sys-flag';
import type { Clock, Disk, Log } from '@perigee/core/platform/ports';
import type { StoreCheckpoint } from './checkpoint.ts';
import type { ConsumeQueueTable } from './consume-queue-table.ts';
import { CutStore } from './cut-store.ts';
import type { IndexStore } from './index-store.ts';
import { LogWalk, type WalkStep } from './log-walk.ts';
import type { RecordDispatch } from './record-dispatch.ts';
import type { SegmentFiles } from './segment-files.ts';
import { StoreLoadError } from './store-errors.ts';

/** Records of the stretch that recovery had to give up have this topic. It has no queues. */
export const FILLER_TOPIC = 'PERIGEE_FILLER';
/** After a clean exit only this much before the end is checked. Damage farther back is found when it is read. */
const CLEAN_CHECK_BYTES_MAX = 64 * 1024 * 1024;
/** Log bytes walked before others get a turn and rows go to the page cache. */
const SLICE_BYTES = 16 * 1024 * 1024;
/** Damages described one by one in a report; all are counted. */
const DAMAGES_REPORTED_MAX = 100;
/** Longer gaps are closed with several fillers: a reader takes a record as a whole. */
const FILLER_BYTES_MAX = 1024 * 1024;
const ZERO_CHUNK_BYTES = 256 * 1024;

export interface RecoveryParts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly segments: SegmentFiles;
  readonly queues: ConsumeQueueTable;
  readonly index: IndexStore | undefined;
  readonly checkpoint: StoreCheckpoint;
  readonly dispatch: RecordDispatch;
}

export interface RecoveryOptions {
  /** `storePathRootDir`: where cut bytes are kept. */
  readonly rootDirectory: string;
  /** No `abort` file was found. */
  readonly exitWasClean: boolean;
  /** `checkCRCOnRecover`, `forceVerifyPropCRC`. */
  readonly check: RecordCheckOptions;
}

/** A stretch of the CommitLog that was not readable. */
export interface LogDamage {
  /** `end`: the log ends there now; `gap`: what is behind it was kept. */
  readonly kind: 'end' | 'gap';
  readonly path: string;
  readonly physicalOffset: number;
  readonly bytes: number;
  readonly reason: BadRecord['reason'];
  readonly expected: string;
  readonly found: string;
  /** File with the bytes that were taken out; undefined when there was nothing but zeros. */
  readonly keptAt: string | undefined;
  readonly keptBytes: number;
}

export interface RecoveryReport {
  readonly exitWasClean: boolean;
  /** Wall time (ms). */
  readonly startedAtMs: number;
  readonly tookMs: number;
  /** Physical offset at which the walk began. */
  readonly replayedFrom: number;
  /** End of the log: the next record goes there. */
  readonly validTo: number;
  /** Start of the last valid record, -1 when none was walked over. */
  readonly lastRecordAt: number;
  /** Store time (ms) of the last valid record, 0 when none was walked over. */
  readonly lastStoreTimestamp: number;
  readonly recordsWalked: number;
  readonly recordsDispatched: number;
  readonly damageCount: number;
  /** The first of them. */
  readonly damages: readonly LogDamage[];
}

/**
 * Recovers a loaded store: afterwards queues and index agree with the log, {@link RecoveryReport.validTo} is its end, the
 * log is on the device, and the rows are in the page cache. Files, rows and index entries must have been loaded, nothing recovered yet. Throws
 * {@link StoreLoadError} when queues exist but the log has no file.
 */
export function recoverStore(parts: RecoveryParts, options: RecoveryOptions): Promise<RecoveryReport> {
  return new Recovery(parts, options).run();
}

class Recovery {
  readonly #parts: RecoveryParts;
  readonly #options: RecoveryOptions;
  readonly #walk: LogWalk;
  readonly #cuts: CutStore;
  readonly #damages: LogDamage[] = [];
  #damageCount = 0;
  #recordsWalked = 0;
  #recordsDispatched = 0;
  #lastRecordAt = -1;
  #lastStoreTimestamp = 0;
  /** Records at and behind it get rows (again). */
  #rowsFrom = 0;

  constructor(parts: RecoveryParts, options: RecoveryOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#walk = new LogWalk(parts.segments, { ...options.check, checkTears: !options.exitWasClean });
    this.#cuts = new CutStore(parts.disk, options.rootDirectory);
  }

  async run(): Promise<RecoveryReport> {
    const { clock, segments, queues, index } = this.#parts;
    const startedAtMs = clock.wallMs();
    const startedMs = clock.monotonicMs();
    queues.recover(this.#options.exitWasClean);
    this.#refuseQueuesWithoutLog();
    const replayedFrom = this.#options.exitWasClean ? this.#cleanStart() : this.#uncleanStart();
    const validTo = await this.#replay(replayedFrom);
    queues.truncateTo(validTo);
    await index?.truncateTo(validTo, (physicalOffset) => this.#storeTimestampAt(physicalOffset));
    queues.correctMinOffset(segments.minOffset);
    queues.flushNow();
    if (!this.#options.exitWasClean) {
      // What a dead process left is in the page cache at best; from here on it counts as durable.
      segments.distrustNames(true);
      await segments.sync(replayedFrom, validTo + 1);
    }
    return {
      exitWasClean: this.#options.exitWasClean,
      startedAtMs,
      tookMs: clock.monotonicMs() - startedMs,
      replayedFrom,
      validTo,
      lastRecordAt: this.#lastRecordAt,
      lastStoreTimestamp: this.#lastStoreTimestamp,
      recordsWalked: this.#recordsWalked,
      recordsDispatched: this.#recordsDispatched,
      damageCount: this.#damageCount,
      damages: this.#damages,
    };
  }

  #refuseQueuesWithoutLog(): void {
    const { queues, segments, checkpoint } = this.#parts;
    // A store that lost power before its first checkpoint may have lost the directory with the log.
    const isYoung = !this.#options.exitWasClean && checkpoint.logicsPhysicalOffset === 0 && checkpoint.physicMsgTimestamp === 0;
    if (segments.segmentCount === 0 && queues.maxPhysicalOffset() > 0 && !isYoung) {
      throw new StoreLoadError({
        path: `${this.#options.rootDirectory}/commitlog`,
        expected: `the CommitLog files up to ${queues.maxPhysicalOffset()} that the queues point to`,
        found: 'no file',
        remedy: 'check storePathCommitLog; if the messages are meant to be gone, remove consumequeue/ and index/ as well',
      });
    }
  }

  /** A record border at most {@link CLEAN_CHECK_BYTES_MAX} before the end of the rows (the file's start if it is nearer). */
  #cleanStart(): number {
    const { queues, segments } = this.#parts;
    const rowsEnd = queues.maxPhysicalOffset();
    this.#rowsFrom = Math.max(0, rowsEnd);
    const file = this.#fileStart((start, storeTimestamp) => start <= rowsEnd && storeTimestamp !== 0);
    const wanted = rowsEnd - CLEAN_CHECK_BYTES_MAX;
    if (file >= wanted || !segments.has(wanted)) {
      return file;
    }
    const near = queues.recordNear(wanted);
    return near === undefined ? file : Math.max(file, near);
  }

  /** store.md 7.3; no limit on the files looked at, and the index has a say. */
  #uncleanStart(): number {
    const { checkpoint, index, queues } = this.#parts;
    const isDurable =
      checkpoint.logicsPhysicalOffset > 0
        ? (start: number): boolean => start <= checkpoint.logicsPhysicalOffset
        : (_start: number, storeTimestamp: number): boolean => storeTimestamp <= checkpoint.minTimestamp;
    this.#rowsFrom = this.#fileStart((start, storeTimestamp) => storeTimestamp !== 0 && isDurable(start, storeTimestamp));
    // What the crash left of these rows is not worth judging: they all come again.
    queues.truncateTo(this.#rowsFrom);
    const resume = index?.resumeFrom;
    if (resume === undefined || resume.physicalOffset >= this.#rowsFrom) {
      return this.#rowsFrom;
    }
    return this.#fileStart((start, storeTimestamp) => storeTimestamp !== 0 && start <= resume.physicalOffset);
  }

  /** Start of the newest file whose first record is whole and passes; the oldest file when none does. */
  #fileStart(passes: (start: number, storeTimestamp: number) => boolean): number {
    const { segments } = this.#parts;
    for (let place = segments.segmentCount - 1; place > 0; place--) {
      const start = segments.segmentStart(place);
      const step = this.#walk.step(start);
      if (step.kind === 'record' && passes(start, recordStoreTimestampAt(step.bytes, step.at))) {
        return start;
      }
    }
    return segments.minOffset;
  }

  /** Walks to the end of the log and leaves it well formed; answers the end. */
  async #replay(from: number): Promise<number> {
    const { clock, queues, segments } = this.#parts;
    if (segments.segmentCount === 0) {
      return 0;
    }
    let position = from;
    let sliceEnd = from + SLICE_BYTES;
    for (;;) {
      const step = this.#walk.step(position);
      if (step.kind === 'record') {
        this.#take(step);
        position += step.size;
      } else if (step.kind === 'blank' && segments.has(position + step.size)) {
        position += step.size;
      } else {
        const next = step.kind === 'bad' ? await this.#passDamage(step) : undefined;
        if (next === undefined) {
          segments.truncateAfter(position);
          return position;
        }
        position = next;
      }
      if (position >= sliceEnd) {
        queues.flushNow();
        sliceEnd = position + SLICE_BYTES;
        await clock.sleep(0);
      }
    }
  }

  #take(step: WalkStep & { kind: 'record' }): void {
    const { physicalOffset } = step;
    this.#recordsWalked++;
    this.#lastRecordAt = physicalOffset;
    this.#lastStoreTimestamp = recordStoreTimestampAt(step.bytes, step.at);
    const rows = physicalOffset >= this.#rowsFrom;
    const resume = this.#parts.index?.resumeFrom;
    const index = this.#options.exitWasClean ? rows : resume === undefined ? rows : physicalOffset >= resume.physicalOffset;
    if (rows || index) {
      this.#recordsDispatched++;
      this.#parts.dispatch.dispatch(step.bytes, step.at, { rows, index });
    }
  }

  /** Goes on behind a bad place, or answers undefined when the log ends there. */
  async #passDamage(step: WalkStep & { kind: 'bad' }): Promise<number | undefined> {
    const { segments, log } = this.#parts;
    const { physicalOffset, bad } = step;
    if (bad.reason === 'empty' && this.#options.exitWasClean) {
      return undefined;
    }
    const next = this.#findNext(physicalOffset);
    const contentEnd = next ?? this.#endOfContent(physicalOffset);
    if (contentEnd === physicalOffset) {
      return undefined;
    }
    const kept = await this.#cuts.keep(segments, physicalOffset, contentEnd);
    const damage: LogDamage = {
      kind: next === undefined ? 'end' : 'gap',
      path: segments.pathOf(physicalOffset) ?? '',
      physicalOffset,
      bytes: contentEnd - physicalOffset,
      reason: bad.reason,
      expected: bad.expected,
      found: bad.found,
      keptAt: kept.path,
      keptBytes: kept.bytes,
    };
    this.#damageCount++;
    if (this.#damages.length < DAMAGES_REPORTED_MAX) {
      this.#damages.push(damage);
    }
    log.error(next === undefined ? 'the CommitLog was cut' : 'a stretch of the CommitLog is lost', { ...damage });
    if (next === undefined) {
      await this.#zero(physicalOffset, Math.min(contentEnd, this.#walk.fileEnd(physicalOffset)));
      return undefined;
    }
    await this.#close(physicalOffset, next);
    this.#redoRows(physicalOffset);
    return next;
  }

  /** Rows of what is lost must not stay: from here on they are written anew, as after an unclean exit. */
  #redoRows(physicalOffset: number): void {
    this.#parts.queues.truncateTo(physicalOffset);
    this.#rowsFrom = Math.min(this.#rowsFrom, physicalOffset);
  }

  /** End of what is not zero behind a place, over all files. */
  #endOfContent(physicalOffset: number): number {
    const { segments } = this.#parts;
    let end = this.#walk.endOfContent(physicalOffset);
    for (let start = this.#walk.fileEnd(physicalOffset); segments.has(start); start = this.#walk.fileEnd(start)) {
      const fileEnd = this.#walk.endOfContent(start);
      end = fileEnd > start ? fileEnd : end;
    }
    return end;
  }

  /** The next good record, far enough away for what is between to be closed. */
  #findNext(physicalOffset: number): number | undefined {
    let next = this.#walk.findRecord(physicalOffset, this.#lastStoreTimestamp);
    while (next !== undefined && next - physicalOffset < RECORD_OVERHEAD_V4_BYTES) {
      next = this.#walk.findRecord(next + 1, this.#lastStoreTimestamp);
    }
    return next;
  }

  /** Makes `[from, to)` something that a reader walks over: fillers, blanks up to the ends of files. Durable on return. */
  async #close(from: number, to: number): Promise<void> {
    const { segments } = this.#parts;
    for (let start = from; start < to; ) {
      const fileEnd = this.#walk.fileEnd(start);
      if (fileEnd <= to) {
        const blank = Buffer.alloc(BLANK_BYTES);
        encodeBlank(blank, 0, fileEnd - start);
        await segments.writeAt(blank, 0, Math.min(BLANK_BYTES, fileEnd - start), start);
        await this.#zero(start + BLANK_BYTES, fileEnd);
        start = fileEnd;
      } else {
        // What is left over must have room for a filler of its own.
        const filler = this.#filler(start, to - start > FILLER_BYTES_MAX ? FILLER_BYTES_MAX / 2 : to - start);
        await segments.writeAt(filler, 0, filler.length, start);
        start += filler.length;
      }
    }
    await segments.sync(from, to);
  }

  #filler(physicalOffset: number, bytes: number): Buffer {
    const topic = FILLER_TOPIC.slice(0, bytes - RECORD_OVERHEAD_V4_BYTES);
    const source = recordSource({
      topic,
      body: Buffer.alloc(bytes - RECORD_OVERHEAD_V4_BYTES - topic.length),
      sysFlag: TRANSACTION_ROLLBACK,
      physicalOffset,
      bornTimestampMs: this.#lastStoreTimestamp,
      storeTimestampMs: this.#lastStoreTimestamp,
    });
    const filler = Buffer.alloc(bytes);
    encodeRecord(filler, 0, source);
    return filler;
  }

  /** Old bytes behind the end could be taken for records once the log has grown over a part of them. */
  async #zero(from: number, to: number): Promise<void> {
    const { segments } = this.#parts;
    const zeros = Buffer.alloc(Math.min(ZERO_CHUNK_BYTES, to - from));
    for (let at = from; at < to; at += zeros.length) {
      await segments.writeAt(zeros, 0, Math.min(zeros.length, to - at), at);
    }
    await segments.sync(from, to);
  }

  #storeTimestampAt(physicalOffset: number): number {
    const step = this.#walk.step(physicalOffset);
    return step.kind === 'record' ? recordStoreTimestampAt(step.bytes, step.at) : 0;
  }
}
