/**
 * What an ack means (DESIGN 1.2): SEND_OK, FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT and SLAVE_NOT_AVAILABLE by their real
 * causes, and what a kill or a power failure may take.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection } from '@perigee/core/platform/ports';
import { parseAddress } from '@perigee/core/remoting/remoting-client';
import { type E2e, e2e, HELD, isPending, pull, records, send, sendBatch, type WireAnswer } from './e2e-wire.ts';

const SYNC = { flushDiskType: 'SYNC_FLUSH' };
const REPLICATED = { brokerRole: 'SYNC_MASTER', inSyncReplicas: '2' };

/** In all four results the message is stored and the header says where. */
async function assertStored(broker: E2e, answer: WireAnswer, code: number, body = 'hello'): Promise<void> {
  assert.equal(answer.code, code, answer.remark);
  assert.match(answer.ext['msgId'] as string, /^[0-9A-F]{32}$/);
  assert.match(answer.ext['transactionId'] as string, /^[0-9A-F]{32}$/);
  assert.deepEqual([answer.remark, answer.ext['queueId']], ['', '0']);
  const found = await broker.pull({ queueOffset: Number(answer.ext['queueOffset']) });
  assert.equal(records(found.body)[0]?.body, body);
}

/** A slave that says how far it is, and reports more only when told. */
class FakeSlave {
  received = 0;
  acks = true;
  connection!: Connection;

  static async join(broker: E2e, acks: boolean, node = 'slave'): Promise<FakeSlave> {
    const slave = new FakeSlave();
    slave.acks = acks;
    const address = parseAddress(broker.cluster.haAddress);
    assert.ok(address !== undefined);
    let pending = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      // Frame: physicalOffset i64, body length i32, body (ha.md 1.2).
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 12 && pending.length >= 12 + pending.readInt32BE(8)) {
        const end = Number(pending.readBigInt64BE(0)) + pending.readInt32BE(8);
        pending = pending.subarray(12 + pending.readInt32BE(8));
        slave.received = Math.max(slave.received, end);
        if (slave.acks) slave.report(slave.received);
      }
    };
    const { network } = broker.cluster.platform(node);
    slave.connection = await broker.run(network.connect(address, 1000, () => ({ onData, onDrain() {}, onClose() {} })));
    slave.report(0);
    await broker.world.settle();
    return slave;
  }

  report(physicalOffset: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(physicalOffset));
    this.connection.write(bytes);
  }
}

test('SEND_OK: the disk has it under SYNC_FLUSH, and the reader sees it only then', async () => {
  const broker = await e2e(SYNC);
  await broker.send();
  broker.disk.inject({ operation: 'sync', path: '/data/store/commitlog', delayMs: 40, times: 1 });
  const reader = await broker.connect('reader');
  const held = pull(reader, { queueOffset: 1, sysFlag: HELD });
  const sent = send(broker.client);
  assert.ok(await isPending(broker, sent));
  await broker.cluster.clock.advance(39);
  assert.ok(await isPending(broker, sent));
  assert.ok(await isPending(broker, held));
  await broker.cluster.clock.advance(2);
  await assertStored(broker, await broker.run(sent), 0);
  assert.equal(records((await broker.run(held)).body).length, 1);
});

test('FLUSH_DISK_TIMEOUT: a sync that does not return within syncFlushTimeout', async () => {
  const broker = await e2e({ ...SYNC, syncFlushTimeout: '700' });
  await broker.send();
  broker.disk.inject({ operation: 'sync', path: '/data/store/commitlog', delayMs: 5_000, times: 1 });
  const startedMs = broker.world.nowMs;
  const sent = send(broker.client);
  const answer = await broker.run(sent);
  assert.ok(broker.world.nowMs - startedMs >= 700 && broker.world.nowMs - startedMs < 800);
  assert.deepEqual([answer.code, answer.ext['queueOffset']], [10, '1']);
  await broker.cluster.clock.advance(5_000);
  await assertStored(broker, answer, 10);
  await assertStored(broker, await broker.send({ body: 'next' }), 0, 'next');
});

test('SLAVE_NOT_AVAILABLE: no slave, so it is said at once', async () => {
  const broker = await e2e(REPLICATED);
  const startedMs = broker.world.nowMs;
  await assertStored(broker, await broker.send(), 11);
  assert.equal(broker.world.nowMs, startedMs);
});

test('SEND_OK under SYNC_MASTER: the slave has acked, not before', async () => {
  const broker = await e2e(REPLICATED);
  const slave = await FakeSlave.join(broker, false);
  const sent = send(broker.client);
  assert.ok(await isPending(broker, sent));
  assert.ok(slave.received > 0);
  slave.report(slave.received - 1);
  assert.ok(await isPending(broker, sent));
  slave.report(slave.received);
  await assertStored(broker, await broker.run(sent), 0);
});

test('FLUSH_SLAVE_TIMEOUT: a slave that never acks, once slaveTimeout has passed', async () => {
  const broker = await e2e(REPLICATED);
  await FakeSlave.join(broker, false);
  const sent = send(broker.client);
  await broker.cluster.clock.advance(2_900);
  assert.ok(await isPending(broker, sent));
  await broker.cluster.clock.advance(200);
  assert.ok(!(await isPending(broker, sent)));
  await assertStored(broker, await sent, 12);
});

test('with SYNC_FLUSH and a slave that never acks, slaveTimeout counts and not the longer syncFlushTimeout', async () => {
  const broker = await e2e({ ...REPLICATED, ...SYNC });
  await FakeSlave.join(broker, false);
  const sent = send(broker.client);
  await broker.cluster.clock.advance(3_100);
  assert.ok(!(await isPending(broker, sent)));
  await assertStored(broker, await sent, 12);
});

test('with SYNC_FLUSH and a slave that acks, the answer waits for the later of the two', async () => {
  const broker = await e2e({ ...REPLICATED, ...SYNC });
  const slave = await FakeSlave.join(broker, true);
  assert.equal((await broker.send()).code, 0);
  slave.acks = false;
  broker.disk.inject({ operation: 'sync', path: '/data/store/commitlog', delayMs: 100, times: 1 });
  const first = send(broker.client);
  await broker.world.settle();
  slave.report(slave.received);
  assert.ok(await isPending(broker, first));
  await broker.cluster.clock.advance(101);
  assert.ok(!(await isPending(broker, first)));
  const second = send(broker.client);
  assert.ok(await isPending(broker, second));
  slave.report(slave.received);
  assert.equal((await broker.run(second)).code, 0);
});

test('a message that does not wait (WAIT=false) is answered at once, stored like the others', async () => {
  const broker = await e2e({ ...REPLICATED, ...SYNC });
  broker.disk.inject({ operation: 'sync', path: '/data/store/commitlog', delayMs: 50, times: 1 });
  const answer = send(broker.client, { properties: { WAIT: 'false' } });
  assert.ok(!(await isPending(broker, answer)));
  await broker.cluster.clock.advance(60);
  await assertStored(broker, await answer, 0);
});

test('a slave that goes away takes no acked message back; from then on SLAVE_NOT_AVAILABLE is said', async () => {
  const broker = await e2e(REPLICATED);
  const slave = await FakeSlave.join(broker, true);
  assert.equal((await broker.send()).code, 0);
  slave.connection.destroy();
  await broker.world.settle();
  assert.equal((await broker.send()).code, 11);
});

test('three replicas asked for: two slaves must ack, and two connections are needed to begin with', async () => {
  const broker = await e2e({ ...REPLICATED, inSyncReplicas: '3' });
  const first = await FakeSlave.join(broker, true, 'slave1');
  assert.equal((await broker.send()).code, 11);
  const second = await FakeSlave.join(broker, false, 'slave2');
  const sent = send(broker.client);
  assert.ok(await isPending(broker, sent));
  assert.ok(first.received === second.received);
  second.report(second.received);
  assert.equal((await broker.run(sent)).code, 0);
});

test('the end of a batch is what is waited for, and it gets one result', async () => {
  const broker = await e2e(REPLICATED);
  const slave = await FakeSlave.join(broker, false);
  const sent = sendBatch(broker.client, [{ body: 'a' }, { body: 'b' }]);
  assert.ok(await isPending(broker, sent));
  slave.report(slave.received - 1);
  assert.ok(await isPending(broker, sent));
  slave.report(slave.received);
  const answer = await broker.run(sent);
  assert.deepEqual([answer.code, (answer.ext['msgId'] as string).split(',').length], [0, 2]);
});

test('group commit: what arrives while a sync runs shares the next one', async () => {
  const broker = await e2e(SYNC);
  await broker.send();
  let syncs = 0;
  const counted = broker.disk.onDevice.bind(broker.disk);
  broker.disk.onDevice = (operation, path, begin, failed) => {
    if (operation === 'sync' && path.includes('commitlog')) syncs++;
    return counted(operation, path, begin, failed);
  };
  broker.disk.inject({ operation: 'sync', path: '/data/store/commitlog', delayMs: 5 });
  const clients = [broker.client, await broker.connect('c2'), await broker.connect('c3'), await broker.connect('c4')];
  const sends: Promise<WireAnswer>[] = [];
  for (let wave = 0; wave < 50; wave++) {
    for (const client of clients) sends.push(send(client, { body: `w${wave}` }));
    await broker.cluster.clock.advance(1);
  }
  for (const { code } of await broker.run(Promise.all(sends))) assert.equal(code, 0);
  assert.ok(syncs <= 13, `${syncs} syncs for 200 messages`);
  assert.ok(syncs >= 10);
  assert.equal((await broker.all()).length, 201);
});

test('SYNC_FLUSH: a power failure in the middle of load keeps every message that was acked, once and in order', async () => {
  for (const tear of [false, true]) {
    const broker = await e2e(SYNC, { seed: tear ? 7 : 8 });
    broker.disk.inject({ operation: 'sync', delayMs: 3 });
    const acked: string[] = [];
    for (let n = 0; n < 200; n++) {
      void send(broker.client, { body: `m${n}`, queueId: 0 }).then(({ code, ext }) => {
        if (code === 0) acked[Number(ext['queueOffset'])] = `m${n}`;
      });
      if (n % 5 === 0) await broker.cluster.clock.advance(2);
    }
    assert.ok(acked.length > 50 && acked.length < 200, `${acked.length} acked`);
    await broker.cluster.crash('broker', { power: true, tear });
    await broker.cluster.restart();
    await broker.reconnect();
    const stored = await broker.all();
    assert.deepEqual(
      stored.slice(0, acked.length).map(({ body }) => body),
      acked,
    );
    assert.deepEqual(
      stored.map(({ queueOffset }) => queueOffset),
      stored.map((_, place) => place),
    );
    assert.equal((await broker.send()).ext['queueOffset'], String(stored.length));
  }
});

test('ASYNC_FLUSH: kill -9 in the middle of load keeps every message that was acked, once and in order', async () => {
  const broker = await e2e();
  const acked: string[] = [];
  for (let n = 0; n < 100; n++) {
    const answers = await broker.run(Promise.all([0, 1, 2].map((k) => send(broker.client, { body: `m${n}-${k}` }))));
    for (const [k, { ext }] of answers.entries()) acked[Number(ext['queueOffset'])] = `m${n}-${k}`;
  }
  void send(broker.client, { body: 'not acked' });
  await broker.cluster.crash();
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal(broker.cluster.broker.store.recovery?.damageCount, 0);
  assert.deepEqual(await broker.bodies(), acked);
  assert.equal((await broker.send()).ext['queueOffset'], String(acked.length));
});

test('a message in the background flush is on the device within half a second', async () => {
  const broker = await e2e();
  await broker.send();
  await broker.cluster.clock.advance(600);
  await broker.cluster.crash('broker', { power: true });
  await broker.cluster.restart();
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(), ['hello']);
});

test('after an unclean exit messages are found by key again', async () => {
  const broker = await e2e();
  const answer = await broker.send({ properties: { KEYS: 'k1 k2', UNIQ_KEY: '0A0000030001000000000000000B' } });
  await broker.cluster.crash();
  await broker.cluster.restart();
  await broker.reconnect();
  const found = async (key: string): Promise<string[]> => {
    const result = await broker.request(12, { topic: 'T', key, maxNum: 32, beginTimestamp: 0, endTimestamp: 4_000_000_000_000 });
    return records(result.body).map(({ body }) => body);
  };
  assert.deepEqual(await found('k2'), ['hello']);
  const view = await broker.request(33, { offset: Number.parseInt((answer.ext['msgId'] as string).slice(16), 16) });
  assert.equal(records(view.body)[0]?.body, 'hello');
});

// A broker killed right after the first acknowledgement of a topic had the message, but no longer the topic (kill -9 test).
for (const setting of [{}, SYNC])
  test(`SEND_OK in a topic that the send created${setting === SYNC ? ' (SYNC_FLUSH)' : ''}: its settings are on disk too`, async () => {
    const broker = await e2e(setting);
    await broker.send();
    broker.disk.inject({ operation: 'sync', path: '/data/store/config/topics.json.tmp', delayMs: 300, times: 1 });
    const first = send(broker.client, { topic: 'New' });
    const second = send(broker.client, { topic: 'New' });
    await broker.world.advance(299);
    assert.ok(await isPending(broker, first));
    if (setting !== SYNC) assert.equal(await isPending(broker, send(broker.client, { topic: 'T' })), false, 'nobody else waits for it');
    await broker.world.advance(1);
    assert.deepEqual(
      (await broker.run(Promise.all([first, second]))).map(({ code }) => code),
      [0, 0],
    );
    await broker.cluster.crash('broker', { power: setting === SYNC });
    await broker.cluster.restart();
    await broker.reconnect();
    assert.deepEqual(
      (await broker.all('New')).map(({ queueOffset }) => queueOffset),
      [0, 1],
    );
  });

test('FLUSH_DISK_TIMEOUT: the settings of a new topic do not reach the disk within syncFlushTimeout', async () => {
  const broker = await e2e({ syncFlushTimeout: '700' });
  broker.disk.inject({ operation: 'sync', path: '/data/store/config/topics.json.tmp', delayMs: 5_000, times: 1 });
  const sent = send(broker.client, { topic: 'New' });
  await broker.world.advance(699);
  assert.ok(await isPending(broker, sent));
  await broker.world.advance(60);
  const answer = await broker.run(sent);
  assert.equal(answer.code, 10, answer.remark);
});
