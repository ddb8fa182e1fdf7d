/** `perigee/testing` as a user of it sees it: real sockets, a clock that can be moved, crashes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeOffsetMsgId } from '@perigee/core/message/message-id';
import { nodeLog } from '@perigee/core/platform/node/log';
import { nodeNetwork } from '@perigee/core/platform/node/network';
import { freePort } from '../../src/testing/free-port.ts';
import { type Cluster, startCluster } from '../../src/testing/index.ts';
import { makeBroker } from '../../src/testing/roles.ts';
import { RealWorld } from '../../src/testing/world.ts';
import { HELD, pull, records, send, WireClient } from '../broker/e2e-wire.ts';

/** A client that knows nothing of the cluster but its address, as one in another process. */
function outside(address: string): Promise<WireClient> {
  return WireClient.open(nodeNetwork(nodeLog({ level: 'silent' })), address);
}

async function withCluster(options: Parameters<typeof startCluster>[0], body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await startCluster(options);
  try {
    await body(cluster);
  } finally {
    await cluster.stop();
  }
}

test('a client over real sockets finds the broker at the NameServer, sends and pulls', async () => {
  await withCluster({}, async (cluster) => {
    const namesrv = await outside(cluster.namesrvAddress);
    const broker = await outside(cluster.brokerAddress);
    const answer = await send(broker, { body: 'hello' });
    assert.equal(answer.code, 0, answer.remark);
    assert.match((await namesrv.request(105, { topic: 'T' })).body.toString(), new RegExp(cluster.brokerAddress));
    assert.deepEqual(
      records((await pull(broker)).body).map(({ body }) => body),
      ['hello'],
    );
    namesrv.close();
    broker.close();
  });
});

test('advance lets a held pull expire, a broker expire at the NameServer, and both come back', async () => {
  await withCluster({}, async (cluster) => {
    const client = await WireClient.open(cluster.platform('client').network, cluster.brokerAddress);
    await send(client);
    const startedMs = cluster.clock.wallMs();
    const held = pull(client, { queueOffset: 1, sysFlag: HELD, suspendMs: 15_000 });
    await cluster.clock.advance(16_000);
    assert.equal((await held).code, 19);
    assert.ok(cluster.clock.wallMs() - startedMs >= 16_000);
    const router = cluster.client();
    const route = async (): Promise<number> =>
      (await router.request(cluster.namesrvAddress, { code: 105, ext: { topic: 'T' } }, 3_000)).code;
    assert.equal(await route(), 0);
    await cluster.clock.advance(300_000);
    assert.equal(await route(), 0, 'the broker has gone on registering');
  });
});

test('a killed broker loses nothing that it acked, on the same port, and its peers notice', async () => {
  await withCluster({}, async (cluster) => {
    const address = cluster.brokerAddress;
    const client = await outside(address);
    for (let n = 0; n < 20; n++) assert.equal((await send(client, { body: `m${n}` })).code, 0);
    await cluster.crash();
    assert.throws(() => cluster.broker, /does not run/);
    await assert.rejects(outside(address), /ECONNREFUSED/);
    await cluster.restart();
    assert.equal(cluster.brokerAddress, address);
    assert.equal(cluster.broker.store.bootedCleanly, false);
    const again = await outside(address);
    assert.equal(records((await pull(again)).body).length, 20);
    assert.equal((await send(again)).ext['queueOffset'], '20');
    again.close();
  });
});

test('a power failure takes what was not synced, and disk faults can be made', async () => {
  await withCluster({ broker: { flushDiskType: 'SYNC_FLUSH', syncFlushTimeout: '500' } }, async (cluster) => {
    const client = await outside(cluster.brokerAddress);
    assert.equal((await send(client, { body: 'synced' })).code, 0);
    await cluster.world.settle();
    cluster.platform('broker').disk.inject({ operation: 'sync', path: '/data/store/commitlog', delayMs: Number.POSITIVE_INFINITY });
    const stuck = send(client, { body: 'not synced' });
    await cluster.world.settle();
    await cluster.clock.advance(600);
    assert.equal((await stuck).code, 10);
    await cluster.crash('broker', { power: true });
    await cluster.restart();
    const again = await outside(cluster.brokerAddress);
    assert.deepEqual(
      records((await pull(again)).body).map(({ body }) => body),
      ['synced'],
    );
    again.close();
  });
});

test('the NameServer can be killed and started again, and a role stopped twice is stopped', async () => {
  await withCluster({}, async (cluster) => {
    await cluster.crash('namesrv');
    await cluster.restart('namesrv');
    await cluster.clock.advance(31_000);
    const router = cluster.client();
    const info = await router.request(cluster.namesrvAddress, { code: 106 }, 3_000);
    assert.match(info.body.toString(), /broker-a/);
    await cluster.stopRole('broker');
    await cluster.stopRole('broker');
  });
});

test('two clusters fit in one process', async () => {
  await withCluster({}, (first) =>
    withCluster({ broker: { brokerName: 'other' } }, async (second) => {
      assert.notEqual(first.namesrvAddress, second.namesrvAddress);
      const router = second.client();
      const info = (await router.request(second.namesrvAddress, { code: 106 }, 3_000)).body.toString();
      assert.match(info, /"other"/);
      assert.doesNotMatch(info, /broker-a/);
    }),
  );
});

test('settings that cannot be used are refused with the sentence that an operator would read', async () => {
  await assert.rejects(startCluster({ broker: { brokerRole: 'SLAVE' } }), /SLAVE/);
  await assert.rejects(startCluster({ broker: { noSuchKey: '1' } }), /unknown key noSuchKey/);
});

test('listenPort=0: ids, records and the configuration have the port that the system chose', async () => {
  const world = new RealWorld();
  const broker = makeBroker(world.node('broker'), {
    bindAddress: '127.0.0.1',
    brokerIP1: '127.0.0.1',
    brokerIP2: '127.0.0.1',
    listenPort: '0',
    namesrvAddr: '',
  });
  await broker.start();
  const { listenPort } = broker;
  assert.ok(listenPort > 0);
  const client = await outside(`127.0.0.1:${listenPort}`);
  const answer = await send(client);
  assert.deepEqual(decodeOffsetMsgId(answer.ext['msgId'] as string)?.storeHost, { host: '127.0.0.1', port: listenPort });
  assert.equal(records((await pull(client)).body)[0]?.storeHost.port, listenPort);
  assert.match((await client.request(26)).body.toString(), new RegExp(`^listenPort=${listenPort}$`, 'm'));
  client.close();
  await broker.stop();
});

test('a free port leaves room for its neighbours', async () => {
  const { network, random } = new RealWorld().node('probe');
  const port = await freePort(network, random, '127.0.0.1', [0, -2, 1]);
  for (const offset of [0, -2, 1]) {
    const listener = await network.listen({ host: '127.0.0.1', port: port + offset }, () => ({ onData() {}, onDrain() {}, onClose() {} }));
    await listener.close();
  }
});
