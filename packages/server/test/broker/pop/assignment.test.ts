import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assignPop, assignPull } from '../../../src/broker/pop/assignment.ts';

const queuesOf = (count: number, brokerName = 'a') => Array.from({ length: count }, (_, queueId) => ({ topic: 'T', brokerName, queueId }));
const idsOf = (count: number) => Array.from({ length: count }, (_, n) => `c${String(n).padStart(3, '0')}`);
const ids = (queues: readonly { queueId: number }[] | undefined) => queues?.map(({ queueId }) => queueId);

test('AVG gives neighbouring queues, the first clients one more', () => {
  const shares = idsOf(3).map((clientId) => ids(assignPull('AVG', { queues: queuesOf(8), clientIds: idsOf(3), clientId })));
  assert.deepEqual(shares, [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7],
  ]);
});

test('AVG_BY_CIRCLE gives every n-th queue', () => {
  const shares = idsOf(3).map((clientId) => ids(assignPull('AVG_BY_CIRCLE', { queues: queuesOf(8), clientIds: idsOf(3), clientId })));
  assert.deepEqual(shares, [
    [0, 3, 6],
    [1, 4, 7],
    [2, 5],
  ]);
});

test('whatever the numbers, every queue goes to exactly one client that pulls', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom('AVG', 'AVG_BY_CIRCLE'),
      (queueCount, clientCount, strategy) => {
        const clientIds = idsOf(clientCount);
        const given = clientIds.flatMap(
          (clientId) => ids(assignPull(strategy, { queues: queuesOf(queueCount), clientIds, clientId })) ?? [],
        );
        assert.deepEqual(
          given.sort((a, b) => a - b),
          ids(queuesOf(queueCount)),
        );
      },
    ),
  );
});

test('a client that is not in the group gets nothing, and an unknown strategy says nothing', () => {
  assert.deepEqual(assignPull('AVG', { queues: queuesOf(4), clientIds: ['a'], clientId: 'b' }), []);
  assert.equal(assignPull('NEAREST', { queues: queuesOf(4), clientIds: ['a'], clientId: 'a' }), undefined);
  assert.equal(assignPop('NEAREST', { queues: queuesOf(4), clientIds: ['a'], clientId: 'a' }, 0), undefined);
});

test('clients that share all queues pop each broker as a whole', () => {
  const queues = [...queuesOf(4, 'b'), ...queuesOf(4, 'a')];
  for (const share of [0, -1, 2, 9])
    assert.deepEqual(assignPop('AVG', { queues, clientIds: idsOf(3), clientId: 'c000' }, share), [
      { topic: 'T', brokerName: 'a', queueId: -1 },
      { topic: 'T', brokerName: 'b', queueId: -1 },
    ]);
});

test('with fewer to share with, a client pops its own queues and those of the clients behind it', () => {
  const input = { queues: queuesOf(8), clientIds: idsOf(4), clientId: 'c003' };
  assert.deepEqual(ids(assignPop('AVG', input, 1)), [6, 7, 0, 1]);
});

test('more clients than queues take them in turn', () => {
  assert.deepEqual(ids(assignPop('AVG', { queues: queuesOf(2), clientIds: idsOf(5), clientId: 'c003' }, 1)), [1]);
  assert.deepEqual(assignPop('AVG', { queues: queuesOf(2), clientIds: idsOf(5), clientId: 'other' }, 1), []);
});

test('whatever the numbers, every queue is popped by somebody', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 20 }),
      (queueCount, clientCount, share) => {
        const clientIds = idsOf(clientCount);
        const popped = new Set(
          clientIds.flatMap((clientId) => ids(assignPop('AVG', { queues: queuesOf(queueCount), clientIds, clientId }, share)) ?? []),
        );
        for (const queueId of ids(queuesOf(queueCount)) ?? []) assert.ok(popped.has(-1) || popped.has(queueId));
      },
    ),
  );
});
