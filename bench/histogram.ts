/** Latencies in buckets of 10 µs. */
const BUCKETS_PER_MS = 100;
/** Up to 3 s; what takes longer counts as that. */
const BUCKETS = 300_000;

export class Histogram {
  #counts = new Uint32Array(BUCKETS);

  add(latencyMs: number): void {
    const bucket = (latencyMs * BUCKETS_PER_MS) | 0;
    const index = bucket < BUCKETS ? bucket : BUCKETS - 1;
    this.#counts[index] = this.#counts[index]! + 1;
  }

  clear(): void {
    this.#counts.fill(0);
  }

  /** Latency that `share` (0 to 1) of all stay below, in ms; 0 when there are none. */
  quantileMs(share: number): number {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (let index = 0; index < BUCKETS && total > 0; index++) {
      seen += this.#counts[index]!;
      if (seen >= total * share) return (index + 1) / BUCKETS_PER_MS;
    }
    return 0;
  }
}
