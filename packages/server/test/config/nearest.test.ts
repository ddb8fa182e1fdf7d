import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearestName } from '../../src/config/nearest.ts';

test('the distance counts inserted, deleted, replaced and swapped characters', () => {
  assert.equal(editDistance('abc', 'abc'), 0);
  assert.equal(editDistance('abc', 'abxc'), 1);
  assert.equal(editDistance('abc', 'ab'), 1);
  assert.equal(editDistance('abc', 'axc'), 1);
  assert.equal(editDistance('abc', 'acb'), 1);
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('kitten', 'sitting'), 3);
});

test('the distance is symmetric and never above the longer length', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
    }),
  );
});

test('the nearest name ignores case and says whether it is close', () => {
  assert.deepEqual(nearestName('brokerip1', ['brokerIP2', 'brokerIP1']), { name: 'brokerIP1', close: true });
  assert.deepEqual(nearestName('completelyElse', ['brokerIP1']), { name: 'brokerIP1', close: false });
  assert.equal(nearestName('x', []), undefined);
});
