/** MurmurHash3, the 128-bit variant for 64-bit machines, seed 0 (Guava's `Hashing.murmur3_128()`). For rare use: it works on bigints. */

const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;
const BLOCK_BYTES = 16;
const HALF_BYTES = 8;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint => u64(value << bits) | (value >> (64n - bits));
const mixFirst = (k: bigint): bigint => u64(rotate(u64(k * C1), 31n) * C2);
const mixSecond = (k: bigint): bigint => u64(rotate(u64(k * C2), 33n) * C1);

function finish(hash: bigint): bigint {
  let h = u64((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  h = u64((h ^ (h >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return h ^ (h >> 33n);
}

/** The low and the high half of the first 64 bits of the hash, as int32. */
export interface Murmur3Words {
  readonly low: number;
  readonly high: number;
}

/** The first 64 of the 128 bits, which is what Guava's `asLong` answers. */
export function murmur3Words(bytes: Uint8Array): Murmur3Words {
  const blocks = bytes.length - (bytes.length % BLOCK_BYTES);
  // The rest counts as a block that ends in zeros, except that it is mixed without the steps between blocks.
  const padded = Buffer.alloc(blocks + BLOCK_BYTES);
  padded.set(bytes);
  let h1 = 0n;
  let h2 = 0n;
  for (let at = 0; at < blocks; at += BLOCK_BYTES) {
    h1 ^= mixFirst(padded.readBigUInt64LE(at));
    h1 = u64((rotate(h1, 27n) + h2) * 5n + 0x52dce729n);
    h2 ^= mixSecond(padded.readBigUInt64LE(at + HALF_BYTES));
    h2 = u64((rotate(h2, 31n) + h1) * 5n + 0x38495ab5n);
  }
  const length = BigInt(bytes.length);
  h1 ^= mixFirst(padded.readBigUInt64LE(blocks)) ^ length;
  h2 ^= mixSecond(padded.readBigUInt64LE(blocks + HALF_BYTES)) ^ length;
  h1 = u64(h1 + h2);
  h2 = u64(h2 + h1);
  const hash = u64(finish(h1) + finish(h2));
  return { low: Number(BigInt.asIntN(32, hash)), high: Number(BigInt.asIntN(32, hash >> 32n)) };
}
