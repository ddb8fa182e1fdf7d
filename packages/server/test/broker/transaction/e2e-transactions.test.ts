/** Half messages, their ends, and the check, over the wire of a whole broker with a hand-moved clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeRecord } from '@perigee/core/message/record-check';
import { assertRefused, type E2e, e2e, isPending, type WireClient } from '../e2e-wire.ts';
import {
  beat,
  COMMIT,
  checkedHalf,
  checksOf,
  END,
  end,
  endExt,
  endedOffsets,
  GIVEN_UP_TOPIC,
  HALF_TOPIC,
  OP_TOPIC,
  producer,
  RESUME,
  ROLLBACK,
  sendHalf,
  UNKNOWN,
} from './transaction-wire.ts';

const ROUND_MS = 30_000;

/** Time passes, and the producer goes on sending heartbeats. */
async function rounds(broker: E2e, count: number, client?: WireClient, group = 'PG'): Promise<void> {
  for (let n = 0; n < count; n++) {
    await broker.cluster.clock.advance(ROUND_MS);
    if (client !== undefined) await beat(broker, client, group);
  }
}

/** After a restart of the broker: new connections. */
async function restarted(broker: E2e): Promise<void> {
  await broker.cluster.restart();
  await broker.reconnect();
}

test('a half message is seen by nobody until it is committed, then it is where it was sent to, once', async () => {
  const broker = await e2e();
  const half = await sendHalf(broker, { key: 'k1', queueId: 2, body: 'tx', properties: { TAGS: 'a', KEYS: 'key' } });
  assert.deepEqual(await broker.bodies('T', 2), []);
  const answer = await end(broker, half, COMMIT);
  assert.deepEqual([answer.code, answer.remark], [0, '']);
  const stored = await broker.all('T', 2);
  assert.deepEqual(
    stored.map(({ body }) => body),
    ['tx'],
  );
  assert.equal(stored[0]?.sysFlag, 8);
  assert.equal(stored[0]?.properties['REAL_TOPIC'], undefined);
  assert.equal(stored[0]?.properties['__transactionId__'], 'k1');
  assert.equal(stored[0]?.properties['TAGS'], 'a');
  assert.deepEqual(await broker.bodies(OP_TOPIC), ['0,']);
});

test('the stored half message names its transaction and where it goes, as Apache stores it', async () => {
  const broker = await e2e();
  await sendHalf(broker, { key: 'k1', queueId: 3, topic: 'Orders', properties: { TAGS: 'a' } });
  const [half] = await broker.all(HALF_TOPIC);
  assert.deepEqual(
    { ...half?.properties },
    {
      TRAN_MSG: 'true',
      PGROUP: 'PG',
      UNIQ_KEY: 'k1',
      WAIT: 'true',
      TAGS: 'a',
      MSG_REGION: 'DefaultRegion',
      TRACE_ON: 'true',
      CLUSTER: 'DefaultCluster',
      __transactionId__: 'k1',
      REAL_TOPIC: 'Orders',
      REAL_QID: '3',
    },
  );
  assert.deepEqual([half?.sysFlag, half?.queueId], [0, 0]);
});

test('a rolled back message is never seen, and only the op message tells of it', async () => {
  const broker = await e2e();
  const half = await sendHalf(broker, { key: 'k1' });
  assert.equal((await end(broker, half, ROLLBACK)).code, 0);
  await rounds(broker, 3);
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(), []);
  assert.deepEqual(await endedOffsets(broker), [0]);
  assert.equal((await broker.all(HALF_TOPIC)).length, 1);
});

test('ends of one turn share an op message', async () => {
  const broker = await e2e();
  const halves = [];
  for (let n = 0; n < 5; n++) halves.push(await sendHalf(broker, { key: `k${n}` }));
  for (const half of halves) broker.client.oneway(END, endExt(half, half.halfOffset % 2 === 0 ? COMMIT : ROLLBACK));
  await broker.world.settle();
  assert.deepEqual(await broker.bodies(OP_TOPIC), ['0,1,2,3,4,']);
  assert.deepEqual((await broker.bodies()).sort(), ['k0', 'k2', 'k4']);
});

test('an op message is no longer than transactionOpMsgMaxSize', async () => {
  const broker = await e2e({ transactionOpMsgMaxSize: '10' });
  const halves = [];
  for (let n = 0; n < 12; n++) halves.push(await sendHalf(broker, { key: `k${n}` }));
  for (const half of halves) broker.client.oneway(END, endExt(half, ROLLBACK));
  await broker.world.settle();
  const bodies = await broker.bodies(OP_TOPIC);
  assert.deepEqual(bodies, ['0,1,2,3,4,', '5,6,7,8,9,', '10,11,']);
});

test('nobody ended it: after its time a producer of the group is asked, with the message as it was sent', async () => {
  const broker = await e2e();
  const client = await producer(broker);
  const half = await sendHalf(broker, { key: 'k1', queueId: 1, body: 'open', properties: { TAGS: 'a' } });
  const unanswered = broker.client.request(END, endExt(half, UNKNOWN));
  assert.ok(await isPending(broker, unanswered), '"unknown" is not answered');
  await rounds(broker, 1, client);
  const [check] = checksOf(client);
  const copy = (await broker.all(HALF_TOPIC))[1];
  assert.deepEqual(
    { ...check?.ext },
    {
      topic: HALF_TOPIC,
      tranStateTableOffset: '1',
      commitLogOffset: String(copy?.physicalOffset),
      msgId: 'k1',
      transactionId: 'k1',
      offsetMsgId: check?.ext['offsetMsgId'],
      bname: 'broker-a',
    },
  );
  assert.equal(check?.oneway, true);
  const record = decodeRecord(check.body, 0, check.body.length);
  assert.deepEqual([record.topic, record.queueId, record.body.toString(), record.queueOffset], ['T', 1, 'open', 1]);
  assert.match(record.properties, /TRANSACTION_CHECK_TIMES\u00011\u0002/);
  assert.equal(copy?.properties['TRANSACTION_CHECK_TIMES'], '1');
  assert.equal((await end(broker, checkedHalf(check), COMMIT, { fromTransactionCheck: true })).code, 0);
  await rounds(broker, 3, client);
  await broker.reconnect();
  assert.deepEqual(await broker.bodies('T', 1), ['open']);
  assert.equal(checksOf(client).length, 1);
});

test('a half message younger than transactionTimeOut is left alone until the next round', async () => {
  const broker = await e2e();
  const client = await producer(broker);
  await broker.cluster.clock.advance(25_000);
  await sendHalf(broker, { key: 'k1' });
  await broker.cluster.clock.advance(10_000);
  assert.equal(checksOf(client).length, 0);
  await rounds(broker, 1, client);
  assert.equal(checksOf(client).length, 1);
});

test('any live producer of the group is asked, in turn, and none of another group', async () => {
  const broker = await e2e();
  const clients = [await producer(broker, 'PG', 'c1'), await producer(broker, 'PG', 'c2')];
  const other = await producer(broker, 'Other', 'c3');
  for (let n = 0; n < 4; n++) await sendHalf(broker, { key: `k${n}` });
  await rounds(broker, 1);
  assert.deepEqual(
    clients.map((client) => checksOf(client).length),
    [2, 2],
  );
  clients[0]?.close();
  await broker.world.settle();
  await rounds(broker, 1);
  assert.equal(checksOf(clients[1] as WireClient).length, 6);
  assert.equal(checksOf(other).length, 0);
});

/**
 * apache/rocketmq#8311: every round raised the counter of a half message, whether a producer was there or not. A service
 * that was down for eight minutes (15 rounds of 30 s) came back to find its open transactions given up, without having been
 * asked once.
 */
test('a group that is away for an hour finds its transactions still there, and unasked', async () => {
  const broker = await e2e();
  for (let n = 0; n < 3; n++) await sendHalf(broker, { key: `k${n}` });
  await rounds(broker, 120);
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(GIVEN_UP_TOPIC), []);
  assert.equal((await broker.all(HALF_TOPIC)).length, 3, 'nothing is put again for nobody');
  const client = await producer(broker);
  await rounds(broker, 1, client);
  assert.deepEqual(
    checksOf(client).map(({ ext }) => ext['msgId']),
    ['k0', 'k1', 'k2'],
  );
  const copies = (await broker.all(HALF_TOPIC)).slice(3);
  assert.deepEqual(
    copies.map(({ properties }) => properties['TRANSACTION_CHECK_TIMES']),
    ['1', '1', '1'],
  );
});

test('after transactionCheckMax checks it is given up into TRANS_CHECK_MAX_TIME_TOPIC, and an end that comes then still counts, once', async () => {
  const broker = await e2e({ transactionCheckMax: '3' });
  const client = await producer(broker);
  const half = await sendHalf(broker, { key: 'k1', queueId: 1 });
  await rounds(broker, 6, client);
  await broker.reconnect();
  assert.equal(checksOf(client).length, 3);
  const [givenUp, ...more] = await broker.all(GIVEN_UP_TOPIC);
  assert.deepEqual([givenUp?.body, givenUp?.properties['TRANSACTION_CHECK_TIMES'], more.length], ['k1', '3', 0]);
  assert.equal(givenUp?.properties['REAL_TOPIC'], 'T');
  assert.equal((await end(broker, half, COMMIT)).code, 0);
  for (const check of checksOf(client)) await end(broker, checkedHalf(check), COMMIT, { fromTransactionCheck: true });
  assert.deepEqual(await broker.bodies('T', 1), ['k1']);
});

test('a half message that is older than the log is kept for is given up without having been asked about', async () => {
  const broker = await e2e({ fileReservedTime: '1' });
  await sendHalf(broker, { key: 'k1' });
  await rounds(broker, 119);
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(GIVEN_UP_TOPIC), []);
  await rounds(broker, 2);
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(GIVEN_UP_TOPIC), ['k1']);
});

test('CHECK_IMMUNITY_TIME_IN_SECONDS keeps a message from checks, while those behind it are asked about', async () => {
  const broker = await e2e();
  const client = await producer(broker);
  const half = await sendHalf(broker, { key: 'slow', immunitySeconds: 100 });
  await sendHalf(broker, { key: 'usual' });
  await rounds(broker, 3, client);
  assert.deepEqual(new Set(checksOf(client).map(({ ext }) => ext['msgId'])), new Set(['usual']));
  assert.equal((await broker.all(HALF_TOPIC)).filter(({ properties }) => properties['UNIQ_KEY'] === 'slow').length, 1);
  await rounds(broker, 1, client);
  assert.ok(checksOf(client).some(({ ext }) => ext['msgId'] === 'slow'));
  const late = await end(broker, half, COMMIT);
  assertRefused(late, {
    code: 604,
    legacy: 'Check client immunity time exceeded',
    slug: 'transaction-ended-too-late',
    says: /120\d\d\d ms old/,
  });
  assert.equal((await end(broker, half, COMMIT, { fromTransactionCheck: true })).code, 0);
  assert.deepEqual(await broker.bodies(), ['slow']);
});

test('an immunity that is no number is the usual one', async () => {
  const broker = await e2e();
  const client = await producer(broker);
  await sendHalf(broker, { key: 'k1', immunitySeconds: 'soon' });
  await rounds(broker, 1, client);
  assert.equal(checksOf(client).length, 1);
});

test('an end of the first copy, after the check put the message again, ends all copies', async () => {
  const broker = await e2e();
  const client = await producer(broker);
  const half = await sendHalf(broker, { key: 'k1' });
  await rounds(broker, 2, client);
  assert.equal(checksOf(client).length, 2);
  assert.equal((await end(broker, half, COMMIT)).code, 0);
  await rounds(broker, 2, client);
  await broker.reconnect();
  assert.equal(checksOf(client).length, 2, 'nobody is asked any more');
  assert.deepEqual(await broker.bodies(), ['k1']);
  assert.ok((await endedOffsets(broker)).includes(2), 'a restart knows that the newest copy has ended');
  const answer = await end(broker, checkedHalf(checksOf(client)[0] as (typeof client.pushed)[0]), COMMIT);
  assert.match(answer.remark, /ended before/);
  assert.deepEqual(await broker.bodies(), ['k1']);
});

for (const [first, second] of [
  [COMMIT, COMMIT],
  [COMMIT, ROLLBACK],
  [ROLLBACK, COMMIT],
  [ROLLBACK, ROLLBACK],
] as const)
  test(`of two ends the first counts, now, a round later and after a restart: ${first}, ${second}`, async () => {
    const broker = await e2e();
    const half = await sendHalf(broker, { key: 'k1' });
    assert.equal((await end(broker, half, first)).remark, '');
    for (const later of [async () => {}, () => rounds(broker, 2), () => restarted(broker)]) {
      await later();
      await broker.reconnect();
      const answer = await end(broker, half, second);
      assert.deepEqual([answer.code, answer.remark], [0, 'the transaction had ended before; nothing was changed']);
    }
    assert.deepEqual(await broker.bodies(), first === COMMIT ? ['k1'] : []);
  });

test('two ends in one turn commit once', async () => {
  const broker = await e2e();
  const half = await sendHalf(broker, { key: 'k1' });
  broker.client.oneway(END, endExt(half, COMMIT));
  broker.client.oneway(END, endExt(half, COMMIT));
  broker.client.oneway(END, endExt(half, ROLLBACK));
  await broker.world.settle();
  assert.deepEqual(await broker.bodies(), ['k1']);
});

test('the same message object sent twice is two transactions, though both carry one key', async () => {
  const broker = await e2e();
  const first = await sendHalf(broker, { key: 'k1', body: 'one' });
  await broker.cluster.clock.advance(5);
  const second = await sendHalf(broker, { key: 'k1', body: 'two' });
  await end(broker, first, COMMIT);
  await rounds(broker, 1);
  await restarted(broker);
  assert.equal((await end(broker, second, COMMIT)).remark, '');
  assert.deepEqual(await broker.bodies(), ['one', 'two']);
});

test('an end for another group, another place or no half message is refused and changes nothing', async () => {
  const broker = await e2e();
  const half = await sendHalf(broker, { key: 'k1' });
  const plain = await broker.send({ body: Buffer.alloc(200, 7) });
  const plainOffset = half.physicalOffset + 400;
  assert.equal(plain.code, 0);
  const notFound = { code: 1, legacy: 'Find prepared transaction message failed' };
  assertRefused(await end(broker, { ...half, group: 'Other' }, COMMIT), {
    code: 1,
    legacy: 'The producer group wrong',
    slug: 'producer-group-wrong',
    says: /belongs to PG, the request to Other/,
  });
  assertRefused(await end(broker, { ...half, halfOffset: 7 }, COMMIT), {
    code: 1,
    legacy: 'The transaction state table offset wrong',
    slug: 'transaction-offset-wrong',
    says: /half queue offset 0, the request says 7/,
  });
  assertRefused(await end(broker, { ...half, physicalOffset: 99_999_999 }, COMMIT), { ...notFound, slug: 'half-message-not-found' });
  assertRefused(await end(broker, { ...half, physicalOffset: half.physicalOffset + 3 }, COMMIT), {
    ...notFound,
    slug: 'half-message-not-found',
  });
  assertRefused(await end(broker, { ...half, physicalOffset: plainOffset }, COMMIT), { ...notFound, slug: 'half-message-not-found' });
  const record = (await broker.all('T', 0))[0];
  assertRefused(await end(broker, { ...half, physicalOffset: record?.physicalOffset ?? -1 }, COMMIT), {
    ...notFound,
    slug: 'not-a-half-message',
  });
  assert.equal((await broker.all(OP_TOPIC)).length, 0);
  assert.equal((await end(broker, half, COMMIT)).code, 0);
});

test('bytes in a message that look like a half message are none', async () => {
  const broker = await e2e();
  await sendHalf(broker, { key: 'k1' });
  const client = await producer(broker);
  await rounds(broker, 1, client);
  const forged = checksOf(client)[0]?.body as Buffer;
  await broker.reconnect();
  const answer = await broker.send({ body: forged });
  const physicalOffset = (await broker.all('T', 0)).at(-1)?.physicalOffset ?? 0;
  assert.equal(answer.code, 0);
  for (let at = physicalOffset; at < physicalOffset + 200; at++) {
    const refused = await end(broker, { key: 'k1', group: 'PG', halfOffset: 1, physicalOffset: at }, COMMIT);
    assert.equal(refused.code, 1);
  }
});

test('half messages are asked about after both sides were restarted, and after the machine lost power', async () => {
  for (const power of [false, true]) {
    const broker = await e2e({ flushDiskType: 'SYNC_FLUSH' });
    await sendHalf(broker, { key: 'k1', body: 'open' });
    if (power) await broker.cluster.crash('broker', { power });
    await restarted(broker);
    const client = await producer(broker);
    await rounds(broker, 1, client);
    const [check] = checksOf(client);
    assert.ok(check !== undefined);
    assert.equal((await end(broker, checkedHalf(check), COMMIT, { fromTransactionCheck: true })).code, 0);
    assert.deepEqual(await broker.bodies(), ['open']);
  }
});

test('a crash between the committed message and its op message does not commit it twice', async () => {
  const broker = await e2e();
  const half = await sendHalf(broker, { key: 'k1', queueId: 1 });
  const { put } = broker.cluster.broker;
  const [record] = await broker.all(HALF_TOPIC);
  const properties = new Map(Object.entries(record?.properties ?? {}));
  properties.delete('REAL_TOPIC');
  properties.delete('REAL_QID');
  // What a commit stores, without the op message that follows it.
  const stored = put.put({
    topic: 'T',
    queueId: 1,
    sysFlag: COMMIT,
    properties,
    body: Buffer.from('k1'),
    flag: 0,
    bornTimestampMs: record?.bornTimestamp ?? 0,
    bornHost: Buffer.from([127, 0, 0, 1, 0, 0, 1, 1]),
    reconsumeTimes: 0,
    preparedTransactionOffset: half.physicalOffset,
    waits: false,
  });
  await broker.run(stored);
  await broker.cluster.crash();
  await restarted(broker);
  const client = await producer(broker);
  const again = await end(broker, half, COMMIT);
  assert.match(again.remark, /ended before/);
  await rounds(broker, 2, client);
  assert.equal(checksOf(client).length, 0);
  assert.deepEqual(await broker.bodies('T', 1), ['k1']);
  assert.deepEqual(await endedOffsets(broker), [0]);
});

test('copies that were passed by are not asked about after a restart', async () => {
  const broker = await e2e();
  const client = await producer(broker);
  await sendHalf(broker, { key: 'away', group: 'Away' });
  const half = await sendHalf(broker, { key: 'k1' });
  await rounds(broker, 3, client);
  assert.equal(checksOf(client).length, 3, 'one check a round, though the first half message stays open');
  await broker.cluster.crash();
  await restarted(broker);
  const again = await producer(broker);
  await rounds(broker, 1, again);
  assert.deepEqual(
    checksOf(again).map(({ ext }) => ext['tranStateTableOffset']),
    ['5'],
  );
  assert.equal((await end(broker, half, ROLLBACK)).remark, '', 'an end of the very first copy');
  await rounds(broker, 2, again);
  assert.equal(checksOf(again).length, 1);
});

test('what is done is not read again at the next start', async () => {
  const broker = await e2e();
  for (let n = 0; n < 3; n++) await end(broker, await sendHalf(broker, { key: `k${n}` }), COMMIT);
  await rounds(broker, 2);
  const position = async (topic: string): Promise<string | undefined> =>
    (await broker.request(14, { consumerGroup: 'CID_RMQ_SYS_TRANS', topic, queueId: 0 })).ext['offset'];
  await restarted(broker);
  assert.deepEqual([await position(HALF_TOPIC), await position(OP_TOPIC)], ['3', '3']);
});

test('half messages that a power failure took do not hide the ones that come after it', async () => {
  const broker = await e2e();
  for (let n = 0; n < 5; n++) await end(broker, await sendHalf(broker, { key: `k${n}` }), ROLLBACK);
  await rounds(broker, 2);
  await broker.cluster.stopRole('broker');
  // The positions are there, the log is not: as if its files had been lost.
  const { disk } = broker.cluster.platform('broker');
  await broker.run(disk.removeTree('/data/store/commitlog'));
  await broker.run(disk.removeTree('/data/store/consumequeue'));
  await broker.cluster.restart();
  await broker.reconnect();
  const client = await producer(broker);
  await sendHalf(broker, { key: 'new' });
  await rounds(broker, 1, client);
  assert.equal(checksOf(client).length, 1);
});

test('an open half message is brought to the end of the log before its file may go, uncounted', async () => {
  const broker = await e2e();
  await sendHalf(broker, { key: 'k1' });
  for (let n = 0; n < 60; n++) await broker.send({ body: Buffer.alloc(10_000) });
  await rounds(broker, 2);
  await broker.reconnect();
  const copies = await broker.all(HALF_TOPIC);
  assert.equal(copies.length, 2);
  assert.equal(copies[1]?.properties['TRANSACTION_CHECK_TIMES'], undefined);
  const client = await producer(broker);
  await rounds(broker, 1, client);
  assert.deepEqual(
    checksOf(client).map(({ ext }) => ext['tranStateTableOffset']),
    ['2'],
  );
});

test('a commit that the disk does not take leaves the transaction open', async () => {
  const broker = await e2e();
  const half = await sendHalf(broker, { key: 'k1' });
  broker.disk.inject({ operation: 'write', path: '/data/store/commitlog', code: 'EIO', times: 1 });
  const failed = await end(broker, half, COMMIT);
  assert.notEqual(failed.code, 0);
  await restarted(broker);
  assert.equal((await end(broker, half, COMMIT)).remark, '');
  assert.deepEqual(await broker.bodies(), ['k1']);
});

test('a half message can be put back to be asked about from the first time, open or given up, but not one that has ended', async () => {
  const broker = await e2e({ transactionCheckMax: '1' });
  const client = await producer(broker);
  await sendHalf(broker, { key: 'k1' });
  await rounds(broker, 2, client);
  await broker.reconnect();
  const [givenUp] = await broker.all(GIVEN_UP_TOPIC);
  const idOf = (physicalOffset: number): string =>
    `${(checksOf(client)[0]?.ext['offsetMsgId'] ?? '').slice(0, -16)}${physicalOffset.toString(16).toUpperCase().padStart(16, '0')}`;
  assert.equal((await broker.request(RESUME, { topic: 'T', msgId: idOf(givenUp?.physicalOffset ?? -1) })).code, 0);
  await rounds(broker, 1, client);
  assert.equal(checksOf(client).length, 2);
  const check = checksOf(client)[1] as (typeof client.pushed)[0];
  assert.equal((await broker.request(RESUME, { topic: 'T', msgId: check.ext['offsetMsgId'] as string })).code, 0);
  await rounds(broker, 1, client);
  assert.equal(checksOf(client).length, 3);
  await end(broker, checkedHalf(check), COMMIT, { fromTransactionCheck: true });
  assertRefused(await broker.request(RESUME, { topic: 'T', msgId: check.ext['offsetMsgId'] as string }), {
    code: 1,
    legacy: `Put message back to ${HALF_TOPIC} failed.`,
    slug: 'transaction-ended',
  });
  assertRefused(await broker.request(RESUME, { topic: 'T', msgId: idOf(99_999) }), {
    code: 1,
    legacy: `Put message back to ${HALF_TOPIC} failed.`,
    slug: 'half-message-not-found',
  });
  assert.deepEqual(await broker.bodies(), ['k1']);
});

test('rejectTransactionMessage refuses half messages with code 16', async () => {
  const broker = await e2e({ rejectTransactionMessage: 'true' });
  const answer = await broker.send({ properties: { TRAN_MSG: 'true', PGROUP: 'PG' } });
  assert.equal(answer.code, 16);
  assert.match(answer.remark, /^the broker\[.*\] sending transaction message is forbidden \[transactions-rejected\] /);
  assert.deepEqual([answer.ext['MSG_REGION'], answer.ext['TRACE_ON']], ['DefaultRegion', 'true']);
});

test('config/transactionMetrics counts the open half messages of each topic', async () => {
  const broker = await e2e();
  const halves = [];
  for (let n = 0; n < 3; n++) halves.push(await sendHalf(broker, { key: `k${n}` }));
  await sendHalf(broker, { key: 'o', topic: 'Other' });
  await end(broker, halves[0] as (typeof halves)[0], COMMIT);
  await end(broker, halves[1] as (typeof halves)[0], ROLLBACK);
  await end(broker, halves[1] as (typeof halves)[0], ROLLBACK);
  const counts = (): Record<string, number> => {
    const path = '/data/store/config/transactionMetrics';
    const { disk } = broker;
    const bytes = Buffer.alloc(disk.statNow(path)?.sizeBytes ?? 0);
    disk.openNow(path, { mode: 'read' }).readNow(bytes, 0, bytes.length, 0);
    const { transactionCount, dataVersion } = JSON.parse(bytes.toString());
    assert.ok(dataVersion.counter > 0);
    return Object.fromEntries(Object.entries(transactionCount).map(([topic, value]) => [topic, (value as { count: number }).count]));
  };
  await broker.cluster.clock.advance(11_000);
  assert.deepEqual(counts(), { T: 1, Other: 1 });
  await restarted(broker);
  await end(broker, halves[2] as (typeof halves)[0], COMMIT);
  await broker.cluster.clock.advance(11_000);
  assert.deepEqual(counts(), { T: 0, Other: 1 });
});

test('ends whose op message the disk did not take are written with the next round, and not asked about', async () => {
  const broker = await e2e();
  const client = await producer(broker);
  const half = await sendHalf(broker, { key: 'k1' });
  broker.disk.inject({ operation: 'write', path: '/data/store/commitlog', code: 'ENOSPC', times: 1 });
  await end(broker, half, ROLLBACK);
  assert.deepEqual(await endedOffsets(broker), []);
  await rounds(broker, 2, client);
  await broker.reconnect();
  assert.deepEqual(await endedOffsets(broker), [0]);
  assert.equal(checksOf(client).length, 0);
});
