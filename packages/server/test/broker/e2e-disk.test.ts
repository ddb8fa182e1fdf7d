/** Bad days of the disk (issue 4): full, broken, slow. What was acked stays, what is refused says why, and pulls go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e, isPending, records, SEND_V2, send, sendBatch, sendExt, type WireAnswer } from './e2e-wire.ts';

const COMMIT_LOG = '/data/store/commitlog';
const SERVICE_NOT_AVAILABLE =
  /^service not available now\. It may be caused by one of the following reasons: the broker's disk is full \[CL: +\d\.\d\d CQ: +\d\.\d\d INDEX: +\d\.\d\d\], messages are put to the slave, message store has been shut down, etc\. \[store-not-writable\] /;
const MIB = 1024 * 1024;

function assertNotStored(answer: WireAnswer, cause: RegExp): void {
  assert.equal(answer.code, 14, answer.remark);
  assert.match(answer.remark, SERVICE_NOT_AVAILABLE);
  assert.match(answer.remark, cause);
}

/** Fills the disk up to the given free space. */
function leave(broker: E2e, bytes: number): void {
  const { storage } = broker.disk;
  storage.capacityBytes += bytes - storage.usableBytes;
}

/** Every queue of T is without gap or double, and holds the acked messages at their offsets. */
async function assertWhole(broker: E2e, acked: ReadonlyMap<string, string>): Promise<void> {
  const found = new Map<string, string>();
  for (const queueId of [0, 1, 2, 3]) {
    for (const [place, record] of (await broker.all('T', queueId)).entries()) {
      assert.equal(record.queueOffset, place, `queue ${queueId}`);
      found.set(`${queueId}:${place}`, record.body);
    }
  }
  for (const [place, body] of acked) assert.equal(found.get(place), body, place);
}

test('disk full: sends are refused with the cause, pulls go on, and sends continue when there is room', async () => {
  const broker = await e2e();
  const acked = new Map<string, string>();
  const body = Buffer.alloc(3_000, 'x');
  const note = (answer: WireAnswer): void => {
    if (answer.code === 0) acked.set(`${answer.ext['queueId']}:${answer.ext['queueOffset']}`, body.toString());
  };
  for (let n = 0; n < 10; n++) note(await broker.send({ body, queueId: n % 4 }));
  leave(broker, 40_000);
  let refused: WireAnswer | undefined;
  for (let n = 0; n < 60; n++) {
    const answer = await broker.send({ body, queueId: n % 4 });
    note(answer);
    if (answer.code !== 0) refused ??= answer;
  }
  assert.ok(refused !== undefined);
  assertNotStored(refused, /the disk is full \(ENOSPC.*free space on the partition of storePathRootDir/);
  assert.deepEqual([refused.ext['MSG_REGION'], refused.ext['msgId']], ['DefaultRegion', undefined]);
  await assertWhole(broker, acked);
  leave(broker, 64 * MIB);
  await broker.cluster.clock.advance(1_100);
  for (let n = 0; n < 10; n++) {
    const answer = await broker.send({ body, queueId: n % 4 });
    assert.equal(answer.code, 0, answer.remark);
    note(answer);
  }
  await assertWhole(broker, acked);
  await broker.cluster.crash();
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal(broker.cluster.broker.store.recovery?.damageCount, 0);
  await assertWhole(broker, acked);
});

test('disk full in the middle of a turn: of the group that did not fit nothing is stored and everybody is told', async () => {
  const broker = await e2e();
  assert.equal((await broker.send({ body: 'first' })).code, 0);
  await broker.cluster.clock.advance(1_000);
  broker.disk.inject({ operation: 'write', path: COMMIT_LOG, code: 'ENOSPC', times: 1 });
  const answers = await broker.run(Promise.all([0, 1, 2, 3].map((queueId) => send(broker.client, { queueId, body: `lost${queueId}` }))));
  for (const answer of answers) assertNotStored(answer, /the disk is full/);
  await broker.cluster.clock.advance(1_100);
  for (const queueId of [0, 1, 2, 3]) {
    const answer = await broker.send({ queueId, body: `kept${queueId}` });
    assert.deepEqual([answer.code, answer.ext['queueOffset']], [0, queueId === 0 ? '1' : '0']);
  }
  assert.deepEqual(await broker.bodies(), ['first', 'kept0']);
});

test('a refused group that the disk took in part never comes back, whatever is written over it and however the process dies', async () => {
  const broker = await e2e();
  assert.equal((await broker.send({ body: 'first' })).code, 0);
  await broker.cluster.clock.advance(1_000);
  leave(broker, 8_192);
  const properties = { UNIQ_KEY: 'u' };
  const group = await broker.run(
    Promise.all([1, 2, 3].map((queueId) => send(broker.client, { queueId, body: Buffer.alloc(5_000, `${queueId}`), properties }))),
  );
  for (const answer of group) assert.equal(answer.code, 14);
  leave(broker, 64 * MIB);
  await broker.cluster.clock.advance(1_100);
  // As long as the first of those that were refused, so that the log would go on with the second.
  const kept = await broker.send({ queueId: 1, body: Buffer.alloc(5_000, 'k'), properties });
  assert.deepEqual([kept.code, kept.ext['queueOffset']], [0, '0']);
  await broker.cluster.crash();
  await broker.cluster.restart();
  await broker.reconnect();
  for (const queueId of [2, 3]) assert.deepEqual((await broker.bodies('T', queueId)).length, 0, `queue ${queueId}`);
  assert.deepEqual(
    (await broker.bodies('T', 1)).map((body) => body[0]),
    ['k'],
  );
  assert.equal((await broker.send({ queueId: 2 })).ext['queueOffset'], '0');
});

test('a batch that the disk refuses is refused as a whole, a one-way message in silence', async () => {
  const broker = await e2e();
  await broker.send({ body: 'first' });
  broker.disk.inject({ operation: 'write', path: COMMIT_LOG, code: 'ENOSPC', times: 1 });
  broker.client.oneway(SEND_V2, sendExt({}), Buffer.from('silent'));
  assertNotStored(await broker.run(sendBatch(broker.client, [{ body: 'a' }, { body: 'b' }, { body: 'c' }])), /disk is full/);
  assert.deepEqual(await broker.bodies(), ['first']);
  await broker.cluster.clock.advance(1_100);
  const again = await broker.run(sendBatch(broker.client, [{ body: 'a' }, { body: 'b' }]));
  assert.deepEqual([again.code, again.ext['queueOffset']], [0, '1']);
  assert.deepEqual(await broker.bodies(), ['first', 'a', 'b']);
});

test('no room for the next file: the send that needs it is refused, and the log goes on in it later', async () => {
  const broker = await e2e();
  const body = Buffer.alloc(30_000, 'x');
  const stop = broker.disk.inject({ operation: 'open', path: `${COMMIT_LOG}/00000000000000065536`, code: 'ENOSPC' });
  for (let n = 0; n < 2; n++) assert.equal((await broker.send({ body })).code, 0);
  assertNotStored(await broker.send({ body }), /disk is full/);
  assert.equal((await broker.all()).length, 2);
  stop();
  await broker.cluster.clock.advance(1_100);
  for (let n = 0; n < 3; n++) assert.equal((await broker.send({ body })).code, 0);
  assert.equal((await broker.all()).length, 5);
  await broker.cluster.crash();
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal((await broker.all()).length, 5);
  assert.equal(broker.cluster.broker.store.recovery?.damageCount, 0);
});

test('a broken disk (EIO on write): refused with the cause until a restart, pulls go on', async () => {
  const broker = await e2e();
  await broker.send({ body: 'first' });
  broker.disk.inject({ operation: 'write', path: COMMIT_LOG, code: 'EIO', times: 1 });
  assertNotStored(await broker.send({ body: 'lost' }), /the disk failed \(EIO.*a restart checks the files/);
  await broker.cluster.clock.advance(10_000);
  assertNotStored(await broker.send({ body: 'lost too' }), /the disk failed \(EIO/);
  assert.deepEqual(await broker.bodies(), ['first']);
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal(broker.cluster.broker.store.bootedCleanly, false);
  assert.equal((await broker.send({ body: 'second' })).ext['queueOffset'], '1');
  assert.deepEqual(await broker.bodies(), ['first', 'second']);
});

test('a failed sync is never made good by a later one: nobody is told SEND_OK for bytes that the device did not take', async () => {
  const broker = await e2e({ flushDiskType: 'SYNC_FLUSH', syncFlushTimeout: '2000' });
  assert.equal((await broker.send({ body: 'first' })).code, 0);
  await broker.cluster.clock.advance(1_000);
  broker.disk.inject({ operation: 'sync', path: COMMIT_LOG, code: 'EIO', times: 1 });
  const answer = await broker.send({ body: 'given up by the kernel' });
  assert.notEqual(answer.code, 0, 'the sync failed');
  const later = await broker.send({ body: 'later' });
  assertNotStored(later, /the disk failed \(EIO/);
  await broker.cluster.clock.advance(10_000);
  assert.equal(broker.cluster.broker.store.commitLog.flushedTo < broker.cluster.broker.store.commitLog.writtenTo, true);
  await broker.cluster.crash('broker', { power: true });
  await broker.cluster.restart();
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(), ['first']);
});

test('after a failed sync a clean stop ends, and leaves the directory as after a crash', async () => {
  const broker = await e2e();
  await broker.send({ body: 'first' });
  await broker.cluster.clock.advance(1_000);
  broker.disk.inject({ operation: 'sync', path: COMMIT_LOG, code: 'EIO' });
  await broker.send({ body: 'second' });
  await broker.cluster.clock.advance(1_000);
  await assert.rejects(broker.cluster.stopRole('broker'), /EIO/);
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal(broker.cluster.broker.store.bootedCleanly, false);
  assert.deepEqual((await broker.bodies()).slice(0, 1), ['first']);
});

test('a disk that refuses queue rows refuses sends, and no row is missing when it takes them again', async () => {
  const broker = await e2e();
  for (let n = 0; n < 5; n++) await broker.send({ body: `m${n}` });
  const stop = broker.disk.inject({ operation: 'write', path: '/data/store/consumequeue', code: 'ENOSPC' });
  leave(broker, 8 * MIB);
  await broker.cluster.clock.advance(2_000);
  assertNotStored(await broker.send({ body: 'refused' }), /disk is full/);
  stop();
  leave(broker, 64 * MIB);
  await broker.cluster.clock.advance(2_000);
  assert.equal((await broker.send({ body: 'm5' })).code, 0);
  await broker.cluster.clock.advance(2_000);
  await broker.cluster.restart();
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(), ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']);
});

test('a slow page cache sends the next groups through the threadpool until it recovers, and counts it', async () => {
  const broker = await e2e();
  await broker.send();
  await broker.cluster.clock.advance(1_000);
  const { commitLog } = broker.cluster.broker.store;
  assert.equal(commitLog.counters.slowWrites, 0);
  const now: string[] = [];
  const onDevice = broker.disk.onDevice.bind(broker.disk);
  broker.disk.onDevice = (operation, path, begin, failed) => {
    if (operation === 'write' && path.startsWith(COMMIT_LOG)) now.push('threadpool');
    return onDevice(operation, path, begin, failed);
  };
  broker.disk.inject({ operation: 'write', path: COMMIT_LOG, delayMs: 30, times: 1 });
  assert.equal((await broker.send({ body: 'slow' })).code, 0);
  assert.deepEqual([commitLog.counters.slowWrites, commitLog.counters.longestWriteMs], [1, 30]);
  for (let n = 0; n < 12; n++) assert.equal((await broker.send({ body: `m${n}` })).code, 0);
  assert.equal(now.length, 8);
  assert.equal(commitLog.counters.slowWrites, 1);
  assert.equal((await broker.all()).length, 14);
});

test('while a slow write is under way others are taken and pulled in order, and a failing one takes only its own with it', async () => {
  const broker = await e2e();
  await broker.send();
  broker.disk.inject({ operation: 'write', path: COMMIT_LOG, delayMs: 30, times: 1 });
  await broker.send();
  broker.disk.inject({ operation: 'write', path: COMMIT_LOG, delayMs: 50, times: 1 });
  const first = send(broker.client, { body: 'first' });
  assert.ok(await isPending(broker, first));
  const second = send(broker.client, { body: 'second' });
  assert.ok(await isPending(broker, second));
  assert.equal(records((await broker.pull()).body).length, 2);
  assert.equal((await broker.run(second)).code, 0);
  assert.equal((await broker.run(first)).code, 0);
  broker.disk.inject({ operation: 'write', path: COMMIT_LOG, delayMs: 20, code: 'ENOSPC', times: 1 });
  const lost = send(broker.client, { body: 'lost' });
  await broker.world.settle();
  const behind = send(broker.client, { body: 'behind it' });
  assertNotStored(await broker.run(lost), /disk is full/);
  assertNotStored(await broker.run(behind), /disk is full/);
  await broker.cluster.clock.advance(1_100);
  assert.equal((await broker.send({ body: 'third' })).ext['queueOffset'], '4');
  assert.deepEqual((await broker.bodies()).slice(2), ['first', 'second', 'third']);
});

test('a store in use by another process is not touched', async () => {
  const broker = await e2e();
  await assert.rejects(
    (async () => {
      const { makeBroker } = await import('../../src/testing/roles.ts');
      const second = makeBroker(broker.cluster.platform('broker'), { listenPort: '20911' });
      await broker.run(second.start());
    })(),
    /in use by another Perigee/,
  );
  assert.equal((await broker.send()).code, 0);
});

test('what a stop writes last is refused by nobody: sends during the stop get code 14 or a closed connection', async () => {
  const broker = await e2e();
  await broker.send({ body: 'first' });
  const stopping = broker.cluster.stopRole('broker');
  await stopping;
  assert.equal(broker.client.closed, true);
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal(broker.cluster.broker.store.bootedCleanly, true);
  assert.deepEqual(await broker.bodies(), ['first']);
});
