import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BufferPool, OutputBuffer } from '../../src/remoting/output-buffer.ts';

const POOLED_BYTES = 65_536;

test('whatever is appended comes out in order, however it has to grow', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50_000 }), { maxLength: 12 }), (pieces) => {
      const output = new OutputBuffer(new BufferPool());
      for (const piece of pieces) output.append(Buffer.from(piece));
      const expected = Buffer.concat(pieces);
      const { whole, length } = output.take();
      assert.ok(whole.subarray(0, length).equals(expected));
      assert.equal(output.length, 0);
    }),
    { numRuns: 60 },
  );
});

test('a range of a buffer can be appended', () => {
  const output = new OutputBuffer(new BufferPool());
  output.append(Buffer.from('abcdef'), 2, 4);
  assert.equal(output.bytes.toString('latin1', 0, output.length), 'cd');
});

test('a buffer given back is used again, also when it was outgrown', () => {
  const pool = new BufferPool();
  const output = new OutputBuffer(pool);
  output.append(Buffer.alloc(10));
  const first = output.bytes;
  assert.equal(first.length, POOLED_BYTES);
  output.append(Buffer.alloc(POOLED_BYTES));
  assert.notEqual(output.bytes, first);
  assert.equal(pool.take(), first);
  const { whole } = output.take();
  pool.give(whole);
  assert.notEqual(pool.take(), whole, 'only buffers of the pooled size are kept');
});

test('the pool keeps a bounded number of buffers', () => {
  const pool = new BufferPool();
  const given = Array.from({ length: 100 }, () => Buffer.allocUnsafeSlow(POOLED_BYTES));
  for (const buffer of given) pool.give(buffer);
  const known = new Set<Buffer>(given);
  let kept = 0;
  for (let i = 0; i < 100; i++) if (known.has(pool.take())) kept++;
  assert.equal(kept, 64);
});
