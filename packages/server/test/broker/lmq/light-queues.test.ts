/** Light message queues through the whole broker (store.md 3.5, 13; since-5.4.md 3.3, 6.1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeOffsetMsgId } from '@perigee/core/message/message-id';
import { assertRefused, type E2e, e2e, HELD, isPending, pull, type SendOptions, type WireAnswer } from '../e2e-wire.ts';

const MAX_OFFSET = 30;
const COMMIT = 15;
const SEND_BACK = 36;
const END_TRANSACTION = 37;
const POSITION = 14;
const LIGHT = { enableLmq: 'true', enableMultiDispatch: 'true', flushDiskType: 'SYNC_FLUSH' };
const LEGACY_ILLEGAL =
  'the message is illegal, maybe msg body or properties length not matched. msg body length limit 4194304B, msg properties length limit 32KB.';

function dispatch(broker: E2e, queues: string, options: SendOptions = {}): Promise<WireAnswer> {
  const { properties = {} } = options;
  return broker.send({ body: queues, ...options, properties: { ...(properties as object), INNER_MULTI_DISPATCH: queues } });
}

async function offsetsOf(broker: E2e, topic = 'T'): Promise<(string | undefined)[]> {
  return (await broker.all(topic)).map(({ properties }) => properties['INNER_MULTI_QUEUE_OFFSET']);
}

test('a message is stored once and read from its topic and from every light queue it names', async () => {
  const broker = await e2e(LIGHT);
  await dispatch(broker, '%LMQ%a');
  await dispatch(broker, '%LMQ%a,%LMQ%b');
  const answer = await dispatch(broker, '%LMQ%b,plain');
  assert.deepEqual([answer.code, answer.ext['queueId'], answer.ext['queueOffset']], [0, '0', '2']);
  assert.deepEqual(await offsetsOf(broker), ['0', '1,0', '1,']);
  assert.deepEqual(await broker.bodies('%LMQ%a'), ['%LMQ%a', '%LMQ%a,%LMQ%b']);
  assert.deepEqual(await broker.bodies('%LMQ%b'), ['%LMQ%a,%LMQ%b', '%LMQ%b,plain']);
  const [first] = await broker.all('%LMQ%b');
  assert.deepEqual([first?.topic, first?.queueOffset], ['T', 1]);
  assert.equal((await broker.request(MAX_OFFSET, { topic: '%LMQ%b', queueId: 0 })).ext['offset'], '2');
});

test('the properties stand in the order in which Apache stores them, WAIT among them', async () => {
  const broker = await e2e(LIGHT);
  await dispatch(broker, '%LMQ%a', { properties: { KEYS: 'lk0', UNIQ_KEY: 'U', WAIT: 'true', TAGS: 'l' } });
  const [record] = await broker.all();
  assert.deepEqual(Object.keys(record?.properties ?? {}), [
    'MSG_REGION',
    'UNIQ_KEY',
    'CLUSTER',
    'INNER_MULTI_QUEUE_OFFSET',
    'TAGS',
    'KEYS',
    'WAIT',
    'TRACE_ON',
    'INNER_MULTI_DISPATCH',
  ]);
});

test('a name that is listed twice gets the message once', async () => {
  const broker = await e2e(LIGHT);
  await dispatch(broker, '%LMQ%a,%LMQ%a');
  await dispatch(broker, '%LMQ%a');
  assert.deepEqual(await offsetsOf(broker), ['0,0', '1']);
  assert.equal((await broker.all('%LMQ%a')).length, 2);
});

test('a pull that waits at a light queue is woken, by tag too', async () => {
  const broker = await e2e(LIGHT);
  const held = pull(broker.client, { topic: '%LMQ%a', group: '%LMQ%g', sysFlag: HELD, subscription: 'x' });
  assert.ok(await isPending(broker, held));
  await dispatch(broker, '%LMQ%a', { properties: { TAGS: 'y' } });
  assert.ok(await isPending(broker, held));
  await dispatch(broker, '%LMQ%a', { properties: { TAGS: 'x' } });
  assert.equal((await broker.run(held)).code, 0);
});

test('positions of light queues are kept in lmqConsumerOffset.json, in a table of their own', async () => {
  const broker = await e2e(LIGHT);
  await dispatch(broker, '%LMQ%a');
  await broker.pull({ group: 'G' });
  const commit = (topic: string, consumerGroup: string, commitOffset: number) =>
    broker.request(COMMIT, { consumerGroup, topic, queueId: 0, commitOffset });
  for (const [topic, group] of [
    ['%LMQ%a', '%LMQ%g'],
    ['T', 'G'],
  ] as const)
    assert.equal((await commit(topic, group, 1)).code, 0);
  await broker.cluster.restart();
  const root = broker.cluster.broker.parts.settings as unknown as { storePathRootDir: string };
  const file = broker.disk.openNow(`${root.storePathRootDir}/config/lmqConsumerOffset.json`, { mode: 'read' });
  const bytes = Buffer.alloc(file.sizeNow());
  file.readNow(bytes, 0, bytes.length, 0);
  const json = JSON.parse(bytes.toString('utf8')) as { lmqOffsetTable: unknown; offsetTable: Record<string, unknown> };
  assert.deepEqual(json.lmqOffsetTable, { '%LMQ%a@%LMQ%g': 1 });
  assert.deepEqual(json.offsetTable, { 'T@G': { 0: 1 } });
  await broker.reconnect();
  const position = await broker.request(POSITION, { consumerGroup: '%LMQ%g', topic: '%LMQ%a', queueId: 0 });
  assert.equal(position.ext['offset'], '1');
});

test('positions committed before light queues were switched on are still there', async () => {
  const broker = await e2e({ flushDiskType: 'SYNC_FLUSH' });
  await broker.send({});
  await broker.pull({ group: 'G' });
  await broker.request(COMMIT, { consumerGroup: 'G', topic: 'T', queueId: 0, commitOffset: 1 });
  await broker.cluster.restart('broker', LIGHT);
  await broker.reconnect();
  assert.equal((await broker.request(POSITION, { consumerGroup: 'G', topic: 'T', queueId: 0 })).ext['offset'], '1');
});

for (const way of ['a clean stop', 'a power cut'] as const)
  test(`after ${way} light queues go on where they were`, async () => {
    const broker = await e2e(LIGHT);
    await dispatch(broker, '%LMQ%a,%LMQ%b');
    await dispatch(broker, '%LMQ%b,plain');
    await dispatch(broker, '%LMQ%b');
    if (way === 'a clean stop') await broker.cluster.restart();
    else {
      await broker.cluster.crash('broker', { power: true });
      await broker.cluster.restart();
    }
    await broker.reconnect();
    await dispatch(broker, '%LMQ%a,%LMQ%b');
    assert.deepEqual(await offsetsOf(broker), ['0,0', '1,', '2', '1,3']);
    assert.equal((await broker.all('%LMQ%b')).length, 4);
    assert.equal((await broker.all('%LMQ%a')).length, 2);
  });

test('a delayed message comes to its light queues when it is delivered', async () => {
  const broker = await e2e(LIGHT);
  for (const delay of [{ DELAY: '1' }, { TIMER_DELAY_MS: '2000' }] as const) await dispatch(broker, '%LMQ%a', { properties: delay });
  assert.equal((await broker.request(MAX_OFFSET, { topic: '%LMQ%a', queueId: 0 })).ext['offset'], '0');
  await broker.cluster.clock.advance(6_000);
  assert.deepEqual(await offsetsOf(broker, '%LMQ%a'), ['0', '1']);
});

test('without enableLmq the property is stored as it came and nothing else happens', async () => {
  const broker = await e2e();
  await dispatch(broker, '%LMQ%a');
  assert.deepEqual(await offsetsOf(broker), [undefined]);
  assert.equal((await broker.pull({ topic: '%LMQ%a' })).code, 17);
});

test('without enableMultiDispatch places are given but no rows are made', async () => {
  const broker = await e2e({ enableLmq: 'true' });
  await dispatch(broker, '%LMQ%a');
  await dispatch(broker, '%LMQ%a');
  assert.deepEqual(await offsetsOf(broker), ['0', '1']);
  assert.deepEqual(await broker.all('%LMQ%a'), []);
});

test('a message that would make more light queues than allowed is refused, one for those that exist is not', async () => {
  const broker = await e2e({ ...LIGHT, enableLmqQuota: 'true', maxLmqConsumeQueueNum: '2' });
  await dispatch(broker, '%LMQ%a');
  await dispatch(broker, '%LMQ%b');
  assertRefused(await dispatch(broker, '%LMQ%c,%LMQ%a'), {
    code: 2017,
    legacy: '[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]lmq consume queue num exceeded.',
    slug: 'light-queue-quota',
    says: /2 light queues exist, allowed are 2/,
  });
  assert.equal((await dispatch(broker, '%LMQ%a,%LMQ%b')).code, 0);
  assert.deepEqual(await offsetsOf(broker), ['0', '0', '1,1']);
});

test('a name that cannot be a directory is refused', async () => {
  const broker = await e2e(LIGHT);
  for (const name of ['%LMQ%../x', `%LMQ%${'n'.repeat(256)}`])
    assertRefused(await dispatch(broker, name), { code: 13, legacy: LEGACY_ILLEGAL, slug: 'light-queue-name' });
  assert.deepEqual(await broker.all(), []);
});

test('a pull cannot wait at a light queue whose name no message can have', async () => {
  const broker = await e2e(LIGHT);
  const answer = await broker.pull({ topic: `%LMQ%${'n'.repeat(300)}`, sysFlag: HELD });
  assert.equal(answer.code, 19);
});

test('a transactional message comes to its light queues when it is committed, not before', async () => {
  const broker = await e2e(LIGHT);
  const half = await dispatch(broker, '%LMQ%a', { group: 'P', properties: { TRAN_MSG: 'true', PGROUP: 'P', UNIQ_KEY: 'U1' } });
  assert.equal(half.code, 0, half.remark);
  assert.deepEqual(await broker.all('%LMQ%a'), []);
  await dispatch(broker, '%LMQ%a');
  const ended = await broker.request(END_TRANSACTION, {
    producerGroup: 'P',
    tranStateTableOffset: Number(half.ext['queueOffset']),
    commitLogOffset: decodeOffsetMsgId(half.ext['msgId'] as string)?.physicalOffset,
    commitOrRollback: 8,
    msgId: 'U1',
    transactionId: 'U1',
  });
  assert.equal(ended.code, 0, ended.remark);
  assert.deepEqual(
    (await broker.all('%LMQ%a')).map(({ properties }) => properties['INNER_MULTI_QUEUE_OFFSET']),
    ['0', '1'],
  );
});

test('a message that is sent back comes to no light queue again, not even when the rows are made anew', async () => {
  const broker = await e2e(LIGHT);
  await broker.pull({ group: 'G' });
  const sent = await dispatch(broker, '%LMQ%a');
  const offset = decodeOffsetMsgId(sent.ext['msgId'] as string)?.physicalOffset;
  const back = await broker.request(SEND_BACK, { group: 'G', offset, delayLevel: 1 });
  assert.equal(back.code, 0, back.remark);
  await broker.cluster.clock.advance(5_000);
  assert.equal((await broker.all('%RETRY%G')).length, 1);
  await dispatch(broker, '%LMQ%a');
  await broker.cluster.crash();
  await broker.cluster.restart();
  await broker.reconnect();
  assert.deepEqual(await offsetsOf(broker, '%LMQ%a'), ['0', '1']);
  assert.equal((await broker.request(MAX_OFFSET, { topic: '%LMQ%a', queueId: 0 })).ext['offset'], '2');
});
