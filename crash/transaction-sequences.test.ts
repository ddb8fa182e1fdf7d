/** The long form of `packages/server/test/broker/transaction/transaction-sequences.test.ts`: new sequences every time. */
import { test } from 'node:test';
import { checkSequences } from '../packages/server/test/broker/transaction/transaction-sequences.ts';

/** Some 150 ms each. */
const SEQUENCES = 300;

test(`${SEQUENCES} random sequences of transactions, kills and power failures commit and roll back everything once`, async () => {
  await checkSequences(SEQUENCES);
});
