/**
 * A static topic whose logical queues lie on an Apache 5.5.0 broker and on ours: mqadmin makes it and moves its queues to one
 * broker and to the other, and a Java client sees the same four queues with the same offsets all the time.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  type AdminSession,
  type ApacheServer,
  type DriverLine,
  type DriverSession,
  freePort,
  openAdmin,
  openDriver,
  startBroker,
} from './java-process.ts';
import { type PerigeeServer, startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, consumeMs, skip, testMsMax, until } from './suite.ts';

const topic = 'Fixed';
const queues = 4;
/** The same for both, so that each starts on the other's store. */
const conf = { mappedFileSizeCommitLog: 1024 * 1024 };

type Sent = Readonly<Record<'body' | 'brokerName', string> & Record<'queueId' | 'queueOffset', number>>;

const place = ({ queueId, queueOffset, body }: DriverLine | Sent): string => `${queueId} ${queueOffset} ${body}`;

suite('a static topic over a Perigee and an Apache broker', { skip, timeout: testMsMax }, () => {
  let namesrv: PerigeeServer;
  let perigee: PerigeeServer;
  let apache: ApacheServer;
  let admin: AdminSession;
  const sent: Sent[] = [];
  const dir = temporaryFolder();

  before(async () => {
    namesrv = await startPerigeeNamesrv({ dir: join(dir, 'namesrv') });
    const shared = { namesrv: namesrv.address, conf };
    [perigee, apache] = await Promise.all([
      startPerigeeBroker({ ...shared, dir: join(dir, 'perigee'), brokerName: 'perigee' }),
      startBroker({ ...shared, version: '5.5.0', dir: join(dir, 'apache'), port: await freePort(), brokerName: 'apache' }),
    ]);
    admin = openAdmin();
    await until('two brokers', async () => /apache[\s\S]*perigee/.test((await admin.run(['clusterList', '-n', namesrv.address])).stdout));
  });

  after(async () => {
    await admin.close();
    assert.equal(await perigee.stop(), 0, perigee.said());
    assert.equal(await namesrv.stop(), 0, namesrv.said());
    await apache.kill();
  });

  const printed = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await admin.run([...args, '-n', namesrv.address]);
    assert.equal(stderr, '', args.join(' '));
    return stdout;
  };

  /** Which broker leads how many logical queues, by the route. */
  const leaders = async (): Promise<Record<string, number>> => {
    // Java prints keys that are numbers without quotes.
    const text = (await printed('topicRoute', '-t', topic)).replace(/([{,]\s*)(\d+):/g, '$1"$2":');
    const { topicQueueMappingByBroker } = JSON.parse(text) as {
      topicQueueMappingByBroker: Record<string, { currIdMap: Record<string, number> }>;
    };
    return Object.fromEntries(
      Object.entries(topicQueueMappingByBroker).map(([name, { currIdMap }]) => [name, Object.keys(currIdMap).length]),
    );
  };

  /** A route follows the brokers' registrations. */
  const leads = (wanted: Readonly<Record<string, number>>): Promise<void> =>
    until(`leaders ${JSON.stringify(wanted)}`, async () => {
      assert.deepEqual(await leaders(), wanted);
      return true;
    });

  const withDriver = async (work: (driver: DriverSession) => Promise<void>): Promise<void> => {
    const driver = openDriver({ version: '5.5.0', namesrv: namesrv.address, masters: 2 });
    try {
      await work(driver);
    } finally {
      await driver.close();
    }
  };

  const produce = async (driver: DriverSession, count: number, prefix: string, brokers: readonly string[]): Promise<void> => {
    const lines = (await command(driver, ['produce', topic, String(count), prefix])) as unknown as Sent[];
    assert.deepEqual([...new Set(lines.map((line) => line.brokerName))].sort(), brokers);
    assert.deepEqual([...new Set(lines.map((line) => line.queueId))].sort(), [0, 1, 2, 3]);
    sent.push(...lines);
  };

  const readsAll = async (driver: DriverSession): Promise<void> => {
    const wanted = sent.toSorted((a, b) => a.queueId - b.queueId || a.queueOffset - b.queueOffset).map(place);
    // A Java broker builds its queues in the background.
    await until('every message is read', async () => {
      const read = await command(driver, ['readAll', topic]);
      const got = read.map((line) => place({ ...line, body: Buffer.from(line.body ?? '', 'base64').toString() }));
      assert.deepEqual(got, wanted);
      return true;
    });
  };

  const consumes = async (driver: DriverSession, group: string, wanted: readonly Sent[]): Promise<void> => {
    const got = await command(driver, ['consume', topic, group, String(wanted.length), consumeMs]);
    assert.deepEqual(got.map(place).sort(), wanted.map(place).sort());
  };

  test('mqadmin spreads the logical queues over both brokers', async () => {
    const said = await printed('updateStaticTopic', '-b', 'perigee,apache', '-t', topic, '-qn', String(queues));
    assert.match(said, /The new mapping data is written to file/);
    await leads({ apache: 2, perigee: 2 });
  });

  test('a Java client sends to and consumes from all of them, by logical queue and offset', () =>
    withDriver(async (driver) => {
      await produce(driver, 40, 'a', ['apache', 'perigee']);
      for (const [queueId, lines] of Map.groupBy(sent, (line) => line.queueId)) {
        assert.deepEqual(
          lines.map((line) => line.queueOffset),
          lines.map((_, n) => n),
          `queue ${queueId}`,
        );
      }
      await readsAll(driver);
      await consumes(driver, 'Kept', sent);
    }));

  for (const [leader, other, movedQueues, prefix] of [
    ['perigee', 'apache', 2, 'b'],
    ['apache', 'perigee', 4, 'c'],
  ] as const) {
    test(`after mqadmin moved every queue to ${leader}, all messages are read once, in order of logical offsets`, async () => {
      await printed('remappingStaticTopic', '-b', leader, '-t', topic);
      await leads({ [leader]: queues, [other]: 0 });
      await withDriver(async (driver) => {
        const before = sent.length;
        await readsAll(driver);
        await produce(driver, 20, prefix, [leader]);
        // A queue that moves goes on at the next multiple of 10,000.
        const ends = Map.groupBy(sent.slice(0, before), (line) => line.queueId);
        const jumped = [...Map.groupBy(sent.slice(before), (line) => line.queueId)].filter(
          ([id, [line]]) => line?.queueOffset !== (ends.get(id)?.at(-1)?.queueOffset ?? 0) + 1,
        );
        assert.equal(jumped.length, movedQueues);
        await readsAll(driver);
        await consumes(driver, 'Kept', sent.slice(before));
        await consumes(driver, `New${prefix}`, sent);
      });
    });
  }

  test('a broker of either kind starts on the store of the other and serves its part of the logical queues', async () => {
    const stores = { perigee: join(perigee.dir, 'store'), apache: join(apache.dir, 'store') };
    const shared = { namesrv: namesrv.address, conf };
    assert.equal(await perigee.stop(), 0, perigee.said());
    await apache.kill();
    [perigee, apache] = await Promise.all([
      startPerigeeBroker({ ...shared, dir: join(dir, 'perigee-2'), storeDir: stores.apache, brokerName: 'apache' }),
      startBroker({
        ...shared,
        version: '5.5.0',
        dir: join(dir, 'apache-2'),
        port: await freePort(),
        storeDir: stores.perigee,
        brokerName: 'perigee',
      }),
    ]);
    const topics = async (): Promise<string> => (await admin.run(['topicRoute', '-t', topic, '-l', '-n', namesrv.address])).stdout;
    await until('both parts', async () => /apache[\s\S]*perigee/.test(await topics()));
    await withDriver(async (driver) => {
      await readsAll(driver);
      await produce(driver, 8, 'd', ['apache']);
      await readsAll(driver);
    });
  });

  test('mqadmin shows bounds and progress by logical queue', async () => {
    const status = await printed('topicStatus', '-t', topic);
    const rows = [...status.matchAll(/^__syslo__global__ +(\d) +(\d+) +(\d+)/gm)].map((row) => row.slice(1).map(Number));
    const ends = Map.groupBy(sent, (line) => line.queueId);
    assert.deepEqual(rows.sort(), [...ends].map(([id, lines]) => [id, 0, Math.max(...lines.map((line) => line.queueOffset)) + 1]).sort());
  });
});
