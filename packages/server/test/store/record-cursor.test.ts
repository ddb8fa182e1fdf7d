import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeRecord, recordSize, recordSource } from '@perigee/core/message/record';
import type { CommitLog } from '../../src/store/commit-log.ts';
import { RecordCursor } from '../../src/store/record-cursor.ts';

/** A CommitLog of records, and how often it was read. */
function logOf(bodies: readonly string[]) {
  const bytes = Buffer.alloc(4 * 1024 * 1024);
  const records: { at: number; size: number }[] = [];
  let end = 0;
  for (const body of bodies) {
    const source = recordSource({ topic: 'T', body: Buffer.from(body), physicalOffset: end });
    const size = recordSize(source);
    encodeRecord(bytes, end, source);
    records.push({ at: end, size });
    end += size;
  }
  const reads: number[] = [];
  const log = {
    minOffset: 0,
    writtenTo: end,
    readWritten(target: Buffer, targetStart: number, length: number, physicalOffset: number): number {
      reads.push(length);
      return bytes.copy(target, targetStart, physicalOffset, Math.min(end, physicalOffset + length));
    },
  };
  return { log: log as unknown as CommitLog, records, reads, bytes };
}

test('records in a row are read a window at a time, others alone, and each is the right one', () => {
  const { log, records, reads, bytes } = logOf(Array.from({ length: 3_000 }, (_, n) => `body ${n}`));
  const cursor = new RecordCursor(log);
  const expectAt = ({ at, size }: { at: number; size: number }): void => {
    assert.ok(cursor.load(at, size));
    assert.deepEqual(cursor.bytes.subarray(cursor.start, cursor.end), bytes.subarray(at, at + size));
  };
  for (const record of records) expectAt(record);
  assert.ok(reads.length < 10, String(reads.length));
  reads.length = 0;
  for (const n of [2_000, 10, 1_500]) expectAt(records[n] as { at: number; size: number });
  assert.deepEqual(
    reads,
    [2_000, 10, 1_500].map((n) => records[n]?.size),
  );
});

test('what is no record of that size there is not loaded', () => {
  const { log, records } = logOf(['a', 'b']);
  const cursor = new RecordCursor(log);
  const { at, size } = records[1] as { at: number; size: number };
  assert.equal(cursor.load(at, size - 1), false);
  assert.equal(cursor.load(at + 1, size - 1), false);
  assert.equal(cursor.load(at, size + 1), false);
  assert.equal(cursor.load(-1, size), false);
  assert.ok(cursor.load(at, size));
});
