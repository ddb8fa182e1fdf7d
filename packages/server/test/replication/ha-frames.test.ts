import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReportReader, writeFrameHeader } from '../../src/replication/ha-frames.ts';

test('a frame header is an i64 offset and an i32 length', () => {
  const bytes = Buffer.alloc(14, 0xaa);
  writeFrameHeader(bytes, 1, 0x1_0203_0405, 0x0607_0809);
  assert.equal(bytes.toString('hex'), 'aa000000010203040506070809aa');
});

test('however the bytes are split, each chunk answers the last report that it completes', () => {
  const offsets = fc.array(fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }), { maxLength: 12 });
  const cuts = fc.array(fc.nat(96), { maxLength: 20 });
  fc.assert(
    fc.property(offsets, cuts, (reports, positions) => {
      const stream = Buffer.alloc(reports.length * 8);
      reports.forEach((report, i) => {
        stream.writeBigInt64BE(BigInt(report), i * 8);
      });
      const borders = [0, ...positions.filter((at) => at <= stream.length).sort((a, b) => a - b), stream.length];
      const reader = new ReportReader();
      for (let i = 1; i < borders.length; i++) {
        const [start, end] = [borders[i - 1]!, borders[i]!];
        const completed = Math.floor(end / 8) > Math.floor(start / 8);
        assert.equal(reader.push(stream.subarray(start, end)), completed ? reports[Math.floor(end / 8) - 1] : undefined);
      }
    }),
  );
});
