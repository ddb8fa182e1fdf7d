/** NOTIFICATION 200054, PEEK_MESSAGE 200052 and POLLING_INFO 200055 (broker.md 18.5; since-5.4.md 4.3). */

import { PERM_READ, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { RequestOf } from '@perigee/core/protocol/command';
import { notification, type peekMessage, pollingInfo } from '@perigee/core/protocol/commands/pop';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, type IncomingRequest, type Outcome, ok } from '@perigee/core/remoting/handler';
import type { RowFilter } from '../../store/message-reader.ts';
import { RowsView } from '../../store/queue-rows.ts';
import {
  type AskedQueue,
  birthMs,
  checkLightQueue,
  checkReadable,
  type PopContext,
  pollRestMs,
  queueAt,
  readableRetryTopics,
} from '../pop/pop-context.ts';
import { EVERY_MESSAGE } from '../pop/pop-filter.ts';
import { POP_BYTES_MAX } from '../pop/pop-read.ts';
import { PopRefusals } from '../pop/pop-refusals.ts';

type NotificationHeader = RequestOf<typeof notification>;
type PeekHeader = RequestOf<typeof peekMessage>;

/** One in so many peeks looks into the retry topic first. */
const PEEK_RETRY_FIRST = 5;
/** Messages of one peek. */
const PEEK_MESSAGES_MAX = 1024;

export class NotificationHandler {
  readonly #context: PopContext;
  readonly #refusals: PopRefusals;
  readonly #rows = new RowsView();

  constructor(context: PopContext) {
    this.#context = context;
    this.#refusals = new PopRefusals(context.settings.brokerIP1, 'ask');
  }

  #check(asked: AskedQueue): TopicConfig | Refusal {
    const { settings } = this.#context;
    if ((settings.brokerPermission & PERM_READ) === 0) return this.#refusals.brokerNotReadable();
    const readable = checkReadable(this.#context, this.#refusals, asked);
    return 'slug' in readable ? readable : readable.topic;
  }

  readonly pollingInfo = (header: RequestOf<typeof pollingInfo>, request: IncomingRequest): Outcome => {
    const { topic, consumerGroup: group } = header;
    const queueId = Math.max(-1, header.queueId);
    const checked = this.#check({ topic, group, queueId, consumer: request.peer.address });
    return 'slug' in checked ? checked : ok(pollingInfo, { pollingNum: this.#context.pops.count(topic, group, queueId) });
  };

  // --- notification ---

  readonly notification = (header: NotificationHeader, request: IncomingRequest): Outcome => {
    const { topic, consumerGroup: group, queueId } = header;
    const checked = this.#check({ topic, group, queueId, consumer: request.peer.address });
    if ('slug' in checked) return checked;
    const { settings, filters, platform, notifications } = this.#context;
    const isFiltered = settings.useMessageFilterForNotification && header.exp !== undefined && header.expType !== undefined;
    const filter = isFiltered ? filters.filter(header.expType, header.exp) : EVERY_MESSAGE;
    if ('problem' in filter) return this.#refusals.subscriptionParse(header.exp ?? '', filter.problem);
    if (this.#hasMessage(header, checked, filter.rowFilter)) return ok(notification, { hasMsg: true, pollingFull: false });
    const nowMs = platform.clock.wallMs();
    // Kept for when it is looked at again.
    const born = { ...header, bornTime: birthMs(nowMs, header.bornTime) };
    const restMs = header.pollTime > 0 ? pollRestMs(nowMs, born.bornTime, header.pollTime) : 0;
    if (restMs <= 0 || request.oneway) return ok(notification, { hasMsg: false, pollingFull: false });
    const noQueue = checkLightQueue(this.#context, this.#refusals, topic);
    if (noQueue !== undefined) return noQueue;
    const isHeld = notifications.hold(
      {
        topic,
        group,
        queueId: Math.max(-1, queueId),
        peer: request.peer,
        dueMs: platform.clock.monotonicMs() + restMs,
        rowFilter: filter.rowFilter,
        run: () => this.#again(born, request),
        done: false,
      },
      checked.readQueueNums,
    );
    return isHeld ? undefined : ok(notification, { hasMsg: false, pollingFull: true });
  };

  #again(header: NotificationHeader, request: IncomingRequest): void {
    const outcome = this.notification(header, request);
    if (outcome !== undefined) request.peer.answer(request.opaque, outcome as Answer);
  }

  #hasMessage(header: NotificationHeader, topic: TopicConfig, rowFilter: RowFilter | undefined): boolean {
    if (header.queueId >= 0) {
      if (this.#hasInQueue(header, topic.topicName, header.queueId, rowFilter)) return true;
    } else if (this.#hasInTopic(header, topic, rowFilter)) return true;
    for (const name of readableRetryTopics(this.#context.settings, header.topic, header.consumerGroup)) {
      const retryTopic = this.#context.topic(name);
      if (retryTopic !== undefined && this.#hasInTopic(header, retryTopic, undefined)) return true;
    }
    return false;
  }

  #hasInTopic(header: NotificationHeader, topic: TopicConfig, rowFilter: RowFilter | undefined): boolean {
    for (let queueId = 0; queueId < topic.readQueueNums; queueId++)
      if (this.#hasInQueue(header, topic.topicName, queueId, rowFilter)) return true;
    return false;
  }

  #hasInQueue(header: NotificationHeader, topic: string, queueId: number, rowFilter: RowFilter | undefined): boolean {
    const { orders, settings } = this.#context;
    const group = header.consumerGroup;
    if (header.order === true && orders.isBlocked({ topic, group, queueId }, header.attemptId)) return false;
    const rows = this.#context.queueIfExists(topic, queueId)?.rows;
    if (rows === undefined) return false;
    const from = this.#nextOffset(topic, group, queueId);
    const backlog = rows.maxQueueOffset - from;
    if (backlog <= 0 || rowFilter === undefined || backlog >= settings.maxMessageFilterNumForNotification) return backlog > 0;
    const view = this.#rows;
    const count = rows.readRows(Math.max(from, rows.minQueueOffset), backlog, view);
    for (let place = 0; place < count; place++)
      if (!view.isBlank(place) && rowFilter(view.tagsHash(place), !view.isExtAddress(place))) return true;
    return false;
  }

  /** Where a pop would begin; a question gives a new group no position. */
  #nextOffset(topic: string, group: string, queueId: number): number {
    const known =
      this.#context.queues.queueIfKnown(topic, group, queueId)?.nextOffset ?? this.#context.offsets.position(group, topic, queueId);
    return known >= 0 ? known : (this.#context.queueIfExists(topic, queueId)?.rows.minQueueOffset ?? 0);
  }

  // --- peek ---

  readonly peek = (header: PeekHeader, request: IncomingRequest): Outcome => {
    const { topic, consumerGroup: group, queueId } = header;
    const checked = this.#check({ topic, group, queueId, consumer: request.peer.address });
    if ('slug' in checked) return checked;
    const { platform, settings } = this.#context;
    const found = new Peeked(Math.min(Math.max(header.maxMsgNums, 0), PEEK_MESSAGES_MAX));
    const chance = platform.random.below(100);
    const retryTopics = readableRetryTopics(settings, topic, group)
      .map((name) => this.#context.topic(name))
      .filter((config) => config !== undefined);
    const isRetryFirst = chance % PEEK_RETRY_FIRST === 0;
    if (isRetryFirst) for (const retryTopic of retryTopics) this.#peekTopic(found, group, retryTopic, chance);
    if (queueId < 0) this.#peekTopic(found, group, checked, chance);
    else this.#peekQueue(found, group, topic, queueId);
    if (!isRetryFirst && found.count < found.max) for (const retryTopic of retryTopics) this.#peekTopic(found, group, retryTopic, chance);
    return found.answer();
  };

  #peekTopic(found: Peeked, group: string, topic: TopicConfig, spin: number): void {
    const { readQueueNums, topicName } = topic;
    for (let place = 0; place < readQueueNums; place++)
      this.#peekQueue(found, group, topicName, queueAt(place, readQueueNums, spin, this.#context.settings.priorityOrderAsc));
  }

  #peekQueue(found: Peeked, group: string, topic: string, queueId: number): void {
    const queue = this.#context.queueIfExists(topic, queueId);
    if (queue === undefined) return;
    const from = this.#nextOffset(topic, group, queueId);
    if (found.count >= found.max || found.bytes >= POP_BYTES_MAX) {
      found.rest += Math.max(0, queue.rows.maxQueueOffset - from);
      return;
    }
    const result = this.#context.storeReader.read({
      queue,
      queueOffset: from,
      messagesMax: found.max - found.count,
      bytesMax: POP_BYTES_MAX - found.bytes,
      ...EVERY_MESSAGE,
    });
    for (let i = 0; i < result.count; i++) {
      const record = Buffer.allocUnsafe(result.sizes[i] as number);
      if (this.#context.copy(record, 0, result.physicalOffsets[i] as number, record.length)) found.add(record);
    }
    found.rest += Math.max(0, result.maxOffset - result.nextBeginOffset);
  }
}

class Peeked {
  readonly max: number;
  readonly #records: Buffer[] = [];
  bytes = 0;
  rest = 0;

  constructor(max: number) {
    this.max = max;
  }

  get count(): number {
    return this.#records.length;
  }

  add(record: Buffer): void {
    this.#records.push(record);
    this.bytes += record.length;
  }

  answer(): Answer {
    const ext = { invisibleTime: '0', restNum: String(this.rest), popTime: '0', reviveQid: '0' };
    if (this.#records.length === 0) return { code: ResponseCode.PULL_NOT_FOUND, remark: 'NO_MESSAGE_IN_QUEUE', ext };
    return { code: ResponseCode.SUCCESS, remark: 'FOUND', ext, body: Buffer.concat(this.#records) };
  }
}
