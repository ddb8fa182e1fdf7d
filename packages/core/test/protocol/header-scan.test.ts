import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Fields, int, str } from '../../src/protocol/command.ts';
import { litePullMessage, pullMessage } from '../../src/protocol/commands/pull.ts';
import { sendBatchMessage, sendMessage, sendMessageV2 } from '../../src/protocol/commands/send.ts';
import { FrameError, type Header, LANGUAGES } from '../../src/protocol/frame.ts';
import { decodeBinaryHeader, encodeBinaryHeader } from '../../src/protocol/header-binary.ts';
import { decodeJsonHeader, encodeJsonHeader } from '../../src/protocol/header-json.ts';
import {
  FieldTable,
  parseDecimal,
  peekJsonCode,
  RequestView,
  scanBinaryHeader,
  scanJsonHeader,
  unescapeJson,
} from '../../src/protocol/header-scan.ts';
import { goldenFrames } from '../golden.ts';

const HOT = new Map<number, Fields>(
  [sendMessage, sendMessageV2, sendBatchMessage, pullMessage, litePullMessage].map(({ code, request }) => [code, request]),
);

type Scan = typeof scanJsonHeader;

/** Scans with junk on both sides, which must not be read; undefined when the scanner does not want the text. */
function scan(how: Scan, header: Buffer, table: FieldTable): Header | undefined {
  const bytes = Buffer.concat([Buffer.from('"}{'), header, Buffer.from('","a":"9"}')]);
  const view = new RequestView();
  view.bytes = bytes;
  if (!how(view, bytes, 3, 3 + header.length, table)) return undefined;
  const extFields: Record<string, string> = {};
  for (const [slot, name] of table.names.entries()) {
    const value = view.text(slot);
    assert.equal(view.has(slot), value !== undefined);
    if (value !== undefined) extFields[name] = value;
  }
  return { code: view.code, language: view.language(), version: view.version, opaque: view.opaque, flag: view.flag, extFields };
}

/** What the decoder says of the same bytes, reduced to the declared fields; undefined when it refuses them. */
function decode(how: typeof decodeJsonHeader, header: Buffer, table: FieldTable): Header | undefined {
  let decoded: Header;
  try {
    decoded = how(header, 0, header.length);
  } catch (error) {
    assert.ok(error instanceof FrameError);
    return undefined;
  }
  const extFields: Record<string, string> = {};
  for (const name of table.names) if (Object.hasOwn(decoded.extFields ?? {}, name)) extFields[name] = decoded.extFields![name] as string;
  return {
    code: decoded.code,
    language: decoded.language,
    version: decoded.version,
    opaque: decoded.opaque,
    flag: decoded.flag,
    extFields,
  };
}

/** The scanner keeps the language as written; the decoder knows only the listed names, in any case. */
function sameLanguage(scanned: Header): Header {
  const name = scanned.language?.toUpperCase();
  return { ...scanned, language: LANGUAGES.find((known) => known === name) };
}

test('every golden request of a hot code is scanned to what the decoder reads', () => {
  const seen = new Map<string, number>();
  for (const { name, code, serialization, requestHeader, requestHeaderHex } of goldenFrames()) {
    const fields = HOT.get(code);
    if (fields === undefined) continue;
    const table = new FieldTable(fields);
    const binary = serialization === 'ROCKETMQ';
    const header = requestHeaderHex === undefined ? Buffer.from(requestHeader as string) : Buffer.from(requestHeaderHex, 'hex');
    const scanned = scan(binary ? scanBinaryHeader : scanJsonHeader, header, table);
    assert.deepEqual(scanned, decode(binary ? decodeBinaryHeader : decodeJsonHeader, header, table), name);
    if (!binary) assert.equal(peekJsonCode(header, 0, header.length), code, name);
    seen.set(`${code} ${serialization}`, (seen.get(`${code} ${serialization}`) ?? 0) + 1);
  }
  for (const code of [10, 310, 320, 11])
    assert.ok((seen.get(`${code} JSON`) ?? 0) > 0, `golden samples of code ${code}: ${[...seen.keys()]}`);
  assert.ok(
    [...seen.keys()].some((key) => key.endsWith('ROCKETMQ')),
    `${[...seen.keys()]}`,
  );
});

const names = ['a', 'b', 'topic', 'queueId', 'bname', '__proto__'];
const FIELDS: Fields = Object.fromEntries(names.filter((name) => name !== '__proto__').map((name) => [name, str(name)]));
const TABLE = new FieldTable(FIELDS);
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant('K\u0001v\u0002'), fc.constant('\\"/\b\u2028'));
const ext = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), text, { noNullPrototype: true });
const header: fc.Arbitrary<Header> = fc.record(
  {
    code: fc.integer(),
    language: fc.constantFrom(...LANGUAGES),
    version: fc.integer(),
    opaque: fc.integer(),
    flag: fc.integer(),
    extFields: ext,
  },
  { noNullPrototype: true },
);

test('any header that we could write is scanned to what the decoder reads', () => {
  fc.assert(
    fc.property(header, fc.option(text, { nil: undefined }), (written, remark) => {
      const bytes = encodeJsonHeader({ ...written, remark });
      const scanned = scan(scanJsonHeader, bytes, TABLE);
      const decoded = decode(decodeJsonHeader, bytes, TABLE);
      // A key with an escape is left to the decoder.
      if (scanned === undefined) assert.ok(Object.keys(written.extFields ?? {}).some((key) => JSON.stringify(key).includes('\\')));
      else assert.deepEqual(scanned, decoded);
    }),
    { numRuns: 500 },
  );
});

test('any binary header that we could write is scanned to what the decoder reads', () => {
  const int16 = fc.integer({ min: -32768, max: 32767 });
  fc.assert(
    fc.property(header, int16, int16, (written, code, version) => {
      const bytes = encodeBinaryHeader({ ...written, code, version });
      assert.deepEqual(scan(scanBinaryHeader, bytes, TABLE), decode(decodeBinaryHeader, bytes, TABLE));
    }),
    { numRuns: 500 },
  );
});

/** Pieces of headers in every order: most of it is no JSON, some of it is JSON that only the decoder takes. */
const piece = fc.constantFrom(
  '{',
  '}',
  ',',
  ':',
  '"',
  '\\',
  '\\u0001',
  '\\u00',
  '\\x',
  '\n',
  ' ',
  '0',
  '-',
  '12',
  '007',
  '-0',
  '1.5',
  '1e3',
  '99999999999',
  'true',
  'null',
  '[',
  ']',
  '"code":10',
  '"code":"10"',
  '"cost":5',
  '"flag":0',
  '"flux":1',
  '"opaque":7',
  '"opXXue":7',
  '"version":513',
  '"verXXXn":1',
  '"language":"JAVA"',
  '"language":"go"',
  '"language":"J\\u0041VA"',
  '"lanXXXXe":"x"',
  '"remark":"r"',
  '"remark":"\\q"',
  '"remXXk":"r"',
  '"serializeTypeCurrentRPC":"JSON"',
  '"unknown":"x"',
  '"extFields":{}',
  '"extFields":{"a":"1"}',
  '"extFields":{"a":"1","b":"\\u0001"}',
  '"extFields":{"a":1}',
  '"extFields":{"a":null}',
  '"extFields":{"a":"1",}',
  '"extFields":{"a":"\\q"}',
  '"extFields":{"a":"x","a":"y"}',
  '"extFields":null',
  '"extXXXXXs":{"a":"1"}',
  "'code':1",
  '"é":1',
  'ÿ',
);
const pieces = fc.array(piece, { maxLength: 9 });
const joined = fc.oneof(
  pieces.map((all) => `{${all.join(',')}}`),
  pieces.map((all) => all.join('')),
  pieces.map((all) => `{${all.join('')}}`),
);

test('what the scanner takes, the decoder takes too and reads the same', () => {
  let taken = 0;
  fc.assert(
    fc.property(joined, (headerText) => {
      const bytes = Buffer.from(headerText);
      const scanned = scan(scanJsonHeader, bytes, TABLE);
      if (scanned === undefined) return;
      taken++;
      assert.deepEqual(sameLanguage(scanned), decode(decodeJsonHeader, bytes, TABLE), headerText);
    }),
    { numRuns: 20_000 },
  );
  assert.ok(taken > 100, `${taken}`);
});

test('a binary header with any byte changed is scanned as the decoder reads it, or not at all', () => {
  fc.assert(
    fc.property(header, fc.nat(), fc.nat(255), fc.nat(), (written, at, value, cut) => {
      const bytes = encodeBinaryHeader({ ...written, code: 11 });
      bytes[at % bytes.length] = value;
      const shown = cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
      const scanned = scan(scanBinaryHeader, shown, TABLE);
      const decoded = decode(decodeBinaryHeader, shown, TABLE);
      // An ordinal beyond the list has no name in either.
      if (scanned !== undefined) assert.deepEqual(scanned, decoded);
      else assert.equal(decoded, undefined);
    }),
    { numRuns: 2_000 },
  );
});

const notStrict: readonly string[] = [
  '',
  '{',
  '{}',
  '{"code":10,}',
  '{"code":10}x',
  '{"code":10} ',
  '{ "code":10}',
  '{"code": 10}',
  '{"code":10.0}',
  '{"code":010}',
  '{"code":+10}',
  '{"code":"10"}',
  '{"code":2147483648}',
  '{"code":10,"extFields":null}',
  '{"code":10,"extFields":{"a":1}}',
  '{"code":10,"extFields":{"a":"1"}',
  '{"code":10,"extFields":{"\\u0061":"1"}}',
  '{"code":10,"extFields":{"a":"\\q"}}',
  '{"code":10,"extFields":{"a":"\\u12"}}',
  '{"code":10,"extFields":{"a":"\\',
  '{"code":10,"language":"J\\u0041VA"}',
  '{"code":10,"unknown":1}',
  "{'code':10}",
];

for (const headerText of notStrict)
  test(`the scanner leaves ${headerText === '' ? 'an empty header' : headerText} to the decoder`, () => {
    assert.equal(scan(scanJsonHeader, Buffer.from(headerText), TABLE), undefined);
  });

test('integers, booleans and comparisons are read from the bytes', () => {
  const table = new FieldTable({ n: int('n'), flag: str('flag'), topic: str('topic') });
  const view = new RequestView();
  const read = (fields: Record<string, string>): RequestView => {
    view.bytes = encodeJsonHeader({ code: 1, language: 'JAVA', version: 1, opaque: 1, flag: 0, extFields: fields });
    assert.ok(scanJsonHeader(view, view.bytes, 0, view.bytes.length, table));
    return view;
  };
  assert.equal(read({ n: '-12' }).integer(0, 5), -12);
  assert.equal(read({}).integer(0, 5), 5);
  assert.ok(Number.isNaN(read({ n: '1x' }).integer(0, 5)));
  for (const [value, expected] of [
    ['true', true],
    ['TRUE', true],
    ['True', true],
    ['tru', false],
    ['false', false],
    ['1', false],
  ] as const)
    assert.equal(read({ flag: value }).boolean(1), expected, value);
  assert.equal(read({}).boolean(1), false);
  assert.equal(read({ topic: 'T' }).equals(2, Buffer.from('T')), true);
  assert.equal(read({ topic: 'T1' }).equals(2, Buffer.from('T')), false);
  assert.equal(read({}).equals(2, Buffer.from('T')), false);
});

test('decimal integers are digits with an optional sign, at most 64 bits', () => {
  const read = (value: string): number => parseDecimal(Buffer.from(value), 0, value.length);
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => assert.equal(read(String(value)), value)));
  assert.equal(read('+12'), 12);
  // Beyond 2^53 the low bits are lost, and nothing of ours reaches that.
  assert.ok(Math.abs(read('9223372036854775807') - 2 ** 63) < 10_000);
  assert.ok(Math.abs(read('-9223372036854775808') + 2 ** 63) < 10_000);
  for (const bad of ['', '-', '+', '+-1', '1.0', ' 1', '9223372036854775808', '-9223372036854775809', '12345678901234567890', 'x'])
    assert.ok(Number.isNaN(read(bad)), bad);
});

test('a text between quotes is unescaped as JSON does, control characters in it are taken as they are', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (value) => assert.equal(unescapeJson(JSON.stringify(value).slice(1, -1)), value)));
  assert.equal(unescapeJson('a\\"b\u0001c\n'), 'a"b\u0001c\n');
});

test('names that no hash of theirs tells apart are found all the same', () => {
  const names = ['__ZONE_MODE', '__ZONE_NAME', '__ZONE_MOSE'];
  const table = new FieldTable(Object.fromEntries(names.map((name) => [name, str('x')])));
  for (const [slot, name] of names.entries()) assert.equal(table.find(Buffer.from(`${name}?`), 0, name.length), slot);
  assert.equal(table.find(Buffer.from('__ZONE_MORE'), 0, 11), -1);
});

test('declarations with more fields than a view has slots are refused at the start', () => {
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`field${i}`, str('x')]));
  assert.throws(() => new FieldTable(many), /33 header fields/);
});

test('the fields of every declared request and answer can be told apart by their hash', async () => {
  const folder = new URL('../../src/protocol/commands/', import.meta.url);
  let tables = 0;
  for (const file of readdirSync(folder)) {
    const declared: Record<string, { request?: Fields; response?: Fields }> = await import(new URL(file, folder).href);
    for (const [name, { request, response }] of Object.entries(declared))
      for (const fields of [request, response])
        if (fields !== undefined) {
          const table = new FieldTable(fields);
          for (const [slot, wire] of table.names.entries())
            assert.equal(table.find(Buffer.from(wire, 'latin1'), 0, wire.length), slot, `${name}.${wire}`);
          tables++;
        }
  }
  assert.ok(tables > 150, `${tables} tables`);
});
