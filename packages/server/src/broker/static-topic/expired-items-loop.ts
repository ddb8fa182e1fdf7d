/**
 * Forgets the oldest part of a logical queue when it has no messages any more, so that its broker need not run for ever
 * (Apache does so in the hour of `deleteWhen` only).
 */
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import type { LogicQueueMappingItem, TopicQueueMappingDetail } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { type Items, ledItem } from './queue-mapping.ts';
import type { QueueMappingTable } from './queue-mapping-table.ts';

/** Messages expire by the file, hours after they were stored; there is no hurry. */
const PERIOD_MS = 5 * 60_000;

export interface ExpiredItemsParts {
  readonly mappings: QueueMappingTable;
  /** Bounds of a part, here or at its broker. */
  readonly boundsOf: (topic: string, item: LogicQueueMappingItem) => Promise<{ readonly min: number; readonly max: number } | Refusal>;
}

export class ExpiredItemsLoop {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: ExpiredItemsParts;
  #cancel: Cancel | undefined;
  #running = false;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, parts: ExpiredItemsParts) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#parts = parts;
  }

  start(): void {
    this.#cancel = this.#clock.every(PERIOD_MS, () => void this.run());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Looks at the oldest part of every queue that is led here. One look at a time. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (const detail of [...this.#parts.mappings.mappings().values()])
        for (const [queueId, items] of detail.hostedQueues)
          if (ledItem(detail, queueId) !== undefined) await this.#look(detail, queueId, items);
    } finally {
      this.#running = false;
    }
  }

  async #look({ topic }: TopicQueueMappingDetail, queueId: number, items: Items): Promise<void> {
    const [oldest, next] = items;
    if (oldest === undefined || next === undefined || next.logicOffset < 0) return;
    const bounds = await this.#parts.boundsOf(topic, oldest);
    if ('slug' in bounds || bounds.min < bounds.max) return;
    // Meanwhile the mapping may have been replaced.
    const now = this.#parts.mappings.mapping(topic);
    if (now?.hostedQueues.get(queueId) !== items) return;
    this.#parts.mappings.put({ ...now, hostedQueues: new Map(now.hostedQueues).set(queueId, items.slice(1)) });
    this.#log.info('the oldest part of a logical queue has no messages any more', { topic, queueId, broker: oldest.bname });
  }
}
