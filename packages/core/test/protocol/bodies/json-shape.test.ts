import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyError, intKey, JsonShape } from '../../../src/protocol/bodies/json-shape.ts';

const at = (text: string): JsonShape => JsonShape.parse(text, 'Body').field('x');

test("Java's leniency is kept: null is absent, numbers and booleans may be strings", () => {
  assert.equal(at('{"x":null}').absent, true);
  assert.equal(at('{}').absent, true);
  assert.equal(at('{"x":"12"}').int(), 12);
  assert.equal(at('{"x":9223372036854775807}').long(), 2 ** 63);
  assert.equal(at('{"x":7}').string(), '7');
  assert.equal(at('{"x":"TRUE"}').boolOr(false), true);
  assert.equal(at('{"x":0}').boolOr(true), false);
  assert.deepEqual(at('{"x":["a",1]}').strings(), ['a', '1']);
});

test('absent values take what the reader gives, and absent tables are empty', () => {
  const absent = at('{}');
  assert.deepEqual([absent.intOr(1), absent.longOr(2), absent.boolOr(true), absent.stringOr('s')], [1, 2, true, 's']);
  assert.deepEqual([[...absent.items()], [...absent.members()]], [[], []]);
});

test('keys of maps are text whether they stand bare or quoted, in their order', () => {
  const keys = (text: string): string[] => [...at(text).members()].map(([key]) => key);
  assert.deepEqual(keys('{"x":{0:"a",1:"b"}}'), ['0', '1']);
  assert.deepEqual(keys('{"x":{"b":1,"a":2}}'), ['b', 'a']);
  assert.equal(intKey('-3', at('{}')), -3);
  assert.throws(() => intKey('a', at('{}')), { path: '$.x' });
});

test('every complaint names the body, the path, what is there and what was expected', () => {
  const message = (text: string, read: (shape: JsonShape) => unknown): string => {
    try {
      read(at(text));
    } catch (error) {
      assert.ok(error instanceof BodyError);
      return error.message;
    }
    return 'read';
  };
  assert.equal(
    message('{}', (x) => x.int()),
    'Body: $.x is missing, expected a whole number',
  );
  assert.equal(
    message('{"x":2147483648}', (x) => x.int()),
    'Body: $.x is 2147483648, expected a 32-bit integer',
  );
  assert.equal(
    message('{"x":1.5}', (x) => x.long()),
    'Body: $.x is 1.5, expected a whole number',
  );
  assert.equal(
    message('{"x":[]}', (x) => x.string()),
    'Body: $.x is an array, expected text',
  );
  assert.equal(
    message('{"x":"yes"}', (x) => x.boolOr(true)),
    'Body: $.x is "yes", expected true or false',
  );
  assert.equal(
    message('{"x":[1,{"a b":[{}]}]}', (x) => [...[...x.items()][1]!.field('a b').items()][0]!.string()),
    'Body: $.x[1]["a b"][0] is an object, expected text',
  );
  assert.equal(
    message('{"x":{{"a":1}:2}}', (x) => [...x.members()]),
    'Body: $.x has an object as key, expected text or a number',
  );
  assert.match(
    message(`{"x":"${'y'.repeat(200)}"}`, (x) => x.int()),
    /^.{0,120}…, expected a whole number$/,
  );
  assert.throws(() => JsonShape.parse('{"x":', 'Body'), /^BodyError: Body: \$ is not JSON: /);
});

test('names that every object inherits are absent', () => {
  assert.equal(JsonShape.parse('{}', 'Body').field('constructor').absent, true);
  assert.equal(JsonShape.parse('{"__proto__":{"a":1}}', 'Body').field('a').absent, true);
});
