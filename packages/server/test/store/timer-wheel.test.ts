import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import fc from 'fast-check';
import { TimerWheel, type WheelSlot } from '../../src/store/timer-wheel.ts';
import { goldenCase } from './golden-case.ts';

const TICK_MS = 1000;

function wheel(platform = simPlatform(), slots = 512): TimerWheel {
  const made = new TimerWheel(platform.disk, 'timerwheel', { tickMs: TICK_MS, slots });
  made.load();
  return made;
}

async function flush(made: TimerWheel): Promise<void> {
  await made.write(made.takeDirty());
}

test('filled and emptied in any order, it knows its slots, its messages and the earliest of them, before and after a reload', async () => {
  const steps = fc.array(fc.record({ tick: fc.integer({ min: 0, max: 300 }), empties: fc.boolean(), flushes: fc.boolean() }), {
    maxLength: 60,
  });
  await fc.assert(
    // Time 0 is what an empty slot says.
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 2000 }), async (all, startTick) => {
      const platform = simPlatform();
      let made = wheel(platform);
      const model = new Map<number, WheelSlot>();
      let pos = 0;
      for (const { tick, empties, flushes } of all) {
        const timeMs = (startTick + tick) * TICK_MS;
        const known = model.get(timeMs);
        if (empties) {
          made.clear(timeMs);
          model.delete(timeMs);
        } else {
          const slot = { firstPos: known?.firstPos ?? pos, lastPos: pos, count: (known?.count ?? 0) + 1 };
          made.put(timeMs, slot);
          model.set(timeMs, slot);
          pos += 52;
        }
        if (flushes) {
          await platform.run(flush(made));
          made.closeNow();
          made = wheel(platform);
          assert.deepEqual(made.markLive(startTick * TICK_MS).sort(), [...model.keys()].sort());
        }
        assert.equal(made.liveSlots, model.size);
        assert.equal(
          made.messages,
          [...model.values()].reduce((sum, { count }) => sum + count, 0),
        );
        const first = model.size === 0 ? undefined : Math.min(...model.keys());
        assert.equal(made.firstLive(startTick * TICK_MS), first);
        assert.deepEqual(made.get(timeMs), model.get(timeMs));
      }
    }),
    { numRuns: 60 },
  );
});

test('a slot that holds a time of the turn before is not free, and is no slot of the later time', () => {
  const made = wheel();
  made.put(5 * TICK_MS, { firstPos: 0, lastPos: 0, count: 1 });
  const later = (5 + 512) * TICK_MS;
  assert.equal(made.isFree(later), false);
  assert.equal(made.get(later), undefined);
  assert.equal(made.isFree(5 * TICK_MS), true);
  made.clear(5 * TICK_MS);
  assert.equal(made.isFree(later), true);
});

test('pages that could not be written are dirty again', async () => {
  const platform = simPlatform();
  const made = wheel(platform);
  made.put(7 * TICK_MS, { firstPos: 0, lastPos: 52, count: 2 });
  platform.disk.inject({ operation: 'sync', path: 'timerwheel', code: 'EIO', times: 1 });
  const pages = made.takeDirty();
  await assert.rejects(platform.run(made.write(pages)), { code: 'EIO' });
  assert.equal(made.dirtyPages, 0);
  made.giveBack(pages);
  assert.equal(made.dirtyPages, 1);
  await platform.run(flush(made));
  const again = wheel(platform);
  assert.deepEqual(again.markLive(0), [7 * TICK_MS]);
});

test('a wheel of another length is refused by name, and an untouched one is a hole of full length', () => {
  const platform = simPlatform();
  const made = new TimerWheel(platform.disk, 'timerwheel', { tickMs: TICK_MS });
  assert.equal(made.load(), false);
  assert.equal(platform.disk.statNow('timerwheel')?.sizeBytes, 38_707_200);
  platform.disk.openNow('timerwheel', { mode: 'write' }).truncateNow(38_707_199);
  assert.throws(() => new TimerWheel(platform.disk, 'timerwheel', { tickMs: TICK_MS }).load(), {
    name: 'StoreLoadError',
    message: /timerwheel: expected 38707200 bytes, found 38707199 bytes/,
  });
});

test("the slots that a Java broker left are read as Apache's class reads them", () => {
  for (const name of ['timer-55', 'mix-53']) {
    const { files, manifest } = goldenCase(name);
    const { timer } = manifest as unknown as {
      timer: { nonZeroSlots: { timeMs: number; firstPos: number; lastPos: number; num: number }[]; timercheck: { lastReadTimeMs: number } };
    };
    const platform = simPlatform();
    const bytes = files.get('timerwheel') as Buffer;
    platform.disk.openNow('timerwheel', { mode: 'write' }).appendNow(bytes, 0, bytes.length, 0);
    const made = new TimerWheel(platform.disk, 'timerwheel', { tickMs: TICK_MS });
    assert.equal(made.load(), true);
    const live = made.markLive(timer.timercheck.lastReadTimeMs);
    const expected = timer.nonZeroSlots.filter(({ timeMs }) => timeMs >= timer.timercheck.lastReadTimeMs);
    assert.deepEqual(
      live,
      expected.map(({ timeMs }) => timeMs),
    );
    for (const { timeMs, firstPos, lastPos, num } of expected) assert.deepEqual(made.get(timeMs), { firstPos, lastPos, count: num });
    assert.equal(made.firstLive(timer.timercheck.lastReadTimeMs), expected[0]?.timeMs);
  }
});
