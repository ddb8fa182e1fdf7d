import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ticker } from '../../src/kit/ticker.ts';
import { simPlatform } from '../../src/platform/sim/sim-platform.ts';

test('it ticks at whole periods while there is more to do, then sleeps until it is woken', async () => {
  const { clock } = simPlatform();
  const ticks: number[] = [];
  let work = 2;
  const ticker = new Ticker(clock, { periodMs: 1000 }, () => {
    ticks.push(clock.monotonicMs());
    return --work > 0;
  });
  ticker.wake();
  await clock.advance(5000);
  assert.deepEqual(ticks, [], 'not before the start');
  ticker.start();
  await clock.advance(10_300);
  assert.deepEqual(ticks, [6000, 7000]);
  work = 1;
  ticker.wake();
  ticker.wake();
  await clock.advance(5000);
  assert.deepEqual(ticks, [6000, 7000, 16_000], 'where an endless series would have ticked');
});

test('the first tick has a time of its own, and the others follow it in whole periods', async () => {
  const { clock } = simPlatform();
  const ticks: number[] = [];
  const ticker = new Ticker(clock, { periodMs: 100, firstMs: 30 }, () => ticks.push(clock.monotonicMs()) < 3);
  ticker.start();
  await clock.advance(1000);
  assert.deepEqual(ticks, [30, 130, 230]);
});

test('a wake within a tick is for the next one', async () => {
  const { clock } = simPlatform();
  const ticks: number[] = [];
  const ticker: Ticker = new Ticker(clock, { periodMs: 100 }, () => {
    ticks.push(clock.monotonicMs());
    if (ticks.length === 1) ticker.wake();
    return false;
  });
  ticker.start();
  await clock.advance(1000);
  assert.deepEqual(ticks, [100, 200]);
});

test('a timer that fires a little early does not fire twice', () => {
  let nowMs = 0;
  let timer: { delayMs: number; action: () => void } | undefined;
  const clock = {
    monotonicMs: () => nowMs,
    after: (delayMs: number, action: () => void) => {
      timer = { delayMs, action };
      return () => {};
    },
  };
  const ticker = new Ticker(clock, { periodMs: 100 }, () => true);
  ticker.start();
  for (const [atMs, nextMs] of [
    [99.6, 100.4],
    [205, 95],
    [300, 100],
  ] as const) {
    nowMs = atMs;
    timer?.action();
    assert.ok(Math.abs((timer?.delayMs ?? 0) - nextMs) < 1e-6, `at ${atMs} the next tick is ${timer?.delayMs} ms away`);
  }
});

test('an action that throws does not end the series, a stop does', async () => {
  const { clock } = simPlatform();
  let ticks = 0;
  const ticker = new Ticker(clock, { periodMs: 10 }, () => {
    ticks++;
    throw new Error('a full disk');
  });
  ticker.start();
  await assert.rejects(clock.advance(10), /a full disk/);
  await assert.rejects(clock.advance(10), /a full disk/);
  assert.equal(ticks, 2);
  ticker.stop();
  ticker.wake();
  await clock.advance(100);
  assert.equal(ticks, 2);
});
