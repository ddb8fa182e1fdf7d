/**
 * When which queue is flushed (DESIGN 5): slices of a bounded number of queues, so that a turn stays short with ten
 * thousand of them, and a checkpoint that moves only after a whole round is durable.
 *
 * A plain function of state; `ConsumeQueueFlushLoop` does what it says.
 */
import { Ticker } from '@perigee/core/kit/ticker';
import type { Clock, Log } from '@perigee/core/platform/ports';
import type { StoreCheckpoint } from './checkpoint.ts';
import type { ConsumeQueue } from './consume-queue.ts';
import type { ConsumeQueueTable } from './consume-queue-table.ts';

/** Queues flushed in one turn: 64 page-cache writes are some 0.2 ms. */
export const FLUSHED_QUEUES_PER_TURN = 64;
/** And for no longer than this: a write that the page cache has no room for waits for the device. */
const SLICE_MS = 2;
/** Syncs, and first files of queues, under way at once: what libuv's threadpool of four can do, less one for the CommitLog's own. */
const SYNCS_AT_ONCE = 3;

/** The newest record whose rows are all in the queues. */
export interface DispatchedTo {
  readonly storeTimestampMs: number;
  /** Where the record starts. */
  readonly physicalOffset: number;
}

export interface FlushRound {
  /** Queues of this round that still have to be flushed. */
  readonly waiting: ConsumeQueue[];
  /** All queues of the round. */
  readonly queues: readonly ConsumeQueue[];
}

/** A round over the queues that were dirty at its start. */
export function startRound(dirty: readonly ConsumeQueue[]): FlushRound {
  return { waiting: [...dirty].reverse(), queues: dirty };
}

/** The queues to flush in this turn; empty when the round is done. */
export function nextSlice(round: FlushRound): ConsumeQueue[] {
  return round.waiting.splice(-FLUSHED_QUEUES_PER_TURN).reverse();
}

export interface ConsumeQueueFlushLoopOptions {
  /** `flushIntervalConsumeQueue`: between two rounds that only reach the page cache. */
  readonly flushPeriodMs: number;
  /** `flushConsumeQueueThoroughInterval`: between two rounds that reach the device and move the checkpoint. */
  readonly syncPeriodMs: number;
}

/** What the loop needs from its surroundings. */
export interface ConsumeQueueFlushLoopParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly table: ConsumeQueueTable;
  readonly checkpoint: StoreCheckpoint;
  /** Asked at the start of a round: everything up to there has its rows in the queues. undefined: nothing dispatched yet. */
  readonly dispatchedTo: () => DispatchedTo | undefined;
  /** End of the CommitLog on the device: the checkpoint never says more. Left out: the log is always durable first. */
  readonly logSyncedTo?: () => number;
  /** Makes the key index durable for what was dispatched; left out when there is no index. */
  readonly syncIndex?: () => Promise<void>;
  /** The disk refused a write or a sync; rows stay in memory and are tried again. */
  readonly diskFailed: (error: Error) => void;
}

export class ConsumeQueueFlushLoop {
  readonly #parts: ConsumeQueueFlushLoopParts;
  /** Queues written since the last sync. */
  #unsynced = new Set<ConsumeQueue>();
  /** What the last whole round made durable but the log has not reached yet. */
  #ahead: DispatchedTo | undefined;
  /** A sync failed: the kernel may have given rows up, so what is durable from here on is not known. */
  #syncFailed = false;
  #flushing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  /** Something was dispatched since the last sync round began, or that round failed. */
  #isUnsynced = true;
  readonly #flushTicker: Ticker;
  readonly #syncTicker: Ticker;

  constructor(parts: ConsumeQueueFlushLoopParts, options: ConsumeQueueFlushLoopOptions) {
    this.#parts = parts;
    this.#flushTicker = new Ticker(parts.clock, { periodMs: options.flushPeriodMs }, () => {
      if (!this.#isFlushNeeded()) return false;
      this.#inBackground(this.flush().then(() => this.#moveCheckpoint()));
      return true;
    });
    this.#syncTicker = new Ticker(parts.clock, { periodMs: options.syncPeriodMs }, () => {
      if (!this.#isUnsynced && this.#unsynced.size === 0) return false;
      this.#inBackground(this.sync());
      return true;
    });
  }

  /** Starts the rounds. Rows that recovery wrote belong to the first one. */
  start(): void {
    for (const queue of this.#parts.table.simpleQueues()) {
      this.#unsynced.add(queue);
    }
    this.#flushTicker.start();
    this.#syncTicker.start();
  }

  /** Rows were appended: the next rounds come. For the hot path. */
  wake(): void {
    this.#isUnsynced = true;
    this.#flushTicker.wake();
    this.#syncTicker.wake();
  }

  #isFlushNeeded(): boolean {
    return this.#parts.table.hasDirty || this.#flushing !== undefined || (this.#ahead !== undefined && !this.#syncFailed);
  }

  /** Ends the loop; what is under way finishes by itself. */
  stop(): void {
    this.#flushTicker.stop();
    this.#syncTicker.stop();
  }

  /** Brings the rows of all dirty queues into the page cache, slice by slice. Rejects with the disk's error. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushRound().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** A whole round to the device; then the checkpoint says so (store.md 4, 9). Rejects with the disk's error. */
  sync(): Promise<void> {
    this.#syncing ??= this.#syncRound()
      .catch((error: unknown) => {
        this.#isUnsynced = true;
        throw error;
      })
      .finally(() => {
        this.#syncing = undefined;
        this.#flushTicker.wake();
      });
    return this.#syncing;
  }

  async #flushRound(): Promise<void> {
    const { clock, table } = this.#parts;
    const round = startRound(table.takeDirty());
    try {
      for (let slice = nextSlice(round); slice.length > 0; slice = nextSlice(round)) {
        await this.#prepareFiles(slice.filter((queue) => queue.needsFile));
        let endMs = clock.monotonicMs() + SLICE_MS;
        for (const queue of slice) {
          this.#unsynced.add(queue);
          queue.flushNow();
          if (clock.monotonicMs() < endMs) continue;
          await clock.sleep(0);
          endMs = clock.monotonicMs() + SLICE_MS;
        }
        if (round.waiting.length > 0) {
          await clock.sleep(0);
        }
      }
    } catch (error) {
      // They are no longer in the table's list: a later row or the sync round must find them again.
      for (const queue of round.queues) {
        this.#unsynced.add(queue);
      }
      throw error;
    }
  }

  async #prepareFiles(queues: readonly ConsumeQueue[]): Promise<void> {
    for (let first = 0; first < queues.length; first += SYNCS_AT_ONCE) {
      // What fails here fails again in the flush, which reports it.
      await Promise.allSettled(queues.slice(first, first + SYNCS_AT_ONCE).map((queue) => queue.prepareFile()));
    }
  }

  async #syncRound(): Promise<void> {
    const dispatched = this.#parts.dispatchedTo();
    this.#isUnsynced = false;
    // A round that was under way may have passed a queue by before its newest row.
    await this.flush();
    await this.flush();
    const queues = [...this.#unsynced];
    // Rows that the page cache refused before (a full disk). This is no failed sync: they are still in memory.
    for (const queue of queues) {
      queue.flushNow();
    }
    this.#unsynced = new Set();
    try {
      for (let first = 0; first < queues.length; first += SYNCS_AT_ONCE) {
        await Promise.all(queues.slice(first, first + SYNCS_AT_ONCE).map((queue) => this.#syncQueue(queue)));
      }
      await this.#parts.table.syncNames();
      for (const queue of [...this.#parts.table.batchQueues()]) {
        await queue.sync();
      }
    } catch (error) {
      this.#syncFailed = true;
      for (const queue of queues) {
        this.#unsynced.add(queue);
      }
      throw error;
    }
    await this.#parts.syncIndex?.();
    this.#ahead = dispatched ?? this.#ahead;
    await this.#moveCheckpoint();
  }

  /** Moves the checkpoint to the end of the last whole round, once the log is durable up to there. */
  async #moveCheckpoint(): Promise<void> {
    const { checkpoint, logSyncedTo } = this.#parts;
    const ahead = this.#ahead;
    if (ahead === undefined || this.#syncFailed || (logSyncedTo !== undefined && logSyncedTo() <= ahead.physicalOffset)) {
      return;
    }
    this.#ahead = undefined;
    checkpoint.logicsMsgTimestamp = ahead.storeTimestampMs;
    checkpoint.logicsPhysicalOffset = ahead.physicalOffset;
    await checkpoint.flush();
  }

  async #syncQueue(queue: ConsumeQueue): Promise<void> {
    await queue.sync();
    if (!queue.isDirty) {
      queue.releaseTail();
    }
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#parts.log.error('ConsumeQueues could not be flushed; the rows stay in memory', { error: String(error) });
      this.#parts.diskFailed(error as Error);
    });
  }
}
