import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeTopicConfig,
  decodeTopicConfigTable,
  encodeTopicConfig,
  encodeTopicConfigTable,
  parseTopicConfigText,
  topicConfigText,
} from '../../../src/protocol/bodies/topic-config.ts';
import { goldenFrames } from '../../golden.ts';

test('recorded topic configurations are read and written again byte for byte', () => {
  const bodies = goldenFrames().flatMap((frame) => {
    const body = frame.responseBody;
    return frame.code === 351 && body?.startsWith('{"attributes"') === true && !body.includes('mappingDetail') ? [body] : [];
  });
  assert.ok(bodies.length > 0);
  for (const body of bodies) assert.equal(encodeTopicConfig(decodeTopicConfig(body)).toString(), body);
});

test('recorded dumps of all topics are read and written again byte for byte', () => {
  const bodies = goldenFrames().flatMap((frame) => {
    const body = frame.responseBody;
    return frame.code === 21 &&
      body !== undefined &&
      frame.responseBodyCut === undefined &&
      body.includes('"topicQueueMappingDetailMap":{},')
      ? [body]
      : [];
  });
  assert.ok(bodies.length > 0);
  for (const body of bodies) assert.equal(encodeTopicConfigTable(decodeTopicConfigTable(body)).toString(), body);
});

test('the text form survives attributes with spaces, and a line without five tokens is left out', () => {
  const config = decodeTopicConfig('{"topicName":"T","readQueueNums":1,"writeQueueNums":2,"perm":4,"attributes":{"a":"b c"}}');
  assert.equal(topicConfigText(config), 'T 1 2 4 SINGLE_TAG {"a":"b c"}');
  assert.deepEqual(parseTopicConfigText(topicConfigText(config)), config);
  assert.deepEqual(parseTopicConfigText('T 1 2 4 MULTI_TAG')?.topicFilterType, 'MULTI_TAG', '4.x has no attributes');
  assert.equal(parseTopicConfigText('T 1 2 4'), undefined);
  assert.equal(parseTopicConfigText('T one 2 4 SINGLE_TAG'), undefined);
  assert.equal(parseTopicConfigText('T 1 2 4 SINGLE_TAG {broken')?.attributes.size, 0);
});
