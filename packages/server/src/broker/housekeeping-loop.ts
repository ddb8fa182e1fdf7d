/** What the broker does by the clock for its tables (broker.md 28). */
import { Ticker } from '@perigee/core/kit/ticker';
import type { Clock } from '@perigee/core/platform/ports';
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

/** Expires clients and locks, writes positions, sends held-back notices, samples the counters. Sleeps where nothing is to be done. */
export class HousekeepingLoop {
  readonly #parts: LoopParts;
  readonly #clients: Ticker;
  readonly #locks: Ticker;
  readonly #notices: Ticker;
  readonly #tables: Ticker;
  readonly #filters: Ticker;
  readonly #offsets: Ticker;
  #isRetrying = false;

  constructor(platform: { readonly clock: Clock }, parts: LoopParts) {
    const { clock } = platform;
    const { producers, consumers, locks, filters, offsets } = parts;
    this.#parts = parts;
    this.#clients = new Ticker(clock, { periodMs: CLIENT_SCAN_MS, firstMs: CLIENT_SCAN_FIRST_MS }, () => {
      producers.expire();
      consumers.expire();
      return !producers.isEmpty || !consumers.isEmpty;
    });
    this.#locks = new Ticker(clock, { periodMs: LOCK_SCAN_MS }, () => {
      locks.removeExpired();
      return locks.groupCount > 0;
    });
    this.#notices = new Ticker(clock, { periodMs: NOTICE_MS, firstMs: NOTICE_FIRST_MS }, () => {
      consumers.notifyPending();
      return false;
    });
    this.#tables = new Ticker(clock, { periodMs: TABLE_RETRY_MS }, () => {
      void this.#retryTables();
      return false;
    });
    this.#filters = new Ticker(clock, { periodMs: FILTER_MS }, () => {
      void filters.persist();
      return filters.size > 0;
    });
    const offsetsMs = parts.settings.flushConsumerOffsetInterval;
    this.#offsets = new Ticker(clock, { periodMs: offsetsMs, firstMs: Math.min(OFFSET_FIRST_MS, offsetsMs) }, () => {
      void offsets.persist();
      return false;
    });
  }

  get #tickers(): Ticker[] {
    return [this.#clients, this.#locks, this.#notices, this.#tables, this.#filters, this.#offsets];
  }

  start(): void {
    const { consumers, producers, locks, offsets, filters, topics, groups, stats } = this.#parts;
    stats.start();
    producers.onUse(() => this.#clients.wake());
    consumers.onUse(() => {
      this.#clients.wake();
      this.#notices.wake();
    });
    locks.onUse(() => this.#locks.wake());
    filters.onChange(() => this.#filters.wake());
    offsets.onChange(() => this.#offsets.wake());
    for (const table of [topics, groups]) table.onWriteFailed(() => this.#tables.wake());
    for (const ticker of this.#tickers) ticker.start();
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
    for (const ticker of this.#tickers) ticker.stop();
    this.#parts.stats.stop();
    const [offsetFailure, filterFailure] = await Promise.all([this.#parts.offsets.persist(), this.#parts.filters.persist()]);
    return offsetFailure ?? filterFailure;
  }
}
