import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameError, type Header, LANGUAGES, SERIALIZE_JSON, SERIALIZE_ROCKETMQ } from '../../src/protocol/frame.ts';
import { decodeHeader, encodeFrame } from '../../src/protocol/frame-codec.ts';
import { decodeBinaryHeader, encodeBinaryHeader } from '../../src/protocol/header-binary.ts';
import { decodeJsonHeader, encodeJsonHeader } from '../../src/protocol/header-json.ts';
import { goldenFrames } from '../golden.ts';

const int16 = fc.integer({ min: -32768, max: 32767 });
const text = fc.string({ unit: 'grapheme' });
const jsonHeader: fc.Arbitrary<Header> = fc.record(
  {
    code: fc.integer(),
    language: fc.oneof(fc.constant(undefined), fc.constantFrom(...LANGUAGES)),
    version: fc.integer(),
    opaque: fc.integer(),
    flag: fc.integer(),
    remark: fc.option(text, { nil: undefined }),
    extFields: fc.option(fc.dictionary(text, text, { noNullPrototype: true }), { nil: undefined }),
  },
  { noNullPrototype: true },
);
/** What the binary form can say: no empty texts, no empty ext fields, a language, codes of 16 bits. */
const nonEmpty = text.filter((value) => value.length > 0);
const binaryHeader: fc.Arbitrary<Header> = fc.record(
  {
    code: int16,
    language: fc.constantFrom(...LANGUAGES),
    version: int16,
    opaque: fc.integer(),
    flag: fc.integer(),
    remark: fc.option(nonEmpty, { nil: undefined }),
    extFields: fc.option(fc.dictionary(nonEmpty, nonEmpty, { minKeys: 1, noNullPrototype: true }), { nil: undefined }),
  },
  { noNullPrototype: true },
);

const json = (header: string): Header => decodeJsonHeader(Buffer.from(`##${header}##`), 2, 2 + Buffer.byteLength(header));

test('a JSON header that was encoded is decoded to the same', () => {
  fc.assert(
    fc.property(jsonHeader, (header) => {
      const bytes = encodeJsonHeader(header);
      assert.deepEqual(decodeJsonHeader(bytes, 0, bytes.length), header);
    }),
  );
});

test('a binary header that was encoded is decoded to the same', () => {
  fc.assert(
    fc.property(binaryHeader, fc.nat(5), (header, at) => {
      const bytes = Buffer.concat([Buffer.alloc(at), encodeBinaryHeader(header), Buffer.alloc(3)]);
      assert.deepEqual(decodeBinaryHeader(bytes, at, bytes.length - 3), header);
    }),
  );
});

test('every golden JSON header is decoded, and encoded to the very same text', () => {
  let count = 0;
  for (const frame of goldenFrames())
    for (const header of [frame.requestHeader, frame.responseHeader]) {
      if (header === undefined) continue;
      const decoded = json(header);
      assert.deepEqual(
        { ...decoded, serializeTypeCurrentRPC: 'JSON' },
        { remark: undefined, extFields: undefined, ...JSON.parse(header) },
        frame.name,
      );
      assert.equal(encodeJsonHeader(decoded).toString(), header, frame.name);
      count++;
    }
  assert.ok(count > 1000, String(count));
});

test('every golden binary header is decoded, and encoded to the same bytes', () => {
  let count = 0;
  for (const frame of goldenFrames())
    for (const hex of [frame.requestHeaderHex, frame.responseHeaderHex]) {
      if (hex === undefined) continue;
      const bytes = Buffer.from(hex, 'hex');
      const decoded = decodeBinaryHeader(bytes, 0, bytes.length);
      assert.equal(encodeBinaryHeader(decoded).toString('hex'), hex, frame.name);
      count++;
    }
  assert.ok(count > 70, String(count));
});

test('the vector of the specification is written, prefix included', () => {
  const header: Header = { code: 105, language: 'JAVA', version: 479, opaque: 7, flag: 0, extFields: { topic: 'T' } };
  assert.equal(
    encodeFrame(header, undefined, SERIALIZE_ROCKETMQ).toString('hex'),
    '000000250100002100690001df0000000700000000000000000000000c0005746f7069630000000154',
  );
});

test('a frame carries its lengths, its type and its body', () => {
  const header: Header = { code: 10, language: 'OTHER', version: 513, opaque: -1, flag: 0, remark: '\u4e2d' };
  for (const type of [SERIALIZE_JSON, SERIALIZE_ROCKETMQ] as const) {
    const frame = encodeFrame(header, Buffer.from('body'), type);
    assert.equal(frame.readInt32BE(0), frame.length - 4);
    assert.equal(frame[4], type);
    const headerEnd = 8 + (frame.readInt32BE(4) & 0xffffff);
    assert.equal(frame.toString('utf8', headerEnd), 'body');
    assert.deepEqual(decodeHeader(frame, 8, headerEnd, type), { ...header, extFields: undefined });
  }
});

test('a code that 16 bits cannot hold goes as JSON', () => {
  const header: Header = { code: 200050, language: 'JAVA', version: 513, opaque: 1, flag: 0 };
  const frame = encodeFrame(header, undefined, SERIALIZE_ROCKETMQ);
  assert.equal(frame[4], SERIALIZE_JSON);
  assert.equal(decodeHeader(frame, 8, frame.length, SERIALIZE_JSON).code, 200050);
  assert.throws(() => encodeBinaryHeader(header), RangeError);
});

test('what every fastjson forgives in a header is forgiven', () => {
  const header = json(
    `{'code':"10", "language":"java","version":513,"opaque":"-7","flag":null,"remark":5,"unknown":{"x":[1]},` +
      `"extFields":{"a":1,"b":true,"c":null,"d":{"x":[1,"y"]},"e":9223372036854775807,"f":1,"f":"last"},}`,
  );
  assert.deepEqual(header, {
    code: 10,
    language: 'JAVA',
    version: 513,
    opaque: -7,
    flag: 0,
    remark: '5',
    extFields: { a: '1', b: 'true', d: '{"x":[1,"y"]}', e: '9223372036854775807', f: 'last' },
  });
  assert.deepEqual(json('{}'), { code: 0, language: undefined, version: 0, opaque: 0, flag: 0, remark: undefined, extFields: undefined });
  assert.equal(json('{"language":9}').language, 'GO');
  assert.equal(json('{"language":"COBOL"}').language, undefined);
  assert.equal(json('{"language":99}').language, undefined);
});

test('what 5.5.0 refuses in a header is refused', () => {
  for (const header of [
    '',
    'null',
    '[]',
    '"x"',
    '{code:10}',
    '{"code":10} x',
    '{"opaque":2147483648}',
    '{"opaque":-2147483649}',
    '{"code":"x"}',
    '{"code":1.5}',
    '{"extFields":[]}',
    '{"code":1',
  ])
    assert.throws(() => json(header), FrameError, header);
});

test('a header field named __proto__ changes nothing but itself', () => {
  const header = json('{"__proto__":{"code":5},"extFields":{"__proto__":1,"a":"b"}}');
  assert.equal(header.code, 0);
  assert.deepEqual(Object.keys(header.extFields!), ['__proto__', 'a']);
  assert.equal(Object.getPrototypeOf(header.extFields), Object.prototype);
});

test('empty keys and values of a binary header read as absent, the last of equal keys counts', () => {
  const pair = (key: string, value: string): Buffer => {
    const bytes = Buffer.alloc(6 + key.length + value.length);
    bytes.writeInt16BE(key.length, 0);
    bytes.write(key, 2);
    bytes.writeInt32BE(value.length, 2 + key.length);
    bytes.write(value, 6 + key.length);
    return bytes;
  };
  const ext = Buffer.concat([pair('a', '1'), pair('b', ''), pair('', 'x'), pair('a', '2')]);
  const bytes = Buffer.concat([encodeBinaryHeader({ code: 1, language: 'GO', version: 1, opaque: 1, flag: 0 }), ext]);
  bytes.writeInt32BE(ext.length, 17);
  assert.deepEqual(decodeBinaryHeader(bytes, 0, bytes.length).extFields, { a: '2' });
});

test('no bytes make a header decoder throw anything but FrameError', () => {
  const headers = [
    encodeBinaryHeader({ code: 1, language: 'GO', version: 1, opaque: 1, flag: 0, remark: 'r', extFields: { a: '1', bb: '22' } }),
    encodeJsonHeader({ code: 1, language: 'GO', version: 1, opaque: 1, flag: 0, remark: 'r', extFields: { a: '1', bb: '22' } }),
  ];
  const damaged = fc
    .tuple(fc.nat(1), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), fc.nat(40))
    .map(([which, changes, cut]) => {
      const bytes = Buffer.from(headers[which]!);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes.subarray(0, bytes.length - Math.min(cut, bytes.length));
    });
  fc.assert(
    fc.property(
      fc.oneof(
        damaged,
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      ),
      fc.nat(2),
      (bytes, type) => {
        try {
          decodeHeader(bytes, 0, bytes.length, type);
        } catch (error) {
          assert.ok(error instanceof FrameError, String(error));
        }
      },
    ),
    { numRuns: 3000 },
  );
  assert.throws(() => json(`{"extFields":{"a":${'['.repeat(500_000)}`), FrameError);
  assert.throws(() => json(`{"extFields":{"a":${'['.repeat(5000)}${']'.repeat(5000)}}}`), FrameError);
});
