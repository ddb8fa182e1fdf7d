import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimerHints } from '../../../src/broker/delay/timer-hints.ts';

const hint = { outMs: 5_000, topic: 'T', isDelete: false };

test('a hint is found by both offsets of its message, and by nothing else', () => {
  const hints = new TimerHints(() => 0);
  hints.note(7, 700, hint);
  hints.note(8, 800, { outMs: 6_000, topic: 'U', isDelete: true });
  const first = hints.find(7, 700);
  assert.deepEqual([hints.outMs(first), hints.topic(first), hints.isDelete(first)], [5_000, 'T', false]);
  const second = hints.find(8, 800);
  assert.deepEqual([hints.outMs(second), hints.topic(second), hints.isDelete(second)], [6_000, 'U', true]);
  assert.deepEqual([hints.find(7, 800), hints.find(8, 700), hints.find(9, 900), hints.find(0, 0)], [-1, -1, -1, -1]);
});

test('a later message takes the place of one long before it', () => {
  const hints = new TimerHints(() => 0);
  hints.note(1, 100, hint);
  hints.note(1 + 4096, 900_000, { ...hint, outMs: 9_000 });
  assert.equal(hints.find(1, 100), -1);
  assert.equal(hints.outMs(hints.find(1 + 4096, 900_000)), 9_000);
});

test('after messages were taken back, their places say nothing of those that come there', () => {
  let rollBacks = 0;
  const hints = new TimerHints(() => rollBacks);
  hints.note(3, 300, hint);
  rollBacks++;
  assert.equal(hints.find(3, 300), -1);
  hints.note(3, 300, { ...hint, outMs: 8_000 });
  assert.equal(hints.outMs(hints.find(3, 300)), 8_000);
  rollBacks++;
  hints.note(4, 400, hint);
  assert.equal(hints.find(3, 300), -1);
  hints.clear();
  assert.equal(hints.find(4, 400), -1);
});
