/**
 * Receipt handles and the info strings of a pop's answer (remoting.md 7.9).
 *
 * A handle (extraInfo of acks, property POP_CK of redelivered messages) is eight tokens joined by a space; the last one
 * may be missing, more are ignored:
 *
 * | token | |
 * |---|---|
 * | 0 | queue offset of the first message of the check point |
 * | 1 | popTime, ms |
 * | 2 | invisibleTime, ms |
 * | 3 | queue of the revive topic, 999 for ordered pops |
 * | 4 | mark of the topic: 0 itself, 1 retry topic of the first naming, 2 of the second |
 * | 5 | brokerName |
 * | 6 | queueId |
 * | 7 | queue offset of the message |
 */
import { RETRY_PREFIX } from '../names.ts';

/** `reviveQid` of ordered pops, which have no check points. */
export const REVIVE_QUEUE_ORDER = 999;

/** Which topic a message was read from. */
export type TopicMark = '0' | '1' | '2';

export interface ReceiptHandle {
  readonly startOffset: number;
  readonly popTimeMs: number;
  readonly invisibleMs: number;
  readonly reviveQueueId: number;
  readonly mark: TopicMark;
  readonly brokerName: string;
  readonly queueId: number;
  /** Missing in handles of old clients. */
  readonly queueOffset: number | undefined;
}

const TOKENS_MIN = 7;
const DECIMAL = /^-?\d{1,15}$/;

function integer(token: string | undefined): number {
  return token !== undefined && DECIMAL.test(token) ? Number(token) : Number.NaN;
}

/** Reads a handle; undefined when it is none. */
export function parseReceiptHandle(text: string): ReceiptHandle | undefined {
  const tokens = text.split(' ');
  if (tokens.length < TOKENS_MIN) return undefined;
  const startOffset = integer(tokens[0]);
  const popTimeMs = integer(tokens[1]);
  const invisibleMs = integer(tokens[2]);
  const reviveQueueId = integer(tokens[3]);
  const mark = tokens[4];
  const queueId = integer(tokens[6]);
  const queueOffset = tokens.length > TOKENS_MIN ? integer(tokens[7]) : undefined;
  // One NaN makes the sum NaN.
  if (Number.isNaN(startOffset + popTimeMs + invisibleMs + reviveQueueId + queueId + (queueOffset ?? 0))) return undefined;
  if (mark !== '0' && mark !== '1' && mark !== '2') return undefined;
  return { startOffset, popTimeMs, invisibleMs, reviveQueueId, mark, brokerName: tokens[5] as string, queueId, queueOffset };
}

/** The text of a handle. */
export function formatReceiptHandle(handle: ReceiptHandle): string {
  const { startOffset, popTimeMs, invisibleMs, reviveQueueId, mark, brokerName, queueId, queueOffset } = handle;
  const head = `${startOffset} ${popTimeMs} ${invisibleMs} ${reviveQueueId} ${mark} ${brokerName} ${queueId}`;
  return queueOffset === undefined ? head : `${head} ${queueOffset}`;
}

/** The two names of the topic that redeliveries of a group wait in. */
export function popRetryTopic(topic: string, group: string, naming: 1 | 2): string {
  return `${RETRY_PREFIX}${group}${naming === 1 ? '_' : '+'}${topic}`;
}

/** The mark of a topic by its name. */
export function topicMark(topic: string): TopicMark {
  if (!topic.startsWith(RETRY_PREFIX)) return '0';
  return topic.includes('+') ? '2' : '1';
}

/** The topic that a group's messages with that mark lie in. */
export function markedTopic(topic: string, group: string, mark: TopicMark): string {
  return mark === '0' ? topic : popRetryTopic(topic, group, mark === '1' ? 1 : 2);
}

/** The topic that a retry topic of the group belongs to; the topic itself when it is no retry topic of that group. */
export function normalTopic(topic: string, group: string): string {
  for (const naming of [1, 2] as const) {
    const prefix = popRetryTopic('', group, naming);
    if (topic.startsWith(prefix) && topic.length > prefix.length) return topic.slice(prefix.length);
  }
  return topic;
}
