import { test } from 'node:test';
import { checkPopSequences } from './pop-sequences.ts';

/** The long form is `crash/pop-sequences.test.ts`. */
const SEQUENCES = 300;

test(`in ${SEQUENCES} random sequences of pops, acks, changes, restarts, kills and power failures no message is lost or stuck`, async () => {
  await checkPopSequences(SEQUENCES, 1);
});
