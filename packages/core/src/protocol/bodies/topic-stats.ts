/** Bounds of the queues of a topic: `{"offsetTable":{{MQ}:{…}},"topicPutTps":0.0}` (remoting.md 6, TopicStatsTable). */
import { JavaDouble, type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { type MessageQueue, messageQueueValue } from './message-queue.ts';

export interface QueueBounds {
  readonly queue: MessageQueue;
  readonly minOffset: number;
  /** Next queue offset to be assigned. */
  readonly maxOffset: number;
  /** Store time of the newest message, 0 when there is none, ms. */
  readonly lastUpdateTimestamp: number;
}

export interface TopicStats {
  readonly queues: readonly QueueBounds[];
  /** Messages a second over the last minute. */
  readonly topicPutTps: number;
}

export function encodeTopicStats(stats: TopicStats): Buffer {
  const offsetTable = new Map<object, JavaJsonInput>();
  for (const bounds of stats.queues) {
    offsetTable.set(messageQueueValue(bounds.queue), {
      lastUpdateTimestamp: bounds.lastUpdateTimestamp,
      maxOffset: bounds.maxOffset,
      minOffset: bounds.minOffset,
    });
  }
  return Buffer.from(stringifyJavaJson({ offsetTable, topicPutTps: new JavaDouble(stats.topicPutTps) }, 'plain'));
}

/** One figure over one span: sum, per second, per call. */
export interface StatsFigure {
  /** A long in Java: written as a whole number. */
  readonly sum: number;
  readonly tps: number;
  readonly avgpt: number;
}

function figureValue(figure: StatsFigure): JavaJsonInput {
  return { avgpt: new JavaDouble(figure.avgpt), sum: Math.round(figure.sum), tps: new JavaDouble(figure.tps) };
}

/** The answer to VIEW_BROKER_STATS_DATA (BrokerStatsData). */
export function encodeBrokerStatsData(data: {
  readonly minute: StatsFigure;
  readonly hour: StatsFigure;
  readonly day: StatsFigure;
}): Buffer {
  const value = { statsDay: figureValue(data.day), statsHour: figureValue(data.hour), statsMinute: figureValue(data.minute) };
  return Buffer.from(stringifyJavaJson(value, 'plain'));
}
