/**
 * Work that repeats as long as there is any. Asleep it costs nothing, so that an idle broker does nothing, and a clock that a
 * test moves over weeks has nothing to run on the way.
 */

/** What a ticker needs of the Clock port. */
export interface TickerClock {
  monotonicMs(): number;
  after(delayMs: number, action: () => void): () => void;
}

export interface TickerTimes {
  readonly periodMs: number;
  /** Time of the first tick after the start; default: a period. */
  readonly firstMs?: number;
}

/** A period of nothing would never let time move on. */
const PERIOD_MS_MIN = 1;

export class Ticker {
  readonly #clock: TickerClock;
  readonly #periodMs: number;
  readonly #firstMs: number;
  readonly #action: () => boolean;
  readonly #tick = (): void => this.#run();
  /** Ticks are at this time, and at whole periods after it. */
  #gridMs = 0;
  /** When the last tick was due: a timer may fire a little early, and must not fire again at once. */
  #lastDueMs = Number.NEGATIVE_INFINITY;
  #dueMs = 0;
  #isStarted = false;
  #cancel: (() => void) | undefined;

  /** `action` answers whether there is more to do, or may soon be: if not, the ticker sleeps until {@link wake}. */
  constructor(clock: TickerClock, times: TickerTimes, action: () => boolean) {
    this.#clock = clock;
    this.#periodMs = Math.max(times.periodMs, PERIOD_MS_MIN);
    this.#firstMs = times.firstMs ?? this.#periodMs;
    this.#action = action;
  }

  /** Begins, awake: the first tick looks whether there is anything to do. */
  start(): void {
    this.#gridMs = this.#clock.monotonicMs() + this.#firstMs;
    this.#lastDueMs = Number.NEGATIVE_INFINITY;
    this.#isStarted = true;
    this.wake();
  }

  /** There is something to do: the next tick comes when it would have come had the ticker never slept. Cheap when awake. */
  wake(): void {
    if (this.#cancel !== undefined || !this.#isStarted) return;
    const nowMs = this.#clock.monotonicMs();
    const periods = Math.max(0, Math.floor((nowMs - this.#gridMs) / this.#periodMs) + 1);
    this.#dueMs = Math.max(this.#gridMs + periods * this.#periodMs, this.#lastDueMs + this.#periodMs);
    this.#cancel = this.#clock.after(this.#dueMs - nowMs, this.#tick);
  }

  /** Ends; {@link wake} does nothing from now on. */
  stop(): void {
    this.#isStarted = false;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #run(): void {
    this.#cancel = undefined;
    this.#lastDueMs = this.#dueMs;
    let isMore = true;
    try {
      isMore = this.#action();
    } finally {
      // An action that throws does not end the series.
      if (isMore) this.wake();
    }
  }
}
