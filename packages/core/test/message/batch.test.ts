import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BatchError, decodeBatch, encodeBatch } from '../../src/message/batch.ts';
import { parseProperties } from '../../src/message/properties.ts';
import { decodeRecord } from '../../src/message/record-check.ts';
import { SYS_FLAG_INNER_BATCH } from '../../src/message/sys-flag.ts';
import { goldenFrames, goldenStores } from '../golden.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const items = fc.array(fc.record({ flag: fc.integer(), body: bytes, properties: bytes }), { maxLength: 6 });

function plain(buffer: Buffer, start: number, end: number): { flag: number; body: Buffer; properties: Buffer }[] {
  return decodeBatch(buffer, start, end).map((item) => ({
    flag: item.flag,
    body: buffer.subarray(item.bodyStart, item.bodyEnd),
    properties: buffer.subarray(item.propertiesStart, item.propertiesEnd),
  }));
}

test('what was encoded is decoded', () => {
  fc.assert(
    fc.property(items, (inputs) => {
      const padded = Buffer.concat([Buffer.from('##'), encodeBatch(inputs), Buffer.from('##')]);
      assert.deepEqual(
        plain(padded, 2, padded.length - 2),
        inputs.map((input) => ({ ...input })),
      );
    }),
  );
});

test('a batch that is cut anywhere inside an item is refused', () => {
  const batch = encodeBatch([{ flag: 1, body: Buffer.from('body'), properties: Buffer.from('a\u00011\u0002') }]);
  for (let end = 1; end < batch.length; end++) assert.throws(() => decodeBatch(batch, 0, end), BatchError);
});

test('no bytes make the decoder throw anything but its own error', () => {
  const good = encodeBatch([1, 2].map((flag) => ({ flag, body: Buffer.from('body'), properties: Buffer.from('a\u00011\u0002') })));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(good.length + 5), (changes, end) => {
      const changed = Buffer.from(good);
      for (const [at, value] of changes) changed[at] = value;
      try {
        for (const item of decodeBatch(changed, 0, end)) assert.ok(item.propertiesEnd <= end && item.bodyEnd >= item.bodyStart);
      } catch (error) {
        assert.ok(error instanceof BatchError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('batches that Java clients sent are taken apart and put together to the same bytes', () => {
  let count = 0;
  for (const frame of goldenFrames()) {
    if (frame.code !== 320 || frame.requestBodyCut !== undefined) continue;
    const body =
      frame.requestBodyHex === undefined ? Buffer.from(frame.requestBody ?? '', 'utf8') : Buffer.from(frame.requestBodyHex, 'hex');
    const found = plain(body, 0, body.length);
    assert.ok(found.length > 1);
    for (const item of found) assert.ok(parseProperties(item.properties.toString()).has('UNIQ_KEY'));
    assert.deepEqual(encodeBatch(found), body);
    count++;
  }
  assert.ok(count > 0);
});

test('the inner batches of a golden store hold as many items as they say', () => {
  const store = goldenStores().find((candidate) => candidate.name === 'batch-55')!;
  const inner = store.records.filter((expected) => (expected.sysFlag & SYS_FLAG_INNER_BATCH) !== 0);
  assert.ok(inner.length > 0);
  for (const expected of inner) {
    const { body } = decodeRecord(store.commitLog, expected.physicalOffset, store.commitLog.length);
    assert.equal(decodeBatch(body, 0, body.length).length, Number(expected.properties['INNER_NUM']));
  }
});
