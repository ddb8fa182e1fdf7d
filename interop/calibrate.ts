/**
 * Runs the interop cases against a real Apache name server and broker: what fails here is the case's fault or Apache's, not
 * Perigee's. One line a case; exits with 1 when one failed.
 *
 *   node interop/calibrate.ts [--server 5.5.0] [--client 4.9.8 --client 5.5.0] [--set messages|kinds|delay|new] [--cases all | a,b,c] [--keep]
 *
 * A set brings its broker.conf, its JVM properties and, unless --cases names some, its cases.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type CaseSet, delayCases, kindCases, messageCases, newCases } from './case-sets.ts';
import { build, clientVersions, freePort, runCases, serverVersions, startBroker, startNamesrv, unavailableReason } from './java-process.ts';

const { values } = parseArgs({
  options: {
    server: { type: 'string', default: '5.5.0' },
    client: { type: 'string', multiple: true, default: [...clientVersions] },
    set: { type: 'string' },
    cases: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

const plain: CaseSet = { cases: [], conf: {}, properties: {} };
const { cases, conf, properties } =
  { messages: messageCases, kinds: kindCases, delay: delayCases, new: newCases }[values.set ?? 'plain'] ?? plain;
const chosen = values.cases?.split(',') ?? cases;

const seconds = (since: number): string => `${((performance.now() - since) / 1_000).toFixed(1)} s`;

async function calibrate(): Promise<number> {
  const version = serverVersions.find((known) => known === values.server) ?? '5.5.0';
  const dir = mkdtempSync(join(tmpdir(), 'perigee-calibrate-'));
  const started = performance.now();
  const namesrv = await startNamesrv({ version, dir: join(dir, 'namesrv'), port: await freePort() });
  const broker = await startBroker({ version, dir: join(dir, 'broker'), port: await freePort(), namesrv: namesrv.address, conf });
  console.log(`Apache ${version} listens after ${seconds(started)}`);
  let failed = 0;
  try {
    for (const client of clientVersions.filter((known) => values.client.includes(known))) {
      const from = performance.now();
      const options = { version: client, namesrv: namesrv.address, properties };
      const result = await runCases(options, chosen.length === 0 ? 'all' : chosen);
      for (const line of result.lines) {
        failed += line.ok === true ? 0 : 1;
        console.log(JSON.stringify(line));
      }
      failed += result.code === 0 || result.code === 1 ? 0 : 1;
      console.log(`client ${client}: ${result.lines.length} cases in ${seconds(from)}, exit ${result.code}`);
      if (result.code !== 0) {
        console.log(result.stderr.slice(-4_000));
      }
    }
  } finally {
    const from = performance.now();
    await Promise.all([broker.stop(), namesrv.stop()]);
    console.log(`stopped in ${seconds(from)}`);
    if (values.keep) {
      console.log(dir);
    } else {
      rmSync(dir, { recursive: true, force: true });
    }
  }
  return failed;
}

const reason = unavailableReason();
if (reason === undefined) {
  await build();
  process.exitCode = (await calibrate()) === 0 ? 0 : 1;
} else {
  console.log(`skipped: ${reason}`);
}
