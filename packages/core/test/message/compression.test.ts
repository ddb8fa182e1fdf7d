import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { CompressionError, compressBody, decompressBody } from '../../src/message/compression.ts';
import { decodeRecord } from '../../src/message/record-check.ts';
import { type CompressionType, compressionTypeOf, SYS_FLAG_COMPRESSED } from '../../src/message/sys-flag.ts';
import { goldenStores } from '../golden.ts';

const TYPES: readonly CompressionType[] = ['zlib', 'zstd', 'lz4'];

for (const type of TYPES) {
  test(`a body packed with ${type} unpacks to itself, and to no more than is allowed`, async () => {
    for (const body of [Buffer.alloc(0), Buffer.from('short'), Buffer.alloc(100_000, 'perigee ')]) {
      const packed = await compressBody(type, body);
      assert.deepEqual(await decompressBody(type, packed), body);
    }
    const bomb = await compressBody(type, Buffer.alloc(8_000_000));
    await assert.rejects(decompressBody(type, bomb, 1_000_000), CompressionError);
  });

  test(`damaged ${type} bytes are refused`, async () => {
    const packed = await compressBody(type, Buffer.alloc(5000, 'perigee '));
    for (const bytes of [Buffer.alloc(0), Buffer.from('nonsense'), packed.subarray(0, packed.length >> 1)])
      await assert.rejects(decompressBody(type, bytes), CompressionError);
  });
}

test('every compressed body of the golden stores unpacks to what Java packed', async () => {
  const seen = new Set<string>();
  for (const store of goldenStores())
    for (const expected of store.records) {
      if ((expected.sysFlag & SYS_FLAG_COMPRESSED) === 0) continue;
      const type = compressionTypeOf(expected.sysFlag)!;
      const { body } = decodeRecord(store.commitLog, expected.physicalOffset, store.commitLog.length);
      const unpacked = await decompressBody(type, body);
      assert.equal(unpacked.length, expected.bodyLength);
      assert.equal(createHash('sha256').update(unpacked).digest('hex'), expected.bodySha256);
      seen.add(type);
    }
  assert.deepEqual([...seen].sort(), ['lz4', 'zlib', 'zstd']);
});
