/** Clients of a whole broker on real connections: membership, notices, locks, expiry (broker.md 13, 14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeConsumerList } from '@perigee/core/protocol/bodies/heartbeat';
import { decodeLockBatchResponse, encodeLockBatchRequest } from '@perigee/core/protocol/bodies/lock-batch';
import { type E2e, e2e, type WireClient } from './e2e-wire.ts';
import { heartbeat } from './fakes.ts';

const HEARTBEAT = 34;
const UNREGISTER = 35;
const IDS_CHANGED = 40;

async function join(broker: E2e, clientId: string, more: Partial<Parameters<typeof heartbeat>[0]> = {}): Promise<WireClient> {
  const client = await broker.connect(clientId);
  await beat(broker, client, clientId, more);
  return client;
}

async function beat(broker: E2e, client: WireClient, clientId: string, more: Partial<Parameters<typeof heartbeat>[0]> = {}): Promise<void> {
  const body = heartbeat({ clientId, group: 'G', topics: { T: '*' }, ...more });
  const answer = await broker.run(client.request(HEARTBEAT, {}, Buffer.from(body)));
  assert.equal(answer.code, 0, answer.remark);
}

async function members(broker: E2e, consumerGroup = 'G'): Promise<string[]> {
  const answer = await broker.request(38, { consumerGroup });
  return answer.code === 0 ? decodeConsumerList(answer.body).sort() : [];
}

function noticesOf(client: WireClient): string[] {
  return client.pushed.filter(({ code, oneway }) => code === IDS_CHANGED && oneway).map(({ ext }) => ext['consumerGroup'] as string);
}

test('members of a group hear at once when one joins, leaves or loses its connection', async () => {
  const broker = await e2e();
  const first = await join(broker, 'c1');
  const second = await join(broker, 'c2');
  await broker.world.settle();
  assert.deepEqual(await members(broker), ['c1', 'c2']);
  const before = noticesOf(first).length;
  assert.ok(before >= 1, 'the first member heard of the second');

  const third = await join(broker, 'c3');
  await broker.world.settle();
  assert.equal(noticesOf(first).length, before + 1);
  assert.deepEqual(new Set(noticesOf(second)), new Set(['G']));

  await broker.run(third.request(UNREGISTER, { clientID: 'c3', consumerGroup: 'G' }));
  await broker.world.settle();
  assert.deepEqual(await members(broker), ['c1', 'c2']);
  assert.equal(noticesOf(first).length, before + 2);

  second.close();
  await broker.world.settle();
  assert.deepEqual(await members(broker), ['c1']);
  assert.equal(noticesOf(first).length, before + 3);
});

test('a heartbeat that says nothing new tells nobody; another subscription tells the group', async () => {
  const broker = await e2e();
  const first = await join(broker, 'c1');
  const second = await join(broker, 'c2');
  await broker.world.settle();
  const before = noticesOf(first).length;
  await beat(broker, second, 'c2');
  await beat(broker, first, 'c1');
  await broker.world.settle();
  assert.equal(noticesOf(first).length, before);
  await beat(broker, second, 'c2', { topics: { T: '*', U: '*' }, subVersion: 2 });
  await broker.world.settle();
  assert.equal(noticesOf(first).length, before + 1);
});

test('a group that switched notices off is not told', async () => {
  const broker = await e2e();
  assert.equal((await broker.request(200, {}, JSON.stringify({ groupName: 'G', notifyConsumerIdsChangedEnable: false }))).code, 0);
  const first = await join(broker, 'c1');
  await join(broker, 'c2');
  await broker.world.settle();
  assert.deepEqual(noticesOf(first), []);
});

test('a client that falls silent is gone after two minutes, its connection too, and the others hear of it', async () => {
  const broker = await e2e();
  const silent = await join(broker, 'silent', { producers: ['P'] });
  const alive = await join(broker, 'alive');
  const before = noticesOf(alive).length;
  for (let beats = 0; beats < 5; beats++) {
    await broker.cluster.clock.advance(30_000);
    await beat(broker, alive, 'alive');
    assert.equal(silent.closed, beats > 3, `after ${30 * (beats + 1)} s`);
  }
  assert.equal(alive.closed, false);
  await broker.reconnect();
  assert.deepEqual(await members(broker), ['alive']);
  assert.equal(noticesOf(alive).length, before + 1);
  assert.equal((await broker.request(204, { producerGroup: 'P' })).code, 1);
});

test('a producer and a consumer on one connection are two memberships, and unregistering one keeps the other', async () => {
  const broker = await e2e();
  const both = await join(broker, 'c1', { producers: ['P', 'P2'] });
  const producers = async (group: string): Promise<number> => {
    const answer = await broker.request(204, { producerGroup: group });
    return answer.code === 0 ? JSON.parse(answer.body.toString()).connectionSet.length : 0;
  };
  assert.deepEqual([await producers('P'), await producers('P2'), await members(broker)], [1, 1, ['c1']]);
  await broker.run(both.request(UNREGISTER, { clientID: 'c1', producerGroup: 'P' }));
  assert.deepEqual([await producers('P'), await producers('P2'), await members(broker)], [0, 1, ['c1']]);
  const connection = JSON.parse((await broker.request(203, { consumerGroup: 'G' })).body.toString());
  assert.deepEqual(
    [
      connection.connectionSet[0].clientId,
      connection.connectionSet[0].clientAddr,
      connection.connectionSet[0].language,
      connection.connectionSet[0].version,
    ],
    ['c1', `${both.local.host}:${both.local.port}`, 'JAVA', 513],
  );
  both.close();
  await broker.world.settle();
  assert.deepEqual([await producers('P2'), await members(broker)], [0, []]);
});

test('a client that connects again under its old id counts once', async () => {
  const broker = await e2e();
  await join(broker, 'c1');
  await join(broker, 'c1');
  assert.deepEqual(await members(broker), ['c1']);
});

test('a heartbeat makes the retry topic, which clients then find at the NameServer', async () => {
  const broker = await e2e();
  await join(broker, 'c1');
  const client = broker.cluster.client('router');
  const route = await broker.run(client.request(broker.cluster.namesrvAddress, { code: 105, ext: { topic: '%RETRY%G' } }, 1000));
  assert.equal(route.code, 0);
  assert.match(route.body.toString(), /"writeQueueNums":1/);
});

test('queue locks: one client at a time, renewed by asking, free after a minute or an unlock, of each group by itself', async () => {
  const broker = await e2e();
  const queues = [0, 1].map((queueId) => ({ topic: 'T', brokerName: 'broker-a', queueId }));
  const ask = async (code: number, clientId: string, asked = queues, consumerGroup = 'G'): Promise<number[]> => {
    const answer = await broker.request(code, {}, encodeLockBatchRequest({ consumerGroup, clientId, onlyThisBroker: false, mqSet: asked }));
    assert.equal(answer.code, 0);
    return code === 41 ? decodeLockBatchResponse(answer.body).map(({ queueId }) => queueId) : [];
  };
  assert.deepEqual(await ask(41, 'c1'), [0, 1]);
  assert.deepEqual(await ask(41, 'c2'), []);
  assert.deepEqual(await ask(41, 'c2', queues, 'G2'), [0, 1]);
  await broker.cluster.clock.advance(50_000);
  assert.deepEqual(await ask(41, 'c1', queues.slice(0, 1)), [0]);
  await broker.cluster.clock.advance(20_000);
  assert.deepEqual(await ask(41, 'c2'), [1]);
  await ask(42, 'c1');
  assert.deepEqual(await ask(41, 'c2'), [0, 1]);
});

test('a question that is relayed to a consumer comes back with its answer, or says that it is not there', async () => {
  const broker = await e2e();
  const answer = await broker.request(307, { consumerGroup: 'G', clientId: 'nobody', jstackEnable: false });
  assert.equal(answer.code, 1);
  assert.match(answer.remark, /nobody/);
});
