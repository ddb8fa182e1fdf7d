/**
 * Where a group with a SQL92 filter stands in the bit maps beside a ConsumeQueue (broker.md 10.4, store.md 4.4). The
 * positions are kept in `consumerFilter.json`; Apache discards the file when they are not those that it would give.
 */
import { murmur3Words } from './murmur3.ts';

const BITS_PER_BYTE = 8;
const PERCENT = 100;

export interface BloomData {
  readonly bitPos: readonly number[];
  /** Bits of a whole map. */
  readonly bitNum: number;
}

function logarithm(base: number, value: number): number {
  return Math.log(value) / Math.log(base);
}

export class BloomFilter {
  /** Positions of one entry. */
  readonly hashes: number;
  /** Bits of a map; whole bytes. */
  readonly bits: number;

  /** For `entries` of one topic (at least 1) and an error rate of `errorPercent` (1 to 99). */
  constructor(errorPercent: number, entries: number) {
    const rate = Math.min(PERCENT - 1, Math.max(1, errorPercent)) / PERCENT;
    this.hashes = Math.ceil(logarithm(0.5, rate));
    const bits = Math.ceil(Math.max(1, entries) * logarithm(2, 1 / rate) * logarithm(2, Math.E));
    this.bits = BITS_PER_BYTE * Math.ceil(bits / BITS_PER_BYTE);
  }

  /** The positions of a group's filter on a topic; one may come twice. */
  dataOf(group: string, topic: string): BloomData {
    const { low, high } = murmur3Words(Buffer.from(`${group}#${topic}`, 'utf8'));
    const bitPos: number[] = [];
    for (let i = 1; i <= this.hashes; i++) {
      const hash = (low + Math.imul(i, high)) | 0;
      bitPos.push((hash < 0 ? ~hash : hash) % this.bits);
    }
    return { bitPos, bitNum: this.bits };
  }

  /** Whether data was made with these parameters. */
  fits(data: BloomData): boolean {
    return data.bitNum === this.bits && data.bitPos.length === this.hashes;
  }
}
