/** A broker and its NameServer over hours, stops and crashes, in milliseconds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e, HELD, isPending, pull, WireClient } from './e2e-wire.ts';

const NOT_FOUND = 17;

async function routeOf(broker: E2e, topic: string): Promise<{ code: number; body: string }> {
  const network = broker.cluster.platform('router').network;
  const client = await broker.run(WireClient.open(network, broker.cluster.namesrvAddress));
  const answer = await broker.run(client.request(105, { topic }));
  client.close();
  return { code: answer.code, body: answer.body.toString() };
}

async function committed(broker: E2e, queueId = 0): Promise<string | undefined> {
  return (await broker.request(14, { consumerGroup: 'G', topic: 'T', queueId })).ext['offset'];
}

test('a broker that is cut off expires at the NameServer after 120 s, and is back after its next registration', async () => {
  const broker = await e2e();
  await broker.send();
  assert.equal((await routeOf(broker, 'T')).code, 0);
  broker.cluster.platform('broker').network.partition('broker', 'namesrv');
  await broker.cluster.clock.advance(88_000);
  assert.equal((await routeOf(broker, 'T')).code, 0);
  await broker.cluster.clock.advance(40_000);
  assert.equal((await routeOf(broker, 'T')).code, NOT_FOUND);
  broker.cluster.platform('broker').network.heal('broker', 'namesrv');
  await broker.cluster.clock.advance(60_000);
  assert.equal((await routeOf(broker, 'T')).code, 0);
  await broker.reconnect();
  assert.equal((await broker.send()).ext['queueOffset'], '1');
});

test('a broker whose machine dies is gone from the route after 120 s, one whose process dies at once', async () => {
  const dead = await e2e();
  await dead.send();
  await dead.cluster.crash('broker', { power: true });
  await dead.cluster.clock.advance(89_000);
  assert.equal((await routeOf(dead, 'T')).code, 0);
  await dead.cluster.clock.advance(40_000);
  assert.equal((await routeOf(dead, 'T')).code, NOT_FOUND);

  const killed = await e2e();
  await killed.send();
  await killed.cluster.crash('broker');
  await killed.cluster.clock.advance(1_000);
  assert.equal((await routeOf(killed, 'T')).code, NOT_FOUND);
});

test('a NameServer that starts anew knows the broker again within one registration period', async () => {
  const broker = await e2e();
  await broker.send();
  await broker.cluster.crash('namesrv');
  await broker.cluster.restart('namesrv');
  assert.equal((await routeOf(broker, 'T')).code, NOT_FOUND);
  await broker.cluster.clock.advance(31_000);
  assert.equal((await routeOf(broker, 'T')).code, 0);
});

test('a clean stop takes the broker out of the route at once', async () => {
  const broker = await e2e();
  await broker.send();
  await broker.cluster.stopRole('broker');
  await broker.cluster.clock.advance(100);
  assert.equal((await routeOf(broker, 'T')).code, NOT_FOUND);
});

test('a broker starts without its NameServer, serves, and registers when that is there', async () => {
  const broker = await e2e();
  await broker.cluster.stopRole('namesrv');
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal((await broker.send()).code, 0);
  await broker.cluster.restart('namesrv');
  await broker.cluster.clock.advance(31_000);
  assert.equal((await routeOf(broker, 'T')).code, 0);
});

test('positions of a group are on disk within five seconds, and are there after a crash', async () => {
  const broker = await e2e();
  for (let n = 0; n < 5; n++) await broker.send();
  await broker.pull();
  await broker.cluster.clock.advance(10_000);
  await broker.request(15, { consumerGroup: 'G', topic: 'T', queueId: 0, commitOffset: 3 });
  assert.equal(await committed(broker), '3');
  await broker.cluster.clock.advance(5_000);
  await broker.request(15, { consumerGroup: 'G', topic: 'T', queueId: 0, commitOffset: 4 });
  await broker.cluster.crash('broker', { power: true });
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal(await committed(broker), '3');
});

test('a clean stop writes positions, topics and groups, and everything is as before', async () => {
  const broker = await e2e();
  for (let n = 0; n < 5; n++) await broker.send({ queueId: n % 2, body: `m${n}` });
  await broker.request(200, {}, JSON.stringify({ groupName: 'G', retryMaxTimes: 3 }));
  await broker.request(15, { consumerGroup: 'G', topic: 'T', queueId: 1, commitOffset: 2 });
  const topics = (await broker.request(21)).body.toString();
  const configs = (await broker.request(26)).body.toString();
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal(broker.cluster.broker.store.bootedCleanly, true);
  assert.equal(await committed(broker, 1), '2');
  assert.equal((await broker.request(21)).body.toString(), topics);
  assert.equal((await broker.request(26)).body.toString(), configs);
  assert.equal(JSON.parse((await broker.request(352, { group: 'G' })).body.toString()).retryMaxTimes, 3);
  assert.deepEqual(await broker.bodies('T', 0), ['m0', 'm2', 'm4']);
  assert.equal((await broker.send({ queueId: 1 })).ext['queueOffset'], '2');
});

test('settings of topics and groups that were answered with success survive a power failure in the next moment', async () => {
  const broker = await e2e();
  const topic = {
    topic: 'Made',
    defaultTopic: 'TBW102',
    readQueueNums: 3,
    writeQueueNums: 3,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: true,
  };
  assert.equal((await broker.request(17, topic)).code, 0);
  assert.equal((await broker.request(200, {}, JSON.stringify({ groupName: 'Made', retryMaxTimes: 5 }))).code, 0);
  assert.equal((await broker.request(25, {}, 'maxMessageSize=12345\n')).code, 0);
  await broker.cluster.crash('broker', { power: true });
  await broker.cluster.restart();
  await broker.reconnect();
  const made = JSON.parse((await broker.request(351, { topic: 'Made' })).body.toString());
  assert.deepEqual([made.readQueueNums, made.order], [3, true]);
  assert.equal(JSON.parse((await broker.request(352, { group: 'Made' })).body.toString()).retryMaxTimes, 5);
});

test('a deleted topic is gone with its messages, and made anew it starts at offset 0', async () => {
  const broker = await e2e();
  for (let n = 0; n < 3; n++) await broker.send();
  const held = pull(broker.client, { queueOffset: 3, sysFlag: HELD, suspendMs: 2_000 });
  assert.ok(await isPending(broker, held));
  assert.equal((await broker.request(215, { topic: 'T' })).code, 0);
  assert.equal((await broker.pull()).code, NOT_FOUND);
  assert.equal((await broker.send({ body: 'new' })).ext['queueOffset'], '0');
  assert.deepEqual(await broker.bodies(), ['new']);
  const answer = await broker.run(held);
  assert.notEqual(answer.code, 0);
  await broker.cluster.crash();
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal((await broker.send()).ext['queueOffset'], '1');
});

test('held pulls are let go when the broker stops, and their clients come back', async () => {
  const broker = await e2e();
  await broker.send();
  void pull(broker.client, { queueOffset: 1, sysFlag: HELD });
  await broker.world.settle();
  await broker.cluster.restart();
  assert.equal(broker.client.closed, true);
  await broker.reconnect();
  assert.equal((await broker.pull()).code, 0);
});

test('messages older than fileReservedTime go, offsets stay, and a pull below the first is told where it starts', async () => {
  const broker = await e2e({
    fileReservedTime: '24',
    deleteWhen: '00;01;02;03;04;05;06;07;08;09;10;11;12;13;14;15;16;17;18;19;20;21;22;23',
  });
  const body = Buffer.alloc(20_000, 'x');
  for (let n = 0; n < 12; n++) await broker.send({ body });
  broker.cluster.platform('broker').clock.jumpWall(30 * 3_600_000);
  await broker.cluster.clock.advance(70_000);
  assert.equal((await broker.send({ body: 'fresh' })).ext['queueOffset'], '12');
  const answer = await broker.pull();
  assert.deepEqual([answer.code, answer.remark], [21, 'OFFSET_TOO_SMALL']);
  const first = Number(answer.ext['minOffset']);
  assert.ok(first > 0 && first <= 12, `minOffset ${first}`);
  const rest = await broker.pull({ queueOffset: first });
  assert.equal(rest.code, 0);
});

test('half an hour of an idle cluster passes in a moment', async () => {
  const broker = await e2e();
  await broker.send();
  await broker.cluster.clock.advance(30 * 60_000);
  assert.equal((await routeOf(broker, 'T')).code, 0);
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(), ['hello']);
});
