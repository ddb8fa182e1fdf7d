import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  floorToTick,
  isSlotCongested,
  isSlotDue,
  placeTimer,
  rollWindowSlots,
  slotOf,
  UNIT_DEFAULT,
  UNIT_DELETE,
  UNIT_ROLL,
} from '../../src/store/timer-rules.ts';

const TICK_MS = 1000;

test('a slot is emptied at the first border of a tick that is not before the asked time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_000_000_000_000 }), fc.constantFrom(100, 500, 1000), (deliverMs, tickMs) => {
      const slot = slotOf(deliverMs, tickMs);
      assert.ok(slot % tickMs === 0);
      const emptiedAt = slot + tickMs;
      assert.ok(emptiedAt >= deliverMs && emptiedAt - deliverMs < tickMs);
      assert.equal(isSlotDue(slot, emptiedAt - 1, tickMs), false);
      assert.equal(isSlotDue(slot, emptiedAt, tickMs), true);
    }),
  );
});

test("the slot of a recall handle's time is that of its message", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_000_000_000_000 }), (deliverMs) =>
      assert.equal(slotOf(slotOf(deliverMs, TICK_MS) + 1, TICK_MS), slotOf(deliverMs, TICK_MS)),
    ),
  );
});

test('a message inside the window gets its own slot, one beyond is to be written again on the way', () => {
  const at = { writeTimeMs: 1_795_273_049_000, windowSlots: 20, tickMs: TICK_MS };
  // Golden timer-55: 40 s with a window of 20 slots.
  assert.deepEqual(placeTimer({ outMs: 1_795_273_089_000, isDelete: false }, at), {
    timeMs: 1_795_273_069_000,
    magic: UNIT_DEFAULT | UNIT_ROLL,
  });
  assert.deepEqual(placeTimer({ outMs: at.writeTimeMs + 19_000, isDelete: false }, at), {
    timeMs: at.writeTimeMs + 19_000,
    magic: UNIT_DEFAULT,
  });
  // Less than a third of the window beyond it: half the window, so that the rest is not too short.
  assert.deepEqual(placeTimer({ outMs: at.writeTimeMs + 25_000, isDelete: false }, at), {
    timeMs: at.writeTimeMs + 10_000,
    magic: UNIT_DEFAULT | UNIT_ROLL,
  });
  assert.deepEqual(placeTimer({ outMs: at.writeTimeMs + 26_000, isDelete: true }, at), {
    timeMs: at.writeTimeMs + 20_000,
    magic: UNIT_DEFAULT | UNIT_ROLL | UNIT_DELETE,
  });
});

test('written again from slot to slot, a message of any distance comes to its own slot and to no later one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 5000 }), fc.integer({ min: 0, max: 100_000 }), (windowSlots, ticksAhead) => {
      const outMs = ticksAhead * TICK_MS;
      let writeTimeMs = 0;
      for (let times = 0; times < 200_000; times++) {
        const { timeMs, magic } = placeTimer({ outMs, isDelete: false }, { writeTimeMs, windowSlots, tickMs: TICK_MS });
        assert.ok(timeMs <= outMs && timeMs - writeTimeMs <= windowSlots * TICK_MS);
        if ((magic & UNIT_ROLL) === 0) {
          assert.equal(timeMs, outMs);
          return;
        }
        // A rolled message is written again in the tick after its slot.
        writeTimeMs = timeMs + TICK_MS;
        if (writeTimeMs > outMs) return;
      }
      assert.fail('never arrived');
    }),
  );
});

test('windows that Java does not take count as all slots but sixty', () => {
  assert.equal(rollWindowSlots(172_800), 172_800);
  for (const invalid of [0, 1, -5, 604_741, 1_000_000]) assert.equal(rollWindowSlots(invalid), 604_740);
});

test('a slot is open up to its limit, closed from twice as many on, and closed by chance in between', () => {
  const never = (): number => assert.fail('asked for chance');
  assert.equal(isSlotCongested(10, 10, never), false);
  assert.equal(isSlotCongested(20, 10, never), true);
  assert.equal(isSlotCongested(0, 2_147_483_647, never), false);
  assert.equal(
    isSlotCongested(15, 10, () => 999),
    true,
  );
  assert.equal(
    isSlotCongested(15, 10, () => 100),
    false,
  );
});

test('times before the epoch have a tick too', () => {
  assert.equal(floorToTick(-1, 1000), -1000);
});
