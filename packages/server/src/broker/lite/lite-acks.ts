/** Acknowledging lite messages and changing when they come again: 200051 and 200053 with `liteTopic` (since-5.4.md 6.4). */
import type { Refusal } from '@perigee/core/protocol/refusal';
import { parseReceiptHandle, REVIVE_QUEUE_ORDER, type ReceiptHandle } from '../pop/receipt-handle.ts';
import { endOf, hasMore, LITE_QUEUE_ID, type LiteContext } from './lite-context.ts';
import { boundTopic } from './lite-metadata.ts';
import { liteQueueOf } from './lite-name.ts';
import { liteRefusals } from './lite-refusals.ts';

export interface LiteAck {
  /** Parent topic. */
  readonly topic: string;
  readonly liteTopic: string;
  readonly group: string;
  readonly queueId: number;
  readonly queueOffset: number;
  /** Receipt handle. */
  readonly extraInfo: string;
}

export interface LiteInvisible {
  readonly popTimeMs: number;
  readonly invisibleMs: number;
}

export class LiteAcks {
  readonly #context: LiteContext;

  constructor(context: LiteContext) {
    this.#context = context;
  }

  /** Acknowledges one message; answers why not. */
  ack(ack: LiteAck): Refusal | undefined {
    const { broker, orders, events } = this.#context;
    const handle = this.#handleOf(ack);
    if ('remark' in handle) return handle;
    const { group, queueOffset } = ack;
    const queue = liteQueueOf(ack.topic, ack.liteTopic);
    if (queueOffset < broker.offsets.position(group, queue, LITE_QUEUE_ID)) return undefined;
    const acked = orders.acknowledge(queue, group, queueOffset, handle.popTimeMs);
    if (acked.state === 'unknown') return liteRefusals.ackUnknown(queue, queueOffset);
    if (acked.state === 'stale') return undefined;
    if (broker.offsets.pendingReset(group, queue, LITE_QUEUE_ID) === undefined)
      broker.offsets.commit(group, queue, LITE_QUEUE_ID, acked.nextOffset);
    if (!orders.isBlocked(queue, group, undefined) && hasMore(this.#context, queue, group)) events.dispatch(queue, group);
    return undefined;
  }

  /** Sets when a message comes again; `suspend`: its whole batch, and this delivery does not count. */
  changeInvisible(ack: LiteAck, change: { readonly invisibleMs: number; readonly suspend: boolean }): LiteInvisible | Refusal {
    const { broker, orders, platform } = this.#context;
    const handle = this.#handleOf(ack);
    if ('remark' in handle) return handle;
    const { group, queueOffset } = ack;
    const queue = liteQueueOf(ack.topic, ack.liteTopic);
    const { popTimeMs } = handle;
    const nextVisibleMs = platform.clock.wallMs() + change.invisibleMs;
    if (queueOffset >= broker.offsets.position(group, queue, LITE_QUEUE_ID))
      orders.change(queue, group, { queueOffset, popTimeMs, nextVisibleMs, suspend: change.suspend });
    return { popTimeMs, invisibleMs: nextVisibleMs - popTimeMs };
  }

  #handleOf(ack: LiteAck): ReceiptHandle | Refusal {
    if (boundTopic(this.#context.broker.groups.group(ack.group)) !== ack.topic) return liteRefusals.ackBinding(ack.group);
    const queue = liteQueueOf(ack.topic, ack.liteTopic);
    const end = endOf(this.#context, queue);
    if (ack.queueOffset > end) return liteRefusals.ackOffset(queue, ack.queueOffset, end);
    const handle = parseReceiptHandle(ack.extraInfo);
    if (ack.queueId !== LITE_QUEUE_ID || handle === undefined || handle.reviveQueueId !== REVIVE_QUEUE_ORDER)
      return liteRefusals.ackHandle(ack.extraInfo);
    return handle;
  }
}
