/** Batches to a topic with `queue.type=BatchCQ` through the whole broker (store.md 3.5, 4.2; broker.md 6.2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBatch } from '@perigee/core/message/batch';
import { decodeOffsetMsgId } from '@perigee/core/message/message-id';
import { assertRefused, batchBody, type E2e, e2e, HELD, isPending, pull, SEND_BATCH, sendBatch, type WireAnswer } from '../e2e-wire.ts';

const UPDATE_TOPIC = 17;
const MAX_OFFSET = 30;
const SEARCH_OFFSET = 29;
const VIEW = 33;
const LEGACY_ILLEGAL =
  'the message is illegal, maybe msg body or properties length not matched. msg body length limit 4194304B, msg properties length limit 32KB.';

async function createTopic(broker: E2e, topic: string, attributes = '+queue.type=BatchCQ'): Promise<void> {
  const answer = await broker.request(UPDATE_TOPIC, {
    topic,
    defaultTopic: 'TBW102',
    readQueueNums: 2,
    writeQueueNums: 2,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes,
  });
  assert.equal(answer.code, 0, answer.remark);
}

function batch(
  broker: E2e,
  count: number,
  name: string,
  properties: Readonly<Record<string, string>> = { UNIQ_KEY: `U${name}` },
): Promise<WireAnswer> {
  const messages = Array.from({ length: count }, (_, n) => ({
    body: `${name}${n}`,
    properties: { TAGS: 'same', UNIQ_KEY: `${name}-${n}` },
  }));
  return broker.run(sendBatch(broker.client, messages, { topic: 'B', queueId: 0, properties }));
}

function itemsOf(body: string): string[] {
  const bytes = Buffer.from(body, 'utf8');
  return decodeBatch(bytes, 0, bytes.length).map(({ bodyStart, bodyEnd }) => bytes.toString('utf8', bodyStart, bodyEnd));
}

test('a batch is one record with the flags and counts of an inner batch, and takes an offset per message', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  const first = await batch(broker, 3, 'a');
  const single = await broker.send({ topic: 'B', queueId: 0, body: 'single', properties: { UNIQ_KEY: 'S', TAGS: 'one' } });
  const second = await batch(broker, 2, 'b');
  const { msgId, ...ext } = first.ext;
  assert.equal(first.code, 0);
  assert.equal(decodeOffsetMsgId(msgId as string)?.physicalOffset, 0);
  assert.deepEqual(ext, {
    MSG_REGION: 'DefaultRegion',
    TRACE_ON: 'true',
    queueId: '0',
    queueOffset: '0',
    transactionId: 'Ua',
    batchUniqId: 'Ua',
  });
  assert.deepEqual([single.ext['queueOffset'], second.ext['queueOffset']], ['3', '4']);
  const stored = await broker.all('B');
  assert.deepEqual(
    stored.map(({ queueOffset, sysFlag, properties }) => [queueOffset, sysFlag, properties['INNER_NUM'], properties['INNER_BASE']]),
    [
      [0, 0xc0, '3', '0'],
      [3, 0, undefined, undefined],
      [4, 0xc0, '2', '4'],
    ],
  );
  assert.deepEqual(itemsOf(stored[2]!.body), ['b0', 'b1']);
  assert.equal((await broker.request(MAX_OFFSET, { topic: 'B', queueId: 0 })).ext['offset'], '6');
});

test('the properties stand in the order in which Apache stores them', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  const answer = await batch(broker, 2, 'a', { UNIQ_KEY: 'U', WAIT: 'true' });
  const { body } = await broker.request(VIEW, { offset: decodeOffsetMsgId(answer.ext['msgId'] as string)?.physicalOffset });
  const order = ['INNER_BASE\u00010', 'MSG_REGION', 'UNIQ_KEY', 'CLUSTER', 'WAIT', 'TRACE_ON', 'INNER_NUM\u00012'].map((name) =>
    body.lastIndexOf(name),
  );
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  assert.ok(!order.includes(-1));
});

test('a pull inside a batch gets the whole batch, and goes on behind it', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  await batch(broker, 3, 'a');
  await batch(broker, 4, 'b');
  const inside = await broker.pull({ topic: 'B', queueOffset: 4, max: 1 });
  assert.deepEqual([inside.code, inside.ext['nextBeginOffset'], inside.ext['maxOffset']], [0, '7', '7']);
  assert.ok(inside.body.includes('b3') && !inside.body.includes('a2'));
});

test('a consumer of one tag gets every batch, whose messages may have it; plain messages are filtered', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  const held = pull(broker.client, { topic: 'B', sysFlag: HELD, subscription: 'same' });
  assert.ok(await isPending(broker, held));
  await batch(broker, 3, 'a');
  const woken = await broker.run(held);
  assert.deepEqual([woken.code, woken.ext['nextBeginOffset']], [0, '3']);
  await broker.send({ topic: 'B', queueId: 0, body: 'x', properties: { TAGS: 'other' } });
  const other = await broker.pull({ topic: 'B', queueOffset: 3, subscription: 'same' });
  assert.equal(other.ext['nextBeginOffset'], '4');
  assert.equal(other.body.length, 0);
});

test('a batch without a UNIQ_KEY of its own (4.x clients) is stored message by message, each with its row', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  const answer = await batch(broker, 3, 'a', { WAIT: 'true' });
  assert.equal((answer.ext['msgId'] as string).split(',').length, 3);
  assert.equal(answer.ext['batchUniqId'], undefined);
  assert.deepEqual(
    (await broker.all('B')).map(({ body, queueOffset, sysFlag }) => [body, queueOffset, sysFlag]),
    [
      ['a0', 0, 0],
      ['a1', 1, 0],
      ['a2', 2, 0],
    ],
  );
});

test('a search by time answers the first message of the batch', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  await batch(broker, 3, 'a');
  await broker.cluster.clock.advance(5_000);
  const between = broker.cluster.clock.wallMs() - 2_000;
  await batch(broker, 3, 'b');
  const found = await broker.request(SEARCH_OFFSET, { topic: 'B', queueId: 0, timestamp: between });
  assert.equal(found.ext['offset'], '3');
});

for (const way of ['a clean stop', 'a power cut'] as const)
  test(`after ${way} batches are where they were and the next one follows`, async () => {
    const broker = await e2e({ flushDiskType: 'SYNC_FLUSH' });
    await createTopic(broker, 'B');
    await batch(broker, 3, 'a');
    await batch(broker, 2, 'b');
    if (way === 'a clean stop') await broker.cluster.restart();
    else {
      await broker.cluster.crash('broker', { power: true });
      await broker.cluster.restart();
    }
    await broker.reconnect();
    const third = await batch(broker, 2, 'c');
    assert.equal(third.ext['queueOffset'], '5');
    assert.deepEqual(
      (await broker.all('B')).map(({ body }) => itemsOf(body)),
      [
        ['a0', 'a1', 'a2'],
        ['b0', 'b1'],
        ['c0', 'c1'],
      ],
    );
  });

test('what claims to be an inner batch, or to be none, is refused where it is not true', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  const plainFlag = await broker.send({ topic: 'T', sysFlag: 0xc0, body: batchBody([{ body: 'x' }]), properties: { UNIQ_KEY: 'U' } });
  assertRefused(plainFlag, {
    code: 13,
    legacy: LEGACY_ILLEGAL,
    slug: 'inner-batch-topic',
    says: /topic T, whose attribute queue.type is not BatchCQ/,
  });
  const plainCount = await broker.send({ topic: 'B', properties: { INNER_NUM: '2' } });
  assertRefused(plainCount, { code: 13, legacy: LEGACY_ILLEGAL, slug: 'inner-batch-flag' });
  const batchCount = await broker.run(sendBatch(broker.client, [{ body: 'x' }], { topic: 'T', properties: { INNER_NUM: '1' } }));
  assertRefused(batchCount, { code: 13, legacy: LEGACY_ILLEGAL, slug: 'inner-batch-flag' });
  const wrong = await broker.send(
    { topic: 'B', sysFlag: 0xc0, body: batchBody([{ body: 'x' }]), properties: { INNER_NUM: '7' } },
    SEND_BATCH,
  );
  assertRefused(wrong, { code: 13, legacy: LEGACY_ILLEGAL, slug: 'inner-batch-count', says: /INNER_NUM is 7, the body holds 1 messages/ });
  const garbled = await broker.send({ topic: 'B', sysFlag: 0xc0, body: 'no batch', properties: { UNIQ_KEY: 'U' } });
  assert.equal(garbled.code, 13);
  assert.equal((await broker.request(MAX_OFFSET, { topic: 'B', queueId: 0 })).ext['offset'], '0');
});

test('a batch that is delayed or transactional is refused', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  for (const [sysFlag, properties] of [
    [0, { UNIQ_KEY: 'U', DELAY: '3' }],
    [4, { UNIQ_KEY: 'U' }],
  ] as const) {
    const answer = await broker.run(sendBatch(broker.client, [{ body: 'x' }], { topic: 'B', sysFlag, properties }));
    assertRefused(answer, { code: 13, legacy: LEGACY_ILLEGAL, slug: 'batch-kind' });
  }
});

test('more messages than a row can count are refused', async () => {
  const broker = await e2e();
  await createTopic(broker, 'B');
  const many = Array.from({ length: 32_768 }, () => ({ body: 'x' }));
  const answer = await broker.run(sendBatch(broker.client, many, { topic: 'B', properties: { UNIQ_KEY: 'U' } }));
  assertRefused(answer, { code: 13, legacy: LEGACY_ILLEGAL, slug: 'inner-batch-too-many', says: /32768 messages, allowed are 32767/ });
});
