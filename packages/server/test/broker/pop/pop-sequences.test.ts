import { test } from 'node:test';
import { checkPopSequences, GROUPS_PER_RUN } from './pop-sequences.ts';

/** The long form is `crash/pop-sequences.test.ts`. */
const SEQUENCES = 300;

test(`in ${SEQUENCES} random sequences of pops, acks, changes, restarts, kills and power failures no message is lost or stuck`, async () => {
  await checkPopSequences(SEQUENCES, 1);
});

/** Seeds that a long hunt failed at once, and what they showed. */
const FAILED_ONCE = [{ seed: 401_284, story: 'a pop time names a pop, so two lives of a broker must not share one' }];

for (const { seed, story } of FAILED_ONCE)
  test(`seed ${seed}: ${story}`, async () => {
    await checkPopSequences(GROUPS_PER_RUN, seed);
  });
