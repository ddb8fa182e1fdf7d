import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupOfRetryTopic, reconsumeTimesMax, sendBackTarget } from '../../../src/broker/retry/retry-decision.ts';

test('level 0 climbs the ladder from level 3 on, a level of its own stays, below 0 is the dead-letter queue', () => {
  assert.deepEqual(sendBackTarget('G', 0, 16, 0), { topic: '%RETRY%G', isDeadLetter: false, delayLevel: 3 });
  assert.deepEqual(sendBackTarget('G', 15, 16, 0), { topic: '%RETRY%G', isDeadLetter: false, delayLevel: 18 });
  assert.deepEqual(sendBackTarget('G', 5, 16, 2), { topic: '%RETRY%G', isDeadLetter: false, delayLevel: 2 });
  assert.deepEqual(sendBackTarget('G', 0, 16, -1), { topic: '%DLQ%G', isDeadLetter: true, delayLevel: 0 });
});

test('a message that came back as often as it may is a dead letter, whatever level is asked for', () => {
  for (const level of [0, 5, -1]) assert.equal(sendBackTarget('G', 16, 16, level).topic, '%DLQ%G');
  assert.equal(sendBackTarget('G', 0, 0, 0).topic, '%DLQ%G');
});

test('the client says how often from version V3_4_9 on, before it the group does', () => {
  assert.equal(reconsumeTimesMax(16, 2, 121), 2);
  assert.equal(reconsumeTimesMax(16, 2, 120), 16);
  assert.equal(reconsumeTimesMax(16, undefined, 513), 16);
});

test('the group of a retry topic is what stands behind the prefix, up to the plus of pop', () => {
  assert.deepEqual(['%RETRY%G', '%RETRY%G+T', '%RETRY%G_T'].map(groupOfRetryTopic), ['G', 'G', 'G_T']);
});
