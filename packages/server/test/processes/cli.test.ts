/** The commands as a user types them: real processes, loopback only, a home directory of their own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BrokerClient } from '../../../../crash/harness/broker-client.ts';
import {
  Processes,
  type Script,
  type ServerProcess,
  type StartOptions,
  temporaryFolder,
} from '../../../../crash/harness/server-process.ts';

const folder = temporaryFolder();
const processes = new Processes();
let used: Server;
let usedPort = 0;

before(async () => {
  used = createServer();
  await new Promise<void>((resolve) => used.listen(0, '127.0.0.1', resolve));
  usedPort = (used.address() as { port: number }).port;
});

after(async () => {
  await processes.killAll();
  await new Promise((resolve) => used.close(resolve));
  folder.remove();
});

const BOOTED = /The broker\[[^,]*, (\S+)\] boot success/;
const READY = /Ctrl-C stops/;
const ANY_PORTS = ['--port', '0', '--namesrv-port', '0'];

/** A home directory that nobody else uses. */
let homes = 0;
function newHome(): string {
  const home = join(folder.path, `home${++homes}`);
  mkdirSync(home);
  return home;
}

function start(args: readonly string[], options: Partial<StartOptions> = {}): ServerProcess {
  return processes.start(args, { home: newHome(), ...options });
}

/** Runs a command to its end; answers its exit code and what it said. */
async function ended(
  args: readonly string[],
  options: Partial<StartOptions> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const server = start(args, options);
  const { code } = await server.exit();
  return { code, stdout: server.stdout, stderr: server.stderr };
}

function conf(home: string, settings: Readonly<Record<string, string | number>>): string {
  const path = join(home, 'broker.conf');
  const all = { listenPort: 0, bindAddress: '127.0.0.1', brokerIP1: '127.0.0.1', brokerIP2: '127.0.0.1', ...settings };
  writeFileSync(
    path,
    Object.entries(all)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  return path;
}

/** The command ends with exit code 1 and one line that matches; nothing of it is a stack trace. */
async function assertRefused(args: readonly string[], sentence: RegExp, options: Partial<StartOptions> = {}): Promise<void> {
  const { code, stdout, stderr } = await ended(args, options);
  assert.equal(code, 1, `${args.join(' ')}\n${stdout}\n${stderr}`);
  assert.match(stderr, sentence);
  assert.doesNotMatch(stderr, /^ +at /m, 'a stack trace is no sentence');
  assert.equal(stderr.split('\n').filter((line) => line.length > 0 && !/ (INFO|WARN) /.test(line)).length, 1, stderr);
}

describe('the command line', { concurrency: 2 }, () => {
  test('perigee up shows where it listens and what to try; Ctrl-C twice within a second is one clean stop', async () => {
    const home = newHome();
    const server = start(['up', ...ANY_PORTS], { home });
    await server.printed(READY);
    assert.match(server.stdout, /NameServer +127\.0\.0\.1:\d+\n +Broker +127\.0\.0\.1:\d+/);
    assert.match(server.stdout, /npx perigee send TopicA hello -n 127\.0\.0\.1:\d+\n/);
    assert.doesNotMatch(server.stdout, /password/);
    assert.ok(existsSync(join(home, 'perigee-data', 'store', 'abort')), 'a store in use is marked');
    server.signal('SIGINT');
    server.signal('SIGINT');
    assert.deepEqual(await server.exit(), { code: 0, signal: null }, server.output);
    assert.match(server.stdout, /Stopped; everything is on disk\.\n$/);
    assert.ok(!existsSync(join(home, 'perigee-data', 'store', 'abort')), 'the stop was clean');
  });

  test('opened beyond this machine, perigee up says that nobody is asked for a password', async () => {
    const server = start(['up', '--host', '0.0.0.0', ...ANY_PORTS]);
    await server.printed(/Open beyond this machine: nobody is asked for a password yet/);
    server.signal('SIGTERM');
    assert.equal((await server.exit()).code, 0);
  });

  test('a port in use ends the start with one sentence, whoever wanted it', async () => {
    const sentence = new RegExp(`the port 127\\.0\\.0\\.1:${usedPort} is in use by another process; stop it, or choose another port`);
    const home = newHome();
    await Promise.all([
      assertRefused(['up', '--namesrv-port', String(usedPort), '--port', '0'], sentence),
      assertRefused(['up', '--namesrv-port', '0', '--port', String(usedPort)], sentence),
      // listenPort - 2 is taken too.
      assertRefused(['up', '--namesrv-port', '0', '--port', String(usedPort + 2)], sentence),
      assertRefused(['broker', '-c', conf(home, { listenPort: usedPort, storePathRootDir: join(home, 'store') })], sentence),
    ]);
    await assertRefused(['--port', String(usedPort)], /^namesrv: the port 0\.0\.0\.0:\d+ is in use/, { script: 'mqnamesrv' });
  });

  test('a data folder that cannot be made, is a file, or holds something else ends the start with one sentence', async () => {
    const home = newHome();
    const file = join(home, 'file');
    writeFileSync(file, '');
    const foreign = join(home, 'foreign');
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'thesis.doc'), 'mine');
    await Promise.all([
      assertRefused(['up', '--data', file, ...ANY_PORTS], /\/file is not a folder; choose another one with --data/),
      assertRefused(['up', '--data', join(file, 'below'), ...ANY_PORTS], /is not a folder; choose another one/),
      assertRefused(
        ['up', '--data', foreign, ...ANY_PORTS],
        /\/foreign holds other files \(thesis\.doc\) and no Perigee data; choose another folder with --data/,
      ),
      assertRefused(
        ['broker', '-c', conf(home, { storePathRootDir: join(file, 'store') })],
        /^broker: .* is not a folder; choose another one \(--data, storePathRootDir\)/,
      ),
    ]);
    assert.ok(existsSync(join(foreign, 'thesis.doc')));
  });

  test('a data folder that this user may not write ends the start with one sentence', async (t) => {
    if (process.getuid?.() === 0) return t.skip('this user may write everywhere');
    const home = newHome();
    const locked = join(home, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o555);
    await assertRefused(
      ['up', '--data', locked, ...ANY_PORTS],
      /cannot be written by this user \(EACCES\); change its owner, or choose another folder/,
    );
  });

  test('a folder in use by another process of ours is refused until that process is killed', async () => {
    const home = newHome();
    const store = join(home, 'perigee-data', 'store');
    const first = start(['up', ...ANY_PORTS], { home });
    const [, address] = await first.printed(/Broker +(\S+:\d+)/);
    await first.printed(READY);
    const sentence = /store directory \S+ is in use by another Perigee; stop it, or choose another directory/;
    await Promise.all([
      assertRefused(['up', ...ANY_PORTS], sentence, { home }),
      assertRefused(['broker', '-c', conf(home, { storePathRootDir: store })], sentence),
    ]);
    const client = new BrokerClient(address as string);
    const [stored] = await client.send({ topic: 'TopicA', queueId: 0 }, [{ key: 'k', body: Buffer.from('still served') }]);
    assert.equal(stored?.queueOffset, 0);
    await client.stop();
    await first.kill();
    const second = start(['broker', '-c', conf(home, { storePathRootDir: store })]);
    await second.printed(BOOTED);
    second.signal('SIGTERM');
    assert.equal((await second.exit()).code, 0);
  });

  test('a folder that a Java broker works on is refused, with its process id', async (t) => {
    // Java takes a POSIX record lock, which Node cannot; whoever is there takes it in its place.
    const holders = [
      [
        'python3',
        ['-c', 'import fcntl,sys,time;f=open(sys.argv[1],"r+");fcntl.lockf(f,fcntl.LOCK_EX);print("held",flush=True);time.sleep(60)'],
      ],
      [
        'perl',
        ['-e', 'use Fcntl;open(F,"+<",$ARGV[0]);fcntl(F,F_SETLK,pack("s s l! l! i",F_WRLCK,0,0,0,0))||die;$|=1;print"held\\n";sleep 60'],
      ],
    ] as const;
    const holder = holders.find(([command]) => spawnSync(command, ['-h'], { stdio: 'ignore' }).error === undefined);
    if (process.platform !== 'linux' || holder === undefined) return t.skip('nobody here can hold a POSIX lock, or list it');
    const { spawn } = await import('node:child_process');
    const home = newHome();
    const store = join(home, 'store');
    mkdirSync(store);
    writeFileSync(join(store, 'lock'), 'lock');
    const child = spawn(holder[0], [...holder[1], join(store, 'lock')], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await assertRefused(
        ['broker', '-c', conf(home, { storePathRootDir: store })],
        new RegExp(`is in use by an Apache RocketMQ broker \\(process ${child.pid}\\); stop it`),
      );
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('mqshutdown stops the servers of its role, waits for them, and says so when there are none', async () => {
    const home = newHome();
    const broker = start(['-c', conf(home, { storePathRootDir: join(home, 'store') })], { home, script: 'mqbroker' });
    const namesrv = start(['--port', '0'], { home, script: 'mqnamesrv' });
    await broker.printed(BOOTED);
    await namesrv.printed(/The Name Server boot success/);
    const shutdown = (role: string): ReturnType<typeof ended> => ended([role], { home, script: 'mqshutdown' as Script });
    const first = await shutdown('broker');
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stdout, `The broker(${broker.pid}) is running...\nSend shutdown request to broker(${broker.pid}) OK\n`);
    assert.deepEqual(await broker.exit(), { code: 0, signal: null }, broker.output);
    assert.equal(namesrv.hasExited, false);
    // What a server that removes its file while the folder is looked through leaves: a name that leads nowhere.
    symlinkSync(join(home, 'gone'), join(home, '.perigee', 'run', `broker.${process.pid}`));
    const [again, other] = await Promise.all([shutdown('broker'), shutdown('namesrv')]);
    assert.equal(again.code, 1, again.stderr);
    assert.match(again.stderr, /no broker of this user is running/);
    assert.equal(other.code, 0, other.stderr);
    assert.deepEqual(await namesrv.exit(), { code: 0, signal: null }, namesrv.output);
  });

  test('-p and -m print the configuration and start nothing', async () => {
    const home = newHome();
    const path = conf(home, { brokerName: 'printed', storePathRootDir: join(home, 'store') });
    const [all, important, namesrv] = await Promise.all([
      ended(['broker', '-c', path, '-p']),
      ended(['-c', path, '-m'], { script: 'mqbroker' }),
      ended(['namesrv', '-p']),
    ]);
    for (const { code } of [all, important, namesrv]) assert.equal(code, 0);
    assert.match(all.stdout, /^brokerName=printed$/m);
    assert.match(all.stdout, /^mappedFileSizeCommitLog=1073741824$/m);
    assert.match(important.stdout, /^listenPort=0$/m);
    assert.ok(important.stdout.length < all.stdout.length / 2);
    assert.match(namesrv.stdout, /^listenPort=9876$/m);
    assert.equal(existsSync(join(home, 'store')), false);
  });

  test('an unknown option, command or key under --strict-config ends with exit code 1 and names what is nearest', async () => {
    const home = newHome();
    const path = conf(home, { flushDiskTyp: 'SYNC_FLUSH', storePathRootDir: join(home, 'store') });
    await Promise.all([
      assertRefused(['up', '--dat', 'x'], /unknown option '--dat'; the nearest option is --data <dir>/),
      assertRefused(['brokr'], /unknown command 'brokr'; the nearest command is broker/),
      assertRefused(['broker', '-c', path, '--strict-config'], /flushDiskTyp.*flushDiskType/),
      assertRefused(['broker', '-c', join(home, 'missing.conf')], /missing\.conf cannot be read \(ENOENT\)/),
    ]);
  });

  // A broker that recovered a large store waited on nothing but a timer that keeps no process alive, and ended with exit code 0.
  test('a command that has nothing left to wait for says so instead of ending without a word', () => {
    const home = newHome();
    mkdirSync(join(home, 'bin'));
    mkdirSync(join(home, 'src', 'bin'), { recursive: true });
    for (const file of ['launch.js', 'perigee.js', 'generations.js'])
      copyFileSync(new URL(`../../bin/${file}`, import.meta.url), join(home, 'bin', file));
    writeFileSync(join(home, 'package.json'), '{"type":"module"}');
    writeFileSync(join(home, 'src', 'bin', 'main.ts'), 'export const main = (): Promise<number> => new Promise(() => {});\n');
    const { status, stderr } = spawnSync(process.execPath, [join(home, 'bin', 'perigee.js'), 'broker'], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /^perigee: ended in the middle of its work, which is a defect/);
  });

  test('the conf of a slave, a DLedger or a controller broker ends the start with a sentence that names the feature', async () => {
    const home = [newHome(), newHome(), newHome()] as const;
    await Promise.all([
      assertRefused(['broker', '-c', conf(home[0], { brokerRole: 'SLAVE', brokerId: 1 })], /SLAVE|slave/),
      assertRefused(['broker', '-c', conf(home[1], { enableDLegerCommitLog: 'true' })], /DLedger|enableDLegerCommitLog/),
      assertRefused(['broker', '-c', conf(home[2], { enableControllerMode: 'true' })], /controller/),
    ]);
  });
});
