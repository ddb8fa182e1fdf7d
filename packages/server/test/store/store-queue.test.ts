import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { QueueArrival, StoreQueue } from '../../src/store/store-queue.ts';
import { storeQueue } from './store-queue-fake.ts';

function listener(name: string, heard: string[], then: (queue: StoreQueue, self: QueueArrival) => void = () => {}): QueueArrival {
  const self: QueueArrival = {
    arrived: (queue, queueOffset) => {
      heard.push(`${name} ${queueOffset}`);
      then(queue, self);
    },
  };
  return self;
}

test('several listen at one queue, each until it leaves; nothing is left when the last one left', () => {
  const queue = storeQueue('T', 0);
  const heard: string[] = [];
  const [a, b, c] = ['a', 'b', 'c'].map((name) => listener(name, heard)) as [QueueArrival, QueueArrival, QueueArrival];
  for (const one of [a, b, c]) queue.addArrival(one);
  queue.arrival?.arrived(queue, 1, 0);
  queue.removeArrival(b);
  queue.arrival?.arrived(queue, 2, 0);
  queue.removeArrival(a);
  queue.removeArrival(b);
  queue.arrival?.arrived(queue, 3, 0);
  assert.deepEqual(heard, ['a 1', 'b 1', 'c 1', 'a 2', 'c 2', 'c 3']);
  assert.equal(queue.arrival, c);
  queue.removeArrival(c);
  assert.equal(queue.arrival, undefined);
});

test('a listener may leave while it is told, without the next one missing the message', () => {
  const queue = storeQueue('T', 0);
  const heard: string[] = [];
  queue.addArrival(listener('once', heard, (at, self) => at.removeArrival(self)));
  queue.addArrival(listener('stays', heard));
  for (const queueOffset of [1, 2]) queue.arrival?.arrived(queue, queueOffset, 0);
  assert.deepEqual(heard, ['once 1', 'stays 1', 'stays 2']);
});
