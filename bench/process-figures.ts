/** What Linux tells about a process and a machine. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { setTimeout as elapse } from 'node:timers/promises';

/** Clock ticks per second of /proc (USER_HZ, 100 on every Linux that Node runs on). */
const TICKS_PER_SECOND = 100;
/** f_type of tmpfs: what is "on disk" there is in memory. */
const TMPFS_MAGIC = 0x01021994;
/** More that is to be written than this is work in the background. */
const QUIET_BYTES = 32 * 1024 ** 2;
const QUIET_LOOK_MS = 500;
const QUIET_WAIT_MS_MAX = 60_000;
const QUIET_AFTER_MS = 10_000;
const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** A process, what its main thread started, what they started, and so on. */
export function processTree(pid: number): number[] {
  let children = '';
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
  } catch {
    // It has ended, or the kernel does not tell (CONFIG_PROC_CHILDREN).
  }
  return [pid, ...(children.match(/\d+/g) ?? []).flatMap((child) => processTree(Number(child)))];
}

/** utime + stime of processes with all their threads, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces; what follows begins with field 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

/** Anonymous memory in use by processes, in MiB. */
export function anonymousMib(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    kib += Number(/^Anonymous:\s+(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN);
  }
  return kib / 1024;
}

/** Bytes that an ordinary process can still write below a folder. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

export function isInMemory(folder: string): boolean {
  return statfsSync(folder).type === TMPFS_MAGIC;
}

/** Bytes in the page cache that the kernel has still to write. */
function unwrittenBytes(): number {
  const info = readFileSync('/proc/meminfo', 'latin1');
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(info)?.[1] ?? 0);
  return (kib('Dirty') + kib('Writeback')) * 1024;
}

/** What one server left behind must not slow the next one down: waits until the kernel has written nearly all of it, and a little longer. */
export async function untilQuiet(): Promise<void> {
  for (let waitedMs = 0; waitedMs < QUIET_WAIT_MS_MAX && unwrittenBytes() > QUIET_BYTES; waitedMs += QUIET_LOOK_MS)
    await elapse(QUIET_LOOK_MS);
  await elapse(QUIET_AFTER_MS);
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
  readonly disk: string;
}

export function describeMachine(folder: string): Machine {
  const kernel = execFileSync('uname', ['-sr'], { encoding: 'utf8' }).trim();
  const disk = isInMemory(folder) ? 'tmpfs: the SYNC_FLUSH rows mean nothing here' : `${(freeBytes(folder) / GIB).toFixed(0)} GiB free`;
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / GIB),
    kernel,
    node: process.version,
    disk,
  };
}

export function asMib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}
