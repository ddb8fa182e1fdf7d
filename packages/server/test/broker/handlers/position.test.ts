import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJavaJson } from '@perigee/core/kit/java-json';
import type { PeerAnswer } from '@perigee/core/remoting/handler';
import { FakePeer, goldenCases, heartbeat, legacyText, TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

const CALLS = 'client-calls';
const QUEUES = 4;

/** A broker with the topic and the online group of the recorded calls. */
async function online(settings: Readonly<Record<string, string>> = {}, peer = new FakePeer(), version = 513): Promise<TestBroker> {
  const broker = new TestBroker(settings);
  broker.parts.topics.createInternal({ topic: 'Online', queueNums: QUEUES, perm: 6, topicSysFlag: 0, order: false });
  const clientId = '192.0.2.2@iCGonline8736467112111';
  const body = heartbeat({ clientId, group: 'CGonline', topics: { Online: 'TagA || TagB' } })
    .replace('"codeSet":[]', '"codeSet":[2598919,2598920]')
    .replace('"tagsSet":[]', '"tagsSet":["TagA","TagB"]');
  await broker.ask(34, {}, { peer, version, body });
  return broker;
}

/** Fills each queue with `count` messages stored at 100, 200, … */
function fill(broker: TestBroker, count: number, topic = 'Online', queues = QUEUES): void {
  for (let queueId = 0; queueId < queues; queueId++)
    broker.store.put(topic, queueId, ...Array.from({ length: count }, (_, n) => ({ storeTimestamp: (n + 1) * 100 })));
}

function reset(more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return { topic: 'Online', group: 'CGonline', timestamp: '0', isForce: 'true', ...more };
}

/** Queue → queue offset of a body with `offsetTable`. */
function offsetsIn(body: Buffer | undefined): Map<number, number> {
  const { offsetTable } = parseJavaJson((body ?? Buffer.alloc(0)).toString()) as { offsetTable: Map<{ queueId: number }, number> };
  return new Map([...offsetTable].map(([queue, queueOffset]) => [queue.queueId, queueOffset]));
}

test('a reset by time and one by offset answer as a Java broker does, online or not', async () => {
  const broker = await online();
  const later = { storeTimestamp: 1_800_000_000_000 };
  for (let queueId = 0; queueId < QUEUES; queueId++) broker.store.put('Online', queueId, later, later, later);
  await replay(broker, { family: CALLS, name: 'INVOKE_BROKER_TO_RESET_OFFSET-0-1' });
  await replay(broker, { family: CALLS, name: 'INVOKE_BROKER_TO_RESET_OFFSET-0-2' });
  await replay(broker, { family: CALLS, name: 'INVOKE_BROKER_TO_RESET_OFFSET-0-3' });
  await replay(broker, { family: CALLS, name: 'INVOKE_BROKER_TO_RESET_OFFSET-17-1' });
  await replay(broker, { family: CALLS, name: 'INVOKE_BROKER_TO_RESET_OFFSET-26-1' });
  const mqadmin = new TestBroker();
  mqadmin.parts.topics.createInternal({ topic: 'Basic550', queueNums: QUEUES, perm: 6, topicSysFlag: 0, order: false });
  mqadmin.parts.groups.findOrCreate('CGpull');
  for (const [queueId, count] of [13, 7, 5, 7].entries())
    mqadmin.store.put('Basic550', queueId, ...Array.from({ length: count }, () => ({ storeTimestamp: 1 })));
  await replay(mqadmin, { family: CALLS, name: 'INVOKE_BROKER_TO_RESET_OFFSET-0-6' });
});

test('a reset by time finds the first message at or behind it; -1 is the end', async () => {
  const broker = await online();
  fill(broker, 3);
  assert.deepEqual([...offsetsIn((await broker.ask(222, reset({ timestamp: '150' }))).body).values()], [1, 1, 1, 1]);
  assert.deepEqual([...offsetsIn((await broker.ask(222, reset({ timestamp: '200' }))).body).values()], [1, 1, 1, 1]);
  assert.deepEqual([...offsetsIn((await broker.ask(222, reset({ timestamp: '-1' }))).body).values()], [3, 3, 3, 3]);
  assert.deepEqual(offsetsIn((await broker.ask(222, reset({ queueId: '2', timestamp: '250', offset: '-1' }))).body), new Map([[2, 2]]));
});

test('an offset outside of the queue, or a queue that is not there, is refused and nothing moves', async () => {
  const broker = await online();
  fill(broker, 5);
  broker.store.expire('Online', 0, 2);
  broker.parts.offsets.commit('CGonline', 'Online', 0, 4);
  for (const offset of ['1', '7']) {
    const answer = await broker.ask(222, reset({ queueId: '0', offset }));
    assert.equal(answer.code, 1);
    assert.ok(answer.remark?.startsWith(`Target offset ${offset} not in consume queue range [2-5] [offset-out-of-range] `), answer.remark);
  }
  assert.equal((await broker.ask(222, reset({ queueId: '9', offset: '0' }))).code, 29);
  assert.deepEqual(
    [broker.parts.offsets.position('CGonline', 'Online', 0), broker.parts.offsets.pendingReset('CGonline', 'Online', 0)],
    [4, undefined],
  );
  assert.equal((await broker.ask(222, reset({ queueId: '0', offset: '6' }))).code, 0, 'one behind the end is taken, as by Apache');
});

test('the old way tells every client of the group, and those of C++ administrators in a form of their own', async () => {
  const peer = new FakePeer();
  const broker = await online({ useServerSideResetOffset: 'false' }, peer);
  fill(broker, 3);
  const missing = await broker.ask(222, reset());
  assert.deepEqual([missing.code, legacyText(missing.remark)], [1, 'THe consumer group <CGonline> not exist']);
  for (let queueId = 0; queueId < QUEUES; queueId++) broker.parts.offsets.commit('CGonline', 'Online', queueId, 2);
  assert.deepEqual([...offsetsIn((await broker.ask(222, reset({ timestamp: '-1', isForce: 'false' }))).body).values()], [2, 2, 2, 2]);
  assert.deepEqual([...offsetsIn((await broker.ask(222, reset({ timestamp: '-1' }))).body).values()], [3, 3, 3, 3]);
  const back = await broker.ask(222, reset());
  assert.deepEqual([...offsetsIn(back.body).values()], [0, 0, 0, 0]);
  assert.deepEqual(peer.oneways.at(-1), {
    code: 220,
    ext: { topic: 'Online', group: 'CGonline', timestamp: '0', isForce: 'false', queueId: '-1' },
    body: back.body,
  });
  await broker.ask(222, reset(), { language: 'CPP' });
  const list = JSON.parse(peer.oneways.at(-1)?.body?.toString() ?? '');
  assert.deepEqual(list.offsetTable[0], { brokerName: 'broker-a', offset: 0, queueId: 0, topic: 'Online' });
  assert.equal(broker.parts.offsets.position('CGonline', 'Online', 0), 2, 'the client commits what it was told');
});

test('the old way needs a client that understands it', async () => {
  const old = await online({ useServerSideResetOffset: 'false' }, new FakePeer(), 27);
  for (let queueId = 0; queueId < QUEUES; queueId++) old.parts.offsets.commit('CGonline', 'Online', queueId, 2);
  assert.equal(legacyText((await old.ask(222, reset())).remark), 'the client does not support this feature. version=27');
  const peer = new FakePeer();
  const gone = await online({ useServerSideResetOffset: 'false' }, peer);
  for (let queueId = 0; queueId < QUEUES; queueId++) gone.parts.offsets.commit('CGonline', 'Online', queueId, 2);
  peer.close();
  const answer = await gone.ask(222, reset());
  assert.equal(answer.code, 206);
  assert.match(answer.remark ?? '', /^Consumer not online, so can not reset offset, Group: CGonline Topic: Online Timestamp: 0 /);
  assert.equal(
    legacyText((await gone.ask(222, reset({ topic: 'Nowhere' }))).remark),
    '[reset-offset] reset offset failed, no topic in this broker. topic=Nowhere',
  );
});

test('the clients of a group say how far they are; one that does not answer is left out', async () => {
  const peer = new FakePeer();
  const silent = new FakePeer();
  const broker = await online({}, peer);
  await broker.ask(34, {}, { peer: silent, body: heartbeat({ clientId: 'silent', group: 'CGonline', topics: { Online: '*' } }) });
  const golden = goldenCases(CALLS).get('GET_CONSUMER_STATUS_FROM_CLIENT-0-1');
  const answer: PeerAnswer = { code: 0, version: 513, remark: undefined, ext: {}, body: Buffer.from(golden?.responseBody ?? '') };
  peer.reply = () => Promise.resolve(answer);
  await replay(broker, { family: CALLS, name: 'INVOKE_BROKER_TO_GET_CONSUMER_STATUS-0-1' });
  assert.deepEqual(peer.requests[0], { code: 221, ext: { topic: 'Online', group: 'CGonline' } });
  assert.equal(silent.requests.length, 1);
  const one = await broker.ask(223, { topic: 'Online', group: 'CGonline', clientAddr: 'silent' });
  assert.equal(one.body?.toString(), '{"consumerTable":{},"messageQueueTable":{}}');
  const nobody = await broker.ask(223, { topic: 'Online', group: 'Nobody' });
  assert.deepEqual([nobody.code, legacyText(nobody.remark)], [1, 'No Any Consumer online in the consumer group: [Nobody]']);
});

test('time spans, corrections, clones, topics and subscriptions of a group are answered as a Java broker does', async () => {
  const broker = await online({ listenPort: '19110' });
  fill(broker, 3);
  for (let queueId = 0; queueId < QUEUES; queueId++) broker.parts.offsets.commit('CGonline', 'Online', queueId, 3);
  await replay(broker, { family: 'admin', name: 'QUERY_TOPICS_BY_CONSUMER-0-1', body: 'shape' });
  await replay(broker, { family: 'admin', name: 'QUERY_SUBSCRIPTION_BY_CONSUMER-0-1', body: 'shape' });
  await replay(broker, { family: 'admin', name: 'CLONE_GROUP_OFFSET-0-1' });
  assert.equal(broker.parts.offsets.position('CGclone', 'Online', 2), 3);
  for (let queueId = 0; queueId < QUEUES; queueId++) broker.parts.offsets.commit('CGonline', 'Online', queueId, 0);
  await replay(broker, { family: 'admin', name: 'QUERY_CORRECTION_OFFSET-0-1' });
});

test('a time span names oldest, newest and consumed message, and how far behind the group is', async () => {
  const broker = await online();
  fill(broker, 3);
  broker.parts.offsets.commit('CGonline', 'Online', 0, 2);
  broker.parts.offsets.commit('CGonline', 'Online', 1, 3);
  const nowMs = broker.platform.clock.wallMs();
  const { consumeTimeSpanSet } = JSON.parse((await broker.ask(303, { topic: 'Online', group: 'CGonline' })).body?.toString() ?? '');
  assert.deepEqual(consumeTimeSpanSet[0], {
    consumeTimeStamp: 200,
    consumeTimeStampStr: '1970-01-01#00:00:00:200',
    delayTime: nowMs - 300,
    maxTimeStamp: 300,
    maxTimeStampStr: '1970-01-01#00:00:00:300',
    messageQueue: { brokerName: 'broker-a', queueId: 0, topic: 'Online' },
    minTimeStamp: 100,
    minTimeStampStr: '1970-01-01#00:00:00:100',
  });
  assert.equal(consumeTimeSpanSet[1].delayTime, 0);
  assert.equal((await broker.ask(303, { topic: 'Nowhere', group: 'CGonline' })).code, 17);
});

test('a correction is the smallest position of the groups, and Long.MAX_VALUE where the compared group is behind it', async () => {
  const broker = await online();
  fill(broker, 5);
  const { offsets } = broker.parts;
  broker.store.expire('Online', 2, 3);
  for (const [group, positions] of [
    ['G1', [4, 2, 1]],
    ['G2', [3, 5, 4]],
    ['G3', [1, 1, 5]],
  ] as const)
    for (const [queueId, queueOffset] of positions.entries()) offsets.commit(group, 'Online', queueId, queueOffset);
  const ask = async (ext: Readonly<Record<string, string>>): Promise<string | undefined> =>
    (await broker.ask(308, { topic: 'Online', compareGroup: 'G1', ...ext })).body?.toString();
  assert.equal(await ask({}), '{"correctionOffsets":{0:1,1:1,2:9223372036854775807}}');
  assert.equal(await ask({ filterGroups: 'G3' }), '{"correctionOffsets":{0:3,1:2,2:9223372036854775807}}');
  assert.equal(offsets.position('G3', 'Online', 0), 1, 'a question changes nothing; Apache deletes what it leaves out');
});

test('a clone copies all topics of a group, or one; a topic the online group does not read only with offline=true', async () => {
  const broker = await online();
  broker.parts.topics.createInternal({ topic: 'Left', queueNums: 1, perm: 6, topicSysFlag: 0, order: false });
  const { offsets } = broker.parts;
  offsets.commit('CGonline', 'Online', 0, 7);
  offsets.commit('CGonline', 'Left', 0, 8);
  offsets.commit('CGonline', 'Gone', 0, 9);
  await broker.ask(314, { srcGroup: 'CGonline', destGroup: 'A', topic: '', offline: 'false' });
  assert.deepEqual(offsets.topicsOf('A'), ['Online']);
  await broker.ask(314, { srcGroup: 'CGonline', destGroup: 'B', offline: 'true' });
  assert.deepEqual(offsets.topicsOf('B').sort(), ['Left', 'Online']);
  await broker.ask(314, { srcGroup: 'CGonline', destGroup: 'C', topic: 'Left', offline: 'true' });
  assert.deepEqual([offsets.topicsOf('C'), offsets.position('C', 'Left', 0)], [['Left'], 8]);
});

test('rows of a ConsumeQueue are shown as a Java broker shows them, with what a group lets through', async () => {
  const broker = new TestBroker();
  broker.parts.topics.createInternal({ topic: 'Online', queueNums: 1, perm: 6, topicSysFlag: 0, order: false });
  fill(broker, 3, 'Online', 1);
  await replay(broker, { family: 'query', name: 'QUERY_CONSUME_QUEUE-0-1', body: 'shape' });
  await replay(broker, { family: 'query', name: 'QUERY_CONSUME_QUEUE-0-2', body: 'shape' });
  await replay(broker, { family: 'query', name: 'QUERY_CONSUME_QUEUE-1-1' });
  const rows = async (ext: Readonly<Record<string, string>>): Promise<{ physicOffset: number; eval: boolean }[]> =>
    JSON.parse((await broker.ask(321, { topic: 'Online', queueId: '0', ...ext })).body?.toString() ?? '').queueData;
  assert.equal((await rows({ index: '-2', count: '10' })).length, 2);
  assert.equal((await rows({ index: '0', count: '-1' })).length, 0);
  const shown = await online();
  fill(shown, 1);
  const answer = await shown.ask(321, { topic: 'Online', queueId: '0', index: '0', count: '1', consumerGroup: 'CGonline' });
  const body = JSON.parse(answer.body?.toString() ?? '');
  assert.deepEqual([body.filterData, body.subscriptionData.subString, body.queueData[0].eval], ['null', 'TagA || TagB', false]);
});
