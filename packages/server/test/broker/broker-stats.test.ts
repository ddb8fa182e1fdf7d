import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import { BrokerStats } from '../../src/broker/broker-stats.ts';

test('counts are kept by topic and by group, and the broker counts them all', async () => {
  const world = simWorld();
  const stats = new BrokerStats(world.node('n').clock, (topic) => topic === 'SYS', 'UTC');
  stats.start();
  stats.topicPut('T', 3, 300);
  stats.topicPut('SYS', 5, 50);
  stats.groupGet('T', 'G', 2, 200);
  await world.advance(10_000);
  assert.deepEqual(stats.putsOf('T')?.count.figure('minute'), { sum: 3, tps: 0.3, avgpt: 3 });
  assert.equal(stats.item('GROUP_GET_SIZE', 'T@G', 'C')?.sum, 200);
  assert.deepEqual([stats.item('BROKER_PUT_NUMS', 'C', 'C')?.sum, stats.item('BROKER_GET_NUMS', 'C', 'C')?.sum], [8, 2]);
  assert.deepEqual(
    [stats.item('BROKER_PUT_NUMS', 'other', 'C'), stats.item('ODD', 'T', 'C'), stats.item('GROUP_GET_NUMS', 'T', 'C')],
    [undefined, undefined, undefined],
  );
  assert.deepEqual([stats.putToday.now, stats.getToday.now], [3, 2], 'system topics are left out');
  stats.removeTopic('T');
  assert.deepEqual([stats.putsOf('T'), stats.getsOf('T', 'G')], [undefined, undefined]);
  stats.stop();
});

test('rates are given over 10, 60 and 600 seconds, empty while they are not reached', async () => {
  const world = simWorld();
  const stats = new BrokerStats(world.node('n').clock, () => false, 'UTC');
  stats.start();
  assert.equal(stats.rateText('put'), '0.0  ');
  await world.advance(1_000);
  for (let second = 0; second < 12; second++) {
    stats.topicPut('T', 10, 1);
    stats.read(second % 2 === 0, 3);
    await world.advance(1_000);
  }
  assert.equal(stats.rateText('put'), '10.0  ');
  assert.equal(stats.rateText('getFound', 'getMiss'), '1.0  ');
  await world.advance(60_000);
  assert.match(stats.rateText('put'), /^0\.0 \d\.\d+ $/);
  assert.equal(stats.getEntireTimeMaxMs, 3);
  stats.stop();
});

test('midnight moves the totals of today to yesterday', async () => {
  const world = simWorld({ startWallMs: Date.UTC(2025, 0, 1, 23, 59, 0) });
  const stats = new BrokerStats(world.node('n').clock, () => false, 'UTC');
  stats.start();
  stats.topicPut('T', 4, 1);
  await world.advance(60_000);
  stats.topicPut('T', 1, 1);
  assert.deepEqual(stats.putToday, { yesterdayMorning: 0, todayMorning: 4, now: 5 });
  await world.advance(86_400_000);
  assert.deepEqual(stats.putToday, { yesterdayMorning: 4, todayMorning: 5, now: 5 });
  stats.stop();
});

test('a quiet broker stops sampling, and what comes after counts as if it had gone on', async () => {
  const world = simWorld();
  const stats = new BrokerStats(world.node('n').clock, () => false, 'UTC');
  stats.start();
  stats.topicPut('T', 7, 7);
  await world.advance(2 * 86_400_000);
  const before = world.steps;
  await world.advance(86_400_000);
  assert.equal(world.steps - before, 1, 'midnight');
  assert.equal(stats.rateText('put'), '0.0 0.0 0.0');
  assert.equal(stats.putsOf('T')?.count.figure('minute').sum, 0);
  stats.topicPut('T', 30, 30);
  stats.putLatency(3, 1);
  await world.advance(10_000);
  assert.equal(stats.rateText('put'), '3.0 0.5 0.05', 'over 10, 60 and 600 seconds');
  assert.deepEqual(stats.putsOf('T')?.count.figure('minute'), { sum: 30, tps: 0.5, avgpt: 30 });
  await world.advance(600_000);
  assert.deepEqual(stats.putsOf('T')?.count.figure('hour').sum, 30);
  await world.advance(3_600_000);
  assert.deepEqual(stats.putsOf('T')?.count.figure('day').sum, 30);
  stats.stop();
});

test('a broker that works all the time goes on sampling', async () => {
  const world = simWorld();
  const stats = new BrokerStats(world.node('n').clock, () => false, 'UTC');
  stats.start();
  for (let minute = 0; minute < 30; minute++) {
    stats.topicPut('T', 60, 1);
    await world.advance(60_000);
  }
  assert.equal(stats.rateText('put'), '0.0 1.0 1.0');
  stats.stop();
});
