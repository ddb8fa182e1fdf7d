import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import { LOCK_LIVE_MS, LOCKS_PER_GROUP_MAX, LockTable } from '../../src/broker/lock-table.ts';

const queue = (queueId: number, topic = 'T') => ({ brokerName: 'broker-a', queueId, topic });

test('a queue is granted to one client of a group, and to every group', () => {
  const locks = new LockTable(simWorld().node('n'));
  assert.deepEqual(locks.lock('G', 'c1', [queue(0), queue(1)]), [queue(0), queue(1)]);
  assert.deepEqual(locks.lock('G', 'c2', [queue(1), queue(2)]), [queue(2)]);
  assert.deepEqual(locks.lock('H', 'c2', [queue(1)]), [queue(1)]);
  assert.equal(locks.holder('G', queue(1)), 'c1');
});

test('a lock that is not renewed for a minute goes to the next that asks, and a renewed one does not', async () => {
  const world = simWorld();
  const locks = new LockTable(world.node('n'));
  locks.lock('G', 'c1', [queue(0), queue(1)]);
  await world.advance(LOCK_LIVE_MS - 1);
  locks.lock('G', 'c1', [queue(1)]);
  await world.advance(2);
  assert.deepEqual(locks.lock('G', 'c2', [queue(0), queue(1)]), [queue(0)]);
  assert.equal(locks.holder('G', queue(0)), 'c2');
});

test('only the holder releases a lock', () => {
  const locks = new LockTable(simWorld().node('n'));
  locks.lock('G', 'c1', [queue(0)]);
  locks.unlock('G', 'c2', [queue(0)]);
  assert.equal(locks.holder('G', queue(0)), 'c1');
  locks.unlock('G', 'c1', [queue(0)]);
  assert.equal(locks.holder('G', queue(0)), undefined);
  assert.equal(locks.isHeld('G'), false);
  assert.deepEqual(locks.lock('G', 'c2', [queue(0)]), [queue(0)]);
});

test('a released lock takes no memory after the sweep', () => {
  const locks = new LockTable(simWorld().node('n'));
  locks.lock('G', 'c1', [queue(0)]);
  locks.lock('H', 'c1', [queue(0), queue(1)]);
  locks.unlock('G', 'c1', [queue(0)]);
  locks.unlock('H', 'c1', [queue(0)]);
  locks.removeExpired();
  assert.equal(locks.groupCount, 1);
  assert.equal(locks.holder('H', queue(1)), 'c1');
});

test('queues of the same number are told apart by topic and broker', () => {
  const locks = new LockTable(simWorld().node('n'));
  const others = [queue(0, 'U'), { ...queue(0), brokerName: 'broker-b' }];
  locks.lock('G', 'c1', [queue(0)]);
  assert.deepEqual(locks.lock('G', 'c2', [queue(0), ...others]), others);
});

test('expired locks take no memory after the sweep', async () => {
  const world = simWorld();
  const locks = new LockTable(world.node('n'));
  locks.lock('G', 'c1', [queue(0)]);
  await world.advance(LOCK_LIVE_MS + 1);
  locks.removeExpired();
  assert.equal(locks.groupCount, 0);
});

test('a group cannot hold more locks than the bound, and may again when others expired', async () => {
  const world = simWorld();
  const locks = new LockTable(world.node('n'));
  const many = Array.from({ length: LOCKS_PER_GROUP_MAX + 1 }, (_, queueId) => queue(queueId));
  assert.equal(locks.lock('G', 'c1', many).length, LOCKS_PER_GROUP_MAX);
  await world.advance(LOCK_LIVE_MS + 1);
  assert.deepEqual(locks.lock('G', 'c2', [queue(0, 'Other')]), [queue(0, 'Other')]);
});
