import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { crc32, crc32Masked, NATIVE_CRC_BYTES_MIN } from '../../src/kit/crc32.ts';

test('both ways of computing give the CRC of zlib at every length around the border', () => {
  const buffer = Buffer.from(Array.from({ length: NATIVE_CRC_BYTES_MIN + 40 }, (_, i) => (i * 7919 + (i >> 3)) & 255));
  for (let length = 0; length + 3 <= buffer.length; length++) {
    const expected = zlibCrc32(buffer.subarray(3, 3 + length));
    assert.equal(crc32(buffer, 3, 3 + length), expected);
    assert.equal(crc32Masked(buffer, 3, 3 + length), expected & 0x7fffffff);
  }
});
