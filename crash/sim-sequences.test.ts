/** The long form of `packages/server/test/broker/e2e-sequences.test.ts`: new sequences every time; a failure prints its seed. */
import { test } from 'node:test';
import { checkSequences } from '../packages/server/test/broker/e2e-sequences.ts';

/** Some 30 ms each on a quiet machine. */
const SEQUENCES = 1_000;

for (const part of ['first', 'second'])
  test(`random sequences of sends, full disks, kills, power failures and restarts break no promise: the ${part} ${SEQUENCES}`, async () => {
    await checkSequences(SEQUENCES);
  });
