import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeTopicList } from '@perigee/core/protocol/bodies/topic-list';
import { TestNameServer } from './harness.ts';

async function list(ns: TestNameServer, code: number, ext: Record<string, string> = {}): Promise<readonly string[]> {
  const answer = await ns.ask(code, ext);
  assert.equal(answer.code, 0, answer.remark);
  return decodeTopicList(answer.body as Buffer).topicList;
}

test('wiping takes the write permission until the broker registers a changed version, adding sets read and write', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ topics: ['T', { topicName: 'U', perm: 7 }] });
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911' });
  assert.deepEqual((await ns.ask(205, { brokerName: 'broker-a' })).ext, { wipeTopicCount: '2' });
  assert.deepEqual([await ns.perm('T'), await ns.perm('U'), await ns.perm('T', 'broker-b')], [4, 5, 6]);
  await ns.register({ topics: ['T', { topicName: 'U', perm: 7 }] });
  assert.equal(await ns.perm('T'), 4, 'the same version changes nothing');
  assert.deepEqual((await ns.ask(327, { brokerName: 'broker-a' })).ext, { addTopicCount: '2' });
  assert.deepEqual([await ns.perm('T'), await ns.perm('U')], [6, 6]);
  await ns.ask(205, { brokerName: 'broker-a' });
  await ns.register({ topics: ['T', { topicName: 'U', perm: 7 }], version: { counter: 2 } });
  assert.deepEqual([await ns.perm('T'), await ns.perm('U')], [6, 7]);
  assert.deepEqual((await ns.ask(205, { brokerName: 'nobody' })).ext, { wipeTopicCount: '0' });
});

test('one topic is registered for the broker names that are known', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  const queue = { brokerName: 'broker-a', perm: 6, readQueueNums: 1, writeQueueNums: 1, topicSysFlag: 0 };
  const put = (topic: string, ...queueDatas: object[]) => ns.ask(217, { topic }, { body: JSON.stringify({ queueDatas }) });
  assert.equal((await put('N', queue)).code, 0);
  assert.equal((await ns.route('N'))?.queueDatas[0]?.readQueueNums, 1);
  assert.equal((await put('M', { ...queue, brokerName: 'nobody' }, queue)).code, 0);
  assert.equal(await ns.route('M'), undefined, 'it stops at the first name that is not known');
  assert.equal((await put('N', { ...queue, perm: 'x' })).code, 1);
  assert.equal((await ns.ask(217, { topic: 'N' })).code, 0);
});

test('a topic is deleted wholly or for one cluster', async () => {
  const ns = await TestNameServer.start();
  await ns.register();
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', clusterName: 'Other' });
  await ns.ask(216, { topic: 'T', clusterName: 'NoSuchCluster' });
  assert.equal((await ns.route('T'))?.queueDatas.length, 2);
  await ns.ask(216, { topic: 'T', clusterName: 'Other' });
  assert.deepEqual(
    (await ns.route('T'))?.queueDatas.map((queue) => queue.brokerName),
    ['broker-a'],
  );
  await ns.ask(216, { topic: 'TBW102' });
  assert.equal(await ns.route('TBW102'), undefined);
  assert.equal((await ns.ask(216, { topic: 'NoSuchTopic' })).code, 0);
});

test('topics are listed wholly, by cluster and by unit flags, and names of clusters and brokers as system topics', async () => {
  const ns = await TestNameServer.start();
  const flagged = (topicSysFlag: number) => ({ topicName: `F${topicSysFlag}`, topicSysFlag });
  assert.equal(String((await ns.ask(304)).body), '{"topicList":[]}');
  await ns.register({ topics: [flagged(0), flagged(1), flagged(2), flagged(3)] });
  await ns.register({ brokerName: 'broker-b', brokerAddr: '10.0.0.7:10911', clusterName: 'Other', topics: ['B', flagged(0)] });
  assert.deepEqual(await list(ns, 206), ['F0', 'F1', 'F2', 'F3', 'B']);
  assert.deepEqual(await list(ns, 224, { cluster: 'Other' }), ['F0', 'B']);
  assert.deepEqual(await list(ns, 224, { cluster: 'None' }), []);
  assert.deepEqual(await list(ns, 311), ['F1', 'F3']);
  assert.deepEqual(await list(ns, 312), ['F2', 'F3']);
  assert.deepEqual(await list(ns, 313), ['F2']);
  assert.deepEqual(await list(ns, 304), ['DefaultCluster', 'broker-a', 'Other', 'broker-b']);
  assert.equal(decodeTopicList((await ns.ask(304)).body as Buffer).brokerAddr, '10.0.0.9:10911');
});

test('lists that are switched off answer "disable" and which key did it', async () => {
  const ns = await TestNameServer.start({ enableAllTopicList: 'false', enableTopicList: 'false' });
  for (const [code, key] of [
    [206, 'enableAllTopicList'],
    [224, 'enableTopicList'],
    [311, 'enableTopicList'],
    [312, 'enableTopicList'],
    [313, 'enableTopicList'],
  ] as const) {
    const answer = await ns.ask(code, { cluster: 'C' });
    assert.equal(answer.code, 1);
    assert.match(answer.remark ?? '', new RegExp(`^disable \\[topic-list-disabled\\] ${key}=false`));
  }
  assert.equal((await ns.ask(304)).code, 0, 'not guarded');
});
