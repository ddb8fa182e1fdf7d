import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideCheck, immunityMs, type OpenHalf } from '../../../src/broker/transaction/check-decision.ts';

const SETTINGS = { transactionTimeOut: 6_000, transactionCheckMax: 15, fileReservedTime: 72 };
const BORN = 1_000_000;

function decide(half: Partial<OpenHalf>, nowMs: number, roundStartMs = nowMs): string {
  const open = { checkTimes: 0, bornTimestampMs: BORN, storeTimestampMs: BORN, immunitySeconds: undefined, ...half };
  return decideCheck(open, nowMs, roundStartMs, SETTINGS);
}

test('a half message is asked about when it is older than transactionTimeOut', () => {
  assert.equal(decide({}, BORN + 6_000), 'later');
  assert.equal(decide({}, BORN + 6_001), 'check');
});

test('its own immunity replaces transactionTimeOut, and does not hold up those behind it', () => {
  assert.equal(decide({ immunitySeconds: '60' }, BORN + 60_000), 'wait');
  assert.equal(decide({ immunitySeconds: '60' }, BORN + 60_001), 'check');
  assert.equal(decide({ immunitySeconds: '1' }, BORN + 1_001), 'check');
});

test('an immunity that is no number, or -1, is the usual one', () => {
  for (const text of ['soon', '', '-1', '1.5', '60s']) assert.equal(immunityMs(text, 6_000), 6_000, text);
  assert.equal(immunityMs('0', 6_000), 0);
});

test('a message of a producer whose clock is ahead is due', () => {
  assert.equal(decide({ bornTimestampMs: BORN + 3_600_000 }, BORN + 10, BORN), 'later', 'it was stored in this round');
  assert.equal(decide({ bornTimestampMs: BORN + 3_600_000 }, BORN + 10, BORN + 5), 'check');
});

test('what was stored since the round began waits for the next one', () => {
  assert.equal(decide({ storeTimestampMs: BORN + 9_000 }, BORN + 9_500, BORN + 9_000), 'later');
});

test('it is given up after transactionCheckMax checks, or when its log file is about to expire', () => {
  assert.equal(decide({ checkTimes: 14 }, BORN + 7_000), 'check');
  assert.equal(decide({ checkTimes: 15 }, BORN + 7_000), 'give-up');
  assert.equal(decide({}, BORN + 72 * 3_600_000), 'check');
  assert.equal(decide({}, BORN + 72 * 3_600_000 + 1), 'give-up');
  assert.equal(decide({ checkTimes: 15, storeTimestampMs: BORN + 1 }, BORN + 1), 'give-up');
});
