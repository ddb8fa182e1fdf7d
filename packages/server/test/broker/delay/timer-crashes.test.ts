/** `npm run crash` has the long form: crash/timer-sequences.test.ts. */
import { test } from 'node:test';
import { runTimerSequence } from './timer-sequence.ts';

for (let seed = 1; seed <= 12; seed++) {
  test(`seed ${seed}: nothing acknowledged is lost, early, or repeated without a crash`, async () => {
    await runTimerSequence(seed, 120);
  });
}
