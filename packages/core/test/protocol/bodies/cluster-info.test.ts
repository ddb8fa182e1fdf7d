import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeBrokerMemberGroup,
  decodeClusterInfo,
  encodeBrokerMemberGroup,
  encodeClusterInfo,
} from '../../../src/protocol/bodies/cluster-info.ts';
import { namesrvFrames } from './golden-bodies.ts';

test('every recorded cluster is read and written again byte for byte', () => {
  const bodies = namesrvFrames('GET_BROKER_CLUSTER_INFO').map((frame) => frame.responseBody as string);
  assert.ok(bodies.length >= 5);
  for (const body of bodies) assert.equal(encodeClusterInfo(decodeClusterInfo(body)).toString(), body);
});

test('recorded member groups are read and written again byte for byte, empty ones included', () => {
  const bodies = namesrvFrames('GET_BROKER_MEMBER_GROUP').map((frame) => frame.responseBody as string);
  assert.equal(bodies.length, 2);
  for (const body of bodies) assert.equal(encodeBrokerMemberGroup(decodeBrokerMemberGroup(body)).toString(), body);
});
