/**
 * How long puts take, in a fixed array: 0.1 ms steps below 10 ms, 1 ms below 100 ms, 10 ms below 1 s, 100 ms below 10 s.
 */

const FINE = 100;
const STEPS = 90;
const BUCKETS = FINE + 3 * STEPS + 1;

/** Upper bounds of Apache's distribution, ms, exclusive except the first (broker.md 23). */
const DISTRIBUTION: readonly (readonly [label: string, belowMs: number])[] = [
  ['[<=0ms]', 0],
  ['[0~10ms]', 10],
  ['[10~50ms]', 50],
  ['[50~100ms]', 100],
  ['[100~200ms]', 200],
  ['[200~500ms]', 500],
  ['[500ms~1s]', 1000],
  ['[1~2s]', 2000],
  ['[2~3s]', 3000],
  ['[3~4s]', 4000],
  ['[4~5s]', 5000],
  ['[5~10s]', 10_000],
  ['[10s~]', Number.POSITIVE_INFINITY],
];
/** Apache counts whole milliseconds: what takes less than one is its "<=0ms". */
const WHOLE_MS = 1;

function bucketOf(ms: number): number {
  if (ms < 10) return ms <= 0 ? 0 : Math.floor(ms * 10);
  if (ms < 100) return FINE + Math.floor(ms - 10);
  if (ms < 1000) return FINE + STEPS + Math.floor((ms - 100) / 10);
  if (ms < 10_000) return FINE + 2 * STEPS + Math.floor((ms - 1000) / 100);
  return BUCKETS - 1;
}

/** Lower bound of a bucket, ms. */
function floorOf(bucket: number): number {
  if (bucket < FINE) return bucket / 10;
  if (bucket < FINE + STEPS) return bucket - FINE + 10;
  if (bucket < FINE + 2 * STEPS) return (bucket - FINE - STEPS) * 10 + 100;
  return (bucket - FINE - 2 * STEPS) * 100 + 1000;
}

export class LatencyHistogram {
  #current = new Float64Array(BUCKETS);
  #last: Float64Array<ArrayBuffer> | undefined;
  /** Longest ever, whole ms. */
  maxMs = 0;

  /** Counts `count` events that took `ms` each. Allocates nothing. */
  add(ms: number, count: number): void {
    this.#current[bucketOf(ms)]! += count;
    if (ms > this.maxMs) this.maxMs = Math.floor(ms);
  }

  /** Starts a new window; the one that ends is what the figures show until the next. Answers whether it counted anything. */
  roll(): boolean {
    const free = this.#last;
    this.#last = this.#current;
    this.#current = free === undefined ? new Float64Array(BUCKETS) : free.fill(0);
    return this.#last.some((count) => count > 0);
  }

  /** The latency that `share` (0..1) of the last window did not exceed, ms; 0 without events. */
  percentile(share: number): number {
    const window = this.#last;
    if (window === undefined) return 0;
    const total = window.reduce((sum, count) => sum + count, 0);
    let left = Math.ceil(total * share);
    if (total === 0 || left === 0) return 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= window[bucket]!;
      if (left <= 0) return floorOf(bucket + 1);
    }
    return floorOf(BUCKETS - 1);
  }

  /** `[<=0ms]:9 [0~10ms]:1 … ` of the last window; `null` before the first one ended, as Apache. */
  distribution(): string {
    const window = this.#last;
    if (window === undefined) return 'null';
    const counts = DISTRIBUTION.map(() => 0);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const ms = floorOf(bucket);
      const index = ms < WHOLE_MS ? 0 : DISTRIBUTION.findIndex(([, belowMs]) => ms < belowMs);
      counts[index]! += window[bucket]!;
    }
    return DISTRIBUTION.map(([label], index) => `${label}:${counts[index]} `).join('');
  }
}
