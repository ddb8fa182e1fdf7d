/**
 * Unmodified Java clients on `perigee up`: every case of the driver with client 4.9.8 and 5.5.0, and those that look at the wire
 * again with the ROCKETMQ header serialization. The clients work side by side, each on a server of its own, because some cases
 * change the broker's configuration.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ClientVersion, type DriverResult, runCases } from './java-process.ts';
import { startPerigeeUp } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { reportCases, skip } from './suite.ts';

const caseCount = 37;
/** What a client cannot do; nothing is skipped because of the server. */
const cannot: Readonly<Record<ClientVersion, readonly string[]>> = { '4.9.8': ['namespace-v2'], '5.5.0': [] };

const binaryCases = [
  ...['send-sync', 'send-async', 'send-oneway', 'send-batch', 'send-compressed', 'send-properties', 'push-concurrent', 'push-orderly'],
  ...['push-tags', 'litepull-subscribe', 'pull-statuses', 'pull-held-wakes', 'query-key', 'view-id', 'queue-offsets'],
  ...['topic-create', 'topic-auto-create', 'error-permission', 'error-too-large', 'error-unknown-topic'],
];

async function runBoth(version: ClientVersion): Promise<{ json: DriverResult; binary: DriverResult }> {
  const server = await startPerigeeUp(join(temporaryFolder(), 'up'));
  const options = { version, namesrv: server.address };
  const json = await runCases(options, 'all');
  const binary = await runCases({ ...options, properties: { 'rocketmq.serialize.type': 'ROCKETMQ' } }, binaryCases);
  assert.equal(await server.stop(), 0, server.said());
  return { json, binary };
}

test('Java clients produce and consume on perigee up', { skip, timeout: 180_000 }, async (t) => {
  const runs = { '4.9.8': runBoth('4.9.8'), '5.5.0': runBoth('5.5.0') } as const;
  await Promise.all(Object.values(runs));
  for (const version of ['4.9.8', '5.5.0'] as const) {
    const { json, binary } = await runs[version];
    await reportCases(t, json.lines);
    await t.test(`all cases ran with client ${version}, and only what it lacks was skipped`, () => {
      assert.equal(json.lines.length, caseCount, json.stderr);
      assert.deepEqual(json.lines.filter((line) => line.skipped).map((line) => line.case), cannot[version]);
      assert.equal(json.code, 0, json.stderr);
    });
    await t.test(`binary headers: ${binaryCases.length} cases pass with client ${version}`, () => {
      assert.deepEqual(binary.lines.map((line) => [line.case, line.ok, line.skipped, line.detail]).filter(([, ok]) => ok !== true), []);
      assert.equal(binary.lines.length, binaryCases.length, binary.stderr);
      assert.equal(binary.code, 0, binary.stderr);
    });
  }
});
