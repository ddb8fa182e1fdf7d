import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { PopQueueTable } from '../../../src/broker/pop/pop-queue-table.ts';

function table() {
  const platform = simPlatform();
  const committed = new Map<string, number>();
  const key = (group: string, topic: string, queueId: number): string => `${topic}@${group}@${queueId}`;
  const queues = new PopQueueTable(platform.clock, {
    position: (group, topic, queueId) => committed.get(key(group, topic, queueId)) ?? -1,
    commit: (group, topic, queueId, queueOffset) => void committed.set(key(group, topic, queueId), queueOffset),
  });
  return { platform, queues, queue: queues.group('T', 'G').queue(0), position: () => committed.get('T@G@0') };
}

test('the next pop begins behind the last one, but a position is committed only when every check point before is stored', () => {
  const { queue, position } = table();
  queue.commit(10);
  const first = queue.take(13);
  const second = queue.take(15);
  assert.equal(queue.nextOffset, 15);
  queue.stored(second);
  assert.equal(position(), 10);
  queue.stored(first);
  assert.equal(position(), 15);
});

test('when a check point is not stored, its messages and those behind it are taken again', () => {
  const { queue, position } = table();
  queue.commit(10);
  const first = queue.take(13);
  const second = queue.take(15);
  const third = queue.take(20);
  queue.stored(first);
  queue.stored(third);
  queue.failed(second);
  assert.equal(position(), 13);
  assert.equal(queue.nextOffset, 13);
});

test('a reset forgets what is on its way', () => {
  const { queue, position } = table();
  queue.commit(10);
  const pop = queue.take(13);
  queue.reset(2);
  queue.stored(pop);
  assert.equal(position(), 2);
  assert.equal(queue.nextOffset, 2);
});

test('messages that a filter left out move the position in their turn', () => {
  const { queue, position } = table();
  queue.commit(0);
  const pop = queue.take(3);
  queue.skip(5);
  assert.equal(position(), 0);
  queue.stored(pop);
  assert.equal(position(), 5);
});

test('a commit from elsewhere that is further on wins', () => {
  const { queue, position } = table();
  queue.commit(0);
  const pop = queue.take(3);
  queue.commit(9);
  queue.stored(pop);
  assert.equal(position(), 9);
  assert.equal(queue.nextOffset, 9);
});

test('groups that stopped popping are forgotten, those with a check point on its way are not', async () => {
  const { platform, queues, queue } = table();
  const busy = queues.group('T', 'busy').queue(0);
  busy.take(4);
  queue.inflight = 3;
  await platform.run(platform.clock.sleep(600_000), 700_000);
  queues.group('T', 'other');
  assert.equal(queues.queueIfKnown('T', 'G', 0), undefined);
  assert.equal(queues.queueIfKnown('T', 'busy', 0), busy);
});
