/** Queue assignment by the broker, against a real NameServer (broker.md 19). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeQueryAssignmentResponse,
  encodeMessageRequestMode,
  encodeQueryAssignmentRequest,
} from '@perigee/core/protocol/bodies/assignment';
import { type E2e, e2e, type WireClient } from '../e2e-wire.ts';
import { heartbeat } from '../fakes.ts';

const ASSIGN = 400;
const SET_MODE = 401;
const DUMP_MODES = 402;

async function withTopic(settings: Record<string, string> = {}): Promise<E2e> {
  const broker = await e2e(settings);
  await broker.send({ body: 'a', queueId: 0 });
  await broker.cluster.clock.advance(1_000);
  return broker;
}

async function join(broker: E2e, clientId: string, group = 'G'): Promise<WireClient> {
  const client = await broker.connect();
  const answer = await broker.run(client.request(34, {}, Buffer.from(heartbeat({ clientId, group, topics: { T: '*' } }))));
  assert.equal(answer.code, 0);
  return client;
}

interface Question {
  readonly topic?: string;
  readonly group?: string;
  readonly clientId?: string;
  readonly strategy?: string;
  readonly model?: string;
}

async function assigned(broker: E2e, question: Question = {}): Promise<string[] | undefined> {
  const body = encodeQueryAssignmentRequest({
    topic: question.topic ?? 'T',
    consumerGroup: question.group ?? 'G',
    clientId: question.clientId ?? 'c1',
    strategyName: question.strategy ?? 'AVG',
    messageModel: question.model ?? 'CLUSTERING',
  });
  const answer = await broker.request(ASSIGN, {}, body);
  assert.equal(answer.code, 0, answer.remark);
  return decodeQueryAssignmentResponse(answer.body)?.map(
    ({ messageQueue, mode }) => `${mode} ${messageQueue.brokerName} ${messageQueue.queueId}`,
  );
}

async function setMode(broker: E2e, mode: 'PULL' | 'POP', popShareQueueNum = 0, topic = 'T', consumerGroup = 'G') {
  return await broker.request(SET_MODE, {}, encodeMessageRequestMode({ topic, consumerGroup, mode, popShareQueueNum }));
}

test('the clients of a group share the queues of a topic between them', async () => {
  const broker = await withTopic();
  await join(broker, 'c1');
  await join(broker, 'c2');
  assert.deepEqual(await assigned(broker, { clientId: 'c1' }), ['PULL broker-a 0', 'PULL broker-a 1']);
  assert.deepEqual(await assigned(broker, { clientId: 'c2' }), ['PULL broker-a 2', 'PULL broker-a 3']);
  assert.deepEqual(await assigned(broker, { clientId: 'c2', strategy: 'AVG_BY_CIRCLE' }), ['PULL broker-a 1', 'PULL broker-a 3']);
});

test('broadcasting clients, and all clients where the broker does not assign, get every queue', async () => {
  const broker = await withTopic();
  assert.equal((await assigned(broker, { model: 'BROADCASTING' }))?.length, 4);
  const off = await withTopic({ serverLoadBalancerEnable: 'false' });
  await join(off, 'c1');
  await join(off, 'c2');
  assert.equal((await assigned(off))?.length, 4);
});

test('an unknown group, topic or strategy leaves the client what it has', async () => {
  const broker = await withTopic();
  assert.equal(await assigned(broker), undefined);
  await join(broker, 'c1');
  assert.equal(await assigned(broker, { topic: 'X' }), undefined);
  assert.equal(await assigned(broker, { strategy: 'NEAREST' }), undefined);
  assert.equal((await broker.request(ASSIGN, {}, '{')).code, 1);
});

test('a group that was switched to pop gets each broker as a whole, over restarts, until it is switched back', async () => {
  const broker = await withTopic();
  assert.equal((await setMode(broker, 'POP')).code, 0);
  const dump = '{"messageRequestModeMap":{"T":{"G":{"consumerGroup":"G","mode":"POP","popShareQueueNum":0,"topic":"T"}}}}';
  assert.equal((await broker.request(DUMP_MODES)).body.toString(), dump);
  await broker.cluster.crash('broker', { power: true });
  await broker.cluster.restart();
  await broker.reconnect();
  await broker.cluster.clock.advance(1_000);
  await join(broker, 'c1');
  assert.deepEqual(await assigned(broker), ['POP broker-a -1']);
  assert.deepEqual(await assigned(broker, { topic: '%RETRY%G' }), ['PULL broker-a 0']);
  assert.equal((await setMode(broker, 'PULL')).code, 0);
  assert.deepEqual(await assigned(broker), ['PULL broker-a 0', 'PULL broker-a 1', 'PULL broker-a 2', 'PULL broker-a 3']);
});

test('groups that nobody switched follow defaultMessageRequestMode', async () => {
  const broker = await withTopic({ defaultMessageRequestMode: 'POP' });
  await join(broker, 'c1');
  assert.deepEqual(await assigned(broker), ['POP broker-a -1']);
});

test('a mode for a retry topic, an unknown topic or an unknown group is refused as Apache refuses it', async () => {
  const broker = await withTopic({ autoCreateSubscriptionGroup: 'false' });
  const cases = [
    [16, 'retry topic is not allowed to set mode', '%RETRY%G'],
    [17, 'topic[X] not exist', 'X'],
    [26, 'subscription group does not exist', 'T'],
  ] as const;
  for (const [code, remark, topic] of cases) {
    const answer = await setMode(broker, 'POP', 0, topic);
    assert.equal(answer.code, code);
    assert.ok(answer.remark.startsWith(remark), answer.remark);
  }
  assert.equal((await broker.request(SET_MODE, {}, '{"topic":"T","consumerGroup":"G","mode":"PUSH"}')).code, 1);
});
