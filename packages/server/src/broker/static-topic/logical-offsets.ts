/** Positions and bounds of logical queues: 14, 15, 29 to 32 (broker.md 25). What an older broker has is asked of it. */
import type { LogicQueueMappingItem } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import type { Command, Fields, HeaderOf, RequestOf } from '@perigee/core/protocol/command';
import { HeaderFieldError, readHeader, writeHeader } from '@perigee/core/protocol/command';
import {
  getEarliestMsgStoretime,
  getMaxOffset,
  getMinOffset,
  queryConsumerOffset,
  searchOffsetByTimestamp,
  updateConsumerOffset,
} from '@perigee/core/protocol/commands/offset';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, type Outcome, ok } from '@perigee/core/remoting/handler';
import type { StoreView } from '../../store/store-view.ts';
import type { ConsumerOffsetTable } from '../consumer-offset-table.ts';
import type { PeerBrokers } from './peer-brokers.ts';
import { type Items, itemAt, ledItem, logicalOffset, looseLogicalOffset, newestItem, physicalQueueOffset } from './queue-mapping.ts';
import type { QueueMappingTable } from './queue-mapping-table.ts';
import { moveUnderWay, notLeaderForMinimum, notLeaderForRequest, peerFailed } from './static-topic-refusals.ts';

export interface LogicalOffsetsParts {
  readonly mappings: QueueMappingTable;
  readonly peers: PeerBrokers;
  readonly store: Pick<StoreView, 'maxQueueOffset' | 'minQueueOffset' | 'queueOffsetByTime' | 'earliestStoreTimestamp'>;
  readonly offsets: Pick<ConsumerOffsetTable, 'position' | 'pendingReset'>;
}

/** A logical queue that is led here. */
interface Led {
  readonly topic: string;
  readonly queueId: number;
  readonly brokerName: string;
  readonly items: Items;
}

interface Asked {
  readonly topic: string;
  readonly queueId?: number | undefined;
  readonly lo?: boolean | undefined;
}

/** Each answers undefined when the queue id is a physical one: the topic is not static, or the request says `lo=false`. */
export class LogicalOffsets {
  readonly #parts: LogicalOffsetsParts;

  constructor(parts: LogicalOffsetsParts) {
    this.#parts = parts;
  }

  /** QUERY_CONSUMER_OFFSET; `local` serves it for a physical queue of this broker. */
  query(header: RequestOf<typeof queryConsumerOffset>, local: (header: RequestOf<typeof queryConsumerOffset>) => Answer): Outcome {
    const led = this.#led(header, notLeaderForRequest);
    if (led === undefined || 'slug' in led) return led;
    const [first] = led.items as readonly [LogicQueueMappingItem];
    if (led.items.length === 1 && first.logicOffset === 0) return local({ ...header, queueId: first.queueId });
    return this.#query(header, led);
  }

  /** The newest part of the queue that the group has a position in. */
  async #query(header: RequestOf<typeof queryConsumerOffset>, led: Led): Promise<Answer> {
    const { offsets } = this.#parts;
    for (const item of led.items.toReversed()) {
      if (item.logicOffset < 0) continue;
      let position: number;
      if (item.bname === led.brokerName) {
        const { consumerGroup, topic } = header;
        position = offsets.pendingReset(consumerGroup, topic, item.queueId) ?? offsets.position(consumerGroup, topic, item.queueId);
      } else {
        const asked = { ...header, queueId: item.queueId, lo: false, setZeroIfNotFound: false };
        const answer = await this.#ask(item, header.topic, queryConsumerOffset, asked, [ResponseCode.QUERY_NOT_FOUND]);
        if ('slug' in answer) return answer;
        position = answer.offset ?? -1;
      }
      if (position >= 0) return ok(queryConsumerOffset, { offset: logicalOffset(item, position) });
    }
    return refusal({
      slug: 'position-not-stored',
      code: ResponseCode.QUERY_NOT_FOUND,
      legacy: 'Not found, maybe this group consumer boot first',
      cause: 'the group has committed no position in this queue',
      remedy: 'nothing; the client asks where the queue begins or ends',
      ext: {},
    });
  }

  /** UPDATE_CONSUMER_OFFSET: the position goes to the physical queue that it points into. */
  update(header: RequestOf<typeof updateConsumerOffset>, local: (header: RequestOf<typeof updateConsumerOffset>) => Answer): Outcome {
    const led = this.#led(header, notLeaderForRequest);
    if (led === undefined || 'slug' in led) return led;
    // What is missing or negative is refused as for any topic.
    if (header.commitOffset === undefined || header.commitOffset < 0) return local(header);
    const item = itemAt(led.items, header.commitOffset);
    if (item === undefined) return moveUnderWay(led);
    const physical = { ...header, queueId: item.queueId, commitOffset: physicalQueueOffset(item, header.commitOffset) };
    return item.bname === led.brokerName ? local(physical) : this.#updateAt(item, { ...physical, lo: false });
  }

  async #updateAt(item: LogicQueueMappingItem, header: RequestOf<typeof updateConsumerOffset>): Promise<Answer> {
    const ext = { ...writeHeader(updateConsumerOffset.request, header), bname: item.bname };
    const answer = await this.#parts.peers.forward(item.bname, header.topic, { code: updateConsumerOffset.code, ext });
    return 'slug' in answer ? answer : { code: answer.code, remark: answer.remark, ext: {} };
  }

  /** GET_MAX_OFFSET: the end of the newest part. */
  max(header: RequestOf<typeof getMaxOffset>): Outcome {
    const led = this.#led(header, notLeaderForRequest);
    if (led === undefined || 'slug' in led) return led;
    const item = newestItem(led.items);
    if (item === undefined) return moveUnderWay(led);
    return this.#max(led, item, (offset) => ok(getMaxOffset, { offset: logicalOffset(item, offset) }));
  }

  #max<T>(led: Led, item: LogicQueueMappingItem, use: (physical: number) => T): T | Promise<T | Refusal> {
    const { store } = this.#parts;
    if (item.bname === led.brokerName) return use(store.maxQueueOffset(led.topic, item.queueId));
    const asked = { topic: led.topic, queueId: item.queueId, lo: false };
    return this.#ask(item, led.topic, getMaxOffset, asked).then((answer) => ('slug' in answer ? answer : use(answer.offset ?? 0)));
  }

  /** Physical bounds of a part of a queue that `brokerName` (this broker) knows of. */
  async boundsOf(brokerName: string, topic: string, item: LogicQueueMappingItem): Promise<{ min: number; max: number } | Refusal> {
    const { store } = this.#parts;
    const { queueId, bname } = item;
    if (bname === brokerName) return { min: store.minQueueOffset(topic, queueId), max: store.maxQueueOffset(topic, queueId) };
    const asked = { topic, queueId, lo: false };
    const min = await this.#ask(item, topic, getMinOffset, asked);
    if ('slug' in min) return min;
    const max = await this.#ask(item, topic, getMaxOffset, asked);
    // A broker that answers without an offset has not said that nothing is there.
    return 'slug' in max ? max : { min: min.offset ?? 0, max: max.offset ?? Number.MAX_SAFE_INTEGER };
  }

  /** GET_MIN_OFFSET: the beginning of the oldest part. */
  min(header: RequestOf<typeof getMinOffset>): Outcome {
    const led = this.#led(header, (queue) => notLeaderForMinimum(queue, getMinOffset.code));
    if (led === undefined || 'slug' in led) return led;
    const item = itemAt(led.items, 0);
    if (item === undefined) return moveUnderWay(led);
    const use = (physical: number): Answer => ok(getMinOffset, { offset: looseLogicalOffset(item, physical) });
    if (item.bname === led.brokerName) return use(this.#parts.store.minQueueOffset(led.topic, item.queueId));
    const asked = { topic: led.topic, queueId: item.queueId, lo: false };
    return this.#ask(item, led.topic, getMinOffset, asked).then((answer) => ('slug' in answer ? answer : use(answer.offset ?? 0)));
  }

  /** GET_EARLIEST_MSG_STORETIME: of the first part that has a message. */
  earliest(header: RequestOf<typeof getEarliestMsgStoretime>): Outcome {
    const led = this.#led(header, notLeaderForRequest);
    return led === undefined || 'slug' in led ? led : this.#earliest(led);
  }

  async #earliest(led: Led): Promise<Answer> {
    for (const item of led.items) {
      if (item.logicOffset < 0) continue;
      const timestamp = await this.#earliestOf(led, item);
      if (typeof timestamp !== 'number') return timestamp;
      if (timestamp >= 0) return ok(getEarliestMsgStoretime, { timestamp });
    }
    return ok(getEarliestMsgStoretime, { timestamp: -1 });
  }

  async #earliestOf(led: Led, item: LogicQueueMappingItem): Promise<number | Refusal> {
    if (item.bname === led.brokerName) return this.#parts.store.earliestStoreTimestamp(led.topic, item.queueId);
    const asked = { topic: led.topic, queueId: item.queueId, lo: false };
    const answer = await this.#ask(item, led.topic, getEarliestMsgStoretime, asked);
    return 'slug' in answer ? answer : (answer.timestamp ?? -1);
  }

  /** SEARCH_OFFSET_BY_TIMESTAMP over all parts. */
  search(header: RequestOf<typeof searchOffsetByTimestamp>): Outcome {
    const led = this.#led(header, notLeaderForRequest);
    if (led === undefined || 'slug' in led) return led;
    return header.boundaryType?.toLowerCase() === 'upper' ? this.#searchUpper(header, led) : this.#searchLower(header, led);
  }

  /** The first message at or after the time: in the first part that has one, otherwise behind the last. */
  async #searchLower(header: RequestOf<typeof searchOffsetByTimestamp>, led: Led): Promise<Answer> {
    let offset = 0;
    for (const item of led.items) {
      if (item.logicOffset < 0) continue;
      const found = await this.#searchIn(header, led, item);
      if (typeof found !== 'number') return found;
      const end = await this.#max(led, item, (physical) => physical);
      if (typeof end !== 'number') return end;
      offset = logicalOffset(item, found);
      if (found < end) break;
    }
    return ok(searchOffsetByTimestamp, { offset });
  }

  /** The last message at or before the time: in the last part that began by then. */
  async #searchUpper(header: RequestOf<typeof searchOffsetByTimestamp>, led: Led): Promise<Answer> {
    const oldest = itemAt(led.items, 0);
    if (oldest === undefined) return moveUnderWay(led);
    let place = oldest;
    for (const item of led.items) {
      if (item.logicOffset < 0) continue;
      const begun = await this.#earliestOf(led, item);
      if (typeof begun !== 'number') return begun;
      if (begun >= 0 && begun <= header.timestamp) place = item;
    }
    const found = await this.#searchIn(header, led, place);
    return typeof found === 'number' ? ok(searchOffsetByTimestamp, { offset: logicalOffset(place, found) }) : found;
  }

  async #searchIn(header: RequestOf<typeof searchOffsetByTimestamp>, led: Led, item: LogicQueueMappingItem): Promise<number | Refusal> {
    if (item.bname === led.brokerName) {
      const boundary = header.boundaryType?.toLowerCase() === 'upper' ? 'upper' : 'lower';
      return this.#parts.store.queueOffsetByTime(led.topic, item.queueId, header.timestamp, boundary);
    }
    const answer = await this.#ask(item, led.topic, searchOffsetByTimestamp, { ...header, queueId: item.queueId, lo: false });
    return 'slug' in answer ? answer : (answer.offset ?? 0);
  }

  /** The queue if it is logical and led here; otherwise what `refuse` says; undefined for a physical one. */
  #led({ topic, queueId, lo }: Asked, refuse: (queue: Omit<Led, 'items'>) => Refusal): Led | Refusal | undefined {
    if (lo === false || queueId === undefined) return undefined;
    const detail = this.#parts.mappings.mapping(topic);
    if (detail === undefined) return undefined;
    const queue = { topic, queueId, brokerName: detail.bname };
    const items = detail.hostedQueues.get(queueId);
    return items === undefined || ledItem(detail, queueId) === undefined ? refuse(queue) : { ...queue, items };
  }

  /** The header of the answer that another broker gives; an empty one for the other codes that are expected. */
  async #ask<Q extends Fields, S extends Fields>(
    item: LogicQueueMappingItem,
    topic: string,
    declared: Command<Q, S>,
    header: HeaderOf<Q>,
    alsoExpected: readonly number[] = [],
  ): Promise<Partial<HeaderOf<S>> | Refusal> {
    const ext = { ...writeHeader(declared.request, header), bname: item.bname };
    const answer = await this.#parts.peers.forward(item.bname, topic, { code: declared.code, ext });
    if ('slug' in answer) return answer;
    if (alsoExpected.includes(answer.code)) return {};
    if (answer.code !== ResponseCode.SUCCESS)
      return peerFailed(item.bname, item.bname, `it answers code ${answer.code}: ${answer.remark ?? ''}`);
    try {
      return readHeader(declared.name, declared.response, answer.ext);
    } catch (error) {
      if (!(error instanceof HeaderFieldError)) throw error;
      return peerFailed(item.bname, item.bname, error.message);
    }
  }
}
