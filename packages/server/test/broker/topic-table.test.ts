import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import { TopicTable } from '../../src/broker/topic-table.ts';
import { legacyText, TestBroker } from './fakes.ts';

function config(topicName: string, more: Partial<TopicConfig> = {}): TopicConfig {
  return {
    topicName,
    readQueueNums: 4,
    writeQueueNums: 4,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: new Map(),
    ...more,
  };
}

const signed = (...entries: [string, string][]) => ({ attributes: new Map(entries) });

test('a topic keeps its object while its settings change, and says when it is deleted', () => {
  const { topics } = new TestBroker().parts;
  topics.update(config('T'));
  const topic = topics.topic('T');
  assert.ok(topic !== undefined);
  topics.update(config('T', { perm: 4, writeQueueNums: 2 }));
  assert.equal(topics.topic('T'), topic);
  assert.deepEqual([topic.perm, topic.writeQueueNums, topic.readable, topic.writable], [4, 2, true, false]);
  topics.remove('T');
  assert.equal(topic.deleted, true);
  assert.equal(topics.topic('T'), undefined);
});

test('a change raises the version and is written with the ones of the same turn; an equal one costs nothing', async () => {
  const broker = new TestBroker();
  const { topics } = broker.parts;
  const heard: string[] = [];
  topics.onChange((topic) => heard.push(topic.topicName));
  topics.update(config('A'));
  topics.update(config('B'));
  assert.equal(topics.update(config('B')), undefined);
  await broker.world.settle();
  assert.equal(topics.dataVersion.counter, 2);
  assert.equal(broker.files.topics.writes, 1);
  assert.deepEqual(heard, ['A', 'B']);
});

test('what was written is read back, over the system topics', async () => {
  const broker = new TestBroker();
  const { topics } = broker.parts;
  topics.update(config('A', { perm: 4, order: true, ...signed(['+message.type', 'FIFO']) }));
  await topics.settled();
  const world = simWorld();
  const again = new TopicTable(world.node('n'), broker.live.config, broker.files.topics);
  again.load();
  assert.deepEqual(again.dataVersion, topics.dataVersion);
  assert.deepEqual([...again.topics()].map((topic) => topic.topicName).sort(), [...topics.topics()].map((topic) => topic.topicName).sort());
  assert.deepEqual(again.topic('A'), topics.topic('A'));
  assert.match(broker.files.topics.text ?? '', /^\{\n\t"dataVersion":\{\n\t\t"counter":1,/);
});

test('a file whose topic is filed under another name is refused with the place', () => {
  const broker = new TestBroker();
  broker.files.topics.text = '{"topicConfigTable":{"A":{"topicName":"B"}}}';
  assert.throws(() => broker.parts.topics.load(), /topics\.json: \$\.topicConfigTable\.A is filed under another name than its topicName B/);
});

test('names are checked in the words of Apache', () => {
  const { topics } = new TestBroker().parts;
  const remark = (name: string) => legacyText(topics.update(config(name))?.remark);
  assert.equal(remark(' '), 'The specified topic is blank.');
  assert.equal(remark('a b'), 'The specified topic: a b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$');
  const long = 'x'.repeat(128);
  assert.equal(remark(long), `The specified topic: ${long}, is longer than topic max length: 127`);
  const retry = `%RETRY%${'x'.repeat(249)}`;
  assert.equal(remark(retry), `The specified topic is DLQ or Retry topic: ${retry}, and it's longer than topic max length: 255`);
  assert.equal(remark(`%DLQ%${'x'.repeat(250)}`), undefined);
  assert.equal(remark('rmq_sys_anything'), 'The topic[rmq_sys_anything] is conflict with system topic.');
});

test('numbers out of range are refused and nothing changes', () => {
  const { topics } = new TestBroker().parts;
  for (const bad of [{ perm: 8 }, { perm: -1 }, { readQueueNums: -1 }, { writeQueueNums: 70_000 }]) {
    const refused = topics.update(config('T', bad));
    assert.equal(refused?.code, 29, JSON.stringify(bad));
    assert.equal(topics.topic('T'), undefined);
  }
});

test('attributes are added on creation, changed by sign afterwards, and refused as a whole', () => {
  const { topics } = new TestBroker().parts;
  const remark = (more: Partial<TopicConfig>) => legacyText(topics.update(config('T', more))?.remark);
  assert.equal(remark(signed(['-message.type', ''])), 'only add attribute is supported while creating topic. key: message.type');
  assert.equal(remark(signed(['+no.such', 'x'])), 'unsupported key: no.such');
  assert.equal(
    remark(signed(['+message.type', 'ODD'])),
    'value is not in set: [UNSPECIFIED, NORMAL, FIFO, DELAY, TRANSACTION, MIXED, PRIORITY, LITE]',
  );
  assert.equal(remark(signed(['+reserve.time', '1'])), 'Update topic reserveTime not supported');
  assert.equal(remark(signed(['+queue.type', 'BatchCQ'], ['+message.type', 'FIFO'])), undefined);
  assert.equal(remark(signed(['+queue.type', 'SimpleCQ'])), 'attempt to update an unchangeable attribute. key: queue.type');
  assert.equal(remark(signed(['-cleanup.policy', ''])), 'attempt to delete a nonexistent key: cleanup.policy');
  assert.equal(remark(signed(['message.type', 'FIFO'])), 'wrong format key: essage.type');
  assert.equal(remark(signed(['+message.type', 'NORMAL'], ['-message.type', ''])), 'alter duplication key. key: message.type');
  assert.deepEqual(
    topics.topic('T')?.attributes,
    new Map([
      ['queue.type', 'BatchCQ'],
      ['message.type', 'FIFO'],
    ]),
  );
  assert.equal(remark(signed(['-message.type', ''])), undefined);
  assert.deepEqual(topics.topic('T')?.attributes, new Map([['queue.type', 'BatchCQ']]));
});

test('MIXED is refused unless it is enabled', () => {
  const mixed = config('T', signed(['+message.type', 'MIXED']));
  assert.match(new TestBroker().parts.topics.update(mixed)?.remark ?? '', /^MIXED message type is not supported\. \[mixed-message-type\]/);
  assert.equal(new TestBroker({ enableMixedMessageType: 'true' }).parts.topics.update(mixed), undefined);
});

test('a send creates its topic with at most the queues of its default topic, without the right to inherit', () => {
  const { topics } = new TestBroker({ defaultTopicQueueNums: '8' }).parts;
  const send = (topic: string, clientQueueNums: number, defaultTopic = 'TBW102') =>
    topics.createOnSend({ topic, defaultTopic, clientQueueNums, topicSysFlag: 0 });
  assert.deepEqual([send('A', 4)?.readQueueNums, send('A', 4)?.perm], [4, 6]);
  assert.equal(send('B', 100)?.writeQueueNums, 8);
  assert.equal(send('C', -5)?.writeQueueNums, 0);
  assert.equal(send('D', 4, 'broker-a')?.writeQueueNums, 1);
  assert.equal(send('E', 40, 'DefaultCluster')?.writeQueueNums, 16);
  assert.equal(send('F', 4, 'A'), undefined, 'A cannot be inherited from');
  assert.equal(send('G', 4, 'missing'), undefined);
  assert.equal(send('bad name', 4), undefined);
  assert.equal(topics.dataVersion.counter, 5);
});

test('with auto-creation off TBW102 gives nothing, and other topics still can', () => {
  const broker = new TestBroker({ autoCreateTopicEnable: 'false' });
  assert.equal(broker.parts.topics.topic('TBW102'), undefined);
  const on = new TestBroker();
  const { topics } = on.parts;
  (on.live.config as { autoCreateTopicEnable: boolean }).autoCreateTopicEnable = false;
  assert.equal(topics.createOnSend({ topic: 'A', defaultTopic: 'TBW102', clientQueueNums: 4, topicSysFlag: 0 }), undefined);
  assert.ok(topics.createOnSend({ topic: 'A', defaultTopic: 'DefaultCluster', clientQueueNums: 4, topicSysFlag: 0 }) !== undefined);
});

test('an internal topic is created once and takes over the order flag later', () => {
  const { topics } = new TestBroker().parts;
  const create = (order: boolean | undefined) =>
    topics.createInternal({ topic: '%RETRY%G', queueNums: 1, perm: 6, topicSysFlag: 2, order });
  const topic = create(false);
  assert.deepEqual([topic?.perm, topic?.topicSysFlag, topic?.order], [6, 2, false]);
  create(undefined);
  assert.equal(topics.dataVersion.counter, 1);
  create(true);
  assert.deepEqual([topic?.order, topics.dataVersion.counter], [true, 2]);
});

test('the NameServers can make topics ordered, and nothing else changes', () => {
  const { topics } = new TestBroker().parts;
  topics.update(config('T'));
  topics.markOrdered(['T', 'unknown']);
  topics.markOrdered(['T']);
  assert.equal(topics.topic('T')?.order, true);
  assert.equal(topics.topic('unknown'), undefined);
  assert.equal(topics.dataVersion.counter, 2);
});

test('pages go by name, and start over when the version is another one', () => {
  const { topics } = new TestBroker().parts;
  const sorted = [...topics.topics()].map((topic) => topic.topicName).sort();
  const page = (seq: number | undefined, version: typeof topics.dataVersion | '' | undefined) => [
    ...topics.page({ seq, max: 3, version }).keys(),
  ];
  assert.deepEqual(page(0, ''), sorted.slice(0, 3));
  assert.deepEqual(page(3, topics.dataVersion), sorted.slice(3, 6));
  assert.deepEqual(page(3, { ...topics.dataVersion, counter: 99 }), sorted.slice(0, 3));
  assert.equal(page(undefined, '').length, sorted.length);
  assert.equal(page(0, undefined).length, sorted.length);
});

test('a write that fails is reported, and repeated with the next change', async () => {
  const broker = new TestBroker();
  const { topics } = broker.parts;
  broker.files.topics.failure = new Error('no space');
  topics.update(config('A'));
  assert.equal((await topics.settled())?.message, 'no space');
  broker.files.topics.failure = undefined;
  assert.equal(await topics.settled(), undefined);
  assert.match(broker.files.topics.text ?? '', /"topicName":"A"/);
});

test('topics.json of a Java broker loads', () => {
  const broker = new TestBroker();
  broker.files.topics.text =
    '{\n\t"dataVersion":{"counter":7,"stateVersion":0,"timestamp":5},\n\t"topicConfigTable":{"T":{"attributes":{},"order":false,"perm":7,"readQueueNums":3,"topicFilterType":"MULTI_TAG","topicName":"T","topicSysFlag":1,"writeQueueNums":2}}}';
  broker.parts.topics.load();
  const topic = broker.parts.topics.topic('T');
  assert.deepEqual(
    [topic?.perm, topic?.readQueueNums, topic?.writeQueueNums, topic?.topicFilterType, topic?.topicSysFlag],
    [7, 3, 2, 'MULTI_TAG', 1],
  );
  assert.deepEqual(broker.parts.topics.dataVersion, { counter: 7, stateVersion: 0, timestamp: 5 });
});
