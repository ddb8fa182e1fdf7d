import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { nodeClock } from '../../../src/platform/node/clock.ts';

const DAY_MS = 86_400_000;
/** The longest delay that Node's timers take. */
const LONGEST_MS = 2 ** 31 - 1;

function mocked(context: TestContext): TestContext['mock']['timers'] {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  return context.mock.timers;
}

describe('the clock of Node', () => {
  it('waits for a delay that does not fit 31 bits instead of firing at once', (context) => {
    const timers = mocked(context);
    let fired = 0;
    nodeClock().after(40 * DAY_MS, () => fired++);
    timers.tick(LONGEST_MS);
    assert.equal(fired, 0);
    timers.tick(40 * DAY_MS - LONGEST_MS - 1);
    assert.equal(fired, 0);
    timers.tick(1);
    assert.equal(fired, 1);
  });

  it('cancels a long delay in each of its steps', (context) => {
    const timers = mocked(context);
    const cancel = nodeClock().after(40 * DAY_MS, () => assert.fail('was cancelled'));
    timers.tick(30 * DAY_MS);
    cancel();
    cancel();
    timers.tick(30 * DAY_MS);
  });

  it('waits for a time of the wall clock, and notices within a second that it was set', (context) => {
    const timers = context.mock.timers;
    timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
    const fired: string[] = [];
    nodeClock().atWall(1_060_500, () => fired.push('set forward'));
    nodeClock().atWall(1_001_500, () => fired.push('straight'));
    const cancel = nodeClock().atWall(1_003_000, () => assert.fail('was cancelled'));
    timers.tick(1_499);
    assert.deepEqual(fired, []);
    timers.tick(1);
    assert.deepEqual(fired, ['straight']);
    cancel();
    timers.setTime(1_060_500);
    timers.tick(1_000);
    assert.deepEqual(fired, ['straight', 'set forward']);
  });

  it('repeats with the first delay apart from the period, until it is cancelled from within', (context) => {
    const timers = mocked(context);
    let fired = 0;
    const cancel = nodeClock().every(
      1_000,
      () => {
        if (++fired === 3) cancel();
      },
      10,
    );
    timers.tick(10);
    assert.equal(fired, 1);
    timers.tick(999);
    assert.equal(fired, 1);
    timers.tick(1);
    assert.equal(fired, 2);
    timers.tick(10_000);
    assert.equal(fired, 3);
  });

  it('starts with a whole period when no first delay is given', (context) => {
    const timers = mocked(context);
    let fired = 0;
    nodeClock().every(50, () => fired++);
    timers.tick(49);
    assert.equal(fired, 0);
    timers.tick(1);
    assert.equal(fired, 1);
  });

  it('runs what is put off to the end of the turn in order, and what that adds in the next turn', async () => {
    const clock = nodeClock();
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      clock.atTurnEnd(() => {
        order.push('first');
        clock.atTurnEnd(() => {
          order.push('next turn');
          resolve();
        });
        setImmediate(() => order.push('between'));
      });
      clock.atTurnEnd(() => order.push('second'));
      order.push('now');
    });
    assert.deepEqual(order, ['now', 'first', 'second', 'next turn']);
  });

  it('has a wall clock in whole milliseconds and a monotonic one that does not go back', () => {
    const clock = nodeClock();
    assert.ok(Number.isInteger(clock.wallMs()));
    assert.ok(Math.abs(clock.wallMs() - Date.now()) < 5_000);
    const before = clock.monotonicMs();
    assert.ok(clock.monotonicMs() >= before);
  });
});
