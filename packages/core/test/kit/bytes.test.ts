import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as bytes from '../../src/kit/bytes.ts';

test('64-bit integers within ±2^53 are written and read as Buffer does, negative ones included', () => {
  const buffer = Buffer.alloc(10);
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      bytes.writeInt64(buffer, 1, value);
      assert.equal(buffer.readBigInt64BE(1), BigInt(value));
      assert.equal(bytes.readInt64(buffer, 1), value);
      assert.equal(bytes.readBigInt64(buffer, 1), BigInt(value));
    }),
  );
  for (const value of [-1, -4294967296, -4294967297, 4294967295, 4294967296, 2 ** 53, -(2 ** 53)]) {
    bytes.writeInt64(buffer, 0, value);
    assert.equal(buffer.readBigInt64BE(0), BigInt(value));
    assert.equal(bytes.readInt64(buffer, 0), value);
  }
});

test('the whole 64-bit range survives as bigint', () => {
  const buffer = Buffer.alloc(8);
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      bytes.writeBigInt64(buffer, 0, value);
      assert.equal(buffer.readBigInt64BE(0), value);
      assert.equal(bytes.readBigInt64(buffer, 0), value);
    }),
  );
});

test('16- and 32-bit integers are written and read as Buffer does', () => {
  const buffer = Buffer.alloc(8);
  fc.assert(
    fc.property(fc.integer(), (value) => {
      bytes.writeInt32(buffer, 2, value);
      assert.equal(buffer.readInt32BE(2), value);
      assert.equal(bytes.readInt32(buffer, 2), value);
      bytes.writeInt16(buffer, 3, value);
      assert.equal(bytes.readInt16(buffer, 3), buffer.readInt16BE(3));
      assert.equal(bytes.readInt16(buffer, 3), (value << 16) >> 16);
    }),
  );
});

test('copies and hex agree with Buffer for short and long ranges', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(9), (source, at) => {
      const from = Buffer.from(source);
      const target = Buffer.alloc(120);
      bytes.copyBytes(from, 0, from.length, target, at);
      assert.deepEqual(target.subarray(at, at + from.length), from);
      assert.equal(bytes.bytesEqualAt(target, at, from), true);
      const hex = Buffer.alloc(220);
      const end = bytes.writeHex(from, 0, from.length, hex, at);
      assert.equal(hex.toString('latin1', at, end), from.toString('hex').toUpperCase());
    }),
  );
  assert.equal(bytes.bytesEqualAt(Buffer.from('ab'), 1, Buffer.from('bc')), false);
});
