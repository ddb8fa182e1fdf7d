/** Which broker keeps a lite topic, when its parent topic is spread over several (since-5.4.md 6.2). */
import { javaStringHash } from '@perigee/core/kit/java-hash';
import type { MessageQueue } from '@perigee/core/protocol/bodies/message-queue';

const MULTIPLIER = 2862933555777941757n;
const WORD = 64;
const TWO_31 = 2 ** 31;

/** Guava's `Hashing.consistentHash(long, int)`: a bucket in [0, buckets), for at least one bucket. */
export function consistentHash(input: number, buckets: number): number {
  let state = BigInt.asUintN(WORD, BigInt(input));
  let candidate = 0;
  for (;;) {
    state = BigInt.asUintN(WORD, state * MULTIPLIER + 1n);
    const fraction = (Number(state >> 33n) + 1) / TWO_31;
    const next = Math.floor((candidate + 1) / fraction);
    if (next < 0 || next >= buckets) return candidate;
    candidate = next;
  }
}

/** The broker of a lite topic; undefined when the parent has no queue. */
export function ownerOf(liteTopic: string, queues: readonly MessageQueue[]): string | undefined {
  return queues.length === 0 ? undefined : queues[consistentHash(javaStringHash(liteTopic), queues.length)]?.brokerName;
}
