import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bool, type Fields, HeaderFieldError, int, long, readHeader, str } from '@perigee/core/protocol/command';
import { encodeBinaryHeader } from '@perigee/core/protocol/header-binary';
import { decodeJsonHeader, encodeJsonHeader } from '@perigee/core/protocol/header-json';
import { HeaderReader } from '@perigee/core/protocol/header-reader';
import { RequestView, scanBinaryHeader, scanJsonHeader } from '@perigee/core/protocol/header-scan';
import fc from 'fast-check';

const FIELDS = {
  topic: str('topic'),
  group: str('group').optional().as('b'),
  queueId: int('queue'),
  offset: long('offset').optional(),
  order: bool('order').optional(),
} satisfies Fields;

const reader = new HeaderReader(FIELDS);
const view = new RequestView();

function scanned(ext: Record<string, string>, isBinary = false): ReturnType<typeof reader.read> {
  const header = { code: 7, language: 'JAVA', version: 513, opaque: 1, flag: 0, extFields: ext };
  const bytes = isBinary ? encodeBinaryHeader(header) : encodeJsonHeader(header);
  const scan = isBinary ? scanBinaryHeader : scanJsonHeader;
  view.bytes = bytes;
  assert.ok(scan(view, bytes, 0, bytes.length, reader.table!));
  return reader.read(view);
}

const value = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.integer().map(String),
  fc.bigInt().map(String),
  fc.constantFrom('true', 'TRUE', 'false', '', '+7', '-0', '007', '9223372036854775807', '9223372036854775808', '2147483648', ' 1', '1e3'),
);

test('a header read in place is the header that the tolerant way reads, or left to it', () => {
  const record = fc.record({ topic: value, b: value, queueId: value, offset: value, order: value, other: value }, { requiredKeys: [] });
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 3 }), (headers) => {
      for (const ext of headers) {
        let slow: ReturnType<typeof reader.read>;
        try {
          slow = readHeader('TEST', FIELDS, decodeJsonHeader(...whole(ext)).extFields ?? {});
        } catch (error) {
          assert.ok(error instanceof HeaderFieldError);
        }
        const fast = scanned(ext);
        if (slow === undefined) assert.equal(fast, undefined);
        else if (fast !== undefined) assert.deepEqual(fast, slow);
        else assert.match(`${ext['queueId']}${ext['offset']}${ext['order']}`, /["\\]|\d{16}/, 'no more is left to the tolerant way');
      }
    }),
    { numRuns: 500 },
  );
});

const whole = (ext: Record<string, string>): [Buffer, number, number] => {
  const bytes = encodeJsonHeader({ code: 7, language: 'JAVA', version: 513, opaque: 1, flag: 0, extFields: ext });
  return [bytes, 0, bytes.length];
};

test('a text that stood there last time is the same string again; another one is read anew', () => {
  assert.equal(scanned({ topic: 'A', queueId: '1' })?.topic, 'A');
  assert.equal(scanned({ topic: 'A', queueId: '2' })?.topic, 'A');
  assert.equal(scanned({ topic: 'B', queueId: '2' })?.topic, 'B');
  assert.equal(scanned({ topic: 'Bé"', queueId: '2' })?.topic, 'Bé"');
  assert.equal(scanned({ topic: 'B', queueId: '2' }, true)?.topic, 'B');
  assert.equal(scanned({ topic: 'x'.repeat(300), queueId: '2' })?.topic, 'x'.repeat(300));
  assert.equal(scanned({ topic: 'y'.repeat(300), queueId: '2' })?.topic, 'y'.repeat(300));
});

test('a required field that is missing and a number that is none are left to the tolerant way', () => {
  assert.equal(scanned({ topic: 'A' }), undefined);
  assert.equal(scanned({ topic: 'A', queueId: 'x' }), undefined);
  assert.equal(scanned({ topic: 'A', queueId: '2147483648' }), undefined);
  assert.deepEqual(scanned({ topic: 'A', queueId: '2147483647', offset: '9007199254740991', order: 'True' }), {
    topic: 'A',
    queueId: 2147483647,
    offset: 9007199254740991,
    order: true,
  });
});

test('a declaration with more fields than a view has slots is left to the tolerant way', () => {
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`field${index}`, str('one')]));
  assert.equal(new HeaderReader(many).table, undefined);
});
