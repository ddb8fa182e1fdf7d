import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHost } from '../../src/message/host.ts';
import { decodeOffsetMsgId, encodeOffsetMsgId } from '../../src/message/message-id.ts';
import { PROPERTY_CRC_BYTES, propertyCrcTrailerBytes, readPropertyCrc, sealPropertyCrc } from '../../src/message/property-crc.ts';
import * as record from '../../src/message/record.ts';
import { checkRecord, decodeRecord, decodeRecords, RecordError } from '../../src/message/record-check.ts';
import { goldenStores } from '../golden.ts';

const CRC = { checkCrc: true, forcePropCrc: false };
const PROPERTY_CRC = { checkCrc: true, forcePropCrc: true };

const address = fc.oneof(fc.ipV4(), fc.constantFrom('::1', 'fd00:1:2::3', '2001:db8::1:0:0:1'));
const endpoint = fc.record({ host: address, port: fc.integer({ min: 0, max: 65535 }) }, { noNullPrototype: true });
const positive = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const input = fc.record({
  topic: fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
  body: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  properties: fc.string({ unit: 'grapheme', maxLength: 60 }),
  queueId: fc.integer(),
  flag: fc.integer(),
  queueOffset: positive,
  physicalOffset: positive,
  sysFlag: fc.integer().map((flag) => flag & ~0x30),
  bornTimestampMs: positive,
  bornHost: endpoint,
  storeTimestampMs: positive,
  storeHost: endpoint,
  reconsumeTimes: fc.integer(),
  preparedTransactionOffset: positive,
});

function encode(fields: record.RecordInput): Buffer {
  const source = record.recordSource(fields);
  const target = Buffer.alloc(record.recordSize(source));
  assert.equal(record.encodeRecord(target, 0, source), target.length);
  return target;
}

test('what was encoded anywhere in a buffer is decoded to the same fields', () => {
  fc.assert(
    fc.property(input, fc.nat(9), (fields, at) => {
      const source = record.recordSource(fields);
      const target = Buffer.alloc(at + record.recordSize(source) + 5, 0xee);
      const size = record.encodeRecord(target, at, source);
      assert.deepEqual(checkRecord(target, at, target.length, CRC), { kind: 'record', size });
      const decoded = decodeRecord(target, at, target.length);
      for (const [key, value] of Object.entries(fields))
        if (key !== 'sysFlag') assert.deepEqual(decoded[key as keyof typeof decoded], value, key);
      const hosts = (fields.bornHost.host.includes(':') ? 0x10 : 0) | (fields.storeHost.host.includes(':') ? 0x20 : 0);
      assert.equal(decoded.sysFlag, fields.sysFlag | hosts);
      assert.equal(decoded.version, Buffer.byteLength(fields.topic) > 127 ? 2 : 1);
      assert.deepEqual(target.subarray(0, at), Buffer.alloc(at, 0xee));
      assert.deepEqual(target.subarray(at + size), Buffer.alloc(5, 0xee));
    }),
  );
});

test('the readers of single fields agree with the decoded record', () => {
  fc.assert(
    fc.property(input, (fields) => {
      const bytes = Buffer.concat([Buffer.alloc(3), encode(fields)]);
      assert.equal(record.recordSizeAt(bytes, 3), bytes.length - 3);
      assert.equal(record.recordQueueIdAt(bytes, 3), fields.queueId);
      assert.equal(record.recordFlagAt(bytes, 3), fields.flag);
      assert.equal(record.recordQueueOffsetAt(bytes, 3), fields.queueOffset);
      assert.equal(record.recordPhysicalOffsetAt(bytes, 3), fields.physicalOffset);
      assert.equal(record.recordBornTimestampAt(bytes, 3), fields.bornTimestampMs);
      assert.equal(record.recordStoreTimestampAt(bytes, 3), fields.storeTimestampMs);
      assert.equal(record.recordReconsumeTimesAt(bytes, 3), fields.reconsumeTimes);
      assert.equal(record.recordPreparedTransactionOffsetAt(bytes, 3), fields.preparedTransactionOffset);
      assert.equal(bytes.toString('utf8', record.recordTopicStart(bytes, 3), record.recordTopicEnd(bytes, 3)), fields.topic);
      assert.deepEqual(bytes.subarray(record.recordBodyStart(bytes, 3), record.recordBodyEnd(bytes, 3)), fields.body);
      const properties = bytes.toString('utf8', record.recordPropertiesStart(bytes, 3), record.recordPropertiesEnd(bytes, 3));
      assert.equal(properties, fields.properties);
    }),
  );
});

test('offsets and store time can be set in a written record', () => {
  for (const host of ['1.2.3.4', '::1']) {
    const bytes = encode({ topic: 'T', body: Buffer.from('b'), bornHost: { host, port: 1 } });
    record.writeRecordQueueOffset(bytes, 0, 7);
    record.writeRecordPhysicalOffset(bytes, 0, 2 ** 40);
    record.writeRecordStoreTimestamp(bytes, 0, 1795272433805);
    const decoded = decodeRecord(bytes, 0, bytes.length);
    assert.deepEqual([decoded.queueOffset, decoded.physicalOffset, decoded.storeTimestampMs], [7, 2 ** 40, 1795272433805]);
    assert.deepEqual(decoded.bornHost, { host, port: 1 });
  }
});

/** The record as a source again, with the property CRC as an ordinary part of the properties. */
function sourceOf(decoded: ReturnType<typeof decodeRecord>): record.RecordSource {
  return record.recordSource({ ...decoded, topic: decoded.topic, body: decoded.body });
}

test('every golden record decodes to what Apache read and encodes to the same bytes', () => {
  let count = 0;
  let versions = 0;
  for (const store of goldenStores()) {
    for (const expected of store.records) {
      const what = `${store.name} ${expected.offsetMsgId}`;
      const at = expected.physicalOffset;
      assert.deepEqual(checkRecord(store.commitLog, at, store.commitLog.length, CRC), { kind: 'record', size: expected.size }, what);
      const decoded = decodeRecord(store.commitLog, at, store.commitLog.length);
      assert.equal(decoded.topic, expected.topic, what);
      assert.equal(decoded.queueId, expected.queueId, what);
      assert.equal(decoded.queueOffset, expected.queueOffset, what);
      assert.equal(decoded.physicalOffset, expected.physicalOffset, what);
      assert.equal(decoded.flag, expected.flag, what);
      assert.equal(decoded.sysFlag, expected.sysFlag, what);
      assert.equal(decoded.bodyCrc, expected.bodyCRC, what);
      assert.equal(decoded.bornTimestampMs, expected.bornTimestamp, what);
      assert.equal(decoded.storeTimestampMs, expected.storeTimestamp, what);
      assert.equal(decoded.reconsumeTimes, expected.reconsumeTimes, what);
      assert.equal(decoded.preparedTransactionOffset, expected.preparedTransactionOffset, what);
      assert.equal(createHash('sha256').update(decoded.body).digest('hex'), expected.storedBodySha256, what);
      assert.equal(expected.bornHost.endsWith(`:${decoded.bornHost.port}`), true, what);
      if (!decoded.bornHost.host.includes(':')) assert.equal(`/${decoded.bornHost.host}:${decoded.bornHost.port}`, expected.bornHost, what);
      assert.equal(encodeOffsetMsgId(encodeHost(decoded.storeHost), decoded.physicalOffset), expected.offsetMsgId, what);
      assert.deepEqual(decodeOffsetMsgId(expected.offsetMsgId), { storeHost: decoded.storeHost, physicalOffset: at }, what);
      const again = Buffer.alloc(expected.size);
      record.encodeRecord(again, 0, sourceOf(decoded));
      assert.deepEqual(again, store.commitLog.subarray(at, at + expected.size), what);
      count++;
      versions |= decoded.version;
    }
  }
  assert.ok(count > 390);
  assert.equal(versions, 3, 'both record versions occur');
});

test('walking a golden CommitLog finds its records and blanks and stops at the first zeros', () => {
  for (const store of goldenStores()) {
    const records: number[] = [];
    const blanks: { physicalOffset: number; size: number }[] = [];
    let at = 0;
    for (;;) {
      const fileEnd = (Math.floor(at / store.fileBytes) + 1) * store.fileBytes;
      const check = checkRecord(store.commitLog, at, Math.min(fileEnd, store.commitLog.length), CRC);
      if (check.kind === 'bad') {
        assert.equal(check.reason, 'empty');
        break;
      }
      if (check.kind === 'record') records.push(at);
      else blanks.push({ physicalOffset: at, size: check.size });
      at += check.size;
    }
    assert.equal(at, store.endOffset, store.name);
    assert.deepEqual(
      records,
      store.records.map((expected) => expected.physicalOffset),
    );
    assert.deepEqual(blanks, store.blanks);
  }
});

test('the property CRC of golden records holds, and sealing writes the same bytes', () => {
  const store = goldenStores().find((candidate) => candidate.name === 'crc-55')!;
  for (const { physicalOffset: at, size } of store.records) {
    assert.deepEqual(checkRecord(store.commitLog, at, store.commitLog.length, PROPERTY_CRC), { kind: 'record', size });
    const { stated, computed } = readPropertyCrc(store.commitLog, at, size);
    assert.equal(stated, computed);
    const sealed = Buffer.from(store.commitLog.subarray(at, at + size)).fill(0, size - PROPERTY_CRC_BYTES);
    sealPropertyCrc(sealed, 0, size, PROPERTY_CRC_BYTES);
    assert.deepEqual(sealed, store.commitLog.subarray(at, at + size));
  }
});

test('a record with a property CRC passes the forced check until any bit of it changes', () => {
  fc.assert(
    fc.property(input, fc.nat(), fc.integer({ min: 0, max: 7 }), (fields, where, bit) => {
      const properties = Buffer.from(fields.properties);
      const trailerBytes = propertyCrcTrailerBytes(properties, 0, properties.length, false);
      assert.equal(trailerBytes, properties.length === 0 || fields.properties.endsWith('\u0002') ? 20 : 21);
      const bytes = encode({ ...fields, trailerBytes });
      assert.equal(checkRecord(bytes, 0, bytes.length, PROPERTY_CRC).kind, 'record');
      bytes[where % bytes.length]! ^= 1 << bit;
      assert.equal(checkRecord(bytes, 0, bytes.length, PROPERTY_CRC).kind, 'bad');
    }),
  );
  assert.equal(propertyCrcTrailerBytes(Buffer.from('a\u00011'), 0, 3, true), 20);
});

test('a record without the property is bad where the property is forced', () => {
  const bytes = encode({ topic: 'T', body: Buffer.from('x'), properties: 'a\u00011\u0002' });
  const check = checkRecord(bytes, 0, bytes.length, PROPERTY_CRC);
  assert.equal(check.kind === 'bad' && check.reason, 'property-crc');
});

test('each way in which bytes fail to be a record has its reason', () => {
  const good = encode({ topic: 'Topic', body: Buffer.from('body'), properties: 'a\u00011\u0002' });
  const reason = (change: (bytes: Buffer) => void, length = good.length): string => {
    const bytes = Buffer.from(good);
    change(bytes);
    const check = checkRecord(bytes, 0, length, CRC);
    return check.kind === 'bad' ? check.reason : check.kind;
  };
  assert.equal(
    reason(() => {}),
    'record',
  );
  assert.equal(
    reason((bytes) => bytes.fill(0)),
    'empty',
  );
  assert.equal(
    reason(() => {}, 4),
    'truncated',
  );
  assert.equal(
    reason(() => {}, good.length - 1),
    'truncated',
  );
  assert.equal(
    reason(() => {}, good.length + 100),
    'record',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt32BE(0, 4)),
    'magic',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt32BE(50, 0)),
    'length',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt32BE(-1, 0)),
    'length',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt32BE(-1, 84)),
    'length',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt32BE(0x7fffffff, 84)),
    'length',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt8(-1, 92)),
    'length',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt16BE(-1, 98)),
    'length',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt16BE(3, 98)),
    'length',
  );
  assert.equal(
    reason((bytes) => bytes.writeInt32BE(0x30, 36)),
    'length',
  );
  assert.equal(
    reason((bytes) => bytes.write('x', 88)),
    'body-crc',
  );
  const bytes = Buffer.from(good);
  bytes.write('x', 88);
  assert.deepEqual(checkRecord(bytes, 0, bytes.length, { checkCrc: false, forcePropCrc: false }), { kind: 'record', size: good.length });
});

test('a blank is told from a record, and decoding one is an error', () => {
  const bytes = Buffer.alloc(64, 0x55);
  record.encodeBlank(bytes, 4, 60);
  assert.deepEqual(checkRecord(bytes, 4, 64, CRC), { kind: 'blank', size: 60 });
  assert.throws(() => decodeRecord(bytes, 4, 64), RecordError);
  assert.throws(() => decodeRecord(bytes, 0, 64), RecordError);
});

test('bytes of any kind are judged without an exception', () => {
  const good = encode({ topic: 'Topic', body: Buffer.from('body'), properties: 'a\u00011\u0002' });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(good.length + 9), (changes, end) => {
      const bytes = Buffer.from(good);
      for (const [at, value] of changes) bytes[at] = value;
      for (const options of [CRC, PROPERTY_CRC]) checkRecord(bytes, 0, end, options);
      try {
        decodeRecord(bytes, 0, end);
      } catch (error) {
        assert.ok(error instanceof RecordError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.ok(checkRecord(Buffer.from(bytes), 0, bytes.length, CRC))));
});

test('a pull body yields its records up to the first bad one', () => {
  const one = encode({ topic: 'T', body: Buffer.from('1') });
  const two = encode({ topic: 'T', body: Buffer.from('22') });
  assert.deepEqual(
    decodeRecords(Buffer.concat([one, two])).map((found) => found.body.toString()),
    ['1', '22'],
  );
  assert.deepEqual(
    decodeRecords(Buffer.concat([one, two.subarray(0, 50)])).map((found) => found.body.toString()),
    ['1'],
  );
  assert.deepEqual(decodeRecords(Buffer.alloc(0)), []);
});
