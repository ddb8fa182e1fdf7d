/**
 * Batches to a topic with `queue.type=BatchCQ`, light queues, priorities and lite topics with Java clients: what a 5.5.0 producer sends in one
 * request is one record, which its consumer takes apart; a 4.9.8 producer's batch is stored message by message in the same queue.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { newCases } from './case-sets.ts';
import { type DriverLine, freePort, openAdmin, openDriver, startBroker } from './java-process.ts';
import { startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, consumeMs, reportCases, skip, testMsMax, until } from './suite.ts';

const topic = 'Batched';
/** sysFlag of an inner batch. */
const innerBatch = 0xc0;

const bodies = (lines: readonly DriverLine[]): string[] => lines.map((line) => line.body ?? '').sort();
const decoded = (lines: readonly DriverLine[]): string[] => lines.map((line) => Buffer.from(line.body ?? '', 'base64').toString());
const named = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}-${n}`);

test('inner batches, light queues and priorities with Java clients', { skip, timeout: testMsMax }, async (t) => {
  const dir = temporaryFolder();
  const namesrv = await startPerigeeNamesrv({ dir: join(dir, 'namesrv'), port: await freePort() });
  const conf = { ...newCases.conf, registerNameServerPeriod: 10_000, mappedFileSizeCommitLog: 64 * 1024 * 1024 };
  const options = { dir: join(dir, 'broker'), port: await freePort(), namesrv: namesrv.address, conf };
  let broker = await startPerigeeBroker(options);
  const admin = openAdmin();
  const driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
  const older = openDriver({ version: '4.9.8', namesrv: namesrv.address });
  const created = await admin.run([
    'updateTopic',
    '-n',
    namesrv.address,
    '-c',
    'DefaultCluster',
    '-t',
    topic,
    '-r',
    '1',
    '-w',
    '1',
    '-a',
    '+queue.type=BatchCQ',
  ]);
  assert.match(created.stdout, /create topic to .* success/, created.stderr);

  await t.test('a batch of client 5.5.0 is one record, and its consumer gets every message of it', async () => {
    const [first] = await command(driver, ['sendBatch', topic, '5', 'inner', 'red']);
    const [second] = await command(driver, ['sendBatch', topic, '3', 'next', 'blue']);
    assert.deepEqual([first?.queueOffset, second?.queueOffset], [0, 5]);
    assert.equal(first?.offsetMsgId?.includes(','), false);
    const consumed = await command(driver, ['consume', topic, 'BatchGroup', '8', consumeMs]);
    assert.deepEqual(bodies(consumed), [...named('inner', 5), ...named('next', 3)].sort());
    assert.deepEqual(consumed.map((line) => line.queueOffset).sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  await t.test('a consumer of one tag gets the messages with that tag out of the batches', async () => {
    const consumed = await command(driver, ['consume', topic, 'RedGroup', '5', consumeMs, 'red']);
    assert.deepEqual(bodies(consumed), named('inner', 5));
  });

  await t.test('a batch of client 4.9.8 is stored message by message behind them, and all are there after a restart', async () => {
    const [older3] = await command(older, ['sendBatch', topic, '3', 'older']);
    assert.equal(older3?.offsetMsgId?.split(',').length, 3);
    assert.equal(await broker.stop(), 0, broker.said());
    broker = await startPerigeeBroker(options);
    const consumed = await command(driver, ['consume', topic, 'BatchGroup', '3', consumeMs]);
    assert.deepEqual(bodies(consumed), named('older', 3));
    const all = await command(driver, ['readAll', topic]);
    assert.deepEqual(decoded(all), [...named('inner', 5), ...named('next', 3), ...named('older', 3)]);
    assert.deepEqual(
      all.map((line) => line.queueOffset),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.ok(all.every((line) => ((line.sysFlag ?? 0) & innerBatch) === 0 || (line.queueOffset ?? 0) < 8));
  });

  for (const [version, session] of [
    ['5.5.0', driver],
    ['4.9.8', older],
  ] as const)
    await t.test(`a message of client ${version} is read from its topic and from its light queues`, async () => {
      const own = `Light${version.replaceAll('.', '')}`;
      await command(session, ['topic', own, '1']);
      await command(session, ['sendWith', own, 'both', `INNER_MULTI_DISPATCH=%LMQ%${own}a,%LMQ%${own}b`]);
      await command(session, ['sendWith', own, 'one', `INNER_MULTI_DISPATCH=%LMQ%${own}b`]);
      assert.deepEqual(decoded(await command(session, ['readAll', own])), ['both', 'one']);
      assert.deepEqual(decoded(await command(session, ['readLight', `%LMQ%${own}a`, own])), ['both']);
      assert.deepEqual(decoded(await command(session, ['readLight', `%LMQ%${own}b`, own])), ['both', 'one']);
    });

  await t.test('mqadmin sees lite topics, their parent and their group', async () => {
    const asked = async (...args: string[]): Promise<string> => {
      const { stdout, stderr } = await admin.run([...args, '-n', namesrv.address]);
      assert.equal(stderr, '', args.join(' '));
      return stdout;
    };
    await asked(
      'updateTopic',
      '-c',
      'DefaultCluster',
      '-t',
      'Chat',
      '-r',
      '2',
      '-w',
      '2',
      '-a',
      '+message.type=LITE,+lite.topic.expiration=60',
    );
    await asked('updateSubGroup', '-c', 'DefaultCluster', '-g', 'ChatReaders', '--attributes', '+lite.bind.topic=Chat');
    for (const body of ['hello', 'again']) await command(driver, ['sendWith', 'Chat', body, '__LITE_TOPIC=room-7']);
    assert.deepEqual(decoded(await command(driver, ['readLight', '%LMQ%$Chat$room-7', 'Chat'])), ['hello', 'again']);
    assert.match(await asked('getBrokerLiteInfo', '-c', 'DefaultCluster'), /default +20000 +5 +0/);
    assert.match(await asked('getParentTopicInfo', '-p', 'Chat'), /60 +1 +1 +\[ChatReaders\]/);
    assert.match(await asked('getLiteTopicInfo', '-p', 'Chat', '-l', 'room-7'), /0 +2 +\d{4}-\d{2}-\d{2}.* true +0/);
    assert.match(await asked('getLiteGroupInfo', '-p', 'Chat', '-g', 'ChatReaders'), /Total Lag Count: 2/);
  });

  await t.test('priorities and lite topics with the client library of 5.5.0', async (t) => {
    // After the counts of mqadmin: these make lite topics of their own.
    const { lines } = await driver.run([newCases.cases.join(',')]);
    assert.equal(lines.length, newCases.cases.length, driver.stderr().slice(-4_000));
    assert.ok(lines.every((line) => !line.skipped));
    await reportCases(t, lines);
  });

  await t.test('a Java broker on the same folder reads all of it, and what it writes is read here again', async () => {
    assert.equal(await broker.stop(), 0, broker.said());
    const storeDir = join(broker.dir, 'store');
    const java = await startBroker({
      version: '5.5.0',
      dir: join(dir, 'java'),
      port: options.port,
      namesrv: namesrv.address,
      storeDir,
      conf,
    });
    const expected = [...named('inner', 5), ...named('next', 3), ...named('older', 3)];
    await until('the Java broker reads the batches', async () => {
      assert.deepEqual(decoded(await command(driver, ['readAll', topic])), expected);
      assert.deepEqual(decoded(await command(driver, ['readLight', '%LMQ%Light550b', 'Light550'])), ['both', 'one']);
      return true;
    });
    const [batch] = await command(driver, ['sendBatch', topic, '2', 'java']);
    assert.equal(batch?.queueOffset, 11);
    await command(driver, ['sendWith', 'Light550', 'java', 'INNER_MULTI_DISPATCH=%LMQ%Light550b']);
    await java.stop();
    broker = await startPerigeeBroker(options);
    await until('Perigee reads what the Java broker wrote', async () => {
      assert.deepEqual(decoded(await command(driver, ['readAll', topic])), [...expected, ...named('java', 2)]);
      return true;
    });
    assert.deepEqual(decoded(await command(driver, ['readLight', '%LMQ%Light550b', 'Light550'])), ['both', 'one', 'java']);
  });

  await Promise.all([admin.close(), driver.close(), older.close()]);
  assert.equal(await broker.stop(), 0, broker.said());
  assert.equal(await namesrv.stop(), 0);
});
