/**
 * `npm run check`: the scripts `check:*` of package.json side by side, then the tests. Everything runs, even after a
 * failure; the exit code says whether all went well. `--static` leaves the tests out.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSuite } from './suite.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Outcome {
  name: string;
  exitCode: number;
  output: string;
  seconds: number;
}

function runStep(name: string, command: string): Promise<Outcome> {
  const startedMs = performance.now();
  const path = `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`;
  const child = spawn(command, { cwd: root, shell: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: path } });
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ name, exitCode: code ?? 1, output, seconds: (performance.now() - startedMs) / 1000 }));
  });
}

async function runStaticChecks(): Promise<boolean> {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  const steps = Object.entries(scripts).filter(([name]) => name.startsWith('check:'));
  const outcomes = await Promise.all(steps.map(([name, command]) => runStep(name, command)));
  for (const { name, exitCode, output, seconds } of outcomes) {
    console.log(`${exitCode === 0 ? '✔' : '✖'} ${name} (${seconds.toFixed(1)} s)`);
    if (exitCode !== 0) console.log(output);
  }
  return outcomes.every(({ exitCode }) => exitCode === 0);
}

const clean = await runStaticChecks();
const testExitCode = process.argv.includes('--static') ? 0 : await runSuite('test');
if (!clean) console.error('check: failed, see ✖ above');
process.exitCode = clean ? testExitCode : 1;
