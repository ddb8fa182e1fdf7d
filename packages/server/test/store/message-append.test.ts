import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStore } from './message-harness.ts';

const LOG = '/store/commitlog';

test('everybody is told once, in the order of the appends', async () => {
  const test = await openStore();
  for (let n = 0; n < 10; n++) test.append({ queueId: n % 2 }, `m${n}`);
  assert.deepEqual(test.told, []);
  await test.world.settle();
  assert.deepEqual(
    test.told.map(({ name, queueOffset, status }) => [name, queueOffset, status]),
    Array.from({ length: 10 }, (_, n) => [`m${n}`, n >> 1, 0]),
  );
  await test.world.advance(60_000);
  assert.equal(test.told.length, 10);
});

test('more than the ring begins with may wait for the disk, and all are told in order when it is done', async () => {
  const test = await openStore({ flushDiskType: 'SYNC_FLUSH', syncFlushTimeout: '60000', mappedFileSizeCommitLog: '8000000' });
  await test.put({}, 'first');
  test.platform.disk.inject({ operation: 'sync', path: LOG, delayMs: 1_000, times: 1 });
  for (let n = 0; n < 10_000; n++) {
    assert.equal(test.append({ body: 'x', queueId: n % 3 }, n), undefined);
    if (n % 1_000 === 0) await test.world.settle();
  }
  await test.world.settle();
  assert.equal(test.told.length, 1);
  assert.equal(test.store.append.ring.pending, 10_000);
  await test.world.advance(1_100);
  assert.deepEqual(
    test.told.slice(1).map(({ name }) => name),
    Array.from({ length: 10_000 }, (_, n) => n),
  );
  assert.ok(test.told.every(({ status }) => status === 0));
  assert.ok(test.store.append.ring.isEmpty);
});

test('while the disk takes nothing, memory is bounded: appends are refused as busy and go on when it does', async () => {
  const test = await openStore({ mappedFileSizeCommitLog: String(256 * 1024 * 1024) });
  await test.put();
  test.platform.disk.inject({ operation: 'write', path: LOG, delayMs: 10, times: 1 });
  await test.put();
  test.platform.disk.inject({ operation: 'write', path: LOG, delayMs: 5_000, times: 1 });
  const body = Buffer.alloc(4_000_000);
  let taken = 0;
  let refused = test.append({ body });
  for (; refused === undefined && taken < 100; refused = test.append({ body })) {
    taken++;
    await test.world.settle();
  }
  assert.equal(refused?.kind, 'busy');
  assert.match(refused.cause, /^the disk has not taken \d+ bytes that were appended; all write buffers are full$/);
  assert.ok(taken >= 10 && taken <= 26, `${taken} messages of 4 MB were taken`);
  await test.world.advance(6_000);
  assert.equal(test.told.length, taken + 2);
  await test.put();
  assert.equal(test.read(0, { messagesMax: 1 }).maxOffset, taken + 3);
});

test('a batch gets consecutive offsets in one file, and its last message is told', async () => {
  const test = await openStore();
  await test.put({ body: Buffer.alloc(40_000) });
  assert.equal(test.appendBatch(Array.from({ length: 3 }, () => ({ body: Buffer.alloc(9_000) }))), undefined);
  await test.world.settle();
  assert.deepEqual(test.told.slice(1), [{ name: 'batch', queueOffset: 3, status: 0 }]);
  const found = test.read(1);
  assert.equal(found.count, 3);
  assert.equal(found.physicalOffsets[0], 65_536);
});

test('of a batch with one message that cannot be taken nothing is taken', async () => {
  const test = await openStore({ maxMessageSize: '1000' });
  const refused = test.appendBatch([{ body: 'fine' }, { body: Buffer.alloc(1_001) }]);
  assert.deepEqual(refused, { kind: 'body-too-long', bytes: 1_001, bytesMax: 1_000 });
  await test.world.settle();
  assert.equal(test.store.commitLog.appendedTo, 0);
  assert.equal(test.store.queue('T', 0).nextQueueOffset, 0);
});

test('offsets of a refused group are given out again, also to queues that had none before', async () => {
  const test = await openStore();
  await test.put({ queueId: 0 });
  test.platform.disk.inject({ operation: 'write', path: LOG, code: 'ENOSPC', times: 1 });
  for (const queueId of [0, 1, 1, 0]) test.append({ queueId }, 'lost');
  await test.world.settle();
  assert.deepEqual(
    test.told.slice(1).map(({ status }) => status),
    [4, 4, 4, 4],
  );
  assert.deepEqual(
    [0, 1].map((queueId) => test.store.queue('T', queueId).nextQueueOffset),
    [1, 0],
  );
  assert.deepEqual(test.append(), {
    kind: 'not-writable',
    cause: `the disk is full (ENOSPC: no space left on device, write '${LOG}/00000000000000000000')`,
  });
  await test.world.advance(1_100);
  await test.put({ queueId: 1 }, 'kept');
  assert.deepEqual(test.told.at(-1), { name: 'kept', queueOffset: 0, status: 0 });
});

test('a group that a file border cuts in two is stored up to the border and refused behind it', async () => {
  const test = await openStore();
  await test.put({ body: Buffer.alloc(10_000) });
  await test.world.advance(1_000);
  test.platform.disk.inject({ operation: 'write', path: `${LOG}/00000000000000065536`, code: 'ENOSPC', times: 1 });
  for (let n = 0; n < 4; n++) test.append({ body: Buffer.alloc(20_000) }, n);
  await test.world.settle();
  assert.deepEqual(
    test.told.slice(1).map(({ name, status }) => [name, status]),
    [
      [0, 0],
      [1, 0],
      [2, 4],
      [3, 4],
    ],
  );
  await test.world.advance(1_100);
  await test.put({ body: Buffer.alloc(20_000) });
  await test.reopen();
  assert.equal(test.store.recovery?.damageCount, 0);
  assert.equal(test.read().maxOffset, 4);
});

test('an idle store has no timer that looks for overdue waits', async () => {
  const test = await openStore({ flushDiskType: 'SYNC_FLUSH' });
  await test.put();
  await test.world.advance(200);
  let scans = 0;
  const advanced = test.store.append.ring;
  const settled = Object.getOwnPropertyDescriptor(advanced, 'settled');
  let value = advanced.settled;
  Object.defineProperty(advanced, 'settled', {
    get: () => {
      scans++;
      return value;
    },
    set: (next: number) => {
      value = next;
    },
    configurable: true,
  });
  await test.world.advance(300);
  assert.equal(scans, 0);
  Object.defineProperty(advanced, 'settled', { ...settled, value });
});
