/** Pulls through the whole broker: what is found, what is held, what wakes it, what is refused (broker.md 9 and 11). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PULL_COMMIT_OFFSET, PULL_SUBSCRIPTION, PULL_SUSPEND } from '@perigee/core/protocol/commands/pull';
import { assertRefused, type E2e, e2e, HELD, isPending, LITE_PULL, pull, records, send } from './e2e-wire.ts';
import { heartbeat } from './fakes.ts';

const FAQ = '\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.';

/** A broker whose queue 0 of T holds that many messages: bodies m0, m1…, tags A and B in turn. */
async function filled(count: number, settings: Readonly<Record<string, string>> = {}): Promise<E2e> {
  const broker = await e2e(settings);
  for (let n = 0; n < count; n++) await broker.send({ body: `m${n}`, properties: { TAGS: n % 2 === 0 ? 'A' : 'B', UNIQ_KEY: `u${n}` } });
  return broker;
}

function place(answer: { ext: Readonly<Record<string, string>> }): (string | undefined)[] {
  return [answer.ext['nextBeginOffset'], answer.ext['minOffset'], answer.ext['maxOffset']];
}

test('a pull gets the messages from its offset on, at most as many as it wants, and where to go on', async () => {
  const broker = await filled(10);
  const answer = await broker.pull({ queueOffset: 3, max: 4 });
  assert.deepEqual([answer.code, answer.remark], [0, 'FOUND']);
  assert.deepEqual(
    records(answer.body).map(({ body, queueOffset }) => [body, queueOffset]),
    [
      ['m3', 3],
      ['m4', 4],
      ['m5', 5],
      ['m6', 6],
    ],
  );
  assert.deepEqual(place(answer), ['7', '0', '10']);
  assert.deepEqual([answer.ext['suggestWhichBrokerId'], answer.ext['topicSysFlag'], answer.ext['groupSysFlag']], ['0', '0', '0']);
});

test('a tag filter of the request passes the tags that it names', async () => {
  const broker = await filled(6);
  const one = await broker.pull({ subscription: 'A' });
  assert.deepEqual(
    records(one.body).map(({ body }) => body),
    ['m0', 'm2', 'm4'],
  );
  assert.equal(one.ext['nextBeginOffset'], '6');
  const both = await broker.pull({ subscription: 'A || B', queueOffset: 2 });
  assert.deepEqual(
    records(both.body).map(({ body }) => body),
    ['m2', 'm3', 'm4', 'm5'],
  );
  const none = await broker.pull({ subscription: 'C' });
  assert.deepEqual([none.code, none.remark, none.ext['nextBeginOffset'], none.body.length], [20, 'NO_MATCHED_MESSAGE', '6', 0]);
});

test('a subscription from the heartbeat filters like one of the request', async () => {
  const broker = await filled(4);
  const body = heartbeat({ clientId: 'c', group: 'G', topics: { T: 'B' }, subVersion: 5 });
  await broker.request(34, {}, body.replace('"codeSet":[]', '"codeSet":[66]').replace('"tagsSet":[]', '"tagsSet":["B"]'));
  const answer = await broker.pull({ sysFlag: 0, subVersion: 5 });
  assert.deepEqual(
    records(answer.body).map(({ body }) => body),
    ['m1', 'm3'],
  );
});

test('a held pull is woken by the message it waits for, within the turn that stores it', async () => {
  const broker = await filled(1);
  const held = pull(broker.client, { queueOffset: 1, sysFlag: HELD, suspendMs: 15_000 });
  await broker.cluster.clock.advance(5_000);
  assert.ok(await isPending(broker, held));
  const startedMs = broker.world.nowMs;
  const producer = await broker.connect('producer');
  const sent = send(producer, { body: 'news' });
  await broker.world.settle();
  const answer = await broker.run(held);
  assert.deepEqual(
    records(answer.body).map(({ body }) => body),
    ['news'],
  );
  assert.equal(broker.world.nowMs, startedMs);
  assert.equal((await broker.run(sent)).code, 0);
});

test('a pull on a queue that has no message yet, or whose topic was just made, is held and woken too', async () => {
  const broker = await e2e();
  await broker.send({ queueId: 0 });
  const held = pull(broker.client, { queueId: 3, sysFlag: HELD });
  assert.ok(await isPending(broker, held));
  await broker.send({ queueId: 3, body: 'first' });
  assert.deepEqual(
    records((await broker.run(held)).body).map(({ body }) => body),
    ['first'],
  );
});

test('several held pulls are all woken by one message, and one that waits for a later offset is not', async () => {
  const broker = await filled(1);
  const other = await broker.connect('other');
  const now = [pull(broker.client, { queueOffset: 1, sysFlag: HELD }), pull(other, { queueOffset: 1, sysFlag: HELD, group: 'G2' })];
  assert.ok(await isPending(broker, now[0] as Promise<unknown>));
  assert.equal(broker.cluster.broker.holds.size, 2);
  await broker.send({ body: 'x' });
  for (const held of now) assert.equal((await broker.run(held)).code, 0);
  assert.equal(broker.cluster.broker.holds.size, 0);
});

test('a held pull that nothing comes for is answered at its timeout, with code 19 and the place', async () => {
  const broker = await filled(2);
  const held = pull(broker.client, { queueOffset: 2, sysFlag: HELD, suspendMs: 20_000 });
  await broker.cluster.clock.advance(19_900);
  assert.ok(await isPending(broker, held));
  await broker.cluster.clock.advance(300);
  const answer = await broker.run(held);
  assert.deepEqual([answer.code, answer.remark, ...place(answer)], [19, 'OFFSET_OVERFLOW_ONE', '2', '0', '2']);
});

test('without the suspend bit, or where long polling is off, nobody waits long', async () => {
  const broker = await filled(1);
  assert.equal((await broker.pull({ queueOffset: 1 })).code, 19);
  const short = await filled(1, { longPollingEnable: 'false', shortPollingTimeMills: '1000' });
  const held = pull(short.client, { queueOffset: 1, sysFlag: HELD, suspendMs: 15_000 });
  assert.ok(await isPending(short, held));
  await short.cluster.clock.advance(1_200);
  assert.ok(!(await isPending(short, held)));
});

test('a message with another tag does not wake a held pull, one with its tag does and is found behind the other', async () => {
  const broker = await filled(1);
  const held = pull(broker.client, { queueOffset: 1, sysFlag: HELD, subscription: 'A', suspendMs: 60_000 });
  await broker.send({ properties: { TAGS: 'B' } });
  await broker.cluster.clock.advance(10_000);
  assert.ok(await isPending(broker, held));
  await broker.send({ body: 'mine', properties: { TAGS: 'A' } });
  const answer = await broker.run(held);
  assert.deepEqual([...records(answer.body).map(({ body }) => body), answer.ext['nextBeginOffset']], ['mine', '3']);
});

test('a consumer that goes away while it is held leaves nothing behind', async () => {
  const broker = await filled(1);
  const consumer = await broker.connect('consumer');
  void pull(consumer, { queueOffset: 1, sysFlag: HELD, suspendMs: 15_000 });
  await broker.world.settle();
  assert.equal(broker.cluster.broker.holds.size, 1);
  consumer.close();
  await broker.world.settle();
  await broker.send({ body: 'nobody waits' });
  assert.equal(broker.cluster.broker.holds.size, 0);
  const silent = await broker.connect('consumer');
  void pull(silent, { queueOffset: 2, sysFlag: HELD, suspendMs: 15_000 });
  await broker.world.settle();
  silent.close();
  await broker.cluster.clock.advance(16_000);
  assert.equal(broker.cluster.broker.holds.size, 0);
  assert.equal((await broker.send()).code, 0);
});

test('offsets outside the queue are answered by their kind', async () => {
  const broker = await filled(3);
  for (const [queueOffset, code, remark, next] of [
    [-1, 21, 'OFFSET_TOO_SMALL', '0'],
    [3, 19, 'OFFSET_OVERFLOW_ONE', '3'],
    [4, 21, 'OFFSET_OVERFLOW_BADLY', '3'],
    [1_000_000_000_000, 21, 'OFFSET_OVERFLOW_BADLY', '3'],
  ] as const) {
    const answer = await broker.pull({ queueOffset });
    assert.deepEqual([answer.code, answer.remark, ...place(answer)], [code, remark, next, '0', '3'], `offset ${queueOffset}`);
  }
  for (const [queueOffset, code] of [
    [0, 19],
    [5, 21],
  ] as const) {
    const answer = await broker.pull({ queueId: 1, queueOffset });
    assert.deepEqual(
      [answer.code, answer.remark, ...place(answer)],
      [code, 'NO_MATCHED_LOGIC_QUEUE', '0', '0', '0'],
      `empty queue, offset ${queueOffset}`,
    );
  }
});

test('a pull with a wrong queue id is refused with code 29, and one without numbers with code 1', async () => {
  const broker = await filled(1);
  const consumer = `${broker.client.local.host}:${broker.client.local.port}`;
  for (const queueId of [-1, 4])
    assertRefused(await broker.pull({ queueId }), {
      code: 29,
      legacy: `queueId[${queueId}] is illegal, topic:[T] topicConfig.readQueueNums:[4] consumer:[${consumer}]`,
      slug: 'queue-illegal',
    });
  const words = await broker.request(11, { consumerGroup: 'G', topic: 'T', queueId: 'x' });
  assert.equal(words.code, 1);
  assert.match(words.remark, /\[header-field\]/);
});

test('a group that is not online, does not subscribe, or is behind is refused with 24, 24 and 25', async () => {
  const broker = await filled(1);
  const asked = { sysFlag: 0, subVersion: 7 };
  assertRefused(await broker.pull(asked), {
    code: 24,
    legacy: `the consumer's group info not exist${FAQ}`,
    slug: 'group-not-online',
    says: /heartbeat/,
  });
  await broker.request(34, {}, heartbeat({ clientId: 'c', group: 'G', topics: { Other: '*' }, subVersion: 3 }));
  assertRefused(await broker.pull(asked), {
    code: 24,
    legacy: `the consumer's subscription not exist${FAQ}`,
    slug: 'subscription-not-exist',
    says: /subscribe alike/,
  });
  await broker.request(34, {}, heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' }, subVersion: 3 }));
  assertRefused(await broker.pull(asked), {
    code: 25,
    legacy: "the consumer's subscription not latest",
    slug: 'subscription-not-latest',
    says: /knows version 3, the pull asks for 7/,
  });
  await broker.request(34, {}, heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' }, subVersion: 7 }));
  assert.equal((await broker.pull(asked)).code, 0);
});

test('retries are pulled in whichever version: a client renews that subscription more often than its heartbeats tell', async () => {
  const broker = await filled(1);
  const topic = '%RETRY%G_T';
  assert.equal((await broker.send({ topic, body: 'again' })).code, 0);
  await broker.request(34, {}, heartbeat({ clientId: 'c', group: 'G', topics: { [topic]: '*' }, subVersion: 3 }));
  const pulled = await broker.pull({ topic, sysFlag: 0, subVersion: 7 });
  assert.equal(pulled.code, 0, pulled.remark);
  await broker.request(34, {}, heartbeat({ clientId: 'c', group: 'G', topics: { [topic]: 'A' }, subVersion: 4 }));
  assert.equal((await broker.pull({ topic, sysFlag: 0, subVersion: 7 })).code, 25);
});

test('a group that does not exist, or may not consume, is refused with 26 and 16', async () => {
  const broker = await filled(1, { autoCreateSubscriptionGroup: 'false' });
  assertRefused(await broker.pull(), {
    code: 26,
    legacy: `subscription group [G] does not exist, ${FAQ}`,
    slug: 'group-not-exist',
    says: /autoCreateSubscriptionGroup/,
  });
  assert.equal((await broker.request(200, {}, JSON.stringify({ groupName: 'G', consumeEnable: false }))).code, 0);
  const refused = await broker.pull();
  assertRefused(refused, { code: 16, legacy: 'subscription group no permission, G', slug: 'group-consume-off' });
  assert.equal(refused.ext['forbiddenType'], '2');
  assert.equal(
    (await broker.request(200, {}, JSON.stringify({ groupName: 'G', consumeEnable: true, consumeBroadcastEnable: false }))).code,
    0,
  );
  assert.equal((await broker.pull()).code, 0);
  await broker.request(34, {}, heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' }, model: 'BROADCASTING' }));
  const broadcast = await broker.pull({ sysFlag: 0 });
  assertRefused(broadcast, { code: 16, legacy: 'the consumer group[G] can not consume by broadcast way', slug: 'group-broadcast-off' });
  assert.equal(broadcast.ext['forbiddenType'], '4');
});

test('an unknown topic, one that may not be read, and a broker that may not be read are refused with 17, 16 and 16', async () => {
  const broker = await filled(1);
  assertRefused(await broker.pull({ topic: 'None' }), {
    code: 17,
    legacy: `topic[None] not exist, apply first please! ${FAQ}`,
    slug: 'topic-not-exist',
  });
  const writeOnly = {
    topic: 'T',
    defaultTopic: 'TBW102',
    readQueueNums: 4,
    writeQueueNums: 4,
    perm: 2,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
  };
  assert.equal((await broker.request(17, writeOnly)).code, 0);
  const topic = await broker.pull();
  assertRefused(topic, { code: 16, legacy: 'the topic[T] pulling message is forbidden', slug: 'topic-not-readable' });
  assert.equal(topic.ext['forbiddenType'], '3');
  assert.equal((await broker.request(25, {}, 'brokerPermission=2\n')).code, 0);
  const whole = await broker.pull();
  assertRefused(whole, {
    code: 16,
    legacy: `the broker[${broker.cluster.platform('broker').network.host}] pulling message is forbidden`,
    slug: 'broker-not-readable',
  });
  assert.equal(whole.ext['forbiddenType'], '1');
});

test('a group that an administrator keeps from a topic is refused with code 16 and type 5', async () => {
  const broker = await filled(1);
  await broker.request(34, {}, heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' } }));
  await broker.request(353, { topic: 'T', group: 'G', readable: false });
  const refused = await broker.pull({ sysFlag: 0, subVersion: 1 });
  assertRefused(refused, { code: 16, legacy: 'the consumer group[G] is forbidden for topic[T]', slug: 'group-topic-forbidden' });
  assert.equal(refused.ext['forbiddenType'], '5');
});

test('SQL92 filters are refused with a reason', async () => {
  const broker = await filled(1);
  assertRefused(await broker.pull({ expressionType: 'SQL92', subscription: 'a > 1' }), {
    code: 1,
    legacy: 'The broker does not support consumer to filter message by SQL92',
    slug: 'property-filter-off',
    says: /filter by tags/,
  });
});

test('a lite pull is a pull, unless the broker says no', async () => {
  const broker = await filled(2);
  const answer = await broker.pull({ sysFlag: PULL_SUBSCRIPTION | 16 }, LITE_PULL);
  assert.deepEqual(
    records(answer.body).map(({ body }) => body),
    ['m0', 'm1'],
  );
  const held = pull(broker.client, { queueOffset: 2, sysFlag: HELD }, LITE_PULL);
  assert.ok(await isPending(broker, held));
  await broker.send({ body: 'm2' });
  assert.equal((await broker.run(held)).code, 0);
  const off = await filled(1, { litePullMessageEnable: 'false' });
  const refused = await off.pull({}, LITE_PULL);
  assertRefused(refused, {
    code: 16,
    legacy: `the broker[${off.cluster.platform('broker').network.host}] for lite pull consumer is forbidden`,
    slug: 'lite-pull-off',
  });
  assert.equal((await off.pull()).code, 0);
});

test('a pull commits the offset that it carries, a held one once and not again when it wakes', async () => {
  const broker = await filled(3);
  await broker.pull({ queueOffset: 2, sysFlag: PULL_SUBSCRIPTION | PULL_COMMIT_OFFSET, commitOffset: 2 });
  const committed = async (): Promise<string | undefined> =>
    (await broker.request(14, { consumerGroup: 'G', topic: 'T', queueId: 0 })).ext['offset'];
  assert.equal(await committed(), '2');
  const held = pull(broker.client, { queueOffset: 3, sysFlag: HELD | PULL_COMMIT_OFFSET, commitOffset: 3 });
  assert.ok(await isPending(broker, held));
  assert.equal(await committed(), '3');
  await broker.request(15, { consumerGroup: 'G', topic: 'T', queueId: 0, commitOffset: 1 });
  await broker.send();
  assert.equal((await broker.run(held)).code, 0);
  assert.equal(await committed(), '1');
});

test('a subscription that is one tag in many is found beyond the rows that one pull looks at', async () => {
  const broker = await e2e();
  for (let n = 0; n < 900; n += 30)
    await broker.run(Promise.all(Array.from({ length: 30 }, () => send(broker.client, { body: '', properties: { TAGS: 'x' } }))));
  await broker.send({ body: 'needle', properties: { TAGS: 'y' } });
  const first = await broker.pull({ subscription: 'y' });
  assert.deepEqual([first.code, first.ext['nextBeginOffset']], [20, '800']);
  const second = await broker.pull({ subscription: 'y', queueOffset: 800 });
  assert.deepEqual(
    records(second.body).map(({ body }) => body),
    ['needle'],
  );
});

test('the suspend bit is not looked at when there are messages', async () => {
  const broker = await filled(1);
  assert.equal((await broker.pull({ sysFlag: PULL_SUBSCRIPTION | PULL_SUSPEND })).code, 0);
});
