import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeKvTable } from '@perigee/core/protocol/bodies/kv-table';
import { goldenCases, TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

test('the configuration is changed, shown and protected as by a Java broker', async () => {
  const broker = new TestBroker();
  for (const name of ['UPDATE_BROKER_CONFIG-0-2', 'UPDATE_BROKER_CONFIG-0-3', 'UPDATE_BROKER_CONFIG-16-1'])
    await replay(broker, { family: 'admin', name });
  assert.equal(broker.parts.settings.defaultQueryMaxNum, 33);
  const shown = await broker.ask(26);
  assert.match(shown.body?.toString() ?? '', /^defaultQueryMaxNum=33$/m);
  assert.match(shown.ext?.['version'] ?? '', /^\{"counter":1,"stateVersion":0,"timestamp":\d+\}$/);
});

test('the run-time information has every figure of a Java 5.5.0 broker that mqadmin reads', async () => {
  const broker = new TestBroker({ storePathCommitLog: 'store/r/commitlog' });
  const info = decodeKvTable((await broker.ask(28)).body as Buffer);
  const java = decodeKvTable(goldenCases('admin').get('GET_BROKER_RUNTIME_INFO-0-1')?.responseBody ?? '');
  // Figures of our own stand beside Java's.
  const missing = [...java.keys()].filter((key) => !info.has(key));
  assert.deepEqual(missing, []);
  for (const key of [
    'brokerVersionDesc',
    'brokerActive',
    'commitLogDiskRatio',
    'commitLogMinOffset',
    'earliestMessageTimeStamp',
    'putLatency99',
    'putMessageAverageSize',
    'commitLogDirCapacity',
  ])
    assert.equal(info.get(key), java.get(key), key);
});

test('the run-time information counts what the broker does', async () => {
  const broker = new TestBroker();
  const { stats } = broker.parts;
  stats.start();
  await broker.world.advance(1_000);
  stats.topicPut('T', 20, 3_000);
  stats.putLatency(2.5, 20);
  stats.groupGet('T', 'G', 10, 1_500);
  broker.store.put('T', 0, { storeTimestamp: 77 });
  await broker.world.advance(10_000);
  const info = decodeKvTable((await broker.ask(28)).body as Buffer);
  assert.equal(info.get('putTps'), '2.0  ');
  assert.equal(info.get('getTransferredTps'), '1.0  ');
  assert.equal(info.get('putMessageTimesTotal'), '20');
  assert.equal(info.get('putMessageAverageSize'), '150.0');
  assert.equal(info.get('msgPutTotalTodayNow'), '20');
  assert.equal(info.get('earliestMessageTimeStamp'), '77');
  assert.equal(info.get('runtime'), '[ 0 days, 0 hours, 0 minutes, 11 seconds ]');
  await broker.world.advance(60_000);
  const later = decodeKvTable((await broker.ask(28)).body as Buffer);
  assert.equal(later.get('putLatency99'), '2.60');
  assert.match(later.get('putMessageDistributeTime') ?? '', /\[0~10ms\]:20 /);
  stats.stop();
});
