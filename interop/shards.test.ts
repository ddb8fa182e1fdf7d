/** `perigee broker --shards 2` is two masters of one cluster to Java clients and to mqadmin. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { clusterCases } from './case-sets.ts';
import { type AdminSession, openAdmin, openDriver, runCases } from './java-process.ts';
import { type PerigeeServer, startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, consumeMs, reportCases, skip, testMsMax, until } from './suite.ts';

const masters = 2;
const brokerNames = ['sharded-0', 'sharded-1'] as const;
/** What happens inside the shard that has the message. */
const newerCases = [...clusterCases, 'tx-commit-rollback', 'delay-level-pushed', 'delay-timer'];

suite('shards are masters of one cluster', { skip, timeout: testMsMax }, () => {
  let namesrv: PerigeeServer;
  let group: PerigeeServer;
  let admin: AdminSession;

  before(async () => {
    const dir = temporaryFolder();
    namesrv = await startPerigeeNamesrv({ dir: join(dir, 'namesrv') });
    group = await startPerigeeBroker({ dir: join(dir, 'group'), namesrv: namesrv.address, brokerName: 'sharded', shards: masters });
    admin = openAdmin();
  });

  after(async () => {
    await admin.close();
    assert.equal(await group.stop(), 0, group.said());
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });

  const printed = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await admin.run([...args, '-n', namesrv.address]);
    assert.equal(stderr, '', args.join(' '));
    return stdout;
  };
  const addressOf = (shard: number): string => `127.0.0.1:${group.port + 10 * shard}`;

  test('clusterList shows each with its port', async () => {
    const lines = (await printed('clusterList')).split('\n').map((line) => line.trim().split(/\s+/));
    assert.deepEqual(
      lines.filter(([cluster]) => cluster === 'DefaultCluster').map((row) => row.slice(1, 4).join(' ')),
      brokerNames.map((name, shard) => `${name} 0 ${addressOf(shard)}`),
    );
  });

  test('a topic of the cluster is spread over them, and consumed from them by either client', async () => {
    const created = await printed('updateTopic', '-c', 'DefaultCluster', '-t', 'Spread', '-r', '4', '-w', '4');
    assert.equal(created.match(/^create topic to 127\.0\.0\.1:\d+ success\.$/gm)?.length, masters);
    for (const version of ['4.9.8', '5.5.0'] as const) {
      const driver = openDriver({ version, namesrv: namesrv.address, masters });
      const sent = await command(driver, ['produce', 'Spread', '60', version]);
      const share = Map.groupBy(sent, ({ brokerName }) => brokerName);
      assert.deepEqual([...share.keys()].sort(), [...brokerNames]);
      const consumed = await command(driver, [
        'consume',
        'Spread',
        `Group-${version.replaceAll('.', '-')}`,
        String(sent.length),
        consumeMs,
      ]);
      const bodies = new Set(consumed.map(({ body }) => body));
      assert.deepEqual(
        sent.filter(({ body }) => !bodies.has(body)),
        [],
      );
      assert.deepEqual([...new Set(consumed.map(({ brokerName }) => brokerName))].sort(), [...brokerNames]);
      await driver.close();
    }
  });

  test('updateBrokerConfig changes one of them, and its cluster form all of them', async () => {
    const sizes = async (): Promise<string[]> =>
      Promise.all(
        brokerNames.map(
          async (_, shard) => /^maxMessageSize *= +(\d+)/m.exec(await printed('getBrokerConfig', '-b', addressOf(shard)))?.[1] ?? '',
        ),
      );
    await printed('updateBrokerConfig', '-b', addressOf(1), '-k', 'maxMessageSize', '-v', '1000001');
    assert.deepEqual(await sizes(), ['4194304', '1000001']);
    await printed('updateBrokerConfig', '-c', 'DefaultCluster', '-k', 'maxMessageSize', '-v', '4194304');
    assert.deepEqual(await sizes(), ['4194304', '4194304']);
  });

  for (const [version, chosen] of [
    ['4.9.8', clusterCases],
    ['5.5.0', newerCases],
  ] as const) {
    test(`driver cases with client ${version}`, async (t) => {
      const result = await runCases({ version, namesrv: namesrv.address, masters }, chosen);
      await reportCases(t, result.lines);
      assert.equal(result.lines.length, chosen.length, result.stderr);
      assert.equal(result.code, 0, result.stderr.slice(-4_000));
    });
  }

  test('a stop takes both out of the routes', async () => {
    assert.equal(await group.stop(), 0, group.said());
    await until('no broker', async () => !(await printed('clusterList')).includes('DefaultCluster'));
  });
});
