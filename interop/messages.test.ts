/**
 * What a message may be and how it is found again, with unmodified Java clients 4.9.8 and 5.5.0: SQL92 filters, traces, the
 * three compressions, WAIT=false, every character set, keys within a time range, one-way sends.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { messageCases } from './case-sets.ts';
import { clientVersions, runCases } from './java-process.ts';
import { startPerigeeBroker, startPerigeeNamesrv } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { reportCases, skip, testMsMax } from './suite.ts';

const { cases, conf } = messageCases;
/** What came after 4.9.8. */
const newerCases = ['compressed-lz4', 'compressed-zstd'];

test('filtered, traced, compressed and queried messages with Java clients', { skip, timeout: testMsMax }, async (t) => {
  const dir = temporaryFolder();
  const namesrv = await startPerigeeNamesrv({ dir: join(dir, 'namesrv') });
  const broker = await startPerigeeBroker({ dir: join(dir, 'broker'), namesrv: namesrv.address, conf });
  const runs = await Promise.all(clientVersions.map((version) => runCases({ version, namesrv: namesrv.address }, cases)));
  assert.equal(await broker.stop(), 0, broker.said());
  assert.equal(await namesrv.stop(), 0, namesrv.said());
  for (const [at, { lines, stderr, code }] of runs.entries()) {
    await reportCases(t, lines);
    assert.equal(lines.length, cases.length, stderr.slice(-4_000));
    assert.equal(code, 0, stderr.slice(-4_000));
    const skipped = lines.filter((line) => line.skipped).map((line) => line.case);
    assert.deepEqual(skipped, clientVersions[at] === '4.9.8' ? newerCases : []);
  }
});
