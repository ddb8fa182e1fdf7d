/**
 * Takes messages of one queue for a pop (broker.md 18.2): where the group is, what is there, and the check point that
 * brings them back. Everything up to the append of the check point happens at once, so no two requests ever take the
 * same message; Apache holds a lock per topic, group and queue for that.
 */
import type { Clock } from '@perigee/core/platform/ports';
import { POP_INIT_MIN } from '@perigee/core/protocol/commands/pop';
import type { MessageReader, ReadResult, ReadStatus, RecordFilter, RowFilter } from '../../store/message-reader.ts';
import type { StoreQueue } from '../../store/store-queue.ts';
import { RETRY_PREFIX } from '../names.ts';
import { CHECK_POINT_MESSAGES_MAX } from './check-point.ts';
import type { OrderInfoTable } from './order-info-table.ts';
import type { PopPuts } from './pop-puts.ts';
import type { PendingPop, PopQueue, PopQueueTable } from './pop-queue-table.ts';

/** Bytes of one answer; the frame's own bound is 16 MiB. */
export const POP_BYTES_MAX = 8 * 1024 * 1024;
/** One message may be longer than that; a second one that would not fit into the frame beside it waits for the next pop. */
const ANSWER_BYTES_MAX = 15 * 1024 * 1024;
/** Looks into a queue whose messages a filter leaves out, in one pop: 16 × 800 rows. */
const FILTER_READS_MAX = 16;

/** What of a message's row and record the group wants. */
export interface PopFilter {
  readonly rowFilter: RowFilter | undefined;
  readonly recordFilter: RecordFilter | undefined;
}

/** What a request asks for. */
export interface PopRequest {
  readonly group: string;
  readonly topic: string;
  readonly messagesMax: number;
  readonly invisibleMs: number;
  readonly popTimeMs: number;
  readonly reviveQueueId: number;
  readonly initMode: number;
  readonly isOrder: boolean;
  readonly attemptId: string | undefined;
  readonly filter: PopFilter;
}

/** Messages of one queue that a pop takes. */
export interface PopPart {
  readonly topic: string;
  readonly queueId: number;
  readonly startOffset: number;
  readonly queueOffsets: readonly number[];
  readonly physicalOffsets: readonly number[];
  readonly sizes: readonly number[];
  readonly bytes: number;
  /** Ordered pops: how often each was taken before. */
  readonly orderCount: string | undefined;
  /** Its check point could not be stored: the messages are not delivered. */
  failed: boolean;
}

/** Where an inner batch lies, and how many messages it has. */
export interface InnerBatchPlace {
  readonly topic: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly messages: number;
}

/** What a pop has so far. */
export class PopHarvest {
  readonly request: PopRequest;
  readonly parts: PopPart[] = [];
  messages = 0;
  bytes = 0;
  /** Messages left that the group could take. */
  rest = 0;
  /** The inner batch that a queue could not be popped past. */
  innerBatch: InnerBatchPlace | undefined;
  /** A filter left out so much that there is more to look at. */
  hasMore = false;
  /** Check points on their way, and one more until {@link whenStored}. */
  #open = 1;
  #settled: (() => void) | undefined;

  constructor(request: PopRequest) {
    this.request = request;
  }

  /** A check point is on its way. */
  storing(): void {
    this.#open++;
  }

  /** It is stored, or failed. */
  stored(): void {
    if (--this.#open === 0) this.#settled?.();
  }

  /** Calls `settled` as soon as nothing is on its way any more; once, when everything was collected. */
  whenStored(settled: () => void): void {
    this.#settled = settled;
    this.stored();
  }

  get isFull(): boolean {
    return this.messages >= this.request.messagesMax || this.bytes >= POP_BYTES_MAX;
  }
}

export interface PopReadSettings {
  readonly brokerName: string;
  readonly useServerSideResetOffset: boolean;
  readonly initPopOffsetByCheckMsgInMem: boolean;
  readonly enablePopMessageThreshold: boolean;
  readonly popInflightMessageThreshold: number;
}

export interface PopReadParts {
  readonly settings: PopReadSettings;
  readonly reader: MessageReader;
  readonly queue: (topic: string, queueId: number) => StoreQueue | undefined;
  /** Whether the message at a queue offset is in memory. */
  readonly isInMemory: (topic: string, queueId: number, queueOffset: number) => boolean;
  readonly queues: PopQueueTable;
  readonly orders: OrderInfoTable;
  readonly takeReset: (group: string, topic: string, queueId: number) => number | undefined;
  readonly puts: PopPuts;
  /** Counts delivered messages. */
  readonly counted: (group: string, topic: string, messages: number, bytes: number) => void;
}

/** Statuses after which the group's position was wrong and is put where the store says. */
function isMisplaced(status: ReadStatus): boolean {
  return status === 'OFFSET_TOO_SMALL' || status === 'OFFSET_OVERFLOW_BADLY' || status === 'OFFSET_FOUND_NULL';
}

/** Statuses after which the group goes on behind what it cannot have. */
function isPassed(status: ReadStatus): boolean {
  return status === 'NO_MATCHED_MESSAGE' || status === 'OFFSET_FOUND_NULL' || status === 'MESSAGE_WAS_REMOVING';
}

export class PopReader {
  readonly #clock: Clock;
  readonly #parts: PopReadParts;

  constructor(clock: Clock, parts: PopReadParts) {
    this.#clock = clock;
    this.#parts = parts;
  }

  /** Takes what is missing to a full answer from one queue. `topic` may be a retry topic of the request's. */
  take(harvest: PopHarvest, topic: string, queueId: number): void {
    const { request } = harvest;
    const { settings } = this.#parts;
    const popQueue = this.#parts.queues.group(topic, request.group).queue(queueId);
    popQueue.usedMs = this.#clock.monotonicMs();
    const queue = this.#parts.queue(topic, queueId);
    if (settings.enablePopMessageThreshold && popQueue.inflight > settings.popInflightMessageThreshold) {
      harvest.rest += Math.max(0, (queue?.rows.maxQueueOffset ?? 0) - popQueue.nextOffset);
      return;
    }
    const startOffset = this.startOffset(request, popQueue, queue);
    if (request.isOrder) {
      // What waits in a closed queue does not count as left: it would wake the group for nothing.
      if (this.#parts.orders.isBlocked({ topic, group: request.group, queueId }, request.attemptId)) return;
      popQueue.inflight = 0;
    }
    if (queue === undefined) return;
    if (harvest.isFull) harvest.rest += Math.max(0, queue.rows.maxQueueOffset - startOffset);
    else this.#takeFrom(harvest, popQueue, queue, startOffset);
  }

  /** Where the next pop of a queue begins; takes a reset, and commits the first position of a new group. */
  startOffset(request: Pick<PopRequest, 'group' | 'initMode'>, popQueue: PopQueue, queue: StoreQueue | undefined): number {
    const { topic, queueId } = popQueue;
    const reset = this.#parts.settings.useServerSideResetOffset ? this.#parts.takeReset(request.group, topic, queueId) : undefined;
    if (reset !== undefined) {
      this.#parts.orders.forget({ topic, group: request.group, queueId });
      popQueue.reset(reset);
      return reset;
    }
    const next = popQueue.nextOffset;
    if (next >= 0) return next;
    const first = this.#firstOffset(request.initMode, topic, queueId, queue);
    popQueue.commit(first);
    return first;
  }

  #firstOffset(initMode: number, topic: string, queueId: number, queue: StoreQueue | undefined): number {
    const minOffset = queue?.rows.minQueueOffset ?? 0;
    if (initMode === POP_INIT_MIN || topic.startsWith(RETRY_PREFIX)) return minOffset;
    const { settings, isInMemory } = this.#parts;
    if (settings.initPopOffsetByCheckMsgInMem && minOffset <= 0 && isInMemory(topic, queueId, 0)) return 0;
    return Math.max(0, (queue?.rows.maxQueueOffset ?? 0) - 1);
  }

  #takeFrom(harvest: PopHarvest, popQueue: PopQueue, queue: StoreQueue, from: number): void {
    let startOffset = from;
    let result = this.#read(harvest, queue, startOffset);
    if (isMisplaced(result.status)) {
      // Apache once went to 0 where the store had no answer, and delivered everything again (apache/rocketmq#3503).
      startOffset = result.nextBeginOffset;
      popQueue.commit(startOffset);
      result = this.#read(harvest, queue, startOffset);
    }
    for (let reads = 1; reads < FILTER_READS_MAX && result.count === 0 && isPassed(result.status); reads++) {
      if (result.nextBeginOffset <= startOffset) break;
      startOffset = result.nextBeginOffset;
      this.#pass(harvest, popQueue, startOffset);
      result = this.#read(harvest, queue, startOffset);
    }
    if (result.messageCount > result.count) {
      // Nobody could acknowledge the messages of an inner batch: what lies before one is taken message by message.
      result = this.#read(harvest, queue, startOffset, 1);
      if (result.messageCount > result.count) {
        const queueOffset = result.queueOffsets[0] as number;
        harvest.innerBatch = { topic: popQueue.topic, queueId: popQueue.queueId, queueOffset, messages: result.messageCount };
        return;
      }
    }
    harvest.rest += Math.max(0, result.maxOffset - result.nextBeginOffset);
    if (result.count > 0) this.#keep(harvest, popQueue, startOffset, result);
    else if (isPassed(result.status)) {
      this.#pass(harvest, popQueue, result.nextBeginOffset);
      harvest.hasMore ||= result.nextBeginOffset < result.maxOffset;
    }
  }

  #read(harvest: PopHarvest, queue: StoreQueue, queueOffset: number, recordsMax = CHECK_POINT_MESSAGES_MAX): ReadResult {
    const { filter, messagesMax } = harvest.request;
    return this.#parts.reader.read({
      queue,
      queueOffset,
      messagesMax: Math.min(messagesMax - harvest.messages, recordsMax),
      bytesMax: POP_BYTES_MAX - harvest.bytes,
      rowFilter: filter.rowFilter,
      recordFilter: filter.recordFilter,
    });
  }

  /** Moves the group over messages that it cannot have. */
  #pass(harvest: PopHarvest, popQueue: PopQueue, nextOffset: number): void {
    if (harvest.request.isOrder) popQueue.commit(nextOffset);
    else popQueue.skip(nextOffset);
  }

  #keep(harvest: PopHarvest, popQueue: PopQueue, startOffset: number, result: ReadResult): void {
    const { request } = harvest;
    if (harvest.messages > 0 && harvest.bytes + result.bytes > ANSWER_BYTES_MAX) {
      harvest.rest += result.messageCount;
      return;
    }
    const { topic, queueId } = popQueue;
    const queueOffsets: number[] = [];
    const physicalOffsets: number[] = [];
    const sizes: number[] = [];
    for (let i = 0; i < result.count; i++) {
      queueOffsets.push(result.queueOffsets[i] as number);
      physicalOffsets.push(result.physicalOffsets[i] as number);
      sizes.push(result.sizes[i] as number);
    }
    let orderCount: string | undefined;
    let pending: PendingPop | undefined;
    if (request.isOrder) {
      const { attemptId, popTimeMs, invisibleMs } = request;
      orderCount = this.#parts.orders.take({ topic, group: request.group, queueId }, { attemptId, popTimeMs, invisibleMs, queueOffsets });
      popQueue.commit(startOffset);
    } else pending = popQueue.take(result.nextBeginOffset);
    const part: PopPart = {
      topic,
      queueId,
      startOffset,
      queueOffsets,
      physicalOffsets,
      sizes,
      bytes: result.bytes,
      orderCount,
      failed: false,
    };
    harvest.parts.push(part);
    harvest.messages += result.messageCount;
    harvest.bytes += result.bytes;
    popQueue.inflight += result.count;
    this.#parts.counted(request.group, topic, result.messageCount, result.bytes);
    if (pending !== undefined) this.#storeCheckPoint(harvest, popQueue, part, pending);
  }

  #storeCheckPoint(harvest: PopHarvest, popQueue: PopQueue, part: PopPart, pending: PendingPop): void {
    const { request } = harvest;
    const checkPoint = {
      topic: part.topic,
      group: request.group,
      queueId: part.queueId,
      startOffset: part.startOffset,
      popTimeMs: request.popTimeMs,
      brokerName: this.#parts.settings.brokerName,
      invisibleMs: request.invisibleMs,
      queueOffsets: part.queueOffsets,
      ackedBits: 0,
      rePuts: 0,
      isSuspended: false,
    };
    harvest.storing();
    this.#parts.puts.checkPointWith(checkPoint, request.reviveQueueId, (stored) => {
      if (stored.state === 'stored') popQueue.stored(pending);
      else {
        this.#parts.puts.noteNotStored(stored, 'a check point', checkPoint);
        part.failed = true;
        popQueue.failed(pending);
        popQueue.inflight -= part.queueOffsets.length;
      }
      harvest.stored();
    });
  }
}
