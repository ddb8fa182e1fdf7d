import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  JavaDouble,
  type JavaJson,
  JavaJsonError,
  type JavaJsonInput,
  type JavaJsonMap,
  javaDoubleText,
  parseJavaJson,
  stringifyJavaJson,
} from '../../src/kit/java-json.ts';
import { goldenConfigs } from '../golden.ts';

test('what fastjson writes and strict JSON does not know is read', () => {
  assert.deepEqual(parseJavaJson('{0:"1.1.1.1:10911",1:"b"}'), { 0: '1.1.1.1:10911', 1: 'b' });
  assert.deepEqual(parseJavaJson('{"t":{-1:2,3:4}}'), { t: { '-1': 2, 3: 4 } });
  assert.deepEqual(parseJavaJson('{topic:\'T\',"x":[1,2,],/* c */ "y":null, // d\n}'), { topic: 'T', x: [1, 2], y: null });
  assert.deepEqual(parseJavaJson('\ufeff {true:1,null:2}'), { true: 1, null: 2 });
  assert.equal(parseJavaJson("'\\u0001\\''"), "\u0001'");
});

test('an object as a key makes a Map whose keys are plain objects', () => {
  const text = '{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:100,{"brokerName":"b","queueId":1,"topic":"T"}:7}}';
  const parsed = parseJavaJson(text) as { offsetTable: JavaJsonMap };
  assert.deepEqual(
    [...parsed.offsetTable],
    [
      [{ brokerName: 'b', queueId: 0, topic: 'T' }, 100],
      [{ brokerName: 'b', queueId: 1, topic: 'T' }, 7],
    ],
  );
  assert.deepEqual(
    parseJavaJson('{"a":1,{"b":2}:3,"c":4}'),
    new Map<unknown, number>([
      ['a', 1],
      [{ b: 2 }, 3],
      ['c', 4],
    ]),
  );
});

test('integers beyond 2^53 keep their digits, everything else is a number', () => {
  assert.equal(parseJavaJson('9223372036854775807'), 9223372036854775807n);
  assert.deepEqual(parseJavaJson('[-9223372036854775808,9007199254740991,9007199254740992,1.5,1E3]'), [
    -9223372036854775808n,
    9007199254740991,
    9007199254740992n,
    1.5,
    1000,
  ]);
  assert.deepEqual(parseJavaJson('{"id":"7F00000100004B0A0000000000000000"}'), { id: '7F00000100004B0A0000000000000000' });
});

test('a reference stands for what was read before, and for null where it would make a cycle or lead nowhere', () => {
  assert.deepEqual(parseJavaJson('[{"a":{"b":1}},{"$ref":"$[0].a"},{"$ref":"$[0]"}]'), [{ a: { b: 1 } }, { b: 1 }, { a: { b: 1 } }]);
  assert.deepEqual(parseJavaJson('{"x":{"y":[1]},"z":{"w":{"$ref":"$.x.y"}}}'), { x: { y: [1] }, z: { w: [1] } });
  assert.deepEqual(parseJavaJson('{"a":{"$ref":"$"},"b":{"$ref":".."},"c":{"$ref":"@"},"d":{"$ref":"$.q.r[9]"}}'), {
    a: null,
    b: null,
    c: null,
    d: null,
  });
  assert.deepEqual(parseJavaJson('{"p":{"k":{"$ref":"$.p"}}}'), { p: { k: null } });
  assert.deepEqual(parseJavaJson('[{"$ref":"$.constructor"},{"$ref":"$.__proto__"}]'), [null, null]);
  assert.deepEqual(parseJavaJson('{"t":{{"q":0}:{"n":1}},"u":{"$ref":"$.t.null"}}'), { t: new Map([[{ q: 0 }, { n: 1 }]]), u: null });
  assert.deepEqual(parseJavaJson('{"k":{"q":0},"t":{{"$ref":"$.k"}:1}}'), { k: { q: 0 }, t: new Map([[{ q: 0 }, 1]]) });
});

test('references cannot multiply what a reader walks', () => {
  const parsed = parseJavaJson('[[1],[{"$ref":"$[0]"},{"$ref":"$[0]"}],[{"$ref":"$[1]"},{"$ref":"$[1]"}]]');
  assert.deepEqual(parsed, [[1], [[1], [1]], [null, null]]);
  assert.throws(() => parseJavaJson(`[${'{"$ref":"$[0]"},'.repeat(2000)}]`), JavaJsonError);
});

test('a key named __proto__ is only a key', () => {
  for (const text of ['{"__proto__":{"x":1}}', '{__proto__:{"x":1}}']) {
    const parsed = parseJavaJson(text) as Record<string, JavaJson>;
    assert.deepEqual(Object.keys(parsed), ['__proto__']);
    assert.equal((parsed as { x?: number }).x, undefined);
  }
});

test('malformed text is refused with its position', () => {
  for (const text of [
    '',
    ' ',
    '{',
    '[1 2]',
    '{"a" 1}',
    '{"a":}',
    '"abc',
    '{"a":1}x',
    "'\\q'",
    '/* x',
    '01',
    '-',
    'nul',
    '{[1]:2}',
    '{{}',
    '{"a":1 "b":2}',
  ])
    assert.throws(
      () => parseJavaJson(text),
      (error) => error instanceof JavaJsonError && error.position <= text.length && /at position \d+/.test(error.message),
      text,
    );
});

test('nesting beyond 64 is refused in strict and in loose text, 64 is read', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
  assert.ok(parseJavaJson(nested(64)));
  assert.ok(parseJavaJson(`/**/${nested(64)}`));
  for (const text of [
    nested(65),
    `/**/${nested(65)}`,
    nested(1_000_000),
    '{a:'.repeat(100_000),
    '{'.repeat(100_000),
    '{"a":"]]]",'.repeat(66),
  ])
    assert.throws(() => parseJavaJson(text), JavaJsonError);
});

test('an absurd integer is refused instead of converted', () => {
  assert.throws(() => parseJavaJson('9'.repeat(1_000_000)), JavaJsonError);
});

test('quoted keys can be insisted on', () => {
  assert.throws(() => parseJavaJson('{a:1}', { quotedKeysOnly: true }), JavaJsonError);
  assert.throws(() => parseJavaJson('{{"a":1}:1}', { quotedKeysOnly: true }), JavaJsonError);
  assert.deepEqual(parseJavaJson("{'a':1,}", { quotedKeysOnly: true }), { a: 1 });
});

test('no text makes the reader throw anything but its own error', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    "'",
    '\\',
    '\\u00',
    '1',
    '-',
    '.',
    'e9',
    'true',
    'null',
    '$ref',
    '{"$ref":"$[0]"}',
    '//',
    '/*',
    '*/',
    ' ',
    '\n',
    'x',
    '\u4e2d',
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        parseJavaJson(text);
      } catch (error) {
        assert.ok(error instanceof JavaJsonError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('strict JSON is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      const asNumbers = (value: JavaJson): unknown =>
        JSON.parse(JSON.stringify(value, (_, entry) => (typeof entry === 'bigint' ? Number(entry) : entry)));
      assert.deepEqual(asNumbers(parseJavaJson(text)), JSON.parse(text));
      assert.deepEqual(asNumbers(parseJavaJson(` /* loose */ ${text}`)), JSON.parse(text));
    }),
  );
});

test('beans are written in alphabetical order without nulls, maps in their own order', () => {
  const bean = { topic: 'T', brokerName: 'b', queueId: 0, none: null, gone: undefined };
  assert.equal(stringifyJavaJson(bean, 'plain'), '{"brokerName":"b","queueId":0,"topic":"T"}');
  assert.equal(
    stringifyJavaJson(
      new Map([
        ['z', 1],
        ['a', 2],
      ]),
      'plain',
    ),
    '{"z":1,"a":2}',
  );
  assert.equal(
    stringifyJavaJson(
      new Map([
        ['z', 1],
        ['a', 2],
      ]),
      'standard',
    ),
    '{"a":2,"z":1}',
  );
  assert.equal(stringifyJavaJson([null, true, 'x', 1n], 'plain'), '[null,true,"x",1]');
});

test('map keys that are not strings stand bare on the wire and quoted elsewhere', () => {
  const numbers = new Map<number, string>([
    [10, 'b'],
    [9, 'a'],
  ]);
  assert.equal(stringifyJavaJson({ t: numbers }, 'plain'), '{"t":{10:"b",9:"a"}}');
  assert.equal(stringifyJavaJson({ t: numbers }, 'standard'), '{"t":{"9":"a","10":"b"}}');
  assert.equal(stringifyJavaJson({ t: numbers }, 'pretty'), '{\n\t"t":{\n\t\t"10":"b",\n\t\t"9":"a"\n\t}\n}');
  const queues = new Map([[{ topic: 'T', brokerName: 'b', queueId: 0 }, 100]]);
  assert.equal(stringifyJavaJson({ offsetTable: queues }, 'plain'), '{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:100}}');
  assert.equal(stringifyJavaJson(queues, 'standard'), '{"{\\"brokerName\\":\\"b\\",\\"queueId\\":0,\\"topic\\":\\"T\\"}":100}');
});

test('doubles are printed by the rules of Double.toString', () => {
  const cases: [number, string][] = [
    [0, '0.0'],
    [-0, '-0.0'],
    [1, '1.0'],
    [10, '10.0'],
    [0.001, '0.001'],
    [9.999e-4, '9.999E-4'],
    [9999999, '9999999.0'],
    [1e7, '1.0E7'],
    [1e10, '1.0E10'],
    [1.25e-7, '1.25E-7'],
    [-12345678.5, '-1.23456785E7'],
    [Number.MAX_VALUE, '1.7976931348623157E308'],
    [5e-324, '5.0E-324'],
  ];
  for (const [value, text] of cases) assert.equal(javaDoubleText(value), text);
  assert.equal(
    stringifyJavaJson([new JavaDouble(0), new JavaDouble(Number.NaN), Number.NaN, 1.5, 1e21], 'plain'),
    '[0.0,null,null,1.5,1000000000000000000000]',
  );
});

test('only the standard mode quotes integers that JavaScript could not hold', () => {
  assert.equal(stringifyJavaJson([9223372036854775807n, 5n], 'plain'), '[9223372036854775807,5]');
  assert.equal(stringifyJavaJson([9223372036854775807n, 5n, 2 ** 53], 'standard'), '["9223372036854775807",5,"9007199254740992"]');
});

test('strings are escaped as by fastjson2', () => {
  assert.equal(
    stringifyJavaJson('a"\\/\b\f\n\r\t\u0001\u001f\u007f\u0085\u2028\u4e2d', 'plain'),
    '"a\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u007f\u0085\u2028\u4e2d"',
  );
});

test('a cyclic value is refused instead of followed', () => {
  const cyclic: Record<string, JavaJsonInput> = {};
  cyclic['self'] = cyclic;
  assert.throws(() => stringifyJavaJson(cyclic, 'plain'), JavaJsonError);
});

test('what was written in any mode is read back', () => {
  const values = fc.letrec<{ value: JavaJsonInput }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.boolean(),
      fc.maxSafeInteger(),
      fc.string({ unit: 'grapheme' }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.string().filter((key) => key !== '__proto__' && key !== '$ref'),
        tie('value'),
        { maxKeys: 4 },
      ),
    ),
  })).value;
  fc.assert(
    fc.property(values, fc.constantFrom('plain', 'standard', 'pretty'), (value, mode) => {
      assert.deepEqual(JSON.parse(JSON.stringify(parseJavaJson(stringifyJavaJson(value, mode)))), JSON.parse(JSON.stringify(value)));
    }),
  );
});

/** Every object as a Map, so that writing keeps the order of the text. */
function ordered(value: JavaJson): JavaJsonInput {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return new Map(entries.map(([key, entry]) => [key, ordered(entry)]));
}

test('files of 5.5.0 are written back byte for byte, but for the quotes around numeric keys', () => {
  let count = 0;
  for (const [name, text] of goldenConfigs()) {
    const parsed = parseJavaJson(text);
    if (name.includes('-53')) continue;
    assert.equal(stringifyJavaJson(ordered(parsed), 'pretty'), text.replace(/^(\t+)(\d+):/gm, '$1"$2":'), name);
    count++;
  }
  assert.ok(count >= 7);
});

test('the compact layout of 5.3.3 reads to the same', () => {
  const text = goldenConfigs().get('consumerOffset-basic-53.json')!;
  const table = (parseJavaJson(text) as { offsetTable: Record<string, Record<string, number>> }).offsetTable;
  assert.deepEqual(table['TopicFifo@GroupExp'], { 1: 2 });
});
