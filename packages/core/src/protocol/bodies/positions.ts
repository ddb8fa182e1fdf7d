/** Bodies about positions (remoting.md 6): maps keyed by MessageQueue keep Java's object keys. */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import type { SubscriptionData } from './heartbeat.ts';
import { subscriptionDataValue } from './heartbeat.ts';
import { JsonShape } from './json-shape.ts';
import { type MessageQueue, messageQueueValue, readMessageQueue } from './message-queue.ts';

/** A queue and a queue offset in it. */
export interface QueuePosition {
  readonly queue: MessageQueue;
  readonly queueOffset: number;
}

function positionsValue(positions: readonly QueuePosition[]): JavaJsonInput {
  return new Map(positions.map(({ queue, queueOffset }) => [messageQueueValue(queue), queueOffset]));
}

/** `{"offsetTable":{{MQ}:n}}` (220, 222). */
export function encodeResetOffset(positions: readonly QueuePosition[]): Buffer {
  return Buffer.from(stringifyJavaJson({ offsetTable: positionsValue(positions) }, 'plain'));
}

/** The list that C++ clients read (220). */
export function encodeResetOffsetForC(positions: readonly QueuePosition[]): Buffer {
  const offsetTable = positions.map(({ queue, queueOffset }) => ({ ...messageQueueValue(queue), offset: queueOffset }));
  return Buffer.from(stringifyJavaJson({ offsetTable }, 'plain'));
}

/** `{"consumerTable":{clientId:{{MQ}:n}},"messageQueueTable":{}}` (223). */
export function encodeConsumerStatus(byClient: ReadonlyMap<string, readonly QueuePosition[]>): Buffer {
  const consumerTable = new Map([...byClient].map(([clientId, positions]) => [clientId, positionsValue(positions)]));
  return Buffer.from(stringifyJavaJson({ consumerTable, messageQueueTable: {} }, 'plain'));
}

/** The positions that a client answered (221). Throws BodyError. */
export function decodeClientStatus(body: Buffer): QueuePosition[] {
  const table = JsonShape.parse(body.toString('utf8'), 'GetConsumerStatusBody').field('messageQueueTable');
  const positions: QueuePosition[] = [];
  for (const [key, value] of table.objectMembers()) positions.push({ queue: readMessageQueue(key), queueOffset: value.longOr(0) });
  return positions;
}

/** Times of one queue, ms; -1: none. */
export interface QueueTimeSpan {
  readonly queue: MessageQueue;
  readonly minTimeStamp: number;
  readonly maxTimeStamp: number;
  readonly consumeTimeStamp: number;
  readonly delayTime: number;
}

/** QueryConsumeTimeSpanBody (303); `text` prints a time as `yyyy-MM-dd#HH:mm:ss:SSS`. */
export function encodeTimeSpans(spans: readonly QueueTimeSpan[], text: (timestampMs: number) => string): Buffer {
  const consumeTimeSpanSet = spans.map((span) => ({
    consumeTimeStamp: span.consumeTimeStamp,
    consumeTimeStampStr: text(span.consumeTimeStamp),
    delayTime: span.delayTime,
    maxTimeStamp: span.maxTimeStamp,
    maxTimeStampStr: text(span.maxTimeStamp),
    messageQueue: messageQueueValue(span.queue),
    minTimeStamp: span.minTimeStamp,
    minTimeStampStr: text(span.minTimeStamp),
  }));
  return Buffer.from(stringifyJavaJson({ consumeTimeSpanSet }, 'plain'));
}

/** `{"correctionOffsets":{0:1}}` (308). */
export function encodeCorrectionOffsets(offsets: ReadonlyMap<number, number | bigint>): Buffer {
  return Buffer.from(stringifyJavaJson({ correctionOffsets: offsets }, 'plain'));
}

/** A group's subscription to a topic (345). */
export function encodeSubscriptionOfGroup(group: string, topic: string, subscription: SubscriptionData | undefined): Buffer {
  const subscriptionData = subscription === undefined ? undefined : subscriptionDataValue(subscription);
  return Buffer.from(stringifyJavaJson({ group, subscriptionData, topic }, 'plain'));
}

/** A row as it is shown (321). */
export interface ShownRow {
  /** The filter of the group that was asked for lets it through. */
  readonly eval: boolean;
  readonly physicOffset: number;
  readonly physicSize: number;
  readonly tagsCode: bigint;
}

/** QueryConsumeQueueResponseBody (321). */
export function encodeConsumeQueueRows(view: {
  readonly filterData: string | undefined;
  readonly subscription: SubscriptionData | undefined;
  readonly minQueueIndex: number;
  readonly maxQueueIndex: number;
  readonly rows: readonly ShownRow[];
}): Buffer {
  return Buffer.from(
    stringifyJavaJson(
      {
        filterData: view.filterData,
        maxQueueIndex: view.maxQueueIndex,
        minQueueIndex: view.minQueueIndex,
        queueData: view.rows.map((row) => ({ ...row })),
        subscriptionData: view.subscription === undefined ? undefined : subscriptionDataValue(view.subscription),
      },
      'plain',
    ),
  );
}
