/**
 * Pop consumption with an unmodified Java client 5.5.0: a push consumer that mqadmin switches to pop, its acks, failures and
 * overrun invisible times, over a stop and a kill of the broker, and back to pull.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DriverLine, freePort, openAdmin, openDriver, startDriver } from './java-process.ts';
import { startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, skip, testMsMax, until } from './suite.ts';

const topic = 'Popped';
const group = 'Poppers';
/** The shortest that the client takes. */
const invisibleMs = 5_000;
const conf = { registerNameServerPeriod: 10_000, flushConsumerOffsetInterval: 500, reviveInterval: 200 };

test('a Java push consumer that is switched to pop gets everything, what it does not acknowledge again, over restarts', {
  skip,
  timeout: testMsMax,
}, async (t) => {
  const dir = temporaryFolder();
  const namesrv = await startPerigeeNamesrv({ dir: join(dir, 'namesrv') });
  const options = { dir: join(dir, 'broker'), port: await freePort(), namesrv: namesrv.address, conf };
  let broker = await startPerigeeBroker(options);
  const admin = openAdmin();
  const driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
  await command(driver, ['topic', topic, '4']);
  await admin.run(['updateSubGroup', '-b', broker.address, '-g', group, '-n', namesrv.address]);

  const setMode = async (mode: string): Promise<string> => {
    const where = ['-b', broker.address, '-n', namesrv.address];
    const { stdout, stderr } = await admin.run(['setConsumeMode', ...where, '-t', topic, '-g', group, '-m', mode, '-q', '0']);
    assert.equal(stderr, '');
    return stdout;
  };
  assert.match(await setMode('POP'), /consume mode\[POP\]/);
  const properties = { 'rocketmq.client.rebalance.waitInterval': '1000' };
  const consumer = startDriver({ version: '5.5.0', namesrv: namesrv.address, properties }, ['watchPop', topic, group, String(invisibleMs)]);

  const got = (prefix: string): DriverLine[] => consumer.lines.filter((line) => line.body?.startsWith(prefix) ?? false);
  const produce = async (count: number, prefix: string): Promise<string[]> =>
    (await command(driver, ['produce', topic, String(count), prefix])).map((line) => line.body ?? '').sort();
  const bodies = (lines: readonly DriverLine[]): string[] => lines.map((line) => line.body ?? '').sort();

  await t.test('every message is popped and delivered once', async () => {
    const sent = await produce(40, 'plain');
    await until('all came', () => got('plain').length >= sent.length);
    assert.deepEqual(bodies(got('plain')), sent);
    assert.ok(got('plain').every((line) => line.popped === true && line.reconsumeTimes === 0));
  });

  await t.test('what a listener fails on, and what it takes too long for, comes once more', async () => {
    const sent = [...(await produce(4, 'fail')), ...(await produce(4, 'slow'))].sort();
    await until('all came twice', () => got('fail').length + got('slow').length >= 2 * sent.length);
    const again = [...got('fail'), ...got('slow')].filter((line) => line.reconsumeTimes === 1);
    assert.deepEqual(bodies(again), sent);
    assert.ok(again.every((line) => line.popped === true));
  });

  const positions = (): number => {
    const table = JSON.parse(readFileSync(join(options.dir, 'store', 'config', 'consumerOffset.json'), 'utf8')).offsetTable;
    return Object.values((table[`${topic}@${group}`] ?? {}) as Record<string, number>).reduce((sum, offset) => sum + offset, 0);
  };

  await t.test('what is out when the broker stops or is killed comes again at the next one, what was acknowledged does not', async () => {
    let total = 48;
    for (const how of ['stop', 'kill'] as const) {
      const sent = await produce(4, `slow-${how}`);
      total += sent.length;
      await until('all came', () => got(`slow-${how}`).length >= sent.length);
      await until('the positions are in the file', () => positions() === total);
      await broker[how]();
      broker = await startPerigeeBroker(options);
      await until('all came again', () => got(`slow-${how}`).filter((line) => line.reconsumeTimes === 1).length >= sent.length);
    }
    const after = await produce(8, 'after');
    await until('new ones come', () => got('after').length >= after.length);
    assert.deepEqual(bodies(got('after')), after);
    assert.equal(got('plain').length, 40);
    assert.equal(got('fail').length, 8);
  });

  await t.test('switched back, the same consumer pulls', async () => {
    assert.match(await setMode('PULL'), /consume mode\[PULL\]/);
    let round = 0;
    await until('a message is pulled', async () => {
      await produce(4, `pull-${round++}`);
      return got('pull-').some((line) => line.popped === false);
    });
    const sent = round * 4;
    await until('all came', () => new Set(bodies(got('pull-'))).size === sent);
  });

  consumer.endInput();
  const { code, stderr } = await consumer.done;
  assert.equal(code, 0, stderr.slice(-4_000));
  await Promise.all([driver.close(), admin.close()]);
  assert.equal(await broker.stop(), 0, broker.said());
  assert.equal(await namesrv.stop(), 0, namesrv.said());
});
