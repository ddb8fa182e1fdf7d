import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { stringifyJavaJson } from '../../../src/kit/java-json.ts';
import { consumerFiltersValue, readConsumerFilters } from '../../../src/protocol/bodies/consumer-filters.ts';
import { BodyError, JsonShape } from '../../../src/protocol/bodies/json-shape.ts';

const golden = readFileSync(new URL('../../golden/config/consumerFilter-cqext-55.json', import.meta.url), 'utf8');

test('the file of a real broker is read, and written again byte for byte', () => {
  const filters = readConsumerFilters(JsonShape.parse(golden, 'consumerFilter.json'));
  assert.deepEqual(filters.get('TopicF')?.get('GroupF'), {
    topic: 'TopicF',
    consumerGroup: 'GroupF',
    expression: 'a > 5',
    expressionType: 'SQL92',
    bornTime: 1795273257394,
    deadTime: 1795273278842,
    bloomFilterData: { bitPos: [71, 104, 56], bitNum: 112 },
    clientVersion: 1000,
  });
  assert.equal(stringifyJavaJson(consumerFiltersValue(filters), 'pretty'), golden.trimEnd());
});

test('a file without entries, without bit positions, or with a wrong type is read as far as it goes', () => {
  const read = (text: string): ReturnType<typeof readConsumerFilters> => readConsumerFilters(JsonShape.parse(text, 'consumerFilter.json'));
  assert.equal(read('{"filterDataByTopic":{}}').size, 0);
  assert.equal(read('{}').size, 0);
  const entry = read('{"filterDataByTopic":{"T":{"groupFilterData":{"G":{"expression":"a"}}}}}').get('T')?.get('G');
  assert.deepEqual([entry?.bloomFilterData, entry?.bornTime, entry?.topic], [undefined, 0, 'T']);
  assert.throws(() => read('{"filterDataByTopic":{"T":{"groupFilterData":{"G":{"bornTime":"x"}}}}}'), BodyError);
});
