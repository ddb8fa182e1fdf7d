/** `perigee broker --shards N` as real processes: they serve apart, and start, stop and end together. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { BrokerClient } from '../../../../crash/harness/broker-client.ts';
import { Processes, type ServerProcess, temporaryFolder } from '../../../../crash/harness/server-process.ts';

const CODE_UPDATE_BROKER_CONFIG = 25;
const CODE_GET_BROKER_CONFIG = 26;
const BOOTED = /The shards\[b-0 to b-1\] boot success/;

const folder = temporaryFolder();
const processes = new Processes();

after(async () => {
  await processes.killAll();
  folder.remove();
});

/** A home directory with the configuration of brokers on ports that the system chooses. */
let homes = 0;
function newHome(settings: Readonly<Record<string, string | number>> = {}): string {
  const home = join(folder.path, `home${++homes}`);
  mkdirSync(home);
  const all = {
    listenPort: 0,
    bindAddress: '127.0.0.1',
    brokerIP1: '127.0.0.1',
    brokerName: 'b',
    storePathRootDir: join(home, 'store'),
    // Its files are read whole here.
    mappedFileSizeCommitLog: 65_536,
    ...settings,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(join(home, 'broker.conf'), lines.join(''));
  return home;
}

function start(home: string, ...args: readonly string[]): ServerProcess {
  return processes.start(['broker', '-c', join(home, 'broker.conf'), ...args], { home });
}

async function startTwo(home: string): Promise<{ group: ServerProcess; clients: BrokerClient[] }> {
  const group = start(home, '--shards', '2');
  await group.printed(BOOTED);
  const clients = [0, 1].map((index) => {
    const [, address] = new RegExp(`The broker\\[b-${index}, (\\S+)\\] boot success`).exec(group.stdout) ?? [];
    return new BrokerClient(address!);
  });
  return { group, clients };
}

async function stopAll(clients: readonly BrokerClient[]): Promise<void> {
  await Promise.all(clients.map((client) => client.stop()));
}

const isStored = (home: string, index: number, text: string): boolean => {
  const dir = join(home, 'store', `shard-${index}`, 'commitlog');
  return readdirSync(dir).some((name) => readFileSync(join(dir, name)).includes(text));
};
const stores = (home: string): string[] => [0, 1].map((index) => join(home, 'store', `shard-${index}`));

/** The pids of the shards, from the kernel. */
function shardPids(group: ServerProcess): number[] {
  const children = readFileSync(`/proc/${group.pid}/task/${group.pid}/children`, 'latin1').match(/\d+/g) ?? [];
  const shardOf = (pid: string): string => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').at(-2) ?? '';
  return children.sort((a, b) => Number(shardOf(a)) - Number(shardOf(b))).map(Number);
}

async function refused(home: string, args: readonly string[], sentence: RegExp): Promise<void> {
  const server = start(home, ...args);
  assert.equal((await server.exit()).code, 1, server.output);
  assert.match(server.stderr, sentence);
  assert.doesNotMatch(server.stderr, /^ +at /m);
}

/** Resolves when no process holds a store any more: each shard removes its abort file at the end of a clean stop. */
async function stoppedCleanly(home: string): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (stores(home).some((store) => existsSync(join(store, 'abort')))) {
    assert.ok(performance.now() < endMs, 'the shards have not stopped');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('shards', { concurrency: 2 }, () => {
  test('each serves with a store of its own; one signal stops all of them, and what they stored is there after the next start', async () => {
    const home = newHome();
    const first = await startTwo(home);
    for (const [index, client] of first.clients.entries()) {
      const [stored] = await client.send({ topic: 'TopicA', queueId: 0 }, [{ key: 'k', body: Buffer.from(`body of ${index}`) }]);
      assert.equal(stored?.queueOffset, 0);
    }
    await stopAll(first.clients);
    first.group.signal('SIGTERM');
    assert.deepEqual(await first.group.exit(), { code: 0, signal: null }, first.group.output);
    for (const index of [0, 1]) {
      assert.ok(isStored(home, index, `body of ${index}`));
      assert.ok(!isStored(home, index, `body of ${1 - index}`), 'nothing is shared');
      assert.ok(!existsSync(join(stores(home)[index]!, 'abort')), 'the stop was clean');
    }
    const again = await startTwo(home);
    for (const client of again.clients) {
      const [stored] = await client.send({ topic: 'TopicA', queueId: 0 }, [{ key: 'k', body: Buffer.from('second') }]);
      assert.equal(stored?.queueOffset, 1);
    }
    await stopAll(again.clients);
    again.group.signal('SIGINT');
    assert.equal((await again.group.exit()).code, 0);
  });

  test('lines of the log say which shard wrote them', async () => {
    const { group, clients } = await startTwo(newHome());
    await stopAll(clients);
    for (const index of [0, 1]) assert.match(group.stderr, new RegExp(`^shard-${index} \\S+Z INFO  the store is recovered`, 'm'));
    group.signal('SIGTERM');
    assert.equal((await group.exit()).code, 0);
  });

  test('mqshutdown stops the whole group', async () => {
    const home = newHome();
    const { group, clients } = await startTwo(home);
    await stopAll(clients);
    const shutdown = processes.start(['broker'], { home, script: 'mqshutdown' });
    assert.equal((await shutdown.exit()).code, 0, shutdown.output);
    assert.equal(shutdown.stdout, `The broker(${group.pid}) is running...\nSend shutdown request to broker(${group.pid}) OK\n`);
    assert.deepEqual(await group.exit(), { code: 0, signal: null }, group.output);
    await stoppedCleanly(home);
  });

  test('when one is killed, the others stop cleanly, and a sentence says which it was', async (t) => {
    if (process.platform !== 'linux') return t.skip('the kernel tells no children');
    const home = newHome();
    const { group, clients } = await startTwo(home);
    await stopAll(clients);
    const [, second] = shardPids(group);
    process.kill(second!, 'SIGKILL');
    assert.deepEqual(await group.exit(), { code: 1, signal: null }, group.output);
    assert.match(group.stderr, new RegExp(`^broker: shard-1 \\(process ${second}\\) was ended by SIGKILL; the others stop too\\.$`, 'm'));
    assert.deepEqual(
      stores(home).map((store) => existsSync(join(store, 'abort'))),
      [false, true],
    );
  });

  test('when the process above them is killed, they stop cleanly', async () => {
    const home = newHome();
    const { group, clients } = await startTwo(home);
    await stopAll(clients);
    await group.kill();
    await stoppedCleanly(home);
  });

  test('one that cannot start ends the group with its sentence and exit code', async () => {
    const home = newHome();
    mkdirSync(join(home, 'store'));
    writeFileSync(join(home, 'store', 'shard-1'), 'a file');
    await refused(
      home,
      ['--shards', '2'],
      /^broker shard-1: .*is not a folder.*\n.*broker: shard-1 \(process \d+\) has ended with exit code 1/ms,
    );
  });

  test('what mqadmin changes in one shard stays there, and is there after a restart', async () => {
    const home = newHome();
    const first = await startTwo(home);
    await first.clients[1]!.ask(CODE_UPDATE_BROKER_CONFIG, {}, Buffer.from('maxMessageSize=1234567\n'));
    await stopAll(first.clients);
    first.group.signal('SIGTERM');
    await first.group.exit();
    assert.doesNotMatch(readFileSync(join(home, 'broker.conf'), 'utf8'), /maxMessageSize/);
    const again = await startTwo(home);
    const sizes = await Promise.all(
      again.clients.map(async (client) => /^maxMessageSize=(\d+)$/m.exec(String((await client.ask(CODE_GET_BROKER_CONFIG)).body))?.[1]),
    );
    assert.deepEqual(sizes, ['4194304', '1234567']);
    await stopAll(again.clients);
    again.group.signal('SIGTERM');
    assert.equal((await again.group.exit()).code, 0);
  });

  test('a start that would leave messages unserved is refused, and says how to start', async () => {
    const home = newHome();
    const { group, clients } = await startTwo(home);
    await stopAll(clients);
    group.signal('SIGTERM');
    await group.exit();
    await Promise.all([
      refused(
        home,
        [],
        /holds shard-0, shard-1, whose messages a broker without --shards would not serve; start it as perigee broker --shards 2/,
      ),
      refused(home, ['--shards', '1'], /holds shard-1, whose messages --shards 1 would not serve; start it as perigee broker --shards 2/),
    ]);
    const alone = newHome();
    mkdirSync(join(alone, 'store', 'commitlog'), { recursive: true });
    writeFileSync(join(alone, 'store', 'commitlog', '00000000000000000000'), '');
    await refused(
      alone,
      ['--shards', '2'],
      /commitlog is the CommitLog of one broker, whose messages no shard would serve; start it without --shards/,
    );
  });

  test('a single shard is not for hands', async () => {
    await refused(
      newHome(),
      ['--shards', '2', '--shard', '0'],
      /^broker: --shard is what --shards starts its processes with; leave it out\.$/m,
    );
  });

  test('perigee up refuses a folder with shards', async () => {
    const home = newHome();
    mkdirSync(join(home, 'perigee-data', 'store', 'shard-0'), { recursive: true });
    const up = processes.start(['up', '--port', '0', '--namesrv-port', '0'], { home });
    assert.equal((await up.exit()).code, 1, up.output);
    assert.match(up.stderr, /^perigee up: \S+\/store holds shard-0, whose messages a broker without --shards would not serve/);
  });

  test('-m prints each shard and starts none', async () => {
    const home = newHome({ listenPort: 20_000 });
    const printed = start(home, '--shards', '2', '-m');
    assert.equal((await printed.exit()).code, 0, printed.output);
    assert.match(printed.stdout, /^# shard-0\n(.*\n)*listenPort=20000\n(.*\n)*# shard-1\n(.*\n)*listenPort=20010\n/);
    assert.equal(existsSync(join(home, 'store')), false);
  });
});
