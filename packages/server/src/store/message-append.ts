/**
 * The write path of the store: from a message to its answer (DESIGN 4.3–4.5). Everything here runs to completion; the only
 * things waited for are the device (one sync in flight) and the replicas.
 */
import { PROPERTIES_BYTES_MAX } from '@perigee/core/message/properties';
import { propertyCrcTrailerBytes } from '@perigee/core/message/property-crc';
import { BLANK_BYTES, encodeRecord, recordSize } from '@perigee/core/message/record';
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import type { AppendInput } from './append-input.ts';
import {
  AppendRing,
  FLUSH_DISK_TIMEOUT,
  FLUSH_SLAVE_TIMEOUT,
  IS_SETTLED,
  NO_REPLICA,
  PUT_FAILED,
  PUT_OK,
  type PutStatus,
  SLAVE_NOT_AVAILABLE,
  WAITS_DISK,
  WAITS_REPLICAS,
  WAITS_TOPIC,
} from './append-ring.ts';
import type { CommitLog } from './commit-log.ts';
import { giveBackOffsets, takeOffsets } from './record-extras.ts';
import { type ReplicaAckSettings, type ReplicaAcks, replicaWait, slaveAcksNeeded } from './replica-acks.ts';
import type { TailBlock } from './tail-buffers.ts';

/** How often overdue waits for disk and replicas are looked for. */
const OVERDUE_SCAN_PERIOD_MS = 50;

/** Why a message was not taken. `undefined` = taken. */
export type AppendRefusal =
  | { readonly kind: 'properties-too-long'; readonly bytes: number; readonly bytesMax: number }
  | { readonly kind: 'body-too-long'; readonly bytes: number; readonly bytesMax: number }
  | { readonly kind: 'not-writable'; readonly cause: string }
  | { readonly kind: 'busy'; readonly cause: string };

export interface AppendSettings extends ReplicaAckSettings {
  readonly maxMessageSize: number;
  readonly flushDiskType: string;
  readonly syncFlushTimeout: number;
  readonly slaveTimeout: number;
  readonly enabledAppendPropCRC: boolean;
}

/** What happens to a record that became visible: its row, its keys, whoever waits for it. */
export type Dispatch = (ring: AppendRing, slot: number) => void;

export interface AppendParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly commitLog: CommitLog;
  /** STOREHOST of every record: 8 or 20 bytes. */
  readonly storeHost: Buffer;
  readonly dispatch: Dispatch;
  /** Asks for `endTurn` at the end of this turn. */
  readonly scheduleTurn: () => void;
  /** Sends what was answered outside of a turn (after a sync). */
  readonly runTurn: () => void;
  /** Why nothing may be appended at the moment. */
  readonly notWritable: () => string | undefined;
  /** Everything up to this store time (ms) is on the device. */
  readonly synced: (storeTimestamp: number) => void;
  /** The disk refused a write; the message store decides what that means for later appends. */
  readonly diskFailed: (error: Error) => void;
  /** The disk refused a sync: what was written may never reach the device. */
  readonly syncFailed: (error: Error) => void;
  /** `count` messages were answered; the oldest of them was appended at `since` (wall ms). */
  readonly answered: (count: number, since: number) => void;
  /** Called after bytes reached the page cache. */
  readonly written: () => void;
}

/** Topics that were created and whose settings are still being written. A message is not acknowledged before its topic is. */
export interface TopicWrites {
  readonly unwritten: ReadonlySet<string>;
  /** Runs `listener` whenever topics left `unwritten`. */
  onWritten(listener: () => void): void;
}

const ALL_WRITTEN: ReadonlySet<string> = new Set();
const WAITS = WAITS_DISK | WAITS_REPLICAS | WAITS_TOPIC;

export class MessageAppend {
  readonly ring = new AppendRing();
  readonly #parts: AppendParts;
  /** Read at each use: values may change while the broker runs. */
  readonly #settings: AppendSettings;
  #replicas: ReplicaAcks | undefined;
  #unwrittenTopics = ALL_WRITTEN;
  /** Entries below have been looked at after their page-cache write. */
  #seenWritten = 0;
  #lastWrittenTimestamp = 0;
  #cancelScan: Cancel | undefined;

  constructor(parts: AppendParts, settings: AppendSettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  /** From now on SYNC_MASTER waits for these replicas. */
  attachReplicas(replicas: ReplicaAcks): void {
    this.#replicas = replicas;
    replicas.onAdvance(() => {
      this.#advance();
      this.#parts.scheduleTurn();
    });
  }

  /** From now on a message of a new topic waits until the topic's settings are on disk. */
  attachTopics(topics: TopicWrites): void {
    this.#unwrittenTopics = topics.unwritten;
    topics.onWritten(() => {
      this.#advance();
      this.#parts.runTurn();
    });
  }

  stop(): void {
    this.#cancelScan?.();
  }

  get #syncFlush(): boolean {
    return this.#settings.flushDiskType === 'SYNC_FLUSH';
  }

  /** Completes the input and says why the message cannot be taken, before anything is changed. */
  #prepare(input: AppendInput): AppendRefusal | undefined {
    input.topic = input.queue.topicBytes;
    input.queueId = input.queue.queueId;
    input.storeHost = this.#parts.storeHost;
    input.trailerBytes = this.#settings.enabledAppendPropCRC
      ? propertyCrcTrailerBytes(input.properties, input.propertiesStart, input.propertiesEnd, input.isBatchItem)
      : 0;
    const propertiesBytes = input.propertiesEnd - input.propertiesStart + input.trailerBytes;
    if (propertiesBytes > PROPERTIES_BYTES_MAX)
      return { kind: 'properties-too-long', bytes: propertiesBytes, bytesMax: PROPERTIES_BYTES_MAX };
    const bodyBytes = input.bodyEnd - input.bodyStart;
    if (bodyBytes > this.#settings.maxMessageSize)
      return { kind: 'body-too-long', bytes: bodyBytes, bytesMax: this.#settings.maxMessageSize };
    return undefined;
  }

  /** How often appended messages were taken back because the disk refused them: their places are given again. */
  rollBacks = 0;

  /** Bytes of the records of the last append that was taken. */
  appendedBytes = 0;

  /**
   * Appends one message. The sink is told when it is as durable as configured; consumers see it from then on.
   * Answers why it was not taken, else undefined.
   */
  append(input: AppendInput): AppendRefusal | undefined {
    const refused = this.#prepare(input) ?? this.#closed();
    if (refused !== undefined) return refused;
    const size = recordSize(input);
    const ring = this.ring;
    if (!ring.reserve(1)) return { kind: 'busy', cause: `${ring.pending} messages wait for the disk or the replicas` };
    const block = this.#reserve(size);
    if ('kind' in block) return block;
    this.#put(input, block, block.length - size, size, this.#parts.clock.wallMs());
    this.appendedBytes = size;
    this.#parts.scheduleTurn();
    return undefined;
  }

  /**
   * Appends several messages of one queue with consecutive queue offsets into one file, or none of them. Only the last
   * one's sink is told.
   */
  appendBatch(inputs: readonly AppendInput[]): AppendRefusal | undefined {
    const closed = this.#closed();
    if (closed !== undefined) return closed;
    let total = 0;
    for (const input of inputs) {
      const refused = this.#prepare(input);
      if (refused !== undefined) return refused;
      total += recordSize(input);
    }
    if (!this.ring.reserve(inputs.length))
      return { kind: 'busy', cause: `${this.ring.pending} messages wait for the disk or the replicas` };
    const block = this.#reserve(total);
    if ('kind' in block) return block;
    const storeTimestamp = this.#parts.clock.wallMs();
    let at = block.length - total;
    for (const input of inputs) {
      const size = recordSize(input);
      this.#put(input, block, at, size, storeTimestamp);
      at += size;
    }
    this.appendedBytes = total;
    this.#parts.scheduleTurn();
    return undefined;
  }

  #closed(): AppendRefusal | undefined {
    const cause = this.#parts.notWritable();
    return cause === undefined ? undefined : { kind: 'not-writable', cause };
  }

  #reserve(size: number): TailBlock | AppendRefusal {
    // A record lies in one file; `maxMessageSize` may say more than a file of this store holds.
    const bytesMax = this.#parts.commitLog.segments.segmentBytes - BLANK_BYTES;
    if (size > bytesMax) return { kind: 'body-too-long', bytes: size, bytesMax };
    try {
      return (
        this.#parts.commitLog.reserve(size) ?? {
          kind: 'busy',
          cause: `the disk has not taken ${this.#parts.commitLog.appendedTo - this.#parts.commitLog.writtenTo} bytes that were appended; all write buffers are full`,
        }
      );
    } catch (error) {
      // The next file could not be created.
      this.#parts.diskFailed(error as Error);
      return { kind: 'not-writable', cause: (error as Error).message };
    }
  }

  #put(input: AppendInput, block: TailBlock, at: number, size: number, storeTimestamp: number): void {
    const ring = this.ring;
    const physicalOffset = block.base + at;
    const queueOffset = input.queue.nextQueueOffset++;
    input.queueOffset = queueOffset;
    input.physicalOffset = physicalOffset;
    input.storeTimestampMs = storeTimestamp;
    encodeRecord(block.bytes, at, input);
    const slot = ring.head++ & ring.mask;
    ring.queue[slot] = input.queue;
    ring.sink[slot] = input.sink;
    ring.token[slot] = input.token;
    ring.block[slot] = block;
    ring.opaque[slot] = input.opaque;
    ring.physicalOffset[slot] = physicalOffset;
    ring.size[slot] = size;
    ring.queueOffset[slot] = queueOffset;
    ring.tagsCode[slot] = input.delayMs < 0 ? input.tagsCode : storeTimestamp + input.delayMs;
    ring.storeTimestamp[slot] = storeTimestamp;
    // From positions in the input's properties to positions in the block: they end with the record.
    const shift = at + size - input.trailerBytes - input.propertiesEnd;
    ring.uniqueKeyAt[slot] = input.uniqueKeyStart < 0 ? -1 : input.uniqueKeyStart + shift;
    ring.uniqueKeyLength[slot] = input.uniqueKeyEnd - input.uniqueKeyStart;
    ring.keysAt[slot] = input.keysStart < 0 ? -1 : input.keysStart + shift;
    ring.keysLength[slot] = input.keysEnd - input.keysStart;
    ring.tagsAt[slot] = input.tagsStart < 0 ? -1 : input.tagsStart + shift;
    ring.tagsLength[slot] = input.tagsEnd - input.tagsStart;
    ring.state[slot] = 0;
    ring.extras[slot] = input.extras;
    if (input.extras !== undefined) takeOffsets(input.queue, input.extras);
    if (input.waits) this.#setWaits(slot);
  }

  #isTopicUnwritten(slot: number): boolean {
    return this.#unwrittenTopics.size > 0 && this.#unwrittenTopics.has(this.ring.queue[slot]!.topic);
  }

  #setWaits(slot: number): void {
    const ring = this.ring;
    const settings = this.#settings;
    let state = this.#syncFlush ? WAITS_DISK : 0;
    if (this.#isTopicUnwritten(slot)) state |= WAITS_TOPIC;
    const replicas = replicaWait(slaveAcksNeeded(settings), true, this.#replicas);
    if (replicas === 'unavailable') state |= NO_REPLICA;
    else if (replicas === 'wait') state |= WAITS_REPLICAS;
    ring.state[slot] = state;
    if (state === 0) return;
    ring.waitsSinceMs[slot] = this.#parts.clock.monotonicMs();
    if (this.#cancelScan === undefined) this.#scanLater();
  }

  /** Looks for overdue waits as long as there are any; an idle broker has no timer for it. */
  #scanLater(): void {
    this.#cancelScan = this.#parts.clock.after(OVERDUE_SCAN_PERIOD_MS, () => {
      this.#cancelScan = undefined;
      this.#settleOverdue();
      if (this.ring.settled < this.ring.head) this.#scanLater();
    });
  }

  /** End of a turn: one write for all that was appended in it, then whoever can be answered is. */
  endTurn(): void {
    const { commitLog } = this.#parts;
    if (!commitLog.canWrite) return;
    try {
      const slow = commitLog.write();
      if (slow === undefined) this.#afterWrite();
      else this.#finishSlowWrite(slow);
    } catch (error) {
      this.#writeFailed(error as Error);
    }
  }

  #finishSlowWrite(write: Promise<void>): void {
    write.then(
      () => {
        this.#afterWrite();
        this.endTurn();
        this.#parts.runTurn();
      },
      (error: unknown) => {
        this.#writeFailed(error as Error);
        this.#parts.runTurn();
      },
    );
  }

  /** Looks once at each entry whose bytes the page cache has. */
  #afterWrite(): void {
    const ring = this.ring;
    const writtenTo = this.#parts.commitLog.writtenTo;
    const visibleAtOnce = !this.#syncFlush;
    let counter = this.#seenWritten;
    for (; counter < ring.head && ring.endOf(counter) <= writtenTo; counter++) {
      const slot = counter & ring.mask;
      if (visibleAtOnce) this.#parts.dispatch(ring, slot);
      const state = ring.state[slot] as number;
      if ((state & WAITS) === 0) this.#settle(slot, (state & NO_REPLICA) === 0 ? PUT_OK : SLAVE_NOT_AVAILABLE);
    }
    if (counter > this.#seenWritten) this.#lastWrittenTimestamp = ring.storeTimestamp[(counter - 1) & ring.mask] as number;
    this.#seenWritten = counter;
    if (visibleAtOnce) ring.dispatched = counter;
    this.#parts.written();
    this.#advance();
    if (this.#syncFlush || this.#parts.commitLog.isDirty) this.sync();
  }

  #settle(slot: number, status: PutStatus): void {
    const ring = this.ring;
    if (((ring.state[slot] as number) & IS_SETTLED) !== 0) return;
    ring.state[slot] = (ring.state[slot] as number) | IS_SETTLED;
    const sink = ring.sink[slot];
    if (sink === undefined) return;
    sink.settled(ring, slot, status);
    ring.release(slot);
  }

  /** Answers everything whose disk and replica waits are over, in order, and makes synced records visible. */
  #advance(): void {
    const ring = this.ring;
    const { commitLog } = this.#parts;
    const replicas = this.#replicas;
    if (this.#syncFlush) {
      const flushedTo = commitLog.flushedTo;
      while (ring.dispatched < this.#seenWritten && ring.endOf(ring.dispatched) <= flushedTo)
        this.#parts.dispatch(ring, ring.dispatched++ & ring.mask);
    } else ring.dispatched = this.#seenWritten;
    const acksNeeded = slaveAcksNeeded(this.#settings);
    const first = ring.settled;
    while (ring.settled < this.#seenWritten) {
      const slot = ring.settled & ring.mask;
      const state = ring.state[slot] as number;
      if ((state & IS_SETTLED) === 0) {
        const end = ring.endOf(ring.settled);
        if ((state & WAITS_DISK) !== 0 && end > commitLog.flushedTo) break;
        if ((state & WAITS_TOPIC) !== 0 && this.#isTopicUnwritten(slot)) break;
        if ((state & WAITS_REPLICAS) !== 0 && (replicas?.ackedCount(end) ?? 0) < acksNeeded) break;
        this.#settle(slot, (state & NO_REPLICA) === 0 ? PUT_OK : SLAVE_NOT_AVAILABLE);
      }
      ring.settled++;
    }
    if (ring.settled > first) this.#parts.answered(ring.settled - first, ring.storeTimestamp[first & ring.mask] as number);
    const finished = Math.min(ring.settled, ring.dispatched);
    commitLog.releasedTo = finished === ring.head ? commitLog.writtenTo : (ring.physicalOffset[finished & ring.mask] as number);
  }

  /** Starts a sync unless one is under way; the next one follows as long as anybody waits for the device. */
  sync(): void {
    const { commitLog } = this.#parts;
    if (commitLog.syncing || commitLog.syncFailure !== undefined || commitLog.flushedTo === commitLog.writtenTo) return;
    const storeTimestamp = this.#lastWrittenTimestamp;
    commitLog.sync().then(
      () => {
        this.#parts.synced(storeTimestamp);
        this.#advance();
        if (this.#syncFlush || commitLog.isDirty) this.sync();
        this.#parts.runTurn();
      },
      (error: unknown) => {
        this.#parts.syncFailed(error as Error);
        this.#settleOverdue();
      },
    );
  }

  /** Writes and syncs everything appended; resolves when nobody waits for the disk any more. For a clean stop. */
  async drain(): Promise<void> {
    const { commitLog } = this.#parts;
    this.endTurn();
    while (commitLog.writtenTo < commitLog.appendedTo && !this.ring.isEmpty) await this.#parts.clock.sleep(1);
    const storeTimestamp = this.#lastWrittenTimestamp;
    while (commitLog.flushedTo < commitLog.writtenTo) await commitLog.sync();
    if (storeTimestamp > 0) this.#parts.synced(storeTimestamp);
    this.#advance();
    this.#parts.runTurn();
  }

  #settleOverdue(): void {
    const ring = this.ring;
    if (ring.settled === this.#seenWritten) return;
    const { syncFlushTimeout, slaveTimeout } = this.#settings;
    const nowMs = this.#parts.clock.monotonicMs();
    const { flushedTo, syncFailure } = this.#parts.commitLog;
    const neverSynced = syncFailure !== undefined;
    const shortestMs = neverSynced ? 0 : Math.min(syncFlushTimeout, slaveTimeout);
    for (let counter = ring.settled; counter < this.#seenWritten; counter++) {
      const slot = counter & ring.mask;
      const state = ring.state[slot] as number;
      if ((state & IS_SETTLED) !== 0) continue;
      const waitedMs = nowMs - (ring.waitsSinceMs[slot] as number);
      if (waitedMs < shortestMs) break;
      const topic = (state & WAITS_TOPIC) !== 0 && this.#isTopicUnwritten(slot);
      const disk = topic || ((state & WAITS_DISK) !== 0 && ring.endOf(counter) > flushedTo);
      // Each wait has its own limit (ha.md 1.4); a message that both are late for is told of the disk.
      if (disk && (neverSynced || waitedMs >= syncFlushTimeout)) this.#settle(slot, FLUSH_DISK_TIMEOUT);
      else if (!disk && waitedMs >= slaveTimeout) this.#settle(slot, FLUSH_SLAVE_TIMEOUT);
    }
    this.#advance();
    this.#parts.runTurn();
  }

  /** The page cache refused bytes: nothing of the group from there on was stored, so nobody is told it was. */
  #writeFailed(error: Error): void {
    const ring = this.ring;
    const { commitLog, diskFailed } = this.#parts;
    this.#afterWrite();
    this.rollBacks++;
    const first = this.#seenWritten;
    for (let counter = ring.head - 1; counter >= first; counter--) {
      const slot = counter & ring.mask;
      const queue = ring.queue[slot]!;
      queue.nextQueueOffset = Math.min(queue.nextQueueOffset, ring.queueOffset[slot] as number);
      const extras = ring.extras[slot];
      if (extras !== undefined) giveBackOffsets(extras);
    }
    diskFailed(error);
    try {
      commitLog.rollBackTo(first < ring.head ? (ring.physicalOffset[first & ring.mask] as number) : commitLog.writtenTo);
    } catch (clearError) {
      diskFailed(clearError as Error);
    }
    // The senders are told last: their answer names the cause.
    for (let counter = first; counter < ring.head; counter++) this.#settle(counter & ring.mask, PUT_FAILED);
    ring.head = first;
  }
}
