/** Every refusal of a pull (broker.md 9.1), declared once: Apache's text, then cause, measured value and remedy. */
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { FAQ, queuesRemedy, queuesText } from './send-refusals.ts';

/** forbiddenType of the answer (remoting.md 7.2). */
const FORBIDDEN_BROKER = '1';
const FORBIDDEN_GROUP = '2';
const FORBIDDEN_TOPIC = '3';
const FORBIDDEN_BROADCAST = '4';
const FORBIDDEN_SUBSCRIPTION = '5';

/** Characters of an expression that a refusal repeats. */
const EXPRESSION_SHOWN_MAX = 200;

/** A refused pull has an empty header, or only forbiddenType. */
const NO_EXT = {};

export class PullRefusals {
  readonly #brokerIP1: string;

  constructor(brokerIP1: string) {
    this.#brokerIP1 = brokerIP1;
  }

  #forbidden(forbiddenType: string, slug: string, legacy: string, remedy: string, cause = ''): Refusal {
    return refusal({ slug, code: ResponseCode.NO_PERMISSION, legacy, cause, remedy, ext: { forbiddenType } });
  }

  brokerNotReadable(): Refusal {
    return this.#forbidden(
      FORBIDDEN_BROKER,
      'broker-not-readable',
      `the broker[${this.#brokerIP1}] pulling message is forbidden`,
      'brokerPermission has no read bit; set it to 6',
    );
  }

  litePullOff(): Refusal {
    return this.#forbidden(
      FORBIDDEN_BROKER,
      'lite-pull-off',
      `the broker[${this.#brokerIP1}] for lite pull consumer is forbidden`,
      'litePullMessageEnable is false; set it to true',
    );
  }

  groupNotExist(group: string): Refusal {
    return refusal({
      slug: 'group-not-exist',
      code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
      legacy: `subscription group [${group}] does not exist, ${FAQ}`,
      cause: 'autoCreateSubscriptionGroup is false, or the name is not a valid group name',
      remedy: `create it: mqadmin updateSubGroup -g ${group}`,
      ext: NO_EXT,
    });
  }

  /** `why`: what this broker measured when it took the permission. */
  groupForbidden(group: string, why?: string): Refusal {
    return this.#forbidden(
      FORBIDDEN_GROUP,
      'group-consume-off',
      `subscription group no permission, ${group}`,
      'consumeEnable of the group is false; switch it on with mqadmin updateSubGroup -s true',
      why,
    );
  }

  topicNotExist(topic: string): Refusal {
    return refusal({
      slug: 'topic-not-exist',
      code: ResponseCode.TOPIC_NOT_EXIST,
      legacy: `topic[${topic}] not exist, apply first please! ${FAQ}`,
      cause: 'this broker has no such topic',
      remedy: `send a message to it, or create it: mqadmin updateTopic -t ${topic}`,
      ext: NO_EXT,
    });
  }

  topicNotReadable(topic: string): Refusal {
    return this.#forbidden(
      FORBIDDEN_TOPIC,
      'topic-not-readable',
      `the topic[${topic}] pulling message is forbidden`,
      'perm of the topic has no read bit; set it with mqadmin updateTopicPerm -p 6',
    );
  }

  queueIllegal(queueId: number, topic: TopicConfig, consumer: string): Refusal {
    return refusal({
      slug: 'queue-illegal',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `queueId[${queueId}] is illegal, topic:[${topic.topicName}] topicConfig.readQueueNums:[${topic.readQueueNums}] consumer:[${consumer}]`,
      measured: queuesText(topic.readQueueNums, 'read '),
      remedy: queuesRemedy(topic.topicName, topic.readQueueNums, 'read '),
      ext: NO_EXT,
    });
  }

  groupNotOnline(): Refusal {
    return refusal({
      slug: 'group-not-online',
      code: ResponseCode.SUBSCRIPTION_NOT_EXIST,
      legacy: `the consumer's group info not exist${FAQ}`,
      cause: 'no client of the group has sent a heartbeat on a live connection',
      remedy: 'send a heartbeat first, or the subscription with the pull (sysFlag bit 4)',
      ext: NO_EXT,
    });
  }

  noBroadcast(group: string): Refusal {
    return this.#forbidden(
      FORBIDDEN_BROADCAST,
      'group-broadcast-off',
      `the consumer group[${group}] can not consume by broadcast way`,
      'consumeBroadcastEnable of the group is false; switch it on with mqadmin updateSubGroup -d true',
    );
  }

  readForbidden(group: string, topic: string): Refusal {
    return this.#forbidden(
      FORBIDDEN_SUBSCRIPTION,
      'group-topic-forbidden',
      `the consumer group[${group}] is forbidden for topic[${topic}]`,
      'an administrator forbade reading (request 353)',
    );
  }

  notSubscribed(): Refusal {
    return refusal({
      slug: 'subscription-not-exist',
      code: ResponseCode.SUBSCRIPTION_NOT_EXIST,
      legacy: `the consumer's subscription not exist${FAQ}`,
      cause: 'the last heartbeat of the group does not subscribe to this topic (clients of one group must subscribe alike)',
      remedy: 'compare the subscriptions of the group: mqadmin consumerConnection -g <group>',
      ext: NO_EXT,
    });
  }

  subscriptionNotLatest(known: number, asked: number): Refusal {
    return refusal({
      slug: 'subscription-not-latest',
      code: ResponseCode.SUBSCRIPTION_NOT_LATEST,
      legacy: "the consumer's subscription not latest",
      measured: `the broker knows version ${known}, the pull asks for ${asked}`,
      remedy: 'the next heartbeat brings it up to date',
      ext: NO_EXT,
    });
  }

  subscriptionParse(cause: string, remedy: string): Refusal {
    return refusal({
      slug: 'subscription-parse-failed',
      code: ResponseCode.SUBSCRIPTION_PARSE_FAILED,
      legacy: "parse the consumer's subscription failed",
      cause,
      remedy,
      ext: NO_EXT,
    });
  }

  filterNotExist(expression: string): Refusal {
    return refusal({
      slug: 'filter-data-not-exist',
      code: ResponseCode.FILTER_DATA_NOT_EXIST,
      legacy: "The broker's consumer filter data is not exist!Your expression may be wrong!",
      cause: 'no heartbeat of the group brought an expression for this topic that compiles',
      measured: `the group subscribes to ${JSON.stringify(expression.slice(0, EXPRESSION_SHOWN_MAX))}`,
      remedy: 'ask CHECK_CLIENT_CONFIG (46) what is wrong with it; the log of the broker says it too',
      ext: NO_EXT,
    });
  }

  filterNotLatest(known: number, asked: number): Refusal {
    return refusal({
      slug: 'filter-data-not-latest',
      code: ResponseCode.FILTER_DATA_NOT_LATEST,
      legacy: "the consumer's consumer filter data not latest",
      measured: `the broker knows version ${known}, the pull asks for ${asked}`,
      remedy: 'the next heartbeat brings it up to date',
      ext: NO_EXT,
    });
  }

  propertyFilterOff(expressionType: string): Refusal {
    return refusal({
      slug: 'property-filter-off',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `The broker does not support consumer to filter message by ${expressionType}`,
      cause: 'enablePropertyFilter is false',
      remedy: 'set enablePropertyFilter=true on the broker, or filter by tags',
      ext: NO_EXT,
    });
  }

  recordGone(queueOffset: number): Refusal {
    return refusal({
      slug: 'record-not-readable',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: 'store getMessage return null',
      cause: `a record at or behind queue offset ${queueOffset} could not be read from the CommitLog`,
      remedy: 'see the log of the broker for the disk error',
      ext: NO_EXT,
    });
  }
}
