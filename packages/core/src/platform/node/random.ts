/** Randomness from the operating system behind the {@link Random} port. */
import { randomBytes, randomFillSync } from 'node:crypto';
import type { Random } from '../ports.ts';

/** Bytes fetched at once: a system call per number would cost microseconds. */
const POOL_BYTES = 4096;
const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

class NodeRandom implements Random {
  readonly #pool = Buffer.allocUnsafe(POOL_BYTES);
  #used = POOL_BYTES;

  next(): number {
    return this.#bits53() / TWO_53;
  }

  below(bound: number): number {
    if (!Number.isSafeInteger(bound) || bound < 1) throw new RangeError(`bound must be an integer of at least 1, not ${bound}`);
    const range = bound <= TWO_32 ? TWO_32 : TWO_53;
    // Values of the incomplete last interval would favour small results.
    const fair = range - (range % bound);
    for (;;) {
      const value = range === TWO_32 ? this.#bits32() : this.#bits53();
      if (value < fair) return value % bound;
    }
  }

  bytes(length: number): Buffer {
    return randomBytes(length);
  }

  #bits32(): number {
    if (this.#used + 4 > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const value = this.#pool.readUInt32LE(this.#used);
    this.#used += 4;
    return value;
  }

  #bits53(): number {
    return (this.#bits32() >>> 11) * TWO_32 + this.#bits32();
  }
}

/** Random numbers that cannot be predicted. */
export function nodeRandom(): Random {
  return new NodeRandom();
}
