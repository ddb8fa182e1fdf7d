import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NAMED_STATS_MAX, NamedStats } from '../../src/broker/named-stats.ts';

test('counters are found by name and key, and sampled until nothing in them changes any more', () => {
  const stats = new NamedStats();
  stats.add('SNDBCK_PUT_NUMS', 'T@G', 2);
  stats.add('SNDBCK_PUT_NUMS', 'T@G', 1);
  assert.equal(stats.sample('minute', 10_000), true);
  assert.deepEqual(stats.item('SNDBCK_PUT_NUMS', 'T@G')?.figure('minute'), { sum: 3, tps: 0.3, avgpt: 1.5 });
  assert.equal(stats.item('SNDBCK_PUT_NUMS', 'T@H'), undefined);
  assert.equal(stats.item('NO_SUCH', 'T@G'), undefined);
  let rounds = 1;
  while (stats.sample('minute', 10_000 * ++rounds)) assert.ok(rounds < 20);
  assert.equal(stats.item('SNDBCK_PUT_NUMS', 'T@G')?.figure('minute').sum, 0);
});

test('a deleted topic or group takes its own counters with it, and no others', () => {
  const stats = new NamedStats();
  const keys = ['A@B', 'B@A', 'A@C'];
  for (const key of keys) stats.add('GROUP_ACK_NUMS', key, 1);
  stats.add('SNDBCK2DLQ_TIMES', 'A@T@B@SEND_BACK_TO_DLQ', 1);
  stats.add('CHANNEL_ACTIVITY', 'CLOSE', 1);
  const left = (): string[] => keys.filter((key) => stats.item('GROUP_ACK_NUMS', key) !== undefined);
  stats.removeTopic('A');
  assert.deepEqual(left(), ['B@A']);
  stats.removeGroup('A');
  assert.deepEqual(left(), []);
  assert.notEqual(stats.item('SNDBCK2DLQ_TIMES', 'A@T@B@SEND_BACK_TO_DLQ'), undefined, 'the owner is no topic');
  stats.removeGroup('B');
  assert.equal(stats.item('SNDBCK2DLQ_TIMES', 'A@T@B@SEND_BACK_TO_DLQ'), undefined);
  stats.removeTopic('CLOSE');
  assert.notEqual(stats.item('CHANNEL_ACTIVITY', 'CLOSE'), undefined);
});

test('counters beyond the bound are not kept, those that are there go on', () => {
  const stats = new NamedStats();
  for (let i = 0; i < NAMED_STATS_MAX + 10; i++) stats.add('GROUP_CK_NUMS', `T@G${i}`, 1);
  assert.equal(stats.item('GROUP_CK_NUMS', `T@G${NAMED_STATS_MAX}`), undefined);
  stats.add('GROUP_CK_NUMS', 'T@G0', 1);
  assert.equal(stats.item('GROUP_CK_NUMS', 'T@G0')?.sum, 2);
  stats.removeGroup('G1');
  stats.add('GROUP_CK_NUMS', 'T@New', 1);
  assert.equal(stats.item('GROUP_CK_NUMS', 'T@New')?.sum, 1);
});
