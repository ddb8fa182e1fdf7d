import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describeTally, isGreen, readTally } from '../../scripts/tally.ts';

const suiteScript = fileURLToPath(new URL('../../scripts/suite.ts', import.meta.url));
const tallyScript = fileURLToPath(new URL('../../scripts/tally.ts', import.meta.url));

interface Ended {
  exitCode: number;
  stdout: string;
}

function runNode(argv: string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { env }, (error, stdout) => resolve({ exitCode: Number(error?.code ?? 0), stdout }));
  });
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'perigee-suite-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment without what our own run put there. */
function outerEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { TALLY_FILE: _, ...env } = process.env;
  return { ...env, ...extra };
}

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1);

test('a suite by itself ends with the counts of its tests and the exit code that fits them', async (t) => {
  const folder = await temporaryFolder(t);
  const green = join(folder, 'green.test.ts');
  const red = join(folder, 'red.test.ts');
  await writeFile(green, `import test from 'node:test'; test('a', () => {}); test('b', () => {}); test.skip('c', () => {});`);
  await writeFile(red, `import test from 'node:test'; test('a', () => { throw new Error('on purpose'); });`);

  const good = await runNode([suiteScript, 'test', green], outerEnvironment());
  assert.equal(lastLine(good.stdout), '2 passed, 0 failed, 1 skipped');
  assert.equal(good.exitCode, 0);

  const bad = await runNode([suiteScript, 'test', green, red], outerEnvironment());
  assert.equal(lastLine(bad.stdout), '2 passed, 1 failed, 1 skipped');
  assert.equal(bad.exitCode, 1);
});

test('a suite without test files fails', async (t) => {
  const folder = await temporaryFolder(t);
  const ended = await runNode([suiteScript, 'test', join(folder, '*.test.ts')], outerEnvironment());
  assert.equal(ended.exitCode, 1);
  assert.equal(lastLine(ended.stdout), '0 passed, 0 failed');
});

test('a test file that dies while it loads counts as failed', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'dies.test.ts');
  await writeFile(file, `throw new Error('on purpose');`);
  const ended = await runNode([suiteScript, 'test', file], outerEnvironment());
  assert.equal(lastLine(ended.stdout), '0 passed, 1 failed');
  assert.equal(ended.exitCode, 1);
});

test('several suites add up in one tally file', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'one.test.ts');
  const tally = join(folder, 'tally');
  await writeFile(file, `import test from 'node:test'; test('a', () => {});`);
  const env = outerEnvironment({ TALLY_FILE: tally });
  await runNode([suiteScript, 'test', file], env);
  await runNode([suiteScript, 'crash', file], env);
  assert.equal((await readFile(tally, 'utf8')).trimEnd().split('\n').length, 2);
  const ended = await runNode([tallyScript], env);
  assert.deepEqual(ended, { exitCode: 0, stdout: '2 passed, 0 failed\n' });
});

test('a suite whose tools are not installed says so in one plain line and counts as skipped', async (t) => {
  const folder = await temporaryFolder(t);
  const tally = join(folder, 'tally');
  const ended = await runNode([suiteScript, 'interop'], outerEnvironment({ PATH: folder, TALLY_FILE: tally }));
  assert.deepEqual(ended, { exitCode: 0, stdout: 'interop: skipped (not installed: java, mvn)\n' });
  assert.deepEqual(readTally(tally), { passed: 0, failed: 0, skipped: 1 });
});

test('a tally is green only when something passed and nothing failed', () => {
  assert.ok(isGreen({ passed: 1, failed: 0, skipped: 3 }));
  assert.ok(!isGreen({ passed: 5, failed: 1, skipped: 0 }));
  assert.ok(!isGreen({ passed: 0, failed: 0, skipped: 3 }));
  assert.equal(describeTally({ passed: 3, failed: 0, skipped: 0 }), '3 passed, 0 failed');
});
