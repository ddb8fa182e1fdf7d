import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compressBody } from '@perigee/core/message/compression';
import { withCompression } from '@perigee/core/message/sys-flag';
import { ClientError, type ReceivedMessage, Receiver, type ReceiverOptions } from '../src/index.ts';
import { type FakeBroker, type FakeCluster, fakeCluster } from './fake-cluster.ts';

function receiverOf(cluster: FakeCluster, options: Partial<ReceiverOptions> = {}): Receiver {
  return new Receiver(cluster.client, { namesrv: [cluster.namesrv], topic: 'TopicA', group: 'G', ...options });
}

/** Receives `count` messages and stops. */
async function receive(receiver: Receiver, count: number): Promise<ReceivedMessage[]> {
  const got: ReceivedMessage[] = [];
  await receiver.start();
  await receiver.run((message) => {
    got.push(message);
    return got.length < count;
  });
  await receiver.stop();
  return got;
}

const bodies = (messages: readonly ReceivedMessage[]): string[] => messages.map((message) => message.body.toString());

function fill(
  broker: FakeBroker,
  queueId: number,
  count: number,
  properties = 'UNIQ_KEY\u0001ID\u0002KEYS\u0001k\u0002TAGS\u0001T\u0002',
): void {
  for (let index = 0; index < count; index++)
    broker.store('TopicA', queueId, Buffer.from(`${broker.name}/${queueId}/${index}`), properties);
}

async function clusterWith(queues: number, ...names: string[]): Promise<FakeCluster> {
  const cluster = await fakeCluster(...names);
  for (const broker of cluster.brokers) broker.topics.set('TopicA', queues);
  return cluster;
}

test('a lone receiver gets the messages of all queues of all brokers, in order within a queue, with what belongs to them', async () => {
  const cluster = await clusterWith(2, 'broker-a', 'broker-b');
  for (const broker of cluster.brokers) for (const queueId of [0, 1]) fill(broker, queueId, 50);
  const got = await cluster.world.run(receive(receiverOf(cluster), 200));
  for (const broker of cluster.brokers)
    for (const queueId of [0, 1])
      assert.deepEqual(
        bodies(got.filter((message) => message.brokerName === broker.name && message.queueId === queueId)),
        Array.from({ length: 50 }, (_, index) => `${broker.name}/${queueId}/${index}`),
      );
  const [first] = got as [ReceivedMessage];
  assert.deepEqual([first.topic, first.msgId, first.keys, first.tag, first.queueOffset], ['TopicA', 'ID', 'k', 'T', 0]);
  assert.deepEqual(first.bornHost, { host: '10.0.0.9', port: 4711 });
});

test('a message that arrives while the pull is held is handed over at once', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  const receiver = receiverOf(cluster);
  const got = receive(receiver, 1);
  await cluster.world.advance(5_000);
  const sentMs = cluster.world.nowMs;
  fill(cluster.brokers[0]!, 0, 1);
  assert.deepEqual(bodies(await cluster.world.run(got)), ['broker-a/0/0']);
  assert.ok(cluster.world.nowMs - sentMs < 100);
});

test('a group goes on where it stopped', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  fill(cluster.brokers[0]!, 0, 6);
  assert.deepEqual(bodies(await cluster.world.run(receive(receiverOf(cluster), 2))), ['broker-a/0/0', 'broker-a/0/1']);
  assert.equal(cluster.brokers[0]!.offsets.get('G TopicA 0'), 2);
  assert.deepEqual(bodies(await cluster.world.run(receive(receiverOf(cluster), 1))), ['broker-a/0/2']);
});

test('the position is committed every five seconds without being asked', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  fill(cluster.brokers[0]!, 0, 3);
  const receiver = receiverOf(cluster);
  const run = receiver.start().then(() => receiver.run(() => undefined));
  await cluster.world.advance(5_500);
  assert.equal(cluster.brokers[0]!.offsets.get('G TopicA 0'), 3);
  await cluster.world.run(receiver.stop());
  await cluster.world.run(run);
});

test('a handler that throws ends the run and its message is not consumed', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  fill(cluster.brokers[0]!, 0, 3);
  const receiver = receiverOf(cluster);
  await cluster.world.run(receiver.start());
  await assert.rejects(
    cluster.world.run(
      receiver.run((message) => {
        if (message.queueOffset === 1) throw new Error('cannot');
      }),
    ),
    /cannot/,
  );
  await cluster.world.run(receiver.stop());
  assert.equal(cluster.brokers[0]!.offsets.get('G TopicA 0'), 1);
});

test('the iterator counts a message as consumed when the next one is asked for', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  fill(cluster.brokers[0]!, 0, 5);
  const receiver = receiverOf(cluster);
  await cluster.world.run(
    (async () => {
      await receiver.start();
      for await (const message of receiver) if (message.queueOffset === 3) break;
      await receiver.stop();
    })(),
  );
  assert.equal(cluster.brokers[0]!.offsets.get('G TopicA 0'), 3);
});

test('a new group begins at the oldest message, or behind the newest when it is told so', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  const broker = cluster.brokers[0]!;
  broker.minOffsets.set('TopicA 0', 40);
  fill(broker, 0, 2);
  assert.equal((await cluster.world.run(receive(receiverOf(cluster, { group: 'First' }), 1)))[0]!.queueOffset, 40);
  const late = receive(receiverOf(cluster, { group: 'Last', from: 'last' }), 1);
  await cluster.world.advance(1_000);
  fill(broker, 0, 1);
  assert.equal((await cluster.world.run(late))[0]!.queueOffset, 42);
});

test('a position outside of the queue is corrected by the broker', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  const broker = cluster.brokers[0]!;
  broker.minOffsets.set('TopicA 0', 10);
  broker.offsets.set('G TopicA 0', 3);
  fill(broker, 0, 1);
  assert.equal((await cluster.world.run(receive(receiverOf(cluster), 1)))[0]!.queueOffset, 10);
});

test('only the wanted tags are handed over, and what was filtered out is not pulled again', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  const broker = cluster.brokers[0]!;
  for (const tag of ['A', 'B', 'A', 'C']) broker.store('TopicA', 0, Buffer.from(tag), `TAGS\u0001${tag}\u0002`);
  assert.deepEqual(bodies(await cluster.world.run(receive(receiverOf(cluster, { tags: 'B || C' }), 2))), ['B', 'C']);
  const none = receiverOf(cluster, { tags: 'X', group: 'None' });
  await cluster.world.run(none.start());
  await cluster.world.advance(6_000);
  assert.equal(broker.offsets.get('None TopicA 0'), 4);
  await cluster.world.run(none.stop());
});

test('two members share the queues, and the one that stays takes over what the other leaves', async () => {
  const cluster = await clusterWith(4, 'broker-a');
  const broker = cluster.brokers[0]!;
  const seen = [new Set<number>(), new Set<number>()];
  const receivers = [receiverOf(cluster), receiverOf(cluster)] as const;
  const runs: Promise<void>[] = [];
  for (const [index, receiver] of receivers.entries()) {
    await cluster.world.run(receiver.start());
    runs.push(receiver.run((message) => void seen[index]!.add(message.queueId)));
  }
  await cluster.world.advance(1_000);
  for (const queueId of [0, 1, 2, 3]) fill(broker, queueId, 1);
  await cluster.world.advance(1_000);
  assert.equal(seen[0]!.size, 2);
  assert.equal(seen[1]!.size, 2);
  assert.equal(new Set([...seen[0]!, ...seen[1]!]).size, 4);
  await cluster.world.run(receivers[0].stop());
  await cluster.world.advance(1_000);
  for (const queueId of [0, 1, 2, 3]) fill(broker, queueId, 1);
  await cluster.world.advance(1_000);
  assert.equal(seen[1]!.size, 4);
  await cluster.world.run(receivers[1].stop());
  await cluster.world.run(Promise.all(runs));
  assert.equal(broker.members.get('G')!.size, 0);
});

test('a pull that is refused is told once and tried again', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  const broker = cluster.brokers[0]!;
  const refusal = { code: 16, remark: 'the broker[10.0.0.1] pulling message is forbidden' };
  broker.pullFaults = [refusal, refusal, refusal];
  fill(broker, 0, 1);
  const problems: ClientError[] = [];
  const got = await cluster.world.run(receive(receiverOf(cluster, { onProblem: (error) => problems.push(error) }), 1));
  assert.deepEqual(bodies(got), ['broker-a/0/0']);
  assert.deepEqual(
    problems.map((problem) => [problem.code, problem.responseCode]),
    [['refused', 16]],
  );
});

test('a broker that comes back is read on', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  const broker = cluster.brokers[0]!;
  const problems: ClientError[] = [];
  const got = receive(receiverOf(cluster, { onProblem: (error) => problems.push(error) }), 1);
  await cluster.world.advance(1_000);
  await cluster.world.run(broker.stop());
  await cluster.world.advance(3_000);
  assert.ok(problems.length > 0);
  await cluster.world.run(broker.start());
  fill(broker, 0, 1);
  assert.deepEqual(bodies(await cluster.world.run(got)), ['broker-a/0/0']);
});

test('a compressed body is unpacked, and one that cannot be is handed over as stored with the reason', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  const broker = cluster.brokers[0]!;
  broker.sysFlag = withCompression(0, 'zlib');
  broker.store('TopicA', 0, await compressBody('zlib', Buffer.from('packed')), '');
  broker.store('TopicA', 0, Buffer.from('damaged'), '');
  const [good, bad] = (await cluster.world.run(receive(receiverOf(cluster), 2))) as [ReceivedMessage, ReceivedMessage];
  assert.deepEqual([good.body.toString(), good.bodyProblem], ['packed', undefined]);
  assert.equal(bad.body.toString(), 'damaged');
  assert.match(bad.bodyProblem ?? '', /cannot be unpacked/);
});

test('an application that does not take its messages stops the pulling', async () => {
  const cluster = await clusterWith(1, 'broker-a');
  const broker = cluster.brokers[0]!;
  fill(broker, 0, 1_000);
  const receiver = receiverOf(cluster);
  await cluster.world.run(receiver.start());
  await cluster.world.advance(1_000);
  broker.pullFaults = [{ code: 1, remark: 'this pull should not have come' }];
  await cluster.world.advance(60_000);
  assert.equal(broker.pullFaults.length, 1);
  broker.pullFaults = [];
  let count = 0;
  await cluster.world.run(receiver.run(() => ++count < 1_000));
  await cluster.world.run(receiver.stop());
  assert.equal(broker.offsets.get('G TopicA 0'), 1_000);
});

test('a topic that does not exist is refused with what the NameServer said', async () => {
  const cluster = await fakeCluster('broker-a');
  await assert.rejects(cluster.world.run(receiverOf(cluster).start()), (error: unknown) => {
    assert.ok(error instanceof ClientError);
    assert.equal(error.code, 'no-route');
    assert.match(error.message, /said: No topic route info in name server for the topic: TopicA/);
    return true;
  });
});

test('names that no broker would take are refused when the receiver is made', async () => {
  const cluster = await fakeCluster('broker-a');
  for (const options of [{ group: '' }, { group: 'a b' }, { group: 'g'.repeat(121) }, { topic: 'a b' }, { tags: '||' }])
    assert.throws(() => receiverOf(cluster, options), { code: 'message-illegal' });
});
