/** Random expressions over random properties. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileSql92 } from '../../../src/filter/sql92/filter.ts';
import { verdict } from './properties.ts';

const name = fc.constantFrom('a', 'b', 'c', 'TAGS');
const number = fc.oneof(
  fc.constantFrom('0', '1', '5', '5.0', '.5', '1e2', '2147483647', '2147483648', '9223372036854775807', '3L'),
  fc.nat().map(String),
  fc.double({ min: 1e-3, max: 1e15, noNaN: true }).map((value) => (Number.isInteger(value) ? `${value}.` : String(value))),
);
const string = fc
  .oneof(fc.constantFrom('x', '5', 'true', '5.5', ''), fc.string({ maxLength: 4 }))
  .map((text) => `'${text.replaceAll("'", "''")}'`);
const value = fc
  .oneof(
    fc.constantFrom(
      'x',
      '5',
      'TRUE',
      '5.5',
      ' 5',
      'NaN',
      '-0',
      '+5',
      '1e2',
      '\u0665',
      '0x1p3',
      '5d',
      '9007199254740993',
      '-9223372036854775808',
      '1_0',
    ),
    fc.integer().map(String),
    fc.double().map(String),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
    fc.string({ minLength: 1, maxLength: 6 }),
    string.map((text) => text.slice(1, -1)),
  )
  .map((text) => text.replaceAll(/[\u0001\u0002]/g, '') || 'x');

const { condition } = fc.letrec<{ operand: string; condition: string }>((tie) => ({
  operand: fc.oneof(
    { maxDepth: 4 },
    name,
    number,
    string,
    fc.constantFrom('TRUE', 'FALSE', 'NULL'),
    fc.tuple(fc.constantFrom('-', '+', 'NOT ', ''), tie('condition')).map(([sign, inner]) => `${sign}(${inner})`),
    tie('operand').map((inner) => `- ${inner}`),
  ),
  condition: fc.oneof(
    { maxDepth: 4 },
    fc.tuple(tie('operand'), fc.constantFrom('=', '<>', '>', '>=', '<', '<='), tie('operand')).map((parts) => parts.join(' ')),
    fc.tuple(tie('operand'), fc.constantFrom(' IS NULL', ' IS NOT NULL')).map((parts) => parts.join('')),
    fc
      .tuple(name, fc.constantFrom(' ', ' NOT '), number, tie('operand'))
      .map(([left, not, low, high]) => `${left}${not}BETWEEN ${low} AND ${high}`),
    fc
      .tuple(name, fc.constantFrom(' ', ' NOT '), fc.array(string, { minLength: 1, maxLength: 12 }))
      .map(([left, not, list]) => `${left}${not}IN (${list})`),
    fc
      .tuple(tie('operand'), fc.constantFrom(' ', ' NOT '), fc.constantFrom('CONTAINS', 'STARTSWITH', 'ENDSWITH'), string)
      .map(([left, not, word, text]) => `${left}${not}${word} ${text}`),
    fc.tuple(tie('condition'), fc.constantFrom(' AND ', ' OR '), tie('condition')).map((parts) => parts.join('')),
    tie('condition').map((inner) => `NOT (${inner})`),
    name,
  ),
}));
const properties = fc.dictionary(name, value);

test('the compiled filter says of bytes what the evaluation value by value says of texts', () => {
  let compiledCount = 0;
  fc.assert(
    fc.property(condition, fc.array(properties, { minLength: 3, maxLength: 3 }), (expression, messages) => {
      const filter = compileSql92(expression);
      if (!filter.valid) return;
      compiledCount++;
      for (const message of messages) verdict(filter, message);
    }),
    { numRuns: 3000 },
  );
  assert.ok(compiledCount > 1000, `only ${compiledCount} of 3000 expressions compiled`);
});

test('any text compiles or is refused with a place inside of it, and nothing is thrown', () => {
  const word = fc.constantFrom(
    'a',
    'AND',
    'OR',
    'NOT',
    'IS',
    'NULL',
    'IN',
    'BETWEEN',
    'CONTAINS',
    'TRUE',
    '(',
    ')',
    ',',
    '=',
    '<>',
    '<',
    '>=',
    '+',
    '-',
    "'x'",
    "'",
    '5',
    '.',
    '5.',
    '1e',
    '/*',
    '*/',
    '--',
    '\n',
    '\t',
    '#',
    '中',
  );
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.array(word, { maxLength: 20 }).map((words) => words.join(' ')),
    fc.array(word, { maxLength: 20 }).map((words) => words.join('')),
  );
  fc.assert(
    fc.property(text, (expression) => {
      const result = compileSql92(expression);
      if (result.valid) return;
      assert.ok(result.line <= expression.split(/\r\n|\n|\r/).length + 1);
      assert.ok(result.legacy.length > 0 && result.cause.startsWith('Invalid MessageSelector. '));
    }),
    { numRuns: 5000 },
  );
});
