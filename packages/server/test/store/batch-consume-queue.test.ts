import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SimPlatform, simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { BatchConsumeQueue, type BatchRow } from '../../src/store/batch-consume-queue.ts';
import { OpenFiles } from '../../src/store/open-files.ts';
import { BATCH_CONSUME_QUEUE_UNIT_BYTES, RowsView } from '../../src/store/queue-rows.ts';
import { goldenCase } from './golden-case.ts';

const DIRECTORY = 'store/batchconsumequeue/B/0';
const UNIT = BATCH_CONSUME_QUEUE_UNIT_BYTES;
/** Four rows a file. */
const FILE_BYTES = 4 * UNIT;

function newQueue(platform: SimPlatform, disk = platform.disk, fileBytes = FILE_BYTES): BatchConsumeQueue {
  const context = { disk, openFiles: new OpenFiles(disk), log: platform.log, view: new RowsView(), onDirty: () => {} };
  disk.makeDirectoryNow(DIRECTORY);
  return new BatchConsumeQueue(context, { topic: 'B', queueId: 0, directory: DIRECTORY, fileBytes });
}

/** Row n stands for n + 1 messages. */
function row(n: number): BatchRow {
  return {
    baseQueueOffset: (n * (n + 1)) / 2,
    messageCount: n + 1,
    physicalOffset: 1000 * n,
    sizeBytes: 100,
    tagsCode: -n,
    storeTimestampMs: 1_700_000_000_000 + 10 * n,
  };
}

function fill(queue: BatchConsumeQueue, count: number, from = 0): void {
  for (let n = from; n < from + count; n++) assert.ok(queue.appendRow(row(n)));
}

function bases(queue: BatchConsumeQueue, queueOffset = 0, rowsMax = 100): number[] {
  const view = new RowsView();
  const count = queue.readRows(queueOffset, rowsMax, view);
  return Array.from({ length: count }, (_, place) => view.queueOffset(place));
}

test('the rows of a queue are byte for byte those that Apache writes', () => {
  const golden = goldenCase('batch-55');
  const expected = golden.files.get('batchconsumequeue/TopicBCQ/0/00000000000000000000') as Buffer;
  const platform = simPlatform();
  const queue = newQueue(platform, platform.disk, expected.length);
  const view = new RowsView();
  view.unitBytes = UNIT;
  view.buffer = expected;
  const rows = golden.manifest.consumeQueues['batchconsumequeue/TopicBCQ/0']?.rows ?? [];
  assert.equal(rows.length, 4);
  for (const [place, [baseQueueOffset, physicalOffset, sizeBytes, tagsCode, messageCount]] of (rows as number[][]).entries())
    queue.appendRow({
      baseQueueOffset: baseQueueOffset as number,
      physicalOffset: physicalOffset as number,
      sizeBytes: sizeBytes as number,
      tagsCode: tagsCode as number,
      messageCount: messageCount as number,
      storeTimestampMs: view.storeTimestamp(place),
    });
  const written = Buffer.alloc(rows.length * UNIT);
  platform.disk.openNow(`${DIRECTORY}/00000000000000000000`, { mode: 'read' }).readNow(written, 0, written.length, 0);
  assert.deepEqual(written, expected.subarray(0, written.length));
});

test('a queue offset inside a batch finds the row of the batch, over several files', () => {
  const queue = newQueue(simPlatform());
  fill(queue, 10);
  assert.equal(queue.maxQueueOffset, 55);
  for (let n = 0; n < 10; n++)
    for (let within = 0; within <= n; within++)
      assert.equal(bases(queue, row(n).baseQueueOffset + within)[0], row(n).baseQueueOffset, `row ${n}, message ${within}`);
  assert.deepEqual([bases(queue, 55), bases(queue, -1)], [[], []]);
  assert.deepEqual(bases(queue, 4, 3), [3, 6, 10]);
  assert.equal(queue.rowAt(4)?.physicalOffset, 2000);
});

test('a record that is dispatched again adds no row', () => {
  const queue = newQueue(simPlatform());
  fill(queue, 3);
  assert.equal(queue.appendRow(row(2)), false);
  assert.equal(queue.appendRow(row(0)), false);
  assert.equal(queue.maxQueueOffset, 6);
});

test('a time finds the first message not older, or the last not newer', () => {
  const queue = newQueue(simPlatform());
  fill(queue, 6);
  for (let n = 0; n < 6; n++) {
    assert.equal(queue.queueOffsetByTime(row(n).storeTimestampMs, 'lower'), row(n).baseQueueOffset);
    assert.equal(queue.queueOffsetByTime(row(n).storeTimestampMs + 1, 'lower'), row(n + 1).baseQueueOffset);
    assert.equal(queue.queueOffsetByTime(row(n).storeTimestampMs + 1, 'upper'), row(n).baseQueueOffset);
  }
  assert.equal(queue.queueOffsetByTime(0, 'upper'), 0);
});

for (const exitWasClean of [true, false])
  test(`a queue is read back as it was after ${exitWasClean ? 'a clean' : 'an unclean'} exit`, () => {
    for (const count of [0, 1, 3, 4, 5, 9]) {
      const platform = simPlatform();
      fill(newQueue(platform), count);
      const queue = newQueue(platform);
      queue.load();
      queue.recover(exitWasClean);
      assert.deepEqual(
        bases(queue),
        Array.from({ length: count }, (_, n) => row(n).baseQueueOffset),
      );
      fill(queue, 2, count);
      assert.equal(bases(queue).length, count + 2);
    }
  });

test('rows of records that were cut off are dropped, and do not come back after a crash', () => {
  const platform = simPlatform();
  const queue = newQueue(platform);
  fill(queue, 9);
  queue.truncateTo(row(5).physicalOffset);
  assert.deepEqual([queue.rowCount, queue.maxQueueOffset, queue.maxPhysicalOffset], [5, 15, 4100]);
  const again = newQueue(platform);
  again.load();
  again.recover(false);
  assert.equal(again.rowCount, 5);
});

test('the oldest files go when their records are gone, and the smallest offset moves', async () => {
  const platform = simPlatform();
  const queue = newQueue(platform);
  fill(queue, 10);
  assert.equal(await platform.run(queue.deleteExpired(row(5).physicalOffset)), 1);
  assert.equal(queue.minQueueOffset, row(5).baseQueueOffset);
  assert.deepEqual(bases(queue, queue.minQueueOffset)[0], row(5).baseQueueOffset);
});

test('rows that the disk refuses are readable at once, and are written with the next one that it takes', () => {
  const platform = simPlatform();
  let refuses = false;
  const disk = new Proxy(platform.disk, {
    get(target, name): unknown {
      const value = Reflect.get(target, name) as unknown;
      if (name === 'openNow' && refuses)
        return () => {
          throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        };
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
  const queue = newQueue(platform, disk);
  fill(queue, 4);
  // The fifth row needs a new file.
  refuses = true;
  fill(queue, 3, 4);
  assert.deepEqual(bases(queue), [0, 1, 3, 6, 10, 15, 21]);
  assert.deepEqual(bases(queue, 22), [21]);
  assert.throws(() => queue.flushNow(), /no space/);
  refuses = false;
  fill(queue, 1, 7);
  const again = newQueue(platform);
  again.load();
  again.recover(false);
  assert.deepEqual(bases(again), [0, 1, 3, 6, 10, 15, 21, 28]);
});
