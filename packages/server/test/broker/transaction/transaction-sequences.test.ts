import { test } from 'node:test';
import { checkSequences } from './transaction-sequences.ts';

test('whatever is sent, ended, asked, killed and unplugged in whatever order: what was committed is there once, what was rolled back never', async () => {
  await checkSequences(25, 20_260_501);
});
