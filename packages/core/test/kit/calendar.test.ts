import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { civilFromMs, daysFromCivil, msFromCivil } from '../../src/kit/calendar.ts';

test('dates agree with those of the platform over several centuries', () => {
  fc.assert(
    fc.property(fc.integer({ min: -5_000_000_000_000, max: 9_000_000_000_000 }), (epochMs) => {
      const date = new Date(epochMs);
      const civil = civilFromMs(epochMs);
      const month = String(civil.month).padStart(2, '0');
      assert.equal(date.toISOString().slice(0, 7), `${String(civil.year).padStart(4, '0')}-${month}`);
      assert.deepEqual(
        [civil.day, civil.hour, civil.minute, civil.second, civil.millisecond],
        [date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), date.getUTCMilliseconds()],
      );
      assert.equal(msFromCivil(civil), epochMs);
    }),
  );
});

test('month 13 is January of the next year', () => {
  assert.equal(daysFromCivil(2026, 13, 1), daysFromCivil(2027, 1, 1));
  assert.equal(daysFromCivil(2027, 1, 1) * 86_400_000, Date.UTC(2027, 0, 1));
});
