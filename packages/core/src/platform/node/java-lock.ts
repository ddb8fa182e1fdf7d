/**
 * Tells whether a running Java process holds a lock file: Apache's broker takes a POSIX (fcntl) record lock on `lock`
 * in its store root, which Node cannot take but which Linux lists in /proc/locks.
 */
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';

/**
 * Answers the pid that holds a POSIX lock on the file, or undefined: nobody, no such file, or not Linux.
 * A holder in another pid namespace (container) is not listed by the kernel and stays unseen.
 */
export function javaLockHolder(lockFilePath: string): number | undefined {
  let locks: string;
  try {
    locks = readFileSync('/proc/locks', 'latin1');
  } catch {
    return undefined;
  }
  const stat = statSync(lockFilePath, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const device = deviceOf(stat.dev);
  for (const lock of posixLocks(locks)) {
    if (lock.inode !== String(stat.ino)) continue;
    // btrfs and overlayfs show another device number to stat than to /proc/locks: then the open files of the holder tell.
    if (lock.device === device || hasOpen(lock.pid, realpathSync(lockFilePath))) return lock.pid;
  }
  return undefined;
}

export interface PosixLock {
  readonly pid: number;
  /** `major:minor` in hexadecimal, two digits each at least. */
  readonly device: string;
  readonly inode: string;
}

/**
 * The granted POSIX locks of a text in the format of /proc/locks (proc(5)):
 *
 *     1: POSIX  ADVISORY  WRITE 4711 08:01:131090 0 EOF
 *     ^id ^kind ^         ^mode ^pid ^major:minor:inode ^start ^end      (`-> ` before the kind: one that waits)
 */
export function posixLocks(text: string): PosixLock[] {
  const found: PosixLock[] = [];
  for (const line of text.split('\n')) {
    const [, kind, , , pid, file] = line.trim().split(/\s+/);
    if (kind !== 'POSIX' || pid === undefined || file === undefined) continue;
    const [major, minor, inode] = file.split(':');
    if (major === undefined || minor === undefined || inode === undefined || !(Number(pid) > 0)) continue;
    found.push({ pid: Number(pid), device: `${major}:${minor}`, inode });
  }
  return found;
}

/** A device number of stat(2) as /proc/locks writes it (makedev(3) of Linux). */
function deviceOf(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
}

function hasOpen(pid: number, path: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === path);
  } catch {
    // Another user's process, or one that has just ended.
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
