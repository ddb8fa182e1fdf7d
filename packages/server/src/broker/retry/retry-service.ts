/** Retry and dead letters as a part of the broker: request 36, and sends to `%RETRY%` topics (broker.md 7). */
import { encodeHost } from '@perigee/core/message/host';
import { encodeOffsetMsgId } from '@perigee/core/message/message-id';
import { parseProperties } from '@perigee/core/message/properties';
import { decodeRecord, type MessageRecord } from '@perigee/core/message/record-check';
import { PERM_READ, PERM_WRITE, TOPIC_FLAG_UNIT_SUB } from '@perigee/core/protocol/bodies/topic-config';
import type { RequestOf } from '@perigee/core/protocol/command';
import { retryCommands } from '@perigee/core/protocol/commands/retry';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, bindHandlers, done, type IncomingRequest } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';
import type { BrokerService } from '../broker-service.ts';
import type { SendDiversion, SendDraft } from '../handlers/send-message.ts';
import type { MessagePut, NewMessage, NotStored } from '../message-put.ts';
import { DLQ_PREFIX, RETRY_PREFIX } from '../names.ts';
import { FAQ } from '../send-refusals.ts';
import { groupOfRetryTopic, reconsumeTimesMax, type RetryTarget, sendBackTarget } from './retry-decision.ts';

export interface RetrySettings {
  readonly brokerIP1: string;
  readonly brokerPermission: number;
  readonly regionId: string;
  readonly traceOn: boolean;
}

export interface RetryParts {
  readonly broker: BrokerParts;
  readonly put: MessagePut;
  readonly storeHost: Buffer;
  readonly settings: RetrySettings;
}

type SendBack = RequestOf<typeof retryCommands.consumerSendMsgBack>;

const READ_WRITE = PERM_READ | PERM_WRITE;

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
    if (group === undefined) return groupNotExist(header.group, `subscription group not exist, ${header.group} ${FAQ}`);
    if ((settings.brokerPermission & PERM_WRITE) === 0)
      return refuse('broker-not-writable', ResponseCode.NO_PERMISSION, `the broker[${settings.brokerIP1}] sending message is forbidden`, {
        cause: 'brokerPermission has no write bit',
      });
    if (group.retryQueueNums <= 0) return done(undefined, 'the group has no retry queues (retryQueueNums); the message is dropped');
    const record = this.#recordAt(header.offset);
    if (record === undefined)
      return refuse('record-not-found', ResponseCode.SYSTEM_ERROR, `look message by offset failed, ${header.offset}`, {
        cause: 'no message starts at that physical offset; its file may have expired',
      });
    const max = reconsumeTimesMax(group.retryMaxTimes, header.maxReconsumeTimes, request.version);
    const target = sendBackTarget(header.group, record.reconsumeTimes, max, header.delayLevel);
    const topic = this.#ensureTopic(target, group.retryQueueNums, header.unitMode === true);
    if (!topic.writable)
      return refuse('topic-not-writable', ResponseCode.NO_PERMISSION, `the topic[${target.topic}] sending message is forbidden`, {
        cause: 'perm of the topic has no write bit',
      });
    const queueId = target.isDeadLetter ? 0 : broker.platform.random.below(Math.max(1, Math.min(group.retryQueueNums, topic.writeQueueNums)));
    const result = await this.#parts.put.put(this.#returned(record, target, queueId));
    return result.state === 'stored' && result.status === 0 ? done() : notStored(result.state === 'stored' ? undefined : result);
  }

  #recordAt(physicalOffset: number): MessageRecord | undefined {
    const bytes = this.#parts.broker.store.recordAt(physicalOffset);
    return bytes === undefined ? undefined : decodeRecord(bytes, 0, bytes.length);
  }

  #ensureTopic(target: RetryTarget, retryQueueNums: number, unitMode: boolean): { readonly writable: boolean; readonly writeQueueNums: number } {
    const { topics } = this.#parts.broker;
    const known = topics.topic(target.topic);
    if (known !== undefined) return known;
    const created = topics.createInternal({
      topic: target.topic,
      queueNums: target.isDeadLetter ? 1 : retryQueueNums,
      perm: READ_WRITE,
      topicSysFlag: unitMode ? TOPIC_FLAG_UNIT_SUB : 0,
      order: undefined,
    });
    return created ?? { writable: false, writeQueueNums: 0 };
  }

  /** The message as it goes back (7.1, steps 5 to 8). */
  #returned(record: MessageRecord, target: RetryTarget, queueId: number): NewMessage {
    const properties = parseProperties(record.properties);
    if (!properties.has('RETRY_TOPIC')) properties.set('RETRY_TOPIC', record.topic);
    if (!properties.has('ORIGIN_MESSAGE_ID')) properties.set('ORIGIN_MESSAGE_ID', encodeOffsetMsgId(this.#parts.storeHost, record.physicalOffset));
    properties.set('WAIT', 'false');
    properties.set('DELAY', String(target.delayLevel));
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

  /** Sends to `%RETRY%group` (7.2): too many times, or from an orderly consumer, they are dead letters. */
  readonly diversion: SendDiversion = (draft) => {
    if (!draft.topic.startsWith(RETRY_PREFIX)) return undefined;
    const { broker, settings } = this.#parts;
    const name = groupOfRetryTopic(draft.topic);
    const group = broker.groups.findOrCreate(name);
    if (group === undefined) {
      const ext = { MSG_REGION: settings.regionId, TRACE_ON: String(settings.traceOn) };
      return { ...groupNotExist(name, `subscription group not exist, ${name} ${FAQ}`), ext };
    }
    const max = reconsumeTimesMax(group.retryMaxTimes, draft.maxReconsumeTimes, draft.version);
    // An orderly consumer (it holds queue locks) sends here only what it has given up.
    if (draft.reconsumeTimes > max || broker.locks.isHeld(name)) this.#toDeadLetters(draft, name);
    return undefined;
  };

  #toDeadLetters(draft: SendDraft, group: string): void {
    draft.topic = DLQ_PREFIX + group;
    draft.queueId = 0;
    draft.properties.set('DELAY', '0');
    this.#ensureTopic({ topic: draft.topic, isDeadLetter: true, delayLevel: 0 }, 1, false);
  }
}

function refuse(slug: string, code: number, legacy: string, more: { cause?: string; remedy?: string } = {}): Refusal {
  return refusal({ slug, code, legacy, ...more });
}

function groupNotExist(group: string, legacy: string): Refusal {
  return refuse('group-not-exist', ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, legacy, {
    cause: 'autoCreateSubscriptionGroup is false, or the name is not a valid group name',
    remedy: `create it: mqadmin updateSubGroup -g ${group}`,
  });
}

function notStored(result: NotStored | undefined): Answer {
  if (result?.state === 'refused') return result.refusal;
  return refuse('message-not-stored', ResponseCode.SYSTEM_ERROR, result === undefined ? 'FLUSH_DISK_TIMEOUT' : 'SERVICE_NOT_AVAILABLE', {
    cause: result === undefined ? 'stored, but its durability was not confirmed in time' : 'cause' in result.why ? result.why.cause : result.why.kind,
    remedy: 'the consumer keeps the message and tries again',
  });
}
