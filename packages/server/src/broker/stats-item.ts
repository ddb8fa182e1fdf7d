/** Counters that remember their recent past (broker.md 23): 10 s × 7 = a minute, 10 min × 7 = an hour, 1 h × 25 = a day. */
import type { StatsFigure } from '@perigee/core/protocol/bodies/topic-stats';

/** Spans over which a figure is given. */
export type StatsSpan = 'minute' | 'hour' | 'day';

export const SAMPLE_PERIOD_MS: Readonly<Record<StatsSpan, number>> = { minute: 10_000, hour: 600_000, day: 3_600_000 };
const SAMPLES_KEPT: Readonly<Record<StatsSpan, number>> = { minute: 7, hour: 7, day: 25 };

interface Sample {
  atMs: number;
  readonly sum: number;
  readonly times: number;
}

const NO_FIGURE: StatsFigure = { sum: 0, tps: 0, avgpt: 0 };

/** One counter. The hot path only adds to its two numbers. */
export class StatsItem {
  /** What was counted, over all time. */
  sum = 0;
  /** How often something was counted. */
  times = 0;
  readonly #samples: Record<StatsSpan, Sample[]> = { minute: [], hour: [], day: [] };

  /** Adds `amount`, counted as one call. */
  add(amount: number): void {
    this.sum += amount;
    this.times++;
  }

  /**
   * Remembers the counter as it is now. Before the first sample the counter is taken to have been 0. Answers whether the span
   * can show anything but zeros: sampling may pause when it can not, and go on when something is counted.
   */
  sample(span: StatsSpan, nowMs: number): boolean {
    const samples = this.#samples[span];
    const periodMs = SAMPLE_PERIOD_MS[span];
    if (samples.length === 0) samples.push({ atMs: nowMs - periodMs, sum: 0, times: 0 });
    if (this.#isQuiet(span)) for (const [place, sample] of samples.entries()) sample.atMs = nowMs - periodMs * (samples.length - place);
    samples.push({ atMs: nowMs, sum: this.sum, times: this.times });
    if (samples.length > SAMPLES_KEPT[span]) samples.shift();
    return !this.#isQuiet(span);
  }

  /** Nothing was counted between the oldest and the newest of all the samples that are kept. */
  #isQuiet(span: StatsSpan): boolean {
    const samples = this.#samples[span];
    return samples.length === SAMPLES_KEPT[span] && samples[0]!.times === samples[samples.length - 1]!.times;
  }

  /** Sum, per second and per call, between the oldest and the newest sample of a span. */
  figure(span: StatsSpan): StatsFigure {
    const samples = this.#samples[span];
    const first = samples[0];
    const last = samples.at(-1);
    if (first === undefined || last === undefined) return NO_FIGURE;
    const sum = last.sum - first.sum;
    const times = last.times - first.times;
    const tookMs = last.atMs - first.atMs;
    return { sum, tps: tookMs > 0 ? (sum * 1000) / tookMs : 0, avgpt: times > 0 ? sum / times : 0 };
  }
}
