import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeProperties, parseProperties } from '@perigee/core/message/properties';
import { RequestView } from '@perigee/core/protocol/header-scan';
import fc from 'fast-check';
import { SendProperties } from '../../../src/broker/handlers/send-properties.ts';

const SLOT = 0;
const properties = new SendProperties();

/** Reads a header's value that stands between two quotes, or as it is in a binary header. */
function read(value: Buffer, escaped: boolean): boolean {
  const view = new RequestView();
  view.bytes = Buffer.concat([Buffer.from('##'), value, Buffer.from('##')]);
  view.starts[SLOT] = 2;
  view.ends[SLOT] = 2 + value.length;
  view.escaped[SLOT] = escaped ? 1 : 0;
  return properties.read(view, SLOT);
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
const noted = (start: number, end: number): string | undefined => (start < 0 ? undefined : properties.bytes.toString('utf8', start, end));

const name = fc.constantFrom('UNIQ_KEY', 'KEYS', 'TAGS', 'WAIT', 'DELAY', 'CLUSTER', 'a', 'größe', '', 'TIMER_DELAY_MS');
const value = fc.oneof(fc.constantFrom('', 'x', 'false', '"\\\t', 'ab\u0003'), fc.string({ unit: 'grapheme', maxLength: 6 }));
const segment = fc
  .tuple(name, fc.constantFrom('\u0001', '\u0001', '\u0001\u0001', ''), value, fc.constantFrom('\u0002', '\u0002', '\u0002\u0002', ''))
  .map((parts) => parts.join(''));

test('properties of a send are the same however their text was escaped, and are noted where they stand', () => {
  const writings = fc.constantFrom(
    (text: string) => ({ bytes: Buffer.from(text), escaped: false }),
    (text: string) => ({ bytes: Buffer.from(inJson(text)), escaped: true }),
    // Separators without an escape beside others with one.
    (text: string) => ({ bytes: Buffer.from(`${inJson(text).replace('\\u0001', '\u0001')}\\u0041`), escaped: true }),
    (text: string) => ({ bytes: Buffer.from(inJson(text).replaceAll('\\u0002', '\u0002')), escaped: true }),
  );
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 8 }), writings, (segments, write) => {
      const { bytes, escaped } = write(segments.join(''));
      const text = escaped
        ? (JSON.parse(`"${bytes.toString().replace(/[\u0001\u0002]/g, (c) => inJson(c))}"`) as string)
        : bytes.toString();
      assert.ok(read(bytes, escaped));
      const map = parseProperties(text);
      assert.deepEqual(parseProperties(properties.text()), map);
      assert.ok(text.length === 0 || properties.text().endsWith('\u0002'));
      assert.equal(noted(properties.uniqueKeyStart, properties.uniqueKeyEnd), map.get('UNIQ_KEY'));
      assert.equal(noted(properties.keysStart, properties.keysEnd), map.get('KEYS'));
      assert.equal(noted(properties.tagsStart, properties.tagsEnd), map.get('TAGS'));
      assert.equal(properties.waits, !map.has('WAIT') || map.get('WAIT') === 'true');
      assert.equal(
        properties.special,
        ['DELAY', 'CLUSTER', 'TIMER_DELAY_MS'].some((each) => map.has(each)),
      );
    }),
    { numRuns: 2_000 },
  );
});

test('properties that are escaped in a way that JSON does not know, or are too long, are not read', () => {
  assert.equal(read(Buffer.from('a\\u0001b\\x'), true), false);
  assert.equal(read(Buffer.alloc(70_000, 'a'), false), false);
  assert.ok(read(Buffer.from(encodeProperties([['KEYS', 'k']])), false));
  assert.equal(noted(properties.keysStart, properties.keysEnd), 'k');
  assert.ok(read(Buffer.alloc(0), false));
  assert.deepEqual([properties.length, properties.keysStart], [0, -1]);
});
