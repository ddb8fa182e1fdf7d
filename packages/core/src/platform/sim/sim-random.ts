/** Seeded randomness: the same seed gives the same run. xoshiro128** (Blackman, Vigna), its state filled by splitmix32. */
import type { Random } from '../ports.ts';

const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

export class SimRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    const fill = splitmix32(seed);
    this.#a = fill();
    this.#b = fill();
    this.#c = fill();
    this.#d = fill();
  }

  next(): number {
    return ((this.#bits32() >>> 11) * TWO_32 + this.#bits32()) / TWO_53;
  }

  below(bound: number): number {
    if (!Number.isSafeInteger(bound) || bound < 1) throw new RangeError(`bound must be an integer of at least 1, not ${bound}`);
    return Math.floor(this.next() * bound);
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let index = 0; index < length; index++) bytes[index] = this.#bits32() >>> 24;
    return bytes;
  }

  /** A generator of its own, so that what one part draws does not shift what another part sees. */
  fork(): SimRandom {
    return new SimRandom(this.#bits32());
  }

  #bits32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }
}

function splitmix32(seed: number): () => number {
  let state = (Math.trunc(seed) ^ Math.trunc(seed / TWO_32)) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}
