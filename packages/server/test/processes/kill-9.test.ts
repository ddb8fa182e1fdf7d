import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killRounds } from '../../../../crash/harness/kill-rounds.ts';

// `npm run crash` does the same twenty times (crash/kill-9.test.ts).
test('a broker killed three times in the middle of load keeps everything acknowledged, once, in order, in its place', async (t) => {
  const report = await killRounds({ rounds: 3, messagesMax: 1_000, seed: Number(process.env['PERIGEE_SEED'] ?? Date.now() % 1_000_000) });
  t.diagnostic(`${report.acknowledged} messages acknowledged, ${report.stored} stored`);
  assert.ok(report.acknowledged >= 60);
});
