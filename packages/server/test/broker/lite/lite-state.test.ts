/** Subscriptions and batches of lite groups as plain state (since-5.4.md 6.2, 6.4). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform, simWorld } from '@perigee/core/platform/sim/sim-platform';
import type { Peer } from '@perigee/core/remoting/handler';
import { liteQueueOf, liteTopicOf } from '../../../src/broker/lite/lite-name.ts';
import { LiteOrders } from '../../../src/broker/lite/lite-orders.ts';
import { LiteSubscriptions } from '../../../src/broker/lite/lite-subscriptions.ts';

const PEER = {} as Peer;
const key = (clientId: string, group = 'G', parentTopic = 'P') => ({ clientId, group, parentTopic, peer: PEER });

test('the name of a lite topic is found again in that of its queue, whatever it contains', () => {
  for (const lite of ['room1', 'a$b', '$', 'x'.repeat(64)])
    assert.deepEqual(liteTopicOf(liteQueueOf('Parent', lite)), { parentTopic: 'Parent', liteTopic: lite });
  for (const other of ['%LMQ%a', '%LMQ%$Parent', 'Parent$a']) assert.equal(liteTopicOf(other), undefined);
});

test('subscriptions are counted once each, and leave with their client or their queue', () => {
  const subscriptions = new LiteSubscriptions(simPlatform().clock);
  const first = subscriptions.renew(key('c1'));
  const second = subscriptions.renew(key('c2'));
  const [a, b] = [liteQueueOf('P', 'a'), liteQueueOf('P', 'b')];
  assert.deepEqual(
    [subscriptions.add(first, a), subscriptions.add(first, a), subscriptions.add(second, a), subscriptions.add(second, b)],
    [true, false, true, true],
  );
  assert.equal(subscriptions.count, 3);
  subscriptions.removeQueue(a);
  assert.equal(subscriptions.count, 1);
  subscriptions.removeClient('c2');
  assert.deepEqual([subscriptions.count, subscriptions.subscribers(b).size], [0, 0]);
});

test('a client that comes back with another group leaves what it had', () => {
  const subscriptions = new LiteSubscriptions(simPlatform().clock);
  const queue = liteQueueOf('P', 'a');
  subscriptions.add(subscriptions.renew(key('c1')), queue);
  subscriptions.setWildcard(subscriptions.renew(key('c1', 'H')));
  assert.deepEqual([...subscriptions.subscribers(queue).keys()], ['H']);
  assert.equal(subscriptions.count, 0);
});

test('a batch that is acknowledged in part opens when the rest is visible again, and is told of once', async () => {
  const world = simWorld();
  const platform = world.node('broker');
  const opened: string[] = [];
  const orders = new LiteOrders(platform.clock, (queue, group) => opened.push(`${queue}@${group}`));
  const popTimeMs = platform.clock.wallMs();
  const batch = { attemptId: undefined, popTimeMs, invisibleMs: 1_000, queueOffsets: [3, 4] };
  assert.deepEqual(orders.take('q', 'G', batch), [0, 0]);
  assert.deepEqual(orders.acknowledge('q', 'G', 3, popTimeMs), { state: 'next', nextOffset: 4 });
  assert.equal(orders.isBlocked('q', 'G', undefined), true);
  await world.advance(1_000);
  assert.deepEqual([opened, orders.isBlocked('q', 'G', undefined)], [['q@G'], false]);
  assert.deepEqual(orders.take('q', 'G', { ...batch, popTimeMs: platform.clock.wallMs(), queueOffsets: [4, 5] }), [1, 0]);
  assert.deepEqual(orders.acknowledge('q', 'G', 4, popTimeMs), { state: 'stale' });
  orders.forget('q');
  await world.advance(5_000);
  assert.deepEqual([opened.length, orders.size], [1, 0]);
});

test('a suspended delivery does not count, the ones before it do', () => {
  const platform = simPlatform();
  const orders = new LiteOrders(platform.clock, () => {});
  const take = (popTimeMs: number): number[] =>
    orders.take('q', 'G', { attemptId: undefined, popTimeMs, invisibleMs: 1_000, queueOffsets: [0, 1] });
  const suspend = (popTimeMs: number): void =>
    orders.change('q', 'G', { queueOffset: 0, popTimeMs, nextVisibleMs: popTimeMs, suspend: true });
  assert.deepEqual(take(1), [0, 0]);
  assert.deepEqual(take(2), [1, 1]);
  suspend(2);
  assert.deepEqual(take(3), [1, 1]);
  suspend(3);
  suspend(3);
  assert.deepEqual(take(4), [1, 1]);
  orders.stop();
});
