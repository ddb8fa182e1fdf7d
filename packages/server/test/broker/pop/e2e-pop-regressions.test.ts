/** Defects that pop consumption had at Apache; each test tells the story of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e, isPending } from '../e2e-wire.ts';
import { ack, bodiesOf, change, POP, pop, popExt, poppedOf } from './pop-wire.ts';

const advance = (broker: E2e, ms: number): Promise<void> => broker.cluster.clock.advance(ms);
const REVIVE_MS = 8_000;

async function sendAll(broker: E2e, bodies: readonly string[], topic = 'T'): Promise<void> {
  for (const body of bodies) await broker.send({ topic, body, queueId: 0 });
}

/**
 * apache/rocketmq#3503: where a read of the store had no answer, the pop committed position 0 for the group, and
 * everything that it had consumed was delivered again. Here the store has no answer since the queue is gone (its topic was
 * deleted and made again).
 */
test('#3503: a queue that cannot be read does not put the group back to its beginning', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b', 'c']);
  for (const message of await pop(broker)) await ack(broker, message);
  const position = () => broker.cluster.broker.parts.offsets.position('G', 'T', 0);
  await advance(broker, 1_000);
  assert.equal(position(), 3);
  await broker.run(broker.cluster.broker.store.removeTopic('T'));
  assert.deepEqual(await pop(broker), []);
  assert.equal(position(), 3);
});

test('#3503: a position behind the end of a queue, or before its first message, is put where the store says', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b', 'c']);
  const { offsets } = broker.cluster.broker.parts;
  offsets.commit('G', 'T', 0, 40);
  assert.deepEqual(await pop(broker, { queueId: 0 }), []);
  assert.equal(offsets.position('G', 'T', 0), 3);
  await sendAll(broker, ['d']);
  assert.deepEqual(bodiesOf(await pop(broker, { queueId: 0 })), ['d']);
});

/**
 * apache/rocketmq#7914: check points whose popTime was earlier than the store time of their message were taken for ones of
 * a topic that had been deleted since, and their messages were never redelivered. A pop that waits has such a popTime: it
 * began before the message came.
 */
test('#7914: a message that came while its pop was under way is redelivered', async () => {
  const broker = await e2e();
  await sendAll(broker, ['first']);
  await pop(broker, { invisibleMs: 3_600_000 });
  const waiting = broker.client.request(POP, popExt({ pollMs: 15_000, invisibleMs: 2_000 }));
  assert.equal(await isPending(broker, waiting), true);
  await advance(broker, 5_000);
  await sendAll(broker, ['a']);
  assert.deepEqual(bodiesOf(poppedOf(await broker.run(waiting), 'G')), ['a']);
  await advance(broker, 2_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)), ['a']);
});

test('#7914: a check point that is older than its message by the clock (which went back) is redelivered', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a']);
  const { offsets, store } = broker.cluster.broker.parts;
  const storedMs = store.storeTimestampAt('T', 0, 0);
  // As the broker would have stored it with its clock ten seconds back.
  const popTimeMs = storedMs - 10_000;
  const body = `{"bm":0,"bn":"broker-a","c":"G","d":[0],"it":1000,"n":1,"pt":${popTimeMs},"q":0,"reviveTime":${popTimeMs + 1_000},"ro":0,"so":0,"sp":false,"t":"T"}`;
  broker.cluster.broker.parts.groups.findOrCreate('G');
  offsets.commit('G', 'T', 0, 1);
  await broker.run(
    broker.cluster.broker.put.put({
      topic: 'rmq_sys_REVIVE_LOG_DefaultCluster',
      queueId: 0,
      sysFlag: 0,
      properties: new Map([
        ['TAGS', 'ck'],
        ['UNIQ_KEY', 'u'],
        ['TIMER_DELIVER_MS', String(popTimeMs)],
      ]),
      body: Buffer.from(body),
      flag: 0,
      bornTimestampMs: popTimeMs,
      bornHost: Buffer.alloc(8),
      reconsumeTimes: 0,
      preparedTransactionOffset: 0,
      waits: true,
    }),
  );
  await advance(broker, REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)), ['a']);
});

/**
 * apache/rocketmq#9105: groups of light queues stand in no table of groups. What the broker kept for their pops was
 * dropped as that of unknown groups, and messages were delivered twice.
 */
test('#9105: what is kept for a group that stands in no table is kept', async () => {
  const broker = await e2e();
  const group = '%LMQ%light';
  await sendAll(broker, ['a', 'b']);
  const batch = await pop(broker, { group, order: true, queueId: 0, invisibleMs: 600_000, attemptId: 'a' });
  assert.deepEqual(bodiesOf(batch), ['a', 'b']);
  broker.cluster.broker.parts.groups.remove(group);
  await broker.cluster.restart('broker', { autoCreateSubscriptionGroup: 'false' });
  await broker.reconnect();
  await advance(broker, 60_000);
  await broker.cluster.restart('broker', { autoCreateSubscriptionGroup: 'true' });
  await broker.reconnect();
  assert.deepEqual(await pop(broker, { group, order: true, queueId: 0, attemptId: 'b' }), []);
  for (const message of batch) await ack(broker, message);
  assert.deepEqual(await pop(broker, { group, order: true, queueId: 0, attemptId: 'b' }), []);
});

/** apache/rocketmq#6339: the flag of a message was lost when it was redelivered. Body, born time and properties are kept too. */
test('#6339: a redelivered message is the message that was sent', async () => {
  const broker = await e2e();
  await broker.send({
    body: 'a',
    queueId: 0,
    flag: 77,
    bornTimestamp: 1_700_000_000_123,
    properties: { TAGS: 't', KEYS: 'k', mine: 'yes' },
  });
  const [first] = await pop(broker, { invisibleMs: 1_000 });
  await advance(broker, 1_000 + REVIVE_MS);
  const [again] = await pop(broker);
  assert.deepEqual(
    [again?.body, again?.flag, again?.bornTimestamp, again?.properties['TAGS'], again?.properties['KEYS'], again?.properties['mine']],
    [first?.body, 77, 1_700_000_000_123, 't', 'k', 'yes'],
  );
});

/** apache/rocketmq#8479: check points of a topic that was deleted and made again were retried for ever, or brought back wrong messages. */
test('#8479: check points of a deleted topic bring back nothing of the topic that took its name', async () => {
  const broker = await e2e();
  await sendAll(broker, ['old 0', 'old 1', 'old 2']);
  await pop(broker, { invisibleMs: 5_000 });
  assert.equal((await broker.request(215, { topic: 'T' })).code, 0);
  await advance(broker, 5_000 + REVIVE_MS);
  await sendAll(broker, ['new']);
  const seen: string[] = [];
  for (let i = 0; i < 5; i++) {
    for (const message of await pop(broker)) {
      seen.push(message.body);
      await ack(broker, message);
    }
    await advance(broker, 10_000);
  }
  assert.deepEqual(seen, ['new']);
});

/** apache/rocketmq#10276: a change whose new time is the old one's lost the message. */
test('#10276: an invisible time that is changed to end when it would have ended anyway loses nothing', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a']);
  const [message] = await pop(broker, { invisibleMs: 10_000 });
  const popTimeMs = Number(message?.handle.split(' ')[1]);
  await advance(broker, 4_000);
  await change(broker, message!, popTimeMs + 10_000 - broker.cluster.clock.wallMs());
  await advance(broker, 6_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)), ['a']);
});

/** apache/rocketmq#3443: the revive loop read its topic again and again while there were only acks in it. */
test('#3443: what is done with is not read again after a restart', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b']);
  for (const message of await pop(broker, { invisibleMs: 2_000 })) await ack(broker, message);
  await advance(broker, 2_000 + REVIVE_MS);
  const { store, offsets } = broker.cluster.broker.parts;
  const revive = 'rmq_sys_REVIVE_LOG_DefaultCluster';
  assert.equal(store.maxQueueOffset(revive, 0), 3);
  assert.equal(offsets.position('CID_RMQ_SYS_REVIVE_GROUP', revive, 0), 2);
});

/** A reset by an administrator forgets what is out: the group begins where it was told. */
test('a reset of the position is taken by the next pop, of ordered groups too', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b', 'c']);
  for (const order of [false, true]) {
    const group = order ? 'O' : 'N';
    const options = { group, order, queueId: 0, invisibleMs: 600_000 };
    assert.equal((await pop(broker, options)).length, 3);
    const answer = await broker.request(222, { topic: 'T', group, timestamp: -1, isForce: true, queueId: 0, offset: 1 });
    assert.equal(answer.code, 0, answer.remark);
    assert.deepEqual(bodiesOf(await pop(broker, options)), ['b', 'c']);
  }
});
