/** Pulls of logical queues (broker.md 25): where they are read, and what they answer when that is at another broker. */
import type { LogicQueueMappingItem } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import { HeaderFieldError, type RequestOf, type ResponseOf, readHeader, writeHeader } from '@perigee/core/protocol/command';
import { PULL_COMMIT_OFFSET, PULL_SUSPEND, pullMessage } from '@perigee/core/protocol/commands/pull';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { Answer } from '@perigee/core/remoting/handler';
import type { PeerBrokers } from './peer-brokers.ts';
import { type Items, itemAt, ledItem, logicalPull, physicalQueueOffset, readPlace } from './queue-mapping.ts';
import type { QueueMappingTable } from './queue-mapping-table.ts';
import { moveUnderWay, notLeaderForPull, peerFailed } from './static-topic-refusals.ts';

/** A pull that found nothing at another broker is answered after this long, lest the client asks without a pause, ms. */
const NOTHING_THERE_MS = 500;

/** What a pull answers with where a consumer goes on; anything else is passed on as it is. */
const PULL_CODES: readonly number[] = [
  ResponseCode.SUCCESS,
  ResponseCode.PULL_NOT_FOUND,
  ResponseCode.PULL_RETRY_IMMEDIATELY,
  ResponseCode.PULL_OFFSET_MOVED,
];

/** The physical place of a pull. */
export interface PullPlace {
  readonly items: Items;
  readonly item: LogicQueueMappingItem;
  readonly isHere: boolean;
  readonly queueId: number;
  readonly queueOffset: number;
  /** Messages up to the end of the item. */
  readonly messagesMax: number;
}

export interface QueueAsked {
  readonly topic: string;
  readonly queueId: number;
  readonly queueOffset: number;
}

/** Where a logical offset of a pulled queue is committed, if that is at this broker. */
export function committedHere(place: PullPlace, logicalQueueOffset: number): { queueId: number; queueOffset: number } | undefined {
  const item = itemAt(place.items, logicalQueueOffset);
  if (item === undefined || item.bname !== place.items.at(-1)?.bname) return undefined;
  return { queueId: item.queueId, queueOffset: physicalQueueOffset(item, logicalQueueOffset) };
}

export class LogicalPulls {
  readonly #mappings: QueueMappingTable;
  readonly #peers: PeerBrokers;
  readonly #sleep: (delayMs: number) => Promise<void>;

  constructor(parts: { mappings: QueueMappingTable; peers: PeerBrokers; sleep: (delayMs: number) => Promise<void> }) {
    this.#mappings = parts.mappings;
    this.#peers = parts.peers;
    this.#sleep = parts.sleep;
  }

  /** Whether no topic is static. */
  get isEmpty(): boolean {
    return this.#mappings.size === 0;
  }

  /** Where a pull is read; undefined when the topic is not static. */
  place({ topic, queueId, queueOffset }: QueueAsked): PullPlace | Refusal | undefined {
    const detail = this.#mappings.mapping(topic);
    if (detail === undefined) return undefined;
    const queue = { topic, queueId, brokerName: detail.bname };
    const items = detail.hostedQueues.get(queueId);
    if (items === undefined || ledItem(detail, queueId) === undefined) return notLeaderForPull(queue);
    const place = readPlace(items, queueOffset);
    if (place === undefined) return moveUnderWay(queue);
    const { item, messagesMax } = place;
    return { items, item, isHere: item.bname === detail.bname, queueId: item.queueId, queueOffset: place.queueOffset, messagesMax };
  }

  /** Pulls at the broker that holds the item; `header` is the client's, with its logical queue. */
  async forward(place: PullPlace, header: RequestOf<typeof pullMessage>): Promise<Answer> {
    const { item, queueId, queueOffset } = place;
    const asked = {
      ...header,
      queueId,
      queueOffset,
      maxMsgNums: Math.min(header.maxMsgNums, place.messagesMax),
      sysFlag: header.sysFlag & ~(PULL_SUSPEND | PULL_COMMIT_OFFSET),
      brokerName: item.bname,
      lo: false,
    };
    const request = { code: pullMessage.code, ext: writeHeader(pullMessage.request, asked) };
    const answer = await this.#peers.forward(item.bname, header.topic, request);
    if ('slug' in answer) return answer;
    if (!PULL_CODES.includes(answer.code)) return { code: answer.code, remark: answer.remark, ext: answer.ext };
    let found: ResponseOf<typeof pullMessage>;
    try {
      found = readHeader(pullMessage.name, pullMessage.response, answer.ext);
    } catch (error) {
      if (!(error instanceof HeaderFieldError)) throw error;
      return peerFailed(item.bname, item.bname, error.message);
    }
    const logical = logicalPull(place.items, item, { ...found, code: answer.code, askedOffset: queueOffset });
    if (logical.code === ResponseCode.PULL_NOT_FOUND && (header.sysFlag & PULL_SUSPEND) !== 0)
      await this.#sleep(Math.min(NOTHING_THERE_MS, Math.max(0, header.suspendTimeoutMillis)));
    const { code, ...offsets } = logical;
    return {
      code,
      remark: answer.remark,
      ext: writeHeader(pullMessage.response, { ...found, ...offsets, suggestWhichBrokerId: 0 }),
      body: code === ResponseCode.SUCCESS ? answer.body : undefined,
    };
  }
}
