/** SQL92 filters through the whole broker: registered, refused, applied, held, kept (broker.md 9.1, 10, 11). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PULL_COMMIT_OFFSET, PULL_SUBSCRIPTION, PULL_SUSPEND } from '@perigee/core/protocol/commands/pull';
import { assertRefused, type E2e, e2e, isPending, type PullOptions, pull, records, sendBatch, type WireAnswer } from './e2e-wire.ts';

const HEARTBEAT = 34;
const ON = { enablePropertyFilter: 'true' };
const SQL = { expressionType: 'SQL92' };

function heartbeat(parts: { clientId?: string; subscriptions: Readonly<Record<string, string>>; version: number; type?: string }): string {
  const subscriptionDataSet = Object.entries(parts.subscriptions).map(([topic, subString]) => ({
    classFilterMode: false,
    codeSet: [],
    expressionType: parts.type ?? 'SQL92',
    subString,
    subVersion: parts.version,
    tagsSet: [],
    topic,
  }));
  const consumer = {
    consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
    consumeType: 'CONSUME_PASSIVELY',
    groupName: 'G',
    messageModel: 'CLUSTERING',
    subscriptionDataSet,
    unitMode: false,
  };
  return JSON.stringify({ clientID: parts.clientId ?? 'c', consumerDataSet: [consumer], producerDataSet: [] });
}

/** A broker whose queue 0 of T holds messages m0, m1… with properties a=0, a=1…. */
async function numbered(count: number, settings: Readonly<Record<string, string>> = ON): Promise<E2e> {
  const broker = await e2e(settings);
  for (let n = 0; n < count; n++) await broker.send({ body: `m${n}`, properties: { a: String(n), UNIQ_KEY: `u${n}` } });
  return broker;
}

function bodies(answer: WireAnswer): string[] {
  return records(answer.body).map(({ body }) => body);
}

function outcome(answer: WireAnswer): unknown[] {
  return [answer.code, answer.remark, answer.ext['nextBeginOffset']];
}

/** A pull by the subscription of the heartbeat that waits. */
const WAITING: PullOptions = { sysFlag: PULL_SUSPEND, subVersion: 1, ...SQL };

test('a pull with an expression of its own gets the messages that pass it', async () => {
  const broker = await numbered(10);
  const answer = await broker.pull({ ...SQL, subscription: 'a > 2 AND a <> 5 AND UNIQ_KEY IS NOT NULL', max: 4 });
  assert.deepEqual(bodies(answer), ['m3', 'm4', 'm6', 'm7']);
  assert.deepEqual(outcome(answer), [0, 'FOUND', '8']);
  const none = await broker.pull({ ...SQL, subscription: "a CONTAINS 'x'" });
  assert.deepEqual(outcome(none), [20, 'NO_MATCHED_MESSAGE', '10']);
  const again = await broker.pull({ ...SQL, subscription: 'a > 2 AND a <> 5 AND UNIQ_KEY IS NOT NULL', max: 2, queueOffset: 7 });
  assert.deepEqual(bodies(again), ['m7', 'm8']);
});

test('a pull without one gets the messages that pass the expression of the heartbeat', async () => {
  const broker = await numbered(6);
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: "a IN ('1', '4')" }, version: 7 }));
  assert.deepEqual(bodies(await broker.pull({ sysFlag: 0, subVersion: 7 })), ['m1', 'm4']);
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a < 2' }, version: 8 }));
  assert.deepEqual(bodies(await broker.pull({ sysFlag: 0, subVersion: 8 })), ['m0', 'm1']);
});

test('messages of a batch are filtered one by one, and those without the property do not pass', async () => {
  const broker = await e2e(ON);
  await broker.run(
    sendBatch(broker.client, [
      { body: 'x', properties: { a: '1' } },
      { body: 'y', properties: { b: '1' } },
      { body: 'z', properties: { a: '1', b: '1' } },
    ]),
  );
  assert.deepEqual(bodies(await broker.pull({ ...SQL, subscription: 'a = 1' })), ['x', 'z']);
  assert.deepEqual(bodies(await broker.pull({ ...SQL, subscription: 'a IS NULL' })), ['y']);
});

test('an expression that does not compile is refused with 23 in a pull, and with 27 when it came by heartbeat', async () => {
  const broker = await numbered(3);
  assertRefused(await broker.pull({ ...SQL, subscription: 'a >> 1' }), {
    code: 23,
    legacy: "parse the consumer's subscription failed",
    slug: 'subscription-parse-failed',
    says: /Invalid MessageSelector\. At line 1, column 4: > stands where a property, a literal or \( is expected/,
  });
  assertRefused(await broker.pull({ expressionType: 'XPATH', subscription: 'a' }), {
    code: 23,
    legacy: "parse the consumer's subscription failed",
    slug: 'subscription-parse-failed',
    says: /expression type XPATH is unknown/,
  });
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a >> 1' }, version: 1 }));
  assertRefused(await broker.pull({ sysFlag: 0, subVersion: 1 }), {
    code: 27,
    legacy: "The broker's consumer filter data is not exist!Your expression may be wrong!",
    slug: 'filter-data-not-exist',
    says: /"a >> 1"/,
  });
});

test('a pull that is newer than the subscription is refused with 25, one that is newer than the filter with 28', async () => {
  const broker = await numbered(3);
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 1' }, version: 5 }));
  assert.equal((await broker.pull({ sysFlag: 0, subVersion: 6 })).code, 25);
  // The group drops the topic, and then a pull brings a newer subscription than the filter that is left of it.
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { U: 'a > 1' }, version: 6 }));
  assert.equal((await broker.pull({ ...SQL, subscription: 'a = 0', subVersion: 9 })).code, 0);
  assertRefused(await broker.pull({ sysFlag: 0, subVersion: 9 }), {
    code: 28,
    legacy: "the consumer's consumer filter data not latest",
    slug: 'filter-data-not-latest',
    says: /knows version 5, the pull asks for 9/,
  });
});

test('a client whose clock is behind gets what it asks for, though the group asked for something else before', async () => {
  const broker = await numbered(3);
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 1' }, version: 5 }));
  broker.client.close();
  await broker.reconnect();
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 0' }, version: 4 }));
  assert.deepEqual(bodies(await broker.pull({ sysFlag: 0, subVersion: 4 })), ['m1', 'm2']);
});

test('without enablePropertyFilter expressions are refused with code 1, and updateBrokerConfig switches them on', async () => {
  const broker = await numbered(3, {});
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 1' }, version: 1 }));
  for (const options of [
    { ...SQL, subscription: 'a > 1' },
    { ...SQL, subscription: 'a >> 1' },
    { sysFlag: 0, subVersion: 1 },
  ])
    assertRefused(await broker.pull(options), {
      code: 1,
      legacy: 'The broker does not support consumer to filter message by SQL92',
      slug: 'property-filter-off',
      says: /set enablePropertyFilter=true/,
    });
  assert.equal((await broker.request(25, {}, 'enablePropertyFilter=true')).code, 0);
  assert.deepEqual(bodies(await broker.pull({ ...SQL, subscription: 'a > 1' })), ['m2']);
  assert.deepEqual(bodies(await broker.pull({ sysFlag: 0, subVersion: 1 })), ['m2']);
});

test('a held pull is answered by the message that passes, found behind those that do not', async () => {
  const broker = await numbered(1);
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 10' }, version: 1 }));
  const held = pull(broker.client, { ...WAITING, queueOffset: 1, suspendMs: 30_000 });
  assert.ok(await isPending(broker, held));
  const producer = await broker.connect('producer');
  const consumer = broker.client;
  broker.client = producer;
  for (let n = 0; n < 5; n++) {
    await broker.send({ body: `no${n}`, properties: { a: '5' } });
    await broker.cluster.clock.advance(3_000);
    assert.ok(await isPending(broker, held), `after ${n + 1} that do not pass`);
    assert.equal(broker.cluster.broker.holds.size, 1);
  }
  await broker.send({ body: 'yes', properties: { a: '11' } });
  const answer = await broker.run(held);
  assert.deepEqual(bodies(answer), ['yes']);
  assert.deepEqual(outcome(answer), [0, 'FOUND', '7']);
  assert.equal(broker.cluster.broker.holds.size, 0);
  consumer.close();
});

test('a held pull for which nothing passes is answered at its own deadline, with how far it was looked', async () => {
  const broker = await numbered(1);
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 10' }, version: 1 }));
  const producer = await broker.connect('producer');
  const held = pull(broker.client, { ...WAITING, queueOffset: 1, suspendMs: 20_000 });
  assert.ok(await isPending(broker, held));
  for (let n = 0; n < 19; n++) {
    await broker.run(
      producer.request(
        310,
        { a: 'P', b: 'T', c: 'TBW102', d: 4, e: 0, f: 0, g: 1, h: 0, i: 'a\u00015\u0002', j: 0, k: false, m: false },
        Buffer.from('x'),
      ),
    );
    await broker.cluster.clock.advance(1_000);
  }
  await broker.cluster.clock.advance(800);
  assert.ok(await isPending(broker, held));
  await broker.cluster.clock.advance(400);
  assert.deepEqual(outcome(await broker.run(held)), [20, 'NO_MATCHED_MESSAGE', '20']);
  assert.equal(broker.cluster.broker.holds.size, 0);
  const idle = pull(broker.client, { ...WAITING, queueOffset: 20, suspendMs: 5_000 });
  await broker.cluster.clock.advance(5_200);
  assert.deepEqual(outcome(await broker.run(idle)), [19, 'OFFSET_OVERFLOW_ONE', '20']);
});

test('a turn that brings more than one look takes in is looked through to its end', async () => {
  const broker = await numbered(1, { ...ON, mappedFileSizeCommitLog: '1048576' });
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a = 7' }, version: 1 }));
  const held = pull(broker.client, { ...WAITING, queueOffset: 1, suspendMs: 30_000 });
  assert.ok(await isPending(broker, held));
  const producer = await broker.connect('producer');
  const batch = Array.from({ length: 900 }, (_, n) => ({ body: `b${n}`, properties: { a: '1' } }));
  await broker.run(sendBatch(producer, batch));
  await broker.world.settle();
  assert.ok(await isPending(broker, held));
  await broker.run(sendBatch(producer, [...batch, { body: 'last', properties: { a: '7' } }]));
  assert.deepEqual(bodies(await broker.run(held)), ['last']);
});

test('the held pull commits the offset that it carries once, and is refused at once when its group may consume no more', async () => {
  const broker = await numbered(1);
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 10' }, version: 1 }));
  const held = pull(broker.client, { ...WAITING, sysFlag: PULL_SUSPEND | PULL_COMMIT_OFFSET, commitOffset: 1, queueOffset: 1 });
  assert.ok(await isPending(broker, held));
  const producer = await broker.connect('producer');
  const committed = async (): Promise<string | undefined> =>
    (await broker.run(producer.request(14, { consumerGroup: 'G', topic: 'T', queueId: 0 }))).ext['offset'];
  assert.equal(await committed(), '1');
  await broker.run(producer.request(15, { consumerGroup: 'G', topic: 'T', queueId: 0, commitOffset: 0 }));
  await broker.run(sendBatch(producer, [{ body: 'x', properties: { a: '1' } }]));
  assert.ok(await isPending(broker, held));
  assert.equal(await committed(), '0');
  await broker.run(producer.request(200, {}, Buffer.from('{"groupName":"G","consumeEnable":false}')));
  await broker.run(sendBatch(producer, [{ body: 'x', properties: { a: '1' } }]));
  assert.equal((await broker.run(held)).code, 16);
});

test('filters are on disk within ten seconds, dead ones too, and work after a crash before the first heartbeat', async () => {
  const broker = await numbered(3);
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 1' }, version: 3 }));
  await broker.cluster.clock.advance(10_500);
  await broker.cluster.crash('broker', { power: true });
  await broker.cluster.restart('broker');
  await broker.reconnect();
  assert.equal(broker.cluster.broker.parts.filters.get('T', 'G')?.filter.expression, 'a > 1');
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 1' }, version: 3 }));
  assert.deepEqual(bodies(await broker.pull({ sysFlag: 0, subVersion: 3 })), ['m2']);
});

test('with filterSupportRetry a retried message passes by the expression for the topic that it came from', async () => {
  for (const [filterSupportRetry, expected] of [
    ['true', ['r2', 'other', 'plain']],
    ['false', ['r1', 'r2', 'other', 'plain']],
  ] as const) {
    const broker = await e2e({ ...ON, filterSupportRetry });
    const retry = '%RETRY%G';
    await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 1', [retry]: 'UNIQ_KEY IS NOT NULL' }, version: 1 }));
    const put = (body: string, properties: Readonly<Record<string, string>>): Promise<WireAnswer> =>
      broker.send({ topic: retry, body, properties: { UNIQ_KEY: body, ...properties } });
    await put('r1', { RETRY_TOPIC: 'T', a: '1' });
    await put('r2', { RETRY_TOPIC: 'T', a: '2' });
    await put('other', { RETRY_TOPIC: 'U', a: '1' });
    await put('plain', {});
    assert.deepEqual(bodies(await broker.pull({ topic: retry, sysFlag: 0, subVersion: 1 })), expected);
  }
});

test('the filters of a group that left are dead, and of one that came back alive', async () => {
  const broker = await numbered(1);
  const { filters } = broker.cluster.broker.parts;
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 1' }, version: 3 }));
  assert.equal(filters.get('T', 'G')?.deadTime, 0);
  broker.client.close();
  await broker.world.settle();
  assert.ok((filters.get('T', 'G')?.deadTime ?? 0) > 0);
  await broker.reconnect();
  await broker.request(HEARTBEAT, {}, heartbeat({ subscriptions: { T: 'a > 1' }, version: 4 }));
  assert.equal(filters.get('T', 'G')?.deadTime, 0);
});

test('clients of one group that subscribe differently are shown with their connections and logged', async () => {
  const broker = await numbered(1);
  await broker.request(HEARTBEAT, {}, heartbeat({ clientId: 'one', subscriptions: { T: 'a > 1' }, version: 1 }));
  const shown = async (): Promise<unknown> =>
    JSON.parse((await broker.request(203, { consumerGroup: 'G' })).body.toString()).subscriptionConflicts;
  assert.equal(await shown(), undefined);
  const other = await broker.connect('other');
  await broker.run(other.request(HEARTBEAT, {}, Buffer.from(heartbeat({ clientId: 'two', subscriptions: { T: 'a > 2' }, version: 2 }))));
  assert.deepEqual(await shown(), [
    {
      topic: 'T',
      clients: [
        { clientId: 'one', subscription: 'SQL92 a > 1' },
        { clientId: 'two', subscription: 'SQL92 a > 2' },
      ],
    },
  ]);
  const [line] = broker.cluster.platform('broker').log.find('clients of one group subscribe differently', 'warn');
  assert.deepEqual([line?.fields['clientId'], line?.fields['otherClientId']], ['one', 'two']);
  other.close();
  await broker.world.settle();
  assert.equal(await shown(), undefined);
});

test('a pull of a group without heartbeats that names its expression is held and woken like any other', async () => {
  const broker = await numbered(1);
  const held = pull(broker.client, {
    ...SQL,
    subscription: 'a > 10',
    sysFlag: PULL_SUBSCRIPTION | PULL_SUSPEND,
    queueOffset: 1,
    suspendMs: 30_000,
  });
  assert.ok(await isPending(broker, held));
  const producer = await broker.connect('producer');
  await broker.run(sendBatch(producer, [{ body: 'no', properties: { a: 'x' } }]));
  assert.ok(await isPending(broker, held));
  await broker.run(sendBatch(producer, [{ body: 'yes', properties: { a: '11' } }]));
  assert.deepEqual(bodies(await broker.run(held)), ['yes']);
});
