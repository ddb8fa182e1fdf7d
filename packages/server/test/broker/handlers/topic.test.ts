import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeTopicConfigTable } from '@perigee/core/protocol/bodies/topic-config';
import { legacyText, TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

test('topics are created and refused as by a Java broker, and are on disk when it is answered', async () => {
  const broker = new TestBroker();
  for (const name of ['UPDATE_AND_CREATE_TOPIC-0-1', 'UPDATE_AND_CREATE_TOPIC-0-3', 'UPDATE_AND_CREATE_TOPIC-0-4']) {
    const { writes } = broker.files.topics;
    await replay(broker, { family: 'admin', name });
    assert.equal(broker.files.topics.writes, writes + 1, name);
  }
  for (const name of ['UPDATE_AND_CREATE_TOPIC-1-1', 'UPDATE_AND_CREATE_TOPIC-29-1', 'UPDATE_AND_CREATE_TOPIC-29-2'])
    await replay(broker, { family: 'admin', name });
  await replay(broker, { family: 'admin', name: 'GET_TOPIC_CONFIG-0-4' });
  await replay(broker, { family: 'admin', name: 'GET_TOPIC_CONFIG-17-1' });
});

test('attributes come with their sign in the header and go without it', async () => {
  const broker = new TestBroker();
  const update = (attributes: string) =>
    broker.ask(17, { topic: 'AttrTopic', readQueueNums: '4', writeQueueNums: '4', perm: '6', order: 'true', attributes });
  assert.equal((await update('+message.type=FIFO')).code, 0);
  await replay(broker, { family: 'admin', name: 'GET_TOPIC_CONFIG-0-2' });
  assert.equal(legacyText((await update('message.type=FIFO')).remark), 'add/alter attribute format is wrong: message.type');
  assert.equal(legacyText((await update('message.type')).remark), 'delete attribute format is wrong: message.type');
  assert.equal(legacyText((await update('+message.type=FIFO,+message.type=NORMAL')).remark), 'key duplication: +message.type');
  assert.equal((await update('-message.type')).code, 0);
  assert.equal(broker.parts.topics.topic('AttrTopic')?.attributes.size, 0);
});

test('a missing or broken number is refused with its field', async () => {
  const broker = new TestBroker();
  const refused = await broker.ask(17, { topic: 'T', readQueueNums: 'x', writeQueueNums: '1', perm: '6' });
  assert.match(refused.remark ?? '', /"readQueueNums" is "x", expected a 32-bit integer/);
  assert.equal(
    legacyText((await broker.ask(17, { readQueueNums: '1', writeQueueNums: '1', perm: '6' })).remark),
    'The specified topic is blank.',
  );
});

test('a list of topics is created whole or not at all', async () => {
  const broker = new TestBroker();
  await replay(broker, { family: 'admin', name: 'UPDATE_AND_CREATE_TOPIC_LIST-0-1' });
  assert.deepEqual([broker.parts.topics.topic('L1')?.perm, broker.parts.topics.topic('L2')?.perm], [6, 4]);
  const refused = await broker.ask(18, {}, { body: '{"topicConfigList":[{"topicName":"L3"},{"topicName":"TBW102"}]}' });
  assert.deepEqual([refused.code, broker.parts.topics.topic('L3')], [29, undefined]);
  const again = await broker.ask(
    18,
    {},
    { body: '{"topicConfigList":[{"topicName":"L1","readQueueNums":1,"writeQueueNums":1},{"topicName":"L4"}]}' },
  );
  assert.deepEqual([again.code, broker.parts.topics.topic('L4')?.readQueueNums], [0, 16], 'one that is equal does not end the list');
  assert.match(
    (await broker.ask(18, {}, { body: '{"topicConfigList":[{}]}' })).remark ?? '',
    /\$\.topicConfigList\[0\]\.topicName is missing/,
  );
});

test('a deleted topic takes its queues, positions, counters and POP retry topics with it', async () => {
  const broker = new TestBroker();
  const { topics, offsets, stats } = broker.parts;
  for (const topic of ['L1', '%RETRY%G_L1', '%RETRY%G+L1', '%RETRY%G_L2'])
    topics.createInternal({ topic, queueNums: 1, perm: 6, topicSysFlag: 0, order: false });
  offsets.commit('G', 'L1', 0, 1);
  stats.topicPut('L1', 1, 1);
  await replay(broker, { family: 'admin', name: 'DELETE_TOPIC_IN_BROKER-0-1' });
  assert.deepEqual(broker.store.removed.sort(), ['%RETRY%G+L1', '%RETRY%G_L1', 'L1']);
  assert.deepEqual(
    [topics.topic('L1'), topics.topic('%RETRY%G_L1'), offsets.position('G', 'L1', 0), stats.putsOf('L1')],
    [undefined, undefined, -1, undefined],
  );
  assert.ok(topics.topic('%RETRY%G_L2') !== undefined);
  assert.doesNotMatch(broker.files.topics.text ?? '', /"L1"/);
  await replay(broker, { family: 'admin', name: 'DELETE_TOPIC_IN_BROKER-29-1' });
  assert.equal(legacyText((await broker.ask(215, { topic: ' ' })).remark), 'The specified topic is blank.');
  assert.equal((await broker.ask(215)).code, 29);
  assert.equal((await broker.ask(215, { topic: 'never there' })).code, 0);
});

test('a fresh broker has the topics of a fresh Java 5.5.0 broker', async () => {
  const broker = new TestBroker({ traceTopicEnable: 'true' });
  await replay(broker, { family: 'slave-and-ha', name: 'GET_ALL_TOPIC_CONFIG-0-1', body: 'shape' });
  const answer = await broker.ask(21);
  assert.equal(answer.ext?.['totalTopicNum'], '16');
  assert.equal(decodeTopicConfigTable(answer.body as Buffer).topicConfigTable.size, 16);
  await replay(broker, { family: 'admin', name: 'GET_SYSTEM_TOPIC_LIST_FROM_BROKER-0-1' });
});

test('topics are dumped in pages until all are there', async () => {
  const broker = new TestBroker();
  const names = new Set<string>();
  let dataVersion = '';
  for (let topicSeq = 0; topicSeq < broker.parts.topics.size; topicSeq += 4) {
    const answer = await broker.ask(21, { topicSeq: String(topicSeq), dataVersion, maxTopicNum: '4' });
    const page = decodeTopicConfigTable(answer.body as Buffer);
    dataVersion = JSON.stringify(page.dataVersion);
    for (const name of page.topicConfigTable.keys()) names.add(name);
  }
  assert.equal(names.size, broker.parts.topics.size);
  assert.match((await broker.ask(21, { topicSeq: '1', dataVersion: '{', maxTopicNum: '4' })).remark ?? '', /^DataVersion: \$ is not JSON/);
});

test('a change that cannot be written is not called a success', async () => {
  const broker = new TestBroker();
  broker.files.topics.failure = new Error('ENOSPC: no space left on device');
  const answer = await broker.ask(17, { topic: 'T', readQueueNums: '1', writeQueueNums: '1', perm: '6' });
  assert.equal(answer.code, 1);
  assert.match(answer.remark ?? '', /^the topic configuration is changed in memory but not on disk \[config-not-persisted\] ENOSPC/);
});
