/** The servers under load: Perigee in one process and in shards, Apache's broker, the C floor. Each on 127.0.0.1, with its data in a folder of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, startBroker } from '../interop/java-process.ts';
import { accepts } from '../interop/processes.ts';
import type { Server } from './load-spec.ts';
import { processTree } from './process-figures.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 60_000;
const POLL_MS = 2;
/** From the ports of one shard to those of the next. */
const SHARD_PORT_STEP = 10;
export const BROKER_NAME = 'broker-a';
export const APACHE_VERSION = '5.5.0';

export type PeerName = 'perigee' | 'sharded' | 'apache' | 'floor';
export type Flush = 'ASYNC_FLUSH' | 'SYNC_FLUSH';

export interface Peer {
  readonly name: PeerName;
  /** One of each shard; one for the others. */
  readonly servers: readonly Server[];
  /** All processes of it. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Its folder; the data in it are used again. */
  readonly dir: string;
  readonly flush: Flush;
}

/** What some peers need. */
export interface PeerNeeds {
  /** Of `sharded`. */
  readonly shards: number;
  /** Of the floor. */
  readonly floorProgram: string | undefined;
}

const running = new Set<ChildProcess>();

/** Ends a child process and what it started, at once. */
function kill(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  for (const pid of processTree(child.pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself a moment ago.
    }
  }
}

/** Ends, at once, what was started here and still runs. */
export function killPeers(): void {
  for (const child of running) kill(child);
}

/** A child process that dies with us. */
export function spawnKept(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Everything that a process says; the last of it is for error messages. */
function listenTo(child: ChildProcess): () => string {
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000);
    });
  return () => said;
}

async function untilListening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const end = performance.now() + START_MS_MAX;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > end) {
      kill(child);
      throw new Error(`${child.spawnargs.join(' ')} does not listen on ${port} (exit ${child.exitCode}):\n${said()}`);
    }
    await sleep(POLL_MS);
  }
}

export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'close');
  child.kill('SIGTERM');
  const timer = setTimeout(() => kill(child), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
}

/** A peer that was started here, as soon as all its servers accept connections. */
async function kept(name: PeerName, child: ChildProcess, servers: readonly Server[]): Promise<Peer> {
  const said = listenTo(child);
  for (const { port } of servers) await untilListening(child, port, said);
  return { name, servers, pids: processTree(child.pid!), stop: () => stopChild(child) };
}

/** A Perigee process with these arguments; it is not waited for. `cacheDir`: where its compile cache is. */
export function spawnPerigee(args: readonly string[], dir: string, cacheDir: string): ChildProcess {
  // Its own home: pid files of other servers of this user are none of our business.
  const env = { ...process.env, HOME: dir, NODE_COMPILE_CACHE: cacheDir };
  return spawnKept(process.execPath, [join(root, 'packages/server/bin/perigee.js'), ...args], env);
}

/** Writes a broker.conf and answers its path. */
export function writeBrokerConf(options: StartOptions, port: number): string {
  mkdirSync(options.dir, { recursive: true });
  const conf = {
    listenPort: port,
    haListenPort: port + 1,
    bindAddress: '127.0.0.1',
    brokerIP1: '127.0.0.1',
    brokerName: BROKER_NAME,
    storePathRootDir: join(options.dir, 'store'),
    flushDiskType: options.flush,
    enablePropertyFilter: true,
  };
  const path = join(options.dir, 'broker.conf');
  writeFileSync(
    path,
    Object.entries(conf)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  return path;
}

function startPerigeeBroker(options: StartOptions, port: number, args: readonly string[]): ChildProcess {
  return spawnPerigee(['broker', '-c', writeBrokerConf(options, port), ...args], options.dir, join(options.dir, '..', 'compile-cache'));
}

/** Perigee in one process, with its default settings. */
export async function startPerigee(options: StartOptions): Promise<Peer> {
  const port = await freePort();
  return kept('perigee', startPerigeeBroker(options, port, []), [{ port, brokerName: BROKER_NAME }]);
}

/** A port with which all shards find theirs free. */
async function freeShardPort(shards: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    const others = Array.from({ length: shards - 1 }, (_, index) => first + (index + 1) * SHARD_PORT_STEP);
    // The second listener, the listener, HA: what `freePort` looked at for the first shard.
    const taken = await Promise.all(others.flatMap((port) => [accepts(port - 2), accepts(port), accepts(port + 1)]));
    if (!taken.includes(true)) return first;
  }
}

async function startShards(options: StartOptions, shards: number): Promise<Peer> {
  const first = await freeShardPort(shards);
  const child = startPerigeeBroker(options, first, ['--shards', String(shards)]);
  const serverOf = (shard: number): Server => ({ port: first + shard * SHARD_PORT_STEP, brokerName: `${BROKER_NAME}-${shard}` });
  return kept(
    'sharded',
    child,
    Array.from({ length: shards }, (_, shard) => serverOf(shard)),
  );
}

export async function startApache(options: StartOptions): Promise<Peer> {
  const port = await freePort();
  const conf = { flushDiskType: options.flush, bindAddress: '127.0.0.1', enablePropertyFilter: true };
  const server = await startBroker({ version: APACHE_VERSION, dir: options.dir, port, brokerName: BROKER_NAME, heap: 'bench', conf });
  const stop = async (): Promise<void> => {
    await server.stop();
  };
  return { name: 'apache', servers: [{ port, brokerName: BROKER_NAME }], pids: [server.pid], stop };
}

/** Compiles the floor into the folder; answers why it cannot, or the path of the program. */
export function compileFloor(dir: string): { readonly program: string } | { readonly reason: string } {
  const program = join(dir, 'floor');
  const { status, error, stderr } = spawnSync('gcc', ['-O2', '-o', program, join(root, 'bench/floor.c')], { encoding: 'utf8' });
  if (error !== undefined) return { reason: 'gcc is not installed' };
  return status === 0 ? { program } : { reason: `gcc failed: ${stderr.slice(0, 500)}` };
}

async function startFloor(program: string, options: StartOptions): Promise<Peer> {
  const port = await freePort();
  mkdirSync(options.dir, { recursive: true });
  const child = spawnKept(program, [String(port), join(options.dir, 'floor.data')]);
  return kept('floor', child, [{ port, brokerName: BROKER_NAME }]);
}

/** How the tables call a peer. */
export function peerTitle(name: PeerName, shards: number): string {
  const titles = { perigee: 'Perigee', sharded: `Perigee, ${shards} shards`, apache: 'Apache', floor: 'floor' };
  return titles[name];
}

/** Starts a server and waits until it accepts connections. */
export function startPeer(name: PeerName, options: StartOptions, needs: PeerNeeds): Promise<Peer> {
  if (name === 'perigee') return startPerigee(options);
  if (name === 'sharded') return startShards(options, needs.shards);
  if (name === 'apache') return startApache(options);
  if (needs.floorProgram === undefined) throw new Error('the floor is not compiled');
  return startFloor(needs.floorProgram, options);
}
