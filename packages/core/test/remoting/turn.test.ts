import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '../../src/platform/sim/sim-platform.ts';
import { Turn } from '../../src/remoting/turn.ts';

test('at the end of a turn the shared work runs in order of registration, then the output is flushed', async () => {
  const platform = simPlatform();
  const turn = new Turn(platform.clock);
  const seen: string[] = [];
  turn.addWork(() => seen.push('append'));
  turn.addWork(() => seen.push('wake'));
  turn.markDirty({ flush: () => seen.push('flush a') });
  turn.markDirty({ flush: () => seen.push('flush b') });
  assert.deepEqual(seen, []);
  await platform.settle();
  assert.deepEqual(seen, ['append', 'wake', 'flush a', 'flush b']);
});

test('a turn that was asked for several times ends once', async () => {
  const platform = simPlatform();
  const turn = new Turn(platform.clock);
  let ends = 0;
  turn.addWork(() => ends++);
  turn.schedule();
  turn.schedule();
  turn.markDirty({ flush: () => {} });
  await platform.settle();
  assert.equal(ends, 1);
  turn.schedule();
  await platform.settle();
  assert.equal(ends, 2);
});

test('output that the work makes is flushed in the same turn, and so is output made by a flush', async () => {
  const platform = simPlatform();
  const turn = new Turn(platform.clock);
  const seen: string[] = [];
  const second = { flush: (): void => void seen.push('second') };
  const first = {
    flush: (): void => {
      seen.push('first');
      turn.markDirty(second);
    },
  };
  turn.addWork(() => {
    if (seen.length === 0) turn.markDirty(first);
  });
  turn.schedule();
  await platform.settle();
  assert.deepEqual(seen, ['first', 'second']);
});

test('what a device completes outside of input can be flushed at once', () => {
  const platform = simPlatform();
  const turn = new Turn(platform.clock);
  const seen: string[] = [];
  turn.addWork(() => seen.push('work'));
  turn.markDirty({ flush: () => seen.push('flush') });
  turn.run();
  assert.deepEqual(seen, ['work', 'flush']);
});
