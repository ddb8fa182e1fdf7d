/**
 * Delayed messages with Java clients: levels with 4.9.8 and 5.5.0, times of their own and recalls with 5.5.0. Then a store with
 * pending levels and timers moves between Perigee and Apache 5.5.0, after clean stops and after kill -9: whoever has it delivers
 * what is due, every message once.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { delayCases } from './case-sets.ts';
import {
  type ApacheServer,
  type ClientVersion,
  type DriverResult,
  type DriverSession,
  freePort,
  openDriver,
  runCases,
  startBroker,
} from './java-process.ts';
import { type PerigeeServer, startPerigeeBroker, startPerigeeNamesrv, startPerigeeUp } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, reportCases, skip, testMsMax, until } from './suite.ts';

const { cases } = delayCases;
/** What came after 4.9.8. */
const timerCases = ['delay-timer', 'delay-refused', 'delay-recall'];

async function runAll(version: ClientVersion): Promise<DriverResult> {
  const server = await startPerigeeUp(join(temporaryFolder(), 'up'));
  const result = await runCases({ version, namesrv: server.address }, cases);
  assert.equal(await server.stop(), 0, server.said());
  return result;
}

test('delayed messages with Java clients', { skip, timeout: testMsMax }, async (t) => {
  const runs = { '4.9.8': runAll('4.9.8'), '5.5.0': runAll('5.5.0') } as const;
  await Promise.all(Object.values(runs));
  for (const version of ['4.9.8', '5.5.0'] as const) {
    const { lines, stderr } = await runs[version];
    await reportCases(t, lines);
    assert.equal(lines.length, cases.length, stderr);
    const skipped = lines.filter((line) => line.skipped).map((line) => line.case);
    assert.deepEqual(skipped, version === '4.9.8' ? timerCases : []);
  }
});

const topic = 'Moved';
/** Small files: the timer log rolls over, and both must agree on the sizes. The level that the move waits out is a short one. */
const conf = {
  mappedFileSizeCommitLog: 128 * 1024,
  mappedFileSizeConsumeQueue: 50 * 20,
  maxIndexNum: 20_000,
  maxHashSlotNum: 5_000,
  mappedFileSizeTimerLog: 5200,
  messageDelayLevel: '1s 5s 8s 1h',
  timerRollWindowSlot: 10,
  recallMessageEnable: true,
};
/** Long enough for a stop of Perigee and a start of Apache. */
const aheadMs = 7_000;
const timers = 120;

suite('a store with pending timers moves between Perigee and Apache', { skip, timeout: testMsMax }, () => {
  const dir = temporaryFolder();
  const storeDir = join(dir, 'store');
  let namesrv: PerigeeServer;
  let driver: DriverSession;
  let port: number;
  let broker: PerigeeServer | ApacheServer;
  /** Body → when it is due. */
  const due = new Map<string, number>();

  const startOurs = async (): Promise<void> => {
    broker = await startPerigeeBroker({ dir: join(dir, 'ours'), port, namesrv: namesrv.address, storeDir, conf });
  };
  const startApache = async (): Promise<void> => {
    broker = await startBroker({ version: '5.5.0', dir: join(dir, 'apache'), port, namesrv: namesrv.address, storeDir, conf });
  };

  /** Timers for now + aheadMs and the seconds after, one beyond the roll window, and a level. */
  const send = async (name: string): Promise<void> => {
    const first = Date.now() + aheadMs;
    const sends: Promise<unknown>[] = [];
    const sendOne = (body: string, dueMs: number, property: string): void => {
      due.set(body, dueMs);
      sends.push(command(driver, ['sendWith', topic, body, property]));
    };
    for (let n = 0; n < timers; n++) sendOne(`${name}-${n}`, first + (n % 4) * 1_000, `TIMER_DELIVER_MS=${first + (n % 4) * 1_000}`);
    sendOne(`${name}-rolled`, first + 5_000, `TIMER_DELIVER_MS=${first + 5_000}`);
    sendOne(`${name}-level`, Date.now() + 8_000, 'DELAY=3');
    await Promise.all(sends);
  };

  /** Every message of the topic, once each, none early. `mayRepeat`: after kill -9 the last second may come again. */
  const expectAll = async (mayRepeat = false): Promise<void> => {
    let lines = await command(driver, ['readAll', topic]);
    const bodies = (): string[] => lines.map((line) => Buffer.from(line.body ?? '', 'base64').toString());
    await until(`all ${due.size} messages`, async () => {
      lines = await command(driver, ['readAll', topic]);
      return new Set(bodies()).size === due.size;
    });
    for (const line of lines) {
      const body = Buffer.from(line.body ?? '', 'base64').toString();
      assert.ok((line.storeTimestamp ?? 0) >= (due.get(body) ?? 0), `${body} came early`);
    }
    if (!mayRepeat) assert.equal(lines.length, due.size);
  };

  before(async () => {
    [namesrv, port] = [await startPerigeeNamesrv({ dir: join(dir, 'namesrv') }), await freePort()];
    await startOurs();
    driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
    await command(driver, ['topic', topic, '4']);
  });

  after(async () => {
    await driver.close();
    await broker.kill();
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });

  test('Apache 5.5.0 delivers what was pending at a clean stop of Perigee', async () => {
    await send('first');
    assert.equal(await (broker as PerigeeServer).stop(), 0, (broker as PerigeeServer).said());
    await startApache();
    await expectAll();
  });

  test('Perigee delivers what was pending at a clean stop of Apache 5.5.0', async () => {
    await send('second');
    await broker.stop();
    await startOurs();
    await expectAll();
  });

  test('Apache 5.5.0 delivers what was pending when Perigee was killed', async () => {
    await send('third');
    await broker.kill();
    await startApache();
    await expectAll(true);
  });

  test('Perigee delivers what was pending when Apache 5.5.0 was killed', async () => {
    await send('fourth');
    await broker.kill();
    await startOurs();
    await expectAll(true);
  });
});
