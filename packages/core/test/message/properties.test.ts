import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  appendProperty,
  deleteProperty,
  encodeProperties,
  getProperty,
  PropertyScanner,
  parseProperties,
  propertyValueEnd,
  propertyValueStart,
  setProperty,
} from '../../src/message/properties.ts';
import { goldenStores } from '../golden.ts';

const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((text) => !/[\u0001\u0002]/.test(text));
const entries = fc.array(fc.tuple(word, word), { maxLength: 8 });
/** Texts of any shape, well-formed or not. */
const rough = fc
  .array(fc.constantFrom('TAGS', 'KEYS', 'TA', '\u0001', '\u0001', '\u0002', '\u0002', 'a', '\u4e2d'), { maxLength: 20 })
  .map((parts) => parts.join(''));

function valueInBytes(text: string, name: string): string | undefined {
  const bytes = Buffer.from(`##${text}##`, 'utf8');
  const start = propertyValueStart(bytes, 2, bytes.length - 2, Buffer.from(name));
  return start < 0 ? undefined : bytes.toString('utf8', start, propertyValueEnd(bytes, start, bytes.length - 2));
}

test('what was encoded is parsed back in order', () => {
  fc.assert(
    fc.property(entries, (pairs) => {
      assert.deepEqual([...parseProperties(encodeProperties(pairs))], [...new Map(pairs)]);
    }),
  );
  assert.equal(
    encodeProperties([
      ['a', '1'],
      ['b', undefined],
    ]),
    'a\u00011\u0002',
  );
});

test('segments without name or value do not count, and the last separator may be missing', () => {
  const text = '\u0001x\u0002a\u0001\u0002\u0002b\u00011\u0002b\u00012\u0001z\u0002novalue\u0002c\u00013';
  assert.deepEqual(
    [...parseProperties(text)],
    [
      ['b', '2\u0001z'],
      ['c', '3'],
    ],
  );
});

test('single lookups, in text and in bytes, say what parsing says for texts of any shape', () => {
  const names = ['TAGS', 'KEYS', 'TA', 'a', '\u4e2d', 'TAGSKEYS'];
  const scanner = new PropertyScanner(names);
  fc.assert(
    fc.property(rough, (text) => {
      const parsed = parseProperties(text);
      const bytes = Buffer.from(`#${text}`, 'utf8');
      scanner.scan(bytes, 1, bytes.length);
      for (const [index, name] of names.entries()) {
        assert.equal(getProperty(text, name), parsed.get(name));
        assert.equal(valueInBytes(text, name), parsed.get(name));
        const start = scanner.start(index);
        assert.equal(start < 0 ? undefined : bytes.toString('utf8', start, scanner.end(index)), parsed.get(name));
      }
    }),
    { numRuns: 3000 },
  );
});

test('appending adds the separator that 4.9.1 to 5.1.x clients leave out', () => {
  assert.equal(appendProperty('a\u00011', 'b', '2'), 'a\u00011\u0002b\u00012\u0002');
  assert.equal(appendProperty('a\u00011\u0002', 'b', '2'), 'a\u00011\u0002b\u00012\u0002');
  assert.equal(appendProperty('', 'b', '2'), 'b\u00012\u0002');
});

test('deleting takes every segment of the name and leaves the others as they were', () => {
  assert.equal(deleteProperty('WAIT\u0001true\u0002a\u00011\u0002WAIT\u0001x\u0002XWAIT\u00011', 'WAIT'), 'a\u00011\u0002XWAIT\u00011');
  fc.assert(
    fc.property(rough, (text) => {
      const parsed = parseProperties(text);
      const hadTags = parsed.delete('TAGS');
      assert.deepEqual(parseProperties(deleteProperty(text, 'TAGS')), parsed);
      if (!hadTags && !text.includes('TAGS\u0001')) assert.equal(deleteProperty(text, 'TAGS'), text);
      assert.equal(getProperty(setProperty(text, 'TAGS', 'v'), 'TAGS'), 'v');
    }),
  );
});

test('a scanner refuses a name that it has no room for', () => {
  assert.throws(() => new PropertyScanner(['']), RangeError);
  assert.throws(() => new PropertyScanner(['x'.repeat(256)]), RangeError);
});

test('the properties of golden records are those that Apache read', async () => {
  const { decodeRecord } = await import('../../src/message/record-check.ts');
  for (const store of goldenStores())
    for (const expected of store.records) {
      const record = decodeRecord(store.commitLog, expected.physicalOffset, store.commitLog.length);
      assert.deepEqual(
        Object.fromEntries(parseProperties(record.properties)),
        expected.properties,
        `${store.name} ${expected.offsetMsgId}`,
      );
    }
});
