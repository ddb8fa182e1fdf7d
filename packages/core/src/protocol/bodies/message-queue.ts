/** `{"brokerName":"b","queueId":0,"topic":"T"}` (remoting.md 6): one queue of a topic on one broker. */
import type { JavaJsonInput } from '../../kit/java-json.ts';
import type { JsonShape } from './json-shape.ts';

export interface MessageQueue {
  readonly brokerName: string;
  readonly queueId: number;
  readonly topic: string;
}

/** The JSON value, members in Java's order; as a map key it makes the object key that every Java version reads. */
export function messageQueueValue(queue: MessageQueue): { readonly [key: string]: JavaJsonInput } {
  return { brokerName: queue.brokerName, queueId: queue.queueId, topic: queue.topic };
}

/** Reads it. Throws BodyError. */
export function readMessageQueue(at: JsonShape): MessageQueue {
  return { brokerName: at.field('brokerName').stringOr(''), queueId: at.field('queueId').intOr(0), topic: at.field('topic').string() };
}
