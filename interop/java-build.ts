/**
 * Maven and javac for the interop suite: Apache's jars by version and our driver compiled against both clients.
 *
 * Everything lands in interop/java/target (git-ignored): lib/<module>/*.jar, classes-<client version>, stamps of what they
 * were made from. Nothing is done again while poms and sources stay the same.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const clientVersions = ['4.9.8', '5.5.0'] as const;
export type ClientVersion = (typeof clientVersions)[number];

export const serverVersions = ['5.5.0', '5.3.3'] as const;
export type ServerVersion = (typeof serverVersions)[number];

const javaDir = join(import.meta.dirname, 'java');
const targetDir = join(javaDir, 'target');

/** Java 17 runs every Apache version used here; from 24 on a JVM refuses the security manager that AdminBatch needs. */
const javaMajorMin = 17;
const javaMajorMax = 23;
/** Another process may be downloading on a cold machine. */
const lockWaitMsMax = 600_000;
const lockPollMs = 200;

function javaMajor(command: string): number | undefined {
  const { status, stdout, stderr } = spawnSync(command, ['-version'], { encoding: 'utf8' });
  const found = status === 0 ? /(?:version "|javac )(\d+)/.exec(stdout + stderr) : null;
  return found ? Number(found[1]) : undefined;
}

/** Why the suite cannot run here, as one plain sentence, or undefined when it can. */
export function unavailableReason(): string | undefined {
  if (spawnSync('mvn', ['-v'], { stdio: 'ignore' }).status !== 0) {
    return 'Maven (mvn) is not installed.';
  }
  for (const command of ['java', 'javac']) {
    const major = javaMajor(command);
    if (major === undefined) {
      return `A JDK (${command}) is not installed.`;
    }
    if (major < javaMajorMin || major > javaMajorMax) {
      return `${command} is version ${major}; the suite needs a JDK from ${javaMajorMin} to ${javaMajorMax}.`;
    }
  }
  return undefined;
}

function jarsIn(module: string): string[] {
  const folder = join(targetDir, 'lib', module);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => join(folder, name));
}

/** Class path of the driver and of mqadmin (5.5.0 only); `build` comes first. */
export function clientClassPath(version: ClientVersion): string {
  return [join(targetDir, `classes-${version}`), ...jarsIn(`client-${version}`)].join(':');
}

/** Class path of Apache's name server and broker; `build` comes first. */
export function serverClassPath(version: ServerVersion): string {
  return jarsIn(`server-${version}`).join(':');
}

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
    .sort();
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(file.slice(javaDir.length)).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

/** Runs `make` unless the stamp of that name says that it already ran on the same input. */
function once(stamp: string, hash: string, make: () => void): boolean {
  const path = join(targetDir, `${stamp}.stamp`);
  if (existsSync(path) && readFileSync(path, 'utf8') === hash) {
    return false;
  }
  make();
  writeFileSync(path, hash);
  return true;
}

function run(command: string, args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: javaDir, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(
      `${command} ${args[0] ?? ''}… failed (${error?.message ?? `exit ${status}`}):\n${stdout ?? ''}${stderr ?? ''}`.slice(0, 8_000),
    );
  }
}

function compile(version: ClientVersion): void {
  const classes = join(targetDir, `classes-${version}`);
  rmSync(classes, { recursive: true, force: true });
  mkdirSync(classes, { recursive: true });
  const sources = ['common', `client-${version}`].flatMap((folder) => filesBelow(join(javaDir, 'src', folder), '.java'));
  const classPath = jarsIn(`client-${version}`).join(':');
  run('javac', ['-nowarn', '-encoding', 'UTF-8', '-proc:none', '-cp', classPath, '-d', classes, ...sources]);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function takeLock(path: string): Promise<void> {
  const end = performance.now() + lockWaitMsMax;
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return;
    } catch {
      const holder = Number(existsSync(path) ? readFileSync(path, 'utf8') : '0');
      if (holder > 0 && !alive(holder)) {
        rmSync(path, { force: true });
      } else if (performance.now() > end) {
        throw new Error(`process ${holder} has been building interop/java for ten minutes`);
      } else {
        await sleep(lockPollMs);
      }
    }
  }
}

/**
 * Downloads the jars through Maven and compiles the driver, both only when something changed. Safe to call from several
 * processes. Throws with Maven's or javac's output when one of them fails.
 */
export async function build(): Promise<void> {
  mkdirSync(targetDir, { recursive: true });
  const lock = join(targetDir, 'build.lock');
  await takeLock(lock);
  try {
    const poms = filesBelow(javaDir, 'pom.xml').filter((file) => !file.startsWith(targetDir));
    once('jars', hashOf(poms), () => {
      rmSync(join(targetDir, 'lib'), { recursive: true, force: true });
      run('mvn', ['-B', '-q', '-ntp', 'dependency:copy-dependencies']);
    });
    const sources = hashOf([...poms, ...filesBelow(join(javaDir, 'src'), '.java')]);
    for (const version of clientVersions) {
      once(`classes-${version}`, sources, () => compile(version));
    }
  } finally {
    rmSync(lock, { force: true });
  }
}
