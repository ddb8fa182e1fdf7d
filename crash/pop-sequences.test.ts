/**
 * The long form of `packages/server/test/broker/pop/pop-sequences.test.ts`: the same sequences every time; PERIGEE_SEED makes others,
 * and a failure names its seed.
 */
import { test } from 'node:test';
import { checkPopSequences, GROUPS_PER_RUN } from '../packages/server/test/broker/pop/pop-sequences.ts';

/** 10,000 in all; a part takes half a minute on a quiet machine. */
const PARTS = 10;
const SEQUENCES = 1_000;
const firstSeed = Number(process.env['PERIGEE_SEED'] ?? 1);

for (let part = 0; part < PARTS; part++)
  test(`random sequences of pops, acks, changes, restarts, kills and power failures lose no message and get none stuck: part ${part + 1} of ${PARTS}, ${SEQUENCES} each`, async () => {
    await checkPopSequences(SEQUENCES, firstSeed + (part * SEQUENCES) / GROUPS_PER_RUN);
  });
