import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BloomFilter } from '../../src/kit/bloom-filter.ts';

test('a filter has as many hashes and bits as Apache gives it, and puts a group where Apache puts it', () => {
  // Error rate in percent, entries, hashes, bits, positions of GroupF#TopicF; from BloomFilter of rocketmq-filter 5.5.0.
  const known: readonly [number, number, number, number, number[]][] = [
    [20, 32, 3, 112, [71, 104, 56]],
    [10, 128, 4, 616, [15, 48, 112, 135]],
    [1, 1000, 7, 9592, [279, 928, 2136, 2071, 8728, 344, 3863]],
    [50, 32, 1, 48, [23]],
    [99, 1, 1, 8, [7]],
    [20, 64, 3, 216, [47, 0, 48]],
  ];
  for (const [errorPercent, entries, hashes, bits, bitPos] of known) {
    const bloom = new BloomFilter(errorPercent, entries);
    assert.deepEqual([bloom.hashes, bloom.bits], [hashes, bits]);
    assert.deepEqual(bloom.dataOf('GroupF', 'TopicF'), { bitPos, bitNum: bits });
  }
});

test('data of other parameters does not fit', () => {
  const bloom = new BloomFilter(20, 32);
  assert.ok(bloom.fits(bloom.dataOf('G', 'T')));
  assert.ok(!bloom.fits({ bitPos: [1, 2, 3], bitNum: 120 }));
  assert.ok(!bloom.fits({ bitPos: [1, 2], bitNum: 112 }));
});
