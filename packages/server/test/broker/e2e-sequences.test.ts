import { test } from 'node:test';
import { checkSequences } from './e2e-sequences.ts';

test('whatever is sent, killed, unplugged and restarted in whatever order: acked messages are there, once, at their offsets', async () => {
  await checkSequences(100, 20_250_101);
});
