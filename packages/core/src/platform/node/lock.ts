/**
 * An exclusive lock on a file, held by the kernel for as long as the process lives, however it dies.
 *
 * A pid file would need stale detection, and a take-over of a stale one always leaves a moment in which two can win; pids
 * also mean nothing across containers that share a volume. Node has no flock(2), but everywhere there is a kernel lock
 * that plain Node reaches:
 *
 * - Linux, first: an abstract Unix socket named after the directory's device and inode and the file's name. Binding is
 *   atomic and the name goes with the process. Its limit: abstract names are private to a network namespace, so another
 *   container on the same volume is not seen.
 * - Linux, then: flock(2) taken by the `flock` program (util-linux, BusyBox) on a descriptor inherited from us. Such a lock
 *   belongs to the open file description, which we share: the program exits, the lock stays until our descriptor goes.
 *   It holds across containers on one machine (and on NFS across machines). Where the program is missing, the socket
 *   alone guards.
 * - macOS and BSD: open(2) with O_EXLOCK, which is flock(2) within open.
 * - Windows: libuv's UV_FS_O_EXLOCK, an open that shares the file with nobody.
 *
 * The file stays after release (to remove it would let two processes lock two files of one name). It names its holder's
 * pid for a human reader; nothing reads it back.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, dirname } from 'node:path';

export interface FileLock {
  release(): void;
}

/** `O_EXLOCK | O_NONBLOCK` of macOS and the BSDs; node:fs does not name the first. */
const BSD_LOCK_FLAGS = 0x20 | 0x04;
/** `UV_FS_O_EXLOCK` of libuv on Windows. */
const WINDOWS_LOCK_FLAG = 0x1000_0000;
const FILE_MODE = 0o644;
/** How `flock -n` says that another holds the lock; above that are its own failures (no such option, no lock support). */
const FLOCK_HELD = 1;

/** Takes the lock; undefined when another live process, or this one, has it. Rejects when the file cannot be opened. */
export function lockFile(path: string): Promise<FileLock | undefined> {
  return process.platform === 'linux' ? lockOnLinux(path) : Promise.resolve(lockByOpening(path));
}

async function lockOnLinux(path: string): Promise<FileLock | undefined> {
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, FILE_MODE);
  let socket: Server | 'held' | 'unavailable' = 'unavailable';
  try {
    socket = await bindName(socketName(path));
    const flock = socket === 'held' ? 'held' : await flockInherited(fd);
    if (flock === 'unavailable' && socket === 'unavailable') {
      throw Object.assign(new Error(`ENOLCK: neither an abstract socket nor flock can lock ${path}`), { code: 'ENOLCK' });
    }
    if (flock !== 'held') {
      nameHolder(fd);
      return lockOf(fd, typeof socket === 'string' ? undefined : socket);
    }
  } catch (error) {
    abandon(fd, socket);
    throw error;
  }
  abandon(fd, socket);
  return undefined;
}

function abandon(fd: number, socket: Server | string): void {
  if (typeof socket !== 'string') socket.close();
  fs.closeSync(fd);
}

function lockOf(fd: number, socket: Server | undefined): FileLock {
  let released = false;
  return {
    release: () => {
      if (released) return;
      released = true;
      fs.closeSync(fd);
      socket?.close();
    },
  };
}

/** The directory's identity rather than the file's: a file that somebody removed and made anew is still the same lock. */
function socketName(path: string): string {
  const directory = fs.statSync(dirname(path), { bigint: true });
  return `\0perigee-lock:${directory.dev}:${directory.ino}:${basename(path)}`;
}

function bindName(name: string): Promise<Server | 'held' | 'unavailable'> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE' ? 'held' : 'unavailable'));
    server.listen({ path: name, exclusive: true, backlog: 1 }, () => {
      // A failing accept (a stranger connects while descriptors are short) must not end the process.
      server.on('error', () => {});
      resolve(server);
    });
  });
}

function flockInherited(fd: number): Promise<'taken' | 'held' | 'unavailable'> {
  return new Promise((resolve) => {
    const child = spawn('flock', ['-n', '-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    child.once('error', () => resolve('unavailable'));
    child.once('exit', (code) => {
      if (code === 0) resolve('taken');
      else resolve(code === FLOCK_HELD ? 'held' : 'unavailable');
    });
  });
}

function lockByOpening(path: string): FileLock | undefined {
  const flag = process.platform === 'win32' ? WINDOWS_LOCK_FLAG : BSD_LOCK_FLAGS;
  let fd: number;
  try {
    fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT | flag, FILE_MODE);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EAGAIN' || code === 'EWOULDBLOCK' || code === 'EBUSY') return undefined;
    throw error;
  }
  nameHolder(fd);
  return lockOf(fd, undefined);
}

function nameHolder(fd: number): void {
  fs.ftruncateSync(fd, 0);
  fs.writeSync(fd, `${process.pid}\n`, 0);
}
