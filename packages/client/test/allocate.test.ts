import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allocateAveragely, compareJavaStrings } from '../src/allocate.ts';

test('queues are shared in runs of neighbours and the first members get one more', () => {
  const queues = [0, 1, 2, 3, 4, 5, 6, 7];
  const members = ['a', 'b', 'c'];
  assert.deepEqual(
    members.map((member) => allocateAveragely(queues, members, member)),
    [
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ],
  );
});

test('with fewer queues than members the last members get none', () => {
  const members = ['a', 'b', 'c', 'd'];
  assert.deepEqual(
    members.map((member) => allocateAveragely([0, 1], members, member)),
    [[0], [1], [], []],
  );
});

test('whoever is not in the list gets nothing', () => {
  assert.deepEqual(allocateAveragely([0, 1], ['a'], 'b'), []);
});

test('all members together have every queue exactly once', () => {
  fc.assert(
    fc.property(fc.nat(70), fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 20 }), (count, ids) => {
      const queues = Array.from({ length: count }, (_, index) => index);
      const members = [...ids].sort(compareJavaStrings);
      assert.deepEqual(
        members.flatMap((member) => allocateAveragely(queues, members, member)),
        queues,
      );
    }),
  );
});
