import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareDoubles, parseJavaDouble, parseJavaInt, parseJavaLong } from '../../../src/filter/sql92/java-values.ts';
import { readJavaDouble, readJavaInt, readJavaLong } from '../../../src/filter/sql92/number-bytes.ts';

test('whole numbers are what Integer.valueOf and Long.valueOf take', () => {
  for (const text of ['', '+', '-', ' 5', '5 ', '5.0', '0x5', '5L', '1_0', '--5', '+-5', 'x', '\uff15x']) {
    assert.equal(parseJavaInt(text), undefined, text);
    assert.equal(parseJavaLong(text), undefined, text);
  }
  assert.equal(parseJavaInt('2147483647'), 2147483647);
  assert.equal(parseJavaInt('-2147483648'), -2147483648);
  assert.equal(parseJavaInt('2147483648'), undefined);
  assert.equal(parseJavaInt(`${'0'.repeat(100)}7`), 7);
  assert.equal(parseJavaLong('-9223372036854775808'), -(2n ** 63n));
  assert.equal(parseJavaLong('9223372036854775808'), undefined);
  // Arabic-Indic, full-width, Thai
  assert.equal(parseJavaInt('-\u0661\u0662'), -12);
  assert.equal(parseJavaInt('\uff10\uff19'), 9);
  assert.equal(parseJavaInt('\u0e55'), 5);
});

test('doubles are what Double.valueOf takes', () => {
  for (const text of ['', '.', '-', 'e5', '5e', '5e+', '5l', '0x5', '0xp1', '1_0', 'nan', 'infinity', '\u0665', '5\u00a0', '5 5'])
    assert.equal(parseJavaDouble(text), undefined, JSON.stringify(text));
  const rows: readonly [string, number][] = [
    [' 5\u0000', 5],
    ['5.', 5],
    ['.5', 0.5],
    ['+5e-1d', 0.5],
    ['5F', 5],
    ['-Infinity', -Infinity],
    ['1e400', Infinity],
    ['1e-400', 0],
    ['0x.8p1', 1],
    ['0X1.8P+1f', 3],
    ['-0x1p-1074', -5e-324],
    ['0x1p-1075', 0],
    ['0x1.8p-1075', 5e-324],
    ['0x1.fffffffffffff7p1023', Number.MAX_VALUE],
    ['0x1.fffffffffffff8p1023', Infinity],
    ['0x1.00000000000008p0', 1],
    ['0x1.000000000000080001p0', 1 + 2 ** -52],
    ['0x1p999999999999', Infinity],
    ['0x0p999999999999', 0],
  ];
  for (const [text, value] of rows) assert.equal(parseJavaDouble(text), value, text);
  assert.ok(Number.isNaN(parseJavaDouble('-NaN')));
});

test('doubles are ordered as Double.compare orders them', () => {
  const ascending = [-Infinity, -1, -5e-324, -0, 0, 5e-324, 1, Infinity, Number.NaN];
  for (const [i, left] of ascending.entries())
    for (const [j, right] of ascending.entries())
      assert.equal(Math.sign(compareDoubles(left, right)), Math.sign(i - j), `${left} ${right}`);
});

test('numbers read from bytes are those read from texts', () => {
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 22 });
  const shaped = fc
    .tuple(fc.constantFrom('', '-', '+', ' '), digits, fc.constantFrom('', '.', '..', 'e3', 'x'), digits)
    .map((parts) => parts.join(''));
  const text = fc.oneof(
    shaped,
    fc.integer().map(String),
    fc.double().map(String),
    fc.string({ unit: fc.constantFrom(...'0159+-.eE \u0665d中'), maxLength: 8 }),
  );
  fc.assert(
    fc.property(text, (value) => {
      const bytes = Buffer.from(`7${value}7`);
      const end = bytes.length - 1;
      assert.deepEqual(readJavaInt(bytes, 1, end) + 0, (parseJavaInt(value) ?? Number.NaN) + 0);
      const long = readJavaLong(bytes, 1, end);
      assert.equal(long === long ? BigInt(long) : undefined, parseJavaLong(value));
      assert.ok(Object.is(readJavaDouble(bytes, 1, end), parseJavaDouble(value)));
    }),
    { numRuns: 10_000 },
  );
});
