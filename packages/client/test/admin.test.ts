import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admin } from '../src/index.ts';
import { fakeCluster } from './fake-cluster.ts';

test('a topic is created on a broker, and its route and bounds can be read', async () => {
  const cluster = await fakeCluster('broker-a');
  const broker = cluster.brokers[0]!;
  const admin = new Admin(cluster.client, { namesrv: [cluster.namesrv] });
  await assert.rejects(cluster.world.run(admin.topicRoute('TopicA')), { code: 'no-route' });
  await cluster.world.run(admin.createTopic(broker.address, { topic: 'TopicA', queueNums: 3 }));
  const route = await cluster.world.run(admin.topicRoute('TopicA'));
  assert.deepEqual(route.queueDatas, [{ brokerName: 'broker-a', readQueueNums: 3, writeQueueNums: 3, perm: 6, topicSysFlag: 0 }]);
  broker.minOffsets.set('TopicA 1', 7);
  broker.store('TopicA', 1, Buffer.from('x'), '');
  assert.deepEqual(await cluster.world.run(admin.queueBounds(broker.address, 'TopicA', 1)), { minOffset: 7, maxOffset: 8 });
  await cluster.world.run(admin.stop());
});

test('the clusters are those that the NameServer knows', async () => {
  const cluster = await fakeCluster('broker-a', 'broker-b');
  const admin = new Admin(cluster.client, { namesrv: [cluster.namesrv] });
  const info = await cluster.world.run(admin.clusterInfo());
  assert.deepEqual([...info.clusterAddrTable], [['C', ['broker-a', 'broker-b']]]);
  assert.equal(info.brokerAddrTable.get('broker-b')!.brokerAddrs.get(0), cluster.brokers[1]!.address);
});

test('what a broker refuses comes with its remark', async () => {
  const cluster = await fakeCluster('broker-a');
  const admin = new Admin(cluster.client, { namesrv: [cluster.namesrv] });
  await assert.rejects(cluster.world.run(admin.createTopic(cluster.brokers[0]!.address, { topic: 'forbidden', queueNums: 1 })), {
    code: 'refused',
    responseCode: 1,
    message: /The topic\[forbidden\] is conflict with system topic\.$/,
  });
});
