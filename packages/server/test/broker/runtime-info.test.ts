import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readableBytes, readableSpan, runtimeInfo } from '../../src/broker/runtime-info.ts';
import { TestBroker } from './fakes.ts';

test('bytes and spans are written as Apache writes them', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 98.3 * 2 ** 30, 2 ** 61].map(readableBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '98.3 GiB',
    '2.0 EiB',
  ]);
  assert.equal(readableSpan(90_061_999), '[ 1 days, 1 hours, 1 minutes, 1 seconds ]');
});

test('what is not flushed yet is shown, and how often the page cache was slow', () => {
  const broker = new TestBroker();
  broker.store.maxPhysicalOffset = 5_000;
  const commitLog = { flushedTo: 904, counters: { slowWrites: 3, longestWriteMs: 17 } };
  const told = runtimeInfo({ ...broker.parts, commitLog });
  assert.equal(told.get('remainHowManyDataToFlush'), '4.0 KiB');
  assert.equal(told.get('slowPageCacheWriteTimes'), '3');
});
