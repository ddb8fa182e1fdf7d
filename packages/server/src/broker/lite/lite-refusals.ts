/** Every refusal of lite topics (since-5.4.md 6), declared once: Apache's text, then cause, measured value and remedy. */
import { POP_MESSAGES_MAX } from '@perigee/core/protocol/commands/pop';
import { type Refusal, type RefusalParts, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { consumeOff } from '../pop/pop-refusals.ts';
import { FAQ } from '../send-refusals.ts';

const POP_EXT = { invisibleTime: '0', popTime: '0', reviveQid: '0' };
const LITE_GROUP = 'mqadmin updateSubGroup --attributes +lite.bind.topic=<parent topic> makes a group a lite group';

function pop(parts: RefusalParts): Refusal {
  return refusal({ ...parts, ext: POP_EXT });
}

export const liteRefusals = {
  // --- pop ---
  tooLate: (brokerIP1: string, lateMs: number): Refusal =>
    pop({
      slug: 'pop-too-late',
      code: ResponseCode.POLLING_TIMEOUT,
      legacy: `the broker[${brokerIP1}] pop message is timeout too much`,
      cause: 'the client has given the request up by now: bornTime + pollTime is past',
      measured: `by ${lateMs} ms, allowed 500`,
      remedy: 'compare the clocks of client and broker',
    }),
  brokerNotReadable: (brokerIP1: string): Refusal =>
    pop({
      slug: 'broker-not-readable',
      code: ResponseCode.NO_PERMISSION,
      legacy: `the broker[${brokerIP1}] pop message is forbidden`,
      remedy: 'brokerPermission has no read bit; set it to 6',
    }),
  messageCount: (brokerIP1: string, wanted: number): Refusal =>
    pop({
      slug: 'max-msg-nums',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `the broker[${brokerIP1}] pop message's num is greater than ${POP_MESSAGES_MAX}`,
      measured: `${wanted}, allowed 1 to ${POP_MESSAGES_MAX}`,
      remedy: `ask for 1 to ${POP_MESSAGES_MAX}`,
    }),
  topicNotExist: (topic: string): Refusal =>
    pop({
      slug: 'topic-not-exist',
      code: ResponseCode.TOPIC_NOT_EXIST,
      legacy: `topic [${topic}] not exist, apply first please! ${FAQ.trim()}`,
      cause: 'this broker has no such topic',
      remedy: `create it: mqadmin updateTopic -t ${topic} -a +message.type=LITE`,
    }),
  topicNotReadable: (topic: string): Refusal =>
    pop({
      slug: 'topic-not-readable',
      code: ResponseCode.NO_PERMISSION,
      legacy: `the topic [${topic}] peeking message is forbidden`,
      remedy: 'perm of the topic has no read bit; set it with mqadmin updateTopicPerm -p 6',
    }),
  topicType: (topic: string): Refusal =>
    pop({
      slug: 'lite-topic-type',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `the topic [${topic}] message type not match`,
      cause: 'the attribute message.type of the topic is not LITE',
      remedy: 'create the topic with -a +message.type=LITE',
    }),
  groupNotExist: (group: string): Refusal =>
    pop({
      slug: 'group-not-exist',
      code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
      legacy: `subscription group [${group}] not exist, ${FAQ.trim()}`,
      remedy: LITE_GROUP,
    }),
  /** `why`: what this broker measured when it took the permission; undefined when an administrator did. */
  groupForbidden: (group: string, why: string | undefined): Refusal =>
    pop({
      slug: 'group-consume-off',
      code: ResponseCode.NO_PERMISSION,
      legacy: `subscription group no permission, ${group}`,
      ...consumeOff(group, why),
    }),
  groupBinding: (group: string, bound: string | undefined): Refusal =>
    pop({
      slug: 'lite-group-binding',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `subscription bind topic not match, ${group}`,
      cause: bound === undefined ? 'the group is no lite group' : `the group is bound to ${bound}`,
      remedy: LITE_GROUP,
    }),

  // --- acks ---
  ackBinding: (group: string): Refusal =>
    refusal({
      slug: 'lite-ack-binding',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: 'group type or bind topic not match.',
      cause: `group ${group} is not a lite group of that topic`,
      remedy: LITE_GROUP,
    }),
  ackHandle: (extraInfo: string): Refusal =>
    refusal({
      slug: 'lite-receipt-handle',
      code: ResponseCode.MESSAGE_ILLEGAL,
      legacy: `extraInfo is not the receipt handle of a lite message: ${extraInfo.slice(0, 200)}`,
      cause: 'the queue of a lite message is 0 and its reviveQid 999',
      remedy: 'send the handle of the message as the pop built it',
    }),
  ackOffset: (queue: string, queueOffset: number, maxOffset: number): Refusal =>
    refusal({
      slug: 'lite-offset-illegal',
      code: ResponseCode.NO_MESSAGE,
      legacy: 'ack lite offset illegal',
      measured: `${queueOffset} in ${queue}, which ends at ${maxOffset}`,
      remedy: 'acknowledge with the values that the message came with',
    }),
  ackUnknown: (queue: string, queueOffset: number): Refusal =>
    refusal({
      slug: 'lite-order-offset-illegal',
      code: ResponseCode.MESSAGE_ILLEGAL,
      legacy: 'ack lite offset illegal',
      cause: `the batch that the group popped last from ${queue} has no message ${queueOffset}`,
      remedy: 'acknowledge with the values that the message came with, before its invisible time is over',
    }),

  // --- subscriptions ---
  noBody: (): Refusal =>
    refuse('lite-body-missing', 'Request body is null.', 'the request says what to subscribe to in its body', 'send the body'),
  emptyBody: (): Refusal =>
    refuse('lite-body-empty', 'LiteSubscriptionCtlRequestBody is empty.', 'its subscriptionSet holds no change', 'send one'),
  notConsuming: (group: string): Refusal =>
    refuse(
      'lite-group-off',
      'Consumer group is not allowed to consume.',
      `group ${group} does not exist, or its consumeEnable is false`,
      `create it, or switch it on: mqadmin updateSubGroup -g ${group} -s true`,
    ),
  wildcard: (group: string): Refusal =>
    refuse(
      'lite-group-wildcard',
      'subscribe lite operation is not supported for this group',
      `group ${group} has lite.sub.wildcard and gets every lite topic`,
      'leave the single topics out',
    ),
  quota: (count: number, max: number): Refusal =>
    refusal({
      slug: 'lite-subscription-quota',
      code: ResponseCode.LITE_SUBSCRIPTION_QUOTA_EXCEEDED,
      legacy: 'lite subscription quota exceeded',
      measured: `${count} subscriptions, allowed are ${max} (maxLiteSubscriptionCount)`,
      remedy: 'raise it, or unsubscribe what nobody reads',
    }),

  // --- questions ---
  askTopicNotExist: (topic: string): Refusal =>
    refusal({
      slug: 'topic-not-exist',
      code: ResponseCode.TOPIC_NOT_EXIST,
      legacy: `Topic [${topic}] not exist.`,
      cause: 'this broker has no such topic',
      remedy: `create it: mqadmin updateTopic -t ${topic} -a +message.type=LITE`,
    }),
  askTopicType: (topic: string): Refusal =>
    refusal({
      slug: 'lite-topic-type',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `Topic [${topic}] type not match.`,
      cause: 'its message.type is not LITE',
      remedy: 'ask for a topic of that type',
    }),
  askGroupNotExist: (group: string): Refusal =>
    refusal({
      slug: 'group-not-exist',
      code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
      legacy: `Group [${group}] not exist.`,
      remedy: LITE_GROUP,
    }),
  askGroupType: (group: string): Refusal =>
    refusal({
      slug: 'lite-group-type',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `Group [${group}] is not a LITE group.`,
      remedy: LITE_GROUP,
    }),
  askBinding: (group: string, topic: string): Refusal =>
    refusal({
      slug: 'lite-group-binding',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `Subscription [${group}]-[${topic}] not match.`,
      remedy: LITE_GROUP,
    }),
} as const;

function refuse(slug: string, legacy: string, cause: string, remedy: string): Refusal {
  return refusal({ slug, code: ResponseCode.ILLEGAL_OPERATION, legacy, cause, remedy });
}
