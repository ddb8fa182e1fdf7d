/** Request–reply: a consumer's answer finds the client that asked (broker.md 20). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProperties } from '@perigee/core/message/properties';
import {
  assertRefused,
  type E2e,
  type Ext,
  e2e,
  isPending,
  SEND,
  SEND_V2,
  SERIALIZE_ROCKETMQ,
  sendExt,
  type WireAnswer,
  type WireClient,
} from '../e2e-wire.ts';
import { heartbeat } from '../fakes.ts';

const REPLY = 324;
const REPLY_V2 = 325;
const PUSH_REPLY = 326;
const REPLY_TOPIC = 'DefaultCluster_REPLY_TOPIC';
const REQUEST = { MSG_TYPE: 'reply', REPLY_TO_CLIENT: 'asker', UNIQ_KEY: 'u1', CORRELATION_ID: 'c1', TTL: '3000' };

/** A client that asked: it has a producer here. */
async function asker(broker: E2e, clientId = 'asker'): Promise<WireClient> {
  const client = await broker.connect();
  await broker.run(client.request(34, {}, Buffer.from(heartbeat({ clientId, producers: ['Asking'] }))));
  return client;
}

function replyExt(code: number, properties: Readonly<Record<string, string>>, topic = REPLY_TOPIC, queueId = 0): Ext {
  return sendExt({ topic, queueId, group: 'Replying', properties }, code === REPLY ? SEND : SEND_V2);
}

function reply(broker: E2e, code = REPLY_V2, properties: Readonly<Record<string, string>> = REQUEST, more: Ext = {}): Promise<WireAnswer> {
  return broker.request(code, { ...replyExt(code, properties), ...more }, 'the answer');
}

for (const code of [REPLY, REPLY_V2])
  test(`a reply (${code}) is pushed to the client that asked, with who sent it and when, and kept in the reply topic`, async () => {
    const broker = await e2e();
    const client = await asker(broker);
    client.answerTo = () => ({ code: 0 });
    const answer = await reply(broker, code);
    assert.equal(answer.code, 0, answer.remark);
    const [pushed] = client.pushed;
    assert.deepEqual([pushed?.code, pushed?.body.toString(), pushed?.oneway], [PUSH_REPLY, 'the answer', false]);
    const { properties = '', storeTimestamp, bornHost, storeHost, ...rest } = pushed?.ext ?? {};
    assert.deepEqual(rest, {
      producerGroup: 'Replying',
      topic: REPLY_TOPIC,
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: '4',
      queueId: '0',
      sysFlag: '0',
      bornTimestamp: '1700000000000',
      flag: '0',
      reconsumeTimes: '0',
      unitMode: 'false',
    });
    const { host, port } = broker.client.local;
    assert.deepEqual([bornHost, storeHost], [`${host}:${port}`, broker.cluster.brokerAddress]);
    const pushTime = parseProperties(properties).get('PUSH_REPLY_TIME');
    assert.equal(pushTime, storeTimestamp);
    assert.deepEqual(Object.fromEntries(parseProperties(properties)), {
      ...REQUEST,
      MSG_REGION: 'DefaultRegion',
      TRACE_ON: 'true',
      PUSH_REPLY_TIME: pushTime,
    });
    const [kept] = await broker.all(REPLY_TOPIC);
    assert.deepEqual([kept?.body, kept?.properties['CORRELATION_ID'], kept?.properties['UNIQ_KEY']], ['the answer', 'c1', 'u1']);
    assert.deepEqual(
      [answer.ext['queueId'], answer.ext['queueOffset'], answer.ext['MSG_REGION'], answer.ext['TRACE_ON']],
      ['0', '0', 'DefaultRegion', 'true'],
    );
    assert.equal(Number.parseInt(answer.ext['msgId']?.slice(-16) ?? '', 16), kept?.physicalOffset);
  });

test('a reply with a header in the binary form arrives all the same', async () => {
  const broker = await e2e();
  const client = await asker(broker);
  client.answerTo = () => ({ code: 0 });
  broker.client.serializeType = SERIALIZE_ROCKETMQ;
  assert.equal((await reply(broker)).code, 0);
  assert.equal(client.pushed.length, 1);
});

test('with storeReplyMessageEnable=false nothing is kept, and the id is 0', async () => {
  const broker = await e2e({ storeReplyMessageEnable: 'false' });
  (await asker(broker)).answerTo = () => ({ code: 0 });
  const answer = await reply(broker);
  assert.deepEqual([answer.code, answer.ext['msgId'], answer.ext['queueOffset']], [0, '0', '0']);
  assert.equal((await broker.all(REPLY_TOPIC)).length, 0);
});

test('a reply whose client is gone, or that names none, is an error to the replier; it is kept', async () => {
  const broker = await e2e();
  assertRefused(await reply(broker), {
    code: 1,
    legacy: 'push reply message fail, channel of <asker> not found.',
    slug: 'reply-not-delivered',
    says: /no producer with that client id/,
  });
  const { REPLY_TO_CLIENT: _, ...nameless } = REQUEST;
  assertRefused(await reply(broker, REPLY_V2, nameless), {
    code: 1,
    legacy: 'reply message properties[REPLY_TO_CLIENT] is null',
    slug: 'reply-not-delivered',
  });
  const client = await asker(broker);
  client.close();
  await broker.world.settle();
  assert.match((await reply(broker)).remark, /^push reply message fail, channel of <asker> not found\./);
  assert.equal((await broker.all(REPLY_TOPIC)).length, 3);
});

test('a client that answers an error, or nothing for ten seconds, or goes away meanwhile, is named to the replier', async () => {
  const broker = await e2e();
  const client = await asker(broker);
  client.answerTo = () => ({ code: 1, remark: 'no such request' });
  const legacy = 'push reply message to askerfail.';
  assertRefused(await reply(broker), { code: 1, legacy, slug: 'reply-not-delivered', says: /answered code 1: no such request/ });
  client.answerTo = undefined;
  const silent = broker.client.request(REPLY_V2, replyExt(REPLY_V2, REQUEST), Buffer.from('x'));
  await broker.cluster.clock.advance(9_000);
  assert.ok(await isPending(broker, silent));
  await broker.cluster.clock.advance(1_500);
  assertRefused(await broker.run(silent), { code: 1, legacy, slug: 'reply-not-delivered' });
  const lost = broker.client.request(REPLY_V2, replyExt(REPLY_V2, REQUEST), Buffer.from('x'));
  await broker.world.settle();
  client.close();
  assertRefused(await broker.run(lost), { code: 1, legacy, slug: 'reply-not-delivered' });
});

test('a client that came back on a new connection gets its reply there', async () => {
  const broker = await e2e();
  (await asker(broker)).close();
  const client = await asker(broker);
  client.answerTo = () => ({ code: 0 });
  assert.equal((await reply(broker)).code, 0);
  assert.equal(client.pushed.length, 1);
});

test('a reply to a topic that is forbidden, unknown, badly named or has no such queue is refused as a send is', async () => {
  const broker = await e2e({ autoCreateTopicEnable: 'false' });
  const to = (topic: string, queueId = 0): Promise<WireAnswer> =>
    broker.request(REPLY_V2, replyExt(REPLY_V2, REQUEST, topic, queueId), 'x');
  assert.equal((await to('SCHEDULE_TOPIC_XXXX')).code, 16);
  assert.equal((await to('Nowhere')).code, 17);
  assert.equal((await to('bad name')).code, 29);
  const answer = await to(REPLY_TOPIC, 7);
  assert.equal(answer.code, 29);
  assert.match(answer.remark, /^request queueId\[7\] is illegal, TopicConfig \[topicName=DefaultCluster_REPLY_TOPIC/);
  assert.equal(answer.ext['MSG_REGION'], 'DefaultRegion');
});

test('a queue id below 0 lets the broker choose', async () => {
  const broker = await e2e();
  (await asker(broker)).answerTo = () => ({ code: 0 });
  const answer = await broker.request(REPLY_V2, replyExt(REPLY_V2, REQUEST, REPLY_TOPIC, -1), 'x');
  assert.deepEqual([answer.code, answer.ext['queueId']], [0, '0']);
});

test('every stored message names the cluster, from which consumers make the name of the reply topic', async () => {
  const broker = await e2e({ brokerClusterName: 'Blue' });
  await broker.send({ properties: { UNIQ_KEY: 'u' } });
  await broker.send();
  for (const { properties } of await broker.all()) assert.equal(properties['CLUSTER'], 'Blue');
  assert.equal((await broker.request(351, { topic: 'Blue_REPLY_TOPIC' })).code, 0);
});
