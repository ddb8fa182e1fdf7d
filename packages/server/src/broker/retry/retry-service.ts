/** Retry and dead letters as a part of the broker: request 36, and sends to `%RETRY%` topics (broker.md 7). */
import { DECODED_PROPERTIES_BUCKETS, sortAsJavaMap } from '@perigee/core/kit/java-map-order';
import { encodeHost } from '@perigee/core/message/host';
import { encodeOffsetMsgId } from '@perigee/core/message/message-id';
import { parseProperties } from '@perigee/core/message/properties';
import type { MessageRecord } from '@perigee/core/message/record-check';
import { PERM_READ, PERM_WRITE, TOPIC_FLAG_UNIT_SUB, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { RequestOf } from '@perigee/core/protocol/command';
import { retryCommands } from '@perigee/core/protocol/commands/retry';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, bindHandlers, done, type IncomingRequest } from '@perigee/core/remoting/handler';
import { FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT, SLAVE_NOT_AVAILABLE } from '../../store/append-ring.ts';
import type { AppendRefusal } from '../../store/message-append.ts';
import type { BrokerParts } from '../broker-parts.ts';
import type { BrokerService } from '../broker-service.ts';
import type { SendDiversion, SendDraft } from '../handlers/send-message.ts';
import type { MessagePut, NewMessage, NotStored, Stored } from '../message-put.ts';
import { DLQ_PREFIX, RETRY_PREFIX, retryTopicOf } from '../names.ts';
import { FAQ } from '../send-refusals.ts';
import { storedRecord } from '../stored-record.ts';
import { groupOfRetryTopic, type RetryTarget, reconsumeTimesMax, sendBackTarget } from './retry-decision.ts';

export interface RetrySettings {
  readonly brokerIP1: string;
  readonly brokerPermission: number;
  readonly regionId: string;
  readonly traceOn: boolean;
}

export interface RetryParts {
  readonly broker: BrokerParts;
  readonly put: MessagePut;
  readonly settings: RetrySettings;
}

type SendBack = RequestOf<typeof retryCommands.consumerSendMsgBack>;

const READ_WRITE = PERM_READ | PERM_WRITE;
const DLQ_QUEUE_NUMS = 1;
/** Apache's names of what became of a put (broker.md 6.3). */
const STATUS_NAMES: Readonly<Record<1 | 2 | 3, string>> = {
  [FLUSH_DISK_TIMEOUT]: 'FLUSH_DISK_TIMEOUT',
  [FLUSH_SLAVE_TIMEOUT]: 'FLUSH_SLAVE_TIMEOUT',
  [SLAVE_NOT_AVAILABLE]: 'SLAVE_NOT_AVAILABLE',
};
const REFUSED_NAMES: Readonly<Record<AppendRefusal['kind'], string>> = {
  'properties-too-long': 'PROPERTIES_SIZE_EXCEEDED',
  'body-too-long': 'MESSAGE_ILLEGAL',
  'not-writable': 'SERVICE_NOT_AVAILABLE',
  busy: 'OS_PAGE_CACHE_BUSY',
};

export class RetryService implements BrokerService {
  readonly #parts: RetryParts;

  constructor(parts: RetryParts) {
    this.#parts = parts;
  }

  start(): void {}

  stop(): void {}

  handlers(): ReturnType<BrokerService['handlers']> {
    return bindHandlers(retryCommands, { consumerSendMsgBack: (header, request) => this.#sendBack(header, request) });
  }

  async #sendBack(header: SendBack, request: IncomingRequest): Promise<Answer> {
    const { broker, settings } = this.#parts;
    const group = broker.groups.findOrCreate(header.group);
    if (group === undefined) return groupNotExist(header.group);
    if ((settings.brokerPermission & PERM_WRITE) === 0)
      return refuse('broker-not-writable', ResponseCode.NO_PERMISSION, `the broker[${settings.brokerIP1}] sending message is forbidden`, {
        cause: 'brokerPermission has no write bit',
        remedy: 'the consumer keeps the message and tries again',
      });
    if (group.retryQueueNums <= 0) return done(undefined, 'the group has no retry queues (retryQueueNums); the message is dropped');
    // Looked for before topics are made: a refused request leaves none behind, as Apache's does.
    const record = storedRecord(broker.store, header.offset);
    if (record === undefined)
      return refuse('record-not-found', ResponseCode.SYSTEM_ERROR, `look message by offset failed, ${header.offset}`, {
        cause: 'no message starts at that physical offset; its file may have expired',
        remedy: 'send back what this broker delivered, before its file expires; the consumer keeps the message and tries again',
      });
    // The retry topic has to be there and writable even when the message is a dead letter (7.1, step 3).
    const retryTopic = this.#ensureTopic(retryTopicOf(header.group), group.retryQueueNums, header.unitMode === true);
    if (retryTopic === undefined) return topicMissing(retryTopicOf(header.group));
    if ((retryTopic.perm & PERM_WRITE) === 0) return topicNotWritable(retryTopic.topicName);
    const max = reconsumeTimesMax(group.retryMaxTimes, header.maxReconsumeTimes, request.version);
    const target = sendBackTarget(header.group, record.reconsumeTimes, max, header.delayLevel);
    if (target.isDeadLetter && this.#ensureTopic(target.topic, DLQ_QUEUE_NUMS, false) === undefined) return topicMissing(target.topic);
    const queues = Math.max(1, Math.min(group.retryQueueNums, retryTopic.writeQueueNums));
    const queueId = target.isDeadLetter ? 0 : broker.platform.random.below(queues);
    const message = returned(record, target, queueId);
    const result = await this.#parts.put.put(message);
    if (result.state === 'stored' && result.status === 0) this.#count(header, request, message, target.isDeadLetter);
    return this.#answer(result);
  }

  /** By the topic that the message came from first; Apache writes an absent owner or topic as null. */
  #count(header: SendBack, request: IncomingRequest, message: NewMessage, isDeadLetter: boolean): void {
    const { stats } = this.#parts.broker;
    const key = `${message.properties.get('RETRY_TOPIC')}@${header.group}`;
    stats.count('SNDBCK_PUT_NUMS', key);
    if (!isDeadLetter) return;
    stats.count('DLQ_PUT_NUMS', key);
    const { Owner: owner, originTopic } = request.ext;
    stats.count('SNDBCK2DLQ_TIMES', `${owner ?? null}@${originTopic ?? null}@${header.group}@SEND_BACK_TO_DLQ`);
  }

  /** Anything but "stored, as durable as asked" is an error whose text is the status of the put (7.1, step 9). */
  #answer(result: Stored | NotStored): Answer {
    if (result.state === 'stored')
      return result.status === 0
        ? done()
        : refuse('message-not-durable', ResponseCode.SYSTEM_ERROR, STATUS_NAMES[result.status], {
            cause: 'stored, but its durability was not confirmed in time',
            remedy: 'the consumer keeps the message and tries again; it may come twice',
          });
    if (result.state === 'refused') return { ...result.refusal, code: ResponseCode.SYSTEM_ERROR };
    const { why } = result;
    return refuse('message-not-stored', ResponseCode.SYSTEM_ERROR, REFUSED_NAMES[why.kind], {
      cause: 'cause' in why ? why.cause : `${why.bytes} bytes, at most ${why.bytesMax}`,
      remedy: 'the consumer keeps the message and tries again',
    });
  }

  /** A retry or dead-letter topic, made when it is missing; undefined when there are too many topics. */
  #ensureTopic(topic: string, queueNums: number, unitMode: boolean): TopicConfig | undefined {
    const topicSysFlag = unitMode ? TOPIC_FLAG_UNIT_SUB : 0;
    return this.#parts.broker.topics.createInternal({ topic, queueNums, perm: READ_WRITE, topicSysFlag, order: undefined });
  }

  /** Sends to `%RETRY%group` (7.2): too many times, or from an orderly consumer, they are dead letters. */
  readonly diversion: SendDiversion = (draft) => {
    if (!draft.topic.startsWith(RETRY_PREFIX)) return undefined;
    const { broker, settings } = this.#parts;
    const name = groupOfRetryTopic(draft.topic);
    const group = broker.groups.findOrCreate(name);
    if (group === undefined) {
      const ext = { MSG_REGION: settings.regionId, TRACE_ON: String(settings.traceOn) };
      return { ...groupNotExist(name), ext };
    }
    const max = reconsumeTimesMax(group.retryMaxTimes, draft.maxReconsumeTimes, draft.version);
    // An orderly consumer (it holds queue locks) sends here only what it has given up.
    if (draft.reconsumeTimes > max || broker.locks.isHeld(name)) this.#toDeadLetters(draft, name);
    return undefined;
  };

  #toDeadLetters(draft: SendDraft, group: string): void {
    draft.topic = DLQ_PREFIX + group;
    draft.queueId = 0;
    draft.properties.set('DELAY', '-1');
    this.#ensureTopic(draft.topic, DLQ_QUEUE_NUMS, false);
  }
}

/** The message as it goes back (7.1, steps 5 to 8). */
function returned(record: MessageRecord, target: RetryTarget, queueId: number): NewMessage {
  const properties = parseProperties(record.properties);
  if (!properties.has('RETRY_TOPIC')) properties.set('RETRY_TOPIC', record.topic);
  if (!properties.has('ORIGIN_MESSAGE_ID'))
    properties.set('ORIGIN_MESSAGE_ID', encodeOffsetMsgId(encodeHost(record.storeHost), record.physicalOffset));
  properties.set('WAIT', 'false');
  properties.set('DELAY', String(target.delayLevel));
  sortAsJavaMap(properties, DECODED_PROPERTIES_BUCKETS);
  return {
    topic: target.topic,
    queueId,
    sysFlag: record.sysFlag,
    properties,
    body: record.body,
    flag: record.flag,
    bornTimestampMs: record.bornTimestampMs,
    bornHost: encodeHost(record.bornHost),
    reconsumeTimes: record.reconsumeTimes + 1,
    preparedTransactionOffset: 0,
    waits: false,
  };
}

function refuse(slug: string, code: number, legacy: string, more: { cause?: string; remedy: string }): Refusal {
  return refusal({ slug, code, legacy, ...more });
}

function groupNotExist(group: string): Refusal {
  return refuse('group-not-exist', ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, `subscription group not exist, ${group} ${FAQ}`, {
    cause: 'autoCreateSubscriptionGroup is false, or the name is not a valid group name',
    remedy: `create it: mqadmin updateSubGroup -g ${group}`,
  });
}

function topicMissing(topic: string): Refusal {
  return refuse('topic-not-exist', ResponseCode.SYSTEM_ERROR, `topic[${topic}] not exist`, {
    cause: 'it could not be created: there are too many topics',
    remedy: 'delete topics that nobody uses: mqadmin deleteTopic',
  });
}

function topicNotWritable(topic: string): Refusal {
  return refuse('topic-not-writable', ResponseCode.NO_PERMISSION, `the topic[${topic}] sending message is forbidden`, {
    cause: 'perm of the topic has no write bit',
    remedy: `mqadmin updateTopicPerm -t ${topic} -p 6`,
  });
}
