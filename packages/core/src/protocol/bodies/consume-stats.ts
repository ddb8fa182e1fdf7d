/** How far a group is: `{"consumeTps":0.0,"offsetTable":{{MQ}:{…}}}` (remoting.md 6, ConsumeStats). */
import { JavaDouble, type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { type MessageQueue, messageQueueValue } from './message-queue.ts';

export interface ConsumeQueueProgress {
  readonly queue: MessageQueue;
  /** Next queue offset to be assigned. */
  readonly brokerOffset: number;
  /** Committed position, 0 when there is none. */
  readonly consumerOffset: number;
  /** Position of the last pull, 0 when there is none. */
  readonly pullOffset: number;
  /** Store time of the last consumed message, 0 when unknown, ms. */
  readonly lastTimestamp: number;
}

export interface ConsumeStats {
  /** Messages a second over the last minute. */
  readonly consumeTps: number;
  readonly queues: readonly ConsumeQueueProgress[];
}

export function encodeConsumeStats(stats: ConsumeStats): Buffer {
  const offsetTable = new Map<object, JavaJsonInput>();
  for (const progress of stats.queues) {
    offsetTable.set(messageQueueValue(progress.queue), {
      brokerOffset: progress.brokerOffset,
      consumerOffset: progress.consumerOffset,
      lastTimestamp: progress.lastTimestamp,
      pullOffset: progress.pullOffset,
    });
  }
  return Buffer.from(stringifyJavaJson({ consumeTps: new JavaDouble(stats.consumeTps), offsetTable }, 'plain'));
}
