/**
 * An Apache 5.5.0 slave of a Perigee master: it replicates the log, and SYNC_MASTER waits for it. (It fetches topics, groups and
 * offsets too, but not before it is 60 s old: too long for this suite.)
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type AdminSession, type ApacheServer, type DriverSession, freePort, openAdmin, openDriver, startBroker } from './java-process.ts';
import { type PerigeeServer, startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, skip, testMsMax, until } from './suite.ts';

const topic = 'Replicated';
const count = 40;
const mappedFileSizeCommitLog = 1024 * 1024;

suite('an Apache slave follows a Perigee master', { skip, timeout: testMsMax }, () => {
  let namesrv: PerigeeServer;
  let master: PerigeeServer;
  let slave: ApacheServer;
  let admin: AdminSession;
  let driver: DriverSession;

  before(async () => {
    const dir = temporaryFolder();
    namesrv = await startPerigeeNamesrv({ dir: join(dir, 'namesrv') });
    const masterConf = { brokerRole: 'SYNC_MASTER', inSyncReplicas: 2, mappedFileSizeCommitLog };
    const slaveConf = { brokerId: 1, brokerRole: 'SLAVE', mappedFileSizeCommitLog };
    master = await startPerigeeBroker({ dir: join(dir, 'master'), namesrv: namesrv.address, conf: masterConf });
    driver = openDriver({ version: '5.5.0', namesrv: namesrv.address });
    admin = openAdmin();
    const slaveOptions = { dir: join(dir, 'slave'), port: await freePort(), namesrv: namesrv.address, conf: slaveConf };
    [slave] = await Promise.all([startBroker({ version: '5.5.0', ...slaveOptions }), command(driver, ['topic', topic, '4'])]);
  });

  after(async () => {
    await Promise.all([admin.close(), driver.close(), slave.kill(), master.kill()]);
    assert.equal(await namesrv.stop(), 0, namesrv.said());
  });

  const haStatus = async (): Promise<string> => (await admin.run(['haStatus', '-b', master.address, '-n', namesrv.address])).stdout;

  test('haStatus shows the slave in sync', async () => {
    await until('one slave in sync', async () => /^#InSyncSlaveNum\t1$/m.test(await haStatus()));
    assert.match(await haStatus(), /^#SlaveNum\t1$/m);
    const { stdout } = await admin.run(['clusterList', '-n', namesrv.address]);
    assert.deepEqual(
      stdout
        .split('\n')
        .map((line) => line.split(/\s+/))
        .filter(([cluster]) => cluster === 'DefaultCluster')
        .map((row) => [row[2], row[3], row.at(-1)]),
      [
        ['0', master.address, 'true'],
        ['1', slave.address, 'false'],
      ],
    );
  });

  test('SEND_OK of a SYNC_MASTER means that the slave has the message', async () => {
    await command(driver, ['produce', topic, String(count), 'replicated']);
    const [ours, theirs] = [master, slave].map(({ dir }) => readFileSync(join(dir, 'store', 'commitlog', '00000000000000000000')));
    assert.ok(ours !== undefined && theirs !== undefined);
    assert.ok(ours.includes(`replicated-${count - 1}`));
    assert.ok(theirs.includes(`replicated-${count - 1}`));
  });
});
