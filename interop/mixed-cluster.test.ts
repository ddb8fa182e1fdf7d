/**
 * One cluster of three masters, Apache 5.5.0, Apache 5.3.3 and Perigee, all registered at our NameServer and at Apache's. Clients
 * and mqadmin must not see a difference: neither between the brokers nor between the NameServers.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { clusterCases } from './case-sets.ts';
import {
  type AdminSession,
  type ApacheServer,
  freePort,
  openAdmin,
  openDriver,
  runCases,
  startBroker,
  startNamesrv,
} from './java-process.ts';
import { type PerigeeServer, startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, consumeMs, reportCases, skip, testMsMax, until } from './suite.ts';

const masters = 3;
const brokerNames = ['apache-533', 'apache-550', 'perigee'] as const;

suite('Perigee and Apache brokers form one cluster', { skip, timeout: testMsMax }, () => {
  let ours: PerigeeServer;
  let theirs: ApacheServer;
  let perigee: PerigeeServer;
  let apache: readonly ApacheServer[] = [];
  let admin: AdminSession;

  before(async () => {
    const dir = temporaryFolder();
    [ours, theirs] = await Promise.all([
      startPerigeeNamesrv({ dir: join(dir, 'ours') }),
      startNamesrv({ version: '5.5.0', dir: join(dir, 'theirs'), port: await freePort() }),
    ]);
    const namesrv = `${ours.address};${theirs.address}`;
    const startApache = async (version: '5.5.0' | '5.3.3', brokerName: string): Promise<ApacheServer> =>
      startBroker({ version, dir: join(dir, brokerName), port: await freePort(), namesrv, brokerName });
    [perigee, ...apache] = await Promise.all([
      startPerigeeBroker({ dir: join(dir, 'perigee'), namesrv, brokerName: 'perigee' }),
      startApache('5.5.0', 'apache-550'),
      startApache('5.3.3', 'apache-533'),
    ]);
    admin = openAdmin();
  });

  after(async () => {
    await admin.close();
    assert.equal(await perigee.stop(), 0, perigee.said());
    assert.equal(await ours.stop(), 0, ours.said());
    await Promise.all([...apache, theirs].map((server) => server.kill()));
  });

  const printed = async (namesrv: { address: string }, ...args: string[]): Promise<string> => {
    const { stdout, stderr } = await admin.run([...args, '-n', namesrv.address]);
    assert.equal(stderr, '', args.join(' '));
    return stdout;
  };
  const lines = (text: string): string[] => text.trim().split('\n').sort();

  test('clusterList shows three active masters at either NameServer', async () => {
    for (const namesrv of [ours, theirs]) {
      const brokers = async (): Promise<string[][]> => lines(await printed(namesrv, 'clusterList')).map((line) => line.split(/\s+/));
      await until('three brokers', async () => (await brokers()).filter(([cluster]) => cluster === 'DefaultCluster').length === masters);
      const listed = (await brokers()).filter(([cluster]) => cluster === 'DefaultCluster');
      assert.deepEqual(
        listed.map((row) => row.slice(1, 3).join(' ')),
        brokerNames.map((name) => `${name} 0`),
      );
      assert.deepEqual(
        listed.map((row) => row.at(-1)),
        ['true', 'true', 'true'],
      );
      assert.deepEqual(
        listed.map((row) => row[4]),
        ['V5_3_3', 'V5_5_0', 'V5_5_0'],
      );
    }
  });

  test('a topic made on the cluster has the same route at both NameServers', async () => {
    const created = await printed(ours, 'updateTopic', '-c', 'DefaultCluster', '-t', 'Spread', '-r', '4', '-w', '4');
    assert.equal(created.match(/^create topic to 127\.0\.0\.1:\d+ success\.$/gm)?.length, masters);
    const route = async (namesrv: { address: string }): Promise<string[]> =>
      lines(await printed(namesrv, 'topicRoute', '-t', 'Spread', '-l'));
    await until('three brokers in both routes', async () =>
      (await Promise.all([ours, theirs].map(route))).every((rows) => rows.some((row) => /^Total: +3 +12 +12/.test(row))),
    );
    assert.deepEqual(await route(ours), await route(theirs));
  });

  test('both NameServers list the same topics, and every system topic of Apache is one of ours', async () => {
    // Each broker tells either NameServer in its own time.
    await until('the same topics', async () => {
      assert.deepEqual(lines(await printed(ours, 'topicList')), lines(await printed(theirs, 'topicList')));
      return true;
    });
    const holders = async (topic: string): Promise<number> =>
      Number(/^Total: +(\d+)/m.exec(await printed(ours, 'topicRoute', '-t', topic, '-l'))?.[1]);
    for (const topic of [
      'TBW102',
      'SELF_TEST_TOPIC',
      'SCHEDULE_TOPIC_XXXX',
      'BenchmarkTest',
      'DefaultCluster',
      'RMQ_SYS_TRANS_HALF_TOPIC',
    ]) {
      assert.equal(await holders(topic), masters, topic);
    }
  });

  test('a topic spread over the three is produced to and consumed from, with clients of either version at either NameServer', async () => {
    const fromOurs = openDriver({ version: '4.9.8', namesrv: ours.address, masters });
    const fromTheirs = openDriver({ version: '5.5.0', namesrv: theirs.address, masters });
    const sent = [
      ...(await command(fromOurs, ['produce', 'Spread', '90', 'a'])),
      ...(await command(fromTheirs, ['produce', 'Spread', '90', 'b'])),
    ];
    const share = Map.groupBy(sent, (line) => line.brokerName);
    assert.deepEqual([...share.keys()].sort(), [...brokerNames]);
    for (const part of share.values()) {
      assert.ok(part.length >= 30, 'each broker got its share');
    }
    const wanted = sent.map((line) => line.body).sort();
    for (const driver of [fromOurs, fromTheirs]) {
      const read = await command(driver, ['readAll', 'Spread']);
      assert.deepEqual(read.map((line) => Buffer.from(line.body ?? '', 'base64').toString()).sort(), wanted);
      const consumed = await command(driver, [
        'consume',
        'Spread',
        `Group${driver === fromOurs ? 'Ours' : 'Theirs'}`,
        String(sent.length),
        consumeMs,
      ]);
      assert.deepEqual(consumed.map((line) => line.body).sort(), wanted);
      assert.deepEqual([...new Set(consumed.map((line) => line.brokerName))].sort(), [...brokerNames]);
    }
    await Promise.all([fromOurs.close(), fromTheirs.close()]);
    await until('every position is at the end', async () => {
      const progress = await printed(theirs, 'consumerProgress', '-g', 'GroupOurs');
      assert.match(progress, /^Consume Diff Total: 0$/m);
      assert.equal(progress.match(/^Spread +perigee /gm)?.length, 4);
      return true;
    });
  });

  for (const [version, side] of [
    ['4.9.8', 'theirs'],
    ['5.5.0', 'ours'],
  ] as const) {
    test(`driver cases on three masters with client ${version} at ${side === 'ours' ? 'our' : "Apache's"} NameServer`, async (t) => {
      const namesrv = side === 'ours' ? ours.address : theirs.address;
      const result = await runCases({ version, namesrv, masters }, clusterCases);
      await reportCases(t, result.lines);
      assert.equal(result.lines.length, clusterCases.length, result.stderr);
      assert.equal(result.code, 0, result.stderr.slice(-4_000));
    });
  }

  test('our broker shows every configuration key and every status figure that Apache 5.5.0 shows, but for the folder of its installation', async () => {
    const keys = async (name: string, server: { address: string }): Promise<Set<string>> =>
      new Set(
        (await printed(ours, name, '-b', server.address))
          .split('\n')
          .map((line) => line.split(/ *(?: = |:)/)[0] ?? '')
          .filter((key) => /^\w+$/.test(key)),
      );
    const [apache550] = apache as [ApacheServer];
    for (const name of ['getBrokerConfig', 'brokerStatus']) {
      const mine = await keys(name, perigee);
      const missing = [...(await keys(name, apache550))].filter((key) => !mine.has(key) && key !== 'rocketmqHome');
      assert.deepEqual(missing, [], name);
      assert.ok(mine.size > 40, name);
    }
  });

  test('a broker that is stopped leaves the routes of both NameServers, and comes back', async () => {
    assert.equal(await perigee.stop(), 0, perigee.said());
    const brokersOf = async (namesrv: { address: string }): Promise<number> =>
      Number(/^Total: +(\d+)/m.exec(await printed(namesrv, 'topicRoute', '-t', 'Spread', '-l'))?.[1]);
    // Ours answers when it is done, Apache's takes a broker out a moment after its answer.
    assert.equal(await brokersOf(ours), masters - 1);
    await until('two brokers at the other', async () => (await brokersOf(theirs)) === masters - 1);
    perigee = await startPerigeeBroker({
      dir: perigee.dir,
      port: perigee.port,
      namesrv: `${ours.address};${theirs.address}`,
      brokerName: 'perigee',
    });
    for (const namesrv of [ours, theirs]) {
      await until(`three brokers at ${namesrv.address}`, async () => (await brokersOf(namesrv)) === masters);
    }
  });
});
