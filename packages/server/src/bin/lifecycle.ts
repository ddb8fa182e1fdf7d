/** What every server process shares: signals, sentences for what went wrong at the start, pid files. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StoreInUseError, StoreLoadError } from '../store/store-errors.ts';

/** The terminal signals the launcher and the server, and the launcher passes its own on: a second signal within this is the same one. */
const SAME_SIGNAL_MS = 1_000;
export const EXIT_START_FAILED = 1;

/** Resolves when the process is asked to stop (SIGINT, SIGTERM, SIGHUP). A later second request ends the process at once. */
export function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    let firstMs = 0;
    const onSignal = (): void => {
      const nowMs = performance.now();
      if (firstMs === 0) {
        firstMs = nowMs;
        resolve();
      } else if (nowMs - firstMs > SAME_SIGNAL_MS) process.exit(130);
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  });
}

/** One sentence for an error that ended a start. `what` was being started. */
export function startSentence(what: string, error: unknown): string {
  if (error instanceof StoreInUseError || error instanceof StoreLoadError) return `${what}: ${error.message}.`;
  const failure = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const where = failure.address === undefined ? '' : ` ${failure.address}${failure.port === undefined ? '' : `:${failure.port}`}`;
  switch (failure.code) {
    case 'EADDRINUSE':
      return `${what}: the port${where} is in use by another process; stop it, or choose another port (--port, --namesrv-port, listenPort).`;
    case 'EADDRNOTAVAIL':
      return `${what}: the address${where} does not belong to this machine; check --host, bindAddress.`;
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return failure.path === undefined
        ? `${what}: no permission to listen on${where}; ports below 1024 need a privileged user.`
        : `${what}: ${failure.path} cannot be written by this user (${failure.code}); change its owner, or choose another folder (--data, storePathRootDir).`;
    case 'ENOENT':
      if (failure.path === undefined) return `${what}: ${failure.message}`;
      return `${what}: ${failure.path} cannot be made (ENOENT); choose another folder (--data, storePathRootDir).`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `${what}: ${failure.path} is not a folder; choose another one (--data, storePathRootDir).`;
    default:
      return `${what}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const RUN_FOLDER = join(homedir(), '.perigee', 'run');

/** When a process started, in clock ticks since boot; '' where the system does not tell. With the pid it names a process for good. */
function startTicks(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** Writes the pid file that `mqshutdown` looks for; answers how to remove it. A folder that cannot be written is no reason not to start. */
export async function writePidFile(role: 'broker' | 'namesrv'): Promise<() => Promise<void>> {
  const path = join(RUN_FOLDER, `${role}.${process.pid}`);
  try {
    await mkdir(RUN_FOLDER, { recursive: true });
    await writeFile(path, startTicks(process.pid));
  } catch {
    return async () => {};
  }
  return () => rm(path, { force: true });
}

/** Pids of this user's servers of a role that run now; files of dead ones are removed. */
export async function runningPids(role: 'broker' | 'namesrv'): Promise<number[]> {
  let names: string[];
  try {
    names = readdirSync(RUN_FOLDER);
  } catch {
    return [];
  }
  const pids: number[] = [];
  for (const name of names) {
    const pid = Number(name.slice(role.length + 1));
    if (!name.startsWith(`${role}.`) || !Number.isInteger(pid)) continue;
    const path = join(RUN_FOLDER, name);
    const ticks = textOf(path);
    if (ticks !== undefined && isSameProcess(pid, ticks)) pids.push(pid);
    else await rm(path, { force: true });
  }
  return pids;
}

/** undefined when the file is gone: a server that stops removes its own. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isSameProcess(pid: number, ticks: string): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return startTicks(pid) === ticks;
}
