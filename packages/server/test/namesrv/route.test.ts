import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestNameServer } from './harness.ts';

const LEGACY = (topic: string): string =>
  `No topic route info in name server for the topic: ${topic}\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.`;

/** The remark after the legacy text. */
async function why(ns: TestNameServer, topic: string): Promise<string> {
  const answer = await ns.ask(105, { topic });
  assert.equal(answer.code, 17);
  assert.equal(answer.ext, undefined);
  const remark = answer.remark ?? '';
  assert.ok(remark.startsWith(`${LEGACY(topic)} [`), remark);
  return remark.slice(LEGACY(topic).length + 1);
}

test('quoted broker ids go to clients from 4.9.4 on and to those that ask, bare ones to older clients', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  const ids = async (version: number, ext: Record<string, string> = {}): Promise<string> =>
    /"brokerAddrs":\{[^:]*:/.exec(String((await ns.ask(105, { topic: 'T', ...ext }, { version })).body))?.[0] ?? '';
  assert.equal(await ids(401), '"brokerAddrs":{"0":');
  assert.equal(await ids(400), '"brokerAddrs":{0:');
  assert.equal(await ids(317, { acceptStandardJsonOnly: 'true' }), '"brokerAddrs":{"0":');
});

test('a zone keeps its own brokers and those without a master, and is written in the old form', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ zoneName: 'Z1' });
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', zoneName: 'z2', filterServerList: ['f:1'] });
  await ns.register({ brokerName: 'broker-c', brokerAddr: '10.0.0.6:10911', brokerId: 1, zoneName: 'z2' });
  const zone = { __ZONE_MODE: 'true', __ZONE_NAME: 'z1' };
  const route = await ns.route('T', zone);
  assert.deepEqual(
    route?.brokerDatas.map((broker) => broker.brokerName),
    ['broker-a', 'broker-c'],
  );
  assert.deepEqual(
    route?.queueDatas.map((queue) => queue.brokerName),
    ['broker-a', 'broker-c'],
  );
  assert.equal(route?.filterServerTable.size, 0);
  assert.match(String((await ns.ask(105, { topic: 'T', ...zone })).body), /"brokerAddrs":\{0:/);
  assert.equal((await ns.route('T', { ...zone, __ZONE_MODE: 'false' }))?.brokerDatas.length, 3);
  assert.equal((await ns.route('T', { ...zone, __ZONE_NAME: ' ' }))?.brokerDatas.length, 3);
});

test('the order configuration comes with the route when orderMessageEnable is set', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.ask(100, { namespace: 'ORDER_TOPIC_CONFIG', key: 'T', value: 'broker-a:4' });
  assert.equal((await ns.route('T'))?.orderTopicConf, undefined);
  await ns.ask(318, {}, { body: 'orderMessageEnable=true' });
  assert.equal((await ns.route('T'))?.orderTopicConf, 'broker-a:4');
  assert.equal((await ns.route('TBW102'))?.orderTopicConf, undefined);
});

test('no route is given until brokers had time to register, when that is wanted', async () => {
  const ns = await TestNameServer.start({ needWaitForService: 'true' });
  await ns.register();
  await ns.advance(44_000);
  const early = await ns.ask(105, { topic: 'T' });
  assert.equal(early.code, 1);
  assert.match(early.remark ?? '', /^name server not ready \[name-server-not-ready\] .*up for 44 s of waitSecondsForService=45/);
  await ns.advance(1_000);
  assert.equal((await ns.ask(105, { topic: 'T' })).code, 0);
});

test('without any broker the answer says so, and how long the NameServer has been up', async () => {
  const ns = await TestNameServer.start();
  await ns.advance(12_000);
  assert.match(await why(ns, 'T'), /^\[topic-route-no-broker\] no broker at all .* up for 12 s/);
});

test('a topic that no broker has is told from one whose brokers are gone', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', topics: ['B', 'C'] });
  await ns.advance(100_000);
  await ns.register();
  await ns.advance(60_000);
  assert.equal(
    await why(ns, 'B'),
    '[topic-route-brokers-gone] the topic is known, but every broker that holds it is gone: broker-b; ' +
      'broker-b (10.0.0.7:10911, id 0) fell silent for more than its 120 s and was removed 35 s ago, last heard 160 s ago; ' +
      '1 broker name with 2 topics registered here now; ' +
      'start the broker again, or look why it cannot reach this NameServer (its namesrvAddr, network, long pauses)',
  );
  assert.match(await why(ns, 'Nowhere'), /^\[topic-route-unknown\] no broker registered here has the topic; 1 broker name with 2 topics/);
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', topics: ['B', 'C'] });
  await ns.unregister({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911' });
  assert.match(await why(ns, 'B'), /broker-b \(10\.0\.0\.7:10911, id 0\) unregistered and was removed 0 s ago;/);
});

test('a broker that came back without the topic is no longer blamed for being gone', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ topics: ['Old', 'T'] });
  await ns.unregister();
  await ns.register({ topics: ['T', 'New'], version: { counter: 2 } });
  const text = await why(ns, 'Old');
  assert.match(text, /^\[topic-route-deleted\] broker-a left and came back without the topic; removed 0 s ago/);
});

test('a deleted topic is called deleted', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.ask(216, { topic: 'T' });
  await ns.advance(3_000);
  assert.match(
    await why(ns, 'T'),
    /^\[topic-route-deleted\] the topic was deleted from this NameServer; removed 3 s ago, held by broker-a until then/,
  );
});

test('a name that exists in another spelling or with another namespace is pointed out', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ topics: ['TopicA', 'INST%Orders', '%RETRY%G'] });
  assert.match(await why(ns, 'topica'), /but TopicA \(names are case-sensitive\) exists/);
  assert.match(await why(ns, 'INST%TopicA'), /but TopicA \(without the client's namespace\) exists/);
  assert.match(await why(ns, 'Orders'), /but INST%Orders \(inside a namespace\) exists/);
  assert.match(await why(ns, '%RETRY%INST%G'), /but %RETRY%G \(without the client's namespace\) exists.*nothing to do if the group is new/);
});
