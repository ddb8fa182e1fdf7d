import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import fc from 'fast-check';
import { ConsumerOffsetTable, POSITIONS_PER_TOPIC_MAX } from '../../src/broker/consumer-offset-table.ts';
import { MemoryText, TestBroker } from './fakes.ts';

const CONFIG = new URL('../../../core/test/golden/config/', import.meta.url);

test('a position is the last commit, lower ones included, and -1 without one', () => {
  const { offsets } = new TestBroker().parts;
  assert.equal(offsets.position('G', 'T', 0), -1);
  offsets.commit('G', 'T', 0, 10);
  offsets.commit('G', 'T', 0, 7);
  offsets.commit('G', 'T', 1, 2 ** 40);
  assert.deepEqual([offsets.position('G', 'T', 0), offsets.position('G', 'T', 1), offsets.position('G', 'U', 0)], [7, 2 ** 40, -1]);
});

test('a pull position runs ahead of the commit and falls back to it', () => {
  const { offsets } = new TestBroker().parts;
  offsets.commit('G', 'T', 0, 3);
  assert.equal(offsets.pullPosition('G', 'T', 0), 3);
  offsets.commitPull('G', 'T', 0, 9);
  assert.deepEqual([offsets.pullPosition('G', 'T', 0), offsets.position('G', 'T', 0)], [9, 3]);
});

test('a reset waits until it is taken, once', () => {
  const { offsets } = new TestBroker().parts;
  assert.equal(offsets.takeReset('G', 'T', 0), undefined);
  offsets.setReset('G', 'T', 0, 5);
  assert.deepEqual(
    [offsets.pendingReset('G', 'T', 0), offsets.pendingReset('G', 'T', 1), offsets.position('G', 'T', 0)],
    [5, undefined, 5],
  );
  assert.deepEqual([offsets.takeReset('G', 'T', 0), offsets.takeReset('G', 'T', 0)], [5, undefined]);
  offsets.setReset('G', 'T', 0, 5);
  offsets.removeTopic('T');
  assert.equal(offsets.pendingReset('G', 'T', 0), undefined);
});

test('the version goes up every consumerOffsetUpdateVersionStep commits', () => {
  const { offsets } = new TestBroker({ consumerOffsetUpdateVersionStep: '3' }).parts;
  for (let i = 1; i <= 7; i++) offsets.commit('G', 'T', 0, i);
  assert.equal(offsets.dataVersion.counter, 2);
});

test('positions are written only when something changed', async () => {
  const broker = new TestBroker();
  const { offsets } = broker.parts;
  assert.equal(await offsets.persist(), undefined);
  assert.equal(broker.files.offsets.writes, 0);
  offsets.commit('G', 'T', 0, 1);
  await offsets.persist();
  await offsets.persist();
  assert.equal(broker.files.offsets.writes, 1);
  broker.files.offsets.failure = new Error('EIO');
  offsets.commit('G', 'T', 0, 2);
  assert.equal((await offsets.persist())?.message, 'EIO');
  broker.files.offsets.failure = undefined;
  assert.equal(await offsets.persist(), undefined);
  assert.match(broker.files.offsets.text ?? '', /"T@G":\{\n\t\t\t"0":2\n/);
});

test('the files of Java brokers load, bare number keys and derived members included', () => {
  for (const name of ['consumerOffset-basic-53.json', 'consumerOffset-retry-55.json', 'consumerOffset-trans-55.json']) {
    const broker = new TestBroker();
    broker.files.offsets.text = readFileSync(new URL(name, CONFIG), 'utf8');
    broker.parts.offsets.load();
    const { offsetTable, pullOffsetTable, groupTopicMap } = broker.parts.offsets.dump();
    assert.ok(offsetTable.size + pullOffsetTable.size > 0, name);
    for (const key of offsetTable.keys()) {
      const [topic, group] = key.split('@') as [string, string];
      assert.ok(groupTopicMap.get(group)?.includes(topic), key);
    }
  }
});

test('whatever was committed is there after a restart', async () => {
  const name = fc.stringMatching(/^[%|a-zA-Z0-9_-]{1,12}$/);
  const commits = fc.array(fc.tuple(name, name, fc.nat(9), fc.maxSafeNat()), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(commits, async (list) => {
      const file = new MemoryText();
      const platform = simWorld().node('n');
      const settings = { consumerOffsetUpdateVersionStep: 500 };
      const table = new ConsumerOffsetTable(platform, settings, file);
      for (const [group, topic, queueId, queueOffset] of list) table.commit(`${group}@broadcast`, topic, queueId, queueOffset);
      await table.persist();
      const again = new ConsumerOffsetTable(platform, settings, file);
      again.load();
      assert.deepEqual(again.dump().offsetTable, table.dump().offsetTable);
    }),
    { numRuns: 50 },
  );
});

test('topics and groups that are deleted leave nothing behind, and a clone copies the commits', () => {
  const { offsets } = new TestBroker().parts;
  offsets.commit('G', 'A', 0, 1);
  offsets.commit('G', 'B', 0, 2);
  offsets.commit('H', 'A', 0, 3);
  assert.deepEqual(
    [offsets.topicsOf('G'), offsets.groupsOf('A')],
    [
      ['A', 'B'],
      ['G', 'H'],
    ],
  );
  offsets.clone({ group: 'G', topic: 'A' }, 'I');
  assert.equal(offsets.position('I', 'A', 0), 1);
  offsets.removeTopic('A');
  assert.deepEqual([offsets.topicsOf('G'), offsets.groupsOf('A')], [['B'], []]);
  offsets.removeGroup('G');
  assert.equal(offsets.dump().offsetTable.size, 0);
});

test('a group that invents queue ids cannot take more than the bound', () => {
  const { offsets } = new TestBroker().parts;
  for (let queueId = 0; queueId <= POSITIONS_PER_TOPIC_MAX; queueId++) offsets.commit('G', 'T', queueId, 1);
  assert.equal(offsets.positionsOf('G', 'T')?.size, POSITIONS_PER_TOPIC_MAX);
  offsets.commit('G', 'T', 0, 2);
  assert.equal(offsets.position('G', 'T', 0), 2);
});
