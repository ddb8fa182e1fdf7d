/** Every refusal of pops, acks and their kin (broker.md 18), declared once: Apache's text, then cause, measured value and remedy. */
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { HeaderFieldError } from '@perigee/core/protocol/command';
import { POP_MESSAGES_MAX } from '@perigee/core/protocol/commands/pop';
import { type Refusal, type RefusalParts, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { headerRefusal } from '@perigee/core/remoting/handler';
import { FAQ, queuesRemedy, queuesText } from '../send-refusals.ts';

/** A refused pop still has Apache's header. */
const POP_EXT = { invisibleTime: '0', restNum: '0', popTime: '0', reviveQid: '0' };
/** So has a refused change of the invisible time. */
const CHANGE_EXT = { invisibleTime: '0', popTime: '0', reviveQid: '0' };

/** Cause, measured value and remedy where a group may not consume. */
export function consumeOff(group: string, why: string | undefined): Pick<RefusalParts, 'cause' | 'measured' | 'remedy'> {
  return {
    cause: 'consumeEnable of the group is false',
    measured: why === undefined ? '' : `this broker set it: ${why}`,
    remedy: `switch it on: mqadmin updateSubGroup -g ${group} -s true`,
  };
}

export type PopRequestKind = 'pop' | 'ask' | 'ack' | 'change';

/** Refusals of one kind of request: `ask` are peek, notification and polling info. */
export class PopRefusals {
  readonly #brokerIP1: string;
  readonly #kind: PopRequestKind;

  constructor(brokerIP1: string, kind: PopRequestKind) {
    this.#brokerIP1 = brokerIP1;
    this.#kind = kind;
  }

  #refuse(parts: RefusalParts): Refusal {
    if (this.#kind === 'pop') return refusal({ ...parts, ext: POP_EXT });
    return refusal(this.#kind === 'change' ? { ...parts, ext: CHANGE_EXT } : parts);
  }

  header(problem: HeaderFieldError): Refusal {
    return headerRefusal(problem, this.#kind === 'pop' ? POP_EXT : undefined);
  }

  tooLate(lateMs: number): Refusal {
    return this.#refuse({
      slug: 'pop-too-late',
      code: ResponseCode.POLLING_TIMEOUT,
      legacy: `the broker[${this.#brokerIP1}] pop message is timeout too much`,
      cause: 'the client has given the request up by now: bornTime + pollTime is past',
      measured: `by ${lateMs} ms, allowed 500`,
      remedy: 'compare the clocks of client and broker',
    });
  }

  brokerNotReadable(): Refusal {
    const what = this.#kind === 'pop' ? 'pop' : 'peeking';
    return this.#refuse({
      slug: 'broker-not-readable',
      code: ResponseCode.NO_PERMISSION,
      legacy: `the broker[${this.#brokerIP1}] ${what} message is forbidden`,
      remedy: 'brokerPermission has no read bit; set it to 6',
    });
  }

  tooManyMessages(wanted: number): Refusal {
    return this.#refuse({
      slug: 'max-msg-nums',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `the broker[${this.#brokerIP1}] pop message's num is greater than ${POP_MESSAGES_MAX}`,
      measured: `${wanted}, allowed 1 to ${POP_MESSAGES_MAX}`,
      remedy: `ask for 1 to ${POP_MESSAGES_MAX}`,
    });
  }

  tooFewMessages(wanted: number): Refusal {
    return this.#refuse({
      slug: 'max-msg-nums',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `the broker[${this.#brokerIP1}] pop message's num is not positive`,
      measured: `${wanted}, allowed 1 to ${POP_MESSAGES_MAX}`,
      remedy: `ask for 1 to ${POP_MESSAGES_MAX}`,
    });
  }

  invisibleTime(askedMs: number, mostMs: number): Refusal {
    return this.#refuse({
      slug: 'invisible-time',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: 'the invisible time is out of range',
      cause: 'what brings the messages back is a timer message, which may wait timerMaxDelaySec',
      measured: `${askedMs} ms, allowed 0 to ${mostMs}`,
      remedy: 'ask for less and renew it, or raise timerMaxDelaySec',
    });
  }

  timerOff(): Refusal {
    return this.#refuse({
      slug: 'timer-off',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `the broker[${this.#brokerIP1}] pop message is forbidden because timerWheelEnable is false`,
      cause: 'unacknowledged messages come back by way of the timer',
      remedy: 'set timerWheelEnable=true and restart the broker',
    });
  }

  topicNotExist(topic: string): Refusal {
    return this.#refuse({
      slug: 'topic-not-exist',
      code: ResponseCode.TOPIC_NOT_EXIST,
      legacy: `topic[${topic}] not exist, apply first please! ${FAQ}`,
      cause: 'this broker has no such topic',
      remedy: `send a message to it, or create it: mqadmin updateTopic -t ${topic}`,
    });
  }

  topicNotReadable(topic: string): Refusal {
    return this.#refuse({
      slug: 'topic-not-readable',
      code: ResponseCode.NO_PERMISSION,
      legacy: `the topic[${topic}] peeking message is forbidden`,
      remedy: 'perm of the topic has no read bit; set it with mqadmin updateTopicPerm -p 6',
    });
  }

  queueIllegal(queueId: number, topic: TopicConfig, consumer: string): Refusal {
    const isAck = this.#kind === 'ack' || this.#kind === 'change';
    return this.#refuse({
      slug: 'queue-illegal',
      code: isAck ? ResponseCode.MESSAGE_ILLEGAL : ResponseCode.INVALID_PARAMETER,
      legacy: `queueId[${queueId}] is illegal, topic:[${topic.topicName}] topicConfig.readQueueNums:[${topic.readQueueNums}] consumer:[/${consumer}]`,
      measured: queuesText(topic.readQueueNums, 'read '),
      remedy: queuesRemedy(topic.topicName, topic.readQueueNums, 'read '),
    });
  }

  lightQueue(topic: string, problem: string): Refusal {
    return this.#refuse({
      slug: 'light-queue-wait',
      code: ResponseCode.LMQ_QUOTA_EXCEEDED,
      legacy: '[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]lmq consume queue num exceeded.',
      cause: `nothing can be waited for at ${topic.slice(0, 200)}`,
      measured: problem,
      remedy: 'ask for queues that messages are sent to',
    });
  }

  innerBatch(at: { readonly topic: string; readonly queueId: number; readonly queueOffset: number; readonly messages: number }): Refusal {
    return this.#refuse({
      slug: 'pop-inner-batch',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `the topic[${at.topic}] has inner batches, which cannot be popped`,
      cause: 'a receipt handle names one queue offset, and Java clients fail on a record with several messages',
      measured: `the record at queue offset ${at.queueOffset} of queue ${at.queueId} has ${at.messages} messages`,
      remedy: `let the group pull: mqadmin setConsumeMode -t ${at.topic} -m PULL -g <group>`,
    });
  }

  groupNotExist(group: string): Refusal {
    return this.#refuse({
      slug: 'group-not-exist',
      code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
      legacy: `subscription group [${group}] does not exist, ${FAQ}`,
      cause: 'autoCreateSubscriptionGroup is false, or the name is not a valid group name',
      remedy: `create it: mqadmin updateSubGroup -g ${group}`,
    });
  }

  /** `why`: what this broker measured when it took the permission; undefined when an administrator did. */
  groupForbidden(group: string, why?: string): Refusal {
    return this.#refuse({
      slug: 'group-consume-off',
      code: ResponseCode.NO_PERMISSION,
      legacy: `subscription group no permission, ${group}`,
      ...consumeOff(group, why),
    });
  }

  subscriptionParse(expression: string, problem: string): Refusal {
    return this.#refuse({
      slug: 'subscription-parse-failed',
      code: ResponseCode.SUBSCRIPTION_PARSE_FAILED,
      legacy: "parse the consumer's subscription failed",
      cause: `"${expression.slice(0, 200)}": ${problem}`,
      remedy: 'correct the expression of the request',
    });
  }

  recordGone(topic: string): Refusal {
    return this.#refuse({
      slug: 'record-not-readable',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: 'store getMessage return null',
      cause: `a record of topic ${topic} could not be read from the CommitLog`,
      remedy: 'see the log of the broker for the disk error; the messages come again after their invisible time',
    });
  }

  // --- acks and changes ---

  receiptHandle(handle: string): Refusal {
    return this.#refuse({
      slug: 'receipt-handle',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `extraInfo is not a receipt handle: ${handle.slice(0, 200)}`,
      remedy: 'send the handle of the message as the pop built it: 8 tokens joined by spaces',
    });
  }

  reviveQueue(reviveQueueId: number, queueNums: number): Refusal {
    return this.#refuse({
      slug: 'revive-queue',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `reviveQid[${reviveQueueId}] is illegal`,
      measured: `${reviveQueueId}, the revive topic has ${queueNums} queues`,
      remedy: 'send the handle of the message as the pop built it',
    });
  }

  offsetIllegal(at: { topic: string; queueId: number; queueOffset: number; minOffset: number; maxOffset: number }): Refusal {
    const { topic, queueId, queueOffset, minOffset, maxOffset } = at;
    return this.#refuse({
      slug: 'offset-illegal',
      code: ResponseCode.NO_MESSAGE,
      legacy: `offset is illegal, key:${topic}@${queueId}, commit:${queueOffset}, store:${minOffset}~${maxOffset}`,
      remedy: 'acknowledge with the topic, queue and offset that the message came with',
    });
  }

  orderOffsetIllegal(at: { key: string; position: number; queueOffset: number; consumer: string }): Refusal {
    return this.#refuse({
      slug: 'order-offset-illegal',
      code: ResponseCode.MESSAGE_ILLEGAL,
      legacy: `offset is illegal, key:${at.key}, old:${at.position}, commit:${at.queueOffset}, next:-1, /${at.consumer}`,
      cause: 'the batch that the group popped last from this queue has no such message',
      remedy: 'acknowledge with what the message came with, before its invisible time is over',
    });
  }

  nothingAcked(): Refusal {
    return this.#refuse({ slug: 'no-acks', code: ResponseCode.NO_MESSAGE, legacy: 'the request names no message', remedy: 'send acks' });
  }

  notStored(why: string): Refusal {
    return this.#refuse({
      slug: 'ack-not-stored',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: 'the acknowledgement was not stored',
      cause: why,
      remedy: 'send it again before the invisible time is over; otherwise the message is delivered again',
    });
  }
}
