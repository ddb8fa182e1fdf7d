/** Positions that an administrator sets, and what consumers make of them (broker.md 9, 12.4). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PULL_COMMIT_OFFSET, PULL_SUBSCRIPTION } from '@perigee/core/protocol/commands/pull';
import { type E2e, e2e, HELD, isPending, pull, type WireAnswer } from './e2e-wire.ts';

const RESET = 222;
const OFFSET_MOVED = 21;

async function filled(count = 6, settings: Readonly<Record<string, string>> = {}): Promise<E2e> {
  const broker = await e2e(settings);
  for (let n = 0; n < count; n++) {
    await broker.send({ body: `m${n}` });
    await broker.cluster.clock.advance(100);
  }
  await broker.request(200, {}, JSON.stringify({ groupName: 'G' }));
  return broker;
}

function reset(broker: E2e, more: Readonly<Record<string, string | number>>): Promise<WireAnswer> {
  return broker.request(RESET, { topic: 'T', group: 'G', timestamp: -1, isForce: true, ...more });
}

function commit(broker: E2e, commitOffset: number): Promise<WireAnswer> {
  return broker.request(15, { consumerGroup: 'G', topic: 'T', queueId: 0, commitOffset });
}

async function position(broker: E2e): Promise<string | undefined> {
  return (await broker.request(14, { consumerGroup: 'G', topic: 'T', queueId: 0, setZeroIfNotFound: false })).ext['offset'];
}

test('a consumer learns of a reset with its next pull, and what it commits before that is ignored', async () => {
  const broker = await filled();
  await broker.pull({ queueOffset: 0 });
  await commit(broker, 5);
  assert.equal((await reset(broker, { queueId: 0, offset: 2 })).code, 0);
  assert.equal(await position(broker), '2');
  const late = await commit(broker, 6);
  assert.deepEqual([late.code, late.remark, await position(broker)], [0, 'Offset has been previously reset', '2']);
  const told = await broker.pull({ queueOffset: 6 });
  assert.deepEqual([told.code, told.remark, told.ext['nextBeginOffset']], [OFFSET_MOVED, 'OFFSET_RESET', '2']);
  const next = await broker.pull({ queueOffset: 2 });
  assert.equal(next.code, 0);
  await commit(broker, 3);
  assert.equal(await position(broker), '3');
});

test('the pull that learns of a reset does not bring the old position back', async () => {
  const broker = await filled();
  await reset(broker, { queueId: 0, offset: 1 });
  const told = await broker.pull({ queueOffset: 6, sysFlag: PULL_SUBSCRIPTION | PULL_COMMIT_OFFSET, commitOffset: 6 });
  assert.equal(told.remark, 'OFFSET_RESET');
  assert.equal(await position(broker), '1');
});

test('a held pull of the group is told at once, those of other groups go on waiting', async () => {
  const broker = await filled();
  const held = pull(broker.client, { queueOffset: 6, sysFlag: HELD });
  const other = pull(broker.client, { queueOffset: 6, sysFlag: HELD, group: 'Other' });
  assert.ok(await isPending(broker, held));
  await reset(broker, { queueId: 0, offset: 0 });
  const told = await broker.run(held);
  assert.deepEqual([told.code, told.remark, told.ext['nextBeginOffset']], [OFFSET_MOVED, 'OFFSET_RESET', '0']);
  assert.ok(await isPending(broker, other));
  await broker.send({ body: 'm6' });
  assert.equal((await broker.run(other)).code, 0);
});

test('a reset while the group is away waits for it: its consumer starts there and gets messages with its first pull', async () => {
  const broker = await filled();
  await commit(broker, 6);
  const { ext } = await broker.request(29, { topic: 'T', queueId: 0, timestamp: broker.cluster.clock.wallMs() - 250 });
  await reset(broker, { timestamp: broker.cluster.clock.wallMs() - 250 });
  assert.equal(await position(broker), ext['offset']);
  const from = Number(ext['offset']);
  assert.ok(from > 0 && from < 6, `${from}`);
  const first = await broker.pull({ queueOffset: from });
  assert.equal(first.code, 0);
  await commit(broker, 6);
  assert.equal(await position(broker), '6');
});

test('a reset survives a restart of the broker as the position of the group', async () => {
  const broker = await filled();
  await commit(broker, 6);
  await reset(broker, { queueId: 0, offset: 4 });
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal(await position(broker), '4');
});

test('with useServerSideResetOffset=false nothing is set here: the consumers are told', async () => {
  const broker = await filled(6, { useServerSideResetOffset: 'false' });
  for (let queueId = 0; queueId < 4; queueId++) await broker.request(15, { consumerGroup: 'G', topic: 'T', queueId, commitOffset: 3 });
  assert.equal((await reset(broker, {})).code, 206);
  assert.equal(await position(broker), '3');
});

test('a topic with fewer read queues than before loses nothing: read queues that come back show all that was sent meanwhile', async () => {
  const broker = await e2e();
  const queues = async (readQueueNums: number, writeQueueNums: number): Promise<void> => {
    const topic = {
      topic: 'T',
      defaultTopic: 'TBW102',
      readQueueNums,
      writeQueueNums,
      perm: 6,
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: 0,
      order: false,
    };
    assert.equal((await broker.request(17, topic)).code, 0);
  };
  await queues(4, 4);
  for (let queueId = 0; queueId < 4; queueId++) await broker.send({ queueId, body: `a${queueId}` });
  await queues(2, 4);
  for (let queueId = 0; queueId < 4; queueId++) assert.equal((await broker.send({ queueId, body: `b${queueId}` })).code, 0);
  const hidden = await broker.pull({ queueId: 3 });
  assert.equal(hidden.code, 29);
  assert.match(hidden.remark, /^queueId\[3\] is illegal/);
  assert.deepEqual(await broker.bodies('T', 1), ['a1', 'b1']);
  await broker.cluster.restart();
  await broker.reconnect();
  await queues(4, 4);
  for (let queueId = 0; queueId < 4; queueId++) assert.deepEqual(await broker.bodies('T', queueId), [`a${queueId}`, `b${queueId}`]);
});

test('write queues can be taken away before the read queues: what is in them can still be read', async () => {
  const broker = await e2e();
  for (let queueId = 0; queueId < 4; queueId++) await broker.send({ queueId, body: `a${queueId}` });
  const topic = {
    topic: 'T',
    defaultTopic: 'TBW102',
    readQueueNums: 4,
    writeQueueNums: 2,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
  };
  assert.equal((await broker.request(17, topic)).code, 0);
  for (let n = 0; n < 8; n++) assert.ok(Number((await broker.send({ queueId: -1 })).ext['queueId']) < 2);
  assert.deepEqual(await broker.bodies('T', 3), ['a3']);
});
