/** PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361): broker.md 9 and 11. */
import type { ConsumeType, MessageModel, SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import type { SubscriptionGroupConfig } from '@perigee/core/protocol/bodies/subscription-group';
import { PERM_READ, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import { litePullMessage, PULL_COMMIT_OFFSET, PULL_SUBSCRIPTION, PULL_SUSPEND, pullMessage } from '@perigee/core/protocol/commands/pull';
import { FLAG_ONEWAY } from '@perigee/core/protocol/frame';
import { fieldProblem, type RequestView } from '@perigee/core/protocol/header-scan';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import { headerRefusal } from '@perigee/core/remoting/handler';
import type { MessageReader, ReadResult, ReadStatus, RowFilter } from '../../store/message-reader.ts';
import type { StoreQueue } from '../../store/store-queue.ts';
import { liteQueueOf } from '../lite/lite-name.ts';
import { RETRY_PREFIX } from '../names.ts';
import { type PullFilter, type PullFilterParts, PullFilters } from '../pull-filter.ts';
import type { HeldPull, PullHoldTable } from '../pull-hold-table.ts';
import type { PullRefusals } from '../pull-refusals.ts';
import { answerPull } from '../pull-reply.ts';
import { committedHere, type LogicalPulls, type PullPlace } from '../static-topic/logical-pulls.ts';
import { type LogicalPull, logicalOffset, logicalPull } from '../static-topic/queue-mapping.ts';

const slotOf = (key: keyof typeof pullMessage.request): number => Object.keys(pullMessage.request).indexOf(key);
const GROUP = slotOf('consumerGroup');
const TOPIC = slotOf('topic');
const QUEUE_ID = slotOf('queueId');
const QUEUE_OFFSET = slotOf('queueOffset');
const MAX_MSG_NUMS = slotOf('maxMsgNums');
const SYS_FLAG = slotOf('sysFlag');
const COMMIT_OFFSET = slotOf('commitOffset');
const SUSPEND_TIMEOUT = slotOf('suspendTimeoutMillis');
const SUBSCRIPTION = slotOf('subscription');
const SUB_VERSION = slotOf('subVersion');
const EXPRESSION_TYPE = slotOf('expressionType');
const MAX_MSG_BYTES = slotOf('maxMsgBytes');
const REQUEST_SOURCE = slotOf('requestSource');
const LITE_TOPIC = slotOf('liteTopic');
const LO = slotOf('lo');

/** broker.md 9.1: bytes of one answer when the client names no limit (128 MiB), and the frame's own bound. */
const BYTES_MAX = 8 * 1024 * 1024;
/** A pull is held at most this long, whatever the client asks. */
const SUSPEND_MAX_MS = 300_000;
const SOURCE_PROXY_BROADCAST = 1;
const SOURCE_PROXY_STREAM = 2;

export interface PullSettings {
  readonly brokerPermission: number;
  readonly litePullMessageEnable: boolean;
  readonly enablePropertyFilter: boolean;
  readonly filterSupportRetry: boolean;
  readonly longPollingEnable: boolean;
  readonly shortPollingTimeMills: number;
  readonly useServerSideResetOffset: boolean;
}

/** What the pull path asks of the rest of the broker. */
export interface PullParts {
  readonly settings: PullSettings;
  readonly reader: MessageReader;
  readonly holds: () => PullHoldTable;
  readonly refusals: PullRefusals;
  readonly filters: PullFilterParts['filters'];
  readonly compiled: PullFilterParts['compiled'];
  readonly nowMs: () => number;
  readonly topic: (name: string) => TopicConfig | undefined;
  readonly group: (name: string) => SubscriptionGroupConfig | undefined;
  /** Why this broker took the permission to consume from a group, if it did. */
  readonly whyDisabled: (group: string) => string | undefined;
  readonly isReadForbidden: (group: string, topic: string) => boolean;
  /** The online group, as far as a pull without its own subscription needs it. */
  readonly consumers: {
    group(name: string): { readonly messageModel: MessageModel } | undefined;
    subscription(group: string, topic: string): SubscriptionData | undefined;
    compensate(group: string, consumeType: ConsumeType, messageModel: MessageModel, subscription?: SubscriptionData): void;
  };
  readonly offsets: {
    commit(group: string, topic: string, queueId: number, queueOffset: number): void;
    commitPull(group: string, topic: string, queueId: number, queueOffset: number): void;
    takeReset(group: string, topic: string, queueId: number): number | undefined;
  };
  /** Pulls of logical queues. */
  readonly logical: LogicalPulls;
  readonly queue: (topic: string, queueId: number) => StoreQueue | undefined;
  /** The queue to wait on, made when it does not exist yet; undefined: a pull cannot wait there. */
  readonly queueToHold: (topic: string, queueId: number) => StoreQueue | undefined;
  /** Counts a look into a queue and how long it took (ms). */
  readonly looked: (found: boolean, tookMs: number) => void;
  /** Counts delivered messages. */
  readonly counted: (group: string, topic: string, queueId: number, messages: number, bytes: number) => void;
}

/** A pull's fields, read once. */
interface Pull {
  readonly connection: RemotingConnection;
  readonly opaque: number;
  readonly oneway: boolean;
  readonly isLite: boolean;
  readonly group: string;
  readonly topic: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly messagesMax: number;
  readonly bytesMax: number;
  readonly sysFlag: number;
  readonly commitOffset: number;
  readonly suspendTimeoutMs: number;
  readonly subVersion: number;
  readonly expressionType: string | undefined;
  readonly subscription: string | undefined;
  readonly requestSource: number;
  /** Where the messages are: the topic, or the light queue of one of its lite topics (since-5.4.md 6). */
  readonly readTopic: string;
  /** Whether the queue id of a static topic is that of a logical queue. */
  readonly isLogical: boolean;
  /** Of a pull of a logical queue, whose queue and offset are physical here: its place, and the pull as it came. */
  readonly place?: PullPlace;
  readonly asked?: Pull;
}

interface Held extends HeldPull {
  readonly pull: Pull;
}

/** A pull that may look into the store. */
interface Read {
  readonly pull: Pull;
  readonly topic: TopicConfig;
  readonly group: SubscriptionGroupConfig;
  readonly filter: PullFilter;
  readonly held: Held | undefined;
}

const CODES: Readonly<Record<ReadStatus | 'OFFSET_RESET', number>> = {
  FOUND: ResponseCode.SUCCESS,
  MESSAGE_WAS_REMOVING: ResponseCode.PULL_RETRY_IMMEDIATELY,
  NO_MATCHED_MESSAGE: ResponseCode.PULL_RETRY_IMMEDIATELY,
  NO_MATCHED_LOGIC_QUEUE: ResponseCode.PULL_NOT_FOUND,
  NO_MESSAGE_IN_QUEUE: ResponseCode.PULL_NOT_FOUND,
  OFFSET_FOUND_NULL: ResponseCode.PULL_NOT_FOUND,
  OFFSET_OVERFLOW_ONE: ResponseCode.PULL_NOT_FOUND,
  OFFSET_OVERFLOW_BADLY: ResponseCode.PULL_OFFSET_MOVED,
  OFFSET_RESET: ResponseCode.PULL_OFFSET_MOVED,
  OFFSET_TOO_SMALL: ResponseCode.PULL_OFFSET_MOVED,
};

function readTopicOf(topic: string, liteTopic: string | undefined): string {
  return liteTopic === undefined || liteTopic.trim().length === 0 ? topic : liteQueueOf(topic, liteTopic);
}

/** The pull of the physical queue that holds what was asked for. */
function placed(pull: Pull, place: PullPlace): Pull {
  const messagesMax = Math.min(pull.messagesMax, place.messagesMax);
  return { ...pull, queueId: place.queueId, queueOffset: place.queueOffset, messagesMax, place, asked: pull };
}

/** Whether more messages may come to where the pull reads. */
function isAtLeader({ place }: Pull): boolean {
  return place === undefined || place.items.at(-1) === place.item;
}

/** What a logical queue answers to what its physical queue gave. */
function logicalAnswer(
  { queueOffset }: Pull,
  { items, item }: PullPlace,
  found: { readonly code: number; readonly nextBeginOffset: number; readonly status?: string },
  { minOffset, maxOffset }: ReadResult,
): LogicalPull {
  const { code, nextBeginOffset, status } = found;
  const logical = logicalPull(items, item, { code, askedOffset: queueOffset, nextBeginOffset, minOffset, maxOffset });
  // A reset is where it says, whatever was asked for.
  return status === 'OFFSET_RESET' ? { ...logical, code, nextBeginOffset: logicalOffset(item, nextBeginOffset) } : logical;
}

export class PullMessageHandler {
  readonly #parts: PullParts;
  readonly #filters: PullFilters;

  constructor(parts: PullParts) {
    this.#parts = parts;
    this.#filters = new PullFilters(parts);
  }

  readonly handle = (view: RequestView, connection: RemotingConnection): void => {
    const group = view.text(GROUP);
    const topic = view.text(TOPIC);
    const queueId = view.int32(QUEUE_ID, Number.NaN);
    const queueOffset = view.integer(QUEUE_OFFSET, Number.NaN);
    const messagesMax = view.int32(MAX_MSG_NUMS, Number.NaN);
    const sysFlag = view.int32(SYS_FLAG, Number.NaN);
    // Apache's decoder takes these three as they come, and needs them for what the bits of sysFlag ask alone.
    const commitOffset = view.integer(COMMIT_OFFSET, (sysFlag & PULL_COMMIT_OFFSET) === 0 ? 0 : Number.NaN);
    const suspendTimeoutMs = view.integer(SUSPEND_TIMEOUT, (sysFlag & PULL_SUSPEND) === 0 ? 0 : Number.NaN);
    const subVersion = view.integer(SUB_VERSION, (sysFlag & PULL_SUBSCRIPTION) !== 0 ? 0 : Number.NaN);
    const bytesMax = view.int32(MAX_MSG_BYTES, BYTES_MAX);
    const requestSource = view.int32(REQUEST_SOURCE, -1);
    // One NaN makes the sum NaN.
    const sum = queueId + queueOffset + messagesMax + sysFlag + commitOffset + suspendTimeoutMs + subVersion + bytesMax + requestSource;
    if (group === undefined || topic === undefined || sum !== sum) {
      const problem = fieldProblem(view, pullMessage);
      if ((view.flag & FLAG_ONEWAY) === 0 && problem !== undefined) connection.answer(view.opaque, headerRefusal(problem));
      return;
    }
    this.#run(
      {
        connection,
        opaque: view.opaque,
        oneway: (view.flag & FLAG_ONEWAY) !== 0,
        isLite: view.code === litePullMessage.code,
        group,
        topic,
        queueId,
        queueOffset,
        messagesMax,
        bytesMax: bytesMax > 0 && bytesMax < BYTES_MAX ? bytesMax : BYTES_MAX,
        sysFlag,
        commitOffset,
        suspendTimeoutMs: Math.min(SUSPEND_MAX_MS, Math.max(0, suspendTimeoutMs)),
        subVersion,
        expressionType: view.text(EXPRESSION_TYPE),
        subscription: view.text(SUBSCRIPTION),
        requestSource,
        readTopic: view.has(LITE_TOPIC) ? readTopicOf(topic, view.text(LITE_TOPIC)) : topic,
        isLogical: !view.has(LO) || view.boolean(LO),
      },
      undefined,
    );
  };

  /**
   * Looks at a held pull again and answers what it finds now. One with a filter that looks into records goes on waiting
   * when nothing passes it before its deadline; Apache looks at the properties of the one message that came.
   */
  readonly rerun = (held: HeldPull): void => this.#run((held as Held).pull, held as Held);

  /** True for a held pull of that group. */
  readonly isHeldBy = (held: HeldPull, group: string): boolean => (held as Held).pull.group === group;

  /** `held` when a held pull is looked at again: then nothing is committed. */
  #run(pull: Pull, held: Held | undefined): void {
    const refused = this.#pull(pull, held);
    if (refused !== undefined && !pull.oneway) pull.connection.answer(pull.opaque, refused);
  }

  #pull(asked: Pull, held: Held | undefined): Refusal | undefined {
    const { settings, refusals, logical } = this.#parts;
    let pull = asked;
    if ((settings.brokerPermission & PERM_READ) === 0) return refusals.brokerNotReadable();
    if (pull.isLite && !settings.litePullMessageEnable) return refusals.litePullOff();
    const group = this.#parts.group(pull.group);
    if (group === undefined) return refusals.groupNotExist(pull.group);
    if (!group.consumeEnable) return refusals.groupForbidden(pull.group, this.#parts.whyDisabled(pull.group));
    const topic = this.#parts.topic(pull.topic);
    if (topic === undefined) return refusals.topicNotExist(pull.topic);
    if ((topic.perm & PERM_READ) === 0) return refusals.topicNotReadable(pull.topic);
    if (!logical.isEmpty && pull.isLogical) {
      const place = logical.place(pull);
      if (place !== undefined) {
        if ('slug' in place) return place;
        if (!place.isHere) return this.#forward(pull, place);
        pull = placed(pull, place);
      }
    }
    if (pull.queueId < 0 || pull.queueId >= topic.readQueueNums) return refusals.queueIllegal(pull.queueId, topic, pull.connection.address);
    this.#compensate(pull, undefined);
    const subscription = this.#subscription(pull, group);
    if ('remark' in subscription) return subscription;
    const filter = this.#filters.filter(subscription, pull, (pull.sysFlag & PULL_SUBSCRIPTION) !== 0);
    if ('remark' in filter) return filter;
    return this.#read({ pull, topic, group, filter, held });
  }

  #compensate(pull: Pull, subscription: SubscriptionData | undefined): void {
    const { consumers } = this.#parts;
    const type = pull.requestSource === SOURCE_PROXY_STREAM ? 'CONSUME_ACTIVELY' : 'CONSUME_PASSIVELY';
    const model = pull.requestSource === SOURCE_PROXY_BROADCAST ? 'BROADCASTING' : 'CLUSTERING';
    consumers.compensate(pull.group, type, model, subscription);
  }

  /** The subscription of the request, or of the group's last heartbeat (broker.md 9.1, step 8). */
  #subscription(pull: Pull, group: SubscriptionGroupConfig): SubscriptionData | Refusal {
    const { consumers, refusals } = this.#parts;
    if ((pull.sysFlag & PULL_SUBSCRIPTION) !== 0) return this.#headerSubscription(pull);
    const online = consumers.group(pull.group);
    if (online === undefined) return refusals.groupNotOnline();
    if (!group.consumeBroadcastEnable && online.messageModel === 'BROADCASTING') return refusals.noBroadcast(pull.group);
    if (this.#parts.isReadForbidden(pull.group, pull.topic)) return refusals.readForbidden(pull.group, pull.topic);
    const subscription = consumers.subscription(pull.group, pull.topic);
    if (subscription === undefined) return refusals.notSubscribed();
    if (subscription.subVersion < pull.subVersion && !isWholeRetry(subscription))
      return refusals.subscriptionNotLatest(subscription.subVersion, pull.subVersion);
    return subscription;
  }

  #headerSubscription(pull: Pull): SubscriptionData | Refusal {
    const found = this.#filters.headerSubscription(pull);
    if ('remark' in found) return found;
    if (found.isNew) this.#compensate(pull, found.subscription);
    return found.subscription;
  }

  #read({ pull, topic, group, filter, held }: Read): Refusal | undefined {
    const { reader, offsets, settings } = this.#parts;
    const startedMs = this.#parts.nowMs();
    const isWhereHeld = held !== undefined && held.queue.queueId === pull.queueId;
    const result = reader.read({
      queue: this.#parts.queue(pull.readTopic, pull.queueId),
      queueOffset: isWhereHeld ? held.queueOffset : pull.queueOffset,
      messagesMax: pull.messagesMax,
      bytesMax: pull.bytesMax,
      rowFilter: filter.rowFilter,
      recordFilter: filter.recordFilter,
      unitFilter: filter.unitFilter,
    });
    this.#parts.looked(result.count > 0, this.#parts.nowMs() - startedMs);
    let status: ReadStatus | 'OFFSET_RESET' = result.status;
    let nextBeginOffset = result.nextBeginOffset;
    const reset = settings.useServerSideResetOffset ? offsets.takeReset(pull.group, pull.topic, pull.queueId) : undefined;
    // A consumer that starts after the reset asks for that position already: it need not be told.
    if (reset !== undefined && reset !== pull.queueOffset) {
      status = 'OFFSET_RESET';
      nextBeginOffset = reset;
    }
    let code = CODES[status];
    if (
      code === ResponseCode.PULL_NOT_FOUND &&
      (status === 'NO_MATCHED_LOGIC_QUEUE' || status === 'NO_MESSAGE_IN_QUEUE') &&
      pull.queueOffset !== 0
    )
      code = ResponseCode.PULL_OFFSET_MOVED;
    if (pull.place !== undefined) code = logicalAnswer(pull, pull.place, { code, nextBeginOffset, status }, result).code;
    offsets.commitPull(pull.group, pull.topic, pull.queueId, nextBeginOffset);
    if (held !== undefined) {
      if (isWhereHeld && isAtLeader(pull) && filter.recordFilter !== undefined && this.#holdAgain(held, status, nextBeginOffset))
        return undefined;
      // The client learns how far nothing was for it, as from a pull that was not held.
      if (status === 'OFFSET_OVERFLOW_ONE' && nextBeginOffset > pull.queueOffset) {
        status = 'NO_MATCHED_MESSAGE';
        code = CODES[status];
      }
      return this.#answer(pull, topic, group, { code, status, nextBeginOffset }, result);
    }
    // A position from before the reset must not replace it.
    if (reset === undefined && (pull.sysFlag & PULL_COMMIT_OFFSET) !== 0) this.#commit(pull);
    if (code === ResponseCode.PULL_NOT_FOUND && (pull.sysFlag & PULL_SUSPEND) !== 0 && this.#hold(pull, filter.rowFilter)) return undefined;
    return this.#answer(pull, topic, group, { code, status, nextBeginOffset }, result);
  }

  #commit({ group, topic, queueId, commitOffset, place }: Pull): void {
    const { offsets } = this.#parts;
    // A position in an older part at another broker comes with the client's next UPDATE_CONSUMER_OFFSET.
    const here = place === undefined ? { queueId, queueOffset: commitOffset } : committedHere(place, commitOffset);
    if (here !== undefined) offsets.commit(group, topic, here.queueId, here.queueOffset);
  }

  /** Has the broker that holds an older part of a logical queue answer. */
  #forward(pull: Pull, place: PullPlace): undefined {
    const { connection, opaque, oneway } = pull;
    if ((pull.sysFlag & PULL_COMMIT_OFFSET) !== 0) this.#commit({ ...pull, place });
    const header = {
      consumerGroup: pull.group,
      topic: pull.topic,
      queueId: pull.queueId,
      queueOffset: pull.queueOffset,
      maxMsgNums: pull.messagesMax,
      maxMsgBytes: pull.bytesMax,
      sysFlag: pull.sysFlag,
      commitOffset: pull.commitOffset,
      suspendTimeoutMillis: pull.suspendTimeoutMs,
      subscription: pull.subscription,
      subVersion: pull.subVersion,
      expressionType: pull.expressionType,
      requestSource: pull.requestSource,
    };
    void this.#parts.logical.forward(place, header).then((answer) => {
      if (!oneway && !connection.closed) connection.answer(opaque, answer);
    });
    return undefined;
  }

  #answer(
    pull: Pull,
    topic: TopicConfig,
    group: SubscriptionGroupConfig,
    found: { code: number; status: string; nextBeginOffset: number },
    result: ReadResult,
  ): Refusal | undefined {
    if (pull.oneway) return undefined;
    const withBody = found.code === ResponseCode.SUCCESS;
    const logical = pull.place === undefined ? undefined : logicalAnswer(pull, pull.place, found, result);
    const answer = {
      code: logical?.code ?? found.code,
      remark: found.status,
      nextBeginOffset: logical?.nextBeginOffset ?? found.nextBeginOffset,
      logical,
      suggestWhichBrokerId: 0,
      topicSysFlag: topic.topicSysFlag,
      groupSysFlag: group.groupSysFlag,
    };
    if (!answerPull(pull.connection, pull.opaque, answer, result, withBody ? this.#parts.reader : undefined))
      return this.#parts.refusals.recordGone(pull.queueOffset);
    if (withBody) this.#parts.counted(pull.group, pull.topic, pull.queueId, result.messageCount, result.bytes);
    return undefined;
  }

  /** Whether a pull that found nothing for it goes on waiting, behind what it looked at. */
  #holdAgain(held: Held, status: ReadStatus | 'OFFSET_RESET', nextBeginOffset: number): boolean {
    if (status !== 'NO_MATCHED_MESSAGE' && status !== 'OFFSET_OVERFLOW_ONE') return false;
    held.queueOffset = nextBeginOffset;
    return this.#parts.nowMs() < held.deadlineMs && this.#parts.holds().holdAgain(held);
  }

  #hold(pull: Pull, rowFilter: RowFilter | undefined): boolean {
    const { settings } = this.#parts;
    const timeoutMs = settings.longPollingEnable ? pull.suspendTimeoutMs : settings.shortPollingTimeMills;
    const queue = this.#parts.queueToHold(pull.readTopic, pull.queueId);
    if (queue === undefined) return false;
    const held: Held = {
      pull: pull.asked ?? pull,
      connection: pull.connection,
      queue,
      queueOffset: pull.queueOffset,
      rowFilter,
      deadlineMs: this.#parts.nowMs() + timeoutMs,
      done: false,
    };
    return this.#parts.holds().hold(held);
  }
}

/**
 * Retries are read whole, in whichever version. A Java client that goes from pop to pull renews its subscription of the pop retry
 * topic with each rebalance, more often than its heartbeats tell: Apache refuses such pulls until the two fall together.
 */
function isWholeRetry({ topic, subString }: SubscriptionData): boolean {
  return topic.startsWith(RETRY_PREFIX) && subString === '*';
}
