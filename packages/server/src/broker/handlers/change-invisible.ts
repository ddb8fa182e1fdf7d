/** CHANGE_MESSAGE_INVISIBLETIME 200053 (broker.md 18.4; since-5.4.md 4.4). */
import type { RequestOf } from '@perigee/core/protocol/command';
import { changeMessageInvisibleTime } from '@perigee/core/protocol/commands/pop';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, type IncomingRequest, type Outcome, ok } from '@perigee/core/remoting/handler';
import type { PopContext } from '../pop/pop-context.ts';
import { PopRefusals } from '../pop/pop-refusals.ts';
import { parseReceiptHandle, REVIVE_QUEUE_ORDER, type ReceiptHandle } from '../pop/receipt-handle.ts';
import { checkAckQueue, checkReviveQueue } from './ack.ts';

type Header = RequestOf<typeof changeMessageInvisibleTime>;

export class ChangeInvisibleHandler {
  readonly #context: PopContext;
  readonly #refusals: PopRefusals;

  constructor(context: PopContext) {
    this.#context = context;
    this.#refusals = new PopRefusals(context.settings.brokerIP1, 'change');
  }

  readonly handle = (header: Header, request: IncomingRequest): Outcome => {
    const { liteTopic } = header;
    if (liteTopic !== undefined && liteTopic !== '') return this.#changeLite(header, liteTopic);
    const refused = this.#check(header, request);
    if (refused !== undefined) return refused;
    const handle = parseReceiptHandle(header.extraInfo);
    if (handle === undefined) return this.#refusals.receiptHandle(header.extraInfo);
    if (handle.reviveQueueId === REVIVE_QUEUE_ORDER) return this.#changeOrdered(header, handle);
    return checkReviveQueue(this.#context, this.#refusals, handle.reviveQueueId) ?? this.#change(header, handle);
  };

  #changeLite(header: Header, liteTopic: string): Answer {
    const { topic, consumerGroup: group, queueId, offset: queueOffset, extraInfo, invisibleTime: invisibleMs } = header;
    const suspend = header.suspend === true;
    const changed = this.#context.lite.changeInvisible(
      { topic, liteTopic, group, queueId, queueOffset, extraInfo },
      { invisibleMs, suspend },
    );
    if ('remark' in changed) return changed;
    return ok(changeMessageInvisibleTime, {
      popTime: changed.popTimeMs,
      invisibleTime: changed.invisibleMs,
      reviveQid: REVIVE_QUEUE_ORDER,
    });
  }

  #check(header: Header, request: IncomingRequest): Refusal | undefined {
    const { topic, queueId, offset: queueOffset, invisibleTime: invisibleMs } = header;
    const message = { topic, group: header.consumerGroup, queueId, queueOffset, consumer: request.peer.address };
    const refused = checkAckQueue(this.#context, this.#refusals, message);
    if (refused !== undefined) return refused;
    const rows = this.#context.queueIfExists(topic, queueId)?.rows;
    const minOffset = rows?.minQueueOffset ?? 0;
    const maxOffset = rows?.maxQueueOffset ?? 0;
    if (queueOffset < minOffset || queueOffset >= maxOffset)
      return this.#refusals.offsetIllegal({ topic, queueId, queueOffset, minOffset, maxOffset });
    const mostMs = this.#context.settings.timerMaxDelaySec * 1000;
    return invisibleMs < 0 || invisibleMs > mostMs ? this.#refusals.invisibleTime(invisibleMs, mostMs) : undefined;
  }

  #changeOrdered(header: Header, handle: ReceiptHandle): Answer {
    const { consumerGroup: group, topic, queueId, offset: queueOffset } = header;
    if (queueOffset < this.#context.offsets.position(group, topic, queueId)) return { code: ResponseCode.SUCCESS, ext: {} };
    const nextVisibleMs = this.#context.platform.clock.wallMs() + header.invisibleTime;
    const { popTimeMs } = handle;
    this.#context.orders.changeVisible({ topic, group, queueId }, { queueOffset, popTimeMs, nextVisibleMs });
    return this.#answer(popTimeMs, nextVisibleMs - popTimeMs, handle);
  }

  /** A check point of its own for the message, then the ack of the old one: a crash between them delivers it twice, never not. */
  async #change(header: Header, handle: ReceiptHandle): Promise<Answer> {
    const { consumerGroup: group, topic, queueId, offset: queueOffset, invisibleTime: invisibleMs } = header;
    const { puts, platform } = this.#context;
    const { reviveQueueId, brokerName, startOffset } = handle;
    // Within one millisecond both check points would have one identity, and the ack of the old would count for the new.
    const popTimeMs = Math.max(platform.clock.wallMs(), handle.popTimeMs + 1);
    const checkPoint = {
      topic,
      group,
      queueId,
      startOffset: queueOffset,
      popTimeMs,
      brokerName,
      invisibleMs,
      queueOffsets: [queueOffset],
      ackedBits: 0,
      rePuts: 0,
      isSuspended: header.suspend === true,
    };
    const stored = await puts.checkPoint(checkPoint, reviveQueueId);
    if (stored.state !== 'stored') return this.#refusals.notStored(puts.noteNotStored(stored, 'a check point', checkPoint));
    const ack = { topic, group, queueId, startOffset, popTimeMs: handle.popTimeMs, brokerName, queueOffsets: [queueOffset] };
    const acked = await puts.ack(ack, false, { reviveQueueId, invisibleMs: handle.invisibleMs });
    // The message is then delivered twice.
    if (acked.state !== 'stored') puts.noteNotStored(acked, 'the ack', ack);
    return this.#answer(popTimeMs, invisibleMs, handle);
  }

  #answer(popTime: number, invisibleTime: number, handle: ReceiptHandle): Answer {
    return ok(changeMessageInvisibleTime, { invisibleTime, popTime, reviveQid: handle.reviveQueueId });
  }
}
