/** The long form of `packages/server/test/broker/e2e-sequences.test.ts`: new sequences every time, each printed with its seed. */
import { test } from 'node:test';
import { checkSequences } from '../packages/server/test/broker/e2e-sequences.ts';

/** Some 50 ms each. */
const SEQUENCES = 2_500;

test(`${SEQUENCES} random sequences of sends, kills, power failures and restarts on a simulated broker break no promise`, async () => {
  await checkSequences(SEQUENCES);
});
