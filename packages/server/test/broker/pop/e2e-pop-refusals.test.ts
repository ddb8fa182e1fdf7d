/** Pops that are refused for what the broker measured, and what they leave behind: nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLOW_CONSUMER_PERIOD_MS } from '../../../src/broker/slow-consumer-loop.ts';
import { assertRefused, type E2e, e2e, sendBatch, type WireAnswer } from '../e2e-wire.ts';
import { ack, bodiesOf, NOTIFICATION, POP, pop, popExt } from './pop-wire.ts';

const QUOTA = { code: 2017, legacy: '[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]lmq consume queue num exceeded.', slug: 'light-queue-wait' };
const notificationExt = (topic: string, group: string) => ({ consumerGroup: group, topic, queueId: -1, pollTime: 15_000, bornTime: 0 });

test('a group that pops too far behind is told how far, by pops and notifications, until an administrator gives it back', async () => {
  const broker = await e2e({ disableConsumeIfConsumerReadSlowly: 'true', consumerFallbehindThreshold: '10000' });
  for (let count = 0; count < 30; count++) await broker.send({ queueId: 0, body: Buffer.alloc(1000) });
  await pop(broker, { max: 1 });
  await broker.cluster.clock.advance(SLOW_CONSUMER_PERIOD_MS);
  await broker.reconnect();
  const measured = {
    code: 16,
    legacy: 'subscription group no permission, G',
    slug: 'group-consume-off',
    says: /consumeEnable of the group is false; this broker set it: it reads \d{5} bytes behind the end .* allowed are 10000 .*; .*updateSubGroup -g G -s true/,
  };
  assertRefused(await broker.request(POP, popExt()), measured);
  assertRefused(await broker.request(NOTIFICATION, notificationExt('T', 'G')), measured);
  const config = { groupName: 'G', consumeEnable: false, retryQueueNums: 1, retryMaxTimes: 16 };
  await broker.request(200, {}, JSON.stringify(config));
  const decided = { ...measured, says: /\] consumeEnable of the group is false; switch it on/ };
  assertRefused(await broker.request(POP, popExt()), decided);
  await broker.request(200, {}, JSON.stringify({ ...config, consumeEnable: true }));
  assert.equal((await broker.request(POP, popExt())).code, 0);
});

test('a light queue that nobody can send to can be neither popped nor waited at, and gets no position', async () => {
  const broker = await e2e({ enableLmq: 'true', enableMultiDispatch: 'true' });
  const topic = `%LMQ%${'n'.repeat(300)}`;
  const refused = { ...QUOTA, says: /has 305 bytes, allowed are 255/ };
  assertRefused(await broker.request(POP, popExt({ topic, pollMs: 15_000 })), refused);
  assertRefused(await broker.request(NOTIFICATION, notificationExt(topic, 'G')), refused);
  assert.equal(broker.cluster.broker.parts.offsets.position('G', topic, 0), -1);
});

async function batchTopic(broker: E2e): Promise<void> {
  const answer = await broker.request(17, {
    ...{ topic: 'B', defaultTopic: 'TBW102', readQueueNums: 2, writeQueueNums: 2, perm: 6, topicFilterType: 'SINGLE_TAG' },
    ...{ topicSysFlag: 0, order: false, attributes: '+queue.type=BatchCQ' },
  });
  assert.equal(answer.code, 0, answer.remark);
}

function batch(broker: E2e, count: number): Promise<WireAnswer> {
  const messages = Array.from({ length: count }, (_, n) => ({ body: `b${n}`, properties: { UNIQ_KEY: `b-${n}` } }));
  return broker.run(sendBatch(broker.client, messages, { topic: 'B', queueId: 0, properties: { UNIQ_KEY: 'UB' } }));
}

/** Apache's Java client throws IndexOutOfBoundsException at such an answer, and the batch comes again for ever. */
test('what lies before an inner batch is popped; the batch itself is refused, says where it lies, and is not taken', async () => {
  const broker = await e2e();
  await batchTopic(broker);
  for (const body of ['a', 'b']) await broker.send({ topic: 'B', queueId: 0, body });
  await batch(broker, 3);
  for (const body of ['a', 'b']) {
    const messages = await pop(broker, { topic: 'B', queueId: 0 });
    assert.deepEqual(bodiesOf(messages), [body]);
    await ack(broker, messages[0]!);
  }
  const refused = {
    code: 29,
    legacy: 'the topic[B] has inner batches, which cannot be popped',
    slug: 'pop-inner-batch',
    says: /the record at queue offset 2 of queue 0 has 3 messages; .*setConsumeMode -t B -m PULL/,
  };
  assertRefused(await broker.request(POP, popExt({ topic: 'B', pollMs: 15_000 })), refused);
  await broker.cluster.clock.advance(1_000);
  assert.equal(broker.cluster.broker.parts.offsets.position('G', 'B', 0), 2);
  // Another queue of the topic goes on.
  await broker.send({ topic: 'B', queueId: 1, body: 'c' });
  assert.deepEqual(bodiesOf(await pop(broker, { topic: 'B' })), ['c']);
});
