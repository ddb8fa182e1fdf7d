import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeClusterInfo } from '@perigee/core/protocol/bodies/cluster-info';
import { encodeRegisterBrokerBodyCompressed } from '@perigee/core/protocol/bodies/register-broker';
import { FakePeer, TestNameServer, topicConfig } from './harness.ts';

const slave = { brokerAddr: '10.0.0.8:10911', brokerId: 1, haServerAddr: '10.0.0.8:10912' };

test('a master and its slave are one broker name, and the slave learns its master', async () => {
  const ns = await TestNameServer.start();
  assert.deepEqual((await ns.register()).ext, {});
  const answer = await ns.register(slave);
  assert.deepEqual(answer.ext, { haServerAddr: '10.0.0.9:10912', masterAddr: '10.0.0.9:10911' });
  const route = await ns.route('T');
  assert.deepEqual(
    [...(route?.brokerDatas[0]?.brokerAddrs ?? [])],
    [
      [0, '10.0.0.9:10911'],
      [1, '10.0.0.8:10911'],
    ],
  );
  assert.equal(route?.queueDatas.length, 1);
});

test('a slave whose master is not live learns nothing', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.unregister();
  assert.deepEqual((await ns.register(slave)).ext, {});
});

test('topics of a slave do not count while it is not allowed to stand in for a master', async () => {
  const ns = await TestNameServer.start();
  const { version: _version, ...old } = { ...slave, version: 0 };
  await ns.register({ ...old, topics: ['OfSlave', 'T'] });
  // Java 5 brokers always say enableActingMaster: then the smallest id counts even without a master.
  assert.notEqual(await ns.route('OfSlave'), undefined);
  await ns.register();
  await ns.register({ ...slave, topics: ['Later', 'T'], version: { counter: 2 } });
  assert.equal(await ns.route('Later'), undefined);
});

test('an old broker says nothing of acting masters, so its slaves never bring topics', async () => {
  const ns = await TestNameServer.start();
  const ext = { brokerName: 'broker-a', brokerAddr: '10.0.0.8:10911', clusterName: 'C', brokerId: '1', haServerAddr: 'x:1' };
  const body = '{"topicConfigSerializeWrapper":{"dataVersion":{"counter":1},"topicConfigTable":{"T":{},"U":{}}}}';
  assert.equal((await ns.ask(103, ext, { body })).code, 0);
  assert.equal(await ns.route('T'), undefined);
});

test('a slave that may stand in for its master brings its topics without the write permission', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ ...slave, enableActingMaster: true });
  assert.equal(await ns.perm('T'), 4);
});

test('a slave that became the master moves from its id to 0', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.register(slave);
  await ns.register({ ...slave, brokerId: 0, version: { stateVersion: 1 } });
  const addresses = (await ns.route('T'))?.brokerDatas[0]?.brokerAddrs;
  assert.deepEqual([...(addresses ?? [])], [[0, '10.0.0.8:10911']]);
});

test('an address with a smaller stateVersion is answered with success and left out', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ version: { stateVersion: 5 } });
  const answer = await ns.register({ brokerAddr: '10.0.0.7:10911', version: { stateVersion: 4 } });
  assert.equal(answer.code, 0);
  assert.deepEqual([...((await ns.route('T'))?.brokerDatas[0]?.brokerAddrs ?? [])], [[0, '10.0.0.9:10911']]);
  assert.equal(ns.server.routes.dataVersionOf('DefaultCluster', '10.0.0.7:10911'), undefined);
  await ns.register({ brokerAddr: '10.0.0.7:10911', version: { stateVersion: 5 } });
  assert.equal((await ns.route('T'))?.brokerDatas[0]?.brokerAddrs.get(0), '10.0.0.7:10911', 'an equal one takes the place');
});

test('one topic alone is refused before a full registration, leaves no trace, and is taken after it', async () => {
  const ns = await TestNameServer.start();
  const early = await ns.register({ topics: ['Only'] });
  assert.equal(early.code, 1);
  assert.match(early.remark ?? '', /^register broker failed \[register-single-topic-first\] /);
  assert.deepEqual(early.ext, {});
  assert.equal(decodeClusterInfo((await ns.ask(106)).body as Buffer).brokerAddrTable.size, 0);
  assert.equal(decodeClusterInfo((await ns.ask(106)).body as Buffer).clusterAddrTable.size, 0);
  await ns.register();
  assert.equal((await ns.register({ topics: ['Only'], version: { counter: 2 } })).code, 0);
  assert.notEqual(await ns.route('Only'), undefined);
  assert.notEqual(await ns.route('T'), undefined, 'the others stay');
});

test('changed topics are taken with a new data version only, unknown topics always', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.register({ topics: [{ topicName: 'T', perm: 4 }, 'New'] });
  assert.equal(await ns.perm('T'), 6, 'same version: known topics stay as they are');
  assert.equal(await ns.perm('New'), 6);
  await ns.register({ topics: [{ topicName: 'T', perm: 4 }, 'New'], version: { counter: 2 } });
  assert.equal(await ns.perm('T'), 4);
});

test('topics that a registration leaves out stay, unless deleteTopicWithBrokerRegistration is set', async () => {
  const keeping = await TestNameServer.start();
  await keeping.register({ topics: ['T', 'U'] });
  await keeping.register({ topics: ['T', 'V'], version: { counter: 2 } });
  assert.notEqual(await keeping.route('U'), undefined);

  const deleting = await TestNameServer.start({ deleteTopicWithBrokerRegistration: 'true' });
  await deleting.register({ topics: ['T', 'U'] });
  await deleting.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', topics: ['U', 'W'] });
  await deleting.register({ topics: ['T', 'V'], version: { counter: 2 } });
  assert.deepEqual(
    (await deleting.route('U'))?.queueDatas.map((queue) => queue.brokerName),
    ['broker-b'],
  );
  await deleting.register({ topics: ['T', 'X'], version: { counter: 3 } });
  const gone = await deleting.ask(105, { topic: 'V' });
  assert.match(
    gone.remark ?? '',
    /\[topic-route-deleted\] broker-a registered without the topic \(deleteTopicWithBrokerRegistration=true\)/,
  );
});

test('a registration with queue mappings deletes nothing even with deleteTopicWithBrokerRegistration', async () => {
  const ns = await TestNameServer.start({ deleteTopicWithBrokerRegistration: 'true' });
  await ns.register({ topics: ['T', 'U'] });
  const info = { bname: 'broker-a', currIdMap: new Map([[0, 0]]), dirty: false, epoch: 1, scope: '__global__', topic: 'T', totalQueues: 4 };
  await ns.register({ topics: ['T', 'V'], version: { counter: 2 }, mappings: [info] });
  assert.notEqual(await ns.route('U'), undefined);
});

test('logical queues are passed through with the route and outlive the broker', async () => {
  const ns = await TestNameServer.start();
  const info = {
    bname: 'broker-a',
    currIdMap: new Map([
      [0, 0],
      [1, 1],
    ]),
    dirty: false,
    epoch: 7,
    scope: '__global__',
    topic: 'T',
    totalQueues: 2,
  };
  await ns.register({ mappings: [info] });
  assert.deepEqual((await ns.route('T'))?.topicQueueMappingByBroker?.get('broker-a'), info);
  await ns.register({ mappings: [{ ...info, epoch: 8 }] });
  assert.equal((await ns.route('T'))?.topicQueueMappingByBroker?.get('broker-a')?.epoch, 7, 'the data version did not change');
  await ns.unregister();
  await ns.register({ version: { counter: 2 } });
  assert.equal((await ns.route('T'))?.topicQueueMappingByBroker?.get('broker-a')?.epoch, 7);
  assert.equal((await ns.route('TBW102'))?.topicQueueMappingByBroker, undefined);
});

test('a body that arrives changed is refused', async () => {
  const ns = await TestNameServer.start();
  const ext = { brokerName: 'b', brokerAddr: '1.1.1.1:1', clusterName: 'C', brokerId: '0', haServerAddr: 'x:1', bodyCrc32: '5' };
  const answer = await ns.ask(103, ext, { body: '{}' });
  assert.equal(answer.code, 1);
  assert.match(answer.remark ?? '', /^crc32 not match \[register-body-crc\] .*bodyCrc32 5, computed \d+ over 2 bytes/);
  assert.equal((await ns.ask(103, { ...ext, bodyCrc32: '0' }, { body: '{}' })).code, 0, '0 means not checked');
});

test('a body that came before is still checked, and one that differs in a byte counts', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.register();
  assert.equal((await ns.route('T'))?.queueDatas[0]?.perm, 6);
  await ns.register({ topics: ['T', 'U'], version: { counter: 2 } });
  assert.notEqual(await ns.route('U'), undefined);
  const ext = { brokerName: 'broker-a', brokerAddr: '10.0.0.9:10911', clusterName: 'DefaultCluster', brokerId: '0', haServerAddr: 'x' };
  const body = Buffer.from('{}');
  assert.equal((await ns.ask(103, { ...ext, compressed: 'false', bodyCrc32: '0' }, { body })).code, 0);
  assert.equal((await ns.ask(103, { ...ext, compressed: 'false', bodyCrc32: '5' }, { body })).code, 1);
});

test('a compressed body is read whatever the flag says', async () => {
  for (const compressed of ['true', 'false']) {
    const ns = await TestNameServer.start();
    const body = encodeRegisterBrokerBodyCompressed({
      filterServerList: [],
      topics: {
        dataVersion: { counter: 1, stateVersion: 0, timestamp: 1 },
        mappingDataVersion: { counter: 0, stateVersion: 0, timestamp: 0 },
        topicConfigTable: new Map([
          ['T', topicConfig('T')],
          ['U', topicConfig('U')],
        ]),
        topicQueueMappingInfoMap: new Map(),
      },
    });
    const ext = { brokerName: 'b', brokerAddr: '1.1.1.1:1', clusterName: 'C', brokerId: '0', haServerAddr: 'x:1', compressed };
    assert.equal((await ns.ask(103, ext, { body })).code, 0);
    assert.notEqual(await ns.route('U'), undefined);
  }
});

test('a body that cannot be read is refused with the place that is wrong', async () => {
  const ns = await TestNameServer.start();
  const ext = { brokerName: 'b', brokerAddr: '1.1.1.1:1', clusterName: 'C', brokerId: '0', haServerAddr: 'x:1' };
  const answer = await ns.ask(103, ext, { body: '{"topicConfigSerializeWrapper":{"topicConfigTable":{"T":{"perm":"x"}}}}' });
  assert.equal(answer.code, 1);
  assert.equal(
    answer.remark,
    'Failed to decode RegisterBrokerBody: $.topicConfigSerializeWrapper.topicConfigTable.T.perm is "x", expected a whole number [body-unreadable] send the body that the request code declares',
  );
});

test('a header without a required field is refused with its name', async () => {
  const ns = await TestNameServer.start();
  const answer = await ns.ask(103, { brokerName: 'b' });
  assert.equal(answer.code, 1);
  assert.match(answer.remark ?? '', /brokerAddr/);
});

test('brokers get the order configuration when they register, unless that is switched off', async () => {
  const ns = await TestNameServer.start();
  assert.equal((await ns.register()).body, undefined);
  await ns.ask(100, { namespace: 'ORDER_TOPIC_CONFIG', key: 'T', value: 'broker-a:4' });
  assert.equal((await ns.register()).body?.toString(), '{"table":{"T":"broker-a:4"}}');
  await ns.ask(318, {}, { body: 'returnOrderTopicConfigToBroker=false' });
  assert.equal((await ns.register()).body, undefined);
});

test('filter servers come with the route until the broker names none', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ filterServerList: ['10.0.0.9:20000'] });
  assert.deepEqual([...((await ns.route('T'))?.filterServerTable ?? [])], [['10.0.0.9:10911', ['10.0.0.9:20000']]]);
  await ns.register({ filterServerList: [] });
  assert.equal((await ns.route('T'))?.filterServerTable.size, 0);
});

test('data versions are compared and answered, and asking counts as a sign of life', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ heartbeatTimeoutMillis: 10_000 });
  const ext = { brokerName: 'broker-a', brokerAddr: '10.0.0.9:10911', clusterName: 'DefaultCluster', brokerId: '0' };
  const known = { counter: 1, stateVersion: 0, timestamp: 1_000 };
  const same = await ns.ask(322, ext, { body: JSON.stringify(known) });
  assert.deepEqual(same.ext, { changed: 'false' });
  assert.deepEqual(JSON.parse(String(same.body)), known);
  for (let second = 0; second < 60; second += 6) {
    await ns.advance(6_000);
    assert.deepEqual((await ns.ask(322, ext, { body: '{"counter":9}' })).ext, { changed: 'true' });
  }
  assert.notEqual(await ns.route('T'), undefined);
  const stranger = await ns.ask(322, { ...ext, brokerAddr: '1.1.1.1:1' }, { body: '{"counter":9}' });
  assert.deepEqual([stranger.code, stranger.ext, stranger.body], [0, { changed: 'true' }, undefined]);
});

test('a broker that registers on a new connection survives the end of the old one', async () => {
  const ns = await TestNameServer.start();
  const [first, second] = [new FakePeer(), new FakePeer()];
  await ns.register({}, first);
  await ns.register({}, second);
  first.close();
  await ns.world.settle();
  assert.notEqual(await ns.route('T'), undefined);
  second.close();
  await ns.world.settle();
  assert.equal(await ns.route('T'), undefined);
});

test('brokers that share one connection leave together when it closes', async () => {
  const ns = await TestNameServer.start();
  const peer = new FakePeer();
  await ns.register({}, peer);
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.9:10921' }, peer);
  peer.close();
  await ns.world.settle();
  assert.equal(decodeClusterInfo((await ns.ask(106)).body as Buffer).brokerAddrTable.size, 0);
});
