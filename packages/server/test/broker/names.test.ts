import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupNameProblem, isNoSendTopic, popRetryTopicsOf, retryTopicOf, topicNameProblem } from '../../src/broker/names.ts';

test('names of up to 127, 255 and 120 characters are allowed', () => {
  assert.equal(topicNameProblem('x'.repeat(127)), undefined);
  assert.equal(topicNameProblem(`%RETRY%${'x'.repeat(248)}`), undefined);
  assert.equal(groupNameProblem('x'.repeat(120)), undefined);
  const group = 'x'.repeat(121);
  assert.equal(groupNameProblem(group), `The specified group: ${group}, is longer than group max length: 120`);
});

test('only letters, digits and % | _ - are allowed', () => {
  assert.equal(topicNameProblem('aZ09%|_-'), undefined);
  for (const odd of ['a+b', 'a@b', 'a.b', 'ä', 'a\nb']) assert.match(topicNameProblem(odd) ?? '', /contains illegal characters/, odd);
  assert.match(topicNameProblem('%RETRY%a b') ?? '', /contains illegal characters/);
});

test('clients may send to no topic of the broker that has messages of another kind', () => {
  const closed = [
    'SCHEDULE_TOPIC_XXXX',
    'RMQ_SYS_TRANS_HALF_TOPIC',
    'RMQ_SYS_TRANS_OP_HALF_TOPIC',
    'RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC',
    'OFFSET_MOVED_EVENT',
  ];
  for (const topic of closed) assert.equal(isNoSendTopic(topic), true, topic);
  for (const topic of ['TBW102', 'BenchmarkTest', 'RMQ_SYS_TRACE_TOPIC', 'T']) assert.equal(isNoSendTopic(topic), false, topic);
});

test('retry topics are named after their group', () => {
  assert.equal(retryTopicOf('G'), '%RETRY%G');
  assert.deepEqual(popRetryTopicsOf('T', 'G'), ['%RETRY%G_T', '%RETRY%G+T']);
});
