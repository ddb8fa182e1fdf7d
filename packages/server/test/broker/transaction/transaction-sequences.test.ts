import { test } from 'node:test';
import { checkSequence, checkSequences } from './transaction-sequences.ts';

test('whatever is sent, ended, asked, killed and unplugged in whatever order: what was committed is there once, what was rolled back never', async () => {
  await checkSequences(25, 20_260_501);
});

// The end named the first copy, which nothing linked any more to the one made after the restart.
test('a half message that was put again before and after a restart is committed once by an end of its first copy', async () => {
  const rounds = (count: number) => ({ kind: 'rounds' as const, count, answers: false, online: false });
  await checkSequence({
    seed: 0,
    steps: [
      { kind: 'half', commits: true, group: 0, count: 1, waits: false },
      rounds(2),
      { kind: 'power', tear: false },
      rounds(1),
      { kind: 'end', which: 0, twice: false, waits: false },
      rounds(1),
    ],
  });
});
