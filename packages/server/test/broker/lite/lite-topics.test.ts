/** Lite topics through the whole broker (since-5.4.md 6), with a hand-moved clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, type E2e, type Ext, e2e, isPending, PULL, records, type WireAnswer, type WireClient } from '../e2e-wire.ts';

const UPDATE_TOPIC = 17;
const DELETE_TOPIC = 215;
const UPDATE_GROUP = 200;
const SEARCH_OFFSET = 29;
const MAX_OFFSET = 30;
const ACK = 200051;
const CHANGE = 200053;
const POP_LITE = 200070;
const CONTROL = 200071;
const UNSUBSCRIBED = 200073;
const BROKER_INFO = 200074;
const PARENT_INFO = 200075;
const TOPIC_INFO = 200076;
const CLIENT_INFO = 200077;
const GROUP_INFO = 200078;
const TRIGGER = 200079;
const PARENT = 'Parent';
const GROUP = 'LiteGroup';

async function start(
  settings: Readonly<Record<string, string>> = {},
  groupAttributes: Readonly<Record<string, string>> = {},
): Promise<E2e> {
  const broker = await e2e({ enableLmq: 'true', enableMultiDispatch: 'true', ...settings });
  const topic = await broker.request(UPDATE_TOPIC, {
    topic: PARENT,
    defaultTopic: 'TBW102',
    readQueueNums: 4,
    writeQueueNums: 4,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: '+message.type=LITE,+lite.topic.expiration=60',
  });
  assert.equal(topic.code, 0, topic.remark);
  const attributes = { '+lite.bind.topic': PARENT, ...groupAttributes };
  const group = await broker.request(
    UPDATE_GROUP,
    {},
    JSON.stringify({ groupName: GROUP, consumeEnable: true, retryQueueNums: 1, attributes }),
  );
  assert.equal(group.code, 0, group.remark);
  return broker;
}

function control(
  broker: E2e,
  action: string,
  liteTopicSet: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
  client = broker.client,
): Promise<WireAnswer> {
  const change = { action, clientId: 'c1', group: GROUP, topic: PARENT, liteTopicSet, version: 1, ...more };
  return broker.run(client.request(CONTROL, {}, Buffer.from(JSON.stringify({ subscriptionSet: [change] }))));
}

async function subscribe(broker: E2e, liteTopics: readonly string[], clientId = 'c1'): Promise<void> {
  const answer = await control(broker, 'COMPLETE_ADD', liteTopics, { clientId });
  assert.equal(answer.code, 0, answer.remark);
}

async function sendTo(broker: E2e, liteTopic: string, body: string): Promise<void> {
  assert.equal((await broker.send({ topic: PARENT, body, properties: { __LITE_TOPIC: liteTopic } })).code, 0);
}

function popExt(broker: E2e, more: Ext = {}): Ext {
  return {
    clientId: 'c1',
    consumerGroup: GROUP,
    topic: PARENT,
    maxMsgNum: 8,
    invisibleTime: 10_000,
    pollTime: 0,
    bornTime: broker.cluster.clock.wallMs(),
    ...more,
  };
}

const pop = (broker: E2e, more: Ext = {}): Promise<WireAnswer> => broker.request(POP_LITE, popExt(broker, more));
const held = (broker: E2e, more: Ext = {}, client: WireClient = broker.client): Promise<WireAnswer> =>
  client.request(POP_LITE, popExt(broker, { pollTime: 15_000, ...more }));

const bodies = (answer: WireAnswer): string[] => records(answer.body).map(({ body }) => body);

function ackExt(answer: WireAnswer, place: number, more: Ext = {}): Ext {
  const record = records(answer.body)[place];
  assert.ok(record !== undefined);
  const offset = record.properties['INNER_MULTI_QUEUE_OFFSET'];
  const extraInfo = `0 ${answer.ext['popTime']} ${answer.ext['invisibleTime']} 999 0 broker-a 0 ${offset}`;
  return { consumerGroup: GROUP, topic: PARENT, queueId: 0, offset, liteTopic: record.properties['__LITE_TOPIC'], extraInfo, ...more };
}

const ack = (broker: E2e, answer: WireAnswer, place: number): Promise<WireAnswer> => broker.request(ACK, ackExt(answer, place));

test('a message of a lite topic stands in its parent topic and in the light queue of its name', async () => {
  const broker = await start();
  await sendTo(broker, 'room1', 'a');
  const [record] = await broker.all(PARENT);
  assert.equal(record?.properties['INNER_MULTI_DISPATCH'], '%LMQ%$Parent$room1');
  assert.equal(record?.properties['INNER_MULTI_QUEUE_OFFSET'], '0');
  assert.equal((await broker.request(MAX_OFFSET, { topic: '%LMQ%$Parent$room1', queueId: 0 })).ext['offset'], '1');
});

test('a client pops the lite topics that it is subscribed to, and no others, from their first message on', async () => {
  const broker = await start();
  await sendTo(broker, 'room1', 'early');
  await subscribe(broker, ['room1', 'room2']);
  await sendTo(broker, 'room1', 'a');
  await sendTo(broker, 'room2', 'b');
  await sendTo(broker, 'room3', 'c');
  const answer = await pop(broker);
  assert.equal(answer.code, 0);
  assert.deepEqual(bodies(answer), ['early', 'a', 'b']);
  assert.deepEqual([answer.ext['reviveQid'], answer.ext['orderCountInfo'], answer.ext['invisibleTime']], ['999', '0;0;0', '10000']);
  const nothing = await pop(broker);
  assert.deepEqual([nothing.code, nothing.remark, nothing.ext['orderCountInfo']], [210, 'NO_MESSAGE_IN_QUEUE', '']);
});

test('a held pop is answered by the message that comes, or when its time is over', async () => {
  const broker = await start();
  await subscribe(broker, ['room1']);
  const first = held(broker);
  assert.ok(await isPending(broker, first));
  await sendTo(broker, 'room9', 'other');
  assert.ok(await isPending(broker, first));
  await sendTo(broker, 'room1', 'a');
  assert.deepEqual(bodies(await broker.run(first)), ['a']);
  const second = held(broker, { pollTime: 3_000 });
  assert.ok(await isPending(broker, second));
  await broker.cluster.clock.advance(3_000);
  assert.equal((await broker.run(second)).code, 210);
});

test('a lite topic is closed while a batch of it is out, and goes on where the acks end', async () => {
  const broker = await start();
  await subscribe(broker, ['room1']);
  for (const body of ['a', 'b', 'c']) await sendTo(broker, 'room1', body);
  const first = await pop(broker, { maxMsgNum: 2 });
  assert.deepEqual(bodies(first), ['a', 'b']);
  assert.equal((await pop(broker)).code, 210);
  const waiting = held(broker);
  assert.equal((await ack(broker, first, 0)).code, 0);
  assert.ok(await isPending(broker, waiting));
  assert.equal((await ack(broker, first, 1)).code, 0);
  assert.deepEqual(bodies(await broker.run(waiting)), ['c']);
});

test('what is not acknowledged comes again when its time is over, with its count', async () => {
  const broker = await start();
  await subscribe(broker, ['room1']);
  await sendTo(broker, 'room1', 'a');
  await sendTo(broker, 'room1', 'b');
  const first = await pop(broker);
  assert.equal((await ack(broker, first, 0)).code, 0);
  const waiting = held(broker);
  await broker.cluster.clock.advance(10_000);
  const second = await broker.run(waiting);
  assert.deepEqual([bodies(second), second.ext['orderCountInfo']], [['b'], '1']);
  // An ack of the first pop counts for nothing now.
  assert.equal((await ack(broker, first, 1)).code, 0);
  await broker.cluster.clock.advance(10_000);
  assert.deepEqual(bodies(await pop(broker)), ['b']);
});

test('the same attempt gets its messages again at once', async () => {
  const broker = await start();
  await subscribe(broker, ['room1']);
  await sendTo(broker, 'room1', 'a');
  assert.deepEqual(bodies(await pop(broker, { attemptId: 'x' })), ['a']);
  await broker.request(TRIGGER, { group: GROUP });
  assert.equal((await pop(broker, { attemptId: 'y' })).code, 210);
  await broker.request(TRIGGER, { group: GROUP });
  assert.deepEqual(bodies(await pop(broker, { attemptId: 'x' })), ['a']);
});

test('the invisible time can be changed, and a suspended batch comes again uncounted', async () => {
  const broker = await start();
  await subscribe(broker, ['room1']);
  await sendTo(broker, 'room1', 'a');
  const first = await pop(broker);
  const changed = await broker.request(CHANGE, ackExt(first, 0, { invisibleTime: 2_000, suspend: 'true' }));
  assert.deepEqual([changed.code, changed.ext['popTime'], changed.ext['reviveQid']], [0, first.ext['popTime'], '999']);
  const waiting = held(broker);
  await broker.cluster.clock.advance(2_000);
  const second = await broker.run(waiting);
  assert.deepEqual([bodies(second), second.ext['orderCountInfo']], [['a'], '0']);
});

test('each message of a shared group goes to one of its clients', async () => {
  const broker = await start();
  await subscribe(broker, ['room1', 'room2'], 'c1');
  await subscribe(broker, ['room1', 'room2'], 'c2');
  const pops = [held(broker, { clientId: 'c1' }), held(broker, { clientId: 'c2' })];
  for (const waiting of pops) assert.ok(await isPending(broker, waiting));
  await sendTo(broker, 'room1', 'a');
  await broker.cluster.clock.advance(16_000);
  const codes = (await broker.run(Promise.all(pops))).map(({ code }) => code);
  assert.deepEqual(codes.sort(), [0, 210]);
});

test('in an exclusive group the last client that subscribes has the lite topic, and the other is told', async () => {
  const broker = await start({}, { '+lite.sub.model': 'Exclusive', '+lite.sub.reset.offset.exclusive': 'true' });
  const other = await broker.connect('client2');
  assert.equal((await control(broker, 'PARTIAL_ADD', ['room1'], { clientId: 'old' }, other)).code, 0);
  await sendTo(broker, 'room1', 'a');
  const first = await pop(broker, { clientId: 'old' });
  await ack(broker, first, 0);
  assert.equal((await control(broker, 'PARTIAL_ADD', ['room1'])).code, 0);
  await broker.world.settle();
  const told = other.pushed.map(({ code, ext, oneway }) => ({ code, ext, oneway }));
  assert.deepEqual(told, [{ code: UNSUBSCRIBED, ext: { liteTopic: 'room1', consumerGroup: GROUP, clientId: 'old' }, oneway: true }]);
  // The new owner starts anew.
  assert.deepEqual(bodies(await pop(broker)), ['a']);
  assert.equal((await pop(broker, { clientId: 'old' })).code, 210);
});

test('where a group starts can be chosen with the subscription', async () => {
  const broker = await start();
  for (const body of ['a', 'b', 'c']) await sendTo(broker, 'room1', body);
  const starts: [string, number, string[]][] = [
    ['POLICY', 2, []],
    ['POLICY', 1, ['a', 'b', 'c']],
    ['OFFSET', 2, ['c']],
    ['TAIL_N', 1, ['b', 'c']],
  ];
  for (const [type, value, expected] of starts) {
    await control(broker, 'PARTIAL_REMOVE', ['room1']);
    assert.equal((await control(broker, 'PARTIAL_ADD', ['room1'], { offsetOption: { type, value } })).code, 0);
    assert.deepEqual(bodies(await pop(broker)), expected, `${type} ${value}`);
  }
});

test('a group with a wildcard gets every lite topic of its parent', async () => {
  const broker = await start({}, { '+lite.sub.wildcard': 'true' });
  await sendTo(broker, 'before', 'a');
  await subscribe(broker, []);
  const waiting = await pop(broker);
  assert.deepEqual(bodies(waiting), ['a']);
  await sendTo(broker, 'after', 'b');
  assert.deepEqual(bodies(await pop(broker)), ['b']);
  assertRefused(await control(broker, 'PARTIAL_ADD', ['x']), {
    code: 604,
    legacy: 'subscribe lite operation is not supported for this group',
    slug: 'lite-group-wildcard',
  });
});

test('events of a client that went away reach another one', async () => {
  const broker = await start();
  await subscribe(broker, ['room1'], 'gone');
  await pop(broker, { clientId: 'gone' });
  await sendTo(broker, 'room1', 'a');
  await subscribe(broker, ['room1'], 'c1');
  await control(broker, 'COMPLETE_REMOVE', [], { clientId: 'gone' });
  assert.deepEqual(bodies(await pop(broker)), ['a']);
});

test('a client that does not fetch its events is passed over', async () => {
  const broker = await start();
  await subscribe(broker, ['room1'], 'stalled');
  await pop(broker, { clientId: 'stalled' });
  await sendTo(broker, 'room1', 'a');
  await subscribe(broker, ['room1'], 'c1');
  const waiting = held(broker, { pollTime: 60_000 });
  await broker.cluster.clock.advance(30_000);
  assert.deepEqual(bodies(await broker.run(waiting)), ['a']);
});

test('more lite topics than a client has events for are all delivered in the end', async () => {
  const broker = await start({ maxClientEventCount: '2' });
  const rooms = ['r1', 'r2', 'r3', 'r4', 'r5'];
  await subscribe(broker, rooms);
  await pop(broker);
  for (const room of rooms) await sendTo(broker, room, room);
  const found: string[] = [];
  for (let round = 0; round < 20; round++) {
    const answer = await pop(broker);
    found.push(...bodies(answer));
    for (let place = 0; place < bodies(answer).length; place++) await ack(broker, answer, place);
    await broker.cluster.clock.advance(5_000);
  }
  assert.deepEqual(found.sort(), rooms);
});

test('a subscription that is not repeated ends, and one that is goes on', async () => {
  const broker = await start();
  await subscribe(broker, ['room1'], 'silent');
  for (let n = 0; n < 6; n++) {
    await subscribe(broker, ['room1'], 'c1');
    await broker.cluster.clock.advance(60_000);
  }
  const { subscriber } = JSON.parse((await broker.request(TOPIC_INFO, { parentTopic: PARENT, liteTopic: 'room1' })).body.toString()) as {
    subscriber: unknown;
  };
  assert.deepEqual(subscriber, [{ clientId: 'c1', group: GROUP }]);
});

test('an idle lite topic goes with its positions when its time is over, and with its parent topic', async () => {
  const broker = await start();
  await sendTo(broker, 'idle', 'a');
  await broker.cluster.clock.advance(50 * 60_000);
  await broker.reconnect();
  await sendTo(broker, 'busy', 'b');
  await broker.cluster.clock.advance(15 * 60_000);
  await broker.reconnect();
  const count = async (): Promise<unknown> =>
    (JSON.parse((await broker.request(PARENT_INFO, { topic: PARENT })).body.toString()) as { liteTopicCount: unknown }).liteTopicCount;
  assert.equal(await count(), 1);
  assert.equal((await broker.request(MAX_OFFSET, { topic: '%LMQ%$Parent$idle', queueId: 0 })).ext['offset'], '0');
  assert.equal((await broker.request(DELETE_TOPIC, { topic: PARENT })).code, 0);
  await broker.world.settle();
  assert.equal((await broker.request(MAX_OFFSET, { topic: '%LMQ%$Parent$busy', queueId: 0 })).ext['offset'], '0');
});

test('positions are kept over a restart; what was out comes again', async () => {
  const broker = await start({ flushDiskType: 'SYNC_FLUSH' });
  await subscribe(broker, ['room1']);
  for (const body of ['a', 'b']) await sendTo(broker, 'room1', body);
  const first = await pop(broker);
  await ack(broker, first, 0);
  await broker.cluster.restart();
  await broker.reconnect();
  await subscribe(broker, ['room1']);
  assert.deepEqual(bodies(await pop(broker)), ['b']);
});

test('a lite topic can be pulled and searched by the names of its parent and itself', async () => {
  const broker = await start();
  await sendTo(broker, 'room1', 'a');
  await broker.cluster.clock.advance(5_000);
  const between = broker.cluster.clock.wallMs() - 2_000;
  await sendTo(broker, 'room2', 'other');
  await sendTo(broker, 'room1', 'b');
  const header = { consumerGroup: 'G', topic: PARENT, queueId: 0, queueOffset: 0, maxMsgNums: 32, sysFlag: 4, commitOffset: 0 };
  const more = { suspendTimeoutMillis: 0, subscription: '*', subVersion: 0, liteTopic: 'room1' };
  const answer = await broker.request(PULL, { ...header, ...more });
  assert.deepEqual([answer.code, answer.ext['maxOffset'], bodies(answer)], [0, '2', ['a', 'b']]);
  const search = async (ext: Ext): Promise<string | undefined> =>
    (await broker.request(SEARCH_OFFSET, { topic: PARENT, queueId: 0, timestamp: between, ...ext })).ext['offset'];
  assert.equal(await search({ liteTopic: 'room1' }), '1');
  assert.equal(await search({ liteTopic: 'room1', queueId: 1 }), '0');
  assert.equal(await search({ liteTopic: 'never' }), '0');
});

test('pops are refused as by a Java broker', async () => {
  const broker = await start();
  await broker.send({ topic: 'Plain' });
  await broker.request(UPDATE_GROUP, {}, JSON.stringify({ groupName: 'Unbound', consumeEnable: true, retryQueueNums: 1 }));
  const address = broker.cluster.brokerAddress.split(':')[0];
  const FAQ = 'See https://rocketmq.apache.org/docs/bestPractice/06FAQ';
  const cases: [Ext, { code: number; legacy: string; slug: string }][] = [
    [{ bornTime: 1 }, { code: 210, legacy: `the broker[${address}] pop message is timeout too much`, slug: 'pop-too-late' }],
    [{ maxMsgNum: 33 }, { code: 29, legacy: `the broker[${address}] pop message's num is greater than 32`, slug: 'max-msg-nums' }],
    [
      { topic: 'Nowhere' },
      { code: 17, legacy: `topic [Nowhere] not exist, apply first please! ${FAQ} for further details.`, slug: 'topic-not-exist' },
    ],
    [{ topic: 'Plain' }, { code: 29, legacy: 'the topic [Plain] message type not match', slug: 'lite-topic-type' }],
    [
      { consumerGroup: 'Nobody' },
      { code: 26, legacy: `subscription group [Nobody] not exist, ${FAQ} for further details.`, slug: 'group-not-exist' },
    ],
    [{ consumerGroup: 'Unbound' }, { code: 29, legacy: 'subscription bind topic not match, Unbound', slug: 'lite-group-binding' }],
  ];
  for (const [more, expected] of cases) {
    const answer = await pop(broker, more);
    assertRefused(answer, expected);
    assert.deepEqual(answer.ext, { invisibleTime: '0', popTime: '0', reviveQid: '0' });
  }
});

test('subscriptions and acks are refused as by a Java broker', async () => {
  const broker = await start({ maxLiteSubscriptionCount: '2' });
  assertRefused(await broker.request(CONTROL), { code: 604, legacy: 'Request body is null.', slug: 'lite-body-missing' });
  const empty = await broker.request(CONTROL, {}, '{"subscriptionSet":[]}');
  assertRefused(empty, { code: 604, legacy: 'LiteSubscriptionCtlRequestBody is empty.', slug: 'lite-body-empty' });
  const nobody = await control(broker, 'COMPLETE_ADD', ['x'], { group: 'Nobody' });
  assertRefused(nobody, { code: 604, legacy: 'Consumer group is not allowed to consume.', slug: 'lite-group-off' });
  assert.equal((await control(broker, 'COMPLETE_ADD', ['x'], { clientId: '' })).code, 0);
  const many = await control(broker, 'PARTIAL_ADD', ['x', 'y', 'z']);
  assertRefused(many, {
    code: 2018,
    legacy: 'lite subscription quota exceeded',
    slug: 'lite-subscription-quota',
    says: /0 subscriptions, allowed are 2/,
  });
  await subscribe(broker, ['room1']);
  await sendTo(broker, 'room1', 'a');
  const answer = await pop(broker);
  const refusals: [Ext, { code: number; legacy: string; slug: string }][] = [
    [{ consumerGroup: 'G' }, { code: 29, legacy: 'group type or bind topic not match.', slug: 'lite-ack-binding' }],
    [{ offset: 5 }, { code: 208, legacy: 'ack lite offset illegal', slug: 'lite-offset-illegal' }],
    [{ queueId: 1 }, { code: 13, legacy: 'extraInfo is not the receipt handle of a lite message', slug: 'lite-receipt-handle' }],
  ];
  for (const [more, { code, legacy, slug }] of refusals) {
    const refused = await broker.request(ACK, ackExt(answer, 0, more));
    assert.equal(refused.code, code);
    assert.ok(refused.remark.startsWith(legacy) && refused.remark.includes(`[${slug}]`), refused.remark);
  }
});

test('administrators see what a Java broker shows', async () => {
  const broker = await start();
  await subscribe(broker, ['room1', 'room2']);
  await sendTo(broker, 'room1', 'a');
  await sendTo(broker, 'room1', 'b');
  await pop(broker, { maxMsgNum: 1 });
  const ask = async (code: number, ext: Ext = {}): Promise<Record<string, unknown>> => {
    const answer = await broker.request(code, ext);
    assert.equal(answer.code, 0, answer.remark);
    return JSON.parse(answer.body.toString()) as Record<string, unknown>;
  };
  const { cqTableSize, offsetTableSize, ...info } = await ask(BROKER_INFO);
  assert.ok(Number(cqTableSize) >= 2 && Number(offsetTableSize) >= 1);
  assert.deepEqual(info, {
    currentLmqNum: 1,
    eventMapSize: 1,
    groupMeta: { [PARENT]: [GROUP] },
    liteSubscriptionCount: 2,
    maxLmqNum: 20000,
    orderInfoCount: 1,
    storeType: 'default',
    topicMeta: { [PARENT]: 60 },
  });
  assert.deepEqual(await ask(PARENT_INFO, { topic: PARENT }), { groups: [GROUP], liteTopicCount: 1, lmqNum: 1, topic: PARENT, ttl: 60 });
  const client = await ask(CLIENT_INFO, { parentTopic: PARENT, group: GROUP, clientId: 'c1', maxCount: 1000 });
  assert.deepEqual([client['liteTopicCount'], client['liteTopicSet']], [2, ['%LMQ%$Parent$room1', '%LMQ%$Parent$room2']]);
  const one = await ask(GROUP_INFO, { group: GROUP, liteTopic: 'room1', topK: 3 });
  assert.deepEqual([one['totalLagCount'], one['parentTopic']], [2, PARENT]);
  assert.deepEqual(await ask(GROUP_INFO, { group: GROUP, liteTopic: 'never', topK: 3 }), {
    earliestUnconsumedTimestamp: -1,
    group: GROUP,
    liteTopic: 'never',
    parentTopic: PARENT,
    totalLagCount: -1,
  });
  const all = (await ask(GROUP_INFO, { group: GROUP, topK: 3 })) as {
    lagCountTopK: { liteTopic: string; lagCount: number }[];
    totalLagCount: number;
  };
  assert.deepEqual([all.totalLagCount, all.lagCountTopK.map(({ liteTopic, lagCount }) => [liteTopic, lagCount])], [2, [['room1', 2]]]);
  for (const [code, ext, legacy] of [
    [PARENT_INFO, { topic: 'Nowhere' }, 'Topic [Nowhere] not exist.'],
    [CLIENT_INFO, { parentTopic: PARENT, group: 'TOOLS_CONSUMER', clientId: 'c' }, 'Subscription [TOOLS_CONSUMER]-[Parent] not match.'],
    [GROUP_INFO, { group: 'TOOLS_CONSUMER' }, 'Group [TOOLS_CONSUMER] is not a LITE group.'],
    [TRIGGER, { group: 'Nobody' }, 'Group [Nobody] not exist.'],
  ] as const)
    assert.ok((await broker.request(code, ext)).remark.startsWith(legacy), legacy);
});
