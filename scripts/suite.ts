/**
 * `node scripts/suite.ts NAME [files or options of node --test]` runs one suite of tests.
 *
 * The counts go to the file named by TALLY_FILE. Without that variable the suite stands for itself: it prints the last line
 * `N passed, N failed[, N skipped]`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeTally, isGreen, readTally } from './tally.ts';

interface Suite {
  files: readonly string[];
  /** Files that run side by side. Suites that start whole processes and measure time run alone. */
  concurrency: number;
  /** A test that takes longer than this hangs. */
  testTimeoutMs: number;
  /** Commands without which the suite is skipped. */
  needs: readonly string[];
}

const minuteMs = 60_000;

const suites: Record<string, Suite> = {
  test: { files: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'], concurrency: 2, testTimeoutMs: 2 * minuteMs, needs: [] },
  crash: { files: ['crash/**/*.test.ts'], concurrency: 1, testTimeoutMs: 5 * minuteMs, needs: [] },
  interop: { files: ['interop/**/*.test.ts'], concurrency: 1, testTimeoutMs: 10 * minuteMs, needs: ['java', 'mvn'] },
};

const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a suite and resolves to the exit code. */
export async function runSuite(name: string, extra: readonly string[] = []): Promise<number> {
  const suite = suites[name];
  if (suite === undefined) throw new Error(`unknown suite ${name}; there are ${Object.keys(suites).join(', ')}`);
  if (process.env.TALLY_FILE !== undefined) return await runInto(process.env.TALLY_FILE, name, suite, extra);

  const folder = mkdtempSync(join(tmpdir(), 'perigee-tally-'));
  try {
    const tally = join(folder, 'tally');
    writeFileSync(tally, '');
    const exitCode = await runInto(tally, name, suite, extra);
    const counts = readTally(tally);
    console.log(describeTally(counts));
    return exitCode === 0 && !isGreen(counts) && counts.skipped === 0 ? 1 : exitCode;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runInto(tally: string, name: string, suite: Suite, extra: readonly string[]): Promise<number> {
  const missing = suite.needs.filter((command) => !isInstalled(command));
  if (missing.length > 0) {
    console.log(`${name}: skipped (not installed: ${missing.join(', ')})`);
    appendFileSync(tally, `${JSON.stringify({ passed: 0, failed: 0, skipped: 1 })}\n`);
    return 0;
  }
  const options = extra.filter((argument) => argument.startsWith('-'));
  const named = extra.filter((argument) => !argument.startsWith('-'));
  const files = globSync(named.length > 0 ? named : suite.files, { cwd: root, exclude: ['**/node_modules', '**/fixtures/**'] }).sort();
  if (files.length === 0) {
    console.log(`${name}: there is no test file`);
    return 1;
  }
  const argv = [
    '--test',
    `--test-concurrency=${suite.concurrency}`,
    `--test-timeout=${suite.testTimeoutMs}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${new URL('tally-reporter.ts', import.meta.url)}`,
    '--test-reporter-destination=stdout',
    ...options,
    ...files,
  ];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...env, TALLY_FILE: tally } });
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function isInstalled(command: string): boolean {
  return spawnSync(command, ['-version'], { stdio: 'ignore' }).error === undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, ...extra] = process.argv.slice(2);
  if (name === undefined) throw new Error('usage: node scripts/suite.ts NAME');
  process.exitCode = await runSuite(name, extra);
}
