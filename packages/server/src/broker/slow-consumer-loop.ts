/**
 * Slow-consumer protection (broker.md 8): with `disableConsumeIfConsumerReadSlowly`, a group whose reads lie more than
 * `consumerFallbehindThreshold` bytes behind the end of the CommitLog loses its permission to consume until somebody gives
 * it back. It reads from the device what everybody else reads from memory.
 */
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import type { StoreView } from '../store/store-view.ts';
import type { BrokerService } from './broker-service.ts';
import type { BrokerStats } from './broker-stats.ts';
import type { ConsumerOffsetTable } from './consumer-offset-table.ts';
import type { SubscriptionGroupTable } from './subscription-group-table.ts';
import type { TopicTable } from './topic-table.ts';

export const SLOW_CONSUMER_PERIOD_MS = 180_000;

export interface SlowConsumerSettings {
  readonly disableConsumeIfConsumerReadSlowly: boolean;
  readonly consumerFallbehindThreshold: number;
}

export interface SlowConsumerParts {
  readonly settings: SlowConsumerSettings;
  readonly topics: Pick<TopicTable, 'topic'>;
  readonly groups: Pick<SubscriptionGroupTable, 'group' | 'disableConsume'>;
  readonly offsets: Pick<ConsumerOffsetTable, 'position' | 'pullPosition'>;
  readonly stats: Pick<BrokerStats, 'reads'>;
  readonly store: Pick<StoreView, 'consumeQueueRow' | 'maxPhysicalOffset'>;
}

/** The queue in which a group is farthest behind. */
interface Lag {
  readonly topic: string;
  readonly queueId: number;
  readonly bytes: number;
}

export class SlowConsumerLoop implements BrokerService {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: SlowConsumerParts;
  /** Messages that a group had got from a topic at the last look, by `topic@group`. */
  #seen = new Map<string, number>();
  #cancel: Cancel | undefined;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, parts: SlowConsumerParts) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#parts = parts;
  }

  handlers(): ReturnType<BrokerService['handlers']> {
    return new Map();
  }

  start(): void {
    this.#cancel = this.#clock.every(SLOW_CONSUMER_PERIOD_MS, () => this.check());
  }

  stop(): void {
    this.#cancel?.();
  }

  /** Looks at every group that has read since the last look; one that read nothing burdens nobody, however far behind. */
  check(): void {
    const { settings, groups, stats } = this.#parts;
    const seen = new Map<string, number>();
    const worst = new Map<string, Lag>();
    for (const { group, topic, count } of stats.reads()) {
      const key = `${topic}@${group}`;
      seen.set(key, count);
      if (!settings.disableConsumeIfConsumerReadSlowly || this.#seen.get(key) === count) continue;
      const lag = this.#lag(group, topic);
      if (lag !== undefined && lag.bytes > (worst.get(group)?.bytes ?? settings.consumerFallbehindThreshold)) worst.set(group, lag);
    }
    this.#seen = seen;
    for (const [group, lag] of worst) {
      if (groups.group(group)?.consumeEnable !== true) continue;
      const why = `it reads ${lag.bytes} bytes behind the end of the CommitLog (topic ${lag.topic}, queue ${lag.queueId}), allowed are ${settings.consumerFallbehindThreshold} (consumerFallbehindThreshold)`;
      groups.disableConsume(group, why);
      this.#log.warn('a slow group may not consume any more', { group, why });
    }
  }

  /** How far behind the end a group reads in the worst queue of a topic; undefined when it has read all of them. */
  #lag(group: string, topic: string): Lag | undefined {
    const { topics, offsets, store } = this.#parts;
    const queues = topics.topic(topic)?.readQueueNums ?? 0;
    let worst: Lag | undefined;
    for (let queueId = 0; queueId < queues; queueId++) {
      const pulled = offsets.pullPosition(group, topic, queueId);
      // A pop moves the committed position alone.
      const next = pulled < 0 ? offsets.position(group, topic, queueId) : pulled;
      const row = next < 0 ? undefined : store.consumeQueueRow(topic, queueId, next);
      if (row === undefined) continue;
      const bytes = store.maxPhysicalOffset - row.physicalOffset;
      if (worst === undefined || bytes > worst.bytes) worst = { topic, queueId, bytes };
    }
    return worst;
  }
}
