import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProperties } from '@perigee/core/message/properties';
import { decodeRecord } from '@perigee/core/message/record-check';
import { ClientError, Producer } from '../src/index.ts';
import { type FakeCluster, fakeCluster } from './fake-cluster.ts';

function producerOf(cluster: FakeCluster, timeoutMs?: number): Producer {
  return new Producer(cluster.client, { namesrv: [cluster.namesrv], timeoutMs });
}

const withCode = (code: string, text: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ClientError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, text);
  return true;
};

test('a message is stored with its properties and the result says where', async () => {
  const cluster = await fakeCluster('broker-a');
  const [broker] = cluster.brokers as [(typeof cluster.brokers)[0]];
  broker.topics.set('TopicA', 4);
  const producer = producerOf(cluster);
  const result = await cluster.world.run(
    producer.send({ topic: 'TopicA', body: 'hällo', tag: 'T', keys: ['k1', 'k2'], properties: { colour: 'red' }, queueId: 2 }),
  );
  assert.equal(result.status, 'SEND_OK');
  assert.deepEqual([result.brokerName, result.queueId, result.queueOffset], ['broker-a', 2, 0]);
  assert.match(result.msgId, /^[0-9A-F]{32}$/);
  const stored = broker.queues.get('TopicA 2')![0]!;
  const record = decodeRecord(stored, 0, stored.length);
  assert.equal(record.body.toString(), 'hällo');
  assert.deepEqual(Object.fromEntries(parseProperties(record.properties)), {
    colour: 'red',
    KEYS: 'k1 k2',
    UNIQ_KEY: result.msgId,
    WAIT: 'true',
    TAGS: 'T',
  });
});

test('messages go round the queues of all masters', async () => {
  const cluster = await fakeCluster('broker-a', 'broker-b');
  for (const broker of cluster.brokers) broker.topics.set('TopicA', 2);
  const producer = producerOf(cluster);
  const used: string[] = [];
  for (let count = 0; count < 8; count++) {
    const { brokerName, queueId } = await cluster.world.run(producer.send({ topic: 'TopicA', body: 'x' }));
    used.push(`${brokerName} ${queueId}`);
  }
  assert.deepEqual([...new Set(used)].sort(), ['broker-a 0', 'broker-a 1', 'broker-b 0', 'broker-b 1']);
  assert.deepEqual(used.slice(0, 4), used.slice(4));
});

test('a topic that does not exist is sent through the template, with at most four queues', async () => {
  const cluster = await fakeCluster('broker-a');
  const producer = producerOf(cluster);
  const results = [];
  for (let count = 0; count < 5; count++) results.push(await cluster.world.run(producer.send({ topic: 'New', body: 'x' })));
  assert.deepEqual([...new Set(results.map((result) => result.queueId))].sort(), [0, 1, 2, 3]);
  assert.equal(cluster.brokers[0]!.sends[0]!['c'], 'TBW102');
  assert.deepEqual(cluster.routeRequests, ['New', 'TBW102', 'New']);
});

test('a topic without any broker is refused with what the NameServer said', async () => {
  const cluster = await fakeCluster();
  const producer = producerOf(cluster);
  await assert.rejects(
    cluster.world.run(producer.send({ topic: 'TopicA', body: 'x' })),
    withCode('no-route', /^No route info of this topic: TopicA\. NameServer .*:9876 said: No topic route info in name server/),
  );
});

test('the statuses of a stored message are told apart', async () => {
  const cluster = await fakeCluster('broker-a');
  const [broker] = cluster.brokers as [(typeof cluster.brokers)[0]];
  broker.sendFaults = [{ code: 10 }, { code: 11 }, { code: 12 }];
  const producer = producerOf(cluster);
  const statuses = [];
  for (let count = 0; count < 4; count++) statuses.push((await cluster.world.run(producer.send({ topic: 'TopicA', body: 'x' }))).status);
  assert.deepEqual(statuses, ['FLUSH_DISK_TIMEOUT', 'SLAVE_NOT_AVAILABLE', 'FLUSH_SLAVE_TIMEOUT', 'SEND_OK']);
});

test('a broker that is busy makes the producer try another one', async () => {
  const cluster = await fakeCluster('broker-a', 'broker-b');
  for (const broker of cluster.brokers) broker.topics.set('TopicA', 1);
  const producer = producerOf(cluster);
  const first = await cluster.world.run(producer.send({ topic: 'TopicA', body: 'x' }));
  const next = cluster.brokers.find((broker) => broker.name !== first.brokerName)!;
  next.sendFaults = [{ code: 2, remark: 'busy' }];
  const second = await cluster.world.run(producer.send({ topic: 'TopicA', body: 'y' }));
  assert.equal(second.brokerName, first.brokerName);
  assert.equal(next.sends.length, 1);
});

test('an answer that no other broker would change is not tried again', async () => {
  const cluster = await fakeCluster('broker-a', 'broker-b');
  for (const broker of cluster.brokers) broker.sendFaults = [{ code: 13, remark: 'the message is illegal' }];
  const producer = producerOf(cluster);
  await assert.rejects(cluster.world.run(producer.send({ topic: 'TopicA', body: 'x' })), (error: unknown) => {
    assert.ok(error instanceof ClientError);
    assert.deepEqual([error.code, error.responseCode, error.retryable], ['refused', 13, false]);
    return true;
  });
  assert.equal(
    cluster.brokers.reduce((sum, broker) => sum + broker.sends.length, 0),
    1,
  );
});

test('a broker that keeps refusing is asked three times', async () => {
  const cluster = await fakeCluster('broker-a');
  const busy = { code: 2, remark: 'busy' };
  cluster.brokers[0]!.sendFaults = [busy, busy, busy, busy];
  await assert.rejects(cluster.world.run(producerOf(cluster).send({ topic: 'TopicA', body: 'x' })), withCode('refused', /code 2: busy$/));
  assert.equal(cluster.brokers[0]!.sends.length, 3);
});

test('a broker that does not answer ends in a timeout within the time given', async () => {
  const cluster = await fakeCluster('broker-a');
  cluster.brokers[0]!.sendFaults = ['hang', 'hang', 'hang', 'hang'];
  const producer = producerOf(cluster, 500);
  const startMs = cluster.world.nowMs;
  await assert.rejects(cluster.world.run(producer.send({ topic: 'TopicA', body: 'x' })), withCode('timeout', /did not answer request 310/));
  assert.ok(cluster.world.nowMs - startMs <= 600);
});

test('another NameServer is asked when one is gone', async () => {
  const cluster = await fakeCluster('broker-a');
  const producer = new Producer(cluster.client, { namesrv: ['10.0.0.200:9876', cluster.namesrv, '10.0.0.201:9876'], timeoutMs: 30_000 });
  assert.equal((await cluster.world.run(producer.send({ topic: 'TopicA', body: 'x' }))).status, 'SEND_OK');
});

test('without any NameServer the error names each of them', async () => {
  const cluster = await fakeCluster('broker-a');
  const producer = new Producer(cluster.client, { namesrv: ['10.0.0.200:9876', '10.0.0.201:9876'] });
  await assert.rejects(
    cluster.world.run(producer.send({ topic: 'TopicA', body: 'x' })),
    withCode('namesrv-unreachable', /10\.0\.0\.200:9876.*10\.0\.0\.201:9876|10\.0\.0\.201:9876.*10\.0\.0\.200:9876/),
  );
});

test('what breaks a limit is refused before anything is sent', async () => {
  const cluster = await fakeCluster('broker-a');
  const producer = producerOf(cluster);
  const illegal: [object, RegExp][] = [
    [{ body: '' }, /body is empty/],
    [{ body: Buffer.alloc(4 * 1024 * 1024 + 1) }, /allowed are 4194304/],
    [{ topic: '' }, /topic is empty/],
    [{ topic: 'a b' }, /other characters/],
    [{ topic: 'x'.repeat(128) }, /allowed are 127/],
    [{ tag: 'a\u0001b' }, /separator/],
    [{ keys: [''] }, /"KEYS" has an empty name or value/],
    [{ properties: { TAGS: 'x' } }, /reserved/],
    [{ properties: { x: '' } }, /empty/],
  ];
  for (const [part, text] of illegal)
    await assert.rejects(producer.send({ topic: 'TopicA', body: 'x', ...part }), withCode('message-illegal', text));
  assert.equal(cluster.brokers[0]!.sends.length, 0);
});

test('a stopped producer refuses to send', async () => {
  const cluster = await fakeCluster('broker-a');
  const producer = producerOf(cluster);
  await cluster.world.run(producer.stop());
  await assert.rejects(producer.send({ topic: 'TopicA', body: 'x' }), withCode('stopped', /stopped/));
});
