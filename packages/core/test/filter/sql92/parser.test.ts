import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSql92 } from '../../../src/filter/sql92/filter.ts';
import { parseSql92, SQL92_DEPTH_MAX, SQL92_LENGTH_MAX } from '../../../src/filter/sql92/parser.ts';
import { Sql92SyntaxError } from '../../../src/filter/sql92/syntax-error.ts';
import { nodeText } from '../../../src/filter/sql92/syntax-tree.ts';

function cause(expression: string): string {
  const result = compileSql92(expression);
  return result.valid ? 'compiles' : result.cause;
}

test('binary signs of one level are taken from left to right', () => {
  const read = (expression: string): string => nodeText(parseSql92(expression).root);
  assert.equal(read('a = b = c'), '((a == b) == c)');
  assert.equal(read('a = b > c'), '(a == (b > c))');
  assert.equal(read('a AND b OR c AND d'), '((a && b) || (c && d))');
  assert.equal(read('a OR b OR c'), '((a || b) || c)');
  assert.equal(read('a = b IS NOT NULL'), '(NOT ((a == b) == NULL))');
  assert.equal(read('NOT a = 1'), '((NOT a) == 1)');
  assert.equal(read('a BETWEEN 1 AND 2 AND b'), '(((a >= 1) && (a <= 2)) && b)');
  assert.equal(read("a NOT IN ('x') = TRUE"), '(a NOT IN ( x ) == TRUE)');
});

test('numbers get the type that Java gives them', () => {
  const literal = (text: string): unknown => {
    const { root } = parseSql92(`a = ${text}`);
    assert.ok(root.kind === 'equal' && root.right.kind === 'literal');
    return root.right.literal;
  };
  assert.deepEqual(literal('2147483647'), { type: 'int', value: 2147483647 });
  assert.deepEqual(literal('2147483648'), { type: 'long', value: 2147483648n });
  assert.deepEqual(literal('5L'), { type: 'int', value: 5 });
  assert.deepEqual(literal('5.'), { type: 'double', value: 5 });
  assert.deepEqual(literal('.5e1'), { type: 'double', value: 5 });
  assert.deepEqual(literal('5e-1'), { type: 'double', value: 0.5 });
  assert.deepEqual(literal("'it''s'"), { type: 'string', value: "it's" });
});

test('an expression may be long and may not be longer', () => {
  const terms = Math.floor(SQL92_LENGTH_MAX / 9);
  const long = Array.from({ length: terms }, () => 'a=1')
    .join(' AND ')
    .slice(0, terms * 8 - 5);
  assert.equal(cause(long), 'compiles');
  const padded = `a = 1${' '.repeat(SQL92_LENGTH_MAX - 5)}`;
  assert.equal(cause(padded), 'compiles');
  assert.equal(
    cause(`${padded} `),
    `Invalid MessageSelector. At line 1, column 1: the expression has ${SQL92_LENGTH_MAX + 1} characters, at most ${SQL92_LENGTH_MAX} are read`,
  );
});

test('nesting is bounded in every way that it can grow', () => {
  const deep = SQL92_DEPTH_MAX + 1;
  const shapes: ((levels: number) => string)[] = [
    (levels) => `${'('.repeat(levels)}a = 1${')'.repeat(levels)}`,
    (levels) => `${'NOT '.repeat(levels)}a`,
    (levels) => `a > ${'- '.repeat(levels)}5`,
    (levels) => `a > ${'+'.repeat(levels)}5`,
    (levels) => `a${" CONTAINS 'x'".repeat(levels)}`,
    (levels) => `a${' IS NULL'.repeat(levels)}`,
    (levels) => `a${' = 1'.repeat(levels)}`,
  ];
  for (const shape of shapes) {
    assert.equal(cause(shape(100)), 'compiles', shape(3));
    assert.match(cause(shape(deep * 10)), /nests deeper than 256 levels$/, shape(3));
    const filter = compileSql92(shape(100));
    assert.ok(filter.valid);
    filter.matches(Buffer.from('a\u00011\u0002'), 0, 4);
  }
  const name = 'n'.repeat(255);
  assert.equal(cause(`${name} = 1`), 'compiles');
  assert.match(cause(`${name}n = 1`), /the property name has 256 characters, at most 255 are read$/);
});

test('what is wrong inside of the operand of a plus is reported at the plus, as Apache does', () => {
  assert.throws(
    () => parseSql92('a = 1 AND +(b'),
    (error: unknown) =>
      error instanceof Sql92SyntaxError && error.position.column === 11 && error.legacy.includes('Encountered " "+" "+ ""'),
  );
});

test('our own words name what a condition lacks', () => {
  assert.equal(
    cause('a AND 5'),
    'Invalid MessageSelector. At line 1, column 7: a condition is needed here, not a value (NOT binds tighter than comparisons: write NOT (a = 1))',
  );
  assert.equal(cause("a > 'x'"), "Invalid MessageSelector. At line 1, column 3: Value ''x'' cannot be compared.");
  assert.equal(
    cause('a = '),
    'Invalid MessageSelector. At line 1, column 4: the expression ends where a property, a literal or ( is expected',
  );
  assert.equal(cause('a = "x"'), 'Invalid MessageSelector. At line 1, column 5: " means nothing here (strings stand in \')');
});
