/** The servers under load: Perigee, Apache's broker, the C floor. Each on 127.0.0.1, with its data in a folder of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, startBroker } from '../interop/java-process.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 60_000;
const POLL_MS = 2;
export const BROKER_NAME = 'broker-a';
export const APACHE_VERSION = '5.5.0';

export type PeerName = 'perigee' | 'apache' | 'floor';
export type Flush = 'ASYNC_FLUSH' | 'SYNC_FLUSH';

export interface Peer {
  readonly name: PeerName;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Its folder; the data in it are used again. */
  readonly dir: string;
  readonly flush: Flush;
}

const running = new Set<ChildProcess>();

/** Ends, at once, what was started here and still runs. */
export function killPeers(): void {
  for (const child of running) child.kill('SIGKILL');
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

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => socket.destroy());
    socket.once('error', () => {});
    socket.once('close', (hadError) => resolve(!hadError));
  });
}

async function untilListening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const end = performance.now() + START_MS_MAX;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > end) {
      child.kill('SIGKILL');
      throw new Error(`${child.spawnargs.join(' ')} does not listen on ${port} (exit ${child.exitCode}):\n${said()}`);
    }
    await sleep(POLL_MS);
  }
}

export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'close');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await gone;
  clearTimeout(timer);
}

function kept(name: PeerName, child: ChildProcess, port: number): Peer {
  return { name, pid: child.pid ?? 0, port, stop: () => stopChild(child) };
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

async function startPerigee(options: StartOptions): Promise<Peer> {
  const port = await freePort();
  const conf = writeBrokerConf(options, port);
  const child = spawnPerigee(['broker', '-c', conf], options.dir, join(options.dir, '..', 'compile-cache'));
  await untilListening(child, port, listenTo(child));
  return kept('perigee', child, port);
}

async function startApache(options: StartOptions): Promise<Peer> {
  const port = await freePort();
  const conf = { flushDiskType: options.flush, bindAddress: '127.0.0.1', enablePropertyFilter: true };
  const server = await startBroker({ version: APACHE_VERSION, dir: options.dir, port, brokerName: BROKER_NAME, heap: 'bench', conf });
  const stop = async (): Promise<void> => {
    await server.stop();
  };
  return { name: 'apache', pid: server.pid, port, stop };
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
  await untilListening(child, port, listenTo(child));
  return kept('floor', child, port);
}

/** Starts a server and waits until it accepts connections. `floorProgram` is needed for the floor. */
export function startPeer(name: PeerName, options: StartOptions, floorProgram?: string): Promise<Peer> {
  if (name === 'perigee') return startPerigee(options);
  if (name === 'apache') return startApache(options);
  if (floorProgram === undefined) throw new Error('the floor is not compiled');
  return startFloor(floorProgram, options);
}
