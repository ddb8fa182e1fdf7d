import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const realBin = fileURLToPath(new URL('../../packages/server/bin', import.meta.url));
const posixOnly = { skip: process.platform === 'win32' ? 'POSIX signals and symbolic links' : false };

/** Makes a Node.js believe that it is an old one; not inherited by what it starts. */
const pretendOld = ['--import', `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'20.1.0'}})`];

/** Tells what it was given; `wait` stays until SIGTERM and then ends with 7; `die` ends itself by a signal. */
const entry = `
export async function main(argv: string[], invokedAs: string): Promise<number | void> {
  if (argv[0] === 'wait') {
    const timer = setInterval(() => {}, 1000);
    process.once('SIGTERM', () => { clearInterval(timer); process.exitCode = 7; });
    console.log('waiting');
    return;
  }
  if (argv[0] === 'die') process.kill(process.pid, 'SIGKILL');
  let input = '';
  for await (const chunk of process.stdin) input += chunk;
  console.log(JSON.stringify({ argv, invokedAs, input, entry: import.meta.filename.split('/').slice(-3).join('/') }));
  return 3;
}
`;
const builtEntry = entry.replace('(argv: string[], invokedAs: string): Promise<number | void>', '(argv, invokedAs)');

interface Parts {
  source?: boolean;
  built?: boolean;
  pinned?: boolean;
}

/** An installation with the real launchers and the given parts; returns its root. */
async function install(t: TestContext, { source = false, built = false, pinned = false }: Parts): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'perigee-launcher-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const server = join(root, 'packages/server');
  await cp(realBin, join(server, 'bin'), { recursive: true });
  const files: Record<string, string> = { 'package.json': '{ "type": "module" }' };
  if (source) files['src/bin/main.ts'] = entry;
  if (built) files['dist/bin/main.js'] = builtEntry;
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(server, file)), { recursive: true });
    await writeFile(join(server, file), text);
  }
  await mkdir(join(root, 'node_modules/.bin'), { recursive: true });
  await symlink('../../packages/server/bin/mqbroker.js', join(root, 'node_modules/.bin/mqbroker'));
  if (pinned) {
    const folder = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');
    await mkdir(folder, { recursive: true });
    await symlink(process.execPath, join(folder, 'node'));
  }
  return root;
}

function start(argv: string[]): ChildProcess {
  const { PERIGEE_HANDED_OVER: _, NODE_OPTIONS: __, ...env } = process.env;
  return spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'pipe'], env });
}

async function run(argv: string[], input = '') {
  const child = start(argv);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdin?.end(input);
  const [exitCode, signal] = await once(child, 'close');
  return { exitCode, signal, stdout, stderr };
}

test('a new enough Node.js runs the source entry with the name of the command', posixOnly, async (t) => {
  const root = await install(t, { source: true, built: true });
  const ended = await run([join(root, 'node_modules/.bin/mqbroker'), '-c', 'a.conf'], 'typed');
  assert.deepEqual(JSON.parse(ended.stdout), { argv: ['-c', 'a.conf'], invokedAs: 'mqbroker', input: 'typed', entry: 'src/bin/main.ts' });
  assert.equal(ended.exitCode, 3);
});

test('without sources the built entry is run', posixOnly, async (t) => {
  const root = await install(t, { built: true });
  const ended = await run([join(root, 'packages/server/bin/perigee.js'), 'up']);
  assert.deepEqual(JSON.parse(ended.stdout), { argv: ['up'], invokedAs: 'perigee', input: '', entry: 'dist/bin/main.js' });
  assert.equal(ended.exitCode, 3);
});

test('with neither, one sentence and exit code 1', posixOnly, async (t) => {
  const root = await install(t, {});
  const ended = await run([join(root, 'packages/server/bin/perigee.js'), 'up']);
  assert.match(ended.stderr, /^perigee: this installation is incomplete, .*\n$/);
  assert.equal(ended.exitCode, 1);
});

test('an old Node.js hands arguments, input, output and exit code over to the pinned one', posixOnly, async (t) => {
  const root = await install(t, { source: true, pinned: true });
  const ended = await run([...pretendOld, join(root, 'node_modules/.bin/mqbroker'), '-m'], 'typed');
  assert.deepEqual(JSON.parse(ended.stdout), { argv: ['-m'], invokedAs: 'mqbroker', input: 'typed', entry: 'src/bin/main.ts' });
  assert.equal(ended.exitCode, 3);
});

test('a signal to the old Node.js reaches the server, whose exit code counts', posixOnly, async (t) => {
  const root = await install(t, { source: true, pinned: true });
  const child = start([...pretendOld, join(root, 'packages/server/bin/perigee.js'), 'wait']);
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [7, null]);
});

test('a server that a signal ended ends the old Node.js by the same signal', posixOnly, async (t) => {
  const root = await install(t, { source: true, pinned: true });
  const ended = await run([...pretendOld, join(root, 'packages/server/bin/perigee.js'), 'die']);
  assert.deepEqual([ended.exitCode, ended.signal], [null, 'SIGKILL']);
});

test('an old Node.js without a pinned one: one sentence and exit code 1', posixOnly, async (t) => {
  const root = await install(t, { source: true });
  const ended = await run([...pretendOld, join(root, 'packages/server/bin/mqshutdown.js'), 'broker']);
  assert.match(ended.stderr, /^mqshutdown needs Node\.js 22\.18 or newer; this is v[\d.]+\.\n$/);
  assert.equal(ended.exitCode, 1);
});
