/**
 * Kinds of message and what consumers do to them, with unmodified Java clients 4.9.8 and 5.5.0: ordered, transactional, retried
 * and dead, request–reply; positions that mqadmin sets, copies and shows. Broker settings make checks and retries quick.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { kindCases } from './case-sets.ts';
import {
  type ClientVersion,
  clientVersions,
  type DriverLine,
  freePort,
  openAdmin,
  openDriver,
  runCases,
  startDriver,
} from './java-process.ts';
import { type PerigeeServer, startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, consumeMs, reportCases, skip, testMsMax, until } from './suite.ts';

const { cases, conf, properties } = kindCases;
/** A lock that is not renewed for so long is free; a client renews its locks this often, a busy one a little later. */
const lockLiveMs = 60_000;
const lockRenewMs = 20_000;
const slackMs = 5_000;

/** A NameServer and a broker of the test; killed after it, should it fail before it stops them. */
async function startCluster(t: TestContext) {
  const dir = temporaryFolder();
  const namesrv = await startPerigeeNamesrv({ dir: join(dir, 'namesrv') });
  t.after(() => namesrv.kill());
  const options = { dir: join(dir, 'broker'), port: await freePort(), namesrv: namesrv.address, conf };
  const start = async (): Promise<PerigeeServer> => {
    const broker = await startPerigeeBroker(options);
    t.after(() => broker.kill());
    return broker;
  };
  return { namesrv, start, broker: await start() };
}

/** In the order of time, whoever had the queue: none is skipped, and what comes again came before. */
function expectOrder(deliveries: readonly DriverLine[]): void {
  const next = new Map<number, number>();
  for (const { queueId = -1, queueOffset = -1 } of deliveries.toSorted((left, right) => (left.ms ?? 0) - (right.ms ?? 0))) {
    const expected = next.get(queueId) ?? 0;
    assert.ok(queueOffset <= expected, `queue ${queueId}: ${queueOffset} came before ${expected}`);
    next.set(queueId, Math.max(expected, queueOffset + 1));
  }
}

// Most of it is waiting: for clients that give queues up, for checks and delays.
suite('kinds of message and positions with Java clients', { skip, concurrency: true }, () => {
  test('ordered, transactional, retried and request messages work with Java clients', { timeout: testMsMax }, async (t) => {
    const { namesrv, broker } = await startCluster(t);
    const runs = await Promise.all(clientVersions.map((version) => runCases({ version, namesrv: namesrv.address, properties }, cases)));
    for (const { lines, stderr, code } of runs) {
      await reportCases(t, lines);
      assert.equal(lines.length, cases.length, stderr.slice(-4_000));
      assert.equal(code, 0, stderr.slice(-4_000));
    }
    assert.equal(await broker.stop(), 0, broker.said());
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });

  test('transactions that are open when the broker is killed or stopped are ended after its restart', {
    skip,
    timeout: testMsMax,
  }, async (t) => {
    const cluster = await startCluster(t);
    const { namesrv, start } = cluster;
    let { broker } = cluster;
    const count = 10;
    const versions: readonly ClientVersion[] = ['4.9.8', '5.5.0'];
    const driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
    t.after(() => driver.close());
    for (const version of versions) await command(driver, ['topic', `Open-${version.replaceAll('.', '')}`, '4']);
    const producers = versions.map((version) => {
      const name = version.replaceAll('.', '');
      return startDriver({ version, namesrv: namesrv.address }, ['transact', `Open-${name}`, `Producers-${name}`, String(count)]);
    });
    for (const producer of producers) t.after(() => producer.kill());
    await Promise.all(producers.map((producer) => producer.atLeast(count)));
    await broker.kill();
    broker = await start();
    await broker.stop();
    broker = await start();
    for (const producer of producers) producer.write('decide');
    const committed = Array.from({ length: count / 2 }, (_, n) => `tx-${2 * n}`);
    for (const version of versions) {
      const topic = `Open-${version.replaceAll('.', '')}`;
      const bodies = async (): Promise<string[]> =>
        (await command(driver, ['readAll', topic])).map((line) => Buffer.from(line.body ?? '', 'base64').toString()).sort();
      await until(`${count / 2} messages in ${topic}`, async () => (await bodies()).length >= count / 2);
      assert.deepEqual(await bodies(), committed, version);
    }
    // Their ends are one-way, so they live until the last has arrived.
    for (const producer of producers) producer.endInput();
    for (const { code, stderr } of await Promise.all(producers.map((producer) => producer.done)))
      assert.equal(code, 0, stderr.slice(-4_000));
    await driver.close();
    assert.equal(await broker.stop(), 0, broker.said());
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });

  test('order is kept while the broker is killed and started again under two orderly consumers', { timeout: testMsMax }, async (t) => {
    const cluster = await startCluster(t);
    const { namesrv, start } = cluster;
    let { broker } = cluster;
    const count = 300;
    const driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
    t.after(() => driver.close());
    await command(driver, ['topic', 'Ordered', '4']);
    const watchers = clientVersions.map((version) =>
      startDriver({ version, namesrv: namesrv.address, properties }, ['watch', 'Ordered', 'Orderly', `w${version}`, 'orderly']),
    );
    for (const one of watchers) t.after(() => one.kill());
    const came = (): number => watchers.reduce((sum, { lines }) => sum + lines.length, 0);
    // Both are at work before the many are sent, so that the kill hits them in the middle.
    const first = await command(driver, ['produce', 'Ordered', '8', 'first']);
    await until('the first messages came', () => came() >= first.length);
    const sending = command(driver, ['produce', 'Ordered', String(count), 'o', '5']);
    await until('more messages came', () => came() > first.length + 20);
    await broker.kill();
    broker = await start();
    const sent = [...first, ...(await sending)];
    await until('every message came', () => {
      const places = new Set(watchers.flatMap(({ lines }) => lines.map(({ queueId, queueOffset }) => `${queueId}/${queueOffset}`)));
      return sent.every(({ queueId, queueOffset }) => places.has(`${queueId}/${queueOffset}`));
    });
    expectOrder(watchers.flatMap(({ lines }) => lines));
    for (const one of watchers) one.endInput();
    await Promise.all([driver.close(), ...watchers.map((one) => one.done)]);
    assert.equal(await broker.stop(), 0, broker.said());
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });

  test('the queues of an orderly consumer that is killed wait for its locks to expire, then another one goes on in order', {
    timeout: testMsMax,
  }, async (t) => {
    const { namesrv, broker } = await startCluster(t);
    const driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
    t.after(() => driver.close());
    // Both ways round at the same time: it is a minute of waiting.
    await Promise.all(
      clientVersions.map(async (version) => {
        const names = { topic: `Orphaned-${version.replaceAll('.', '')}`, group: `Heirs-${version.replaceAll('.', '')}` };
        await command(driver, ['topic', names.topic, '4']);
        const other = clientVersions.find((one) => one !== version) ?? version;
        const [dies, stays] = ([version, other] as const).map((one) => {
          const args = ['watch', names.topic, names.group, `${names.group}-${one}`, 'orderly'];
          const watcher = startDriver({ version: one, namesrv: namesrv.address, properties }, args);
          t.after(() => watcher.kill());
          return watcher;
        });
        assert.ok(dies !== undefined && stays !== undefined);
        const sent: DriverLine[] = [];
        const produce = async (count: number, prefix: string): Promise<void> => {
          sent.push(...(await command(driver, ['produce', names.topic, String(count), prefix])));
        };
        const missing = (): DriverLine[] => {
          const came = new Set([...dies.lines, ...stays.lines].map((line) => `${line.queueId}/${line.queueOffset}`));
          return sent.filter((line) => !came.has(`${line.queueId}/${line.queueOffset}`));
        };
        const queuesOf = (lines: readonly DriverLine[]): number[] => [...new Set(lines.map((line) => line.queueId ?? -1))].sort();
        let round = 0;
        let orphaned: number[] = [];
        const share = async (): Promise<boolean> => {
          const [ofOne, ofOther] = [dies.lines.length, stays.lines.length];
          await produce(8, `round-${round++}`);
          await until('all of the round came', () => missing().length === 0);
          orphaned = queuesOf(dies.lines.slice(ofOne));
          return orphaned.length === 2 && queuesOf(stays.lines.slice(ofOther)).length === 2;
        };
        await until('each of the two has two of the four queues', share, 2 * lockLiveMs);
        const lastOfDies = dies.lines.length;
        dies.kill();
        const killedMs = Date.now();
        await dies.done;
        await produce(40, 'after');
        await until('all came', () => missing().length === 0, 2 * lockLiveMs);
        assert.equal(dies.lines.length, lastOfDies, 'what the killed one got');
        const inherited = stays.lines.filter((line) => (line.ms ?? 0) > killedMs && orphaned.includes(line.queueId ?? -1));
        const waitedMs = Math.min(...inherited.map((line) => line.ms ?? 0)) - killedMs;
        // It has renewed its locks every 20 s; the other one asks every second.
        assert.ok(waitedMs > lockLiveMs - lockRenewMs - slackMs, `the other one had the queues after ${waitedMs} ms`);
        expectOrder([...dies.lines, ...stays.lines]);
        stays.endInput();
        await stays.done;
      }),
    );
    await driver.close();
    assert.equal(await broker.stop(), 0, broker.said());
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });

  test('mqadmin sets, copies and shows positions, and hands messages to a consumer', { timeout: testMsMax }, async (t) => {
    const { namesrv, broker } = await startCluster(t);
    const admin = openAdmin();
    t.after(() => admin.close());
    const driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
    t.after(() => driver.close());
    const printed = async (...args: string[]): Promise<string> => {
      const { stdout, stderr } = await admin.run([...args, '-n', namesrv.address]);
      assert.equal(stderr, '', `${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    const messages = 12;
    const positions = async (group: string, topic = 'Moved'): Promise<number> =>
      (await command(driver, ['offsets', group, topic])).reduce((sum, line) => sum + (line.queueOffset ?? 0), 0);
    await command(driver, ['topic', 'Moved', '2']);
    const sent = await command(driver, ['produce', 'Moved', String(messages), 'm']);
    await command(driver, ['consume', 'Moved', 'Away', String(messages), consumeMs]);
    const watcher = startDriver({ version: '5.5.0', namesrv: namesrv.address, properties }, ['watch', 'Moved', 'Online', 'watcher']);
    const older = startDriver({ version: '4.9.8', namesrv: namesrv.address, properties }, ['watch', 'Moved', 'Older', 'watcher']);
    for (const one of [watcher, older]) t.after(() => one.kill());
    await Promise.all([watcher.atLeast(messages), older.atLeast(messages)]);

    await t.test('resetOffsetByTime moves groups that are online: they get everything again', async () => {
      const committed = async (group: string): Promise<boolean> => {
        assert.equal(await positions(group), messages);
        return true;
      };
      for (const group of ['Online', 'Older']) await until(`${group} has committed`, () => committed(group));
      for (const group of ['Online', 'Older']) {
        assert.match(await printed('resetOffsetByTime', '-g', group, '-t', 'Moved', '-s', '0'), /broker-a +[01] +0 /);
      }
      await Promise.all([watcher.atLeast(2 * messages), older.atLeast(2 * messages)]);
      for (const group of ['Online', 'Older']) await until(`${group} has committed again`, () => committed(group));
    });

    await t.test('resetOffsetByTime moves a group that is away, by time and one queue by offset', async () => {
      assert.equal(await positions('Away'), messages);
      await printed('resetOffsetByTime', '-g', 'Away', '-t', 'Moved', '-s', '0');
      assert.equal(await positions('Away'), 0);
      assert.equal((await command(driver, ['consume', 'Moved', 'Away', String(messages), consumeMs])).length, messages);
      const queue = ['-b', broker.address, '-q', '1', '-o', '4'];
      assert.match(await printed('resetOffsetByTime', '-g', 'Away', '-t', 'Moved', '-s', 'now', ...queue), /reset consumer offset to 4/);
      assert.equal(await positions('Away'), messages / 2 + 4);
      assert.equal((await command(driver, ['consume', 'Moved', 'Away', '2', consumeMs])).length, 2);
    });

    await t.test('cloneGroupOffset gives another group the positions of the first', async () => {
      await printed('updateSubGroup', '-b', broker.address, '-g', 'Copy');
      const said = await printed('cloneGroupOffset', '-s', 'Away', '-d', 'Copy', '-t', 'Moved', '-o', 'true');
      assert.match(said, /clone group offset success. srcGroup\[Away\], destGroup=\[Copy\], topic\[Moved\]/);
      assert.equal(await positions('Copy'), messages);
    });

    const clientId = /\d+\.\d+\.\d+\.\d+@watcher\S*/.exec(await printed('consumerConnection', '-g', 'Online'))?.[0] ?? '';

    await t.test('consumerStatus shows what an online group reads and how far it is', async () => {
      assert.notEqual(clientId, '');
      const said = await printed('consumerStatus', '-g', 'Online', '-i', clientId);
      assert.match(said, /#Consumer Offset#/i);
      assert.match(said, /Moved +broker-a +0 +6/);
    });

    await t.test('printMsg, printMsgByQueue and queryMsgByOffset show the messages', async () => {
      const said = await printed('printMsg', '-t', 'Moved', '-d', 'true');
      for (let n = 0; n < messages; n++) assert.ok(said.includes(`BODY: m-${n}`), `m-${n} in ${said.slice(0, 400)}`);
      assert.match(await printed('printMsgByQueue', '-t', 'Moved', '-a', 'broker-a', '-i', '0', '-p', 'true', '-d', 'true'), /BODY: m-/);
      const { queueId, queueOffset, msgId } = sent[5] ?? {};
      const one = await printed('queryMsgByOffset', '-t', 'Moved', '-b', 'broker-a', '-i', String(queueId), '-o', String(queueOffset));
      assert.ok(one.includes(msgId ?? '?'), one);
    });

    await t.test('queryMsgById -g -d hands a message to a consumer, which takes it', async () => {
      const before = watcher.lines.length;
      const said = await printed('queryMsgById', '-t', 'Moved', '-i', sent[3]?.offsetMsgId ?? '', '-g', 'Online', '-d', clientId);
      assert.match(said, /consumeResult=CR_SUCCESS/);
      await watcher.atLeast(before + 1);
      assert.equal(watcher.lines.at(-1)?.body, 'm-3');
    });

    for (const one of [watcher, older]) one.endInput();
    await Promise.all([admin.close(), driver.close(), watcher.done, older.done]);
    assert.equal(await broker.stop(), 0, broker.said());
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });
});
