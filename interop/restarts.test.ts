/**
 * Restarts of both sides while Java clients of both versions work: nothing acknowledged is lost, nothing moves, and a group goes
 * on where it was. The producer of each client sends right through a clean stop and a kill -9 of the broker.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ClientVersion, type DriverLine, freePort, openDriver, startDriver } from './java-process.ts';
import { type PerigeeServer, startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, consumeMs, skip, testMsMax, until } from './suite.ts';

const topic = 'Restarted';
const queues = 4;
const burst = 400;

const place = (line: DriverLine): string => `${line.queueId}/${line.queueOffset} ${line.msgId} ${line.offsetMsgId}`;
const bodies = (lines: readonly DriverLine[]): string[] => lines.map((line) => line.body ?? '').sort();
const plain = (line: DriverLine): DriverLine => ({ ...line, body: Buffer.from(line.body ?? '', 'base64').toString() });

test('offsets and acknowledged messages survive restarts of clients, broker and NameServer', { skip, timeout: testMsMax }, async (t) => {
  const dir = temporaryFolder();
  const namesrvOptions = { dir: join(dir, 'namesrv'), port: await freePort() };
  let namesrv = await startPerigeeNamesrv(namesrvOptions);
  const conf = { registerNameServerPeriod: 10_000, flushConsumerOffsetInterval: 1_000 };
  const brokerOptions = { dir: join(dir, 'broker'), port: await freePort(), namesrv: namesrv.address, conf };
  let broker: PerigeeServer = await startPerigeeBroker(brokerOptions);
  const driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
  const older = openDriver({ version: '4.9.8', namesrv: namesrv.address });
  await command(driver, ['topic', topic, String(queues)]);

  const offsetsInFile = (group: string): number => {
    const table = JSON.parse(readFileSync(join(broker.dir, 'store', 'config', 'consumerOffset.json'), 'utf8')).offsetTable;
    return Object.values((table[`${topic}@${group}`] ?? {}) as Record<string, number>).reduce((sum, offset) => sum + offset, 0);
  };
  const groups: [ClientVersion, typeof driver, string][] = [
    ['5.5.0', driver, 'Group550'],
    ['4.9.8', older, 'Group498'],
  ];
  let total = 0;

  await t.test('a consumer that comes back gets only what came meanwhile', async () => {
    const first = await command(older, ['produce', topic, '40', 'first']);
    for (const [, session, group] of groups) {
      assert.deepEqual(bodies(await command(session, ['consume', topic, group, '40', consumeMs])), bodies(first));
    }
    const second = await command(driver, ['produce', topic, '12', 'second']);
    for (const [version, session, group] of groups) {
      assert.deepEqual(bodies(await command(session, ['consume', topic, group, '12', consumeMs])), bodies(second), version);
    }
    total = 52;
  });

  await t.test('a clean stop of the broker keeps the offsets of every group', async () => {
    assert.equal(await broker.stop(), 0, broker.said());
    for (const [, , group] of groups) {
      assert.equal(offsetsInFile(group), total);
    }
    broker = await startPerigeeBroker(brokerOptions);
    const sent = await command(driver, ['produce', topic, '8', 'after-stop']);
    for (const [version, session, group] of groups) {
      assert.deepEqual(bodies(await command(session, ['consume', topic, group, '8', consumeMs])), bodies(sent), version);
    }
    total += 8;
  });

  await t.test('kill -9 of the broker keeps what the groups committed before the last write of the offsets', async () => {
    for (const [, , group] of groups) {
      await until(`${group} is in the file`, () => offsetsInFile(group) === total);
    }
    await broker.kill();
    broker = await startPerigeeBroker(brokerOptions);
    const sent = await command(driver, ['produce', topic, '8', 'after-kill']);
    for (const [version, session, group] of groups) {
      assert.deepEqual(bodies(await command(session, ['consume', topic, group, '8', consumeMs])), bodies(sent), version);
    }
    total += 8;
  });

  await t.test('a NameServer killed and started anew knows the broker and its topics again within a registration period', async () => {
    await namesrv.kill();
    namesrv = await startPerigeeNamesrv(namesrvOptions);
    assert.equal((await command(driver, ['readAll', topic])).length, total);
  });

  await t.test('producers that send through a stop and a kill lose nothing that was acknowledged', async () => {
    const senders = groups.map(([version]) =>
      startDriver({ version, namesrv: namesrv.address }, ['produce', topic, String(burst), `through-${version}`, '5']),
    );
    await Promise.all(senders.map((sender) => sender.atLeast(burst / 4)));
    await broker.stop();
    broker = await startPerigeeBroker(brokerOptions);
    await Promise.all(senders.map((sender) => sender.atLeast(burst / 2)));
    await broker.kill();
    broker = await startPerigeeBroker(brokerOptions);
    const results = await Promise.all(senders.map((sender) => sender.done));
    const acknowledged = results.flatMap(({ lines }) => lines.filter((line) => line.body !== undefined));
    for (const { code, stderr } of results) {
      assert.equal(code, 0, stderr.slice(-4_000));
    }
    assert.equal(acknowledged.length, 2 * burst);

    const stored = (await command(driver, ['readAll', topic])).map(plain);
    const byPlace = new Map(stored.map((line) => [place(line), line.body]));
    for (const line of acknowledged) {
      assert.equal(byPlace.get(place(line)), line.body, `${line.body} was acknowledged at ${place(line)}`);
    }
    for (let queueId = 0; queueId < queues; queueId++) {
      const queueOffsets = stored.filter((line) => line.queueId === queueId).map((line) => line.queueOffset);
      assert.deepEqual(queueOffsets, [...queueOffsets.keys()], `queue ${queueId} has no gap`);
    }
    // A send whose answer the restart swallowed is sent again: it may be there twice, never less than once.
    assert.ok(stored.length >= total + acknowledged.length);
    const consumed = await command(older, ['consume', topic, 'Group498', String(2 * burst), consumeMs]);
    const got = new Set(bodies(consumed));
    assert.deepEqual(
      bodies(acknowledged).filter((body) => !got.has(body)),
      [],
    );
  });

  await Promise.all([driver.close(), older.close()]);
  assert.equal(await broker.stop(), 0, broker.said());
  assert.equal(await namesrv.stop(), 0, namesrv.said());
});
