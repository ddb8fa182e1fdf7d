import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringifyJavaJson } from '../../../src/kit/java-json.ts';
import {
  decodeMessageRequestMode,
  decodeQueryAssignmentRequest,
  decodeQueryAssignmentResponse,
  encodeMessageRequestMode,
  encodeQueryAssignmentRequest,
  encodeQueryAssignmentResponse,
  messageRequestModesValue,
  readMessageRequestModes,
} from '../../../src/protocol/bodies/assignment.ts';
import { BodyError, JsonShape } from '../../../src/protocol/bodies/json-shape.ts';
import { goldenFrames } from '../../golden.ts';

const frames = (codeName: string) => goldenFrames().filter((frame) => frame.name.startsWith(`${codeName}-`));

test('the assignment requests and answers of Java are read and written again byte for byte', () => {
  const samples = frames('QUERY_ASSIGNMENT');
  assert.ok(samples.length >= 5);
  for (const { requestBody, responseBody } of samples) {
    assert.equal(encodeQueryAssignmentRequest(decodeQueryAssignmentRequest(requestBody as string)).toString(), requestBody);
    assert.equal(encodeQueryAssignmentResponse(decodeQueryAssignmentResponse(responseBody as string)).toString(), responseBody);
  }
});

test('the request modes of Java are read and written again byte for byte', () => {
  for (const { requestBody } of frames('SET_MESSAGE_REQUEST_MODE'))
    assert.equal(encodeMessageRequestMode(decodeMessageRequestMode(requestBody as string)).toString(), requestBody);
  const dumps = frames('GET_ALL_MESSAGE_REQUEST_MODE');
  assert.ok(dumps.length > 0);
  for (const { responseBody } of dumps) {
    const modes = readMessageRequestModes(JsonShape.parse(responseBody as string, 'dump'));
    assert.equal(stringifyJavaJson(messageRequestModesValue(modes), 'plain'), responseBody);
  }
});

test('a mode that is neither PULL nor POP is refused with the place', () => {
  assert.throws(
    () => decodeMessageRequestMode('{"topic":"T","consumerGroup":"G","mode":"PUSH"}'),
    (error) => error instanceof BodyError && error.path === '$.mode',
  );
});
