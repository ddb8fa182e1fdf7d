import assert from 'node:assert/strict';
import { test } from 'node:test';
import { delayLevelsMs } from '../../src/store/message-store.ts';
import { StoreInUseError } from '../../src/store/store-errors.ts';
import { openStore, TestStore } from './message-harness.ts';

const LOG = '/store/commitlog';

test('delay levels are read as Apache writes them', () => {
  assert.deepEqual(delayLevelsMs('1s 5s 30s 1m 2h 1d'), [1_000, 5_000, 30_000, 60_000, 7_200_000, 86_400_000]);
});

test('a queue that nobody wrote to does not exist, and waiting at one puts nothing on disk', async () => {
  const test = await openStore();
  assert.equal(test.store.queueIfExists('T', 0), undefined);
  test.store.queue('T', 0);
  assert.ok(test.store.queueIfExists('T', 0) !== undefined);
  await test.world.advance(2_000);
  assert.deepEqual(test.platform.disk.listNow('/store/consumequeue'), []);
  await test.put();
  await test.world.advance(2_000);
  assert.deepEqual(
    test.platform.disk.listNow('/store/consumequeue/T').map(({ name }) => name),
    ['0'],
  );
});

test('a directory belongs to one store at a time, and a killed process frees it', async () => {
  const test = await openStore();
  await assert.rejects(test.world.run(test.store.lock()), StoreInUseError);
  await test.reopen();
  assert.equal(test.store.bootedCleanly, false);
});

test('a clean close leaves no abort file, can be repeated, and frees the directory', async () => {
  const test = await openStore();
  await test.put();
  assert.ok(test.platform.disk.statNow('/store/abort') !== undefined);
  await test.world.run(test.store.close());
  await test.world.run(test.store.close());
  assert.equal(test.platform.disk.statNow('/store/abort'), undefined);
  assert.deepEqual(test.append(), { kind: 'not-writable', cause: 'the store is shutting down' });
  await test.reopen();
  assert.equal(test.store.bootedCleanly, true);
  assert.equal(test.read().count, 1);
});

test('a store that was locked and never opened can be closed', async () => {
  const test = new TestStore();
  await test.world.run(test.store.lock());
  await test.world.run(test.store.close());
  await test.world.run(test.store.lock());
});

test('disk protection: over the warning level nothing is taken, below it again, and the cause has the figures', async () => {
  const test = await openStore({ diskSpaceWarningLevelRatio: '80' });
  await test.put();
  const { storage } = test.platform.disk;
  storage.capacityBytes = 100 * 1024 * 1024;
  await test.world.advance(75_000);
  assert.equal(test.append(), undefined);
  const others = Buffer.alloc(85 * 1024 * 1024);
  const filler = test.platform.disk.openNow('/filler', { mode: 'write' });
  filler.appendNow(others, 0, others.length, 0);
  await test.world.advance(10_000);
  const refused = test.append();
  assert.ok(refused?.kind === 'not-writable');
  assert.match(refused.cause, /^the disk is full \(8\d % used, diskSpaceWarningLevelRatio is 80 %\)$/);
  await test.world.advance(30_000);
  assert.notEqual(test.append(), undefined);
  filler.truncateNow(0);
  await test.world.advance(10_000);
  assert.equal(test.append(), undefined);
});

test('a quota counts as a full disk; a broken disk is not mended by room, and stays the cause', async () => {
  const test = await openStore();
  await test.put();
  test.platform.disk.inject({ operation: 'write', path: LOG, code: 'EDQUOT', times: 1 });
  await test.put();
  assert.equal(test.store.notWritable?.isDiskFull, true);
  await test.world.advance(1_100);
  assert.equal(test.store.notWritable, undefined);
  test.platform.disk.inject({ operation: 'write', path: LOG, code: 'EIO', times: 1 });
  await test.put();
  const causeOf = (): string => test.store.notWritable?.cause ?? '';
  const cause = causeOf();
  assert.match(cause, /^the disk failed \(EIO/);
  test.platform.disk.inject({ operation: 'write', path: '/store', code: 'ENOSPC' });
  await test.world.advance(5_000);
  assert.equal(causeOf(), cause);
});

test('the checkpoint never says more than the CommitLog has on the device', async () => {
  const test = await openStore({ flushIntervalCommitLog: '60000' });
  await test.put();
  await test.world.advance(20_000);
  assert.equal(test.store.commitLog.flushedTo, 0);
  assert.equal(test.store.checkpoint.logicsPhysicalOffset, 0);
  assert.equal(test.store.checkpoint.logicsMsgTimestamp, 0);
  await test.put();
  await test.world.advance(100_000);
  assert.ok(test.store.checkpoint.logicsPhysicalOffset > 0);
  assert.ok(test.store.checkpoint.logicsPhysicalOffset < test.store.commitLog.flushedTo);
});

test('after a failed sync of rows the checkpoint stands still', async () => {
  const test = await openStore();
  await test.put();
  test.platform.disk.inject({ operation: 'sync', path: '/store/consumequeue', code: 'EIO', times: 1 });
  await test.world.advance(130_000);
  assert.equal(test.store.checkpoint.logicsPhysicalOffset, 0);
  assert.equal(test.store.checkpoint.logicsMsgTimestamp, 0);
  await test.world.run(test.store.close());
  assert.ok(test.platform.disk.statNow('/store/abort') !== undefined, 'the next start checks the files');
});

test('replicas see what the operating system has, up to file borders', async () => {
  const test = await openStore();
  const heard: number[] = [];
  test.store.onAppend(() => heard.push(test.store.maxPhysicalOffset));
  for (let n = 0; n < 4; n++) await test.put({ body: Buffer.alloc(20_000) });
  const end = test.store.maxPhysicalOffset;
  assert.deepEqual([heard.length, heard.at(-1)], [4, end]);
  const target = Buffer.alloc(100_000);
  assert.equal(test.store.readLog(target, 0, 100_000, 0), 65_536);
  assert.equal(test.store.readLog(target, 0, 100_000, 65_536), end - 65_536);
  assert.equal(test.store.readLog(target, 0, 100_000, end), 0);
});

test('a removed topic takes its queues along; the CommitLog stays', async () => {
  const test = await openStore();
  await test.put();
  await test.put({ topic: 'U' });
  await test.world.advance(2_000);
  await test.world.run(test.store.removeTopic('T'));
  assert.equal(test.store.queueIfExists('T', 0), undefined);
  assert.equal(test.platform.disk.statNow('/store/consumequeue/T'), undefined);
  assert.ok(test.store.queueIfExists('U', 0) !== undefined);
  await test.put({}, 'again');
  assert.equal(test.told.at(-1)?.queueOffset, 0);
});
