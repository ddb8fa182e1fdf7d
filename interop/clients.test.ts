/**
 * Unmodified Java clients on `perigee up`: every case of the driver with client 4.9.8 and 5.5.0, and those that look at the wire
 * again with binary headers (ROCKETMQ serialization) through the second listener. The clients work side by side, each on a server
 * of its own, because some cases change the broker's configuration.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ClientVersion, type DriverResult, runCases } from './java-process.ts';
import { startPerigeeUp } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { reportCases, skip, testMsMax } from './suite.ts';

const caseCount = 37;
/** What a client cannot do; nothing is skipped because of the server. */
const cannot: Readonly<Record<ClientVersion, readonly string[]>> = { '4.9.8': ['namespace-v2'], '5.5.0': [] };

const binaryCases = [
  ...['send-sync', 'send-async', 'send-oneway', 'send-batch', 'send-compressed', 'send-properties', 'push-concurrent', 'push-orderly'],
  ...['push-tags', 'litepull-subscribe', 'pull-statuses', 'pull-held-wakes', 'query-key', 'view-id', 'queue-offsets'],
  ...['topic-create', 'topic-auto-create', 'error-permission', 'error-too-large', 'error-unknown-topic'],
];

const binaryHeaders = { 'rocketmq.serialize.type': 'ROCKETMQ', 'com.rocketmq.sendMessageWithVIPChannel': 'true' };
/** Byte 4 of a frame: how its header is written. */
const ROCKETMQ = 1;

/** Stands before a server and notes how the first header of every connection is written. */
async function startRelay(port: number): Promise<{ address: string; headerTypes: Set<number>; close(): void }> {
  const headerTypes = new Set<number>();
  const server = createServer((client) => {
    const upstream = connect({ port, host: '127.0.0.1' });
    client.once('data', (chunk) => headerTypes.add(chunk[4] ?? -1));
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, headerTypes, close: () => server.close() };
}

interface Runs {
  readonly json: DriverResult;
  readonly binary: DriverResult;
  readonly binaryHeaderTypes: readonly number[];
}

async function runBoth(version: ClientVersion): Promise<Runs> {
  const server = await startPerigeeUp(join(temporaryFolder(), 'up'));
  const json = await runCases({ version, namesrv: server.address }, 'all');
  const relay = await startRelay(server.port);
  const binary = await runCases({ version, namesrv: relay.address, properties: binaryHeaders }, binaryCases);
  relay.close();
  assert.equal(await server.stop(), 0, server.said());
  return { json, binary, binaryHeaderTypes: [...relay.headerTypes] };
}

test('Java clients produce and consume on perigee up', { skip, timeout: testMsMax }, async (t) => {
  const runs = { '4.9.8': runBoth('4.9.8'), '5.5.0': runBoth('5.5.0') } as const;
  await Promise.all(Object.values(runs));
  for (const version of ['4.9.8', '5.5.0'] as const) {
    const { json, binary, binaryHeaderTypes } = await runs[version];
    await reportCases(t, json.lines);
    await t.test(`all cases ran with client ${version}, and only what it lacks was skipped`, () => {
      assert.equal(json.lines.length, caseCount, json.stderr);
      assert.deepEqual(
        json.lines.filter((line) => line.skipped).map((line) => line.case),
        cannot[version],
      );
      assert.equal(json.code, 0, json.stderr);
    });
    await t.test(`${binaryCases.length} cases pass with binary headers through the second listener with client ${version}`, () => {
      assert.deepEqual(binaryHeaderTypes, [ROCKETMQ]);
      assert.deepEqual(
        binary.lines.map((line) => [line.case, line.ok, line.skipped, line.detail]).filter(([, ok]) => ok !== true),
        [],
      );
      assert.equal(binary.lines.length, binaryCases.length, binary.stderr);
      assert.equal(binary.code, 0, binary.stderr);
    });
  }
});
