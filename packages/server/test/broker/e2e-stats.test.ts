/** The counters that VIEW_BROKER_STATS_DATA (315) shows, by Apache's names and keys (broker.md 23). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e } from './e2e-wire.ts';
import { heartbeat } from './fakes.ts';
import { ACK, pop } from './pop/pop-wire.ts';

const CLUSTER = 'DefaultCluster';

interface Figure {
  readonly sum: number;
  readonly tps: number;
  readonly avgpt: number;
}

/** The last minute of a counter; undefined when the broker does not know it. */
async function minute(broker: E2e, statsName: string, statsKey: string): Promise<Figure | undefined> {
  const { code, remark, body } = await broker.request(315, { statsName, statsKey });
  if (code === 0) return (JSON.parse(body.toString()) as { statsMinute: Figure }).statsMinute;
  assert.equal(code, 1);
  assert.match(remark, new RegExp(`^The stats <${statsName}> <${statsKey}> not exist \\[stats-not-exist\\] `));
  return undefined;
}

async function sum(broker: E2e, statsName: string, statsKey: string): Promise<number | undefined> {
  return (await minute(broker, statsName, statsKey))?.sum;
}

/** Long enough for a sample. */
async function sampled(broker: E2e): Promise<void> {
  await broker.cluster.clock.advance(10_000);
}

test('send-backs are counted by first topic and group, dead letters among them by their owner too', async () => {
  const broker = await e2e({ messageDelayLevel: '1s 2s 3s' });
  await broker.send({ body: 'm' });
  const [record] = await broker.all();
  const back = { group: 'G', delayLevel: 1, originMsgId: 'x', originTopic: 'T', unitMode: false, maxReconsumeTimes: 1 };
  assert.equal(await sum(broker, 'SNDBCK_PUT_NUMS', 'T@G'), undefined);
  assert.equal((await broker.request(36, { ...back, offset: record?.physicalOffset })).code, 0);
  assert.equal((await broker.request(36, { ...back, offset: 99_999 })).code, 1, 'what is refused is not counted');
  await sampled(broker);
  assert.deepEqual([await sum(broker, 'SNDBCK_PUT_NUMS', 'T@G'), await sum(broker, 'DLQ_PUT_NUMS', 'T@G')], [1, undefined]);
  const [retried] = await broker.all('%RETRY%G');
  assert.equal((await broker.request(36, { ...back, offset: retried?.physicalOffset, Owner: 'me' })).code, 0);
  await sampled(broker);
  assert.deepEqual(
    [
      await sum(broker, 'SNDBCK_PUT_NUMS', 'T@G'),
      await sum(broker, 'DLQ_PUT_NUMS', 'T@G'),
      await sum(broker, 'SNDBCK2DLQ_TIMES', 'me@T@G@SEND_BACK_TO_DLQ'),
    ],
    [2, 1, 1],
  );
  assert.equal((await broker.request(215, { topic: 'T' })).code, 0);
  for (const [name, key] of [
    ['SNDBCK_PUT_NUMS', 'T@G'],
    ['SNDBCK2DLQ_TIMES', 'me@T@G@SEND_BACK_TO_DLQ'],
  ] as const)
    assert.equal(await sum(broker, name, key), undefined, `${name} of a deleted topic`);
});

test('check points and acknowledgements of pops are counted by topic and group, and for the broker', async () => {
  const broker = await e2e();
  for (let i = 0; i < 3; i++) await broker.send({ body: `m${i}` });
  const popped = await pop(broker, { max: 3 });
  assert.equal(popped.length, 3);
  for (const { handle, queueOffset } of popped.slice(0, 2))
    assert.equal(
      (await broker.request(ACK, { consumerGroup: 'G', topic: 'T', queueId: 0, extraInfo: handle, offset: queueOffset })).code,
      0,
    );
  await sampled(broker);
  assert.deepEqual([await sum(broker, 'GROUP_CK_NUMS', 'T@G'), await sum(broker, 'BROKER_CK_NUMS', CLUSTER)], [1, 1]);
  assert.deepEqual([await sum(broker, 'GROUP_ACK_NUMS', 'T@G'), await sum(broker, 'BROKER_ACK_NUMS', CLUSTER)], [2, 2]);
});

test('how far a group reads behind in a queue is told in bytes and in time, and how long its pulls take', async () => {
  const broker = await e2e();
  await broker.send({ body: 'a' });
  await broker.send({ body: 'b' });
  const { sizeBytes } = (await broker.all()).at(-1) ?? { sizeBytes: -1 };
  assert.equal((await broker.pull({ group: 'Slow', max: 1 })).code, 0);
  await broker.cluster.clock.advance(5_000);
  assert.equal(await sum(broker, 'GROUP_GET_FALL_SIZE', '0@T@Slow'), sizeBytes);
  const behindMs = (await sum(broker, 'GROUP_GET_FALL_TIME', '0@T@Slow')) ?? -1;
  assert.ok(behindMs >= 5_000 && behindMs < 6_000, `${behindMs}`);
  assert.equal((await broker.pull({ group: 'Slow', queueOffset: 1, max: 1 })).code, 0);
  assert.deepEqual(
    [await sum(broker, 'GROUP_GET_FALL_SIZE', '0@T@Slow'), await sum(broker, 'GROUP_GET_FALL_TIME', '0@T@Slow')],
    [0, 0],
    'at the end of the queue',
  );
  await sampled(broker);
  const latency = await minute(broker, 'GROUP_GET_LATENCY', 'T@Slow');
  assert.ok(latency !== undefined && Number.isInteger(latency.sum) && latency.avgpt >= 0);
  for (const key of ['0@T@Nobody', 'x@T@Slow', 'T', ''])
    for (const name of ['GROUP_GET_FALL_SIZE', 'GROUP_GET_FALL_TIME'])
      assert.match((await broker.request(315, { statsName: name, statsKey: key })).remark, / not exist \[stats-not-exist\] /);
});

test('registrations and connections are counted, and messages without those of system topics', async () => {
  const broker = await e2e();
  await broker.send({ body: 'user' });
  await broker.send({ topic: 'SCHEDULE_TOPIC_XXXX', body: 'never' });
  await broker.send({ body: 'later', properties: { DELAY: '1' } });
  await broker.request(34, {}, heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' } }));
  const other = await broker.connect('other');
  other.connection.end();
  await sampled(broker);
  assert.equal(await sum(broker, 'BROKER_PUT_NUMS', CLUSTER), 3, 'one waits in SCHEDULE_TOPIC_XXXX before it is in its topic');
  assert.equal(await sum(broker, 'BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC', CLUSTER), 2);
  assert.equal(await sum(broker, 'BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC', CLUSTER), 0);
  assert.notEqual(await minute(broker, 'CONSUMER_REGISTER_TIME', CLUSTER), undefined);
  assert.equal(await sum(broker, 'CHANNEL_ACTIVITY', 'CONNECT'), 2);
  assert.equal(await sum(broker, 'CHANNEL_ACTIVITY', 'CLOSE'), 1);
  assert.equal(await sum(broker, 'CHANNEL_ACTIVITY', 'IDLE'), undefined);
});
