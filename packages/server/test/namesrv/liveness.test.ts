import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeClusterInfo } from '@perigee/core/protocol/bodies/cluster-info';
import { FakePeer, TestNameServer } from './harness.ts';

const slave = { brokerAddr: '10.0.0.8:10911', brokerId: 1, haServerAddr: '10.0.0.8:10912', enableActingMaster: true };
const master = { enableActingMaster: true };

test('a silent broker is closed and leaves the route at the first scan after 120 s', async () => {
  const ns = await TestNameServer.start();
  const peer = new FakePeer();
  await ns.register({}, peer);
  await ns.advance(120_000);
  assert.notEqual(await ns.route('T'), undefined);
  assert.equal(peer.closed, false);
  await ns.advance(5_000);
  assert.equal(await ns.route('T'), undefined);
  assert.equal(peer.closed, true);
});

test('a broker that registers every 30 s, or sends heartbeats, stays', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', topics: ['B', 'C'], heartbeatTimeoutMillis: 10_000 });
  for (let seconds = 0; seconds < 600; seconds += 5) {
    await ns.advance(5_000);
    if (seconds % 30 === 0) await ns.register();
    await ns.ask(904, { clusterName: 'DefaultCluster', brokerAddr: '10.0.0.7:10911', brokerName: 'broker-b' });
  }
  assert.notEqual(await ns.route('T'), undefined);
  assert.notEqual(await ns.route('B'), undefined);
});

test('a broker may ask for a shorter time, and the scan may be set', async () => {
  const ns = await TestNameServer.start({ scanNotActiveBrokerInterval: '1000' });
  await ns.register({ heartbeatTimeoutMillis: 10_000 });
  await ns.advance(10_000);
  assert.notEqual(await ns.route('T'), undefined);
  await ns.advance(1_000);
  assert.equal(await ns.route('T'), undefined);
});

test('a broker with a short time expires in time beside one with a long time, and an empty NameServer sleeps', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', topics: ['B', 'C'] });
  await ns.register({ heartbeatTimeoutMillis: 10_000 });
  await ns.advance(10_000);
  assert.notEqual(await ns.route('T'), undefined);
  await ns.advance(5_000);
  assert.equal(await ns.route('T'), undefined);
  assert.notEqual(await ns.route('B'), undefined);
  await ns.advance(110_000);
  assert.equal(await ns.route('B'), undefined);
  await ns.advance(5_000);
  const before = ns.world.steps;
  await ns.advance(3_600_000);
  assert.equal(ns.world.steps, before);
});

test('a jump of the wall clock expires nobody', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  ns.platform.clock.jumpWall(3_600_000);
  await ns.advance(10_000);
  assert.notEqual(await ns.route('T'), undefined);
});

test('an expired address that another one replaced takes nothing with it', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ brokerAddr: '10.0.0.6:10911' });
  await ns.advance(100_000);
  await ns.register({ version: { counter: 2 } });
  await ns.advance(50_000);
  assert.equal((await ns.route('T'))?.brokerDatas[0]?.brokerAddrs.get(0), '10.0.0.9:10911');
  assert.equal(ns.server.routes.dataVersionOf('DefaultCluster', '10.0.0.6:10911'), undefined, 'its live entry is gone');
});

test('a broker that moved to another cluster name lives on, and expires as a whole', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ clusterName: 'Old' });
  await ns.advance(100_000);
  await ns.register({ clusterName: 'New', version: { counter: 2 } });
  await ns.advance(100_000);
  assert.notEqual(await ns.route('T'), undefined);
  await ns.advance(30_000);
  const info = decodeClusterInfo((await ns.ask(106)).body as Buffer);
  assert.equal(info.brokerAddrTable.size, 0);
  assert.equal(info.clusterAddrTable.size, 0);
});

test('unregistering removes broker, topics and cluster; topics of others stay', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', clusterName: 'Other', topics: ['T', 'B'] });
  assert.equal((await ns.unregister()).code, 0);
  assert.deepEqual(
    (await ns.route('T'))?.queueDatas.map((queue) => queue.brokerName),
    ['broker-b'],
  );
  assert.equal(await ns.route('TBW102'), undefined);
  assert.deepEqual([...decodeClusterInfo((await ns.ask(106)).body as Buffer).clusterAddrTable], [['Other', ['broker-b']]]);
});

test('the queue of leaving brokers is bounded and drained in one pass at the end of the turn', async () => {
  const ns = await TestNameServer.start({ unRegisterBrokerQueueCapacity: '2' });
  for (const port of [1, 2, 3]) await ns.register({ brokerName: `b${port}`, brokerAddr: `10.0.0.9:${port}`, topics: [`T${port}`, 'X'] });
  const leave = (port: number): Promise<{ code: number; remark?: string | undefined }> =>
    ns.ask(104, { brokerName: `b${port}`, brokerAddr: `10.0.0.9:${port}`, clusterName: 'DefaultCluster', brokerId: '0' });
  const answers = await Promise.all([leave(1), leave(2), leave(3)]);
  assert.deepEqual(
    answers.map((answer) => answer.code),
    [0, 0, 1],
  );
  assert.match(answers[2]?.remark ?? '', /unRegisterBrokerQueueCapacity=2/);
  assert.notEqual(await ns.route('T1'), undefined, 'not yet');
  await ns.world.settle();
  assert.equal(await ns.route('T1'), undefined);
  assert.equal(await ns.route('T2'), undefined);
  assert.notEqual(await ns.route('T3'), undefined);
});

test('when a master leaves slaves that may stand in, its topics become read-only', async () => {
  const ns = await TestNameServer.start();
  await ns.register(master);
  await ns.register(slave);
  assert.equal(await ns.perm('T'), 6);
  await ns.unregister();
  assert.equal(await ns.perm('T'), 4);
  const other = await TestNameServer.start();
  await other.register();
  await other.register({ ...slave, enableActingMaster: false });
  await other.unregister();
  assert.equal(await other.perm('T'), 6, 'without enableActingMaster they stay');
});

test('the acting-master view shows the smallest id as the master, except to brokers looking for each other', async () => {
  const ns = await TestNameServer.start({ supportActingMaster: 'true' });
  const member = 'rmq_sys_SYNC_BROKER_MEMBER_broker-a';
  await ns.register({ ...master, topics: ['T', member] });
  await ns.register(slave);
  await ns.register({ ...slave, brokerAddr: '10.0.0.7:10911', brokerId: 2 });
  assert.deepEqual([...((await ns.route('T'))?.brokerDatas[0]?.brokerAddrs.keys() ?? [])], [0, 1, 2]);
  await ns.unregister();
  assert.deepEqual(
    [...((await ns.route('T'))?.brokerDatas[0]?.brokerAddrs ?? [])],
    [
      [0, '10.0.0.8:10911'],
      [2, '10.0.0.7:10911'],
    ],
  );
  assert.deepEqual([...((await ns.route(member))?.brokerDatas[0]?.brokerAddrs.keys() ?? [])], [1, 2]);
  const group = await ns.ask(901, { clusterName: 'DefaultCluster', brokerName: 'broker-a' });
  assert.match(String(group.body), /"brokerAddrs":\{1:/, 'the table itself did not change');
});

test('a topic that is still writable shows no acting master', async () => {
  const ns = await TestNameServer.start({ supportActingMaster: 'true' });
  await ns.register(master);
  await ns.register(slave);
  await ns.unregister();
  await ns.ask(327, { brokerName: 'broker-a' });
  assert.deepEqual([...((await ns.route('T'))?.brokerDatas[0]?.brokerAddrs.keys() ?? [])], [1]);
});

test('all hear when the smallest id left, all but the new one when a smaller id came', async () => {
  const ns = await TestNameServer.start({ notifyMinBrokerIdChanged: 'true' });
  await ns.register(master);
  await ns.register(slave);
  await ns.register({ ...slave, brokerAddr: '10.0.0.7:10911', brokerId: 2 });
  assert.equal(ns.notified.length, 0, 'larger ids change nothing');
  await ns.unregister();
  assert.deepEqual(
    ns.notified.map(({ address, request }) => ({ address, ...request })),
    ['10.0.0.8:10911', '10.0.0.7:10911'].map((address) => ({
      address,
      code: 905,
      ext: { minBrokerId: '1', minBrokerAddr: '10.0.0.8:10911', offlineBrokerAddr: '10.0.0.9:10911' },
    })),
  );
  ns.notified.length = 0;
  await ns.register({ ...master, version: { counter: 2 } });
  assert.deepEqual(
    ns.notified.map(({ address }) => address),
    ['10.0.0.8:10911', '10.0.0.7:10911'],
  );
  assert.deepEqual(ns.notified[0]?.request.ext, { minBrokerId: '0', minBrokerAddr: '10.0.0.9:10911', haBrokerAddr: '10.0.0.9:10912' });
});

test('nobody is notified unless it is asked for, or where acting masters are not wanted', async () => {
  const quiet = await TestNameServer.start();
  await quiet.register(master);
  await quiet.register(slave);
  await quiet.unregister();
  assert.equal(quiet.notified.length, 0);
  const plain = await TestNameServer.start({ notifyMinBrokerIdChanged: 'true' });
  await plain.register();
  await plain.register({ ...slave, enableActingMaster: false });
  await plain.unregister();
  assert.equal(plain.notified.length, 0);
});

test('stop ends the scan', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.server.stop();
  await ns.advance(300_000);
  assert.notEqual(await ns.route('T'), undefined);
});
