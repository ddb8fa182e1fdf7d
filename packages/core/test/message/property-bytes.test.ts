import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DECODED_PROPERTIES_BUCKETS, sortAsJavaMap } from '@perigee/core/kit/java-map-order';
import { TextCache } from '@perigee/core/kit/text-cache';
import { encodeProperties, parseProperties } from '@perigee/core/message/properties';
import { naturalProperty, PROPERTIES_MAX, PropertyBytes, sortProperties, writeProperties } from '@perigee/core/message/property-bytes';
import fc from 'fast-check';

const name = fc.oneof(
  fc.constantFrom('A', 'TAGS', 'KEYS', 'UNIQ_KEY', 'REAL_TOPIC', 'Aa', 'BB', 'größe', '中文', ''),
  fc.string({ maxLength: 5 }),
);
const value = fc.oneof(fc.constantFrom('', 'x', '中', 'v'.repeat(100)), fc.string({ unit: 'grapheme', maxLength: 8 }));
const ranges = () => ({ uniqueKeyStart: 0, uniqueKeyEnd: 0, keysStart: 0, keysEnd: 0, tagsStart: 0, tagsEnd: 0 });
const segment = fc
  .tuple(name, fc.constantFrom('\u0001', ''), value, fc.constantFrom('\u0002', '\u0002', '\u0002', ''))
  .map((parts) => parts.join(''));
const change = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), name, value }),
  fc.record({ kind: fc.constant('delete' as const), name, value }),
  fc.record({ kind: fc.constant('sort' as const), name, value }),
);

const texts = new TextCache();

test('properties as bytes are asked, changed, sorted and written as a map of them is', () => {
  const properties = new PropertyBytes();
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 12 }), fc.array(change, { maxLength: 10 }), fc.nat(5), (segments, changes, before) => {
      const text = segments.join('');
      const map = parseProperties(text);
      const bytes = Buffer.from('#'.repeat(before) + text, 'utf8');
      assert.ok(properties.read(bytes, before, bytes.length));
      for (const [at, expected] of map) assert.equal(properties.getCached(at, texts), expected);
      assert.equal(properties.getCached('never there', texts), undefined);
      const read = ranges();
      properties.noteRead(read);
      const inText = (start: number, end: number): string => (start < 0 ? '' : bytes.toString('utf8', start, end));
      assert.equal(inText(read.uniqueKeyStart, read.uniqueKeyEnd), map.get('UNIQ_KEY') ?? '');
      assert.equal(inText(read.keysStart, read.keysEnd), map.get('KEYS') ?? '');
      assert.equal(inText(read.tagsStart, read.tagsEnd), map.get('TAGS') ?? '');
      for (const { kind, name: changed, value: wanted } of changes) {
        if (kind === 'set') {
          map.set(changed, wanted);
          properties.set(changed, wanted);
          assert.equal(properties.getCached(changed, texts), wanted);
        } else if (kind === 'delete') assert.equal(properties.delete(changed), map.delete(changed));
        else {
          sortAsJavaMap(map, DECODED_PROPERTIES_BUCKETS);
          sortProperties(properties, DECODED_PROPERTIES_BUCKETS);
        }
        assert.equal(properties.get(changed), map.get(changed));
        assert.equal(properties.has(changed), map.has(changed));
      }
      assert.equal(properties.size, map.size);
      assert.deepEqual([...properties], [...map]);
      const written = writeProperties(properties, Buffer.alloc(64));
      assert.equal(written.bytes.toString('utf8', 0, written.length), encodeProperties(map));
      assert.equal(properties.byteLength, written.length);
      const noted = ranges();
      properties.noteWritten(noted);
      const shown = (start: number, end: number): string => (start < 0 ? '' : written.bytes.toString('utf8', start, end));
      assert.equal(shown(noted.uniqueKeyStart, noted.uniqueKeyEnd), map.get('UNIQ_KEY') ?? '');
      assert.equal(shown(noted.keysStart, noted.keysEnd), map.get('KEYS') ?? '');
      assert.equal(shown(noted.tagsStart, noted.tagsEnd), map.get('TAGS') ?? '');
      const fromMap = writeProperties(map, Buffer.alloc(64));
      assert.equal(fromMap.bytes.toString('utf8', 0, fromMap.length), encodeProperties(map));
    }),
    { numRuns: 1_000 },
  );
});

test('indexed values are found where they were read, and numbers are read from their digits', () => {
  const properties = new PropertyBytes();
  const bytes = Buffer.from(
    encodeProperties([
      ['UNIQ_KEY', 'u'],
      ['TAGS', 'tag'],
      ['A', '0123'],
      ['B', '-1'],
      ['C', '1'.repeat(16)],
      ['D', '1x'],
    ]),
  );
  properties.read(bytes, 0, bytes.length);
  const noted = ranges();
  properties.noteRead(noted);
  assert.equal(bytes.toString('utf8', noted.uniqueKeyStart, noted.uniqueKeyEnd), 'u');
  assert.equal(bytes.toString('utf8', noted.tagsStart, noted.tagsEnd), 'tag');
  assert.equal(noted.keysStart, -1);
  properties.set('E', '7');
  const map = new Map([...properties]);
  for (const set of [properties, map])
    assert.deepEqual(
      ['A', 'B', 'C', 'D', 'E', 'F'].map((each) => naturalProperty(set, each)),
      [123, Number.NaN, Number.NaN, Number.NaN, 7, Number.NaN],
    );
});

test('bytes that are no UTF-8 stay as they are', () => {
  const properties = new PropertyBytes();
  const bytes = Buffer.from([0x61, 1, 0xff, 0xfe, 2]);
  properties.read(bytes, 0, bytes.length);
  properties.set('b', '1');
  const { bytes: written, length } = writeProperties(properties, Buffer.alloc(64));
  assert.deepEqual([...written.subarray(0, length)], [...bytes, 0x62, 1, 0x31, 2]);
});

test('more properties than it holds are left to a map', () => {
  const properties = new PropertyBytes();
  const text = (count: number): Buffer =>
    Buffer.from(encodeProperties(Array.from({ length: count }, (_, n) => [`name${n}`, 'v'] as const)));
  assert.ok(properties.read(text(PROPERTIES_MAX), 0, text(PROPERTIES_MAX).length));
  properties.sortAsJavaMap(16);
  assert.equal(properties.get(`name${PROPERTIES_MAX - 1}`), 'v');
  assert.equal(properties.read(text(PROPERTIES_MAX + 1), 0, text(PROPERTIES_MAX + 1).length), false);
});
