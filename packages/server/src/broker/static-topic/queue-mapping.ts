/**
 * Static topics (broker.md 25): a logical queue has the same id and offsets for ever, and lives in one physical queue after
 * the other. Each of these is an item; the last one leads, and only its broker takes messages. The rules here are pure.
 *
 * | of an item | is |
 * |---|---|
 * | logicOffset | logical offset of its first message, -1 while the mover of the queue has not decided it |
 * | startOffset | physical offset of its first message (Apache always says 0) |
 * | endOffset | physical offset behind its last message, -1 when nobody wrote it down |
 */
import type {
  LogicQueueMappingItem,
  TopicQueueMappingDetail,
  TopicQueueMappingInfo,
} from '@perigee/core/protocol/bodies/topic-queue-mapping';
import { ResponseCode } from '@perigee/core/protocol/response-code';

export type Items = readonly LogicQueueMappingItem[];

const isDecided = (item: LogicQueueMappingItem): boolean => item.logicOffset >= 0;

/** Whether `endOffset` says where the item ends. */
const isEnded = (item: LogicQueueMappingItem): boolean => item.endOffset > item.startOffset;

/** The item that takes messages, if it is on this broker. */
export function ledItem(detail: TopicQueueMappingDetail, queueId: number): LogicQueueMappingItem | undefined {
  const leader = detail.hostedQueues.get(queueId)?.at(-1);
  return leader?.bname === detail.bname ? leader : undefined;
}

/** Logical queue id → physical queue id of the queues that this broker leads. */
export function ledQueues(detail: TopicQueueMappingDetail): Map<number, number> {
  const led = new Map<number, number>();
  for (const queueId of detail.hostedQueues.keys()) {
    const leader = ledItem(detail, queueId);
    if (leader !== undefined) led.set(queueId, leader.queueId);
  }
  return led;
}

/** What a broker registers of a static topic. */
export function mappingInfoOf(detail: TopicQueueMappingDetail): TopicQueueMappingInfo {
  const { bname, epoch, scope, topic, totalQueues } = detail;
  return { bname, currIdMap: ledQueues(detail), dirty: false, epoch, scope, topic, totalQueues };
}

/** The decided item that holds a logical offset; the oldest one for what lies before it. undefined: none is decided. */
export function itemAt(items: Items, logicalOffset: number): LogicQueueMappingItem | undefined {
  return items.findLast((item) => isDecided(item) && item.logicOffset <= logicalOffset) ?? items.find(isDecided);
}

/** The newest decided item. */
export function newestItem(items: Items): LogicQueueMappingItem | undefined {
  return items.findLast(isDecided);
}

/** The decided item behind another. */
export function itemAfter(items: Items, item: LogicQueueMappingItem): LogicQueueMappingItem | undefined {
  const next = items[items.findIndex(({ gen }) => gen === item.gen) + 1];
  return next !== undefined && isDecided(next) ? next : undefined;
}

/** Logical offset of a physical one of a decided item; what lies before the item counts as its start. */
export function logicalOffset(item: LogicQueueMappingItem, physicalQueueOffset: number): number {
  return item.logicOffset + Math.max(0, physicalQueueOffset - item.startOffset);
}

/** As {@link logicalOffset}, -1 while the item is not decided, and never behind its end: what a send and a minimum answer. */
export function looseLogicalOffset(item: LogicQueueMappingItem, physicalQueueOffset: number): number {
  if (!isDecided(item)) return -1;
  const isBehind = item.endOffset >= item.startOffset && physicalQueueOffset > item.endOffset;
  return logicalOffset(item, isBehind ? item.endOffset : physicalQueueOffset);
}

/** Physical offset of a logical one; its start for what lies before the item. */
export function physicalQueueOffset(item: LogicQueueMappingItem, logicalQueueOffset: number): number {
  return item.startOffset + Math.max(0, logicalQueueOffset - item.logicOffset);
}

/** Where a read of a logical queue looks. */
export interface ReadPlace {
  readonly item: LogicQueueMappingItem;
  /** Physical. */
  readonly queueOffset: number;
  /** Messages up to the item's end. */
  readonly messagesMax: number;
}

/** Where a logical offset is read; behind the written end of an item that is the next one. undefined: no item is decided. */
export function readPlace(items: Items, logicalQueueOffset: number): ReadPlace | undefined {
  const item = itemAt(items, logicalQueueOffset);
  if (item === undefined) return undefined;
  const queueOffset = physicalQueueOffset(item, logicalQueueOffset);
  if (!isEnded(item)) return { item, queueOffset, messagesMax: Number.MAX_SAFE_INTEGER };
  const next = queueOffset < item.endOffset ? undefined : itemAfter(items, item);
  if (next !== undefined) return readPlace(items, next.logicOffset);
  return { item, queueOffset, messagesMax: Math.max(1, item.endOffset - queueOffset) };
}

/** Logical offset behind an item as far as the mapping tells. */
function knownEnd(item: LogicQueueMappingItem): number {
  return item.endOffset >= item.startOffset ? item.logicOffset + item.endOffset - item.startOffset : item.logicOffset;
}

/** What a pull of one physical queue came to; all offsets are physical. */
export interface PhysicalPull {
  /** SUCCESS or one of the PULL_ codes. */
  readonly code: number;
  /** Where the pull asked to begin. */
  readonly askedOffset: number;
  readonly nextBeginOffset: number;
  readonly minOffset: number;
  readonly maxOffset: number;
}

/** What is answered; all offsets are logical. */
export interface LogicalPull {
  readonly code: number;
  readonly nextBeginOffset: number;
  readonly minOffset: number;
  readonly maxOffset: number;
  /** To be added to the queue offsets in the records. */
  readonly offsetDelta: number;
}

/**
 * The answer to a pull of a logical queue that was read from `item`. At the end of an item that was moved away it sends
 * the consumer on to the next one; a hole at the beginning of a middle item is stepped over.
 */
export function logicalPull(items: Items, item: LogicQueueMappingItem, pull: PhysicalPull): LogicalPull {
  const leader = items.at(-1) as LogicQueueMappingItem;
  const isLeader = leader.gen === item.gen;
  let { code, nextBeginOffset } = pull;
  if (code !== ResponseCode.SUCCESS) {
    if (pull.askedOffset < pull.minOffset) {
      code = itemAt(items, 0) === item ? ResponseCode.PULL_OFFSET_MOVED : ResponseCode.PULL_RETRY_IMMEDIATELY;
      nextBeginOffset = pull.minOffset;
    } else if (!isLeader && pull.askedOffset >= pull.maxOffset) {
      const next = itemAfter(items, item);
      if (next !== undefined) return beginningOf(items, next);
      code = ResponseCode.PULL_NOT_FOUND;
      nextBeginOffset = pull.maxOffset;
    }
  }
  if (isEnded(item)) nextBeginOffset = Math.min(nextBeginOffset, item.endOffset);
  return {
    code,
    nextBeginOffset: logicalOffset(item, nextBeginOffset),
    minOffset: logicalOffset(item, pull.minOffset),
    maxOffset: Math.max(logicalOffset(item, pull.maxOffset), knownEnd(leader)),
    offsetDelta: item.logicOffset - item.startOffset,
  };
}

function beginningOf(items: Items, item: LogicQueueMappingItem): LogicalPull {
  return {
    code: ResponseCode.PULL_RETRY_IMMEDIATELY,
    nextBeginOffset: item.logicOffset,
    minOffset: item.logicOffset,
    maxOffset: Math.max(item.logicOffset, knownEnd(items.at(-1) as LogicQueueMappingItem)),
    offsetDelta: item.logicOffset - item.startOffset,
  };
}

/** A mapping that a broker was sent, and what it has. */
export interface MappingUpdate {
  readonly brokerName: string;
  readonly topic: string;
  readonly known: TopicQueueMappingDetail | undefined;
  readonly update: TopicQueueMappingDetail;
  /** Take it whatever is known; queues that it leaves out stay. */
  readonly force: boolean;
}

/** The mapping to be kept after an update, or what is wrong with it (Apache's text where it has one). */
export function mergeMapping({ brokerName, topic, known, update, force }: MappingUpdate): TopicQueueMappingDetail | string {
  if (update.bname !== brokerName) return `The mapping is for broker ${update.bname}, not for ${brokerName}`;
  if (update.topic !== topic) return `The mapping is for topic ${update.topic}, not for ${topic}`;
  const hostedQueues = new Map<number, Items>();
  for (const [queueId, items] of update.hostedQueues) {
    if (queueId < 0) return 'The field is illegal, should not be negative';
    const problem = itemsProblem(items);
    if (problem !== undefined) return problem;
    if (items.length > 0) hostedQueues.set(queueId, items);
  }
  if (known === undefined) return { ...update, hostedQueues };
  if (!force && update.epoch < known.epoch) return `Can't accept data with small epoch ${update.epoch} < ${known.epoch}`;
  if (!force && update.scope !== known.scope) return `Can't accept data with unmatched scope ${update.scope} != ${known.scope}`;
  for (const [queueId, items] of known.hostedQueues) {
    const next = hostedQueues.get(queueId);
    if (next === undefined) {
      if (!force && update.epoch === known.epoch) return 'Cannot accept equal epoch with null data';
      hostedQueues.set(queueId, items);
    } else if (!force) {
      const problem = changeProblem(items, next, update.epoch === known.epoch);
      if (problem !== undefined) return problem;
    }
  }
  return { ...update, hostedQueues };
}

/** What is wrong with the items of one logical queue. */
function itemsProblem(items: Items): string | undefined {
  for (const [index, item] of items.entries()) {
    const previous = items[index - 1];
    if (item.startOffset < 0 || item.gen < 0 || item.queueId < 0) return 'The field is illegal, should not be negative';
    if (index < items.length - 1 && !isDecided(item)) return 'The non-latest item has negative logic offset';
    if (previous !== undefined && previous.gen >= item.gen) return 'The gen does not increase monotonically';
    if (item.endOffset !== -1 && item.endOffset < item.startOffset) return 'The endOffset is smaller than the start offset';
    if (previous === undefined || !isDecided(item)) continue;
    if (previous.logicOffset >= item.logicOffset) return 'The base logic offset does not increase monotonically';
    if (knownEnd(previous) >= item.logicOffset) return 'The max logic offset does not increase monotonically';
  }
  return undefined;
}

/**
 * What a new list of items must not do to the old one: an item that both have is the same physical queue, and its logical
 * offset is decided once. (In Apache these are Java assertions, which nobody switches on.) Old items may be missing.
 */
function changeProblem(old: Items, next: Items, isSameEpoch: boolean): string | undefined {
  if (next.length === 0) return 'The new item list is null or empty';
  for (const item of next) {
    const known = old.find(({ gen }) => gen === item.gen);
    if (known === undefined) continue;
    if (known.bname !== item.bname || known.queueId !== item.queueId || known.startOffset !== item.startOffset)
      return `The item of gen ${item.gen} is in another physical queue`;
    if (isDecided(known) && known.logicOffset !== item.logicOffset) return `The logic offset of the item of gen ${item.gen} is decided`;
  }
  const [oldLeader, newLeader] = [old.at(-1), next.at(-1)];
  if (isSameEpoch && oldLeader?.gen !== newLeader?.gen) return 'The new leader is different but epoch equal';
  return undefined;
}
