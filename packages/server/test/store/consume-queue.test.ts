import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SimPlatform, simPlatform } from '@perigee/core/platform/sim/sim-platform';
import fc from 'fast-check';
import { BatchConsumeQueue } from '../../src/store/batch-consume-queue.ts';
import { ConsumeQueue, type ConsumeQueueContext } from '../../src/store/consume-queue.ts';
import { OpenFiles } from '../../src/store/open-files.ts';
import { BLANK_ROW_BYTES, RowsView } from '../../src/store/queue-rows.ts';

const UNIT = 20;
/** 30 rows. */
const FILE_BYTES = 600;

function context(platform: SimPlatform): ConsumeQueueContext {
  const { disk, log } = platform;
  return { disk, log, openFiles: new OpenFiles(disk), view: new RowsView(), onDirty: () => {} };
}

function queueOn(platform = simPlatform(), fileBytes = FILE_BYTES): ConsumeQueue {
  return new ConsumeQueue(context(platform), { topic: 'T', queueId: 0, directory: 'cq/T/0', fileBytes });
}

/** The queue as a new process finds it. */
function reopened(platform: SimPlatform, clean: boolean, fileBytes = FILE_BYTES): ConsumeQueue {
  const queue = queueOn(platform, fileBytes);
  queue.load();
  queue.recover(clean);
  return queue;
}

function fill(queue: ConsumeQueue, from: number, count: number): void {
  for (let row = from; row < from + count; row++) assert.equal(queue.appendRow(row, row * 100, 100, row - 5), true);
}

function offsets(queue: ConsumeQueue, from = 0, max = 10_000): number[] {
  const view = new RowsView();
  const count = queue.readRows(from, max, view);
  return Array.from({ length: count }, (_, place) => (view.isBlank(place) ? -1 : view.physicalOffset(place)));
}

test('rows are read from memory, from files, and from both at once', () => {
  const queue = queueOn();
  let appended = 0;
  for (const burst of [3, 40, 200, 1, 7000, 12]) {
    fill(queue, appended, burst);
    appended += burst;
    assert.deepEqual(
      offsets(queue, 0, 60_000),
      Array.from({ length: appended }, (_, row) => row * 100),
    );
    if (burst !== 40) queue.flushNow();
  }
  assert.equal(offsets(queue, appended, 1).length, 0);
  assert.deepEqual(offsets(queue, appended - 3, 2), [(appended - 3) * 100, (appended - 2) * 100]);
});

test('tag hashes, deliver times and extreme values come back exactly', () => {
  const queue = queueOn();
  const codes = [0, 1, -1, -(2 ** 31), 2 ** 31 - 1, 1_795_272_686_439, 2 ** 52, -(2 ** 45)];
  for (const [row, code] of codes.entries()) queue.appendRow(row, 2 ** 45 + row * 7, 7, code);
  const view = new RowsView();
  for (const flushed of [false, true]) {
    if (flushed) {
      queue.flushNow();
      queue.releaseTail();
    }
    queue.readRows(0, 100, view);
    for (const [row, code] of codes.entries()) {
      assert.equal(view.tagsCode(row), code);
      assert.equal(view.tagsCodeBig(row), BigInt(code));
      assert.equal(view.physicalOffset(row), 2 ** 45 + row * 7);
      assert.equal(view.isExtAddress(row), code < -(2 ** 31));
    }
  }
});

test('a record dispatched twice changes nothing', () => {
  const queue = queueOn();
  fill(queue, 0, 10);
  for (let row = 0; row < 10; row++) assert.equal(queue.appendRow(row, row * 100, 100, 0), false);
  assert.equal(queue.maxQueueOffset, 10);
});

test('a queue whose first record is not its first has blank rows before it and starts there', () => {
  const platform = simPlatform();
  const queue = queueOn(platform);
  assert.equal(queue.appendRow(47, 5000, 100, 1), true);
  assert.equal(queue.minQueueOffset, 47);
  assert.equal(queue.maxQueueOffset, 48);
  queue.flushNow();
  assert.deepEqual(
    platform.disk.listNow('cq/T/0').map(({ name }) => name),
    ['00000000000000000600'],
  );
  const view = new RowsView();
  assert.equal(queue.readRows(30, 100, view), 18);
  assert.equal(view.sizeBytes(0), BLANK_ROW_BYTES);
  const again = reopened(platform, true);
  assert.equal(again.maxPhysicalOffset, 5100);
  again.correctMinOffset(0);
  assert.equal(again.minQueueOffset, 47);
});

test('missing rows are blank, so that later messages keep their queue offsets', () => {
  const platform = simPlatform();
  const queue = queueOn(platform);
  fill(queue, 0, 3);
  assert.equal(queue.appendRow(6, 900, 100, 1), true);
  assert.deepEqual(offsets(queue), [0, 100, 200, -1, -1, -1, 900]);
  assert.equal(queue.rowAt(4), undefined);
  assert.equal(queue.rowAt(6)?.physicalOffset, 900);
  assert.equal(platform.log.find('rows of a queue are missing', 'error').length, 1);
  queue.correctMinOffset(150);
  assert.equal(queue.minQueueOffset, 2);
  queue.correctMinOffset(250);
  assert.equal(queue.minQueueOffset, 6);
});

test('a topic that was deleted and created again has the rows of its second life', () => {
  const queue = queueOn();
  fill(queue, 0, 50);
  queue.flushNow();
  assert.equal(queue.appendRow(0, 9000, 10, 0), true);
  assert.equal(queue.appendRow(1, 9010, 10, 0), true);
  assert.deepEqual(offsets(queue), [9000, 9010]);
  assert.equal(queue.minQueueOffset, 0);
});

test('memory follows what arrives between two flushes, not what was ever written', () => {
  const queue = queueOn(simPlatform(), 60_000);
  assert.equal(queue.tailBytes, 0);
  fill(queue, 0, 1);
  assert.ok(queue.tailBytes <= 16 * UNIT);
  for (let row = 1; row < 2000; row++) {
    fill(queue, row, 1);
    queue.flushNow();
  }
  assert.ok(queue.tailBytes <= 16 * UNIT);
  fill(queue, 2000, 50_000);
  assert.ok(queue.tailBytes <= 4096 * UNIT);
  queue.flushNow();
  queue.releaseTail();
  assert.equal(queue.tailBytes, 0);
});

test('a disk that takes nothing keeps the rows in memory until it does', () => {
  const platform = simPlatform();
  const queue = queueOn(platform, 6_000_000);
  fill(queue, 0, 10);
  queue.flushNow();
  const cancel = platform.disk.inject({ operation: 'write', code: 'ENOSPC' });
  fill(queue, 10, 20_000);
  assert.throws(() => queue.flushNow(), { code: 'ENOSPC' });
  cancel();
  queue.flushNow();
  assert.equal(reopened(platform, true, 6_000_000).maxQueueOffset, 20_010);
});

test('truncation drops the rows of later records, whatever is in memory or in files', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 130 }),
      fc.integer({ min: 0, max: 130 }),
      fc.integer({ min: 0, max: 13_000 }),
      (flushed, more, cut) => {
        const platform = simPlatform();
        const queue = queueOn(platform);
        fill(queue, 0, flushed);
        queue.flushNow();
        fill(queue, flushed, more);
        queue.truncateTo(cut);
        const kept = Math.min(flushed + more, Math.ceil(cut / 100));
        assert.equal(queue.maxQueueOffset, kept);
        assert.equal(queue.maxPhysicalOffset, kept === 0 ? -1 : kept * 100);
        queue.flushNow();
        for (const clean of [true, false]) {
          const again = reopened(platform, clean);
          assert.equal(again.maxQueueOffset, kept);
          assert.deepEqual(
            offsets(again),
            Array.from({ length: kept }, (_, row) => row * 100),
          );
        }
        fill(queue, kept, 40);
        queue.flushNow();
        assert.equal(reopened(platform, false).maxQueueOffset, kept + 40);
      },
    ),
    { numRuns: 60 },
  );
});

test('blank rows that stand for lost messages stay when the rows behind them are cut', () => {
  const queue = queueOn();
  fill(queue, 0, 3);
  queue.appendRow(6, 900, 100, 1);
  queue.truncateTo(900);
  assert.equal(queue.maxQueueOffset, 6);
  queue.truncateTo(200);
  assert.equal(queue.maxQueueOffset, 2);
});

test('files whose records are all gone are removed, but the last', async () => {
  const platform = simPlatform();
  const queue = queueOn(platform);
  fill(queue, 0, 95);
  queue.flushNow();
  assert.equal(await platform.run(queue.deleteExpired(2900)), 0);
  assert.equal(queue.minQueueOffset, 29);
  assert.equal(await platform.run(queue.deleteExpired(6100)), 2);
  assert.equal(queue.minQueueOffset, 61);
  assert.deepEqual(offsets(queue, 61, 2), [6100, 6200]);
  assert.equal(await platform.run(queue.deleteExpired(1_000_000)), 1);
  assert.equal(queue.minQueueOffset, 95);
  assert.equal(queue.maxQueueOffset, 95);
});

test('a queue emptied by expiry keeps its offsets over a restart', async () => {
  const platform = simPlatform();
  const queue = queueOn(platform);
  fill(queue, 0, 60);
  queue.flushNow();
  await platform.run(queue.deleteExpired(1_000_000));
  const again = reopened(platform, true);
  again.correctMinOffset(1_000_000);
  assert.equal(again.maxQueueOffset, 60);
  assert.equal(again.minQueueOffset, 60);
  assert.equal(again.appendRow(60, 2_000_000, 10, 0), true);
});

test('sync makes flushed rows durable', async () => {
  const platform = simPlatform();
  const queue = queueOn(platform);
  fill(queue, 0, 40);
  queue.flushNow();
  await platform.run(queue.sync());
  fill(queue, 40, 5);
  queue.flushNow();
  platform.disk.losePower();
  assert.equal(reopened(platform, false).maxQueueOffset, 40);
});

test('a BatchCQ row stands for all messages of its record', async () => {
  const platform = simPlatform();
  const queue = new BatchConsumeQueue(context(platform), { topic: 'B', queueId: 1, directory: 'bcq/B/1', fileBytes: 92 });
  const row = (baseQueueOffset: number, messageCount: number, physicalOffset: number): boolean =>
    queue.appendRow({
      baseQueueOffset,
      messageCount,
      physicalOffset,
      sizeBytes: 10,
      tagsCode: 3,
      storeTimestampMs: 1000 + baseQueueOffset,
    });
  assert.ok(row(0, 3, 100));
  assert.ok(row(3, 1, 110));
  assert.ok(!row(3, 1, 110));
  assert.ok(row(4, 5, 120));
  const view = new RowsView();
  assert.equal(queue.readRows(2, 2, view), 2);
  assert.deepEqual([view.queueOffset(0), view.messageCount(0), view.physicalOffset(1)], [0, 3, 110]);
  assert.deepEqual([queue.minQueueOffset, queue.maxQueueOffset, queue.maxPhysicalOffset], [0, 9, 130]);
  assert.deepEqual(
    [queue.queueOffsetByTime(1004, 'lower'), queue.queueOffsetByTime(1003, 'upper'), queue.queueOffsetByTime(1, 'upper')],
    [4, 3, 0],
  );
  queue.truncateTo(120);
  assert.equal(queue.maxQueueOffset, 4);
  await platform.run(queue.deleteExpired(105));
  assert.equal(queue.minQueueOffset, 3);
  queue.closeNow();
  const again = new BatchConsumeQueue(context(platform), { topic: 'B', queueId: 1, directory: 'bcq/B/1', fileBytes: 92 });
  again.load();
  again.recover(true);
  assert.equal(again.maxQueueOffset, 4);
  assert.equal(again.rowAt(2)?.physicalOffset, 100);
});
