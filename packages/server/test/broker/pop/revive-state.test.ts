import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckPoint } from '../../../src/broker/pop/check-point.ts';
import { PENDING_MAX, ReviveState, rePut, unackedOffsets } from '../../../src/broker/pop/revive-state.ts';

function checkPoint(startOffset: number, popTimeMs: number, more: Partial<CheckPoint> = {}): CheckPoint {
  return {
    topic: 'T',
    group: 'G',
    queueId: 0,
    startOffset,
    popTimeMs,
    brokerName: 'b',
    invisibleMs: 1_000,
    queueOffsets: [startOffset, startOffset + 1],
    ackedBits: 0,
    rePuts: 0,
    isSuspended: false,
    ...more,
  };
}

class Revive {
  readonly state = new ReviveState(-1);
  #next = 0;

  add(point: CheckPoint, nowMs: number): void {
    this.state.absorb(
      { kind: 'check-point', queueOffset: this.#next++, deliverMs: point.popTimeMs + point.invisibleMs - 1_000, checkPoint: point },
      nowMs,
    );
  }

  ack(point: CheckPoint, queueOffsets: number[], nowMs: number): void {
    const { topic, group, queueId, startOffset, popTimeMs, brokerName } = point;
    const ack = { topic, group, queueId, startOffset, popTimeMs, brokerName, queueOffsets };
    this.state.absorb({ kind: 'ack', queueOffset: this.#next++, deliverMs: popTimeMs + point.invisibleMs, ack }, nowMs);
  }
}

test('a check point is due when records two seconds behind its time have come, with what nobody acknowledged', () => {
  const revive = new Revive();
  const first = checkPoint(0, 10_000);
  revive.add(first, 10_000);
  revive.ack(first, [1], 11_000);
  revive.add(checkPoint(2, 12_900), 13_000);
  assert.deepEqual(revive.state.due(13_500, 10), []);
  revive.add(checkPoint(4, 13_100), 13_500);
  const due = revive.state.due(13_500, 10);
  assert.equal(due.length, 1);
  assert.deepEqual(unackedOffsets(due[0]!), [0]);
});

test('a silent queue gets its check points back three seconds after the last record, unless the timer is behind', () => {
  const revive = new Revive();
  revive.add(checkPoint(0, 10_000), 10_000);
  revive.state.noteEnd(13_000, false);
  assert.deepEqual(revive.state.due(13_000, 10), []);
  revive.state.noteEnd(14_000, true);
  assert.deepEqual(revive.state.due(14_000, 10), []);
  revive.state.noteEnd(14_000, false);
  assert.equal(revive.state.due(14_000, 10).length, 1);
});

test('one behind another that is due soon waits for it, so that a stop in between brings nothing twice', () => {
  const revive = new Revive();
  revive.add(checkPoint(0, 10_000, { invisibleMs: 2_000 }), 11_000);
  revive.add(checkPoint(2, 11_100, { invisibleMs: 300 }), 11_100);
  revive.add(checkPoint(4, 13_500), 13_500);
  assert.deepEqual(revive.state.due(13_500, 10), []);
  revive.add(checkPoint(6, 14_001), 14_001);
  assert.deepEqual(
    revive.state.due(14_001, 10).map(({ checkPoint }) => checkPoint.startOffset),
    [0, 2],
  );
});

test('one behind another that is due much later does not wait for it', () => {
  const revive = new Revive();
  revive.add(checkPoint(0, 3_600_000), 10_000);
  revive.add(checkPoint(2, 10_000), 10_000);
  revive.state.noteEnd(14_000, false);
  assert.deepEqual(
    revive.state.due(14_000, 10).map(({ checkPoint }) => checkPoint.startOffset),
    [2],
  );
});

test('a record that comes long before its time (there is no timer) makes nothing due', () => {
  const revive = new Revive();
  revive.add(checkPoint(0, 10_000), 10_000);
  revive.add(checkPoint(2, 10_000, { invisibleMs: 3_600_000 }), 10_001);
  assert.deepEqual(revive.state.due(10_001, 10), []);
});

test('only positions before the first open check point are committed, and acks need no check point behind them', () => {
  const revive = new Revive();
  const [first, second] = [checkPoint(0, 10_000), checkPoint(2, 10_000)];
  assert.equal(revive.state.committable, -1);
  revive.add(first, 10_000);
  revive.add(second, 10_000);
  revive.ack(first, [0], 10_000);
  assert.equal(revive.state.committable, -1);
  revive.state.noteEnd(20_000, false);
  const due = revive.state.due(20_000, 10);
  revive.state.finish(due[1]!);
  assert.equal(revive.state.committable, -1);
  revive.state.finish(due[0]!);
  assert.equal(revive.state.committable, 2);
  assert.equal(revive.state.size, 0);
});

test('a restart begins behind the committed position', () => {
  assert.equal(new ReviveState(-1).readOffset, 0);
  assert.equal(new ReviveState(41).readOffset, 42);
});

test('an ack counts for every check point with its identity', () => {
  const revive = new Revive();
  revive.add(checkPoint(0, 10_000), 10_000);
  revive.add(checkPoint(0, 10_000, { queueOffsets: [0, 1, 2], invisibleMs: 2_000 }), 10_000);
  revive.ack(checkPoint(0, 10_000), [0, 1], 10_000);
  revive.state.noteEnd(20_000, false);
  assert.deepEqual(revive.state.due(20_000, 10).map(unackedOffsets), [[], [2]]);
});

test('an ack for a message that its check point never had, or without any check point, is ignored', () => {
  const revive = new Revive();
  const point = checkPoint(0, 10_000);
  revive.ack(point, [0], 10_000);
  revive.add(point, 10_000);
  revive.ack(point, [7, -1], 10_000);
  revive.state.noteEnd(20_000, false);
  assert.deepEqual(revive.state.due(20_000, 10).map(unackedOffsets), [[0, 1]]);
});

test('the 32nd message of a check point can be acknowledged', () => {
  const revive = new Revive();
  const point = checkPoint(0, 10_000, { queueOffsets: Array.from({ length: 32 }, (_, place) => place) });
  revive.add(point, 10_000);
  revive.ack(point, [31], 10_000);
  revive.state.noteEnd(20_000, false);
  assert.equal(unackedOffsets(revive.state.due(20_000, 10)[0]!).length, 31);
});

test('while too many check points wait, the clock alone decides', () => {
  const revive = new Revive();
  for (let i = 0; i < PENDING_MAX; i++) revive.add(checkPoint(i * 2, 10_000), 10_000);
  assert.equal(revive.state.isFull, true);
  assert.deepEqual(revive.state.due(12_000, 10), []);
  assert.equal(revive.state.due(13_001, 10).length, 10);
  for (const pending of revive.state.due(13_001, PENDING_MAX)) revive.state.finish(pending);
  assert.equal(revive.state.size, 0);
  assert.equal(revive.state.committable, PENDING_MAX - 1);
});

test('what could not be redelivered is tried again after longer and longer times, one message by itself', () => {
  let point = checkPoint(5, 10_000);
  const waits: number[] = [];
  for (let i = 0; i < 20; i++) {
    const again = rePut(point, 6, point.popTimeMs + point.invisibleMs);
    waits.push((again.invisibleMs - point.invisibleMs) / 1000);
    assert.deepEqual([again.startOffset, again.queueOffsets, again.rePuts, again.popTimeMs], [6, [6], i + 1, 10_000]);
    point = again;
  }
  assert.deepEqual(waits, [10, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200, 7200, 7200, 7200]);
  assert.equal(rePut(checkPoint(5, 10_000), 6, 10_500).invisibleMs, 1_000);
});
