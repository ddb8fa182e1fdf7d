import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import { MovableTime } from '../../src/testing/movable-time.ts';

/** Real time made by hand: it stands still unless a test lets it pass. */
class HandClock implements Clock {
  ms = 1_000;
  readonly timers = new Set<{ dueMs: number; action: () => void }>();
  wallMs(): number {
    return 1_700_000_000_000 + this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  sleep(): Promise<void> {
    throw new Error('nobody sleeps here');
  }
  after(delayMs: number, action: () => void): Cancel {
    const timer = { dueMs: this.ms + delayMs, action };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }
  atWall(): Cancel {
    throw new Error('nobody looks at the wall here');
  }
  every(): Cancel {
    throw new Error('nobody repeats here');
  }
  atTurnEnd(action: () => void): void {
    queueMicrotask(action);
  }
  /** Real time passes. */
  pass(ms: number): void {
    this.ms += ms;
    for (const timer of [...this.timers]) {
      if (timer.dueMs > this.ms) continue;
      this.timers.delete(timer);
      timer.action();
    }
  }
}

function made(): { real: HandClock; time: MovableTime; fired: string[]; note: (name: string) => () => void } {
  const real = new HandClock();
  const fired: string[] = [];
  return { real, time: new MovableTime(real), fired, note: (name) => () => void fired.push(name) };
}

test('timers fire by themselves when real time passes, the earliest first', () => {
  const { real, time, fired, note } = made();
  time.at(time.nowMs + 200, note('late'));
  time.at(time.nowMs + 100, note('early'));
  const cancel = time.at(time.nowMs + 150, note('cancelled'));
  cancel();
  real.pass(99);
  assert.deepEqual(fired, []);
  real.pass(1);
  assert.deepEqual(fired, ['early']);
  real.pass(100);
  assert.deepEqual(fired, ['early', 'late']);
});

test('advance runs what becomes due on the way in order, each at its time, and ends where it was told to', async () => {
  const { real, time, fired } = made();
  const start = time.nowMs;
  const at = (name: string, dueMs: number): void => void time.at(start + dueMs, () => fired.push(`${name}@${time.nowMs - start}`));
  at('b', 2_000);
  at('a', 1_000);
  at('c', 9_000);
  time.at(start + 3_000, () => at('from b', 4_000));
  await time.advance(5_000);
  assert.deepEqual(fired, ['a@1000', 'b@2000', 'from b@4000']);
  assert.equal(time.nowMs - start, 5_000);
  real.pass(3_999);
  assert.equal(fired.length, 3);
  real.pass(1);
  assert.deepEqual(fired.slice(3), ['c@9000']);
});

test('advance waits for the traffic that a timer sets off before it moves on', async () => {
  const { time, fired } = made();
  let rounds = 0;
  const chatter = (): void => {
    time.noteTraffic();
    if (++rounds < 20) time.atTurnEnd(chatter);
    else fired.push('traffic over');
  };
  time.at(time.nowMs + 10, chatter);
  time.at(time.nowMs + 20, () => void fired.push('next timer'));
  await time.advance(30);
  assert.deepEqual(fired, ['traffic over', 'next timer']);
});

test('endless traffic does not hold an advance up for ever', async () => {
  const { time } = made();
  let isOver = false;
  let turns = 0;
  const chatter = (): void => {
    turns++;
    time.noteTraffic();
    if (!isOver) time.atTurnEnd(chatter);
  };
  chatter();
  await time.advance(1);
  isOver = true;
  assert.ok(turns > 1_000);
});

test('two advances at once are refused', async () => {
  const { time } = made();
  const first = time.advance(10);
  await assert.rejects(time.advance(10), /already being moved/);
  await first;
});

test('a blocked thread makes timers late, and what repeats at once waits for the next turn', () => {
  const { real, time, fired } = made();
  const start = time.nowMs;
  time.at(start + 10, () => {
    fired.push(`first@${time.nowMs - start}`);
    time.at(time.nowMs, () => fired.push('again'));
  });
  real.pass(5);
  time.block(45);
  assert.equal(time.nowMs - start, 50);
  real.pass(0);
  assert.deepEqual(fired, ['first@50']);
  real.pass(0);
  assert.deepEqual(fired, ['first@50', 'again']);
});
