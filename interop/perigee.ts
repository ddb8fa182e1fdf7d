/**
 * Perigee's roles as the processes that users start: `perigee namesrv`, `perigee broker`, `perigee up`.
 *
 * Each has a folder with its configuration, its store and what it said; what it said is part of the error when it does not start.
 */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, freePort, hasEnded, killChild, launch, stopChild } from './processes.ts';

const bin = join(import.meta.dirname, '..', 'packages', 'server', 'bin', 'perigee.js');
const startMsMax = 60_000;
/** Kept of what a server says. */
const saidCharsMax = 64 * 1024;

/** A running Perigee role. */
export interface PerigeeServer {
  readonly pid: number;
  readonly port: number;
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly dir: string;
  /** The end of what it printed on both streams. */
  said(): string;
  /** SIGTERM; returns the exit code once it is gone (null when it had to be killed). Safe to call twice. */
  stop(): Promise<number | null>;
  /** kill -9; returns once it is gone. */
  kill(): Promise<void>;
}

type Conf = Readonly<Record<string, string | number | boolean>>;

interface Start {
  readonly args: readonly string[];
  readonly dir: string;
  readonly port: number;
  /** Part of the line that says that it serves. */
  readonly bootLine: string;
}

async function start({ args, dir, port, bootLine }: Start): Promise<PerigeeServer> {
  const child = launch(process.execPath, [bin, ...args], { HOME: dir });
  let said = '';
  const collect = (text: string): void => {
    said = (said + text).slice(-saidCharsMax);
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  await booted(child, () => said.includes(bootLine));
  if (!said.includes(bootLine)) {
    await killChild(child);
    throw new Error(`perigee ${args.join(' ')} did not start (exit ${child.exitCode}):\n${said}`);
  }
  return {
    pid: child.pid ?? 0,
    port,
    address: `127.0.0.1:${port}`,
    dir,
    said: () => said,
    stop: () => stopChild(child),
    kill: () => killChild(child),
  };
}

/** Resolves when the line came, the process ended, or it took too long. */
function booted(child: Child, hasLine: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, startMsMax);
    const look = (): void => {
      if (hasLine() || hasEnded(child)) {
        clearTimeout(timer);
        resolve();
      }
    };
    child.stdout.on('data', look);
    once(child, 'close').then(look, look);
  });
}

function writeConf(dir: string, name: string, conf: Conf): string {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, name);
  writeFileSync(
    path,
    `${Object.entries(conf)
      .map((entry) => entry.join('='))
      .join('\n')}\n`,
  );
  return path;
}

export interface PerigeeNamesrvOptions {
  /** Its folder; made when missing. */
  readonly dir: string;
  readonly port?: number;
  readonly conf?: Conf;
}

/** Starts `perigee namesrv`. */
export async function startPerigeeNamesrv(options: PerigeeNamesrvOptions): Promise<PerigeeServer> {
  const port = options.port ?? (await freePort());
  const { dir } = options;
  const conf = writeConf(dir, 'namesrv.conf', { listenPort: port, kvConfigPath: join(dir, 'kvConfig.json'), ...options.conf });
  return start({ args: ['namesrv', '-c', conf], dir, port, bootLine: 'The Name Server boot success' });
}

export interface PerigeeBrokerOptions {
  /** Its folder; made when missing. */
  readonly dir: string;
  /** The main listener; port − 2 and port + 1 are taken too. */
  readonly port?: number;
  /** `host:port`, several separated by `;`. */
  readonly namesrv: string;
  readonly brokerName?: string;
  /** `--shards`; the ports of each are 10 above those of the one before. */
  readonly shards?: number;
  /** storePathRootDir; `store` in the folder unless given. */
  readonly storeDir?: string;
  /** More broker.conf keys; they win over ours. */
  readonly conf?: Conf;
}

/** Starts `perigee broker` as a master of DefaultCluster; it is registered on return. */
export async function startPerigeeBroker(options: PerigeeBrokerOptions): Promise<PerigeeServer> {
  const port = options.port ?? (await freePort());
  const { dir } = options;
  const conf = writeConf(dir, 'broker.conf', {
    brokerClusterName: 'DefaultCluster',
    brokerName: options.brokerName ?? 'broker-a',
    brokerId: 0,
    listenPort: port,
    haListenPort: port + 1,
    brokerIP1: '127.0.0.1',
    brokerIP2: '127.0.0.1',
    namesrvAddr: options.namesrv,
    storePathRootDir: options.storeDir ?? join(dir, 'store'),
    ...options.conf,
  });
  if (options.shards === undefined) return start({ args: ['broker', '-c', conf], dir, port, bootLine: 'boot success' });
  return start({ args: ['broker', '-c', conf, '--shards', String(options.shards)], dir, port, bootLine: 'The shards[' });
}

/** `perigee up`: `address` is its NameServer, `brokerAddress` its broker. */
export interface PerigeeUp extends PerigeeServer {
  readonly brokerAddress: string;
}

/** Starts `perigee up` on free ports with data in the folder. */
export async function startPerigeeUp(dir: string): Promise<PerigeeUp> {
  mkdirSync(dir, { recursive: true });
  const [port, brokerPort] = [await freePort(), await freePort()];
  const args = ['up', '--data', join(dir, 'data'), '--namesrv-port', String(port), '--port', String(brokerPort)];
  const server = await start({ args, dir, port, bootLine: 'Ctrl-C stops' });
  return { ...server, brokerAddress: `127.0.0.1:${brokerPort}` };
}
