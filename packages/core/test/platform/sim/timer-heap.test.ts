import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type HeapTimer, TimerHeap } from '../../../src/platform/sim/timer-heap.ts';

test('timers come in the order of their times, then of their setting, without those that were cancelled', () => {
  const operation = fc.record({ dueMs: fc.integer({ min: 0, max: 50 }), cancels: fc.option(fc.nat()) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const heap = new TimerHeap();
      const ran: number[] = [];
      const timers: HeapTimer[] = [];
      const live = new Set<HeapTimer>();
      for (const { dueMs, cancels } of operations) {
        const number = timers.length;
        const timer = heap.add(dueMs, () => ran.push(number));
        timers.push(timer);
        live.add(timer);
        if (cancels === null) continue;
        const victim = timers[cancels % timers.length] as HeapTimer;
        heap.cancel(victim);
        live.delete(victim);
      }
      const wanted = [...live].sort((a, b) => a.dueMs - b.dueMs || a.order - b.order).map(({ order }) => order);
      for (let due = heap.takeDue(50, heap.nextOrder); due !== undefined; due = heap.takeDue(50, heap.nextOrder)) due();
      assert.deepEqual(ran, wanted);
      assert.equal(heap.first(), undefined);
    }),
  );
});

test('timers that are set and cancelled again and again, long before their time, do not pile up', () => {
  const heap = new TimerHeap();
  heap.add(1, () => {});
  for (let n = 0; n < 100_000; n++) heap.cancel(heap.add(1_000_000 + n, () => assert.fail('was cancelled')));
  assert.ok(heap.size < 5_000, `${heap.size} in the heap`);
  assert.equal(heap.first()?.dueMs, 1);
});
