import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatsItem } from '../../src/broker/stats-item.ts';

test('a figure is what came between the oldest and the newest sample of its span', () => {
  const item = new StatsItem();
  assert.deepEqual(item.figure('minute'), { sum: 0, tps: 0, avgpt: 0 });
  item.add(10);
  item.sample('minute', 10_000);
  assert.deepEqual(item.figure('minute'), { sum: 10, tps: 1, avgpt: 10 });
  item.add(20);
  item.add(30);
  item.sample('minute', 20_000);
  assert.deepEqual(item.figure('minute'), { sum: 60, tps: 3, avgpt: 20 });
  for (let at = 30_000; at <= 90_000; at += 10_000) item.sample('minute', at);
  assert.deepEqual(item.figure('minute'), { sum: 0, tps: 0, avgpt: 0 }, 'seven samples later it is forgotten');
});
