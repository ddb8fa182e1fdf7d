/**
 * SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320): broker.md 6.
 *
 * The plain message takes the short way: fields are read in place, nothing is allocated but what the reply needs. Whatever
 * is unusual (a batch, a retry topic, properties that the broker acts on) takes the careful way in the same file family.
 */
import { BatchError, type BatchItem, decodeBatch } from '@perigee/core/message/batch';
import { encodeHost } from '@perigee/core/message/host';
import { encodeProperties, parseProperties } from '@perigee/core/message/properties';
import { PropertyBytes, type PropertySet } from '@perigee/core/message/property-bytes';
import { SYS_FLAG_MULTI_TAGS } from '@perigee/core/message/sys-flag';
import { PERM_WRITE, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { TopicQueueMappingDetail } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import { sendMessage, sendMessageV2 } from '@perigee/core/protocol/commands/send';
import { FLAG_ONEWAY } from '@perigee/core/protocol/frame';
import { fieldProblem, type RequestView } from '@perigee/core/protocol/header-scan';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { RemotingConnection } from '@perigee/core/remoting/connection';
import { headerRefusal } from '@perigee/core/remoting/handler';
import { AppendInput } from '../../store/append-input.ts';
import type { AppendRefusal, MessageAppend } from '../../store/message-append.ts';
import { INNER_BATCH_MESSAGES_MAX } from '../../store/record-extras.ts';
import type { StoreQueue } from '../../store/store-queue.ts';
import { INNER_BATCH_FLAGS, isInnerBatch, placeInnerBatch } from '../batch/inner-batch.ts';
import { InnerBatchRefusals } from '../batch/inner-batch-refusals.ts';
import type { MessageDraft } from '../message-put.ts';
import { DLQ_PREFIX, isNoSendTopic, RETRY_PREFIX, topicNameProblem } from '../names.ts';
import type { SendRefusals } from '../send-refusals.ts';
import type { BatchReply, DivertedReply, SendReply } from '../send-reply.ts';
import { type SendPlace, sendPlace } from '../static-topic/logical-sends.ts';
import { SendProperties } from './send-properties.ts';

const slotOf = (key: keyof typeof sendMessageV2.request): number => Object.keys(sendMessageV2.request).indexOf(key);
const TOPIC = slotOf('topic');
const DEFAULT_TOPIC = slotOf('defaultTopic');
const DEFAULT_TOPIC_QUEUE_NUMS = slotOf('defaultTopicQueueNums');
const QUEUE_ID = slotOf('queueId');
const SYS_FLAG = slotOf('sysFlag');
const BORN_TIMESTAMP = slotOf('bornTimestamp');
const FLAG = slotOf('flag');
const PROPERTIES = slotOf('properties');
const RECONSUME_TIMES = slotOf('reconsumeTimes');
const UNIT_MODE = slotOf('unitMode');
const MAX_RECONSUME_TIMES = slotOf('maxReconsumeTimes');
const BATCH = slotOf('batch');
const LO = slotOf('lo');

const SYS_FLAG_TRANSACTION_MASK = 0xc;
/** Queues asked for when the client does not say. */
const DEFAULT_QUEUE_NUMS = 4;
/** Properties of ours that are added to every message: MSG_REGION, TRACE_ON, CLUSTER. */
const OWN_PROPERTIES_BYTES_MAX = 1024;

export interface SendSettings {
  readonly brokerName: string;
  readonly brokerClusterName: string;
  readonly brokerIP1: string;
  readonly brokerPermission: number;
  readonly regionId: string;
  readonly traceOn: boolean;
  readonly startAcceptSendRequestTimeStamp: number;
  readonly maxMessageSize: number;
}

/** What the send path asks of the rest of the broker. */
export interface SendParts {
  readonly settings: SendSettings;
  readonly append: MessageAppend;
  readonly reply: SendReply;
  readonly refusals: SendRefusals;
  /** The configuration of a topic; the object changes when the configuration does. */
  readonly topic: (name: string) => TopicConfig | undefined;
  /** Auto-creation (broker.md 4.4); undefined when it is not allowed. */
  readonly createTopic: (request: { topic: string; defaultTopic: string; queueNums: number; unitMode: boolean }) => TopicConfig | undefined;
  readonly queue: (topic: string, queueId: number) => StoreQueue;
  /** The logical queues of a static topic. */
  readonly mapping: (topic: string) => TopicQueueMappingDetail | undefined;
  readonly random: (bound: number) => number;
  readonly nowMs: () => number;
  readonly uniqueKey: () => string;
  /** Counts stored messages. */
  readonly counted: (queue: StoreQueue, messages: number, bytes: number) => void;
  /** Counts a send that is refused as busy, and keeps what was measured. */
  readonly busy: (cause: string) => void;
  /** Counts a send that the store did not take. */
  readonly notStored: () => void;
  /** What unusual messages pass before they are stored, in order: retries, transactions, delays… */
  readonly diversions: readonly SendDiversion[];
}

/** An unusual message on its way through the careful path; diversions may change it. */
export interface SendDraft extends MessageDraft {
  reconsumeTimes: number;
  readonly maxReconsumeTimes: number | undefined;
  /** Version of the client. */
  readonly version: number;
  /** The queue that the answer names when it is not the one that the client asked for. */
  answeredQueueId?: number;
}

export type SendDiversion = (draft: SendDraft) => Refusal | undefined;

/** What is known of a topic that was sent to; rebuilt when its configuration changes. */
interface SendTopic {
  readonly name: string;
  readonly bytes: Buffer;
  readonly config: TopicConfig;
  readonly queues: (StoreQueue | undefined)[];
  readonly queueNumsMax: number;
  readonly sysFlag: number;
  readonly isRetry: boolean;
  readonly mapping: TopicQueueMappingDetail | undefined;
}

/** Where the indexed values stand, so that nobody looks for them again. */
function takeRanges(input: AppendInput, properties: SendProperties): void {
  input.uniqueKeyStart = properties.uniqueKeyStart;
  input.uniqueKeyEnd = properties.uniqueKeyEnd;
  input.keysStart = properties.keysStart;
  input.keysEnd = properties.keysEnd;
  input.tagsStart = properties.tagsStart;
  input.tagsEnd = properties.tagsEnd;
}

/** The numbers of the send that is handled now, each read once. */
class SendNumbers {
  queueId = 0;
  sysFlag = 0;
  flag = 0;
  bornTimestampMs = 0;
  reconsumeTimes = 0;

  /** False when one is no number, or one is missing that no message can be stored without. */
  read(view: RequestView): boolean {
    this.queueId = view.int32(QUEUE_ID, Number.NaN);
    this.sysFlag = view.int32(SYS_FLAG, Number.NaN);
    this.flag = view.int32(FLAG, Number.NaN);
    this.bornTimestampMs = view.integer(BORN_TIMESTAMP, Number.NaN);
    this.reconsumeTimes = view.int32(RECONSUME_TIMES, 0);
    const others = view.int32(MAX_RECONSUME_TIMES, 0) + view.int32(DEFAULT_TOPIC_QUEUE_NUMS, 0);
    const sum = this.queueId + this.sysFlag + this.flag + this.bornTimestampMs + this.reconsumeTimes + others;
    // One NaN makes the sum NaN.
    return sum === sum;
  }
}

/** Topics remembered between sends; more are looked up again. */
const TOPICS_MAX = 100_000;

export class SendMessageHandler {
  readonly #parts: SendParts;
  readonly #topics = new Map<string, SendTopic>();
  #recent: SendTopic | undefined;
  readonly #input = new AppendInput();
  readonly #numbers = new SendNumbers();
  readonly #properties = new SendProperties();
  readonly #itemProperties = new SendProperties();
  readonly #propertyBytes = new PropertyBytes();
  readonly #ownProperties: Buffer;
  readonly #innerBatchRefusals: InnerBatchRefusals;

  constructor(parts: SendParts) {
    this.#parts = parts;
    this.#innerBatchRefusals = new InnerBatchRefusals(parts.refusals);
    const { regionId, traceOn, brokerClusterName } = parts.settings;
    const own = [
      ['MSG_REGION', regionId],
      ['TRACE_ON', String(traceOn)],
      ['CLUSTER', brokerClusterName],
    ] as const;
    this.#ownProperties = Buffer.from(encodeProperties(own), 'utf8');
    if (this.#ownProperties.length > OWN_PROPERTIES_BYTES_MAX) throw new Error('regionId and brokerClusterName are too long');
  }

  /** Forgets what is remembered of topics; to be called when a topic or the broker's permission changed. */
  topicsChanged(): void {
    this.#topics.clear();
    this.#recent = undefined;
  }

  readonly handle = (view: RequestView, connection: RemotingConnection): void => {
    const refused = this.#send(view, connection);
    if (refused !== undefined && (view.flag & FLAG_ONEWAY) === 0) connection.answer(view.opaque, refused);
  };

  #send(view: RequestView, connection: RemotingConnection): Refusal | undefined {
    const { settings, refusals } = this.#parts;
    if (settings.startAcceptSendRequestTimeStamp > 0 && this.#parts.nowMs() < settings.startAcceptSendRequestTimeStamp)
      return refusals.notYet(settings.startAcceptSendRequestTimeStamp);
    const numbers = this.#numbers;
    if (!numbers.read(view)) return this.#headerRefusal(view);
    const recent = this.#recent;
    const known = recent !== undefined && view.equals(TOPIC, recent.bytes) ? recent : this.#topic(view);
    if (!('queues' in known)) return known;
    if ((settings.brokerPermission & PERM_WRITE) === 0 && known.config.order) return refusals.brokerNotWritable();
    let { queueId } = numbers;
    let place: SendPlace | undefined;
    if (known.mapping !== undefined && !(view.has(LO) && !view.boolean(LO))) {
      const found = sendPlace(known.mapping, queueId, this.#parts.random);
      if ('slug' in found) return found;
      place = found;
      queueId = found.item.queueId;
    }
    if (!(queueId < known.queueNumsMax)) return refusals.queueIllegal(queueId, known.config, connection.address);
    if (queueId < 0) queueId = this.#parts.random(Math.max(1, known.config.writeQueueNums));
    const properties = this.#properties;
    if (!properties.read(view, PROPERTIES))
      return refusals.illegal('properties', (view.ends[PROPERTIES] as number) - (view.starts[PROPERTIES] as number));
    const { sysFlag, reconsumeTimes } = numbers;
    if (view.boolean(BATCH) || isInnerBatch(sysFlag)) return this.#sendBatch(view, connection, known, { queueId, place });
    // A message to a logical queue takes the careful way too: its answer names the logical queue and offset.
    if (properties.special || known.isRetry || place !== undefined) return this.#sendSpecial(view, connection, known, { queueId, place });
    properties.append(this.#ownProperties);
    if (properties.uniqueKeyStart < 0) properties.appendUniqueKey(this.#parts.uniqueKey());
    return this.#append(view, connection, known, {
      queueId,
      sysFlag,
      reconsumeTimes,
    });
  }

  #headerRefusal(view: RequestView): Refusal | undefined {
    if (!view.has(TOPIC)) return this.#parts.refusals.topicMissing();
    const problem = fieldProblem(view, view.code === sendMessage.code ? sendMessage : sendMessageV2);
    return problem === undefined ? undefined : headerRefusal(problem);
  }

  #append(
    view: RequestView,
    token: RemotingConnection | DivertedReply,
    topic: SendTopic,
    { queueId, sysFlag, reconsumeTimes }: { queueId: number; sysFlag: number; reconsumeTimes: number },
  ): Refusal | undefined {
    const connection = token instanceof RemotingConnection ? token : token.connection;
    const input = this.#input;
    const properties = this.#properties;
    input.queue = topic.queues[queueId] ?? this.#queue(topic, queueId);
    input.flag = this.#numbers.flag;
    input.sysFlag = (sysFlag | topic.sysFlag) & ~SYS_FLAG_TRANSACTION_MASK;
    input.bornTimestampMs = this.#numbers.bornTimestampMs;
    input.bornHost = this.#bornHost(connection);
    input.reconsumeTimes = reconsumeTimes | 0;
    input.body = view.bytes;
    input.bodyStart = view.bodyStart;
    input.bodyEnd = view.bodyEnd;
    input.properties = properties.bytes;
    input.propertiesStart = 0;
    input.propertiesEnd = properties.length;
    takeRanges(input, properties);
    input.tagsCode = properties.tagsCode();
    input.waits = properties.waits;
    if ((view.flag & FLAG_ONEWAY) === 0) {
      input.sink = this.#parts.reply;
      input.token = token;
      input.opaque = view.opaque;
    } else {
      input.sink = undefined;
      input.token = undefined;
    }
    const refused = this.#parts.append.append(input);
    if (refused !== undefined) return this.#refusal(refused);
    this.#parts.counted(input.queue, 1, this.#parts.append.appendedBytes);
    return undefined;
  }

  #refusal(refused: AppendRefusal): Refusal {
    const { refusals, reply } = this.#parts;
    this.#parts.notStored();
    switch (refused.kind) {
      case 'properties-too-long':
        return refusals.illegal('properties', refused.bytes);
      case 'body-too-long':
        return refusals.illegal('body', refused.bytes, refused.bytesMax);
      case 'busy':
        this.#parts.busy(refused.cause);
        return refusals.busy(refused.cause);
      default:
        return reply.notStored();
    }
  }

  /** The address bytes of a connection, made once. */
  #bornHost(connection: RemotingConnection): Buffer {
    const known = connection.attachment;
    if (known instanceof Buffer) return known;
    const bytes = encodeHost(connection.remote);
    connection.attachment = bytes;
    return bytes;
  }

  #queue(topic: SendTopic, queueId: number): StoreQueue {
    const queue = this.#parts.queue(topic.name, queueId);
    topic.queues[queueId] = queue;
    return queue;
  }

  /** Finds (or creates) the topic of a request, or says why it may not be sent to (broker.md 6.1, steps 6 and 7). */
  #topic(view: RequestView): SendTopic | Refusal {
    const name = view.text(TOPIC);
    const { refusals } = this.#parts;
    if (name === undefined) return refusals.topicMissing();
    const known = this.#topics.get(name);
    if (known !== undefined) {
      this.#recent = known;
      return known;
    }
    const problem = topicNameProblem(name);
    if (problem !== undefined) return refusals.topicName(problem);
    if (isNoSendTopic(name)) return refusals.topicForbidden(name);
    const config =
      this.#parts.topic(name) ??
      this.#parts.createTopic({
        topic: name,
        defaultTopic: view.text(DEFAULT_TOPIC) ?? '',
        queueNums: view.integer(DEFAULT_TOPIC_QUEUE_NUMS, DEFAULT_QUEUE_NUMS),
        unitMode: view.boolean(UNIT_MODE),
      });
    if (config === undefined) return refusals.topicNotExist(name);
    const topic = this.#remember(name, config);
    this.#recent = topic;
    return topic;
  }

  #remember(name: string, config: TopicConfig): SendTopic {
    const topic: SendTopic = {
      name,
      bytes: Buffer.from(name, 'utf8'),
      config,
      queues: [],
      queueNumsMax: Math.max(config.writeQueueNums, config.readQueueNums),
      sysFlag: config.topicFilterType === 'MULTI_TAG' ? SYS_FLAG_MULTI_TAGS : 0,
      isRetry: name.startsWith(RETRY_PREFIX) || name.startsWith(DLQ_PREFIX),
      mapping: this.#parts.mapping(name),
    };
    if (this.#topics.size >= TOPICS_MAX) this.#topics.clear();
    this.#topics.set(name, topic);
    return topic;
  }

  /** A message with properties that the broker acts on, or to a retry topic or a logical queue. */
  #sendSpecial(
    view: RequestView,
    connection: RemotingConnection,
    topic: SendTopic,
    { queueId, place }: { readonly queueId: number; readonly place: SendPlace | undefined },
  ): Refusal | undefined {
    const properties = this.#ownedProperties();
    const draft: SendDraft = {
      topic: topic.name,
      queueId,
      sysFlag: this.#numbers.sysFlag | topic.sysFlag,
      properties,
      reconsumeTimes: this.#numbers.reconsumeTimes,
      maxReconsumeTimes: view.has(MAX_RECONSUME_TIMES) ? view.integer(MAX_RECONSUME_TIMES, 0) : undefined,
      version: view.version,
    };
    for (const divert of this.#parts.diversions) {
      const refused = divert(draft);
      if (refused !== undefined) return refused;
    }
    let target = topic;
    if (draft.topic !== topic.name) {
      const config = this.#parts.topic(draft.topic);
      if (config === undefined) return this.#parts.refusals.topicNotExist(draft.topic);
      target = this.#topics.get(draft.topic) ?? this.#remember(draft.topic, config);
    }
    this.#properties.take(properties);
    const input = this.#input;
    input.delayMs = draft.delayMs ?? -1;
    input.extras = draft.extras;
    const reply: DivertedReply = {
      connection,
      queueId: draft.answeredQueueId ?? place?.queueId ?? queueId,
      // A message that went elsewhere (half, delayed) has no offset in the logical queue yet.
      item: target === topic ? place?.item : undefined,
      recallHandle: draft.recallHandle?.(),
    };
    const refused = this.#append(view, reply, target, draft);
    input.delayMs = -1;
    input.extras = undefined;
    if (refused === undefined) draft.appended?.(input.queueOffset, input.physicalOffset);
    return refused;
  }

  /** The properties of the message at hand with what this broker adds. */
  #ownedProperties(): PropertySet {
    const hasUniqueKey = this.#properties.uniqueKeyStart >= 0;
    this.#properties.append(this.#ownProperties);
    const { bytes, length } = this.#properties;
    const properties = this.#propertyBytes.read(bytes, 0, length) ? this.#propertyBytes : parseProperties(this.#properties.text());
    properties.delete('POP_CK');
    if (!hasUniqueKey) properties.set('UNIQ_KEY', this.#parts.uniqueKey());
    return properties;
  }

  /** Several messages of one queue (broker.md 6.2). Each becomes a record of its own with what its client encoded. */
  #sendBatch(
    view: RequestView,
    connection: RemotingConnection,
    topic: SendTopic,
    { queueId, place }: { readonly queueId: number; readonly place: SendPlace | undefined },
  ): Refusal | undefined {
    const { refusals, settings, append } = this.#parts;
    if (topic.isRetry) return refusals.batchToRetry(topic.name);
    const bodyBytes = view.bodyEnd - view.bodyStart;
    const sysFlag = view.integer(SYS_FLAG, 0);
    if (bodyBytes > settings.maxMessageSize) return refusals.illegal('body', bodyBytes);
    const header = parseProperties(this.#properties.text());
    if ((sysFlag & SYS_FLAG_TRANSACTION_MASK) !== 0 || Number(header.get('DELAY') ?? 0) > 0) return refusals.batchKind();
    let items: BatchItem[];
    try {
      items = decodeBatch(view.bytes, view.bodyStart, view.bodyEnd);
    } catch (error) {
      if (!(error instanceof BatchError)) throw error;
      return refusals.batchBody(error.message);
    }
    if (items.length === 0) return refusals.batchBody('the batch is empty');
    const queue = topic.queues[queueId] ?? this.#queue(topic, queueId);
    if (isInnerBatch(sysFlag) || (queue.batch !== undefined && (header.get('UNIQ_KEY') ?? '').length > 0))
      return this.#sendInnerBatch(view, connection, topic, { queue, header, sysFlag, messageCount: items.length, place });
    if (header.has('INNER_NUM')) return this.#innerBatchRefusals.countWithoutFlag();
    const waits = this.#properties.waits;
    const inputs = items.map((item) => this.#batchInput(view, connection, topic, queueId, item, sysFlag, waits));
    if ((view.flag & FLAG_ONEWAY) === 0) {
      const last = inputs[inputs.length - 1] as AppendInput;
      last.sink = this.#parts.reply;
      last.token = { connection, count: inputs.length, uniqueKey: header.get('UNIQ_KEY'), place } satisfies BatchReply;
      last.opaque = view.opaque;
    }
    const refused = append.appendBatch(inputs);
    if (refused !== undefined) return this.#refusal(refused);
    this.#parts.counted((inputs[0] as AppendInput).queue, inputs.length, append.appendedBytes);
    return undefined;
  }

  /** A batch to a BatchCQ topic is one record (store.md 3.5); who reads it takes it apart. */
  #sendInnerBatch(
    view: RequestView,
    connection: RemotingConnection,
    topic: SendTopic,
    batch: {
      readonly queue: StoreQueue;
      readonly header: Map<string, string>;
      readonly sysFlag: number;
      readonly messageCount: number;
      readonly place: SendPlace | undefined;
    },
  ): Refusal | undefined {
    const { queue, header, messageCount } = batch;
    const refusals = this.#innerBatchRefusals;
    if (queue.batch === undefined) return refusals.topicHasNoBatches(topic.name);
    if (messageCount > INNER_BATCH_MESSAGES_MAX) return refusals.tooMany(messageCount);
    const said = header.get('INNER_NUM');
    if (said !== undefined && said !== String(messageCount)) return refusals.wrongCount(said, messageCount);
    const properties = this.#ownedProperties();
    const input = this.#input;
    input.extras = placeInnerBatch(properties, queue, messageCount);
    this.#properties.take(properties);
    const reply: DivertedReply = {
      connection,
      queueId: batch.place?.queueId ?? queue.queueId,
      item: batch.place?.item,
      recallHandle: undefined,
      isInnerBatch: true,
    };
    const refused = this.#append(view, reply, topic, {
      queueId: queue.queueId,
      sysFlag: batch.sysFlag | INNER_BATCH_FLAGS,
      reconsumeTimes: view.integer(RECONSUME_TIMES, 0),
    });
    input.extras = undefined;
    // The append counted one message.
    if (refused === undefined) this.#parts.counted(queue, messageCount - 1, 0);
    return refused;
  }

  #batchInput(
    view: RequestView,
    connection: RemotingConnection,
    topic: SendTopic,
    queueId: number,
    item: BatchItem,
    sysFlag: number,
    waits: boolean,
  ): AppendInput {
    const input = new AppendInput();
    const properties = this.#itemProperties;
    properties.scan(view.bytes, item.propertiesStart, item.propertiesEnd);
    input.queue = topic.queues[queueId] ?? this.#queue(topic, queueId);
    input.flag = item.flag;
    input.sysFlag = sysFlag | topic.sysFlag;
    input.bornTimestampMs = view.integer(BORN_TIMESTAMP, 0) || 0;
    input.bornHost = this.#bornHost(connection);
    input.reconsumeTimes = view.integer(RECONSUME_TIMES, 0) | 0;
    input.body = view.bytes;
    input.bodyStart = item.bodyStart;
    input.bodyEnd = item.bodyEnd;
    input.properties = view.bytes;
    input.propertiesStart = item.propertiesStart;
    input.propertiesEnd = item.propertiesEnd;
    takeRanges(input, properties);
    input.tagsCode = properties.tagsCode();
    input.isBatchItem = true;
    input.waits = waits;
    return input;
  }
}
