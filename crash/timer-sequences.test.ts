/** The long form of `packages/server/test/broker/delay/timer-crashes.test.ts`: new sequences every time; a failure prints its seed. */
import { test } from 'node:test';
import { runTimerSequence } from '../packages/server/test/broker/delay/timer-sequence.ts';

/** Some 150 ms each on a quiet machine. */
const SEQUENCES = 40;
const STEPS = 120;

const first = Number(process.env['PERIGEE_SEED'] ?? (Date.now() % 1_000_000) * 100);

test(`${SEQUENCES} random sequences of timers, levels, recalls, stops, kills and power failures break no promise`, async () => {
  for (let seed = first; seed < first + SEQUENCES; seed++) {
    try {
      await runTimerSequence(seed, STEPS);
    } catch (error) {
      throw new Error(`PERIGEE_SEED=${seed}`, { cause: error });
    }
  }
});
