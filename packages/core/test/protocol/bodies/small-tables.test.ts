import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeDataVersion, encodeDataVersion, sameDataVersion } from '../../../src/protocol/bodies/data-version.ts';
import { decodeKvTable, encodeKvTable } from '../../../src/protocol/bodies/kv-table.ts';
import { decodeTopicList, encodeTopicList } from '../../../src/protocol/bodies/topic-list.ts';
import { namesrvFrames } from './golden-bodies.ts';

test('recorded data versions, KV tables and topic lists are read and written again byte for byte', () => {
  const again = (codeName: string, rewrite: (body: string) => Buffer): number => {
    const bodies = namesrvFrames(codeName).flatMap((frame) => (frame.responseBody === undefined ? [] : [frame.responseBody]));
    for (const body of bodies) assert.equal(rewrite(body).toString(), body);
    return bodies.length;
  };
  assert.ok(again('QUERY_DATA_VERSION', (body) => encodeDataVersion(decodeDataVersion(body))) >= 2);
  assert.ok(again('GET_KVLIST_BY_NAMESPACE', (body) => encodeKvTable(decodeKvTable(body))) >= 1);
  assert.ok(again('REGISTER_BROKER', (body) => encodeKvTable(decodeKvTable(body))) >= 1);
  assert.ok(again('GET_ALL_TOPIC_LIST_FROM_NAMESERVER', (body) => encodeTopicList(decodeTopicList(body))) >= 2);
  assert.ok(again('GET_SYSTEM_TOPIC_LIST_FROM_NS', (body) => encodeTopicList(decodeTopicList(body))) >= 1);
  assert.ok(again('GET_UNIT_TOPIC_LIST', (body) => encodeTopicList(decodeTopicList(body))) >= 1);
});

test('two data versions are the same only when all three parts are', () => {
  const version = { counter: 1, stateVersion: 2, timestamp: 3 };
  assert.ok(sameDataVersion(version, { ...version }));
  for (const part of ['counter', 'stateVersion', 'timestamp'] as const) assert.ok(!sameDataVersion(version, { ...version, [part]: 9 }));
});
