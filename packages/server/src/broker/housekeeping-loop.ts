/** What the broker does by the clock for its tables (broker.md 28). */
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import type { BrokerParts } from './broker-parts.ts';

const CLIENT_SCAN_FIRST_MS = 10_000;
const CLIENT_SCAN_MS = 10_000;
const OFFSET_FIRST_MS = 10_000;
const LOCK_SCAN_MS = 60_000;
const NOTICE_FIRST_MS = 30_000;
const NOTICE_MS = 15_000;

type LoopParts = Pick<BrokerParts, 'settings' | 'consumers' | 'producers' | 'locks' | 'offsets' | 'stats'>;

/** Expires clients and locks, writes positions, sends held-back notices, samples the counters. */
export class HousekeepingLoop {
  readonly #clock: Clock;
  readonly #parts: LoopParts;
  #cancels: Cancel[] = [];

  constructor(platform: { readonly clock: Clock }, parts: LoopParts) {
    this.#clock = platform.clock;
    this.#parts = parts;
  }

  start(): void {
    const { consumers, producers, locks, offsets, stats, settings } = this.#parts;
    stats.start();
    this.#every(CLIENT_SCAN_MS, CLIENT_SCAN_FIRST_MS, () => {
      producers.expire();
      consumers.expire();
    });
    this.#every(LOCK_SCAN_MS, LOCK_SCAN_MS, () => locks.removeExpired());
    this.#every(NOTICE_MS, NOTICE_FIRST_MS, () => consumers.notifyPending());
    this.#every(
      settings.flushConsumerOffsetInterval,
      Math.min(OFFSET_FIRST_MS, settings.flushConsumerOffsetInterval),
      () => void offsets.persist(),
    );
  }

  /** Stops the clockwork and writes the positions a last time; resolves when they are on disk, with the error when they are not. */
  async stop(): Promise<Error | undefined> {
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
    this.#parts.stats.stop();
    return await this.#parts.offsets.persist();
  }

  #every(periodMs: number, firstMs: number, action: () => void): void {
    this.#cancels.push(this.#clock.every(periodMs, action, firstMs));
  }
}
