/**
 * Java processes of the interop suite: Apache's name server and broker, our driver on both clients, mqadmin.
 *
 * Every process started here is known by its pid and killed when this process ends, whatever happens to the test. Call
 * `unavailableReason()` first and `build()` before anything else (both from ./java-build.ts, exported again here).
 */
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientVersion, clientClassPath, type ServerVersion, serverClassPath } from './java-build.ts';
import { accepts, type Child, hasEnded, killChild, launch as launchCommand, stopChild, temporaryFolder } from './processes.ts';

export { build, type ClientVersion, clientVersions, type ServerVersion, serverVersions, unavailableReason } from './java-build.ts';
export { freePort } from './processes.ts';

/** First compiler tier, one collector thread, shared class data: a short JVM costs half the CPU. */
const cheapJvm = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', '-XX:-UsePerfData'];
const startMsMax = 120_000;
const pollMs = 50;

let home: string | undefined;

/** A folder for what Java clients write below user.home (logs, broadcast offsets); removed when this process ends. */
function clientHome(): string {
  home ??= temporaryFolder();
  return home;
}

function launch(args: readonly string[]): Child {
  return launchCommand('java', args);
}

/** A running Apache name server or broker. */
export interface ApacheServer {
  readonly pid: number;
  readonly port: number;
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Where it keeps its configuration, home (logs/rocketmqlogs) and console output. */
  readonly dir: string;
  /** SIGTERM, waits for a clean end, SIGKILL after 40 s (Apache takes 4–20 s). Safe to call twice. */
  stop(): Promise<number | null>;
  /** Ends the process at once, as kill -9 does. */
  kill(): Promise<void>;
}

/** `small` suits tests; `bench` is what Apache is measured with. */
export type Heap = 'small' | 'bench';

const benchHeap = ['-Xms4g', '-Xmx4g', '-Xmn2g', '-XX:+UseG1GC', '-XX:MaxDirectMemorySize=4g'];
const brokerOpens = [
  ...['--add-exports', 'java.base/sun.nio.ch=ALL-UNNAMED', '--add-exports', 'java.base/jdk.internal.ref=ALL-UNNAMED'],
  ...['--add-opens', 'java.base/java.nio=ALL-UNNAMED', '--add-opens', 'java.base/sun.nio.ch=ALL-UNNAMED'],
  ...['--add-opens', 'java.base/jdk.internal.misc=ALL-UNNAMED'],
];

interface ServerStart {
  readonly version: ServerVersion;
  readonly mainClass: string;
  readonly dir: string;
  readonly port: number;
  readonly conf: Readonly<Record<string, string | number | boolean>>;
  readonly confFile: string;
  readonly jvm: readonly string[];
}

async function startServer(options: ServerStart): Promise<ApacheServer> {
  const { dir, port } = options;
  mkdirSync(dir, { recursive: true });
  const confPath = join(dir, options.confFile);
  const lines = Object.entries(options.conf).map(([key, value]) => `${key}=${value}`);
  writeFileSync(confPath, `${lines.join('\n')}\n`);
  const properties = [`-Duser.home=${dir}`, `-Drocketmq.home.dir=${dir}`];
  const classPath = ['-cp', serverClassPath(options.version)];
  const child = launch([...options.jvm, ...properties, ...classPath, options.mainClass, '-c', confPath]);
  const console = createWriteStream(join(dir, `${options.confFile}.console`), { flags: 'a' });
  child.stdout.pipe(console, { end: false });
  child.stderr.pipe(console, { end: false });
  const end = performance.now() + startMsMax;
  while (!(await accepts(port))) {
    if (hasEnded(child) || performance.now() > end) {
      await stopChild(child);
      const said = existsSync(console.path) ? readFileSync(console.path, 'utf8').slice(-4_000) : '';
      throw new Error(`${options.mainClass} ${options.version} does not listen on ${port} (exit ${child.exitCode}):\n${said}`);
    }
    await sleep(pollMs);
  }
  return {
    pid: child.pid ?? 0,
    port,
    address: `127.0.0.1:${port}`,
    dir,
    stop: () => stopChild(child),
    kill: () => killChild(child),
  };
}

export interface NamesrvOptions {
  readonly version: ServerVersion;
  /** Its folder; made when missing. */
  readonly dir: string;
  readonly port: number;
  readonly heap?: Heap;
  readonly conf?: Readonly<Record<string, string | number | boolean>>;
}

/** Starts Apache's name server and waits until it accepts connections. */
export function startNamesrv(options: NamesrvOptions): Promise<ApacheServer> {
  const jvm = options.heap === 'bench' ? ['-Xms512m', '-Xmx512m'] : [...cheapJvm, '-Xms64m', '-Xmx128m'];
  return startServer({
    version: options.version,
    mainClass: 'org.apache.rocketmq.namesrv.NamesrvStartup',
    dir: options.dir,
    port: options.port,
    confFile: 'namesrv.conf',
    jvm,
    conf: { listenPort: options.port, kvConfigPath: join(options.dir, 'kvConfig.json'), ...options.conf },
  });
}

export interface BrokerOptions {
  readonly version: ServerVersion;
  /** Its folder (configuration, logs; the store below it unless `storeDir` is given); made when missing. */
  readonly dir: string;
  /** The main listener; port − 2 and port + 1 are taken too. */
  readonly port: number;
  /** `host:port`, several separated by `;`. */
  readonly namesrv?: string;
  readonly brokerName?: string;
  readonly clusterName?: string;
  /** storePathRootDir. */
  readonly storeDir?: string;
  readonly heap?: Heap;
  /** More broker.conf keys; they win over ours. */
  readonly conf?: Readonly<Record<string, string | number | boolean>>;
}

/** Starts Apache's broker as a master and waits until it accepts connections; it registers a moment later. */
export function startBroker(options: BrokerOptions): Promise<ApacheServer> {
  const smallHeap = [...cheapJvm, '-Xms256m', '-Xmx512m', '-XX:MaxDirectMemorySize=512m'];
  return startServer({
    version: options.version,
    mainClass: 'org.apache.rocketmq.broker.BrokerStartup',
    dir: options.dir,
    port: options.port,
    confFile: 'broker.conf',
    jvm: [...(options.heap === 'bench' ? benchHeap : smallHeap), ...brokerOpens],
    conf: {
      brokerClusterName: options.clusterName ?? 'DefaultCluster',
      brokerName: options.brokerName ?? 'broker-a',
      brokerId: 0,
      listenPort: options.port,
      haListenPort: options.port + 1,
      brokerIP1: '127.0.0.1',
      storePathRootDir: options.storeDir ?? join(options.dir, 'store'),
      ...(options.namesrv === undefined ? {} : { namesrvAddr: options.namesrv }),
      ...(options.heap === 'bench' ? {} : { mappedFileSizeCommitLog: 64 * 1024 * 1024 }),
      ...options.conf,
    },
  });
}

/** One line of the driver; which members it has depends on the case or command (interop/java/README.md). */
export interface DriverLine {
  readonly case?: string;
  readonly command?: string;
  readonly client?: string;
  readonly ok?: boolean;
  readonly skipped?: boolean;
  readonly detail?: string;
  readonly ms?: number;
  readonly ready?: boolean;
  readonly body?: string;
  readonly brokerName?: string;
  readonly queueId?: number;
  readonly queueOffset?: number;
  readonly msgId?: string;
  readonly offsetMsgId?: string;
  readonly keys?: string | null;
  readonly tags?: string | null;
  readonly sent?: number;
  readonly received?: number;
  readonly retries?: number;
  readonly messages?: number;
  readonly topic?: string;
  readonly flag?: number;
  readonly sysFlag?: number;
  readonly bornTimestamp?: number;
  readonly storeTimestamp?: number;
  readonly commitLogOffset?: number;
  readonly reconsumeTimes?: number;
  /** Came with a receipt handle. */
  readonly popped?: boolean;
  readonly properties?: string;
  /** Ends what one line of a session asked for. */
  readonly done?: boolean;
}

export interface DriverResult {
  readonly code: number | null;
  readonly lines: readonly DriverLine[];
  /** Java's stack traces and client warnings. */
  readonly stderr: string;
}

/** A driver at work in its own JVM. */
export interface RunningDriver {
  readonly pid: number;
  /** Lines so far; grows. */
  readonly lines: readonly DriverLine[];
  /** Resolves when at least so many lines came, or when the driver ended. */
  atLeast(count: number): Promise<void>;
  /** Standard input of `session`. */
  write(line: string): void;
  /** Ends standard input, which ends `hold` and `session`. */
  endInput(): void;
  kill(): void;
  /** Java's stack traces and client warnings so far. */
  stderr(): string;
  readonly done: Promise<DriverResult>;
}

/** A 5.5.0 client waits a second between two rebalances unless told otherwise; the suite would wait with it. */
const rebalanceAtOnce = '-Drocketmq.client.rebalance.minInterval=200';

export interface DriverOptions {
  readonly version: ClientVersion;
  readonly namesrv: string;
  /** Masters to wait for before the first topic is made (default 1); a mixed cluster has more. */
  readonly masters?: number;
  /** The JVM is killed after this time (default 300 s). */
  readonly timeoutMs?: number;
  /** More system properties, for example `rocketmq.serialize.type`. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** Starts the driver with `all`, `case,case,…` or a command and its arguments. */
export function startDriver(options: DriverOptions, args: readonly string[]): RunningDriver {
  const jvm = [
    ...cheapJvm,
    '-Xms64m',
    '-Xmx512m',
    `-Duser.home=${clientHome()}`,
    `-Dperigee.masters=${options.masters ?? 1}`,
    rebalanceAtOnce,
    ...Object.entries(options.properties ?? {}).map(([key, value]) => `-D${key}=${value}`),
  ];
  const child = launch([...jvm, '-cp', clientClassPath(options.version), 'perigee.interop.Driver', options.namesrv, ...args]);
  const lines: DriverLine[] = [];
  let stderr = '';
  let wake: () => void = () => {};
  let ended = false;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line) as DriverLine);
    wake();
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 300_000);
  const done = once(child, 'close').then(([code]): DriverResult => {
    clearTimeout(timer);
    ended = true;
    wake();
    return { code: code as number | null, lines, stderr };
  });
  const atLeast = async (count: number): Promise<void> => {
    while (lines.length < count && !ended) {
      await new Promise<void>((resolve) => {
        const before = wake;
        wake = () => {
          before();
          resolve();
        };
      });
    }
  };
  return {
    pid: child.pid ?? 0,
    lines,
    atLeast,
    write: (line) => child.stdin.write(`${line}\n`),
    endInput: () => child.stdin.end(),
    kill: () => child.kill('SIGKILL'),
    stderr: () => stderr,
    done,
  };
}

/** Runs cases in one JVM; `all` runs every case. One line a case, in order. */
export function runCases(options: DriverOptions, cases: readonly string[] | 'all'): Promise<DriverResult> {
  return startDriver(options, [cases === 'all' ? 'all' : cases.join(',')]).done;
}

/** A driver kept alive: cases and commands one after the other in one JVM, with one producer and one reader. */
export interface DriverSession {
  /** Cases (`a,b`, `all`) or a command with its arguments; answers its lines, rejects when the JVM ended. */
  run(args: readonly string[]): Promise<DriverSessionResult>;
  /** What Java has said on standard error so far. */
  stderr(): string;
  close(): Promise<void>;
}

export interface DriverSessionResult {
  readonly ok: boolean;
  readonly lines: readonly DriverLine[];
}

export function openDriver(options: DriverOptions): DriverSession {
  const driver = startDriver(options, ['session']);
  let taken = 0;
  let last: Promise<unknown> = Promise.resolve();
  const runOne = async (args: readonly string[]): Promise<DriverSessionResult> => {
    driver.write(args.join('\t'));
    for (let at = taken; ; at++) {
      await driver.atLeast(at + 1);
      const line = driver.lines[at];
      if (line === undefined) {
        throw new Error(`the JVM of client ${options.version} ended during: ${args.join(' ')}\n${driver.stderr().slice(-4_000)}`);
      }
      if (line.done !== undefined) {
        const lines = driver.lines.slice(taken, at);
        taken = at + 1;
        return { ok: line.done, lines };
      }
    }
  };
  return {
    run: (args) => {
      const result = last.then(() => runOne(args));
      last = result.catch(() => {});
      return result;
    },
    stderr: driver.stderr,
    close: async () => {
      driver.endInput();
      await driver.done;
    },
  };
}

export interface AdminResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** mqadmin 5.5.0 kept alive: each command costs milliseconds instead of a JVM. */
export interface AdminSession {
  /** One command, for example `['topicList', '-n', address]`; commands run one after the other. */
  run(args: readonly string[]): Promise<AdminResult>;
  close(): Promise<void>;
}

export function openAdmin(): AdminSession {
  const jvm = [...cheapJvm, '-Xmx256m', '-Djava.security.manager=allow', `-Duser.home=${clientHome()}`];
  const child = launch([...jvm, '-cp', clientClassPath('5.5.0'), 'perigee.interop.AdminBatch']);
  child.stderr.resume();
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();
  const runOne = async (args: readonly string[]): Promise<AdminResult> => {
    child.stdin.write(`${args.join('\t')}\n`);
    const { value, done } = await answers.next();
    if (done) {
      throw new Error(`the mqadmin JVM ended during: ${args.join(' ')}`);
    }
    return JSON.parse(value) as AdminResult;
  };
  return {
    run: (args) => {
      const result = last.then(() => runOne(args));
      last = result.catch(() => {});
      return result;
    },
    close: async () => {
      child.stdin.end();
      await last;
      await stopChild(child);
    },
  };
}
