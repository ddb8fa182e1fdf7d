/** POP_LITE_MESSAGE 200070 (since-5.4.md 6.3): messages of the lite topics that a client is subscribed to. */

import type { Cancel } from '@perigee/core/platform/ports';
import { PERM_READ } from '@perigee/core/protocol/bodies/topic-config';
import type { RequestOf } from '@perigee/core/protocol/command';
import type { popLiteMessage } from '@perigee/core/protocol/commands/lite';
import { POP_MESSAGES_MAX } from '@perigee/core/protocol/commands/pop';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { Answer, IncomingRequest, Outcome } from '@perigee/core/remoting/handler';
import { REVIVE_QUEUE_ORDER } from '../pop/receipt-handle.ts';
import { LITE_QUEUE_ID, type LiteContext } from './lite-context.ts';
import { boundTopic, isParentTopic } from './lite-metadata.ts';
import { liteRefusals } from './lite-refusals.ts';

type Header = RequestOf<typeof popLiteMessage>;

/** A request that is later than this is not answered with messages: its client has gone on. */
const LATE_MS_MAX = 500;
/** A request is held at most this long, whatever the client asks. */
const POLL_MS_MAX = 300_000;
/** Bytes of one answer; the frame's own bound is 16 MiB. */
const BYTES_MAX = 8 * 1024 * 1024;

interface Waiting {
  readonly header: Header;
  readonly request: IncomingRequest;
  readonly resolve: (answer: Answer | undefined) => void;
  readonly cancel: Cancel;
}

interface Harvest {
  readonly popTimeMs: number;
  readonly records: Buffer[];
  readonly counts: number[];
  bytes: number;
}

export class LitePop {
  readonly #context: LiteContext;
  /** Client → held requests, oldest first. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  #held = 0;

  constructor(context: LiteContext) {
    this.#context = context;
  }

  isWaiting(clientId: string): boolean {
    return this.#waiting.has(clientId);
  }

  readonly handle = (header: Header, request: IncomingRequest): Outcome => {
    const { platform, settings, events } = this.#context;
    const nowMs = platform.clock.wallMs();
    const refused = this.#check(header, nowMs);
    if (refused !== undefined) return refused;
    events.accessed(header.clientId);
    const found = this.#pop(header);
    if (found.records.length > 0) return this.#answer(header, found);
    const restMs = Math.min(POLL_MS_MAX, header.bornTime + header.pollTime - nowMs);
    if (header.pollTime <= 0 || restMs <= 0 || request.oneway) return this.#nothing(header, ResponseCode.POLLING_TIMEOUT);
    const waiting = this.#waiting.get(header.clientId);
    if (this.#held >= settings.maxPopPollingSize || (waiting?.size ?? 0) >= settings.popPollingSize)
      return this.#nothing(header, ResponseCode.POLLING_FULL);
    return new Promise((resolve) => this.#hold({ header, request, resolve }, restMs));
  };

  #check(header: Header, nowMs: number): Refusal | undefined {
    const { settings, broker } = this.#context;
    const lateMs = nowMs - header.bornTime - header.pollTime;
    if (lateMs > LATE_MS_MAX) return liteRefusals.tooLate(settings.brokerIP1, lateMs);
    if ((settings.brokerPermission & PERM_READ) === 0) return liteRefusals.brokerNotReadable(settings.brokerIP1);
    if (header.maxMsgNum > POP_MESSAGES_MAX || header.maxMsgNum < 1) return liteRefusals.messageCount(settings.brokerIP1, header.maxMsgNum);
    const topic = broker.topics.topic(header.topic);
    if (topic === undefined) return liteRefusals.topicNotExist(header.topic);
    if (!topic.readable) return liteRefusals.topicNotReadable(header.topic);
    if (!isParentTopic(topic)) return liteRefusals.topicType(header.topic);
    const group = broker.groups.group(header.consumerGroup);
    if (group === undefined) return liteRefusals.groupNotExist(header.consumerGroup);
    if (!group.consumeEnable) return liteRefusals.groupForbidden(header.consumerGroup, broker.groups.whyDisabled(header.consumerGroup));
    const bound = boundTopic(group);
    return bound === header.topic ? undefined : liteRefusals.groupBinding(header.consumerGroup, bound);
  }

  #hold(held: Omit<Waiting, 'cancel'>, restMs: number): void {
    const { clientId } = held.header;
    let waiting = this.#waiting.get(clientId);
    if (waiting === undefined) {
      waiting = new Set();
      this.#waiting.set(clientId, waiting);
    }
    const entry: Waiting = {
      ...held,
      cancel: this.#context.platform.clock.after(restMs, () => {
        this.#leave(entry);
        entry.resolve(this.#nothing(entry.header, ResponseCode.POLLING_TIMEOUT));
      }),
    };
    waiting.add(entry);
    this.#held++;
  }

  #leave(entry: Waiting): void {
    const { clientId } = entry.header;
    const waiting = this.#waiting.get(clientId);
    if (waiting?.delete(entry) !== true) return;
    this.#held--;
    entry.cancel();
    if (waiting.size === 0) this.#waiting.delete(clientId);
  }

  /** There may be messages for a client: looks again, when what tells of them is done with its own work. */
  wake(clientId: string): void {
    if (this.#waiting.has(clientId)) void Promise.resolve().then(() => this.#lookAgain(clientId));
  }

  #lookAgain(clientId: string): void {
    for (const entry of [...(this.#waiting.get(clientId) ?? [])]) {
      // Messages for a client that is gone would only come back when their time is over.
      if (entry.request.peer.closed) {
        this.#leave(entry);
        entry.resolve(undefined);
        continue;
      }
      const found = this.#pop(entry.header);
      if (found.records.length === 0) return;
      this.#leave(entry);
      entry.resolve(this.#answer(entry.header, found));
    }
  }

  stop(): void {
    for (const waiting of [...this.#waiting.values()])
      for (const entry of [...waiting]) {
        this.#leave(entry);
        entry.resolve(undefined);
      }
  }

  #pop(header: Header): Harvest {
    const { platform, events } = this.#context;
    const harvest: Harvest = { popTimeMs: platform.clock.wallMs(), records: [], counts: [], bytes: 0 };
    // A name comes at most once: nothing is told of while this runs.
    while (harvest.records.length < header.maxMsgNum && harvest.bytes < BYTES_MAX) {
      const queue = events.take(header.clientId);
      if (queue === undefined) break;
      this.#takeFrom(queue, header, harvest);
    }
    return harvest;
  }

  #takeFrom(queueName: string, header: Header, harvest: Harvest): void {
    const { orders, store, broker } = this.#context;
    const { consumerGroup: group, attemptId, invisibleTime: invisibleMs } = header;
    const queue = store.queueIfExists(queueName, LITE_QUEUE_ID);
    if (queue === undefined || orders.isBlocked(queueName, group, attemptId)) return;
    const read = (queueOffset: number) =>
      store.reader.read({
        queue,
        queueOffset,
        messagesMax: header.maxMsgNum - harvest.records.length,
        bytesMax: BYTES_MAX,
        rowFilter: undefined,
        recordFilter: undefined,
      });
    const position = this.#position(queueName, group, queue.rows);
    let result = read(position);
    if (result.count === 0 && result.nextBeginOffset !== position && result.status !== 'OFFSET_OVERFLOW_ONE') {
      // The position was wrong, or what was there is gone: on from where the store says.
      broker.offsets.commit(group, queueName, LITE_QUEUE_ID, result.nextBeginOffset);
      result = read(result.nextBeginOffset);
    }
    const queueOffsets: number[] = [];
    const records: Buffer[] = [];
    for (let i = 0; i < result.count; i++) {
      const record = Buffer.allocUnsafe(result.sizes[i] as number);
      if (!store.commitLog.copy(record, 0, result.physicalOffsets[i] as number, record.length)) break;
      records.push(record);
      queueOffsets.push(result.queueOffsets[i] as number);
    }
    if (records.length === 0) return;
    const counts = orders.take(queueName, group, { attemptId, popTimeMs: harvest.popTimeMs, invisibleMs, queueOffsets });
    for (const [i, record] of records.entries()) {
      harvest.records.push(record);
      harvest.counts.push(counts[i] ?? 0);
      harvest.bytes += record.length;
    }
  }

  /** Where a group is in a light queue; a new one starts as pops do that want the newest (since-5.4.md 6.3). */
  #position(queue: string, group: string, rows: { readonly minQueueOffset: number; readonly maxQueueOffset: number }): number {
    const { broker, orders, settings, store } = this.#context;
    const reset = settings.useServerSideResetOffset ? broker.offsets.takeReset(group, queue, LITE_QUEUE_ID) : undefined;
    if (reset !== undefined) {
      orders.forget(queue, group);
      return reset;
    }
    const committed = broker.offsets.position(group, queue, LITE_QUEUE_ID);
    if (committed >= 0) return committed;
    const first = rows.minQueueOffset === 0 ? store.queries.consumeQueueRow(queue, LITE_QUEUE_ID, 0) : undefined;
    const isYoung = rows.minQueueOffset === 0 && (first === undefined || store.queries.isInMemory(first.physicalOffset));
    const start = isYoung ? 0 : Math.max(0, rows.maxQueueOffset - 1);
    broker.offsets.commit(group, queue, LITE_QUEUE_ID, start);
    return start;
  }

  #answer(header: Header, harvest: Harvest): Answer {
    const { broker } = this.#context;
    broker.stats.groupGet(header.topic, header.consumerGroup, harvest.records.length, harvest.bytes);
    return {
      code: ResponseCode.SUCCESS,
      remark: 'FOUND',
      ext: this.#ext(header, harvest.popTimeMs, harvest.counts.join(';')),
      body: Buffer.concat(harvest.records),
    };
  }

  #nothing(header: Header, code: number): Answer {
    return { code, remark: 'NO_MESSAGE_IN_QUEUE', ext: this.#ext(header, this.#context.platform.clock.wallMs(), '') };
  }

  #ext(header: Header, popTimeMs: number, orderCountInfo: string): Record<string, string> {
    return {
      popTime: String(popTimeMs),
      invisibleTime: String(header.invisibleTime),
      reviveQid: String(REVIVE_QUEUE_ORDER),
      orderCountInfo,
    };
  }
}
