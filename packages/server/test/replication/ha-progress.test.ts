import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBodyBytes, TransferRate, transferStart } from '../../src/replication/ha-progress.ts';

const log = (minPhysicalOffset: number, maxPhysicalOffset: number) => ({ minPhysicalOffset, maxPhysicalOffset, segmentBytes: 1_000 });

test('the first report decides where the transfer begins', () => {
  const cases = [
    { reported: 0, min: 0, max: 0, start: { kind: 'from', physicalOffset: 0 } },
    { reported: 0, min: 0, max: 999, start: { kind: 'from', physicalOffset: 0 } },
    { reported: 0, min: 0, max: 3_400, start: { kind: 'from', physicalOffset: 3_000 } },
    { reported: 0, min: 2_000, max: 4_000, start: { kind: 'from', physicalOffset: 4_000 } },
    { reported: 1, min: 0, max: 3_400, start: { kind: 'from', physicalOffset: 1 } },
    { reported: 2_000, min: 2_000, max: 3_400, start: { kind: 'from', physicalOffset: 2_000 } },
    { reported: 3_400, min: 2_000, max: 3_400, start: { kind: 'from', physicalOffset: 3_400 } },
    { reported: 3_401, min: 2_000, max: 3_400, start: { kind: 'ahead' } },
    { reported: 1_999, min: 2_000, max: 3_400, start: { kind: 'behind' } },
  ];
  for (const { reported, min, max, start } of cases)
    assert.deepEqual(transferStart(reported, log(min, max)), start, `${reported} of ${min}..${max}`);
});

test('a body ends at the batch size, the file border or the end of the log, whichever comes first', () => {
  assert.equal(nextBodyBytes(100, log(0, 5_000), 300), 300);
  assert.equal(nextBodyBytes(900, log(0, 5_000), 300), 100);
  assert.equal(nextBodyBytes(4_950, log(0, 5_000), 300), 50);
  assert.equal(nextBodyBytes(5_000, log(0, 5_000), 300), 0);
  assert.equal(nextBodyBytes(5_001, log(0, 5_000), 300), 0);
});

test('the transfer rate is that of the last whole second', () => {
  const rate = new TransferRate(100);
  rate.add(10, 200);
  rate.add(5, 1_099);
  assert.equal(rate.bytesPerSecond(1_099), 0);
  assert.equal(rate.bytesPerSecond(1_100), 15);
  rate.add(7, 1_500);
  assert.equal(rate.bytesPerSecond(2_050), 15);
  assert.equal(rate.bytesPerSecond(2_100), 7);
  assert.equal(rate.bytesPerSecond(3_100), 0);
  rate.add(9, 9_999);
  assert.equal(rate.bytesPerSecond(10_100), 9);
  rate.add(1, 10_200);
  assert.equal(rate.bytesPerSecond(60_000), 0);
});
