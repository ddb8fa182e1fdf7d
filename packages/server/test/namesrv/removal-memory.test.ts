import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REMOVED_BROKERS_MAX, REMOVED_TOPICS_MAX, RemovalMemory } from '../../src/namesrv/removal-memory.ts';

const broker = (port: number) => ({
  brokerName: `b${port}`,
  clusterName: 'C',
  brokerAddr: `10.0.0.9:${port}`,
  brokerId: 0,
  cause: 'expired' as const,
  atMs: port,
  lastSeenMs: 0,
  timeoutMs: 1,
});

test('the memory is bounded and forgets the oldest first', () => {
  const memory = new RemovalMemory();
  for (let n = 0; n <= REMOVED_BROKERS_MAX; n++) memory.brokerLeft(broker(n));
  assert.deepEqual(memory.brokers('b0'), []);
  assert.equal(memory.brokers('b1').length, 1);
  for (let n = 0; n <= REMOVED_TOPICS_MAX; n++) memory.topicLeft(`T${n}`, { brokerNames: ['b'], cause: 'expired', atMs: n });
  assert.equal(memory.topic('T0'), undefined);
  assert.equal(memory.topic('T1')?.atMs, 1);
});

test('what comes back is forgotten, and what leaves again counts as the latest', () => {
  const memory = new RemovalMemory();
  for (const port of [1, 2, 1]) memory.brokerLeft(broker(port));
  assert.equal(memory.latestBroker()?.brokerName, 'b1');
  memory.brokerCame('10.0.0.9:1');
  assert.equal(memory.latestBroker()?.brokerName, 'b2');
});
