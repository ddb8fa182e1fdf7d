/** ACK_MESSAGE 200051 and BATCH_ACK_MESSAGE 200151 (broker.md 18.4). */
import { ackedOffsets, type BatchAck, decodeBatchAckRequest } from '@perigee/core/protocol/bodies/batch-ack';
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import { ackMessage } from '@perigee/core/protocol/commands/pop';
import { FLAG_ONEWAY } from '@perigee/core/protocol/frame';
import { fieldProblem, type RequestView } from '@perigee/core/protocol/header-scan';
import type { Refusal } from '@perigee/core/protocol/refusal';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import { done, type IncomingRequest, type Outcome } from '@perigee/core/remoting/handler';
import type { NotStored, Stored } from '../message-put.ts';
import type { PopAck } from '../pop/check-point.ts';
import type { PopContext } from '../pop/pop-context.ts';
import type { AckRoute } from '../pop/pop-puts.ts';
import { PopRefusals } from '../pop/pop-refusals.ts';
import { markedTopic, parseReceiptHandle, REVIVE_QUEUE_ORDER, type TopicMark } from '../pop/receipt-handle.ts';
import { GatheredAcks } from '../pop/turn-acks.ts';
import { withBody } from './request-body.ts';

const slotOf = (key: keyof typeof ackMessage.request): number => Object.keys(ackMessage.request).indexOf(key);
const GROUP = slotOf('consumerGroup');
const TOPIC = slotOf('topic');
const QUEUE_ID = slotOf('queueId');
const EXTRA_INFO = slotOf('extraInfo');
const OFFSET = slotOf('offset');
const LITE_TOPIC = slotOf('liteTopic');

/** One message that a client names by its handle. */
export interface HandledMessage {
  readonly topic: string;
  readonly group: string;
  readonly queueId: number;
  readonly queueOffset: number;
  /** `ip:port` of the client. */
  readonly consumer: string;
}

/** Why a queue of a topic cannot be acknowledged in; undefined when it can. */
export function checkAckQueue(context: PopContext, refusals: PopRefusals, message: HandledMessage): Refusal | undefined {
  const topic: TopicConfig | undefined = context.topic(message.topic);
  if (topic === undefined) return refusals.topicNotExist(message.topic);
  const { queueId } = message;
  return queueId < 0 || queueId >= topic.readQueueNums ? refusals.queueIllegal(queueId, topic, message.consumer) : undefined;
}

/** Why a handle's queue of the revive topic cannot be written to; undefined when it can. */
export function checkReviveQueue(context: PopContext, refusals: PopRefusals, reviveQueueId: number): Refusal | undefined {
  const queueNums = context.reviveQueueNums();
  return reviveQueueId < 0 || reviveQueueId >= queueNums ? refusals.reviveQueue(reviveQueueId, queueNums) : undefined;
}

export class AckHandler {
  readonly #context: PopContext;
  readonly #refusals: PopRefusals;

  constructor(context: PopContext) {
    this.#context = context;
    this.#refusals = new PopRefusals(context.settings.brokerIP1, 'ack');
  }

  readonly handle = (view: RequestView, connection: RemotingConnection): void => {
    const group = view.text(GROUP);
    const topic = view.text(TOPIC);
    const extraInfo = view.text(EXTRA_INFO);
    const queueId = view.int32(QUEUE_ID, Number.NaN);
    const queueOffset = view.integer(OFFSET, Number.NaN);
    const { opaque } = view;
    const asker = (view.flag & FLAG_ONEWAY) === 0 ? connection : undefined;
    if (group === undefined || topic === undefined || extraInfo === undefined || Number.isNaN(queueId + queueOffset)) {
      const problem = fieldProblem(view, ackMessage);
      answer(asker, opaque, problem === undefined ? undefined : this.#refusals.header(problem));
      return;
    }
    const liteTopic = view.has(LITE_TOPIC) ? view.text(LITE_TOPIC) : undefined;
    if (liteTopic !== undefined && liteTopic !== '')
      answer(asker, opaque, this.#context.lite.ack({ topic, liteTopic, group, queueId, queueOffset, extraInfo }));
    else {
      const gathered = this.#gather({ topic, group, queueId, queueOffset, consumer: connection.address }, extraInfo);
      if (gathered instanceof GatheredAcks) this.#context.acks.add(extraInfo, gathered, queueOffset, asker, opaque);
      else answer(asker, opaque, gathered);
    }
  };

  /** Where an ack is gathered with the others of its check point; a refusal, or undefined when it is done with. */
  #gather(message: HandledMessage, extraInfo: string): GatheredAcks | Refusal | undefined {
    const { acks } = this.#context;
    const known = acks.find(extraInfo, message);
    const refused = (known === undefined ? checkAckQueue(this.#context, this.#refusals, message) : undefined) ?? this.#checkOffset(message);
    if (refused !== undefined) return refused;
    if (known !== undefined) return known;
    const handle = parseReceiptHandle(extraInfo);
    if (handle === undefined) return this.#refusals.receiptHandle(extraInfo);
    if (handle.reviveQueueId === REVIVE_QUEUE_ORDER) return this.ackOrdered(message, handle.popTimeMs);
    const { startOffset, popTimeMs, brokerName, reviveQueueId, invisibleMs } = handle;
    const unknownQueue = checkReviveQueue(this.#context, this.#refusals, reviveQueueId);
    if (unknownQueue !== undefined) return unknownQueue;
    const { topic, group, queueId } = message;
    return acks.begin(extraInfo, { topic, group, queueId, startOffset, popTimeMs, brokerName }, { reviveQueueId, invisibleMs });
  }

  #checkOffset({ topic, queueId, queueOffset }: HandledMessage): Refusal | undefined {
    const { minOffset, maxOffset } = this.#bounds(topic, queueId);
    if (queueOffset >= minOffset && queueOffset <= maxOffset) return undefined;
    return this.#refusals.offsetIllegal({ topic, queueId, queueOffset, minOffset, maxOffset });
  }

  #bounds(topic: string, queueId: number): { readonly minOffset: number; readonly maxOffset: number } {
    const rows = this.#context.queueIfExists(topic, queueId)?.rows;
    return { minOffset: rows?.minQueueOffset ?? 0, maxOffset: rows?.maxQueueOffset ?? 0 };
  }

  /** Acknowledges a message of an ordered pop: the group's position moves to the first that is not acknowledged. */
  ackOrdered(message: HandledMessage, popTimeMs: number): Refusal | undefined {
    const { topic, group, queueId, queueOffset, consumer } = message;
    const { offsets, orders, pops } = this.#context;
    const key = { topic, group, queueId };
    const position = offsets.position(group, topic, queueId);
    if (queueOffset < position) return undefined;
    const acked = orders.acknowledge(key, queueOffset, popTimeMs);
    if (acked.state === 'unknown')
      return this.#refusals.orderOffsetIllegal({ key: `${topic}@${group}@${queueId}`, position, queueOffset, consumer });
    if (acked.state === 'stale') return undefined;
    if (offsets.pendingReset(group, topic, queueId) === undefined) offsets.commit(group, topic, queueId, acked.nextOffset);
    if (!orders.isBlocked(key, undefined)) pops.wake(topic, group, queueId);
    return undefined;
  }

  /** BATCH_ACK_MESSAGE. */
  batch(request: IncomingRequest): Outcome {
    return withBody(request.body, decodeBatchAckRequest, ({ acks, brokerName }) => {
      if (acks.length === 0) return this.#refusals.nothingAcked();
      const outcomes = acks.map((ack) => this.#ackOfBatch(ack, brokerName ?? this.#context.settings.brokerName, request.peer.address));
      return Promise.all(outcomes).then((all) => all.find((refused) => refused !== undefined) ?? done());
    });
  }

  #ackOfBatch(batch: BatchAck, brokerName: string, consumer: string): Refusal | undefined | Promise<Refusal | undefined> {
    const { consumerGroup: group, queueId, startOffset, popTimeMs, reviveQueueId, invisibleMs } = batch;
    const topic = markedTopic(batch.topic, group, isMark(batch.retry) ? batch.retry : '0');
    // As Apache: what is not there needs no ack, and must not keep those of the others back.
    if (this.#context.queueIfExists(topic, queueId) === undefined) return undefined;
    const { minOffset, maxOffset } = this.#bounds(topic, queueId);
    const queueOffsets = ackedOffsets(batch).filter((queueOffset) => queueOffset >= minOffset && queueOffset <= maxOffset);
    if (queueOffsets.length === 0) return undefined;
    const refused = checkAckQueue(this.#context, this.#refusals, { topic, group, queueId, queueOffset: startOffset, consumer });
    if (refused !== undefined) return refused;
    if (reviveQueueId === REVIVE_QUEUE_ORDER) {
      for (const queueOffset of queueOffsets) {
        const problem = this.ackOrdered({ topic, group, queueId, queueOffset, consumer }, popTimeMs);
        if (problem !== undefined) return problem;
      }
      return undefined;
    }
    const ack = { topic, group, queueId, startOffset, popTimeMs, brokerName, queueOffsets };
    return checkReviveQueue(this.#context, this.#refusals, reviveQueueId) ?? this.#store(ack, { reviveQueueId, invisibleMs });
  }

  #store(ack: PopAck, route: AckRoute): Promise<Refusal | undefined> {
    return this.#context.puts.ack(ack, true, route).then((result) => noteAcked(this.#context, this.#refusals, ack, result));
  }
}

/** Messages are acknowledged; or the refusal that says why not. */
export function noteAcked(
  { queues, pops, settings, puts }: Pick<PopContext, 'queues' | 'pops' | 'settings' | 'puts'>,
  refusals: PopRefusals,
  ack: PopAck,
  result: Stored | NotStored,
): Refusal | undefined {
  if (result.state !== 'stored') return refusals.notStored(puts.noteNotStored(result, 'an ack', ack));
  queues.released(ack.topic, ack.group, ack.queueId, ack.queueOffsets.length);
  // Somebody may wait for less to be out.
  if (settings.enablePopMessageThreshold) pops.wake(ack.topic, ack.group, ack.queueId);
  return undefined;
}

function answer(asker: RemotingConnection | undefined, opaque: number, refused: Refusal | undefined): void {
  if (asker === undefined) return;
  if (refused === undefined) asker.answer(opaque, done());
  else asker.answer(opaque, refused);
}

function isMark(text: string): text is TopicMark {
  return text === '0' || text === '1' || text === '2';
}
