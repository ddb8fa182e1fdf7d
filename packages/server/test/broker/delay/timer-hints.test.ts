import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimerHints } from '../../../src/broker/delay/timer-hints.ts';

const hint = { outMs: 5_000, topic: 'T', isDelete: false };

test('a hint is found by both offsets of its message, and by nothing else', () => {
  const hints = new TimerHints(() => 0);
  hints.note(7, 700, hint);
  hints.note(8, 800, { outMs: 6_000, topic: 'U', isDelete: true });
  assert.deepEqual(hints.find(7, 700), hint);
  assert.deepEqual(hints.find(8, 800), { outMs: 6_000, topic: 'U', isDelete: true });
  for (const [queueOffset, physicalOffset] of [
    [7, 800],
    [8, 700],
    [9, 900],
    [0, 0],
  ] as const)
    assert.equal(hints.find(queueOffset, physicalOffset), undefined);
});

test('a later message takes the place of one long before it', () => {
  const hints = new TimerHints(() => 0);
  hints.note(1, 100, hint);
  hints.note(1 + 4096, 900_000, { ...hint, outMs: 9_000 });
  assert.equal(hints.find(1, 100), undefined);
  assert.equal(hints.find(1 + 4096, 900_000)?.outMs, 9_000);
});

test('after messages were taken back, their places say nothing of those that come there', () => {
  let rollBacks = 0;
  const hints = new TimerHints(() => rollBacks);
  hints.note(3, 300, hint);
  rollBacks++;
  assert.equal(hints.find(3, 300), undefined);
  hints.note(3, 300, { ...hint, outMs: 8_000 });
  assert.equal(hints.find(3, 300)?.outMs, 8_000);
  rollBacks++;
  hints.note(4, 400, hint);
  assert.equal(hints.find(3, 300), undefined);
  hints.clear();
  assert.equal(hints.find(4, 400), undefined);
});
