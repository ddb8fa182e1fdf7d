import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeProperties, editProperties, parseProperties, printProperties } from '../../src/config/properties.ts';

test("keys and values are read with Java's separators, escapes, continuations, comments and line ends", () => {
  const text = '# comment\n! another\r\na=1\r\nb : 2\r c 3\nd = x\\\n    y\ne\\ f=g\nh=\\u6f22\\t.\nempty=\nlast=1';
  const { values } = parseProperties(text, 'f');
  assert.deepEqual(
    [...values],
    [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
      ['d', 'xy'],
      ['h', '漢\t.'],
      ['empty', ''],
      ['last', '1'],
    ],
  );
});

test('trailing white space of a value is kept for whoever decides by type', () => {
  assert.equal(parseProperties('listenPort = 10911  \n', 'f').values.get('listenPort'), '10911  ');
});

test('a key that is set twice with different values is a warning with both lines, and the last one counts', () => {
  const { values, warnings } = parseProperties('a=1\n# x\na=2\nb=1\nb=1\n', 'broker.conf');
  assert.equal(values.get('a'), '2');
  assert.deepEqual(warnings, ['broker.conf: a is set on lines 1 and 3: the last one counts']);
});

test('lines that are no key=value, such as an XML comment, are one warning with their numbers', () => {
  const { values, warnings } = parseProperties('<!--\n  (c) somebody\n-->\na=1\n=x\n', 'namesrv.conf');
  assert.deepEqual([...values.keys()], ['a']);
  assert.deepEqual(warnings, ['namesrv.conf: ignored what is not key=value on lines 1-3, 5']);
});

test('a byte order mark does not become part of the first key', () => {
  assert.equal(parseProperties(decodeProperties(Buffer.from('\uFEFFa=1\n')), 'f').values.get('a'), '1');
});

test('bytes are Latin-1, as Java reads them', () => {
  assert.equal(parseProperties(decodeProperties(Buffer.from([0x61, 0x3d, 0xe9])), 'f').values.get('a'), 'é');
});

test('an edit replaces and appends keys and leaves everything else as it was', () => {
  const text = '# mine\r\na = 1\r\nb=2\\\n  3\n\n# end';
  const edited = editProperties(
    text,
    new Map([
      ['b', 'x'],
      ['c', 'y'],
    ]),
  );
  assert.equal(edited, '# mine\r\na = 1\r\nb=x\n\n# end\nc=y\n');
});

test('an edited text reads back as exactly the values that were set, whatever they hold', () => {
  const value = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(value, value, fc.constantFrom('', '# c\na=1\nb=2', 'b: x\\\n y\n', 'a=1\nb=2\nb=3\n'), (a, b, text) => {
      const values = parseProperties(
        editProperties(
          text,
          new Map([
            ['a', a],
            ['b', b],
          ]),
        ),
        'f',
      ).values;
      assert.equal(values.get('a'), a);
      assert.equal(values.get('b'), b);
    }),
  );
});

test('printing sorts keys by UTF-16 unit and leaves values as they are', () => {
  const values = new Map([
    ['b', 'x=y\\'],
    ['B', '1'],
    ['a', ''],
  ]);
  assert.equal(printProperties(values), 'B=1\na=\nb=x=y\\\n');
});
