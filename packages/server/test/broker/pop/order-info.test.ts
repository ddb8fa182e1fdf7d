import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acknowledge, changeVisible, isBlocked, nextBatch, opensMs, orderCountInfo } from '../../../src/broker/pop/order-info.ts';

const batch = (queueOffsets: number[], attemptId: string | undefined = undefined, popTimeMs = 1_000) => ({
  attemptId,
  popTimeMs,
  invisibleMs: 500,
  queueOffsets,
});

test('a batch closes its queue to others until its messages are visible again', () => {
  const info = nextBatch(undefined, batch([0, 1, 2], 'one'), 1_000);
  assert.equal(isBlocked(info, 'two', 1_499), true);
  assert.equal(isBlocked(info, undefined, 1_499), true);
  assert.equal(isBlocked(info, 'one', 1_001), false);
  assert.equal(isBlocked(info, 'two', 1_500), false);
});

test('without an attempt id every other request is another attempt', () => {
  assert.equal(isBlocked(nextBatch(undefined, batch([0]), 1_000), undefined, 1_001), true);
});

test('the position moves over acknowledged messages and stops at the first that is not', () => {
  const info = nextBatch(undefined, batch([4, 6, 9]), 1_000);
  assert.deepEqual(acknowledge(info, 6, 1_000), { state: 'next', nextOffset: 4 });
  assert.deepEqual(acknowledge(info, 4, 1_000), { state: 'next', nextOffset: 9 });
  assert.deepEqual(acknowledge(info, 4, 1_000), { state: 'next', nextOffset: 9 });
  assert.deepEqual(acknowledge(info, 9, 1_000), { state: 'next', nextOffset: 10 });
  assert.equal(isBlocked(info, undefined, 1_001), false);
});

test('an ack for another batch is stale, one for a message that the batch never had is unknown', () => {
  const info = nextBatch(undefined, batch([4, 5]), 1_000);
  assert.deepEqual(acknowledge(info, 4, 999), { state: 'stale' });
  assert.deepEqual(acknowledge(info, 7, 1_000), { state: 'unknown' });
});

test('the counts are those of the golden answers: 0 at first, then one more per batch that has the message again', () => {
  const first = nextBatch(undefined, batch([0, 1, 2]), 1_000);
  assert.equal(orderCountInfo(first, 0), '0 0 0');
  const second = nextBatch(first, batch([1, 2], undefined, 2_000), 2_000);
  const third = nextBatch(second, batch([1, 2], undefined, 3_000), 3_000);
  const fourth = nextBatch(third, batch([1, 2, 3], undefined, 4_000), 4_000);
  assert.equal(orderCountInfo(fourth, 0), '0 qo0%1 3;0 qo0%2 3;0 0 0');
  assert.equal(orderCountInfo(third, 4), '0 qo4%1 2;0 qo4%2 2;0 4 2');
});

test('the same attempt keeps the counts', () => {
  const first = nextBatch(undefined, batch([0], 'a'), 1_000);
  const again = nextBatch(first, batch([0], 'a', 1_100), 1_100);
  assert.equal(orderCountInfo(again, 0), '0 0 0');
  assert.equal(orderCountInfo(nextBatch(again, batch([0], 'b', 1_200), 1_200), 0), '0 qo0%0 1;0 0 1');
});

test('a message whose time was changed keeps the queue closed as long as that', () => {
  const info = nextBatch(undefined, batch([0, 1]), 1_000);
  assert.equal(changeVisible(info, 1, 1_000, 9_000), true);
  assert.equal(opensMs(info, 1_001), 9_000);
  acknowledge(info, 1, 1_000);
  assert.equal(changeVisible(info, 1, 1_000, 20_000), false);
  assert.equal(changeVisible(info, 0, 999, 20_000), false);
  assert.equal(opensMs(info, 1_001), 1_500);
});

test('the 32nd message of a batch is acknowledged like the first', () => {
  const offsets = Array.from({ length: 32 }, (_, place) => place);
  const info = nextBatch(undefined, batch(offsets), 1_000);
  for (const queueOffset of offsets) acknowledge(info, queueOffset, 1_000);
  assert.equal(info.ackedBits, 2 ** 32 - 1);
  assert.equal(opensMs(info, 1_001), undefined);
});
