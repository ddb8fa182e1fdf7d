/** Every refusal of a send over the wire: Apache's code and text first, then cause, measured value and remedy (broker.md 6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, batchBody, e2e, SEND, SEND_BATCH, SEND_V2, sendBatch, sendExt } from './e2e-wire.ts';

const FAQ = '\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.';
const ILLEGAL = (max: number): string =>
  `the message is illegal, maybe msg body or properties length not matched. msg body length limit ${max}B, msg properties length limit 32KB.`;
const BUILTIN = { MSG_REGION: 'DefaultRegion', TRACE_ON: 'true' };

test('a body over maxMessageSize is refused with both sizes, and one of exactly that size is taken', async () => {
  const broker = await e2e({ maxMessageSize: '1000' });
  const refused = await broker.send({ body: Buffer.alloc(1001) });
  assertRefused(refused, {
    code: 13,
    legacy: ILLEGAL(1000),
    slug: 'message-too-large',
    says: /body of 1001 bytes, allowed are 1000; raise maxMessageSize/,
  });
  assert.deepEqual(refused.ext, BUILTIN);
  assert.equal((await broker.send({ body: Buffer.alloc(1000) })).code, 0);
  assert.equal((await broker.all()).length, 1);
});

test('a message or batch that no CommitLog file can hold is refused, whatever maxMessageSize says', async () => {
  const broker = await e2e();
  const says = /a record of \d+ bytes, a CommitLog file holds 65528; raise mappedFileSizeCommitLog/;
  assertRefused(await broker.send({ body: Buffer.alloc(65_500) }), {
    code: 13,
    legacy: ILLEGAL(4_194_304),
    slug: 'message-too-large',
    says,
  });
  const batch = await broker.run(sendBatch(broker.client, [{ body: 'x'.repeat(33_000) }, { body: 'y'.repeat(33_000) }]));
  assertRefused(batch, { code: 13, legacy: ILLEGAL(4_194_304), slug: 'message-too-large', says });
  assert.equal((await broker.send({ body: Buffer.alloc(65_000) })).code, 0);
  await broker.cluster.crash();
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal((await broker.all()).length, 1);
});

test('a batch over maxMessageSize is refused as a whole', async () => {
  const broker = await e2e({ maxMessageSize: '1000' });
  const answer = await broker.run(sendBatch(broker.client, [{ body: 'x'.repeat(600) }, { body: 'y'.repeat(600) }]));
  assertRefused(answer, { code: 13, legacy: ILLEGAL(1000), slug: 'message-too-large', says: /allowed are 1000/ });
  assert.equal((await broker.pull()).code, 19);
});

test('a limit that an operator raises counts for the next message', async () => {
  const broker = await e2e({ maxMessageSize: '1000' });
  assert.equal((await broker.send({ body: Buffer.alloc(2000) })).code, 13);
  assert.equal((await broker.request(25, {}, 'maxMessageSize=3000\n')).code, 0);
  assert.equal((await broker.send({ body: Buffer.alloc(2000) })).code, 0);
  assert.match((await broker.send({ body: Buffer.alloc(3001) })).remark, /limit 3000B.*allowed are 3000/);
});

test('properties over 32,767 bytes are refused, those that the broker adds included', async () => {
  const broker = await e2e();
  const own = 'MSG_REGION\u0001DefaultRegion\u0002TRACE_ON\u0001true\u0002CLUSTER\u0001DefaultCluster\u0002'.length;
  const uniqueKey = 'UNIQ_KEY\u0001u\u0002';
  const fits = 32_767 - own - uniqueKey.length - 'A\u0001\u0002'.length;
  assert.equal((await broker.send({ properties: `${uniqueKey}A\u0001${'v'.repeat(fits)}\u0002` })).code, 0);
  const refused = await broker.send({ properties: `${uniqueKey}A\u0001${'v'.repeat(fits + 1)}\u0002` });
  assertRefused(refused, {
    code: 13,
    legacy: ILLEGAL(4_194_304),
    slug: 'properties-too-long',
    says: /properties of 32768 bytes, allowed are 32767; shorten/,
  });
  const huge = await broker.send({ properties: `A\u0001${'v'.repeat(200_000)}\u0002` });
  assertRefused(huge, { code: 13, legacy: ILLEGAL(4_194_304), slug: 'properties-too-long', says: /properties of 20\d{4} bytes/ });
  assert.equal((await broker.all()).length, 1);
});

test('topic names that are blank, long or badly spelled are refused with code 29, and the name stays unknown', async () => {
  const broker = await e2e();
  const long = 'T'.repeat(128);
  for (const [topic, legacy] of [
    [' ', 'The specified topic is blank.'],
    ['a b', 'The specified topic: a b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$'],
    ['täst', 'The specified topic: täst, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$'],
    [long, `The specified topic: ${long}, is longer than topic max length: 127`],
  ] as const) {
    assertRefused(await broker.send({ topic }), { code: 29, legacy, slug: 'topic-name', says: /use 1 to 127 of the characters/ });
    assert.equal((await broker.request(351, { topic })).code, 17);
  }
  assert.equal((await broker.send({ topic: long.slice(1) })).code, 0);
});

test('topics of the broker itself are refused with code 16', async () => {
  const broker = await e2e();
  for (const topic of [
    'SCHEDULE_TOPIC_XXXX',
    'RMQ_SYS_TRANS_HALF_TOPIC',
    'RMQ_SYS_TRANS_OP_HALF_TOPIC',
    'SELF_TEST_TOPIC',
    'OFFSET_MOVED_EVENT',
  ]) {
    const answer = await broker.send({ topic });
    assertRefused(answer, {
      code: 16,
      legacy: `Sending message to topic[${topic}] is forbidden.`,
      slug: 'topic-not-for-clients',
      says: /send to a topic of your own/,
    });
  }
});

test('an unknown topic is refused with code 17 where auto-creation is off, or the template does not allow it', async () => {
  const off = await e2e({ autoCreateTopicEnable: 'false' });
  const legacy = `topic[New] not exist, apply first please!${FAQ}`;
  assertRefused(await off.send({ topic: 'New' }), {
    code: 17,
    legacy,
    slug: 'topic-not-exist',
    says: /autoCreateTopicEnable is false.*mqadmin updateTopic -t New/,
  });
  const on = await e2e();
  assertRefused(await on.send({ topic: 'New', defaultTopic: 'NoTemplate' }), {
    code: 17,
    legacy,
    slug: 'topic-not-exist',
    says: /template topic/,
  });
  assert.equal((await on.request(351, { topic: 'New' })).code, 17);
});

test('a retry topic is made even where auto-creation is off', async () => {
  const broker = await e2e({ autoCreateTopicEnable: 'false' });
  const answer = await broker.send({ topic: '%RETRY%G1', group: 'CLIENT_INNER_PRODUCER' });
  assert.equal(answer.code, 0, answer.remark);
  const config = JSON.parse((await broker.request(351, { topic: '%RETRY%G1' })).body.toString());
  assert.deepEqual([config.readQueueNums, config.writeQueueNums, config.perm], [1, 1, 6]);
});

test('a queue id that does not exist is refused with code 29, the topic and the sender', async () => {
  const broker = await e2e();
  assert.equal((await broker.send()).code, 0);
  const producer = `${broker.client.local.host}:${broker.client.local.port}`;
  const config =
    'TopicConfig [topicName=T, readQueueNums=4, writeQueueNums=4, perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}]';
  const answer = await broker.send({ queueId: 4 });
  assertRefused(answer, {
    code: 29,
    legacy: `request queueId[4] is illegal, ${config} Producer: ${producer}`,
    slug: 'queue-illegal',
    says: /queues 0 to 3 exist/,
  });
  assert.equal((await broker.send({ queueId: 3 })).code, 0);
});

test('a broker without write permission refuses ordered topics with code 16', async () => {
  const broker = await e2e({ brokerPermission: '4', brokerIP1: '10.0.0.2' });
  const created = await broker.request(17, {
    topic: 'Ordered',
    defaultTopic: 'TBW102',
    readQueueNums: 1,
    writeQueueNums: 1,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: true,
  });
  assert.equal(created.code, 0);
  const answer = await broker.send({ topic: 'Ordered' });
  assertRefused(answer, {
    code: 16,
    legacy: 'the broker[10.0.0.2] sending message is forbidden',
    slug: 'broker-not-writable',
    says: /brokerPermission/,
  });
  assert.equal((await broker.request(25, {}, 'brokerPermission=6\n')).code, 0);
  assert.equal((await broker.send({ topic: 'Ordered' })).code, 0);
});

test('before startAcceptSendRequestTimeStamp every send is refused with code 1 and that time, and at it they are taken', async () => {
  const broker = await e2e();
  const startMs = broker.cluster.clock.wallMs() + 60_000;
  assert.equal((await broker.request(25, {}, `startAcceptSendRequestTimeStamp=${startMs}\n`)).code, 0);
  for (const topic of ['T', 'bad name', 'SELF_TEST_TOPIC']) {
    const answer = await broker.send({ topic });
    assert.equal(answer.code, 1);
    assert.match(
      answer.remark,
      /^broker unable to service, until 2025-01-01 00:01:00,\d{3} \[broker-not-yet-in-service\] startAcceptSendRequestTimeStamp lies in the future/,
    );
  }
  assert.equal((await broker.request(351, { topic: 'T' })).code, 17);
  await broker.cluster.clock.advance(60_001);
  assert.equal((await broker.send()).code, 0);
});

test('a batch that cannot be taken apart, is empty, delayed or for a retry topic is refused with code 13 and the place', async () => {
  const broker = await e2e();
  const { client } = broker;
  const legacy = ILLEGAL(4_194_304);
  const bad = await broker.run(client.request(SEND_BATCH, sendExt({ batch: true }), Buffer.from('no batch at all, only text')));
  assertRefused(bad, { code: 13, legacy, slug: 'batch-body', says: /at byte \d+ of the batch/ });
  const empty = await broker.run(sendBatch(client, []));
  assertRefused(empty, { code: 13, legacy, slug: 'batch-body', says: /the batch is empty/ });
  const delayed = await broker.run(sendBatch(client, [{ body: 'a' }], { properties: { DELAY: '3' } }));
  assertRefused(delayed, { code: 13, legacy, slug: 'batch-kind', says: /neither transactional nor delayed/ });
  const transactional = await broker.run(sendBatch(client, [{ body: 'a' }], { sysFlag: 4 }));
  assertRefused(transactional, { code: 13, legacy, slug: 'batch-kind' });
  const retry = await broker.run(sendBatch(client, [{ body: 'a' }], { topic: '%RETRY%G' }));
  assert.equal(retry.code, 13);
  assertRefused(retry, { code: 13, legacy: 'batch request does not support retry group %RETRY%G', slug: 'batch-to-retry-topic' });
  const items = batchBody([{ body: 'fine' }, { body: 'cut' }]);
  const cut = await broker.run(client.request(SEND_BATCH, sendExt({ batch: true }), items.subarray(0, items.length - 3)));
  assertRefused(cut, { code: 13, legacy, slug: 'batch-body' });
  assert.equal((await broker.pull()).code, 19);
});

test('a send without a topic is refused, and one without numbers is stored as Apache stores it or refused, never lost in silence', async () => {
  const broker = await e2e();
  const none = await broker.request(SEND, {}, 'x');
  assertRefused(none, { code: 29, legacy: 'The specified topic is blank.', slug: 'topic-blank' });
  const words = await broker.request(SEND_V2, { ...sendExt({}), e: 'zero' }, 'x');
  assert.notEqual(words.code, 0);
  assert.ok(words.remark.length > 0);
});

test("a request code that nobody knows is answered with code 3 and Apache's text", async () => {
  const broker = await e2e();
  const answer = await broker.request(31_999);
  assert.equal(answer.code, 3);
  assert.match(answer.remark, /^ request type 31999 not supported/);
});
