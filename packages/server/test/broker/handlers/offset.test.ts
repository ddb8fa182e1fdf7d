import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenCases, legacyText, TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

const FAMILY = 'pull-and-offsets';

function brokerWith(topic: string, settings: Readonly<Record<string, string>> = {}): TestBroker {
  const broker = new TestBroker(settings);
  broker.parts.topics.createInternal({ topic, queueNums: 4, perm: 6, topicSysFlag: 0, order: false });
  return broker;
}

const query = (topic: string, queueId: number, more: Readonly<Record<string, string>> = {}) => ({
  consumerGroup: 'G',
  topic,
  queueId: String(queueId),
  ...more,
});

test('positions that a Java broker finds or does not find are answered as it does', async () => {
  const broker = brokerWith('Basic550');
  broker.store.put('Basic550', 3, { storeTimestamp: 1 });
  await replay(broker, { family: FAMILY, name: 'QUERY_CONSUMER_OFFSET-0-1' });
  const raw = brokerWith('RawTopic');
  await replay(raw, { family: FAMILY, name: 'QUERY_CONSUMER_OFFSET-22-3' });
  await replay(raw, { family: FAMILY, name: 'QUERY_CONSUMER_OFFSET-22-4' });
});

test('a new group starts at 0 in an empty queue, where a Java broker says "not found" and the next message is lost', async () => {
  const broker = brokerWith('Basic550RR');
  const sample = goldenCases(FAMILY).get('QUERY_CONSUMER_OFFSET-22-1');
  assert.equal(sample?.responseCode, 22);
  const answer = await broker.ask(14, sample?.requestExt);
  assert.deepEqual([answer.code, answer.ext], [0, { offset: '0' }]);
});

test('a queue whose head was deleted, or is only on disk, or does not exist, gives no position', async () => {
  const broker = brokerWith('T');
  broker.store.put('T', 0, { storeTimestamp: 1 }, { storeTimestamp: 2 });
  broker.store.expire('T', 0, 1);
  assert.equal((await broker.ask(14, query('T', 0))).code, 22);
  broker.store.put('T', 1, { storeTimestamp: 3 });
  assert.equal((await broker.ask(14, query('T', 1))).code, 0);
  broker.store.inMemoryFrom = broker.store.maxPhysicalOffset;
  assert.equal((await broker.ask(14, query('T', 1))).code, 22);
  assert.equal((await broker.ask(14, query('T', 4))).code, 22);
  assert.equal((await broker.ask(14, query('T', -1))).code, 22);
});

test('setZeroIfNotFound=false never answers 0 for a group without a position', async () => {
  const broker = brokerWith('T');
  const answer = await broker.ask(14, query('T', 0, { setZeroIfNotFound: 'false' }));
  assert.deepEqual([answer.code, legacyText(answer.remark)], [22, 'Not found, do not set to zero, maybe this group boot first']);
});

test('a committed position is answered; a pending reset goes before it and stops commits', async () => {
  const broker = brokerWith('Online');
  broker.parts.groups.findOrCreate('CGonline');
  await replay(broker, { family: FAMILY, name: 'UPDATE_CONSUMER_OFFSET-0-2' });
  assert.equal(broker.parts.offsets.position('CGonline', 'Online', 0), 1);
  broker.parts.offsets.setReset('CGonline', 'Online', 0, 9);
  await replay(broker, { family: FAMILY, name: 'UPDATE_CONSUMER_OFFSET-0-3' });
  const answer = await broker.ask(14, { consumerGroup: 'CGonline', topic: 'Online', queueId: '0' });
  assert.deepEqual(answer.ext, { offset: '9' });
});

test('commits of unknown groups and topics, and without queue or offset, are refused in the order of a Java broker', async () => {
  const broker = brokerWith('RawTopic');
  for (const name of ['UPDATE_CONSUMER_OFFSET-26-1', 'UPDATE_CONSUMER_OFFSET-26-2', 'UPDATE_CONSUMER_OFFSET-26-3'])
    await replay(broker, { family: FAMILY, name });
  broker.parts.groups.findOrCreate('G');
  const refused = async (ext: Record<string, string>) => {
    const { code, remark } = await broker.ask(15, { consumerGroup: 'G', topic: 'RawTopic', ...ext });
    return [code, remark?.replace(/ \[.*/, '')];
  };
  assert.deepEqual(await refused({ topic: 'Missing', queueId: '0', commitOffset: '1' }), [17, 'Topic Missing not exist!']);
  assert.deepEqual(await refused({ commitOffset: '1' }), [29, 'QueueId is null, topic is RawTopic']);
  assert.deepEqual(await refused({ queueId: '0' }), [29, 'Offset is null, topic is RawTopic']);
  assert.deepEqual(await refused({ queueId: '0', commitOffset: '-1' }), [29, 'Queue id or offset is negative, topic is RawTopic']);
  assert.equal((await refused({ queueId: 'x', commitOffset: '1' }))[0], 1);
  assert.equal(broker.parts.offsets.topicsOf('G').length, 0);
});

test('queue bounds and times are answered, 0 and -1 for what is not there', async () => {
  const broker = brokerWith('RawTopic');
  for (const name of [
    'GET_MAX_OFFSET-0-2',
    'GET_MIN_OFFSET-0-2',
    'GET_EARLIEST_MSG_STORETIME-0-2',
    'SEARCH_OFFSET_BY_TIMESTAMP-0-3',
    'SEARCH_OFFSET_BY_TIMESTAMP-0-4',
  ])
    await replay(broker, { family: FAMILY, name });
  broker.store.put('T', 2, { storeTimestamp: 10 }, { storeTimestamp: 20 }, { storeTimestamp: 30 });
  broker.store.expire('T', 2, 1);
  const ext = async (code: number, more: Readonly<Record<string, string>> = {}) =>
    (await broker.ask(code, { topic: 'T', queueId: '2', ...more })).ext;
  assert.deepEqual(await ext(30), { offset: '3' });
  assert.deepEqual(await ext(31), { offset: '1' });
  assert.deepEqual(await ext(32), { timestamp: '20' });
  assert.deepEqual(await ext(29, { timestamp: '25' }), { offset: '2' });
  assert.deepEqual(await ext(29, { timestamp: '25', boundaryType: 'upper' }), { offset: '1' });
});

// A 5.5.0 slave of a 5.5.0 master gets no positions: its fastjson2 cannot skip `pullOffsetTable` with bare ids. Seen with a 5.5.0
// slave of ours, too; with quoted ids it reads them.
test('a slave gets the positions with quoted queue ids', async () => {
  const broker = brokerWith('Basic550');
  broker.parts.offsets.commit('CGpull', 'Basic550', 3, 3);
  for (const [queueId, queueOffset] of [3, 2, 2, 2].entries()) broker.parts.offsets.commit('CGlite', 'Basic550', queueId, queueOffset);
  for (const [queueId, queueOffset] of [3, 3, 2, 4].entries()) broker.parts.offsets.commitPull('CGlite', 'Basic550', queueId, queueOffset);
  broker.parts.offsets.commitPull('CGpull', 'Basic550', 3, 1);
  const answer = await replay(broker, { family: 'slave-and-ha', name: 'GET_ALL_CONSUMER_OFFSET-0-2', body: 'shape' });
  const { offsetTable } = JSON.parse(answer.body?.toString() ?? '');
  assert.deepEqual(offsetTable, { 'Basic550@CGpull': { 3: 3 }, 'Basic550@CGlite': { 0: 3, 1: 2, 2: 2, 3: 2 } });
});
