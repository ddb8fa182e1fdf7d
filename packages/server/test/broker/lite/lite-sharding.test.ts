import assert from 'node:assert/strict';
import { test } from 'node:test';
import { javaStringHash } from '@perigee/core/kit/java-hash';
import { consistentHash, ownerOf } from '../../../src/broker/lite/lite-sharding.ts';

const BUCKETS = [1, 2, 3, 8, 16, 1000];
/** What Guava 32.0.1 answers for the Java hash of each name. */
const GUAVA: readonly (readonly [string, readonly number[]])[] = [
  ['room1', [0, 1, 1, 5, 5, 859]],
  ['room2', [0, 1, 1, 3, 14, 745]],
  ['a', [0, 0, 0, 0, 0, 346]],
  ['Parent', [0, 1, 2, 6, 6, 840]],
  ['zzzzzz', [0, 1, 1, 3, 14, 901]],
  ['ä€', [0, 0, 0, 0, 0, 343]],
  ['user-anna', [0, 1, 1, 5, 9, 266]],
  ['0', [0, 0, 2, 2, 10, 46]],
];

test('a lite topic has the shard that Guava gives it', () => {
  for (const [name, shards] of GUAVA)
    assert.deepEqual(
      BUCKETS.map((buckets) => consistentHash(javaStringHash(name), buckets)),
      shards,
      name,
    );
});

test('the owner is the broker of the queue with that number, in the order of the route', () => {
  const queues = ['broker-a', 'broker-a', 'broker-b'].map((brokerName, queueId) => ({ topic: 'P', brokerName, queueId }));
  assert.equal(ownerOf('Parent', queues), 'broker-b');
  assert.equal(ownerOf('room1', queues), 'broker-a');
  assert.equal(ownerOf('room1', []), undefined);
});
