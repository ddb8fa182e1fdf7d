import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { StoreCheckpoint } from '../../src/store/checkpoint.ts';
import type { ConsumeQueue } from '../../src/store/consume-queue.ts';
import {
  ConsumeQueueFlushLoop,
  type DispatchedTo,
  FLUSHED_QUEUES_PER_TURN,
  nextSlice,
  startRound,
} from '../../src/store/consume-queue-flush.ts';
import { ConsumeQueueTable } from '../../src/store/consume-queue-table.ts';
import { OpenFiles } from '../../src/store/open-files.ts';

function build() {
  const platform = simPlatform();
  const { disk, log, clock } = platform;
  const table = new ConsumeQueueTable({
    disk,
    log,
    openFiles: new OpenFiles(disk),
    rootDirectory: 's',
    fileBytes: 600,
    batchFileBytes: 92,
    extFileBytes: 400,
  });
  disk.makeDirectoryNow('s');
  void disk.syncDirectory('.');
  const checkpoint = new StoreCheckpoint(disk, 's/checkpoint');
  checkpoint.load();
  const state = { dispatched: undefined as DispatchedTo | undefined, logSyncedTo: 1e9, failures: 0 };
  const loop = new ConsumeQueueFlushLoop(
    {
      clock,
      log,
      table,
      checkpoint,
      dispatchedTo: () => state.dispatched,
      logSyncedTo: () => state.logSyncedTo,
      diskFailed: () => {
        state.failures++;
      },
    },
    { flushPeriodMs: 1000, syncPeriodMs: 60_000 },
  );
  let physicalOffset = 0;
  const put = (topic: string, queueId: number): void => {
    const queue = table.getOrCreate(topic, queueId);
    queue.appendRow(queue.maxQueueOffset, physicalOffset, 100, 0);
    state.dispatched = { storeTimestampMs: 1_000_000 + physicalOffset, physicalOffset };
    physicalOffset += 100;
  };
  return { platform, table, checkpoint, loop, state, put };
}

test('a round has slices of bounded size and every queue once', () => {
  const queues = Array.from({ length: 150 }, (_, id) => id as unknown as ConsumeQueue);
  const round = startRound(queues);
  const slices = [nextSlice(round), nextSlice(round), nextSlice(round)];
  assert.deepEqual(
    slices.map((slice) => slice.length),
    [FLUSHED_QUEUES_PER_TURN, FLUSHED_QUEUES_PER_TURN, 150 - 2 * FLUSHED_QUEUES_PER_TURN],
  );
  assert.deepEqual(slices.flat(), queues);
  assert.deepEqual(nextSlice(round), []);
});

test('rows reach the page cache every period and the checkpoint moves only when a whole round is durable', async () => {
  const { platform, table, checkpoint, loop, put } = build();
  for (let id = 0; id < 200; id++) put('T', id);
  loop.start();
  await platform.run(platform.clock.sleep(1500));
  for (let id = 0; id < 200; id++) assert.equal(table.get('T', id)?.unwrittenRows, 0);
  assert.equal(checkpoint.logicsPhysicalOffset, 0);
  await platform.run(platform.clock.sleep(60_000));
  assert.equal(checkpoint.logicsPhysicalOffset, 19_900);
  assert.equal(checkpoint.logicsMsgTimestamp, 1_019_900);
  platform.disk.losePower();
  const again = new ConsumeQueueTable({
    disk: platform.disk,
    log: platform.log,
    openFiles: new OpenFiles(platform.disk),
    rootDirectory: 's',
    fileBytes: 600,
    batchFileBytes: 92,
    extFileBytes: 400,
  });
  again.load();
  again.recover(false);
  for (let id = 0; id < 200; id++) assert.equal(again.get('T', id)?.maxQueueOffset, 1, `queue ${id}`);
  loop.stop();
});

test('rows that arrive during a round belong to the next one', async () => {
  const { platform, checkpoint, loop, put } = build();
  put('T', 0);
  const cancel = platform.disk.inject({ operation: 'sync', path: 's/consumequeue', delayMs: 100, times: 1 });
  const round = loop.sync();
  await platform.settle();
  put('T', 1);
  put('T', 0);
  await platform.run(round);
  cancel();
  assert.equal(checkpoint.logicsPhysicalOffset, 0);
  assert.equal(checkpoint.logicsMsgTimestamp, 1_000_000);
  await platform.run(loop.sync());
  assert.equal(checkpoint.logicsPhysicalOffset, 200);
});

test('the checkpoint waits for the CommitLog to be durable as far', async () => {
  const { platform, checkpoint, loop, state, put } = build();
  for (let count = 0; count < 5; count++) put('T', 0);
  state.logSyncedTo = 300;
  loop.start();
  await platform.run(loop.sync());
  assert.equal(checkpoint.logicsPhysicalOffset, 0);
  state.logSyncedTo = 500;
  await platform.run(platform.clock.sleep(1100));
  assert.equal(checkpoint.logicsPhysicalOffset, 400);
  loop.stop();
});

test('a full disk is reported, keeps the checkpoint back, and loses no row', async () => {
  const { platform, table, checkpoint, loop, state, put } = build();
  put('T', 0);
  loop.start();
  const cancel = platform.disk.inject({ operation: 'write', path: 's/consumequeue', code: 'ENOSPC' });
  await platform.run(platform.clock.sleep(61_000));
  assert.ok(state.failures >= 2);
  assert.equal(checkpoint.logicsPhysicalOffset, 0);
  cancel();
  await platform.run(loop.sync());
  assert.equal(table.get('T', 0)?.unwrittenRows, 0);
  assert.equal(checkpoint.logicsMsgTimestamp, 1_000_000);
  loop.stop();
});

test('after a failed sync the checkpoint stays where it is: the kernel may have given the rows up', async () => {
  const { platform, checkpoint, loop, put } = build();
  put('T', 0);
  platform.disk.inject({ operation: 'sync', path: 's/consumequeue', code: 'EIO', times: 1 });
  await assert.rejects(platform.run(loop.sync()), { code: 'EIO' });
  put('T', 0);
  await platform.run(loop.sync());
  assert.equal(checkpoint.logicsMsgTimestamp, 0);
});

test('folders and files of new queues are made off the turn, and rows are written when they are there', async () => {
  const { platform, table, loop, put } = build();
  for (let id = 0; id < 5; id++) put('T', id);
  const cancel = platform.disk.inject({ operation: 'makeDirectory', path: 's/consumequeue', delayMs: 100 });
  const beforeMs = platform.clock.monotonicMs();
  const round = loop.flush();
  // A fault of a call that blocks would have moved the clock already.
  assert.equal(platform.clock.monotonicMs(), beforeMs);
  await platform.run(round);
  cancel();
  // Three at once.
  assert.equal(platform.clock.monotonicMs() - beforeMs, 200);
  for (let id = 0; id < 5; id++) assert.equal(table.get('T', id)?.unwrittenRows, 0);
});

test('a topic that is removed while its files are being made leaves none behind', async () => {
  const { platform, table, loop, put } = build();
  put('Gone', 0);
  const cancel = platform.disk.inject({ operation: 'makeDirectory', path: 's/consumequeue/Gone', delayMs: 100, times: 1 });
  const round = loop.flush();
  await platform.run(table.removeTopic('Gone'));
  await platform.run(round);
  cancel();
  assert.equal(platform.disk.statNow('s/consumequeue/Gone'), undefined);
});

test('a removed topic leaves no file and no work behind', async () => {
  const { platform, table, loop, put } = build();
  put('Gone', 0);
  put('Gone', 1);
  put('Stays', 0);
  await platform.run(loop.flush());
  put('Gone', 0);
  await platform.run(table.removeTopic('Gone'));
  await platform.run(loop.sync());
  assert.deepEqual(
    platform.disk.listNow('s/consumequeue').map(({ name }) => name),
    ['Stays'],
  );
  assert.deepEqual(table.topics(), ['Stays']);
});

test('a topic with queues of both kinds is refused', () => {
  const { platform, table } = build();
  platform.disk.makeDirectoryNow('s/consumequeue/T/0');
  platform.disk.makeDirectoryNow('s/batchconsumequeue/T/0');
  platform.disk.makeDirectoryNow('s/consumequeue/T/not-a-queue');
  assert.throws(() => table.load(), /one of consumequeue\/ and batchconsumequeue\//);
});
