/** Events per second over the last full span of some seconds. */
import type { Clock } from '@perigee/core/platform/ports';

const SPAN_MS = 5000;

export class EventRate {
  readonly #clock: Clock;
  #spanStartMs: number;
  #count = 0;
  #lastRate = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#spanStartMs = clock.monotonicMs();
  }

  add(count: number): void {
    this.#roll();
    this.#count += count;
  }

  perSecond(): number {
    this.#roll();
    return this.#lastRate;
  }

  #roll(): void {
    const elapsedMs = this.#clock.monotonicMs() - this.#spanStartMs;
    if (elapsedMs < SPAN_MS) return;
    this.#lastRate = elapsedMs < 2 * SPAN_MS ? (this.#count * 1000) / elapsedMs : 0;
    this.#count = 0;
    this.#spanStartMs += elapsedMs;
  }
}
