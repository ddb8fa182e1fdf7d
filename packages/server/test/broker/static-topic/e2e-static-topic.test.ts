/** Static topics over two brokers, on the wire (broker.md 25). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeTopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import { PULL_COMMIT_OFFSET, PULL_SUBSCRIPTION, PULL_SUSPEND } from '@perigee/core/protocol/commands/pull';
import { isPending, pull, records } from '../e2e-wire.ts';
import { COMMIT, endExt, sentHalf } from '../transaction/transaction-wire.ts';
import { type Name, type TwoBrokers, twoBrokers, UPDATE_STATIC } from './static-topic-test.ts';

const QUERY_POSITION = 14;
const COMMIT_POSITION = 15;
const SEARCH = 29;
const MAX = 30;
const MIN = 31;
const EARLIEST = 32;
const ROUTE = 105;
const DELETE_TOPIC = 215;
const TOPIC_CONFIG = 351;
const ALL_TOPICS = 21;
const CONSUME_STATS = 208;
const END_TRANSACTION = 37;

const at = (queueId: number) => ({ topic: 'S', queueId });

/** Logical queues 0 and 1 led by a, 2 and 3 by b; physical ids are the other way round. */
const SPREAD = {
  0: [['broker-a', 1, 0]],
  1: [['broker-a', 0, 0]],
  2: [['broker-b', 1, 0]],
  3: [['broker-b', 0, 0]],
} as const;

async function spread(settings: Readonly<Record<string, string>> = {}): Promise<TwoBrokers> {
  const both = await twoBrokers(settings);
  await both.updateAll(SPREAD, 1);
  return both;
}

/** Queue 0 had m0 to m4 on a, then b leads it from logical offset 10000 on and has n0 to n2. */
async function moved(): Promise<TwoBrokers> {
  const both = await spread();
  for (let n = 0; n < 5; n++) await both.send('broker-a', { queueId: 0, body: `m${n}` });
  await both.updateAll(
    {
      ...SPREAD,
      0: [
        ['broker-a', 1, 0],
        ['broker-b', 2, 10_000],
      ],
    },
    2,
  );
  for (let n = 0; n < 3; n++) await both.send('broker-b', { queueId: 0, body: `n${n}` });
  return both;
}

test('a send goes to the physical queue of the logical one and is answered with the logical queue and offset', async () => {
  const both = await spread();
  const first = await both.send('broker-a', { queueId: 0, body: 'm0', properties: { UNIQ_KEY: 'u0' } });
  assert.deepEqual([first.code, first.ext['queueId'], first.ext['queueOffset'], first.ext['transactionId']], [0, '0', '0', 'u0']);
  const physical = await both.request('broker-a', MAX, { topic: 'S', queueId: 1, lo: false });
  assert.equal(physical.ext['offset'], '1');
  const batch = await both.sendBatch('broker-b', ['x', 'y'], { queueId: 3 });
  assert.deepEqual([batch.code, batch.ext['queueId'], batch.ext['queueOffset']], [0, '3', '0']);
  const [record] = records((await both.pull('broker-a', { queueId: 0 })).body);
  assert.deepEqual([record?.queueId, record?.body, record?.properties['UNIQ_KEY']], [1, 'm0', 'u0']);
  await both.stop();
});

test('a queue that is led elsewhere is refused with code 501, in the words of Apache', async () => {
  const both = await spread();
  const position = { ...at(2), consumerGroup: 'G' };
  const text = 'S-2 does not exit in request process of current broker broker-a';
  for (const answer of [
    await both.send('broker-a', { queueId: 2 }),
    await both.request('broker-a', QUERY_POSITION, position),
    await both.request('broker-a', COMMIT_POSITION, { ...position, commitOffset: 1 }),
    await both.request('broker-a', SEARCH, { ...at(2), timestamp: 0 }),
    await both.request('broker-a', MAX, at(2)),
    await both.request('broker-a', EARLIEST, at(2)),
  ]) {
    assert.equal(answer.code, 501);
    assert.ok(answer.remark.startsWith(text), answer.remark);
  }
  const pulled = await both.pull('broker-a', { queueId: 2 });
  assert.match(pulled.remark, /^S-2 cannot find mapping item in request process of current broker broker-a/);
  const min = await both.request('broker-a', MIN, at(2));
  assert.deepEqual([pulled.code, min.code], [501, 501]);
  assert.match(min.remark, /^S-2 is not leader in broker broker-a, request code 31/);
  await both.stop();
});

test('a send that leaves the queue open goes to a queue that is led here', async () => {
  const both = await spread();
  for (let n = 0; n < 8; n++) {
    const answer = await both.send('broker-b', { queueId: -1 });
    assert.equal(answer.code, 0);
    assert.match(answer.ext['queueId'] as string, /^[23]$/);
  }
  await both.stop();
});

test('lo=false is the physical queue', async () => {
  const both = await spread();
  await both.send('broker-a', { queueId: 0, body: 'logical' });
  const answer = await both.request('broker-a', 11, {
    consumerGroup: 'G',
    topic: 'S',
    queueId: 1,
    queueOffset: 0,
    maxMsgNums: 32,
    sysFlag: PULL_SUBSCRIPTION,
    commitOffset: 0,
    suspendTimeoutMillis: 0,
    subscription: '*',
    subVersion: 0,
    expressionType: 'TAG',
    lo: false,
  });
  assert.deepEqual([answer.code, records(answer.body)[0]?.body, answer.ext['offsetDelta']], [0, 'logical', undefined]);
  await both.stop();
});

test('the route has what each broker leads, and loses it by a move', async () => {
  const both = await spread();
  const route = async () => {
    const answer = await both.cluster.run(
      both.cluster.cluster.client().request(both.cluster.cluster.namesrvAddress, { code: ROUTE, ext: { topic: 'S' } }, 1_000),
    );
    return [...(decodeTopicRoute(answer.body).topicQueueMappingByBroker ?? [])]
      .map(([name, info]) => [name, info.epoch, [...info.currIdMap]])
      .sort();
  };
  assert.deepEqual(await route(), [
    [
      'broker-a',
      1,
      [
        [0, 1],
        [1, 0],
      ],
    ],
    [
      'broker-b',
      1,
      [
        [2, 1],
        [3, 0],
      ],
    ],
  ]);
  await both.updateAll(
    {
      ...SPREAD,
      0: [
        ['broker-a', 1, 0],
        ['broker-b', 2, 10_000],
      ],
    },
    2,
  );
  assert.deepEqual(await route(), [
    ['broker-a', 2, [[1, 0]]],
    [
      'broker-b',
      2,
      [
        [0, 2],
        [2, 1],
        [3, 0],
      ],
    ],
  ]);
  await both.stop();
});

test('after a move the new leader serves the old messages from the old broker and then its own, in order', async () => {
  const both = await moved();
  const expected = [...Array.from({ length: 5 }, (_, n) => [n, `m${n}`]), ...Array.from({ length: 3 }, (_, n) => [10_000 + n, `n${n}`])];
  assert.deepEqual(await both.consume('broker-b', 0), expected);
  assert.deepEqual(await both.consume('broker-b', 0, 3), expected.slice(3));
  // An offset in the gap between the two.
  assert.deepEqual(await both.consume('broker-b', 0, 77), expected.slice(5));
  assert.equal((await both.send('broker-a', { queueId: 0 })).code, 501);
  const sent = await both.send('broker-b', { queueId: 0 });
  assert.deepEqual([sent.ext['queueId'], sent.ext['queueOffset']], ['0', '10003']);
  await both.stop();
});

test('the bounds of a moved queue are those of its oldest and newest parts', async () => {
  const both = await moved();
  const offset = async (code: number, ext = {}) => (await both.request('broker-b', code, { ...at(0), ...ext })).ext['offset'];
  assert.equal(await offset(MAX), '10003');
  assert.equal(await offset(MIN), '0');
  const earliest = await both.request('broker-b', EARLIEST, at(0));
  const there = await both.request('broker-a', EARLIEST, { ...at(1), lo: false });
  assert.equal(earliest.ext['timestamp'], there.ext['timestamp']);
  await both.stop();
});

test('a search by time looks through all parts', async () => {
  const both = await spread();
  const { clock } = both.cluster.cluster;
  const times: number[] = [];
  const sendTimed = async (name: Name, body: string): Promise<void> => {
    await clock.advance(1_000);
    times.push(clock.wallMs());
    await both.send(name, { queueId: 0, body });
  };
  for (let n = 0; n < 3; n++) await sendTimed('broker-a', `m${n}`);
  await both.updateAll(
    {
      ...SPREAD,
      0: [
        ['broker-a', 1, 0],
        ['broker-b', 2, 10_000],
      ],
    },
    2,
  );
  for (let n = 0; n < 3; n++) await sendTimed('broker-b', `n${n}`);
  const offsets = [0, 1, 2, 10_000, 10_001, 10_002];
  const search = async (timestamp: number, boundaryType: string) =>
    Number((await both.request('broker-b', SEARCH, { ...at(0), timestamp, boundaryType })).ext['offset']);
  for (const [n, time] of times.entries()) {
    assert.equal(await search(time - 500, 'LOWER'), offsets[n], `at or after message ${n}`);
    assert.equal(await search(time + 500, 'UPPER'), offsets[n], `at or before message ${n}`);
  }
  assert.equal(await search((times.at(-1) as number) + 500, 'LOWER'), 10_003);
  await both.stop();
});

test('a position is kept at the broker that has the message, and is found again from the leader', async () => {
  const both = await moved();
  await both.pull('broker-a', { queueId: 1, topic: 'S' });
  const group = { ...at(0), consumerGroup: 'G' };
  const query = async () => {
    const answer = await both.request('broker-b', QUERY_POSITION, group);
    return [answer.code, answer.ext['offset']];
  };
  await both.pull('broker-b', { queueId: 0, queueOffset: 10_000 });
  assert.deepEqual(await query(), [22, undefined]);
  assert.equal((await both.request('broker-b', COMMIT_POSITION, { ...group, commitOffset: 4 })).code, 0);
  assert.deepEqual(await query(), [0, '4']);
  const there = await both.request('broker-a', QUERY_POSITION, { ...group, queueId: 1, lo: false });
  assert.equal(there.ext['offset'], '4');
  assert.equal((await both.request('broker-b', COMMIT_POSITION, { ...group, commitOffset: 10_002 })).code, 0);
  assert.deepEqual(await query(), [0, '10002']);
  const here = await both.request('broker-b', QUERY_POSITION, { ...group, queueId: 2, lo: false });
  assert.equal(here.ext['offset'], '2');
  await both.stop();
});

test('a pull commits the logical position that it brings', async () => {
  const both = await moved();
  const sysFlag = PULL_SUBSCRIPTION | PULL_COMMIT_OFFSET;
  await both.pull('broker-b', { queueId: 0, queueOffset: 10_001, sysFlag, commitOffset: 10_001 });
  const answer = await both.request('broker-b', QUERY_POSITION, { ...at(0), consumerGroup: 'G' });
  assert.equal(answer.ext['offset'], '10001');
  await both.stop();
});

test('a pull that waits at the end of a logical queue gets the next message of it', async () => {
  const both = await spread();
  const waiting = pull(both.clients['broker-a'], { topic: 'S', queueId: 0, sysFlag: PULL_SUBSCRIPTION | PULL_SUSPEND });
  assert.ok(await isPending(both.cluster, waiting));
  await both.send('broker-a', { queueId: 1, body: 'other' });
  assert.ok(await isPending(both.cluster, waiting));
  await both.send('broker-a', { queueId: 0, body: 'mine' });
  const answer = await both.cluster.run(waiting);
  assert.deepEqual([answer.code, records(answer.body).map(({ body }) => body), answer.ext['offsetDelta']], [0, ['mine'], '0']);
  await both.stop();
});

test('a pull that waits learns at once that its queue is led elsewhere now', async () => {
  const both = await spread();
  const waiting = pull(both.clients['broker-a'], { topic: 'S', queueId: 0, sysFlag: PULL_SUBSCRIPTION | PULL_SUSPEND });
  assert.ok(await isPending(both.cluster, waiting));
  await both.updateAll(
    {
      ...SPREAD,
      0: [
        ['broker-a', 1, 0],
        ['broker-b', 2, 10_000],
      ],
    },
    2,
  );
  assert.equal((await both.cluster.run(waiting)).code, 501);
  await both.stop();
});

test('a transaction and a delayed message to a moved queue end up in it, with the logical queue in the answer', async () => {
  const both = await moved();
  const half = await both.send('broker-b', {
    queueId: 0,
    body: 'tx',
    sysFlag: 4,
    group: 'PG',
    properties: { TRAN_MSG: 'true', PGROUP: 'PG', UNIQ_KEY: 'k' },
  });
  assert.deepEqual([half.code, half.ext['queueId']], [0, '0']);
  const sent = sentHalf(half, { key: 'k' });
  assert.equal((await both.request('broker-b', END_TRANSACTION, endExt(sent, COMMIT) as Record<string, string>)).code, 0);
  const delayed = await both.send('broker-b', { queueId: 0, body: 'later', properties: { DELAY: '1' } });
  assert.deepEqual([delayed.code, delayed.ext['queueId']], [0, '0']);
  await both.cluster.cluster.clock.advance(2_000);
  assert.deepEqual(await both.consume('broker-b', 0, 10_003), [
    [10_003, 'tx'],
    [10_004, 'later'],
  ]);
  await both.stop();
});

test('while the offset of a move is not decided, sends answer -1, and the old messages are read to their end', async () => {
  const both = await spread();
  for (let n = 0; n < 2; n++) await both.send('broker-a', { queueId: 0, body: `m${n}` });
  await both.updateAll(
    {
      ...SPREAD,
      0: [
        ['broker-a', 1, 0],
        ['broker-b', 2, -1],
      ],
    },
    2,
  );
  const sent = await both.send('broker-b', { queueId: 0, body: 'n0' });
  assert.deepEqual([sent.code, sent.ext['queueOffset']], [0, '-1']);
  assert.deepEqual(await both.consume('broker-b', 0), [
    [0, 'm0'],
    [1, 'm1'],
  ]);
  await both.updateAll(
    {
      ...SPREAD,
      0: [
        ['broker-a', 1, 0],
        ['broker-b', 2, 10_000],
      ],
    },
    2,
  );
  assert.deepEqual(await both.consume('broker-b', 0, 2), [[10_000, 'n0']]);
  await both.stop();
});

test('a queue that moves away and back reads through all three parts', async () => {
  const both = await moved();
  await both.updateAll(
    {
      ...SPREAD,
      0: [
        ['broker-a', 1, 0],
        ['broker-b', 2, 10_000],
        ['broker-a', 3, 20_000],
      ],
    },
    3,
  );
  await both.send('broker-a', { queueId: 0, body: 'o0' });
  assert.deepEqual(
    (await both.consume('broker-a', 0)).map(([, body]) => body),
    ['m0', 'm1', 'm2', 'm3', 'm4', 'n0', 'n1', 'n2', 'o0'],
  );
  await both.stop();
});

test('a part that is empty is forgotten within minutes, and its broker is not needed any more', async () => {
  const both = await spread();
  await both.updateAll(
    {
      ...SPREAD,
      0: [
        ['broker-a', 1, 0],
        ['broker-b', 2, 10_000],
      ],
    },
    2,
  );
  await both.send('broker-b', { queueId: 0, body: 'n0' });
  assert.equal((await both.request('broker-b', MIN, at(0))).ext['offset'], '0');
  await both.cluster.cluster.clock.advance(5 * 60_000);
  both.clients['broker-b'] = await both.cluster.connect('client', both.addressOfB);
  await both.cluster.cluster.stopRole('broker');
  assert.equal((await both.request('broker-b', MIN, at(0))).ext['offset'], '10000');
  assert.deepEqual(await both.consume('broker-b', 0), [[10_000, 'n0']]);
  await both.cluster.run(both.b.stop());
});

test('an old broker that is away is an error with its name, never an empty queue', async () => {
  const both = await moved();
  await both.cluster.cluster.stopRole('broker');
  const pulled = await both.pull('broker-b', { queueId: 0 });
  const position = await both.request('broker-b', QUERY_POSITION, { ...at(0), consumerGroup: 'G' });
  for (const answer of [pulled, position]) {
    assert.equal(answer.code, 1);
    assert.match(answer.remark, /broker-a|cannot find addr/);
  }
  assert.equal((await both.pull('broker-b', { queueId: 0, queueOffset: 10_000 })).code, 0);
  await both.cluster.run(both.b.stop());
});

test('an update that cannot be taken changes neither topic nor mapping', async () => {
  const both = await spread();
  const answer = await both.update('broker-a', SPREAD, { epoch: 0, queueNums: 8 });
  assert.deepEqual([answer.code, answer.remark.slice(0, 44)], [1, "Can't accept data with small epoch 0 < 1 [st"]);
  const config = JSON.parse((await both.request('broker-a', TOPIC_CONFIG, { topic: 'S' })).body.toString());
  assert.equal(config.readQueueNums, 4);
  const header = { topic: 'S', readQueueNums: 4, writeQueueNums: 4, perm: 6, topicFilterType: 'SINGLE_TAG' };
  assert.match((await both.request('broker-a', UPDATE_STATIC, header, Buffer.from('{'))).remark, /TopicQueueMappingDetail: \$ is not JSON/);
  assert.equal((await both.update('broker-a', {}, { topic: 'TBW102' })).code, 29);
  assert.equal((await both.update('broker-a', SPREAD, { epoch: 0, ext: { force: 'true' } })).code, 0);
  await both.stop();
});

test('the mapping is dumped with the topics and read with lo=true, kept over a restart, and goes with its topic', async () => {
  const both = await spread();
  const mapping = async (lo: boolean) => (await both.request('broker-a', TOPIC_CONFIG, { topic: 'S', lo })).body.toString();
  const text = await mapping(true);
  assert.match(
    text,
    /^\{"attributes":\{\},"mappingDetail":\{"bname":"broker-a","currIdMap":\{\},"dirty":false,"epoch":1,"hostedQueues":\{0:\[\{/,
  );
  assert.ok(!(await mapping(false)).includes('mappingDetail'));
  const dump = (await both.request('broker-a', ALL_TOPICS, {})).body.toString();
  assert.match(dump, /"topicQueueMappingDetailMap":\{"S":\{"bname":"broker-a"/);
  await both.send('broker-a', { queueId: 0, body: 'kept' });
  await both.cluster.cluster.restart('broker');
  both.clients['broker-a'] = await both.cluster.connect();
  assert.equal(await mapping(true), text);
  assert.deepEqual(await both.consume('broker-a', 0), [[0, 'kept']]);
  assert.equal((await both.request('broker-a', DELETE_TOPIC, { topic: 'S' })).code, 0);
  await both.cluster.cluster.restart('broker');
  both.clients['broker-a'] = await both.cluster.connect();
  assert.equal((await both.request('broker-a', TOPIC_CONFIG, { topic: 'S', lo: true })).code, 17);
  await both.send('broker-a', { queueId: 3 });
  assert.ok(!(await mapping(true)).includes('mappingDetail'));
  await both.stop();
});

test('in the progress of a group, a part without a position stays without', async () => {
  const both = await moved();
  await both.pull('broker-b', { queueId: 0 });
  await both.request('broker-b', COMMIT_POSITION, { ...at(0), consumerGroup: 'G', commitOffset: 10_001 });
  const stats = (await both.request('broker-b', CONSUME_STATS, { consumerGroup: 'G', topic: 'S' })).body.toString();
  const offsets = [...stats.matchAll(/"consumerOffset":(-?\d+)/g)].map((found) => found[1]);
  assert.deepEqual(offsets.sort(), ['-1', '-1', '-1', '1']);
  await both.stop();
});
