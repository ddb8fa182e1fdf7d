/**
 * A store folder moves between Perigee and Apache: written by Perigee, opened by Apache 5.5.0 after a clean stop and after kill -9,
 * written to by Apache, opened by Perigee again, and by Apache 5.3.3. After every move a Java client reads every message of every
 * topic and gets the same as before: place, ids, bodies, properties, times; key queries, topics and group offsets too.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  type ApacheServer,
  type DriverLine,
  type DriverSession,
  freePort,
  openDriver,
  type ServerVersion,
  startBroker,
} from './java-process.ts';
import { type PerigeeServer, startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, consumeMs, skip, testMsMax, until } from './suite.ts';

/** Every kind of message: plain, batch, compressed, properties of all sorts, tags, keys, namespaces, many queues, group offsets. */
const cases = [
  ...['send-sync', 'send-async', 'send-oneway', 'send-batch', 'send-selector', 'send-compressed', 'send-properties', 'push-tags'],
  ...['push-offsets-kept', 'push-orderly', 'litepull-subscribe', 'namespace', 'query-key', 'topic-auto-create', 'topic-queue-numbers'],
];
/** Small files, so that the log and the queues roll over; the same for both, because a store keeps the sizes it was made with. */
const fileSizes = { mappedFileSizeCommitLog: 128 * 1024, mappedFileSizeConsumeQueue: 50 * 20, maxIndexNum: 20_000, maxHashSlotNum: 5_000 };
const conf = { ...fileSizes, flushConsumerOffsetInterval: 1_000 };
const group = 'MovedGroup';
const bulk = 'MovedBulk';

interface Seen {
  readonly messages: readonly DriverLine[];
  readonly offsets: readonly DriverLine[];
}

suite('a store folder moves between Perigee and Apache', { skip, timeout: testMsMax }, () => {
  const dir = temporaryFolder();
  const storeDir = join(dir, 'store');
  let namesrv: PerigeeServer;
  let driver: DriverSession;
  let port: number;
  let broker: PerigeeServer | ApacheServer;
  let topics: string[] = [];
  let seen: Seen = { messages: [], offsets: [] };
  let written = 0;

  const startOurs = async (): Promise<void> => {
    broker = await startPerigeeBroker({ dir: join(dir, 'ours'), port, namesrv: namesrv.address, storeDir, conf });
  };
  const startApache = async (version: ServerVersion): Promise<void> => {
    broker = await startBroker({ version, dir: join(dir, version), port, namesrv: namesrv.address, storeDir, conf });
  };

  /** Reads until at least so many messages are there: a Java broker dispatches in the background after it listens. */
  const look = async (least: number): Promise<Seen> => {
    let messages: readonly DriverLine[] = [];
    await until(`${least} messages`, async () => {
      messages = await command(driver, ['readAll', ...topics]);
      return messages.length >= least;
    });
    return { messages, offsets: await command(driver, ['offsets', group, bulk]) };
  };

  const expectSame = async (): Promise<void> => {
    const now = await look(seen.messages.length);
    assert.equal(now.messages.length, seen.messages.length);
    for (const [index, message] of seen.messages.entries()) {
      assert.deepEqual(now.messages[index], message);
    }
    assert.deepEqual(now.offsets, seen.offsets);
  };

  /** Keys of the oldest, a middle and the newest of the messages that were written last, in several CommitLog files. */
  const expectKeysFound = async (last = written): Promise<void> => {
    const keyed = seen.messages
      .filter((message) => message.topic === bulk)
      .sort((a, b) => (a.commitLogOffset ?? 0) - (b.commitLogOffset ?? 0))
      .slice(-last);
    for (const message of new Set([keyed[0], keyed[Math.floor(keyed.length / 2)], keyed.at(-1)])) {
      const found = await command(driver, ['query', bulk, message?.keys ?? '']);
      assert.deepEqual(
        found.map((line) => [line.queueId, line.queueOffset, line.body]),
        [[message?.queueId, message?.queueOffset, message?.body]],
      );
      const [viewed] = await command(driver, ['view', bulk, message?.offsetMsgId ?? '']);
      assert.equal(viewed?.body, message?.body);
    }
  };

  /** More messages, so that every stop has something new behind it. Committed offsets reach the file within seconds only. */
  const write = async (count: number, andConsume: boolean): Promise<void> => {
    await command(driver, ['produce', bulk, String(count), `bulk-${written}`]);
    written += count;
    if (andConsume) {
      await command(driver, ['consume', bulk, group, '1', consumeMs]);
    }
    seen = await look(seen.messages.length + count);
  };

  before(async () => {
    [namesrv, port] = [await startPerigeeNamesrv({ dir: join(dir, 'namesrv') }), await freePort()];
    await startOurs();
    driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
  });

  after(async () => {
    await driver.close();
    await broker.kill();
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });

  test('Perigee writes messages of every kind into several files', async () => {
    const { ok, lines } = await driver.run([cases.join(',')]);
    assert.ok(ok, JSON.stringify(lines.filter((line) => !line.ok)));
    await command(driver, ['topic', bulk, '4']);
    const config = JSON.parse(readFileSync(join(storeDir, 'config', 'topics.json'), 'utf8')) as { topicConfigTable: object };
    topics = Object.keys(config.topicConfigTable).filter((name) => name.includes('it-') || name === bulk);
    await write(600, true);
    assert.ok(topics.length > cases.length);
    assert.ok(readdirSync(join(storeDir, 'commitlog')).length > 2);
    assert.ok(readdirSync(join(storeDir, 'consumequeue', bulk, '0')).length > 1);
    await expectKeysFound();
  });

  test('Apache 5.5.0 serves it all after a clean stop of Perigee', async () => {
    assert.equal(await (broker as PerigeeServer).stop(), 0, (broker as PerigeeServer).said());
    await startApache('5.5.0');
    await expectSame();
    await expectKeysFound();
  });

  test('Perigee serves what Apache 5.5.0 wrote and stopped cleanly on', async () => {
    await write(100, true);
    await broker.stop();
    await startOurs();
    await expectSame();
    await expectKeysFound();
  });

  test('Apache 5.5.0 serves it all after kill -9 of Perigee', async () => {
    await write(100, false);
    await broker.kill();
    assert.ok(readdirSync(storeDir).includes('abort'));
    await startApache('5.5.0');
    await expectSame();
    // After an unclean exit Apache throws the unfinished index file away and indexes the replayed files only.
    await expectKeysFound(1);
  });

  test('Perigee serves it all after kill -9 of Apache', async () => {
    await broker.kill();
    await startOurs();
    await expectSame();
    await expectKeysFound(1);
  });

  test('Apache 5.3.3 serves it all after another clean stop of Perigee', async () => {
    const count = 50;
    await write(count, true);
    assert.equal(await (broker as PerigeeServer).stop(), 0, (broker as PerigeeServer).said());
    await startApache('5.3.3');
    await expectSame();
    await expectKeysFound(count);
  });
});
