/** Where a message goes that was not consumed: to its group's retry topic, later, or to the dead letters (broker.md 7). */
import { DLQ_PREFIX, RETRY_PREFIX, retryTopicOf } from '../names.ts';

/** From this version on the broker honours the client's own maximum (V3_4_9). */
const VERSION_OWN_MAXIMUM = 121;
/** The first retry waits for this level; each later one for the next. */
const FIRST_RETRY_LEVEL = 3;

export interface RetryTarget {
  readonly topic: string;
  readonly isDeadLetter: boolean;
  /** Delay level to store under the property DELAY; 0: none. */
  readonly delayLevel: number;
}

/** Times a message may come back: the group's number, or the client's own where it is honoured. */
export function reconsumeTimesMax(groupMax: number, clientMax: number | undefined, clientVersion: number): number {
  return clientMax !== undefined && clientVersion >= VERSION_OWN_MAXIMUM ? clientMax : groupMax;
}

/** Target of a message sent back with request 36. `delayLevel` is the client's. */
export function sendBackTarget(group: string, reconsumeTimes: number, max: number, delayLevel: number): RetryTarget {
  if (reconsumeTimes >= max || delayLevel < 0) return { topic: DLQ_PREFIX + group, isDeadLetter: true, delayLevel: 0 };
  return {
    topic: retryTopicOf(group),
    isDeadLetter: false,
    delayLevel: delayLevel === 0 ? FIRST_RETRY_LEVEL + reconsumeTimes : delayLevel,
  };
}

/** The group in the name of a retry topic: `%RETRY%group`, or `%RETRY%group+topic` of pop. */
export function groupOfRetryTopic(topic: string): string {
  const name = topic.slice(RETRY_PREFIX.length);
  const plus = name.indexOf('+');
  return plus < 0 ? name : name.slice(0, plus);
}
