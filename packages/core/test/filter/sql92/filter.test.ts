import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compileSql92, type Sql92Filter, type Verdict } from '../../../src/filter/sql92/filter.ts';
import { type Properties, verdict } from './properties.ts';

function compiled(expression: string): Sql92Filter {
  const filter = compileSql92(expression);
  assert.ok(filter.valid, `${expression}: ${filter.valid ? '' : filter.cause}`);
  return filter;
}

/** Expression, properties, verdict. */
type Row = readonly [string, Properties, Verdict];

function check(rows: readonly Row[]): void {
  for (const [expression, properties, expected] of rows)
    assert.equal(verdict(compiled(expression), properties), expected, `${expression} on ${JSON.stringify(properties)}`);
}

test('parser and evaluator of Apache 5.5.0 say the same about every golden expression', () => {
  const lines = readFileSync(new URL('../../golden/filter/sql92-5.5.0.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const sets = new Map<string, Properties[]>();
  let verdicts = 0;
  let refusals = 0;
  for (const line of lines) {
    const sample = JSON.parse(line);
    if (sample.name !== undefined) {
      sets.set(sample.name, sample.properties);
      continue;
    }
    if (sample.refused !== undefined) {
      const error = compileSql92(sample.expression);
      assert.equal(error.valid ? 'accepted' : error.legacy, sample.refused, sample.expression);
      refusals++;
      continue;
    }
    const filter = compiled(sample.expression);
    const properties: Properties[] = typeof sample.properties === 'string' ? sets.get(sample.properties) : sample.properties;
    const letters = { true: 'T', false: 'F', null: 'U', error: 'X' };
    for (const [index, message] of properties.entries()) {
      const said = letters[String(verdict(filter, message)) as keyof typeof letters];
      assert.equal(said, sample.verdicts[index], `${sample.expression} on ${JSON.stringify(message)}`);
      verdicts++;
    }
  }
  assert.ok(verdicts > 8000 && refusals > 150, `${verdicts} verdicts, ${refusals} refusals`);
});

test('OR binds weaker than AND, and AND weaker than comparisons', () => {
  check([
    ['a = 1 OR b = 1 AND c = 1', { a: '1', b: '2', c: '2' }, true],
    ['(a = 1 OR b = 1) AND c = 1', { a: '1', b: '2', c: '2' }, false],
    ['a = 1 AND b = 1 OR c = 1', { a: '2', b: '2', c: '1' }, true],
    ['a IS NULL AND b > 1', { b: '2' }, true],
    // = is weaker than >: a = (b > 1)
    ['a = b IS NULL', { a: '1', b: '1' }, false],
    ['a = TRUE = TRUE', { a: 'true' }, true],
  ]);
});

test('NOT binds to the value next to it, so that a comparison needs parentheses', () => {
  check([
    // (NOT a) = 1: unknown or true against a number
    ['NOT a = 1', { a: '1' }, false],
    ['NOT (a = 1)', { a: '1' }, false],
    ['NOT (a = 1)', { a: '2' }, true],
    ['NOT a', { a: 'true' }, true],
    ['NOT NOT (a = 1)', { a: '1' }, true],
  ]);
});

test('keywords have no case, properties do', () => {
  check([
    ['a bEtWeEn 1 aNd 3 Or b iS nOt NuLl', { a: '2' }, true],
    ['A = 1', { a: '1' }, null],
    ['_a$1 = 1 AND $ IS NULL', { _a$1: '1' }, true],
  ]);
});

test('blanks and comments may stand between words', () => {
  check([
    ['a=1AND b=2', { a: '1', b: '2' }, true],
    ['a\t=\r\n 1 \f', { a: '1' }, true],
    ['a = -- one\n1 AND /* two ** / */ b = 2', { a: '1', b: '2' }, true],
  ]);
});

test('AND and OR know three values', () => {
  const of = (value: 'T' | 'F' | 'U'): string => ({ T: 't = 1', F: 't = 2', U: 'u = 1' })[value];
  const table: readonly ['T' | 'F' | 'U', 'T' | 'F' | 'U', Verdict, Verdict][] = [
    ['T', 'T', true, true],
    ['T', 'F', false, true],
    ['T', 'U', null, true],
    ['F', 'T', false, true],
    ['F', 'F', false, false],
    ['F', 'U', false, null],
    ['U', 'T', null, true],
    ['U', 'F', false, null],
    ['U', 'U', null, null],
  ];
  for (const [left, right, and, or] of table) {
    check([
      [`${of(left)} AND ${of(right)}`, { t: '1' }, and],
      [`${of(left)} OR ${of(right)}`, { t: '1' }, or],
    ]);
  }
  check([
    ['NOT (u = 1)', {}, null],
    ['NOT (t = 1)', { t: '1' }, false],
    ['NOT (t = 1)', { t: '2' }, true],
  ]);
});

test('a missing property is equal to another missing one and to nothing else, and never different', () => {
  check([
    ['a = b', {}, true],
    ['a = b', { b: '1' }, null],
    ['a = b', { a: '1' }, false],
    ['a = 1', {}, null],
    ['1 = a', {}, false],
    ['a <> 1', {}, null],
    ['1 <> a', {}, true],
    ['a IS NULL', {}, true],
    ['a IS NULL', { a: 'x' }, false],
    ['a IS NOT NULL', {}, false],
    ['a IS NOT NULL', { a: 'x' }, true],
    ['a > 1', {}, null],
    ["a IN ('x')", {}, null],
    ["a NOT IN ('x')", {}, null],
    ["a CONTAINS 'x'", {}, false],
    ["a NOT CONTAINS 'x'", {}, false],
    ['a', {}, null],
  ]);
});

test('a string meets a number as that type of number, and one that is none matches nothing, under NOT neither', () => {
  check([
    ['a > 3', { a: '3.5' }, 'error'],
    ['a > 3.0', { a: '3.5' }, true],
    ['a = 3', { a: '3.0' }, 'error'],
    ['a = 3.0', { a: '3' }, true],
    ['a = 3', { a: ' 3' }, 'error'],
    ['a = 3.0', { a: ' 3\t' }, true],
    ['a > 3', { a: 'x' }, 'error'],
    ['a <> 3', { a: 'x' }, 'error'],
    ['NOT (a > 3)', { a: 'x' }, 'error'],
    ['a > 3 OR b = 1', { a: 'x', b: '1' }, 'error'],
    ['b = 1 OR a > 3', { a: 'x', b: '1' }, true],
    ['a > 3 AND b = 1', { a: 'x', b: '2' }, 'error'],
    ['b = 1 AND a > 3', { a: 'x', b: '2' }, false],
    ['3 = a', { a: '3' }, true],
    ['3 < a', { a: '4' }, true],
    ['a = 2147483647', { a: '2147483648' }, 'error'],
    ['a = 2147483648', { a: '2147483648' }, true],
    ['a > 9007199254740992', { a: '9007199254740993' }, true],
    ['a >= 9223372036854775807', { a: '9223372036854775807' }, true],
    ['a <= 9223372036854775807', { a: '9223372036854775808' }, 'error'],
    ['a = 0', { a: '-0' }, true],
    ['a = 5', { a: '\u0665' }, true],
    ['a = 5.0', { a: '\u0665' }, 'error'],
    ['a > 1.0', { a: 'NaN' }, true],
    ['a < 1.0', { a: '-Infinity' }, true],
    ['a = 8.0', { a: '0x1p3' }, true],
    ['a = -5', { a: '-5' }, true],
    ['a = - -5', { a: '+5' }, true],
  ]);
});

test('numbers of several types are widened to each other', () => {
  check([
    ['1 = 1.0', {}, true],
    ['1 = 1L', {}, true],
    ['2147483648 = 2147483648.0', {}, true],
    ['2 > 1.5 AND 1.5 < 2147483648', {}, true],
  ]);
});

test('a boolean literal meets a property as a word, in this order only', () => {
  check([
    ['a = TRUE', { a: 'tRuE' }, true],
    ['a = TRUE', { a: '1' }, false],
    ['a = FALSE', { a: 'whatever' }, true],
    ['a <> FALSE', { a: 'true' }, true],
    ['TRUE = a', { a: 'true' }, 'error'],
    ['TRUE = a', {}, false],
    ['1 = TRUE', {}, false],
    ['a = (b = 1)', { a: 'true', b: '1' }, true],
    ['(b = 1) = a', { a: 'true', b: '1' }, 'error'],
  ]);
});

test('two properties are equal as texts and ordered as doubles', () => {
  check([
    ['a = b', { a: '1', b: '1' }, true],
    ['a = b', { a: '1', b: '1.0' }, false],
    ['a >= b', { a: '1', b: '1.0' }, true],
    ['a < b', { a: '9', b: '10' }, true],
    ['a < b', { a: 'x', b: '10' }, 'error'],
    ['a < b', { a: '-0', b: '0' }, true],
    ['a >= b', { a: 'NaN', b: 'Infinity' }, true],
    ['a BETWEEN b AND c', { a: '5', b: '1', c: '10' }, true],
  ]);
});

test('BETWEEN holds both bounds, NOT BETWEEN neither', () => {
  check([
    ['a BETWEEN 2 AND 4', { a: '2' }, true],
    ['a BETWEEN 2 AND 4', { a: '4' }, true],
    ['a BETWEEN 2 AND 4', { a: '5' }, false],
    ['a BETWEEN 4 AND 4', { a: '4' }, true],
    ['a NOT BETWEEN 2 AND 4', { a: '4' }, false],
    ['a NOT BETWEEN 2 AND 4', { a: '5' }, true],
    ['a NOT BETWEEN 2 AND 4', {}, null],
    ['a BETWEEN 2 AND 4', { a: '3.0' }, 'error'],
  ]);
});

test('IN compares whole texts, lists of any length', () => {
  const many = Array.from({ length: 300 }, (_, i) => `'k${i}'`).join(', ');
  check([
    ["a IN ('x', 'y')", { a: 'y' }, true],
    ["a IN ('x', 'y')", { a: 'Y' }, false],
    ["a NOT IN ('x', 'y')", { a: 'z' }, true],
    ["a IN ('it''s', '')", { a: "it's" }, true],
    ["a IN ('5')", { a: '5.0' }, false],
    [`a IN (${many})`, { a: 'k299' }, true],
    [`a IN (${many})`, { a: 'k300' }, false],
    [`a NOT IN (${many})`, { a: 'k0' }, false],
    ["a IN ('中')", { a: '中' }, true],
  ]);
});

test('CONTAINS, STARTSWITH and ENDSWITH look at texts; an empty pattern finds nothing, negated or not', () => {
  check([
    ["a CONTAINS 'b'", { a: 'abc' }, true],
    ["a CONTAINS 'ac'", { a: 'abc' }, false],
    ["a CONTAINS 'abcd'", { a: 'abc' }, false],
    ["a NOT CONTAINS 'd'", { a: 'abc' }, true],
    ["a STARTSWITH 'ab'", { a: 'abc' }, true],
    ["a STARTSWITH 'b'", { a: 'abc' }, false],
    ["a NOT STARTSWITH 'b'", { a: 'abc' }, true],
    ["a ENDSWITH 'bc'", { a: 'abc' }, true],
    ["a ENDSWITH 'b'", { a: 'abc' }, false],
    ["a NOT ENDSWITH 'b'", { a: 'abc' }, true],
    ["a CONTAINS ''", { a: 'abc' }, false],
    ["a NOT CONTAINS ''", { a: 'abc' }, false],
    ["(a = 'x') CONTAINS 'x'", { a: 'x' }, false],
    // A value never runs into what stands behind it.
    ["a ENDSWITH 'behind'", { a: 'x' }, false],
    ["a CONTAINS 'x'", { a: 'y', b: 'x' }, false],
    ["a CONTAINS '国'", { a: '中国人' }, true],
  ]);
});

test('a property alone is false when it is there and unknown when not', () => {
  check([
    ['a', { a: 'true' }, false],
    ['a OR b = 1', { a: 'true', b: '1' }, true],
    ['NOT a', { a: '1' }, true],
    ['TRUE', {}, true],
    ['NULL', {}, null],
  ]);
});

test('system properties are properties, and of a repeated one the last counts', () => {
  const filter = compiled("TAGS = 'TagA' AND KEYS = 'k' AND a = 2");
  const text = Buffer.from('TAGS\u0001TagA\u0002a\u00011\u0002KEYS\u0001k\u0002a\u00012');
  assert.deepEqual(filter.properties, ['TAGS', 'KEYS', 'a']);
  assert.equal(filter.matches(text, 0, text.length), true);
  const other = Buffer.from('a\u00012\u0002TAGS\u0001TagA\u0002KEYS\u0001k\u0002a\u00011\u0002');
  assert.equal(filter.matches(other, 0, other.length), false);
});

test('text behind the expression is ignored, as Apache ignores it, and named', () => {
  const filter = compiled('a > 1 b = 2 #');
  assert.equal(filter.ignored, 'b = 2 #');
  assert.equal(verdict(filter, { a: '2' }), true);
  assert.equal(compiled('a > 1 -- done\n').ignored, '');
});

test('an error says where it is and what would fit there, on one line of its own', () => {
  const error = compileSql92('a > 1 AND\n  b IN (5)');
  assert.ok(!error.valid);
  assert.deepEqual([error.line, error.column], [2, 9]);
  assert.equal(error.cause, 'Invalid MessageSelector. At line 2, column 9: 5 stands where <STRING_LITERAL> is expected');
});
