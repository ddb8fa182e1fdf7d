import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakePeer, heartbeat, legacyText, TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

/** Topic Online with four queues, as it stood when the samples were taken. */
function online(): TestBroker {
  const broker = new TestBroker();
  broker.parts.topics.createInternal({ topic: 'Online', queueNums: 4, perm: 6, topicSysFlag: 0, order: false });
  for (const [queueId, lastTimes] of [
    [1, 2, 1795274167512],
    [1, 2, 1795274167519],
    [1, 2, 3, 1795274167524],
    [1, 2, 1795274167422],
  ].entries()) {
    broker.store.put('Online', queueId, ...lastTimes.map((storeTimestamp) => ({ storeTimestamp })));
    broker.parts.offsets.commit('CGonline', 'Online', queueId, lastTimes.length);
  }
  return broker;
}

/** 13 messages within the time between the oldest and the newest sample; the oldest is taken to be 10 s before the first. */
async function countThirteen(broker: TestBroker, spanMs: number): Promise<void> {
  const { stats } = broker.parts;
  for (let i = 0; i < 13; i++) {
    stats.topicPut('Online', 1, 100);
    stats.groupGet('Online', 'CGonline', 1, 100);
    if (i > 0) continue;
    stats.sample('minute');
    await broker.world.advance(spanMs - 10_000);
  }
  stats.sample('minute');
}

test('queue bounds and rates of a topic are those of a Java broker', async () => {
  const broker = online();
  await countThirteen(broker, 20_176);
  await replay(broker, { family: 'admin', name: 'GET_TOPIC_STATS_INFO-0-1' });
  const unknown = await broker.ask(202, { topic: 'Missing' });
  assert.deepEqual([unknown.code, legacyText(unknown.remark)], [17, 'topic[Missing] not exist']);
});

test('the progress of a group is that of a Java broker', async () => {
  const broker = online();
  await countThirteen(broker, 20_175);
  await replay(broker, { family: 'admin', name: 'GET_CONSUME_STATS-0-1' });
  await replay(broker, { family: 'admin', name: 'GET_CONSUME_STATS-0-2' });
  await replay(broker, { family: 'admin', name: 'GET_CONSUME_STATS-0-6' });
  assert.equal((await broker.ask(208)).code, 1);
});

test('a group that is online is measured by the topics that it subscribes to; a list of topics narrows it', async () => {
  const broker = online();
  broker.parts.topics.createInternal({ topic: 'Old', queueNums: 1, perm: 6, topicSysFlag: 0, order: false });
  broker.parts.offsets.commit('CGonline', 'Old', 0, 1);
  const topics = async (ext: Readonly<Record<string, string>> = {}) => {
    const body = (await broker.ask(208, { consumerGroup: 'CGonline', ...ext })).body?.toString() ?? '';
    return [...new Set([...body.matchAll(/"topic":"([^"]+)"/g)].map((match) => match[1]))].sort();
  };
  assert.deepEqual(await topics(), ['Old', 'Online']);
  assert.deepEqual(await topics({ topicList: 'Old;Missing' }), ['Old']);
  await broker.ask(34, {}, { body: heartbeat({ clientId: 'c', group: 'CGonline', topics: { Online: '*' } }) });
  assert.deepEqual(await topics(), ['Online']);
});

test('connections are listed with what they subscribe to', async () => {
  const broker = new TestBroker();
  const peer = new FakePeer();
  await broker.ask(34, {}, { peer, body: heartbeat({ clientId: 'c1', group: 'G', topics: { T: 'A' }, producers: ['P'] }) });
  const consumer = await broker.ask(203, { consumerGroup: 'G' });
  assert.equal(
    consumer.body?.toString(),
    `{"connectionSet":[{"clientAddr":"${peer.address}","clientId":"c1","language":"JAVA","version":513}],"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{"T":{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"A","subVersion":1,"tagsSet":[],"topic":"T"}}}`,
  );
  const producer = await broker.ask(204, { producerGroup: 'P' });
  assert.equal(
    producer.body?.toString(),
    `{"connectionSet":[{"clientAddr":"${peer.address}","clientId":"c1","language":"JAVA","version":513}]}`,
  );
  await broker.world.advance(5_000);
  const all = await broker.ask(328);
  const atMs = broker.platform.clock.wallMs() - 5_000;
  assert.equal(
    all.body?.toString(),
    `{"data":{"P":[{"clientId":"c1","language":"JAVA","lastUpdateTimestamp":${atMs},"remoteIP":"/${peer.address}","version":513}]}}`,
  );
});

test('groups that are not connected are refused as by a Java broker', async () => {
  const broker = new TestBroker();
  for (const name of ['GET_CONSUMER_CONNECTION_LIST-206-1', 'GET_PRODUCER_CONNECTION_LIST-1-1', 'GET_ALL_PRODUCER_INFO-0-2'])
    await replay(broker, { family: 'admin', name });
});

test('the groups of a topic are those that read it now or did before', async () => {
  const broker = online();
  await broker.ask(34, {}, { body: heartbeat({ clientId: 'c', group: 'CGonord', topics: { Online: '*' } }) });
  await replay(broker, { family: 'admin', name: 'QUERY_TOPIC_CONSUME_BY_WHO-0-1' });
  await replay(broker, { family: 'admin', name: 'QUERY_TOPIC_CONSUME_BY_WHO-0-3' });
});

test('single figures are read by name and key', async () => {
  const broker = online();
  await countThirteen(broker, 20_176);
  await replay(broker, { family: 'admin', name: 'VIEW_BROKER_STATS_DATA-0-1' });
  await replay(broker, { family: 'admin', name: 'VIEW_BROKER_STATS_DATA-1-1' });
});
