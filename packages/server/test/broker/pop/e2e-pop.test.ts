/** Pop, ack, batch ack, change of the invisible time through a whole broker with a hand-moved clock (broker.md 18). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e, records } from '../e2e-wire.ts';
import { ACK, ack, ackExt, BATCH_ACK, batchAckBody, bodiesOf, CHANGE, change, changeExt, PEEK, POP, pop, popExt } from './pop-wire.ts';

const advance = (broker: E2e, ms: number): Promise<void> => broker.cluster.clock.advance(ms);
/** The revive loop has looked by then: 1 s timer precision, 2 s for late acks, a pause of up to 3 s. */
const REVIVE_MS = 8_000;

async function sendAll(broker: E2e, bodies: readonly string[], options: Parameters<E2e['send']>[0] = {}): Promise<void> {
  for (const body of bodies) assert.equal((await broker.send({ queueId: 0, ...options, body })).code, 0);
}

test('an acknowledged message is delivered once, another one again after its invisible time, under its own topic', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b', 'c'], { properties: { TAGS: 'x', KEYS: 'k' }, flag: 7 });
  const first = await pop(broker, { invisibleMs: 10_000 });
  assert.deepEqual(bodiesOf(first), ['a', 'b', 'c']);
  await ack(broker, first[0]!);
  await ack(broker, first[2]!);
  assert.deepEqual(await pop(broker), []);
  await advance(broker, 9_000);
  assert.deepEqual(await pop(broker), []);
  await advance(broker, REVIVE_MS);
  const again = await pop(broker);
  assert.deepEqual(bodiesOf(again), ['b']);
  const message = again[0]!;
  assert.equal(message.topic, 'T');
  assert.equal(message.realTopic, '%RETRY%G_T');
  assert.equal(message.reconsumeTimes, 1);
  assert.equal(message.properties['ORIGIN_GROUP'], 'G');
  assert.equal(message.properties['1ST_POP_TIME'], first[1]?.handle.split(' ')[1]);
  assert.equal(message.properties['KEYS'], 'k');
  await ack(broker, message);
  await advance(broker, 60_000);
  assert.deepEqual(await pop(broker), []);
});

test('a message that is never acknowledged comes again and again, counted', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a']);
  for (let times = 0; times < 4; times++) {
    const [message] = await pop(broker, { invisibleMs: 2_000 });
    assert.equal(message?.reconsumeTimes, times);
    await advance(broker, 2_000 + REVIVE_MS);
  }
});

test('the answer says what it has as Apache says it', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b', 'c']);
  await sendAll(broker, ['d'], { queueId: 2 });
  const answer = await broker.request(POP, popExt({ max: 2, queueId: 0 }));
  const nowMs = broker.cluster.clock.wallMs();
  assert.deepEqual(Object.keys(answer.ext), ['invisibleTime', 'startOffsetInfo', 'restNum', 'popTime', 'reviveQid', 'msgOffsetInfo']);
  assert.deepEqual(answer.ext, {
    invisibleTime: '10000',
    startOffsetInfo: '0 0 0',
    restNum: '1',
    popTime: answer.ext['popTime'],
    reviveQid: '0',
    msgOffsetInfo: '0 0 0,1',
  });
  assert.ok(Math.abs(Number(answer.ext['popTime']) - nowMs) < 100);
  assert.equal(answer.remark, 'FOUND');
  const rest = await broker.request(POP, popExt());
  assert.equal(records(rest.body).length, 2);
  assert.equal(rest.ext['reviveQid'], '1');
  assert.deepEqual(rest.ext['msgOffsetInfo']?.split(';').toSorted(), ['0 0 2', '0 2 0']);
  const nothing = await broker.request(POP, popExt());
  assert.equal(nothing.code, 210);
  assert.equal(nothing.remark, 'NO_MESSAGE_IN_QUEUE');
  assert.deepEqual([nothing.ext['startOffsetInfo'], nothing.ext['msgOffsetInfo'], nothing.ext['restNum']], ['', '', '0']);
});

test('one batch ack is for messages of several pops, redeliveries included', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b', 'c', 'd']);
  await pop(broker, { max: 1, invisibleMs: 1_000 });
  await advance(broker, 1_000 + REVIVE_MS);
  const again = [...(await pop(broker, { max: 1, invisibleMs: 5_000 })), ...(await pop(broker, { invisibleMs: 5_000 }))];
  assert.deepEqual(bodiesOf(again).toSorted(), ['a', 'b', 'c', 'd']);
  assert.equal((await broker.request(BATCH_ACK, {}, batchAckBody(again.filter(({ body }) => body !== 'c')))).code, 0);
  await advance(broker, 5_000 + REVIVE_MS);
  const left = await pop(broker);
  assert.deepEqual(bodiesOf(left), ['c']);
});

test('a changed invisible time counts from the change; the old handle is void, the new one acknowledges', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b']);
  const [a, b] = await pop(broker, { invisibleMs: 5_000 });
  const later = await change(broker, a!, 60_000);
  assert.notEqual(later.handle, a?.handle);
  await change(broker, b!, 60_000);
  await advance(broker, 5_000 + REVIVE_MS);
  assert.deepEqual(await pop(broker), []);
  await ack(broker, later);
  await advance(broker, 55_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)), ['b']);
});

test('a changed time in the very millisecond of the pop is not undone by the ack of the old handle', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a']);
  const [message] = await pop(broker);
  const changed = await change(broker, message!, 2_000);
  assert.ok(Number(changed.handle.split(' ')[1]) > Number(message?.handle.split(' ')[1]));
  await advance(broker, 2_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)), ['a']);
});

test('an invisible time of 0 brings the message back soon; with suspend it does not count as a failure', async () => {
  for (const [suspend, times] of [
    [false, 1],
    [true, 0],
  ] as const) {
    const broker = await e2e();
    await sendAll(broker, ['a']);
    const [message] = await pop(broker, { invisibleMs: 3_600_000 });
    await change(broker, message!, 0, suspend);
    await advance(broker, REVIVE_MS);
    assert.equal((await pop(broker))[0]?.reconsumeTimes, times);
  }
});

test('acks that cannot be are refused as Apache refuses them, and change nothing', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a']);
  const [message] = await pop(broker, { invisibleMs: 5_000 });
  const ext = ackExt(message!);
  const cases: [number, string, Record<string, string | number>][] = [
    [17, 'topic[X] not exist, apply first please! \nSee', { topic: 'X' }],
    [13, 'queueId[99] is illegal, topic:[T] topicConfig.readQueueNums:[4] consumer:[/', { queueId: 99 }],
    [208, 'offset is illegal, key:T@0, commit:999, store:0~1', { offset: 999 }],
    [1, 'extraInfo is not a receipt handle: nonsense', { extraInfo: 'nonsense' }],
    [29, 'reviveQid[77] is illegal', { extraInfo: message!.handle.replace(/^(\S+ \S+ \S+) \S+/, '$1 77') }],
    [29, 'group type or bind topic not match.', { liteTopic: 'l' }],
  ];
  for (const [code, remark, change] of cases) {
    const answer = await broker.request(ACK, { ...ext, ...change });
    assert.equal(answer.code, code, answer.remark);
    assert.ok(answer.remark.startsWith(remark), answer.remark);
  }
  assert.equal((await broker.request(ACK, { ...ext, offset: undefined })).code, 1);
  for (const [code, more] of [
    [17, { topic: 'X' }],
    [13, { queueId: 99 }],
    [208, { offset: 1 }],
    [29, { invisibleTime: -1 }],
    [29, { invisibleTime: 1e12 }],
  ] as const) {
    const answer = await broker.request(CHANGE, { ...changeExt(message!, 1_000), ...more });
    assert.equal(answer.code, code, answer.remark);
    assert.deepEqual(answer.ext, { invisibleTime: '0', popTime: '0', reviveQid: '0' });
  }
  assert.equal((await broker.request(BATCH_ACK, {}, '{"brokerName":"broker-a"}')).code, 208);
  assert.equal((await broker.request(BATCH_ACK, {}, '{')).code, 1);
  await advance(broker, 5_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)), ['a']);
});

test('a batch ack for queues and messages that are not there is taken, as by Apache, and changes nothing', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a']);
  const [message] = await pop(broker, { invisibleMs: 5_000 });
  const foreign = [
    { ...message!, topic: 'X' },
    { ...message!, queueId: 3 },
    { ...message!, queueOffset: 40 },
  ];
  assert.equal((await broker.request(BATCH_ACK, {}, batchAckBody(foreign.map((one) => ({ ...one, group: 'H' }))))).code, 0);
  await advance(broker, 5_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)), ['a']);
});

test('pops that cannot be are refused as Apache refuses them, with its header of zeros', async () => {
  const broker = await e2e({ autoCreateSubscriptionGroup: 'false', enableCreateSysGroup: 'false' });
  await sendAll(broker, ['a']);
  const group = 'TOOLS_CONSUMER';
  const ip = broker.cluster.brokerAddress.split(':')[0];
  const nowMs = broker.cluster.clock.wallMs();
  const cases: [number, string, Record<string, string | number>][] = [
    [210, `the broker[${ip}] pop message is timeout too much`, { bornTime: nowMs - 3_000, pollTime: 1_000 }],
    [29, `the broker[${ip}] pop message's num is greater than 32`, { maxMsgNums: 33 }],
    [29, `the broker[${ip}] pop message's num is not positive`, { maxMsgNums: 0 }],
    [29, 'the invisible time is out of range', { invisibleTime: 1e12 }],
    [
      17,
      'topic[X] not exist, apply first please! \nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.',
      { topic: 'X' },
    ],
    [29, 'queueId[99] is illegal, topic:[T] topicConfig.readQueueNums:[4] consumer:[/', { queueId: 99 }],
    [26, 'subscription group [none] does not exist, \nSee', { consumerGroup: 'none' }],
    [23, "parse the consumer's subscription failed", { expType: 'SQL92', exp: 'a >> 1 and' }],
    [23, "parse the consumer's subscription failed", { exp: '||' }],
    [23, "parse the consumer's subscription failed", { expType: 'REGEX', exp: 'a' }],
  ];
  for (const [code, remark, change] of cases) {
    const answer = await broker.request(POP, { ...popExt({ group }), ...change });
    assert.equal(answer.code, code, answer.remark);
    assert.ok(answer.remark.startsWith(remark), answer.remark);
    assert.deepEqual(answer.ext, { invisibleTime: '0', restNum: '0', popTime: '0', reviveQid: '0' });
  }
  assert.equal((await broker.request(POP, { ...popExt({ group }), initMode: undefined })).code, 1);
  assert.equal((await broker.request(POP, { ...popExt({ group }), invisibleTime: 'soon' })).code, 1);
  assert.deepEqual(bodiesOf(await pop(broker, { group })), ['a']);
});

test('without a timer wheel nothing is popped, since nothing would come back', async () => {
  const broker = await e2e({ timerWheelEnable: 'false' });
  await sendAll(broker, ['a']);
  const answer = await broker.request(POP, popExt());
  assert.equal(answer.code, 1);
  assert.match(answer.remark, /pop message is forbidden because timerWheelEnable is false \[timer-off]/);
});

test('a new group starts at the first message, or at the newest where it asks for that and the first is not in memory', async () => {
  const young = await e2e();
  await sendAll(young, ['a', 'b', 'c']);
  assert.deepEqual(bodiesOf(await pop(young, { initMode: 1 })), ['a', 'b', 'c']);
  const old = await e2e({ initPopOffsetByCheckMsgInMem: 'false' });
  await sendAll(old, ['a', 'b', 'c']);
  assert.deepEqual(bodiesOf(await pop(old, { initMode: 1 })), ['c']);
  assert.deepEqual(bodiesOf(await pop(old, { group: 'H', initMode: 0 })), ['a', 'b', 'c']);
});

test('tags are filtered by the broker, also in redeliveries, and left-out messages do not come again', async () => {
  const broker = await e2e();
  for (const tag of ['x', 'y', 'x', 'z']) await sendAll(broker, [tag], { properties: { TAGS: tag } });
  const first = await pop(broker, { exp: 'x || z', invisibleMs: 2_000 });
  assert.deepEqual(bodiesOf(first), ['x', 'x', 'z']);
  await ack(broker, first[0]!);
  await advance(broker, 2_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker, { exp: 'x || z' })), ['x', 'z']);
  assert.deepEqual(await pop(broker, { exp: '*' }), []);
});

test('a filter that leaves out more than one look sees reaches the message behind it', async () => {
  const broker = await e2e();
  for (let i = 0; i < 900; i++) await sendAll(broker, ['no'], { properties: { TAGS: 'no' } });
  await sendAll(broker, ['yes'], { properties: { TAGS: 'yes' } });
  assert.deepEqual(bodiesOf(await pop(broker, { exp: 'yes' })), ['yes']);
});

test('SQL92 filters look at the properties of the messages', async () => {
  const broker = await e2e();
  for (const a of ['1', '5', '9']) await sendAll(broker, [a], { properties: { a } });
  assert.deepEqual(bodiesOf(await pop(broker, { expType: 'SQL92', exp: 'a > 4' })), ['5', '9']);
});

test('redeliveries wait in the retry topic of the second naming where that is on, and those of the first are still read', async () => {
  const broker = await e2e();
  await sendAll(broker, ['old', 'new']);
  await pop(broker, { max: 1, invisibleMs: 1_000 });
  await advance(broker, 1_000 + REVIVE_MS);
  await broker.cluster.restart('broker', { enableRetryTopicV2: 'true' });
  await broker.reconnect();
  const seen = new Map<string, string>();
  for (let i = 0; i < 40 && seen.size < 2; i++)
    for (const message of await pop(broker, { invisibleMs: 1_000 })) {
      if (message.body === 'old' || message.reconsumeTimes > 0) {
        seen.set(message.body, message.realTopic);
        await ack(broker, message);
      } else await advance(broker, 1_000 + REVIVE_MS);
    }
  assert.deepEqual(Object.fromEntries(seen), { old: '%RETRY%G_T', new: '%RETRY%G+T' });
});

test('with useSeparateRetryQueue a redelivery keeps the queue of its message', async () => {
  const broker = await e2e({ useSeparateRetryQueue: 'true' });
  await sendAll(broker, ['a'], { queueId: 3 });
  await pop(broker, { invisibleMs: 1_000 });
  await advance(broker, 1_000 + REVIVE_MS);
  const [message] = await pop(broker);
  assert.equal(message?.queueId, 3);
  assert.equal(message?.realTopic, '%RETRY%G_T');
  await ack(broker, message!);
});

test('with popResponseReturnActualRetryTopic redeliveries keep the name of their topic', async () => {
  const broker = await e2e({ popResponseReturnActualRetryTopic: 'true' });
  await sendAll(broker, ['a']);
  await pop(broker, { invisibleMs: 1_000 });
  await advance(broker, 1_000 + REVIVE_MS);
  const answer = await broker.request(POP, popExt());
  assert.deepEqual(
    records(answer.body).map(({ topic, properties }) => [topic, properties['POP_CK']]),
    [['%RETRY%G_T', undefined]],
  );
  assert.equal(answer.ext['msgOffsetInfo'], '1 0 0');
});

test('a message that was delayed by level comes again after its invisible time, not after its delay', async () => {
  const broker = await e2e();
  await sendAll(broker, ['later'], { properties: { DELAY: '5' } });
  await advance(broker, 62_000);
  assert.deepEqual(bodiesOf(await pop(broker, { invisibleMs: 1_000 })), ['later']);
  await advance(broker, 1_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)), ['later']);
});

test('the queues of a priority topic are popped from the highest down', async () => {
  const broker = await e2e();
  const attributes = '+message.type=PRIORITY';
  const ext = {
    topic: 'P',
    defaultTopic: 'TBW102',
    readQueueNums: 4,
    writeQueueNums: 4,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
  };
  assert.equal((await broker.request(17, { ...ext, attributes })).code, 0);
  for (const queueId of [0, 1, 2, 3, 3]) await sendAll(broker, [`p${queueId}`], { topic: 'P', queueId });
  const popped: string[] = [];
  for (let i = 0; i < 5; i++) popped.push(...bodiesOf(await pop(broker, { topic: 'P', max: 1 })));
  assert.deepEqual(popped, ['p3', 'p3', 'p2', 'p1', 'p0']);
});

test('with enablePopMessageThreshold a group gets no more while too much is out', async () => {
  const broker = await e2e({ enablePopMessageThreshold: 'true', popInflightMessageThreshold: '2' });
  await sendAll(broker, ['a', 'b', 'c', 'd', 'e']);
  const out = [...(await pop(broker, { max: 2, queueId: 0 })), ...(await pop(broker, { max: 1, queueId: 0 }))];
  assert.equal(out.length, 3);
  assert.deepEqual(await pop(broker, { max: 1, queueId: 0 }), []);
  await ack(broker, out[0]!);
  assert.deepEqual(bodiesOf(await pop(broker, { max: 1, queueId: 0 })), ['d']);
});

test('a peek shows what a pop would take, and takes nothing', async () => {
  const broker = await e2e();
  await sendAll(broker, ['a', 'b', 'c']);
  const ext = { consumerGroup: 'G', topic: 'T', queueId: 0, maxMsgNums: 2 };
  for (let i = 0; i < 2; i++) {
    const answer = await broker.request(PEEK, ext);
    assert.deepEqual(bodiesOf(records(answer.body)), ['a', 'b']);
    assert.deepEqual([answer.code, answer.remark], [0, 'FOUND']);
    assert.deepEqual(answer.ext, { invisibleTime: '0', restNum: '1', popTime: '0', reviveQid: '0' });
  }
  assert.equal((await pop(broker)).length, 3);
  const nothing = await broker.request(PEEK, ext);
  assert.deepEqual([nothing.code, nothing.remark, nothing.body.length], [19, 'NO_MESSAGE_IN_QUEUE', 0]);
});

test('request 200056 is refused with its reason', async () => {
  const answer = await (await e2e()).request(200056);
  assert.equal(answer.code, 3);
  assert.match(answer.remark, /^ request type 200056 not supported .*revive topic and never in RocksDB/);
});

test('an answer never grows beyond a frame: what does not fit is taken by the next pop', async () => {
  const broker = await e2e({ mappedFileSizeCommitLog: String(32 * 1024 * 1024), maxMessageSize: String(8 * 1024 * 1024) });
  const big = Buffer.alloc(6 * 1024 * 1024, 'x').toString();
  for (const queueId of [0, 1, 2]) await sendAll(broker, [big], { queueId });
  const sizes: number[] = [];
  for (let i = 0; i < 3; i++) sizes.push((await pop(broker)).length);
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    3,
  );
  assert.ok(
    sizes.every((size) => size <= 2),
    String(sizes),
  );
});
