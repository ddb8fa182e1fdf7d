/** What the broker does by the clock for its tables (broker.md 28). */
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import type { BrokerParts } from './broker-parts.ts';

const CLIENT_SCAN_FIRST_MS = 10_000;
const CLIENT_SCAN_MS = 10_000;
const OFFSET_FIRST_MS = 10_000;
/** How soon the file of a table is written that the disk refused. */
const TABLE_RETRY_MS = 1_000;
const LOCK_SCAN_MS = 60_000;
const NOTICE_FIRST_MS = 30_000;
const NOTICE_MS = 15_000;
const FILTER_MS = 10_000;

type LoopParts = Pick<
  BrokerParts,
  'settings' | 'topics' | 'groups' | 'consumers' | 'producers' | 'locks' | 'offsets' | 'filters' | 'stats'
>;

/** Expires clients and locks, writes positions, sends held-back notices, samples the counters. */
export class HousekeepingLoop {
  readonly #clock: Clock;
  readonly #parts: LoopParts;
  #cancels: Cancel[] = [];
  #isRetrying = false;

  constructor(platform: { readonly clock: Clock }, parts: LoopParts) {
    this.#clock = platform.clock;
    this.#parts = parts;
  }

  start(): void {
    const { consumers, producers, locks, offsets, filters, stats, settings } = this.#parts;
    stats.start();
    this.#every(CLIENT_SCAN_MS, CLIENT_SCAN_FIRST_MS, () => {
      producers.expire();
      consumers.expire();
    });
    this.#every(LOCK_SCAN_MS, LOCK_SCAN_MS, () => locks.removeExpired());
    this.#every(NOTICE_MS, NOTICE_FIRST_MS, () => consumers.notifyPending());
    this.#every(TABLE_RETRY_MS, TABLE_RETRY_MS, () => void this.#retryTables());
    this.#every(FILTER_MS, FILTER_MS, () => void filters.persist());
    this.#every(
      settings.flushConsumerOffsetInterval,
      Math.min(OFFSET_FIRST_MS, settings.flushConsumerOffsetInterval),
      () => void offsets.persist(),
    );
  }

  /** A topic whose messages were acked must not stay out of its file because the disk was full when it was made. */
  async #retryTables(): Promise<void> {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    await this.#parts.topics.settled();
    await this.#parts.groups.settled();
    this.#isRetrying = false;
  }

  /**
   * Stops the clockwork and writes positions and filters a last time; resolves when they are on disk, with the error when
   * they are not.
   */
  async stop(): Promise<Error | undefined> {
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
    this.#parts.stats.stop();
    const [offsetFailure, filterFailure] = await Promise.all([this.#parts.offsets.persist(), this.#parts.filters.persist()]);
    return offsetFailure ?? filterFailure;
  }

  #every(periodMs: number, firstMs: number, action: () => void): void {
    this.#cancels.push(this.#clock.every(periodMs, action, firstMs));
  }
}
